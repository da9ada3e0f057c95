"""What is known of a column's values in many rows together: enough to see that none is wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from storage.arrow import to_array
from storage.cold.manifest import ColumnStats
from storage.keys import encode_sort_key
from storage.layout import Column, Value


@dataclass(frozen=True, slots=True)
class Extent:
    """Bounds of a column's values in some rows. low, high: None when there is no value but NULL.

    nulls: whether there may be NULLs. Bounds may be wider than the rows need.
    """

    low: Value
    high: Value
    nulls: bool


MaybeExtent: TypeAlias = Extent | None
"""None: nothing is known."""


def of_stats(stats: ColumnStats | None, rows: int) -> MaybeExtent:
    """What a manifest tells of a segment's column."""
    if stats is None:
        return None
    if stats.minimum is None or stats.maximum is None:
        return Extent(None, None, nulls=True) if stats.nulls == rows else None
    return Extent(stats.minimum, stats.maximum, stats.nulls > 0)


def of_missing(column: Column) -> Extent:
    """A column that rows were written without: all of them have its missing value."""
    return Extent(column.missing, column.missing, column.missing is None)


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column in an ORDER BY. position: in the layout; its width is `_seq`. comparable: to Arrow."""

    position: int
    kind: str
    descending: bool
    nulls_first: bool
    comparable: bool = True

    def rank(self, value: Value) -> bytes:
        """Bytes that are least for what comes first. No rank is the beginning of another."""
        if value is None:
            return b"\x00" if self.nulls_first else b"\x02"
        code = encode_sort_key((value,), (self.kind,))
        return b"\x01" + (code.translate(_FLIPPED) if self.descending else code)

    def least_rank(self, extent: MaybeExtent) -> bytes:
        """No row in this extent has a rank below."""
        if extent is None:
            return b""
        if extent.nulls and self.nulls_first:
            return self.rank(None)
        edge = extent.high if self.descending else extent.low
        return self.rank(edge)

    def sorted(self, values: pa.Array) -> pa.Array:
        """Positions of these values, what comes first before all else. Their kind is `comparable`."""
        indices: pa.Array = pc.array_sort_indices(
            comparable(values, self.kind),
            order="descending" if self.descending else "ascending",
            null_placement="at_start" if self.nulls_first else "at_end",
        )
        return indices

    def top(self, values: pa.Array, count: int) -> pa.Array | None:
        """What `sorted` begins with, some `count` of it at least; None: to sort all is as well."""
        if len(values) < _TOP_TIMES * count or self.kind not in _TOP_KINDS:
            return None
        if len(values) - values.null_count < count or (values.null_count and self.nulls_first):
            return None
        order, least = ("descending", ">=") if self.descending else ("ascending", "<=")
        given = comparable(values, self.kind)
        edge = pc.select_k_unstable(given, count, sort_keys=[("", order)])[count - 1]
        # Those that are equal to the last of them, too: where they come is not known yet.
        found = pc.indices_nonzero(_TESTS[least](given, given[edge.as_py()]))
        if _TOP_TIMES * len(found) > len(values):
            return None
        return found.take(self.sorted(values.take(found)))


_TOP_KINDS = ("int", "float", "text")
_TOP_TIMES = 8
"""To look for the first of so many times their number is quicker than to sort all: 30 times, of 100 000."""

_INT64 = pa.int64()
_FLIPPED = bytes(range(255, -1, -1))

_TESTS: dict[str, Callable[[pa.Array, pa.Scalar], pa.Array]] = {
    "=": pc.equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """`column operator value` of a WHERE; value is not NULL, and the column's kind is `comparable`."""

    position: int
    kind: str
    operator: str
    value: Value

    def may_hold(self, extent: MaybeExtent) -> bool:
        """False when it holds for no row in this extent."""
        if extent is None:
            return True
        if extent.low is None:
            return False
        kinds = (self.kind,)
        low, high = encode_sort_key((extent.low,), kinds), encode_sort_key((extent.high,), kinds)
        value = encode_sort_key((self.value,), kinds)
        match self.operator:
            case "=":
                return low <= value <= high
            case "<":
                return low < value
            case "<=":
                return low <= value
            case ">":
                return value < high
            case _:
                return value <= high

    def test(self, values: pa.Array) -> pa.Array:
        """For each value whether the condition holds: NULL for NULL."""
        given = comparable(values, self.kind)
        if self.kind == "int":
            wanted = pa.scalar(self.value, _INT64)  # It may be more than the column has room for.
        else:
            wanted = comparable(to_array([self.value], values.type), self.kind)[0]
        return _TESTS[self.operator](given, wanted)


def is_comparable(column: Column) -> bool:
    """Whether Arrow compares and sorts the column's values as SQL does, once they are `comparable`."""
    if column.kind == "numeric":
        return bool(pa.types.is_decimal(column.arrow))
    return column.kind in ("bool", "int", "float", "text", "bytes", "uuid")


def comparable(values: pa.Array, kind: str) -> pa.Array:
    """Values in a form that Arrow sorts as SQL does, equal ones alike."""
    of = values.type
    if kind == "int":
        if of.equals(_INT64):
            return values
        if pa.types.is_date32(of):
            values = values.view(pa.int32())
        return values.cast(_INT64) if pa.types.is_integer(values.type) else values.view(_INT64)
    if kind == "float":
        # -0 is 0, one NaN is above all: as integers, of which the negative ones are turned round.
        bits = pc.add(values.cast(pa.float64()), 0.0).view(_INT64)
        turned = pc.bit_wise_xor(bits, (1 << 63) - 1)
        bits = pc.if_else(pc.less(bits, 0), turned, bits)
        return pc.if_else(pc.is_nan(values), pa.scalar((1 << 63) - 1, _INT64), bits)
    if pa.types.is_fixed_size_binary(of) and not pa.types.is_decimal(of):
        return values.cast(pa.binary())
    return values
