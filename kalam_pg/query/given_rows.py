"""Rows of an INSERT that are parameters and constants in their places: made all at once."""

from collections.abc import Callable, Sequence
from operator import itemgetter

from kalam_pg.query.rules import Closure
from kalam_pg.sql.closures import Constant, Parameter
from storage.layout import Row, Value

GivenRows = Callable[[Sequence[Row]], Sequence[Row]]
"""Rows of a table, of the parameters of each."""


def given_rows(builders: Sequence[Closure | None]) -> GivenRows | None:
    """What makes them; None: something of a row is computed. builders: of each column, None is NULL."""
    constants: list[Value] = [None]
    places: list[int] = []  # 0 is NULL, and below 0 is a parameter, the first being -1.
    for builder in builders:
        if builder is None:
            places.append(0)
        elif isinstance(builder, Parameter):
            places.append(-1 - builder.index)
        elif isinstance(builder, Constant):
            places.append(len(constants))
            constants.append(builder.value)
        else:
            return None
    before = tuple(constants)
    if places == list(range(-1, -1 - len(places), -1)):
        return lambda given: _as_they_are(given, len(places))
    count = len(before)
    picks = [count - 1 - place if place < 0 else place for place in places]
    if len(picks) == 1:
        only = picks[0]
        return lambda given: [((*before, *row)[only],) for row in given]
    pick = itemgetter(*picks)
    return lambda given: [pick((*before, *row)) for row in given]


def _as_they_are(given: Sequence[Row], width: int) -> Sequence[Row]:
    """Every parameter is a column's, unless there are some beside."""
    return given if len(given[0]) == width else [row[:width] for row in given]
