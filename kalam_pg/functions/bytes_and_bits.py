"""Bits of bytea, and the functions of text that bytea has too."""

from collections.abc import Callable

from catalog.errors import ArraySubscriptError, InvalidParameterValueError
from catalog.types.registry import BYTEA, INT4, INT8, NAME
from kalam_pg.functions.define import function
from kalam_pg.functions.encodings import convert
from kalam_pg.functions.strings import overlay
from kalam_pg.functions.table import Overload


def _check(data: bytes, index: int) -> None:
    if not 0 <= index < len(data) * 8:
        raise ArraySubscriptError(f"index {index} out of valid range, 0..{len(data) * 8 - 1}")


def _get_bit(data: bytes, index: int) -> int:
    _check(data, index)
    return data[index // 8] >> index % 8 & 1


def _set_bit(data: bytes, index: int, bit: int) -> bytes:
    _check(data, index)
    if bit not in (0, 1):
        raise InvalidParameterValueError("new bit must be 0 or 1")
    place = index // 8
    byte = data[place] & ~(1 << index % 8) | bit << index % 8
    return data[:place] + bytes([byte]) + data[place + 1 :]


def _trim(strip: Callable[[bytes, bytes], bytes]) -> Callable[[bytes, bytes], bytes]:
    return lambda data, characters: strip(data, characters) if characters else data


_B = BYTEA

OVERLOADS: tuple[Overload, ...] = (
    function("get_bit", (_B, INT8), INT4, _get_bit),
    function("set_bit", (_B, INT8, INT4), _B, _set_bit),
    function("bit_count", (_B,), INT8, lambda data: sum(byte.bit_count() for byte in data)),
    function("ltrim", (_B, _B), _B, _trim(bytes.lstrip)),
    function("rtrim", (_B, _B), _B, _trim(bytes.rstrip)),
    function("overlay", (_B, _B, INT4), _B, overlay),
    function("overlay", (_B, _B, INT4, INT4), _B, overlay),
    function("convert", (_B, NAME, NAME), _B, convert),
)
