"""What Python can hash, compare and sort in place of stored values, so that it finds what SQL finds."""

from collections.abc import Callable

from catalog.types.registry import FLOAT4, FLOAT8, RECORD
from catalog.types.table import PgType
from kalam_pg.functions.comparison import comparer, three_way
from kalam_pg.functions.define import Datum
from kalam_pg.functions.sortkey import key_function


def python_key(pg_type: PgType) -> Callable[[Datum], Datum] | None:
    """From a stored value (not None) to what stands for it; None: the value itself does.

    Equal values (-0 and 0, 1.0 and 1.00, a NaN and another) have equal keys, which sort as the values do.

    Raises:
        UndefinedFunctionError: Values of this type do not compare (json).
    """
    key = key_function(pg_type)
    if pg_type in _FLOATS:
        return _of_float
    plain = comparer(pg_type) is three_way and not pg_type.is_vector and pg_type is not RECORD
    return None if plain else key


_FLOATS = frozenset({FLOAT4, FLOAT8})


class _NotANumber:
    """What stands for every NaN: equal to itself, above all numbers."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return other is not self

    def __le__(self, other: object) -> bool:
        return other is self

    def __ge__(self, other: object) -> bool:
        return True


_NAN = _NotANumber()


def _of_float(value: Datum) -> Datum:
    return value if value == value else _NAN  # noqa: PLR0124 -- only NaN differs from itself


FLOAT_KEY = _of_float
"""The key of floating point, which is the value itself but for NaN."""
