"""Rows as values: how two compare (record_eq, btrecordcmp), and one field of one."""

from collections.abc import Callable

from catalog.errors import DatatypeMismatchError, UndefinedFunctionError
from catalog.types.records import Record, record_of
from catalog.types.registry import ANY, BOOL, INT4, JSON, JSONPATH, RECORD, UNKNOWN
from kalam_pg.functions.comparison import SYMBOLS, comparer
from kalam_pg.functions.define import Datum, function, operator
from kalam_pg.functions.table import Overload

_UNORDERED = frozenset({UNKNOWN, JSON, JSONPATH})


def compare_rows(a: Record, b: Record, what: str = "a comparison function") -> int:
    """Field by field; a NULL equals another and is above everything.

    Raises:
        DatatypeMismatchError: 42804, fields of other types, or another number of them.
        UndefinedFunctionError: 42883, a field's values do not compare (json).
    """
    both = zip(a, b, a.shape.types, b.shape.types, strict=False)
    for number, (x, y, kind, other) in enumerate(both, 1):
        if kind is not other:
            raise DatatypeMismatchError(
                f"cannot compare dissimilar column types {kind.sql_name} and {other.sql_name} "
                f"at record column {number}"
            )
        if kind in _UNORDERED:
            raise UndefinedFunctionError(f"could not identify {what} for type {kind.sql_name}")
        if x is None or y is None:
            order = int(x is None) - int(y is None)
        elif kind is RECORD:
            order = compare_rows(record_of(x), record_of(y), what)
        else:
            order = comparer(kind)(x, y)
        if order:
            return order
    if len(a) != len(b):
        raise DatatypeMismatchError("cannot compare record types with different numbers of columns")
    return 0


def _test(symbol: str, test: Callable[[Datum, Datum], bool]) -> Callable[[Record, Record], bool]:
    what = "an equality operator" if symbol in {"=", "<>"} else "a comparison function"
    return lambda a, b: test(compare_rows(a, b, what), 0)


def _field(row: Record, at: int) -> Datum:
    return row[at]


FIELD = function("~field", (RECORD, INT4), ANY, _field)
"""A field by its place, from 0; the call says its type."""

OVERLOADS: tuple[Overload, ...] = (
    *(operator(symbol, (RECORD, RECORD), BOOL, _test(symbol, test)) for symbol, test in SYMBOLS),
    FIELD,
)
