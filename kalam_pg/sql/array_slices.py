"""Slices of arrays as closures: `a[2:3]`, `a[:2][1:]`."""

from collections.abc import Sequence

from kalam_pg.functions.define import Datum
from kalam_pg.functions.table import EvalContext
from kalam_pg.sql.closures import Run
from storage.layout import Row

Bounds = tuple[Run | None, Run | None]
"""Where a dimension's slice begins and ends; None: where the dimension does."""


def array_slice(array: Run, bounds: Sequence[Bounds]) -> Run:
    """The slice; NULL of a NULL array or bound, empty where nothing lies within."""

    def run(row: Row, context: EvalContext) -> Datum:
        value = array(row, context)
        if value is None:
            return None
        edges: list[tuple[int | None, int | None]] = []
        for dimension in bounds:
            found = [None if edge is None else edge(row, context) for edge in dimension]
            if any(f is None and e is not None for f, e in zip(found, dimension, strict=True)):
                return None
            edges.append((found[0], found[1]))
        return _sliced(value, edges)

    return run


def _sliced(value: Datum, edges: Sequence[tuple[int | None, int | None]]) -> Datum:
    if not edges:
        return value
    if not isinstance(value, tuple):
        return ()  # More subscripts than the array has dimensions.
    lower, upper = edges[0]
    start = 0 if lower is None else max(lower, 1) - 1
    end = len(value) if upper is None else min(upper, len(value))
    items = tuple([_sliced(item, edges[1:]) for item in value[start : max(start, end)]])
    return () if any(item == () for item in items) else items
