"""Type modifiers: the numbers in `numeric(10,2)`, to typmods and back to text."""

from collections.abc import Sequence

from catalog.errors import InvalidParameterValueError, SqlSyntaxError
from catalog.types.bits import BIT, VARBIT
from catalog.types.boolean import BOOL
from catalog.types.datetime import PRECISION_MAX, TIME, TIMESTAMP, TIMESTAMPTZ
from catalog.types.float import FLOAT4, FLOAT8
from catalog.types.integer import INT2, INT4, INT8
from catalog.types.interval import INTERVAL
from catalog.types.interval_fields import interval_modifiers
from catalog.types.numeric import NUMERIC, numeric_typmod, precision_and_scale
from catalog.types.table import PgType
from catalog.types.text import BPCHAR, VARCHAR
from catalog.types.timetz import TIMETZ
from catalog.types.vector import VECTOR, vector_typmod

CHARACTERS_MAX = 10485760

_WORDS = {VARCHAR: "varchar", BPCHAR: "char"}
_TIMES = {TIME: "TIME", TIMETZ: "TIME", TIMESTAMP: "TIMESTAMP", TIMESTAMPTZ: "TIMESTAMP"}
_BITS = {BIT: "bit", VARBIT: "varbit"}
BITS_MAX = 83886080
_WITHOUT_LENGTH = {BPCHAR: "bpchar", BIT: '"bit"'}
"""How those are written of which the bare name in SQL means one of length 1."""
_PLAIN = frozenset((BOOL, INT2, INT4, INT8, FLOAT4, FLOAT8))
"""Those that PostgreSQL writes without a typmod, whatever it is told."""
_ZONED = {TIME: " without time zone", TIMESTAMP: " without time zone"}


def make_typmod(type_: PgType, modifiers: Sequence[int]) -> int:
    """Return the typmod of `type(modifiers…)`; -1 without modifiers. An array's is its element's.

    Raises:
        SqlSyntaxError: 42601, the type takes none.
        InvalidParameterValueError: 22023, too many, or out of range.
    """
    if type_.element is not None and type_.category == "A":
        return make_typmod(type_.element, modifiers)
    if not modifiers:
        return -1
    first = modifiers[0]
    if type_ is NUMERIC:
        if len(modifiers) > 2:
            raise InvalidParameterValueError("invalid NUMERIC type modifier")
        return numeric_typmod(first, *modifiers[1:])
    if type_ in _BITS:
        return _bits_typmod(_BITS[type_], modifiers)
    if type_ not in _WORDS and type_ not in _TIMES and type_ is not VECTOR:
        raise SqlSyntaxError(f'type modifier is not allowed for type "{type_.name}"')
    if len(modifiers) > 1:
        raise InvalidParameterValueError("invalid type modifier")
    if type_ in _WORDS:
        word = _WORDS[type_]
        if first < 1:
            raise InvalidParameterValueError(f"length for type {word} must be at least 1")
        if first > CHARACTERS_MAX:
            message = f"length for type {word} cannot exceed {CHARACTERS_MAX}"
            raise InvalidParameterValueError(message)
        return first + 4
    if type_ is VECTOR:
        return vector_typmod(first)
    if first < 0:
        zone = " WITH TIME ZONE" if type_ in (TIMESTAMPTZ, TIMETZ) else ""
        message = f"{_TIMES[type_]}({first}){zone} precision must not be negative"
        raise InvalidParameterValueError(message)
    return min(first, PRECISION_MAX)  # PostgreSQL warns and reduces it


def _bits_typmod(word: str, modifiers: Sequence[int]) -> int:
    if len(modifiers) > 1:
        raise InvalidParameterValueError("invalid type modifier")
    (length,) = modifiers
    if length < 1:
        raise InvalidParameterValueError(f"length for type {word} must be at least 1")
    if length > BITS_MAX:
        raise InvalidParameterValueError(f"length for type {word} cannot exceed {BITS_MAX}")
    return length


def format_type(type_: PgType, typmod: int = -1) -> str:
    """Return a type as SQL writes it: `character varying(10)`, `timestamp(3) without time zone`."""
    if type_.element is not None and type_.sql_name.endswith("[]"):
        return format_type(type_.element, typmod) + "[]"
    if typmod < 0:
        return _WITHOUT_LENGTH.get(type_, type_.sql_name)
    if type_ is NUMERIC and (parts := precision_and_scale(typmod)) is not None:
        return f"numeric({parts[0]},{parts[1]})"
    if type_ in _WORDS:
        return f"{type_.sql_name}({typmod - 4})" if typmod > 4 else type_.sql_name
    if type_ in _TIMES:
        first, _, rest = type_.sql_name.partition(" ")
        return f"{first}({typmod}) {rest}"
    if type_ is INTERVAL:
        return "interval" + interval_modifiers(typmod)
    return type_.sql_name if type_ in _PLAIN else f"{type_.sql_name}({typmod})"
