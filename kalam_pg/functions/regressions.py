"""Aggregates of pairs: corr, covar_pop, covar_samp and regr_*, as float8_regr_accum adds them up.

The first argument is Y, the second X; rows with a NULL in either do not count. The sums of squares
are those of Youngs and Cramer, in PostgreSQL's order of operations, so that the last bit agrees.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from catalog.types.registry import FLOAT8, INT8
from kalam_pg.functions.define import Datum, aggregate
from kalam_pg.functions.floats import overflow
from kalam_pg.functions.table import Overload

Group = list[tuple[Datum, ...]]


@dataclass(slots=True)
class Sums:
    """Of the rows so far: their number, the sums, and the sums of squared and crossed deviations."""

    count: float = 0
    x: float = 0.0
    xx: float = 0.0
    y: float = 0.0
    yy: float = 0.0
    xy: float = 0.0

    def add(self, y: float, x: float) -> None:
        """One more row. Raises 22003 when finite numbers overflow."""
        before = (self.x, self.y)
        self.count += 1
        self.x += x
        self.y += y
        if self.count == 1:
            if not math.isfinite(x):
                self.xx = self.xy = math.nan
            if not math.isfinite(y):
                self.yy = self.xy = math.nan
            return
        off_x = x * self.count - self.x
        off_y = y * self.count - self.y
        scale = 1.0 / (self.count * (self.count - 1))
        self.xx += off_x * off_x * scale
        self.yy += off_y * off_y * scale
        self.xy += off_x * off_y * scale
        if not any(map(math.isinf, (self.x, self.xx, self.y, self.yy, self.xy))):
            return
        x_was_finite = not (math.isinf(before[0]) or math.isinf(x))
        y_was_finite = not (math.isinf(before[1]) or math.isinf(y))
        if (
            ((math.isinf(self.x) or math.isinf(self.xx)) and x_was_finite)
            or ((math.isinf(self.y) or math.isinf(self.yy)) and y_was_finite)
            or (math.isinf(self.xy) and x_was_finite and y_was_finite)
        ):
            raise overflow()
        if math.isinf(self.xx):
            self.xx = math.nan
        if math.isinf(self.yy):
            self.yy = math.nan
        if math.isinf(self.xy):
            self.xy = math.nan


def _of_pairs(finish: Callable[[Sums], float | None], at_least: int = 1) -> Callable[..., Datum]:
    def run(rows: Group) -> float | None:
        sums = Sums()
        for y, x in rows:
            if y is not None and x is not None:
                sums.add(y, x)
        return None if sums.count < at_least else finish(sums)

    return run


def _corr(s: Sums) -> float | None:
    return None if s.xx == 0 or s.yy == 0 else s.xy / math.sqrt(s.xx * s.yy)


def _r2(s: Sums) -> float | None:
    if s.xx == 0:
        return None
    return 1.0 if s.yy == 0 else (s.xy * s.xy) / (s.xx * s.yy)


def _slope(s: Sums) -> float | None:
    return None if s.xx == 0 else s.xy / s.xx


def _intercept(s: Sums) -> float | None:
    return None if s.xx == 0 else (s.y - s.x * s.xy / s.xx) / s.count


def _count(rows: Group) -> int:
    return sum(y is not None and x is not None for y, x in rows)


_PAIR = (FLOAT8, FLOAT8)

OVERLOADS: tuple[Overload, ...] = (
    aggregate("regr_count", _PAIR, INT8, _count),
    aggregate("regr_sxx", _PAIR, FLOAT8, _of_pairs(lambda s: s.xx)),
    aggregate("regr_syy", _PAIR, FLOAT8, _of_pairs(lambda s: s.yy)),
    aggregate("regr_sxy", _PAIR, FLOAT8, _of_pairs(lambda s: s.xy)),
    aggregate("regr_avgx", _PAIR, FLOAT8, _of_pairs(lambda s: s.x / s.count)),
    aggregate("regr_avgy", _PAIR, FLOAT8, _of_pairs(lambda s: s.y / s.count)),
    aggregate("regr_r2", _PAIR, FLOAT8, _of_pairs(_r2)),
    aggregate("regr_slope", _PAIR, FLOAT8, _of_pairs(_slope)),
    aggregate("regr_intercept", _PAIR, FLOAT8, _of_pairs(_intercept)),
    aggregate("covar_pop", _PAIR, FLOAT8, _of_pairs(lambda s: s.xy / s.count)),
    aggregate("covar_samp", _PAIR, FLOAT8, _of_pairs(lambda s: s.xy / (s.count - 1), 2)),
    aggregate("corr", _PAIR, FLOAT8, _of_pairs(_corr)),
)
