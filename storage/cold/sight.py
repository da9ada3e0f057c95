"""What one statement sees of one tablet, for a thread to read: hot batches, segments, and what hides what."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Final, cast

import pyarrow as pa
import pyarrow.compute as pc

from storage.arrow import DELETED, SEQ, column_name, to_batches, to_values
from storage.cold.decoded import DECODED
from storage.cold.extents import Condition
from storage.cold.keysets import Keys, KeySet
from storage.cold.manifest import superseding
from storage.cold.point_read import NotInMemoryError, SegmentReader
from storage.cold.row_groups import LOADED_TOGETHER, RowGroups, missing_values
from storage.cold.segment_pages import Asked, read_parts
from storage.cold.superseding import SEARCHED_KINDS, HiddenByEach, HiddenByLog, run_numbers
from storage.ids import TabletId
from storage.keys import key_maker
from storage.layout import Layout, Row, Value
from storage.lazy import lazy
from storage.log.view import View
from storage.shaped import alike_arrays

KNOWN_ROWS_MAX: Final = 16_384
"""Of a segment of no more rows it is found out at once, and kept, which of them newer ones hide. Of a larger
one's it is asked of those that are looked at."""

Hides = Callable[[bytes, int], bool]
"""Whether the version of a key that a commit wrote is not to be seen."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A tablet as a view sees it, with a transaction's own changes over that.

    batches: hot live rows. readers: of the view's segments, oldest first. superseded: the keys of those of
    their rows that hot versions hide, None: of none. changes: what the transaction has made of a key, None:
    no row. in_memory: no file is read, NotInMemoryError is raised instead.
    """

    tablet: TabletId
    view: View
    layout: Layout
    batches: Sequence[pa.RecordBatch]
    readers: Sequence[SegmentReader]
    superseded: pa.RecordBatch | None
    changes: Mapping[bytes, Row | None]
    in_memory: bool = False

    def hot(self) -> "list[Piece]":
        """The rows in memory."""
        layout, changes = self.layout, self.changes
        hides: Hides | None = (lambda key, _seq: key in changes) if changes else None
        count = sum(batch.num_rows for batch in self.batches)
        pieces = [Piece(layout, count, _of_all(self.batches, layout), hides)] if count else []
        own = [row for row in changes.values() if row is not None]
        if own:
            made = to_batches(own, layout, [0] * len(own), [False] * len(own))
            pieces += [Piece(layout, batch.num_rows, _of(batch, layout), None) for batch in made]
        return pieces

    def segments(self) -> "list[ColdSegment]":
        """The segments, with what hides rows of each."""
        found = [reader.segment for reader in self.readers]
        numbers = run_numbers(found)
        hides, log = self._hides(), self._log()
        hiding = [
            (run, reader)
            for run, reader, some in zip(numbers, self.readers, superseding(found), strict=True)
            if some
        ]
        return [
            ColdSegment(
                RowGroups(reader, self.layout, in_memory=self.in_memory),
                hides,
                tuple(newer for newer_run, newer in hiding if newer_run > run),
                self._superseding,
                log,
            )
            for run, reader in zip(numbers, self.readers, strict=True)
        ]

    @property
    def was_read_lately(self) -> bool:
        """Whether there is anything in memory of the segments: else no read can do without files."""
        readers = self.readers
        return not readers or any(DECODED.has(one.segment.path) for one in readers)

    def _superseding(self, reader: SegmentReader) -> KeySet | None:
        """The keys with which a segment hides rows of older ones."""
        path = reader.segment.path
        kept: tuple[KeySet | None] | None = DECODED.get(path, "superseding")
        if kept is None:
            if self.in_memory:
                raise NotInMemoryError
            keys = reader.superseding(self.layout)
            kept = (None if keys is None else KeySet.of(keys),)
            DECODED.put(path, "superseding", kept, 256 + (0 if keys is None else keys.nbytes))
        return kept[0]

    def _log(self) -> HiddenByLog | None:
        """All that is hidden by anything newer than the segments, None where that is not known by keys."""
        if self.superseded is None or self.changes:
            return None
        kinds = [self.layout.columns[position].kind for position in self.layout.key]
        return HiddenByLog(self.superseded, kinds)

    def _hides(self) -> Hides | None:
        """What the log and the transaction hide of rows in segments, None: nothing."""
        if self.superseded is None and not self.changes:
            return None
        changes, superseded = self.changes, self.superseded is not None

        def hides(key: bytes, seq: int) -> bool:
            if key in changes:
                return True
            if superseded:
                version = self.view.find(self.tablet, key)
                return version is not None and version.seq > seq
            return False

        return hides


class ColdSegment:
    """A segment's row groups as pieces."""

    def __init__(
        self,
        groups: RowGroups,
        hides: Hides | None,
        newer: Sequence[SegmentReader],
        keys_of: Callable[[SegmentReader], KeySet | None],
        log: HiddenByLog | None = None,
    ) -> None:
        """newer: segments that may hide rows of it. keys_of: gives the keys with which one does. log: what
        `hides` says, of many rows at once.
        """
        self.groups = groups
        self._hides = hides
        self._log = log
        self._hidden = HiddenByEach([partial(keys_of, one) for one in newer]) if newer else None
        self._state = tuple(one.segment.path for one in newer)

    @property
    def is_cold(self) -> bool:
        """Whether neither log nor transaction can hide any row."""
        return self._hides is None

    def hidden(self, condition: Condition, breathe: Callable[[], None]) -> int | None:
        """How many rows that are no tombstones and that newer segments hide meet a condition.

        The values of all hidden rows are kept: they are few. None: where these are is in no known order.
        """
        if self._hidden is None:
            return 0
        groups = self.groups
        name = column_name(groups.layout.columns[condition.position])
        part = ("hidden", name, self._state)
        kept: tuple[list[pa.Array] | None] | None = DECODED.get(groups.segment.path, part)
        if kept is None:
            kept = (self._hidden_values(self._hidden, name, breathe),)
            size = sum(values.nbytes for values in kept[0] or ())
            DECODED.put(groups.segment.path, part, kept, size + 256)
        if kept[0] is None:
            return None
        return sum(int(condition.test(values).true_count) for values in kept[0])

    def _hidden_values(
        self, hidden: HiddenByEach, name: str, breathe: Callable[[], None]
    ) -> list[pa.Array] | None:
        """A column's values in the hidden rows, in one array."""
        groups = self.groups
        layout, deleted = groups.layout, groups.segment.deleted > 0
        leading = layout.columns[layout.key[0]]
        if len(layout.key) > 1 or leading.kind not in SEARCHED_KINDS:
            return None
        key = column_name(leading)
        names = sorted({name, key, *((DELETED,) if deleted else ())})
        asked = [
            (group, keys)
            for group in range(groups.count)
            if (bounds := groups.bounds(group)) is not None and (keys := hidden.within(bounds))
        ]
        chunks: list[pa.Array] = []
        for number, (group, some) in enumerate(asked):
            if number % LOADED_TOGETHER == 0:
                breathe()
                following = asked[number : number + LOADED_TOGETHER]
                groups.load([at for at, _ in following], names)
            columns = groups.columns(group, names)
            at = _places(Keys.of([columns[key]], [leading.kind]).codes, [one.codes for one in some])
            values = columns[name].take(at)
            chunks.append(
                values.filter(pc.invert(columns[DELETED].take(at))) if deleted else values
            )
        return [pa.concat_arrays(chunks)] if chunks else []

    def piece(self, group: int) -> "Piece":
        """One row group."""
        groups = self.groups

        def column(names: Sequence[str]) -> dict[str, pa.Array]:
            return groups.columns(group, names)

        deleted = groups.segment.deleted > 0
        hidden: HiddenByEach | None = self._hidden
        live: pa.BooleanArray | None = None
        if hidden is not None and groups.segment.rows <= KNOWN_ROWS_MAX:
            live = self._live(group, hidden)
            hidden, deleted = None, False
        return Piece(
            *(groups.layout, groups.rows(group), column, self._hides),
            hidden=hidden if hidden is not None and groups.meets(group, hidden) else None,
            deleted=deleted,
            live=live,
            log=self._log,
            in_key_order=True,
            segment=groups,
            group=group,
        )

    def _live(self, group: int, hidden: HiddenByEach) -> pa.BooleanArray | None:
        """Which rows of a row group are no tombstones, and hidden by no newer segment; None: all."""
        groups = self.groups
        part = ("live", group, self._state)
        kept: tuple[pa.BooleanArray | None] | None = DECODED.get(groups.segment.path, part)
        if kept is None:
            key = [groups.layout.columns[at] for at in groups.layout.key]
            names = [column_name(column) for column in key]
            deleted = [DELETED] if groups.segment.deleted else []
            found = groups.columns(group, [*names, *deleted])
            keys = Keys.of([found[name] for name in names], [column.kind for column in key])
            gone = [mask for mask in (hidden.has(keys), found.get(DELETED)) if mask is not None]
            kept = (pc.invert(reduce(pc.or_, gone)) if gone else None,)
            DECODED.put(groups.segment.path, part, kept, groups.rows(group) // 8 + 256)
        return kept[0]

    def scattered(self, rows: Sequence[int]) -> "Piece":
        """Some rows by their numbers within the segment, none of them a tombstone, in their order."""
        groups, layout, hidden = self.groups, self.groups.layout, self._hidden
        places = groups.places(rows)
        kept: dict[str, pa.Array] = {}

        def columns(names: Sequence[str]) -> dict[str, pa.Array]:
            lacking = [name for name in names if name not in kept]
            if lacking:
                kept.update(groups.rows_at(rows, lacking))
            return kept

        may_be_hidden = hidden is not None and any(groups.meets(group, hidden) for group in places)
        return Piece(
            *(layout, len(rows), columns, self._hides),
            hidden=hidden if may_be_hidden else None,
            log=self._log,
            groups=len(places),
            lacking=lambda names: groups.lacking(rows, names),
        )

    @property
    def nothing_hides(self) -> bool:
        """Whether no row is hidden by anything."""
        return self._hides is None and self._hidden is None


def _places(keys: pa.Array, wanted: Sequence[pa.Array]) -> pa.Array:
    """Where those of the wanted keys are that are there, each once. keys: in order, each once."""
    found = pa.chunked_array(wanted).unique() if len(wanted) > 1 else wanted[0]
    at = pc.search_sorted(keys, found)
    inside = pc.less(at, len(keys))
    at, found = at.filter(inside), found.filter(inside)
    return at.filter(pc.equal(keys.take(at), found))


class Piece:
    """Some rows of a tablet, column by column."""

    def __init__(
        self,
        layout: Layout,
        count: int,
        columns: Callable[[Sequence[str]], dict[str, pa.Array]],
        hides: Hides | None,
        *,
        hidden: HiddenByEach | None = None,
        deleted: bool = False,
        live: pa.BooleanArray | None = None,
        log: HiddenByLog | None = None,
        in_key_order: bool = False,
        segment: RowGroups | None = None,
        group: int = 0,
        groups: int = 1,
        lacking: Callable[[Sequence[str]], list[Asked]] | None = None,
    ) -> None:
        """columns: gives some by their names. hides: what `is_seen` asks. lacking: what it would decode.

        hidden: what newer segments hide of it. deleted: whether some rows may be tombstones. live: which
        rows are none, and hidden by no newer segment, where that is known. log: what `is_seen` says, of many.
        segment, group: where in a file the rows are, if they are all of a row group. groups: in how many
        they lie.
        """
        self.count = count
        self.segment = segment
        self.group = group
        self.groups = groups
        self.in_key_order = in_key_order
        self._layout = layout
        self._columns = columns
        self._hides = hides
        self._hidden = hidden
        self._deleted = deleted
        self._live = live
        self._log = log
        self._lacking = lacking

    @property
    def identity(self) -> tuple[int, ...]:
        """Positions of what `is_seen` looks at: the key's columns and `_seq`."""
        return (*self._layout.key, len(self._layout.columns))

    def name(self, position: int) -> str:
        """A column's name; the layout's width is `_seq`."""
        columns = self._layout.columns
        return SEQ if position == len(columns) else column_name(columns[position])

    def load(self, positions: Sequence[int]) -> None:
        """Read some columns together that will be asked for."""
        self._columns([self.name(position) for position in positions])

    def lacking(self, positions: Sequence[int]) -> list[Asked]:
        """Pages of segments that `load` would decode."""
        return [] if self._lacking is None else self._lacking(list(map(self.name, positions)))

    def column(self, position: int) -> pa.Array:
        """A column's values."""
        name = self.name(position)
        return self._columns([name])[name]

    def matching(self, conditions: Sequence[Condition]) -> pa.BooleanArray | None:
        """Which rows are no tombstones and meet the conditions (never NULL); None: all.

        Nor are any among them that newer segments hide, where it is known which these are.
        """
        mask = self._live
        if self._deleted:
            mask = pc.invert(self._columns([DELETED])[DELETED])
        for condition in conditions:
            test = condition.test(self.column(condition.position))
            mask = test if mask is None else pc.and_(mask, test)
        return mask

    @property
    def may_be_replaced(self) -> bool:
        """Whether newer segments may hide a row."""
        return self._hidden is not None

    def replaced(self, at: pa.Array) -> pa.Array | None:
        """For each of these rows whether a newer segment hides it; None: none."""
        return self._hidden_by(self._hidden, at)

    @property
    def log_is_known(self) -> bool:
        """Whether `hidden_by_log` says what `is_seen` would."""
        return self._log is not None

    def hidden_by_log(self, at: pa.Array) -> pa.Array | None:
        """For each of these rows whether the log hides it; None: none."""
        return self._hidden_by(self._log, at)

    def _hidden_by(self, what: HiddenByEach | HiddenByLog | None, at: pa.Array) -> pa.Array | None:
        if what is None or not len(at):
            return None
        layout = self._layout
        columns = [layout.columns[position] for position in layout.key]
        found = self._values(at, [column_name(column) for column in columns])
        keys = [found[column_name(column)] for column in columns]
        return what.has(Keys.of(keys, [column.kind for column in columns]))

    def rows(self, at: pa.Array, positions: Sequence[int]) -> list[Row]:
        """Rows with their system columns, NULL in all columns that are not at `positions`."""
        if not len(at):
            return []
        found = self._values(at, [self.name(position) for position in positions])
        return self.made_of(found, positions, len(at))

    def _values(self, at: pa.Array, names: Sequence[str]) -> dict[str, pa.Array]:
        """Columns of some rows: in a segment, no more is decoded than these are in."""
        if self.segment is not None:
            return self.segment.rows_in(self.group, at, names)
        return {name: values.take(at) for name, values in self._columns(names).items()}

    def made_of(
        self, found: Mapping[str, pa.Array], positions: Sequence[int], count: int
    ) -> list[Row]:
        """So many rows out of their columns, as `rows` gives them."""
        columns: list[Sequence[Value]] = [(None,) * count] * (len(self._layout.columns) + 1)
        for position in positions:
            columns[position] = to_values(found[self.name(position)])
        columns.append((False,) * count)
        return list(zip(*columns, strict=True))

    @lazy
    def is_seen(self) -> Callable[[Row], bool] | None:
        """Whether neither log nor transaction hide a row, with key and `_seq` there; None: of none."""
        hides = self._hides
        if hides is None:
            return None
        layout = self._layout
        kinds = [layout.columns[position].kind for position in layout.key]
        key_of = key_maker(layout.key, kinds)
        width = len(layout.columns)
        return lambda row: not hides(key_of(row), cast("int", row[width]))


def rows_of(found: "Sequence[tuple[Piece, int]]", positions: Sequence[int]) -> list[Row]:
    """Rows of a piece, or of several of one segment, by their numbers in these, as `Piece.rows` has them."""
    piece = found[0][0]
    segment = piece.segment
    if segment is None:
        return piece.rows(pa.array([at for _, at in found], pa.int64()), positions)
    numbers = [segment.number(one.group, at) for one, at in found]
    names = [piece.name(position) for position in positions]
    return piece.made_of(segment.rows_at(numbers, names), positions, len(found))


def load_found(found: "Iterable[Sequence[tuple[Piece, int]]]", positions: Sequence[int]) -> None:
    """Decode together what `rows_of` will ask for of several segments, one after the other."""
    asked: list[Asked] = []
    for some in found:
        piece = some[0][0]
        if piece.segment is None:
            asked += piece.lacking(positions)
        else:
            rows = [piece.segment.number(one.group, at) for one, at in some]
            asked += piece.segment.lacking(rows, list(map(piece.name, positions)))
    if asked:
        read_parts(asked, coded=True)


def _of_all(
    batches: Sequence[pa.RecordBatch], layout: Layout
) -> Callable[[Sequence[str]], dict[str, pa.Array]]:
    """Columns of several batches as one: a column is put together when it is first asked for."""
    each = [_of(batch, layout) for batch in batches]
    if len(each) == 1:
        return each[0]
    kept: dict[str, pa.Array] = {}

    def find(names: Sequence[str]) -> dict[str, pa.Array]:
        for name in names:
            if name not in kept:
                kept[name] = pa.concat_arrays(alike_arrays([of([name])[name] for of in each]))
        return kept

    return find


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
