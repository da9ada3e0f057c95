"""What a segment's file says of its row groups: their rows, and the bounds of columns in each."""

from collections import Counter
from collections.abc import Callable
from functools import cached_property
from itertools import accumulate
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from storage.cold.extents import Extent, MaybeExtent
from storage.cold.page_read import PageColumn
from storage.layout import Value


class Footer:
    """What a file says of its row groups. rows: of each, tombstones too. index: of a column by its name.

    starts: the number of the first row of each within the segment.
    """

    def __init__(self, metadata: pq.FileMetaData) -> None:
        self.metadata = metadata
        self.rows: list[int] = [
            metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)
        ]
        self.starts = [0, *accumulate(self.rows)]
        schema = metadata.schema
        # Names of leaves: a nested column has others, and no statistics are asked of it.
        self.index = {schema.column(at).path.split(".")[0]: at for at in range(len(schema))}
        self._extents: dict[str, list[MaybeExtent]] = {}  # Two threads may make the same.
        self._page_columns: dict[str, PageColumn | None] = {}  # Here too.

    def page_column(self, name: str) -> PageColumn | None:
        """What decodes single pages of a column, None when that cannot be done."""
        if name not in self._page_columns:
            self._page_columns[name] = self._page_column(name)
        return self._page_columns[name]

    def _page_column(self, name: str) -> PageColumn | None:
        if self._leaves[name] != 1:
            return None
        try:
            return PageColumn(self.metadata, self._schema, name, self.index[name])
        except ValueError:
            return None

    @cached_property
    def _leaves(self) -> Counter[str]:
        schema = self.metadata.schema
        return Counter(schema.column(at).path.split(".")[0] for at in range(len(schema)))

    @cached_property
    def _schema(self) -> pa.Schema:
        return self.metadata.schema.to_arrow_schema()

    def extents(self, name: str, kind: str) -> list[MaybeExtent]:
        """What statistics tell of a column in each row group."""
        found = self._extents.get(name)
        if found is None:
            groups = range(len(self.rows))
            found = self._extents[name] = [self._extent(at, name, kind) for at in groups]
        return found

    def _extent(self, group: int, name: str, kind: str) -> MaybeExtent:
        statistics = self.metadata.row_group(group).column(self.index[name]).statistics
        bounds = _BOUNDS.get(kind)
        if statistics is None or bounds is None or not statistics.has_null_count:
            return None
        if not statistics.has_min_max:
            whole = statistics.null_count == self.rows[group]
            return Extent(None, None, nulls=True) if whole else None
        low, high = bounds(statistics)
        return Extent(low, high, statistics.null_count > 0)


def _raw(statistics: pq.Statistics) -> tuple[Value, Value]:
    """As they lie in the file: times are integers, for Python has no infinite ones."""
    return statistics.min_raw, statistics.max_raw


def _text(statistics: pq.Statistics) -> tuple[Value, Value]:
    return cast("bytes", statistics.min_raw).decode(), cast("bytes", statistics.max_raw).decode()


_BOUNDS: dict[str, Callable[[pq.Statistics], tuple[Value, Value]]] = {
    "bool": _raw,
    "int": _raw,
    "float": _raw,
    "text": _text,
    "uuid": _raw,
}
"""Kinds whose order in Parquet's statistics is that of their keys."""
