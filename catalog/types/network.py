"""inet and cidr.

Stored as bytes that sort as PostgreSQL's network_cmp does: the family (1 or 2); the bits of the network,
two to a bit of it (01 for 0, 10 for 1) and 00 behind the last, filled with zeros to a whole number of
bytes for the family's longest; the whole address. So a prefix sorts before what lies within it, and bytes
equal exactly when values do.
"""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import cast

import pyarrow as pa

from catalog.errors import InvalidTextRepresentationError
from catalog.types.common import bad_binary, bad_text, fixed
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_SIZES = {1: 4, 2: 16}
_CLASSES = ((240, 32), (224, 8), (192, 24), (128, 16), (0, 8))
"""What a short cidr's first number is at least, and the bits of its network then."""
_WIRE_FAMILIES = {2: 1, 3: 2}


@dataclass(frozen=True, slots=True)
class Network:
    """An address and how many of its bits are the network's. family: 1 is IPv4, 2 is IPv6."""

    family: int
    address: int
    bits: int

    @property
    def width(self) -> int:
        """Bits of an address."""
        return _SIZES[self.family] * 8

    @property
    def mask(self) -> int:
        """The netmask as a number."""
        return (1 << self.width) - (1 << self.width - self.bits)


def pack_network(network: Network) -> bytes:
    """Return the stored form."""
    width = network.width
    prefix = network.address >> width - network.bits
    pairs = ["10" if prefix >> place & 1 else "01" for place in range(network.bits - 1, -1, -1)]
    doubled = int("".join(pairs) or "0", 2)
    room = -(-(width + 1) * 2 // 8) * 8
    code = doubled << room - network.bits * 2
    size = _SIZES[network.family]
    return bytes((network.family,)) + code.to_bytes(room // 8) + network.address.to_bytes(size)


@lru_cache(maxsize=4096)
def unpack_network(value: bytes) -> Network:
    """Return what a stored form stands for."""
    family = value[0]
    size = _SIZES[family]
    code = value[1:-size]
    # Each bit of the network has one bit set in its pair.
    bits = int.from_bytes(code).bit_count()
    return Network(family, int.from_bytes(value[-size:]), bits)


def parse_inet(text: str, _typmod: int = -1, _context: TypeContext | None = None) -> bytes:
    """Return the stored form of an address, /bits or not. Raises 22P02."""
    return pack_network(_read(text, "inet", text))


def parse_cidr(text: str, _typmod: int = -1, _context: TypeContext | None = None) -> bytes:
    """Return the stored form of a network. Raises 22P02."""
    network = _read(text, "cidr", text)
    if network.address & ~network.mask & (1 << network.width) - 1:
        raise InvalidTextRepresentationError(
            f'invalid cidr value: "{text}"', detail="Value has bits set to right of mask."
        )
    return pack_network(network)


def _read(text: str, name: str, whole: str) -> Network:
    head, slash, tail = text.partition("/")
    if slash and not (tail.isascii() and tail.isdigit() and len(tail) <= 3):
        raise bad_text(name, whole)
    if ":" in head:
        try:
            address = int(IPv6Address(head))
        except (AddressValueError, ValueError):
            raise bad_text(name, whole) from None
        if "%" in head:
            raise bad_text(name, whole)
        family, bits = 2, int(tail) if slash else 128
    else:
        octets = head.split(".")
        # Fewer than four numbers do for a cidr, and where the bits say how many count.
        short = len(octets) < 4 and (name == "cidr" or (slash and int(tail) // 8 <= len(octets)))
        good = all(o.isascii() and o.isdigit() and len(o) <= 3 and int(o) < 256 for o in octets)
        if not good or (len(octets) != 4 and not short):
            raise bad_text(name, whole)
        family, bits = 1, int(tail) if slash else _usual_bits(octets, name)
        address = int.from_bytes(bytes([*map(int, octets), 0, 0, 0][:4]))
    if bits > _SIZES[family] * 8:
        raise bad_text(name, whole)
    return Network(family, address, bits)


def _usual_bits(octets: list[str], name: str) -> int:
    """The bits of an address without any: all, or of a short cidr by its class (net_pton)."""
    if name == "inet" or len(octets) == 4:
        return 32
    first = int(octets[0])
    by_class = next(bits for least, bits in _CLASSES if first >= least)
    return max(by_class, len(octets) * 8)


def address_text(network: Network) -> str:
    """Return an address without its bits."""
    if network.family == 1:
        return ".".join(map(str, network.address.to_bytes(4)))
    address = network.address
    if address >> 32 == 0xFFFF or (address >> 32 == 0 and address > 1):
        # As inet_ntop writes addresses that hold one of IPv4.
        tail = ".".join(map(str, (address & 0xFFFFFFFF).to_bytes(4)))
        if address >> 32:
            return f"::ffff:{tail}"
        if address >> 16:
            return f"::{tail}"
    return IPv6Address(address).compressed


def _inet_output(value: Value, _context: TypeContext) -> str:
    network = unpack_network(cast("bytes", value))
    text = address_text(network)
    return text if network.bits == network.width else f"{text}/{network.bits}"


def network_text(value: Value) -> str:
    """Return the address and always its bits: what cidr prints, and text(inet)."""
    network = unpack_network(cast("bytes", value))
    return f"{address_text(network)}/{network.bits}"


def _receive(data: bytes, typmod: int) -> bytes:
    del typmod
    if len(data) < 4 or data[0] not in _WIRE_FAMILIES:
        raise bad_binary('invalid address family in external "inet" value')
    family = _WIRE_FAMILIES[data[0]]
    size = _SIZES[family]
    if data[1] > size * 8:
        raise bad_binary('invalid bits in external "inet" value')
    if data[3] != size or len(data) != 4 + size:
        raise bad_binary('invalid length in external "inet" value')
    return pack_network(Network(family, int.from_bytes(data[4:]), data[1]))


def _receive_cidr(data: bytes, typmod: int) -> bytes:
    value = _receive(data, typmod)
    network = unpack_network(value)
    if network.address & ~network.mask:
        raise bad_binary('invalid external "cidr" value')
    return value


def _sent(value: Value, is_cidr: int) -> bytes:
    network = unpack_network(cast("bytes", value))
    size = _SIZES[network.family]
    head = bytes((network.family + 1, network.bits, is_cidr, size))
    return head + network.address.to_bytes(size)


INET = PgType(
    oid=869,
    name="inet",
    sql_name="inet",
    length=-1,
    category="I",
    preferred=True,
    array_oid=1041,
    key_kind="bytes",
    arrow=fixed(pa.binary()),
    input=parse_inet,
    output=_inet_output,
    receive=_receive,
    send=lambda value: _sent(value, 0),
)
CIDR = PgType(
    oid=650,
    name="cidr",
    sql_name="cidr",
    length=-1,
    category="I",
    preferred=False,
    array_oid=651,
    key_kind="bytes",
    arrow=fixed(pa.binary()),
    input=parse_cidr,
    output=lambda value, _context: network_text(value),
    receive=_receive_cidr,
    send=lambda value: _sent(value, 1),
)
