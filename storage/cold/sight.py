"""What one statement sees of one tablet, for a thread to read: hot batches, segments, and what hides what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from storage.arrow import DELETED, SEQ, column_name, to_batches, to_values
from storage.cold.extents import Condition
from storage.cold.manifest import Segment, superseding
from storage.cold.point_read import NotInMemoryError, SegmentReader
from storage.cold.row_groups import RowGroups, missing_values
from storage.ids import TabletId
from storage.keys import key_maker
from storage.layout import Layout, Row, Value
from storage.log.view import View

Hides = Callable[[bytes, int], bool]
"""Whether the version of a key that a commit wrote is not to be seen."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A tablet as a view sees it, with a transaction's own changes over that.

    batches: hot live rows. readers: of the view's segments, oldest first. superseded: whether a hot
    version may hide a row of theirs. changes: what the transaction has made of a key, None: no row.
    in_memory: no file is read, NotInMemoryError is raised instead.
    """

    tablet: TabletId
    view: View
    layout: Layout
    batches: Sequence[pa.RecordBatch]
    readers: Sequence[SegmentReader]
    superseded: bool
    changes: Mapping[bytes, Row | None]
    in_memory: bool = False

    def hot(self) -> "list[Piece]":
        """The rows in memory."""
        layout, changes = self.layout, self.changes
        hides: Hides | None = (lambda key, _seq: key in changes) if changes else None
        pieces = [
            Piece(layout, batch.num_rows, _of(batch, layout), hides) for batch in self.batches
        ]
        own = [row for row in changes.values() if row is not None]
        if own:
            made = to_batches(own, layout, [0] * len(own), [False] * len(own))
            pieces += [Piece(layout, batch.num_rows, _of(batch, layout), None) for batch in made]
        return pieces

    def segments(self) -> "list[ColdSegment]":
        """The segments, with what hides rows of each."""
        segments = [reader.segment for reader in self.readers]
        newer = superseding(segments)
        return [
            ColdSegment(
                RowGroups(reader, self.layout, in_memory=self.in_memory),
                self._hides(number, newer),
            )
            for number, reader in enumerate(self.readers)
        ]

    def _hides(self, number: int, newer: Sequence[bool]) -> Hides | None:
        """What hides rows of one segment, None: nothing does."""
        own = self.readers[number].segment
        others = [
            (other, reader)
            for other, reader in enumerate(self.readers)
            if other != number and newer[other] and _meet(reader.segment, own)
        ]
        if not others and not self.superseded and not self.changes:
            return None
        if others and self.in_memory:
            raise NotInMemoryError  # Which of their key columns are kept nobody asks.
        changes, layout = self.changes, self.layout

        def hides(key: bytes, seq: int) -> bool:
            if key in changes:
                return True
            if self.superseded:
                version = self.view.find(self.tablet, key)
                if version is not None and version.seq > seq:
                    return True
            for other, reader in others:
                segment = reader.segment
                if segment.min_key <= key <= segment.max_key:
                    found = reader.seq_of(key, layout)
                    # The same version may stand in a later segment once more.
                    if found is not None and (found > seq or (found == seq and other > number)):
                        return True
            return False

        return hides


def _meet(newer: Segment, own: Segment) -> bool:
    """Whether one segment may hide a row of the other."""
    return (
        newer.max_seq >= own.min_seq
        and newer.min_key <= own.max_key
        and own.min_key <= newer.max_key
    )


class ColdSegment:
    """A segment's row groups as pieces."""

    def __init__(self, groups: RowGroups, hides: Hides | None) -> None:
        self.groups = groups
        self._hides = hides

    def piece(self, group: int) -> "Piece":
        """One row group."""
        groups = self.groups

        def column(names: Sequence[str]) -> dict[str, pa.Array]:
            return groups.columns(group, names)

        deleted = groups.segment.deleted > 0
        layout = groups.layout
        return Piece(
            *(layout, groups.rows(group), column, self._hides),
            deleted=deleted,
            in_key_order=True,
            segment=groups,
            group=group,
        )


def load_together(pieces: "Sequence[Piece]", positions: Sequence[int]) -> None:
    """Decode some columns of several pieces of one segment; of pieces in memory nothing is to be done."""
    segment = pieces[0].segment
    if segment is not None:
        segment.load(sorted(p.group for p in pieces), [pieces[0].name(at) for at in positions])


class Piece:
    """Some rows of a tablet, column by column."""

    def __init__(
        self,
        layout: Layout,
        count: int,
        columns: Callable[[Sequence[str]], dict[str, pa.Array]],
        hides: Hides | None,
        *,
        deleted: bool = False,
        in_key_order: bool = False,
        segment: RowGroups | None = None,
        group: int = 0,
    ) -> None:
        """columns: gives some by their names. deleted: whether some rows may be tombstones.

        segment, group: where in a file the rows are, if they are.
        """
        self.count = count
        self.segment = segment
        self.group = group
        self.in_key_order = in_key_order
        self._layout = layout
        self._columns = columns
        self._hides = hides
        self._deleted = deleted

    @property
    def identity(self) -> tuple[int, ...]:
        """Positions of what `is_seen` looks at: the key's columns and `_seq`."""
        return (*self._layout.key, len(self._layout.columns))

    def name(self, position: int) -> str:
        """A column's name; the layout's width is `_seq`."""
        columns = self._layout.columns
        return SEQ if position == len(columns) else column_name(columns[position])

    def column(self, position: int) -> pa.Array:
        """A column's values."""
        name = self.name(position)
        return self._columns([name])[name]

    def matching(self, conditions: Sequence[Condition]) -> pa.BooleanArray | None:
        """Which rows are no tombstones and meet the conditions (never NULL); None: all."""
        mask = pc.invert(self._columns([DELETED])[DELETED]) if self._deleted else None
        for condition in conditions:
            test = condition.test(self.column(condition.position))
            mask = test if mask is None else pc.and_(mask, test)
        return mask

    def rows(self, at: pa.Array, positions: Sequence[int]) -> list[Row]:
        """Rows with their system columns, NULL in all columns that are not at `positions`."""
        width = len(self._layout.columns)
        found = self._columns([self.name(position) for position in positions])
        columns: list[Sequence[Value]] = [(None,) * len(at)] * (width + 1)
        for position in positions:
            columns[position] = to_values(found[self.name(position)].take(at))
        columns.append((False,) * len(at))
        return list(zip(*columns, strict=True))

    @cached_property
    def is_seen(self) -> Callable[[Row], bool] | None:
        """Whether a row, with key and `_seq` there, is its key's newest version; None: all are."""
        hides = self._hides
        if hides is None:
            return None
        layout = self._layout
        kinds = [layout.columns[position].kind for position in layout.key]
        key_of = key_maker(layout.key, kinds)
        width = len(layout.columns)
        return lambda row: not hides(key_of(row), cast("int", row[width]))


def _of(batch: pa.RecordBatch, layout: Layout) -> Callable[[Sequence[str]], dict[str, pa.Array]]:
    there = set(batch.schema.names)
    columns = {column_name(column): column for column in layout.columns}

    def find(names: Sequence[str]) -> dict[str, pa.Array]:
        return {
            name: batch.column(name)
            if name in there
            else missing_values(columns[name], batch.num_rows)
            for name in names
        }

    return find
