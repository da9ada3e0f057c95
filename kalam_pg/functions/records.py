"""Rows as values: how two compare (record_eq, btrecordcmp), one field of one, and whether it is NULL.

Those that no SQL text can call have names that begin with `~`.
"""

from collections.abc import Callable

from catalog.errors import DatatypeMismatchError
from catalog.types.composite import pack, require_composite, unpack
from catalog.types.records import Record
from catalog.types.registry import ANY, ANYELEMENT, BOOL, INT4, RECORD
from catalog.types.table import PgType
from kalam_pg.functions.comparison import SYMBOLS, compare_rows, composite_comparer
from kalam_pg.functions.define import Datum, function, operator
from kalam_pg.functions.table import Overload


def _what(symbol: str) -> str:
    """What a field's type lacks if its values do not compare."""
    return "an equality operator" if symbol in {"=", "<>"} else "a comparison function"


def _test(symbol: str, test: Callable[[Datum, Datum], bool]) -> Callable[[Record, Record], bool]:
    what = _what(symbol)
    return lambda a, b: test(compare_rows(a, b, what), 0)


def _test_of_type(symbol: str, test: Callable[[Datum, Datum], bool]) -> Callable[..., bool]:
    what = _what(symbol)
    return lambda types, a, b: test(composite_comparer(types[0], what)(a, b), 0)


OF_COMPOSITES = {
    symbol: operator(symbol, (ANY, ANY), BOOL, _test_of_type(symbol, test), needs_types=True)
    for symbol, test in SYMBOLS
}
"""Comparisons of two values of one composite type, by symbol; `sql.overloads` chooses them."""


def _field(row: Record, at: int) -> Datum:
    return row[at]


FIELD = function("~field", (RECORD, INT4), ANY, _field)
"""A field of a record by its place, from 0; the call says its type."""


def _attribute(types: tuple[PgType, ...], row: bytes, at: int) -> Datum:
    return unpack(require_composite(types[0]), row)[at]


ATTRIBUTE = function("~attribute", (ANY, INT4), ANY, _attribute, needs_types=True)
"""A field of a composite type's value by its place, from 0; the call says its type."""


def _with_attribute(types: tuple[PgType, ...], row: bytes | None, at: int, value: Datum) -> bytes:
    definition = require_composite(types[0])
    count = len(definition.attributes)
    fields = (None,) * count if row is None else unpack(definition, row)
    return pack(definition, (*fields[:at], value, *fields[at + 1 :]))


WITH_ATTRIBUTE = function(
    "~with attribute", (ANYELEMENT, INT4, ANY), ANYELEMENT, _with_attribute,
    strict=False, needs_types=True,
)  # fmt: skip
"""A composite type's value with another field at a place; NULL has been a row of NULLs."""


def _defined(
    types: tuple[PgType, ...], row: Record | None, at: int, count: int, _kind: Datum
) -> Datum:
    """A field of a record that a column definition list describes, by its place from 0."""
    if row is None:
        return None
    if len(row) != count:
        many = f"{len(row)} attribute{'' if len(row) == 1 else 's'}"
        detail = f"Returned row contains {many}, but query expects {count}."
    elif row.shape.types[at] is not types[3]:
        detail = (
            f"Returned type {row.shape.types[at].sql_name} at ordinal position {at + 1}, but query "
            f"expects {types[3].sql_name}."
        )
    else:
        return row[at]
    raise DatatypeMismatchError(
        "function return row and query-specified return row do not match", detail=detail
    )


DEFINED = function(
    "~defined", (RECORD, INT4, INT4, ANYELEMENT), ANYELEMENT, _defined, strict=False, needs_types=True,
)  # fmt: skip
"""`f(…) AS t(a int)`: a field of what a function returns as record. Of how many, and a NULL of its type."""


def _null_test(*, wanted: bool) -> Callable[[tuple[PgType, ...], bytes | None], bool]:
    def run(types: tuple[PgType, ...], row: bytes | None) -> bool:
        if row is None:
            return wanted
        fields = unpack(require_composite(types[0]), row)
        return all((field is None) is wanted for field in fields)

    return run


ALL_NULL, NONE_NULL = (
    function(name, (ANY,), BOOL, _null_test(wanted=wanted), strict=False, needs_types=True)
    for name, wanted in (("~all null", True), ("~none null", False))
)
"""IS NULL and IS NOT NULL of a composite type's value: it, or every field, is (not) NULL."""


OVERLOADS: tuple[Overload, ...] = (
    *(operator(symbol, (RECORD, RECORD), BOOL, _test(symbol, test)) for symbol, test in SYMBOLS),
    FIELD,
    ATTRIBUTE,
    WITH_ATTRIBUTE,
    DEFINED,
    ALL_NULL,
    NONE_NULL,
)
