"""Hypothetical-set aggregates: the place that a row would have among those of a group.

`sql.bind_hypothetical` gives each row of the group as two flags and the values it is sorted by: whether
it comes before the hypothetical row, and whether it comes before or ties with it.
"""

from collections.abc import Callable

from catalog.types.registry import ANY, FLOAT8, INT8, RECORD
from kalam_pg.functions.define import Datum, aggregate
from kalam_pg.functions.pythonkey import python_key
from kalam_pg.functions.table import Overload

Group = list[tuple[Datum, ...]]


def _rank(rows: Group) -> int:
    return 1 + sum([bool(row[-3]) for row in rows])


def _dense_rank(rows: Group) -> int:
    key = python_key(RECORD)
    assert key is not None
    return 1 + len({key(row[-1]) for row in rows if row[-3]})


def _percent_rank(rows: Group) -> float:
    return (_rank(rows) - 1) / len(rows) if rows else 0.0


def _cume_dist(rows: Group) -> float:
    return (1 + sum([bool(row[-2]) for row in rows])) / (1 + len(rows))


def _hypothetical(name: str, result: Datum, row: Callable[[Group], Datum]) -> Overload:
    return aggregate(f"{name} within group", (ANY,), result, row, variadic=True)


OVERLOADS: tuple[Overload, ...] = (
    _hypothetical("rank", INT8, _rank),
    _hypothetical("dense_rank", INT8, _dense_rank),
    _hypothetical("percent_rank", FLOAT8, _percent_rank),
    _hypothetical("cume_dist", FLOAT8, _cume_dist),
)
