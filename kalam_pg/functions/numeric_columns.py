"""Whole columns of numerics, which are texts: added up, compared and searched as decimals of 256 bits.

A numeric without a declared precision may have any number of digits, and each its own number of places. As
long as all of a column fit into 76 digits with the places of the one that has most, Arrow reckons with them
exactly, some twenty times as fast as value by value. What does not fit, NaN and the infinities, is left to
the rows' implementation (None).
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from kalam_pg.functions import decimals
from kalam_pg.functions.define import Datum

_DIGITS = 76
"""What a decimal of 256 bits holds."""

_PER_LIST = 16
"""Values in a list, on average, from which on it pays to look at all lists together."""


@dataclass(frozen=True, slots=True)
class _Column:
    """values: as decimals of so many places (`scale`). scales: how many each has itself."""

    values: pa.Array
    scales: pa.Array
    scale: int


def _scales(texts: pa.Array) -> pa.Array:
    points = pc.find_substring(texts, ".")
    behind = pc.subtract(pc.subtract(pc.binary_length(texts), points), 1)
    return pc.if_else(pc.less(points, 0), pa.scalar(0, pa.int32()), behind)


def _read(texts: pa.Array, scales: pa.Array, scale: int, terms: int) -> pa.Array | None:
    """The values, of which `terms` may be added up; None: there is not room for all of them."""
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest + scale + len(str(terms)) > _DIGITS:
        return None
    try:
        return texts.cast(pa.decimal256(_DIGITS, scale))
    except pa.ArrowInvalid:
        return None  # NaN, or an infinity.


def _column(texts: pa.Array, terms: int = 1) -> _Column | None:
    scales = _scales(texts)
    scale = pc.max(scales).as_py() or 0
    values = _read(texts, scales, scale, terms)
    return None if values is None else _Column(values, scales, scale)


# ------------------------------------------------------------------ arithmetic

_PLAIN_SCALE = 6
"""With more places Arrow writes small values with an exponent."""


def arithmetic(kernel: str) -> Callable[[Datum, Datum], Datum | None]:
    """Two columns added up, subtracted or multiplied ("add" …), exactly, with PostgreSQL's places."""
    compute = getattr(pc, kernel)

    def run(left: Datum, right: Datum) -> Datum | None:
        mine, theirs = _scales(left), _scales(right)
        a, b = _exact(left, mine), _exact(right, theirs)
        if a is None or b is None:
            return None
        needed = a.type.precision + b.type.precision + 1
        if needed > _DIGITS:
            return None
        made = compute(a, b)
        places = pc.add(mine, theirs) if kernel == "multiply" else _greater(mine, theirs)
        return _written(made, places)

    return run


def _greater(left: pa.Array, right: pa.Array) -> pa.Array:
    return pc.max_element_wise(left, right, skip_nulls=False)


def _exact(texts: pa.Array, scales: pa.Array) -> pa.Array | None:
    """The values, in a type that is no wider than they ask for."""
    scale = pc.max(scales).as_py() or 0
    precision = max(1, (pc.max(pc.binary_length(texts)).as_py() or 0) + scale)
    if precision > _DIGITS:
        return None
    try:
        return texts.cast(pa.decimal256(precision, scale))
    except pa.ArrowInvalid:
        return None  # NaN, or an infinity.


def _written(values: pa.Array, places: pa.Array) -> pa.Array:
    """The texts of decimals that have zeros, or nothing, behind so many places each."""
    scale = values.type.scale
    if scale > _PLAIN_SCALE:
        texts = [
            None if value is None else format(value, "f")[: _cut(scale, own) or None]
            for value, own in zip(values.to_pylist(), places.to_pylist(), strict=True)
        ]
        return pa.array(texts, pa.string())
    whole = values.cast(pa.string())
    found = whole
    for own in places.unique().to_pylist():
        if own is not None and own != scale:
            short = pc.utf8_slice_codeunits(whole, 0, _cut(scale, own))
            found = pc.if_else(pc.equal(places, own), short, found)
    return found


def _cut(scale: int, places: int) -> int:
    """Where a text of `scale` places is cut to have fewer, and no point without any; 0: nowhere."""
    return places - scale - (1 if scale and not places else 0)


def floats(texts: Datum) -> Datum | None:
    """Numerics as double precision."""
    if (pc.max(pc.binary_length(texts)).as_py() or 0) > _FLOAT_DIGITS:
        return None
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None


_FLOAT_DIGITS = 300
"""What has no more digits is no larger than a double may be."""


# ------------------------------------------------------------------ comparison


def comparison(kernel: str) -> Callable[[Datum, Datum], Datum | None]:
    """A comparison ("equal", "less" …) of two columns."""
    compute = getattr(pc, kernel)

    def run(left: Datum, right: Datum) -> Datum | None:
        scales = _scales(left), _scales(right)
        scale = max(pc.max(one).as_py() or 0 for one in scales)
        a, b = _read(left, scales[0], scale, 1), _read(right, scales[1], scale, 1)
        return None if a is None or b is None else compute(a, b)

    return run


# ------------------------------------------------------------------ aggregates


@dataclass(frozen=True, slots=True)
class _Lists:
    """Lists of numerics. of: to which list each value belongs. count: how many lists there are."""

    column: _Column
    of: pa.Array
    count: int

    def table(self) -> pa.Table:
        """Values that are not NULL, with their places and their lists."""
        columns = {"of": self.of, "value": self.column.values, "scale": self.column.scales}
        return pa.table(columns).filter(self.column.values.is_valid())


def _lists(lists: pa.ListArray) -> _Lists | None:
    texts = lists.flatten()
    if len(texts) < _PER_LIST * len(lists):
        return None
    column = _column(texts, len(texts))
    return None if column is None else _Lists(column, pc.list_parent_indices(lists), len(lists))


def _sums(lists: pa.ListArray) -> tuple[list[str | None], list[int]] | None:
    """The sum of each list, NULL for one without values, and how many values it has."""
    found = _lists(lists)
    if found is None:
        return None
    sums: list[str | None] = [None] * found.count
    counts = [0] * found.count
    groups = found.table().group_by("of", use_threads=False)
    made = groups.aggregate([("value", "sum"), ("value", "count"), ("scale", "max")])
    for at, total, count, scale in zip(
        *(
            made.column(name).to_pylist()
            for name in ("of", "value_sum", "value_count", "scale_max")
        ),
        strict=True,
    ):
        sums[at] = decimals.to_text(decimals.round_to(total, scale))
        counts[at] = count
    return sums, counts


def sum_lists(lists: Datum) -> Datum | None:
    """sum(numeric) of each list."""
    found = _sums(lists)
    return None if found is None else pa.array(found[0], pa.string())


def average_lists(lists: Datum) -> Datum | None:
    """avg(numeric) of each list."""
    found = _sums(lists)
    if found is None:
        return None
    averages = [
        None if total is None else decimals.divide(total, str(count))
        for total, count in zip(*found, strict=True)
    ]
    return pa.array(averages, pa.string())


def extreme_lists(sign: int) -> Callable[[Datum], Datum | None]:
    """max(numeric), or min with sign -1, of each list: as it is written, of equal ones the last."""
    name = "max" if sign > 0 else "min"

    def run(lists: Datum) -> Datum | None:
        found = _lists(lists)
        if found is None:
            return None
        made = found.table().group_by("of", use_threads=False).aggregate([("value", name)])
        best: list[Decimal | None] = [None] * found.count
        for at, value in zip(
            made.column("of").to_pylist(), made.column(f"value_{name}").to_pylist(), strict=True
        ):
            best[at] = value
        values = found.column.values
        of_each = pa.array(best, values.type).take(found.of)
        places = pc.indices_nonzero(pc.fill_null(pc.equal(values, of_each), False))
        texts = lists.flatten().take(places).to_pylist()
        written: list[str | None] = [None] * found.count
        for at, text in zip(found.of.take(places).to_pylist(), texts, strict=True):
            written[at] = text
        return pa.array(written, pa.string())

    return run
