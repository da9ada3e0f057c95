"""Primary keys as Arrow values of which two are equal exactly when SQL finds the keys equal.

-0 is 0, all NaN are one, 1.50 is 1.5, 24 hours are a day: as `storage.keys` codes them, but for whole
columns at once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from storage.keys import encode_sort_key

_DIGITS_MAX: Final = 38
"""Of a numeric that is kept as a decimal."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of some rows. codes: one value for each. lead: the same of the first column alone, by
    which rows of one stretch of a segment lie close together.
    """

    lead: pa.Array
    codes: pa.Array

    @classmethod
    def of(cls, columns: Sequence[pa.Array | pa.ChunkedArray], kinds: Sequence[str]) -> "Keys":
        """Of a key's columns. kinds: `storage.layout.Column.kind` of each, or empty."""
        normal = [
            _normal(_one(column), kinds[at] if kinds else "") for at, column in enumerate(columns)
        ]
        if len(normal) == 1:
            return cls(normal[0], normal[0])
        return cls(normal[0], _joined(normal))

    def filter(self, mask: pa.Array) -> "Keys":
        """Those of them where `mask` is true."""
        lead = self.lead.filter(mask)
        return Keys(lead, lead if self.codes is self.lead else self.codes.filter(mask))

    @property
    def nbytes(self) -> int:
        """Bytes of memory that they take."""
        return int(self.codes.nbytes) + (0 if self.codes is self.lead else int(self.lead.nbytes))


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys to be found again, sorted by `Keys.lead`."""

    keys: Keys

    @classmethod
    def of(cls, keys: Keys) -> "KeySet":
        """Of distinct keys."""
        order = pc.sort_indices(keys.lead)
        lead = keys.lead.take(order)
        return cls(Keys(lead, lead if keys.codes is keys.lead else keys.codes.take(order)))

    def has(self, keys: Keys) -> pa.Array | None:
        """For each of `keys` whether it is in the set; None when none is.

        Only the part of the set within the range of `keys` is looked at: all batches of a sorted file
        together cost as much as one look at the whole set.
        """
        low, high = self.stretch(keys)
        if low == high:
            return None
        return pc.is_in(keys.codes, value_set=self.keys.codes.slice(low, high - low))

    def between(self, low: int, high: int) -> Keys:
        """Those of the set from one place to another."""
        lead = self.keys.lead.slice(low, high - low)
        simple = self.keys.codes is self.keys.lead
        return Keys(lead, lead if simple else self.keys.codes.slice(low, high - low))

    def stretch(self, keys: Keys) -> tuple[int, int]:
        """Where in the set those are that lie between the least and the greatest of `keys`."""
        if not len(keys.codes):
            return 0, 0
        bounds = pc.min_max(keys.lead)
        lead = self.keys.lead
        low = bisect_left(range(len(lead)), bounds["min"].as_py(), key=lambda at: lead[at].as_py())
        high = bisect_right(
            range(len(lead)), bounds["max"].as_py(), lo=low, key=lambda at: lead[at].as_py()
        )
        return low, high


def _one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _normal(column: pa.Array, kind: str) -> pa.Array:
    """A column of keys in a form in which equal values are the same."""
    of = column.type
    if pa.types.is_floating(of):
        # The sum with 0.0 makes -0.0 into 0.0.
        sums = pc.add(column.cast(pa.float64()), 0.0)
        return pc.if_else(pc.is_nan(sums), float("nan"), sums).view(pa.int64())
    if pa.types.is_timestamp(of) or pa.types.is_time64(of):
        return column.view(pa.int64())
    if pa.types.is_date32(of):
        return column.view(pa.int32())
    if pa.types.is_integer(of) and of.bit_width < 64:
        return column.cast(pa.int64())  # A segment may be older than the column's wider type.
    if pa.types.is_decimal(of) and of.precision < _DIGITS_MAX:
        return column.cast(pa.decimal128(_DIGITS_MAX, of.scale))  # Likewise.
    if kind in {"interval", "trimmed"}:
        values = [encode_sort_key((value,), (kind,)) for value in column.to_pylist()]
        return pa.array(values, pa.binary())
    if pa.types.is_fixed_size_binary(of) and not pa.types.is_decimal(of):
        return column.cast(pa.binary())
    if kind == "numeric" and pa.types.is_string(of):
        short = pc.utf8_rtrim(pc.utf8_rtrim(column, "0"), ".")
        short = pc.if_else(pc.match_substring(column, "."), short, column)
        return pc.if_else(pc.equal(short, "-0"), "0", short)
    return column


def _joined(columns: Sequence[pa.Array]) -> pa.Array:
    """Several columns as one: each value behind its length, so that no two rows give one text."""
    parts: list[pa.Array] = []
    for column in columns:
        of = column.type
        text = column if pa.types.is_string(of) or pa.types.is_binary(of) else column.cast("string")
        data = text.cast(pa.binary())
        parts += [pc.binary_length(data).cast(pa.string()).cast(pa.binary()), data]
    return pc.binary_join_element_wise(*parts, pa.scalar(b":"))
