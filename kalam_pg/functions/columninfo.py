"""information_schema's own functions: what a column's type and typmod say of its lengths and digits."""

import re

from catalog.types.registry import INT2, INT4, INTERVAL, OID, TEXT, format_type
from kalam_pg.functions.define import function, stable
from kalam_pg.functions.services import asked
from kalam_pg.functions.table import Overload

_BITS = (1560, 1562)
_CHARACTERS = (1042, 1043)
_TEXTS = (25, *_CHARACTERS)
_INTEGERS = {21: 16, 23: 32, 20: 64}
_FLOATS = {700: 24, 701: 53}
_NUMERIC = 1700
_DATE, _INTERVAL = 1082, 1186
_TIMES = (1083, 1114, 1184, 1266)

_HEADER = 4
"""What the typmods of varchar and numeric have beside what they say."""

_CHARACTER_BYTES_MAX = 4
"""Of UTF-8."""

_ANY_LENGTH = 1 << 30
_MICROSECONDS = 6
_ANY_PRECISION = 0xFFFF


def _length(of: int, typmod: int) -> int | None:
    if typmod == -1:
        return None
    if of in _CHARACTERS:
        return typmod - _HEADER
    return typmod if of in _BITS else None


def _octets(of: int, typmod: int) -> int | None:
    if of not in _TEXTS:
        return None
    if typmod == -1:
        return _ANY_LENGTH
    length = _length(of, typmod)
    return None if length is None else length * _CHARACTER_BYTES_MAX


def _precision(of: int, typmod: int) -> int | None:
    if of == _NUMERIC:
        return None if typmod == -1 else ((typmod - _HEADER) >> 16) & 0xFFFF
    return _INTEGERS.get(of) or _FLOATS.get(of)


def _radix(of: int, _typmod: int) -> int | None:
    if of == _NUMERIC:
        return 10
    return 2 if of in _INTEGERS or of in _FLOATS else None


def _scale(of: int, typmod: int) -> int | None:
    if of == _NUMERIC:
        return None if typmod == -1 else (typmod - _HEADER) & 0xFFFF
    return 0 if of in _INTEGERS else None


def _seconds(of: int, typmod: int) -> int | None:
    if of == _DATE:
        return 0
    if of in _TIMES:
        return _MICROSECONDS if typmod < 0 else typmod
    if of == _INTERVAL:
        precision = typmod & 0xFFFF
        return _MICROSECONDS if typmod < 0 or precision == _ANY_PRECISION else precision
    return None


def _fields(of: int, typmod: int) -> str | None:
    if of != _INTERVAL:
        return None
    found = re.fullmatch(r"interval[()0-9]* (.*)", format_type(INTERVAL, typmod))
    return None if found is None else found[1].upper()


OVERLOADS: tuple[Overload, ...] = (
    function("_pg_char_max_length", (OID, INT4), INT4, _length),
    function("_pg_char_octet_length", (OID, INT4), INT4, _octets),
    function("_pg_numeric_precision", (OID, INT4), INT4, _precision),
    function("_pg_numeric_precision_radix", (OID, INT4), INT4, _radix),
    function("_pg_numeric_scale", (OID, INT4), INT4, _scale),
    function("_pg_datetime_precision", (OID, INT4), INT4, _seconds),
    function("_pg_interval_type", (OID, INT4), TEXT, _fields),
    stable("_pg_index_position", (OID, INT2), INT4, asked("_pg_index_position"), server_only=True),
)
