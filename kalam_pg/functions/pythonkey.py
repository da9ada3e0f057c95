"""What Python can hash, compare and sort in place of stored values, so that it finds what SQL finds."""

from collections.abc import Callable

from catalog.types.registry import RECORD
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
    plain = comparer(pg_type) is three_way and not pg_type.is_vector and pg_type is not RECORD
    return None if plain else key
