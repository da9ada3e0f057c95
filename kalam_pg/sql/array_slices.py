"""Slices of arrays as closures: `a[2:3]`, `a[:2][1:]`."""

from collections.abc import Sequence

from catalog.types.bounded import BoundedArray
from kalam_pg.functions.define import Datum
from kalam_pg.functions.table import EvalContext
from kalam_pg.sql.closures import Run
from storage.layout import Row

Edges = tuple[int | None, int | None]

Bounds = tuple[Run | None, Run | None]
"""Where a dimension's slice begins and ends; None: where the dimension does."""


def array_slice(array: Run, bounds: Sequence[Bounds]) -> Run:
    """The slice; NULL of a NULL array or bound, empty where nothing lies within."""

    def run(row: Row, context: EvalContext) -> Datum:
        value = array(row, context)
        if value is None:
            return None
        edges: list[Edges] = []
        for dimension in bounds:
            found = [None if edge is None else edge(row, context) for edge in dimension]
            if any(f is None and e is not None for f, e in zip(found, dimension, strict=True)):
                return None
            edges.append((found[0], found[1]))
        if value.__class__ is BoundedArray:
            edges = _from_one(edges, value.lower)
            value = value.items
        return _sliced(value, edges)

    return run


def _from_one(edges: Sequence[Edges], lower: Sequence[int]) -> list[Edges]:
    """Edges of an array as they would be if it began at 1."""
    firsts = [*lower, *[1] * (len(edges) - len(lower))]
    return [
        (None if a is None else a - first + 1, None if b is None else b - first + 1)
        for (a, b), first in zip(edges, firsts, strict=False)
    ]


def _sliced(value: Datum, edges: Sequence[Edges]) -> Datum:
    if not edges:
        return value
    if not isinstance(value, tuple):
        return ()  # More subscripts than the array has dimensions.
    lower, upper = edges[0]
    start = 0 if lower is None else max(lower, 1) - 1
    end = len(value) if upper is None else min(upper, len(value))
    items = tuple([_sliced(item, edges[1:]) for item in value[start : max(start, end)]])
    return () if any(item == () for item in items) else items
