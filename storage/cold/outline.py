"""What a segment's Parquet file says of itself, as far as reads of rows need it, in a few kB of its own.

To read a footer takes longer than such an answer: Arrow makes all of it, row groups and statistics, before it
tells one, and tells each by itself. So what is in it stands beside the list of pages as well
(`storage.cold.pages`): rows and bounds of each row group, and how single pages of each column are decoded.
"""

from collections.abc import Sequence
from itertools import accumulate

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from storage.cold.page_form import PageForm, form_of

Raw = bool | int | float | bytes
"""A bound as it lies in the file: times are integers, for Python has no infinite ones."""

Known = tuple[Raw | None, ...] | None
"""Of a column in a row group: nulls, least and greatest value; nulls alone, where all are; None: nothing."""


class Leaf(msgspec.Struct, frozen=True, array_like=True):
    """A column of the file. name: of the column that it is of. form: None: it is read with others alone.

    known: by row groups.
    """

    name: str
    form: PageForm | None
    known: tuple[Known, ...]


class Outline(msgspec.Struct, frozen=True, array_like=True):
    """Of one file. rows: of each row group, tombstones too. leaves: in the order of the file."""

    rows: tuple[int, ...]
    leaves: tuple[Leaf, ...]

    @property
    def starts(self) -> list[int]:
        """The number of the first row of each row group, and how many there are in all."""
        return list(accumulate(self.rows, initial=0))


def rows_of(metadata: pq.FileMetaData) -> tuple[int, ...]:
    """Of each row group."""
    return tuple(metadata.row_group(at).num_rows for at in range(metadata.num_row_groups))


def names_of(metadata: pq.FileMetaData) -> list[str]:
    """Of each leaf that of the column that it is of."""
    schema = metadata.schema
    return [schema.column(at).path.split(".")[0] for at in range(len(schema))]


def known_of(metadata: pq.FileMetaData, leaf: int) -> tuple[Known, ...]:
    """What statistics tell of a column in each row group."""
    return tuple(
        _known(metadata.row_group(group).column(leaf)) for group in range(metadata.num_row_groups)
    )


def page_form(
    metadata: pq.FileMetaData, schema: pa.Schema, names: Sequence[str], leaf: int
) -> PageForm | None:
    """How single pages of a column are decoded, None where that cannot be done."""
    if names.count(names[leaf]) != 1:
        return None
    try:
        return form_of(metadata, schema.field(names[leaf]), leaf)
    except ValueError:
        return None


def outline_of(metadata: pq.FileMetaData) -> Outline:
    """Of a file."""
    names, schema = names_of(metadata), metadata.schema.to_arrow_schema()
    return Outline(
        rows_of(metadata),
        tuple(
            Leaf(name, page_form(metadata, schema, names, at), known_of(metadata, at))
            for at, name in enumerate(names)
        ),
    )


def _known(chunk: pq.ColumnChunkMetaData) -> Known:
    statistics = chunk.statistics
    if statistics is None or not statistics.has_null_count:
        return None
    if not statistics.has_min_max:
        return (statistics.null_count,)
    return statistics.null_count, statistics.min_raw, statistics.max_raw
