"""Functions, operators and casts of inet, cidr, macaddr and macaddr8."""

from collections.abc import Callable

from catalog.errors import InvalidParameterValueError, NumericValueOutOfRangeError
from catalog.types.network import Network, address_text, network_text, pack_network, unpack_network
from catalog.types.registry import (
    BOOL,
    BPCHAR,
    CIDR,
    INET,
    INT4,
    INT8,
    MACADDR,
    MACADDR8,
    TEXT,
    VARCHAR,
)
from kalam_pg.functions.define import Datum, cast, function, operator, same
from kalam_pg.functions.table import Overload


def _made(family: int, address: int, bits: int) -> bytes:
    return pack_network(Network(family, address, bits))


def _network(value: bytes) -> bytes:
    """The network an address is in: its own bits and no others."""
    n = unpack_network(value)
    return _made(n.family, n.address & n.mask, n.bits)


def _broadcast(value: bytes) -> bytes:
    n = unpack_network(value)
    return _made(n.family, n.address | ~n.mask & (1 << n.width) - 1, n.bits)


def _netmask(value: bytes) -> bytes:
    n = unpack_network(value)
    return _made(n.family, n.mask, n.width)


def _hostmask(value: bytes) -> bytes:
    n = unpack_network(value)
    return _made(n.family, ~n.mask & (1 << n.width) - 1, n.width)


def _family(value: bytes) -> int:
    return 4 if unpack_network(value).family == 1 else 6


def _abbreviated_inet(value: bytes) -> str:
    n = unpack_network(value)
    return address_text(n) if n.bits == n.width else network_text(value)


def _abbreviated_cidr(value: bytes) -> str:
    n = unpack_network(value)
    if n.family == 1:
        kept = max(-(-n.bits // 8), 1)
        return ".".join(map(str, n.address.to_bytes(4)[:kept])) + f"/{n.bits}"
    return f"{_leading_words(n)}/{n.bits}"


def _leading_words(n: Network) -> str:
    """The groups of an IPv6 network that its mask reaches, two at least, the longest run of zeros as `::`."""
    if n.bits == 0:
        return "::"
    octets = n.address.to_bytes(16)
    count = max(-(-n.bits // 16), 2)
    words = [octets[2 * i] << 8 | octets[2 * i + 1] for i in range(count)]
    start, length = _zeros(words)
    end = start + length
    last = octets[14] != 0 and octets[15] != 1
    as_ipv4 = length != count and start == 0 and (
        length == 6 or (length == 5 and words[5] == 0xFFFF) or (length == 7 and last)
    )  # fmt: skip
    text = ""
    for i, word in enumerate(words):
        if start <= i < end:
            text += ":" * ((i == start) + (i == count - 1))
        elif as_ipv4 and i > 5:
            text += (":" if i == 6 else ".") + str(word >> 8)
            text += f".{word & 255}" if i != 7 or n.bits > 120 else ""
        else:
            text += (":" if text else "") + f"{word:x}"
    return text


def _zeros(words: list[int]) -> tuple[int, int]:
    """Where the longest run of zeros begins, and its length. As PostgreSQL counts: what a shorter run has
    counted is carried over to the next one.
    """
    best, found, begun = (0, 0), 0, 0
    for i, word in enumerate(words):
        if word == 0:
            begun = i if not found else begun
            found += 1
        elif found > best[1]:
            best, found = (begun, found), 0
    return (begun, found) if found > best[1] else best


def _set_bits(keep_host: bool) -> Callable[[bytes, int], bytes]:
    def run(value: bytes, bits: int) -> bytes:
        n = unpack_network(value)
        wanted = n.width if bits == -1 else bits
        if not 0 <= wanted <= n.width:
            raise InvalidParameterValueError(f"invalid mask length: {bits}")
        found = Network(n.family, n.address, wanted)
        return found_bytes(found, keep_host=keep_host)

    return run


def found_bytes(network: Network, *, keep_host: bool) -> bytes:
    """The stored form, with the bits right of the mask or without them."""
    address = network.address if keep_host else network.address & network.mask
    return _made(network.family, address, network.bits)


def _same_family(a: bytes, b: bytes) -> bool:
    return a[0] == b[0]


def _merge(a: bytes, b: bytes) -> bytes:
    x, y = unpack_network(a), unpack_network(b)
    if x.family != y.family:
        raise InvalidParameterValueError("cannot merge addresses from different families")
    common = x.width - (x.address ^ y.address).bit_length()
    bits = min(x.bits, y.bits, common)
    mask = Network(x.family, 0, bits).mask
    return _made(x.family, x.address & mask, bits)


def _within(strict: bool) -> Callable[[bytes, bytes], bool]:
    """`<<` and `<<=`: whether the left one lies in the right one."""

    def run(a: bytes, b: bytes) -> bool:
        x, y = unpack_network(a), unpack_network(b)
        if x.family != y.family or (x.bits <= y.bits if strict else x.bits < y.bits):
            return False
        return (x.address ^ y.address) >> y.width - y.bits == 0

    return run


def _overlap(a: bytes, b: bytes) -> bool:
    x, y = unpack_network(a), unpack_network(b)
    bits = min(x.bits, y.bits)
    return x.family == y.family and (x.address ^ y.address) >> x.width - bits == 0


def _bitwise(symbol: str) -> Callable[[bytes, bytes], bytes]:
    def run(a: bytes, b: bytes) -> bytes:
        x, y = unpack_network(a), unpack_network(b)
        if x.family != y.family:
            word = "AND" if symbol == "&" else "OR"
            raise InvalidParameterValueError(f"cannot {word} inet values of different sizes")
        address = x.address & y.address if symbol == "&" else x.address | y.address
        return _made(x.family, address, max(x.bits, y.bits))

    return run


def _not(value: bytes) -> bytes:
    n = unpack_network(value)
    return _made(n.family, ~n.address & (1 << n.width) - 1, n.bits)


def _plus(value: bytes, more: int) -> bytes:
    n = unpack_network(value)
    address = n.address + more
    if not 0 <= address < 1 << n.width:
        raise NumericValueOutOfRangeError("result is out of range")
    return _made(n.family, address, n.bits)


def _difference(a: bytes, b: bytes) -> int:
    x, y = unpack_network(a), unpack_network(b)
    if x.family != y.family:
        raise InvalidParameterValueError("cannot subtract inet values of different sizes")
    result = x.address - y.address
    if not -(2**63) <= result < 2**63:
        raise NumericValueOutOfRangeError("result is out of range")
    return result


def _bytewise(operation: Callable[[int, int], int]) -> Callable[[bytes, bytes], bytes]:
    return lambda a, b: bytes([operation(x, y) for x, y in zip(a, b, strict=True)])


def _macaddr() -> list[Overload]:
    found: list[Overload] = []
    for t, zeros in ((MACADDR, 3), (MACADDR8, 5)):
        found += [
            operator("&", (t, t), t, _bytewise(lambda x, y: x & y)),
            operator("|", (t, t), t, _bytewise(lambda x, y: x | y)),
            operator("~", (t,), t, lambda a: bytes([~x & 0xFF for x in a])),
            function("trunc", (t,), t, lambda a, zeros=zeros: a[:3] + bytes(zeros)),
        ]
    return found


def _to_macaddr(value: bytes) -> bytes:
    if value[3:5] != b"\xff\xfe":
        raise NumericValueOutOfRangeError(
            "macaddr8 data out of range to convert to macaddr",
            hint="Only addresses that have FF and FE as values in the 4th and 5th bytes from the "
            "left, for example xx:xx:xx:ff:fe:xx:xx:xx, are eligible to be converted from "
            "macaddr8 to macaddr.",
        )
    return value[:3] + value[5:]


def _seven_bit(value: bytes) -> bytes:
    return bytes([value[0] | 0x02]) + value[1:]


_I = INET
_shown: Callable[..., Datum] = network_text

OVERLOADS: tuple[Overload, ...] = (
    cast(CIDR, INET, "i", same),
    cast(INET, CIDR, "a", _network),
    *(cast(source, to, "a", _shown) for source in (INET, CIDR) for to in (TEXT, VARCHAR, BPCHAR)),
    cast(MACADDR, MACADDR8, "i", lambda v: v[:3] + b"\xff\xfe" + v[3:]),
    cast(MACADDR8, MACADDR, "i", _to_macaddr),
    function("abbrev", (INET,), TEXT, _abbreviated_inet),
    function("abbrev", (CIDR,), TEXT, _abbreviated_cidr),
    function("broadcast", (_I,), _I, _broadcast),
    function("family", (_I,), INT4, _family),
    function("host", (_I,), TEXT, lambda v: address_text(unpack_network(v))),
    function("hostmask", (_I,), _I, _hostmask),
    function("masklen", (_I,), INT4, lambda v: unpack_network(v).bits),
    function("netmask", (_I,), _I, _netmask),
    function("network", (_I,), CIDR, _network),
    function("set_masklen", (INET, INT4), INET, _set_bits(keep_host=True)),
    function("set_masklen", (CIDR, INT4), CIDR, _set_bits(keep_host=False)),
    function("text", (_I,), TEXT, _shown),
    function("inet_same_family", (_I, _I), BOOL, _same_family),
    function("inet_merge", (_I, _I), CIDR, _merge),
    function("macaddr8_set7bit", (MACADDR8,), MACADDR8, _seven_bit),
    operator("<<", (_I, _I), BOOL, _within(strict=True)),
    operator("<<=", (_I, _I), BOOL, _within(strict=False)),
    operator(">>", (_I, _I), BOOL, lambda a, b: _within(strict=True)(b, a)),
    operator(">>=", (_I, _I), BOOL, lambda a, b: _within(strict=False)(b, a)),
    operator("&&", (_I, _I), BOOL, _overlap),
    operator("~", (_I,), _I, _not),
    operator("&", (_I, _I), _I, _bitwise("&")),
    operator("|", (_I, _I), _I, _bitwise("|")),
    operator("+", (_I, INT8), _I, _plus),
    operator("+", (INT8, _I), _I, lambda n, a: _plus(a, n)),
    operator("-", (_I, INT8), _I, lambda a, n: _plus(a, -n)),
    operator("-", (_I, _I), INT8, _difference),
    *_macaddr(),
)
