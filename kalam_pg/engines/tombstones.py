"""Deleted rows of a tablet's segments: those whose tombstone is the newest version of their key.

Scans leave tombstones out; a query whose WHERE names `_deleted` asks for them too. They are few beside the
rows that live, so they are looked for by themselves: in row groups that have some, and then by the keys
of all segments that may hold another version of theirs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kalam_pg.engines.merging import DELETED, SEQ
from kalam_pg.engines.request import SegmentRef
from storage.cold.keysets import Keys
from storage.errors import IoError
from storage.shaped import in_form

Fill = Callable[[str, int], pa.Array]
"""A column's missing value, so many times."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deleted rows: of commits since `since`, with the columns of `schema`.

    key_columns, key_kinds: see `request.TableInput`. hot_keys: keys with a newer version in memory.
    """

    schema: pa.Schema
    key_columns: Sequence[str]
    key_kinds: Sequence[str]
    since: int
    hot_keys: Sequence[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class _Found:
    """Tombstones of one segment. number: of the segment. codes: of their keys."""

    number: int
    rows: pa.Table
    codes: list[Any]


def deleted_rows(
    wanted: Wanted, segments: Sequence[SegmentRef], fill: Fill
) -> list[pa.RecordBatch]:
    """The rows, newest tombstone of each key only. segments: oldest first.

    Raises:
        IoError: A segment cannot be read.
    """
    found = [
        tombstones
        for number, segment in enumerate(segments)
        if segment.deleted != 0 and segment.max_seq >= wanted.since
        for tombstones in _tombstones(wanted, segment, number)
    ]
    if not found:
        return []
    newest = _newest(wanted, segments, found)
    hot = _hot_codes(wanted)
    batches: list[pa.RecordBatch] = []
    for some in found:
        seqs = some.rows.column(SEQ).to_pylist()
        kept = [
            newest[code] == (seq, some.number, False) and code not in hot
            for code, seq in zip(some.codes, seqs, strict=True)
        ]
        rows = some.rows.filter(pa.array(kept, pa.bool_()))
        if rows.num_rows:
            batches.append(_as_asked(rows, wanted.schema, fill))
    return batches


def _tombstones(wanted: Wanted, segment: SegmentRef, number: int) -> Iterator[_Found]:
    """Those of one segment, row group by row group."""
    asked = {*wanted.schema.names, *wanted.key_columns, SEQ, DELETED}
    with _opened(segment) as file:
        names = [name for name in file.schema_arrow.names if name in asked]
        for group in range(file.num_row_groups):
            flags = file.read_row_group(group, columns=[SEQ, DELETED], use_threads=False)
            late = pc.greater_equal(flags.column(SEQ), wanted.since)
            mask = pc.and_(flags.column(DELETED), late)
            if not pc.any(mask).as_py():
                continue
            rows = file.read_row_group(group, columns=names, use_threads=False).filter(mask)
            yield _Found(number, rows, _codes(rows, wanted))


def _newest(
    wanted: Wanted, segments: Sequence[SegmentRef], found: Sequence[_Found]
) -> dict[Any, tuple[int, int, bool]]:
    """The newest version of each key that was found: its commit, its segment, and whether it lives.

    Beside the tombstone for a key's old spelling stands the row that has it now: that one counts.
    """
    codes = pa.chunked_array([_typed(some, wanted) for some in found]).unique()
    oldest = min(pc.min(some.rows.column(SEQ)).as_py() for some in found)
    newest: dict[Any, tuple[int, int, bool]] = {}
    with_some = {some.number for some in found}
    for number, segment in enumerate(segments):
        if segment.max_seq < oldest or not _meets(number, segment, segments, with_some):
            continue
        for rows in _keys(wanted, segment):
            keys = _codes_array(rows, wanted)
            mask = pc.is_in(keys, value_set=codes)
            if not pc.any(mask).as_py():
                continue
            seqs = rows.column(SEQ).filter(mask).to_pylist()
            dead = rows.column(DELETED).filter(mask).to_pylist()
            for code, seq, gone in zip(keys.filter(mask).to_pylist(), seqs, dead, strict=True):
                version = (seq, number, not gone)
                if version > newest.get(code, (0, 0, False)):
                    newest[code] = version
    return newest


def _meets(
    number: int, segment: SegmentRef, segments: Sequence[SegmentRef], with_some: set[int]
) -> bool:
    """Whether the segment may hold a key of one that has tombstones."""
    return number in with_some or any(
        segment.min_key <= segments[other].max_key and segments[other].min_key <= segment.max_key
        for other in with_some
    )


def _keys(wanted: Wanted, segment: SegmentRef) -> Iterator[pa.Table]:
    with _opened(segment) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(
                group, columns=[*wanted.key_columns, SEQ, DELETED], use_threads=False
            )


def _hot_codes(wanted: Wanted) -> set[Any]:
    found: set[Any] = set()
    for batch in wanted.hot_keys:
        keys = Keys.of([batch.column(name) for name in wanted.key_columns], wanted.key_kinds)
        found.update(keys.codes.to_pylist())
    return found


def _codes_array(rows: pa.Table, wanted: Wanted) -> pa.Array:
    return Keys.of([rows.column(name) for name in wanted.key_columns], wanted.key_kinds).codes


def _codes(rows: pa.Table, wanted: Wanted) -> list[Any]:
    found: list[Any] = _codes_array(rows, wanted).to_pylist()
    return found


def _typed(some: _Found, wanted: Wanted) -> pa.Array:
    return _codes_array(some.rows, wanted)


def _as_asked(rows: pa.Table, schema: pa.Schema, fill: Fill) -> pa.RecordBatch:
    """The columns asked for; what the segment was written without is filled in."""
    there = set(rows.schema.names)
    columns = [
        in_form(rows.column(field.name).combine_chunks(), field.type)
        if field.name in there
        else fill(field.name, rows.num_rows)
        for field in schema
    ]
    nullable = pa.schema([field.with_nullable(True) for field in schema])
    if not columns:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * rows.num_rows, pa.struct([])))
    return pa.RecordBatch.from_arrays(columns, schema=nullable)


@contextmanager
def _opened(segment: SegmentRef) -> Iterator[pq.ParquetFile]:
    path = Path(segment.path)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except OSError as exc:
        raise IoError(f"could not read segment {path.name}: {exc.strerror}") from exc
