"""Functions that DataFusion calls: made from a `UdfSpec`, in whichever process runs the query.

A spec's key is a registry key, with `#typmod` where the overload takes one, or `~name:rest` for the
helpers below, which translated SQL needs beside PostgreSQL's own functions:

    ~key            order-preserving bytes of a value (`sortkey`)
    ~any:K ~all:K   arg operator ANY|ALL (array), K being the operator's key
    ~sub            array subscript
    ~max ~min       GREATEST, LEAST
    ~avg            sum and count to numeric's average
    ~agg:K ~aggd:K  an aggregate over the list of its (distinct) inputs
    ~fsum ~favg     check a sum of double precision for overflow, and divide it
    ~set:K ~seto:K  the rows of a set-returning function as a list (with their numbers)
    ~one            21000 when a scalar subquery gave more than one row
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from itertools import islice

import pyarrow as pa

from catalog.errors import CardinalityViolationError, FeatureNotSupportedError
from catalog.types.definitions import user_types_of
from catalog.types.table import PgType
from kalam_pg.functions import decimals
from kalam_pg.functions.by_column import BY_COLUMN
from kalam_pg.functions.comparison import comparer
from kalam_pg.functions.define import Datum
from kalam_pg.functions.floats import overflow
from kalam_pg.functions.lookup import by_key, cast
from kalam_pg.functions.sortkey import key_function
from kalam_pg.functions.strings import too_long
from kalam_pg.functions.table import EvalContext, Overload, Volatility
from kalam_pg.functions.udf import UdfSpec
from storage.arrow import to_array, to_values

SET_ROWS_MAX = 1_000_000
"""What one call of a set-returning function may give: its rows are a list in memory."""

Udf = Callable[..., Datum]
"""Arrow arrays of one length in, an array of that length out."""


def make_udf_callable(spec: UdfSpec, context: Mapping[str, Datum] | EvalContext) -> Udf:
    """The function that DataFusion calls for a spec.

    Args:
        spec: As `sql.to_datafusion` made it.
        context: An EvalContext, or its fields by name, as far as they cross process boundaries.

    Raises (from the function):
        KalamError: As the row implementation raises it.
    """
    surroundings = evaluation_context(context)
    types = spec.pg_types
    if spec.key.startswith("~"):
        name, _, rest = spec.key[1:].partition(":")
        if name in BY_COLUMN:
            return BY_COLUMN[name]
        strict = name not in _LENIENT
        by_values = _by_values(spec, _HELPERS[name](rest, types, surroundings), strict=strict)
        if name == "agg" and by_key(rest).arrow is not None:
            return _by_columns(by_key(rest), surroundings, by_values)
        return by_values
    key, typmod = split_key(spec.key)
    overload = _overload(spec, key)
    repeatable = overload.volatility is not Volatility.VOLATILE
    row = bound_row(overload, types, typmod, surroundings)
    if not overload.args and len(spec.arg_types) == 1:
        # A function without arguments is given a column for its length.
        return lambda lengths: to_array([row() for _ in range(len(lengths))], spec.result)
    by_values = _by_values(spec, row, strict=overload.strict, repeatable=repeatable)
    if overload.arrow is None:
        return by_values
    return _by_columns(overload, surroundings, by_values)


def make_udaf(spec: UdfSpec, context: Mapping[str, Datum]) -> Datum:
    """Aggregates need no accumulator: they come as `~agg` over array_agg's list."""
    del context
    raise FeatureNotSupportedError(f"aggregate {spec.key} has no accumulator")


def is_volatile(spec: UdfSpec) -> bool:
    """Whether two calls with the same arguments may differ."""
    if spec.key.startswith("~"):
        return spec.key == "~anew"
    return _overload(spec, split_key(spec.key)[0]).volatility is Volatility.VOLATILE


def _overload(spec: UdfSpec, key: str) -> Overload:
    """What a spec calls. The casts of types that people made are known by their types alone."""
    if key.startswith("c:") and user_types_of(spec.pg_result, *spec.pg_types):
        found = cast(spec.pg_types[0], spec.pg_result)
        assert found is not None, key
        return found
    return by_key(key)


def split_key(key: str) -> tuple[str, int]:
    """A spec's key as registry key and typmod (-1 for none)."""
    # Operators have '#' in their names, so the mark is what follows the argument list.
    head, found, typmod = key.rpartition(")#")
    return (f"{head})", int(typmod)) if found else (key, -1)


def evaluation_context(context: Mapping[str, Datum] | EvalContext) -> EvalContext:
    """An EvalContext of what is known by name; the rest has its defaults."""
    if isinstance(context, EvalContext):
        return context
    known = {f.name for f in fields(EvalContext)}
    return EvalContext(**{name: value for name, value in context.items() if name in known})


def bound_row(
    overload: Overload, types: tuple[PgType, ...], typmod: int, context: EvalContext
) -> Callable[..., Datum]:
    """The row implementation taking values only."""
    row = overload.row
    if row is None:
        raise FeatureNotSupportedError(f"{overload.name} is not supported here")
    before: list[Datum] = [context] if overload.needs_context else []
    if overload.needs_types:
        before.append(types)
    if overload.needs_typmod:
        return lambda *values: row(*before, *values, typmod)
    if before:
        return lambda *values: row(*before, *values)
    return row


def _by_columns(overload: Overload, context: EvalContext, otherwise: Udf) -> Udf:
    """The Arrow implementation, and the rows' where it gives None."""
    kernel = overload.arrow
    assert kernel is not None
    before = (context,) if overload.needs_context else ()

    def run(*arrays: Datum) -> Datum:
        result = kernel(*before, *arrays)
        return otherwise(*arrays) if result is None else result

    return run


def _by_values(
    spec: UdfSpec, row: Callable[..., Datum], *, strict: bool = True, repeatable: bool = True
) -> Udf:
    """Apply a row function element by element.

    repeatable: equal arguments give equal results, so that it is enough to ask once for each.
    """
    result = spec.result
    rows = (
        _one_argument(row)
        if strict and len(spec.arg_types) == 1
        else _arguments(row, strict=strict)
    )

    def run(*arrays: Datum) -> Datum:
        if repeatable and len(arrays[0]) >= _WORTH_A_LOOK:
            few = _distinct(arrays)
            if few is not None:
                places, columns = few
                return to_array(rows(columns), result).take(places)
        return to_array(rows([to_values(a) for a in arrays]), result)

    return run


def _one_argument(row: Callable[..., Datum]) -> Callable[[list[list[Datum]]], list[Datum]]:
    return lambda columns: [None if v is None else row(v) for v in columns[0]]


def _arguments(
    row: Callable[..., Datum], *, strict: bool
) -> Callable[[list[list[Datum]]], list[Datum]]:
    if strict:
        return lambda columns: [
            None if None in values else row(*values) for values in zip(*columns, strict=True)
        ]
    return lambda columns: [row(*values) for values in zip(*columns, strict=True)]


_WORTH_A_LOOK = 64
"""Rows from which on it pays to look for repeated arguments first."""


def _distinct(arrays: Sequence[Datum]) -> tuple[Datum, list[list[Datum]]] | None:
    """When one argument varies, and little: which distinct row each row is, and those rows.

    None when there is nothing to gain. Floats are left alone: 0 and -0 would become one.
    """
    varying = None
    constants: list[tuple[int, Datum]] = []
    for at, array in enumerate(arrays):
        if pa.types.is_nested(array.type) or pa.types.is_floating(array.type):
            return None
        encoded = array.dictionary_encode(null_encoding="encode")
        size = len(encoded.dictionary)
        if size == 1:
            constants.append((at, encoded))
        elif varying is not None or size * 2 > len(array):
            return None
        else:
            varying = at, encoded
    at, chosen = varying if varying is not None else constants[0]
    count = len(chosen.dictionary)
    columns: list[list[Datum]] = [[] for _ in arrays]
    for place, encoded in constants:
        columns[place] = to_values(encoded.dictionary) * count
    columns[at] = to_values(chosen.dictionary)
    return chosen.indices, columns


# ------------------------------------------------------------------ helpers
# Each takes what follows its name in the key, the argument types and the context.


def _key(_rest: str, types: tuple[PgType, ...], _context: EvalContext) -> Callable[..., Datum]:
    return key_function(types[0])


def _any_all(every: bool) -> Callable[..., Callable[..., Datum]]:
    def make(rest: str, types: tuple[PgType, ...], context: EvalContext) -> Callable[..., Datum]:
        element = types[1].element
        assert element is not None
        test = bound_row(by_key(rest), (types[0], element), -1, context)

        def run(value: Datum, items: Datum) -> bool | None:
            if items is None:
                return None
            unknown = False
            for item in items:
                if item is None or value is None:
                    unknown = True
                elif bool(test(value, item)) is not every:
                    return not every
            return None if unknown else every

        return run

    return make


def _subscript(
    _rest: str, _types: tuple[PgType, ...], _context: EvalContext
) -> Callable[..., Datum]:
    def run(items: Datum, *places: int) -> Datum:
        for place in places:
            if not isinstance(items, tuple) or not 1 <= place <= len(items):
                return None
            items = items[place - 1]
        return None if isinstance(items, tuple) else items

    return run


def _average(_rest: str, _types: tuple[PgType, ...], _context: EvalContext) -> Callable[..., Datum]:
    return lambda total, count: decimals.divide(total, str(count)) if count else None


def _float_sum(
    _rest: str, types: tuple[PgType, ...], _context: EvalContext
) -> Callable[..., Datum]:
    """A sum, given the largest magnitude among its terms: 22003 when finite terms overflowed."""
    del types

    def run(total: float, largest: float) -> float:
        if math.isinf(total) and not math.isinf(largest):
            raise overflow()
        return abs(total) if math.isnan(total) else total

    return run


def _float_average(
    rest: str, types: tuple[PgType, ...], context: EvalContext
) -> Callable[..., Datum]:
    check = _float_sum(rest, types, context)
    return lambda total, largest, count: check(total, largest) / count


def _one(_rest: str, _types: tuple[PgType, ...], _context: EvalContext) -> Callable[..., Datum]:
    def run(count: int) -> bool:
        if count > 1:
            raise CardinalityViolationError(
                "more than one row returned by a subquery used as an expression"
            )
        return True

    return run


def _aggregate(distinct: bool) -> Callable[..., Callable[..., Datum]]:
    def make(rest: str, types: tuple[PgType, ...], context: EvalContext) -> Callable[..., Datum]:
        run = bound_row(by_key(rest), types, -1, context)
        compare = comparer(types[0]) if types else None

        def over(items: Datum) -> Datum:
            if items is None:
                return run([])
            rows = [
                item if isinstance(item, tuple) and len(types) > 1 else (item,) for item in items
            ]
            if distinct and compare is not None:
                rows = distinct_rows(rows, compare)
            return run(rows)

        return over

    return make


def distinct_rows(
    rows: list[tuple[Datum, ...]], compare: Callable[[Datum, Datum], int]
) -> list[tuple[Datum, ...]]:
    """Rows whose first value is new; they arrive sorted by it, so equals are neighbours."""
    kept: list[tuple[Datum, ...]] = []
    for row in rows:
        if kept:
            last = kept[-1][0]
            if (row[0] is None) == (last is None) and (last is None or compare(last, row[0]) == 0):
                continue
        kept.append(row)
    return kept


def _extreme(sign: int) -> Callable[..., Callable[..., Datum]]:
    def make(_rest: str, types: tuple[PgType, ...], _context: EvalContext) -> Callable[..., Datum]:
        compare = comparer(types[0])

        def run(*values: Datum) -> Datum:
            best: Datum = None
            for value in values:
                if value is not None and (best is None or compare(value, best) * sign > 0):
                    best = value
            return best

        return run

    return make


def _null_if(_rest: str, types: tuple[PgType, ...], _context: EvalContext) -> Callable[..., Datum]:
    compare = comparer(types[0])

    def run(left: Datum, right: Datum) -> Datum:
        equal = left is not None and right is not None and compare(left, right) == 0
        return None if equal else left

    return run


def _set(ordinality: bool) -> Callable[..., Callable[..., Datum]]:
    def make(rest: str, types: tuple[PgType, ...], context: EvalContext) -> Callable[..., Datum]:
        overload = by_key(rest)
        row = bound_row(overload, types, -1, context)
        several = len(overload.out_names) > 1

        def run(*values: Datum) -> Datum:
            if overload.strict and None in values:
                return ()
            items = tuple(islice(row(*values), SET_ROWS_MAX + 1))
            if len(items) > SET_ROWS_MAX:
                raise too_long()
            if not ordinality:
                return items
            rows = items if several else [(item,) for item in items]
            return tuple([(*item, number) for number, item in enumerate(rows, 1)])

        return run

    return make


_HELPERS: dict[str, Callable[..., Callable[..., Datum]]] = {
    "key": _key,
    "any": _any_all(every=False),
    "all": _any_all(every=True),
    "sub": _subscript,
    "avg": _average,
    "fsum": _float_sum,
    "favg": _float_average,
    "one": _one,
    "agg": _aggregate(distinct=False),
    "aggd": _aggregate(distinct=True),
    "max": _extreme(1),
    "min": _extreme(-1),
    "nullif": _null_if,
    "set": _set(ordinality=False),
    "seto": _set(ordinality=True),
}
_LENIENT = frozenset({"any", "all", "max", "min", "nullif", "agg", "aggd", "set", "seto"})
