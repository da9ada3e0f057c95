"""Trim: delete from the log what is in cold, and what no feed may ask for any more.

It runs later than the flush, and apart from it: readers with older views, and the change feed, may
still want what a flush has copied. What there is to trim is found in the log's meta records, open
tablets or not:

- the flush's (`meta_key(tablet)`): up to where the log is durably in segments; read as the oldest
  open view has it, so that no view misses an entry;
- trim's own (`RETAINED`), written in the batches that delete: from where on the feed finds every
  entry, and before which commit there is nothing to delete. A load moves the first of them on, since the log
  never had its rows: that is no leave to delete what is before it, which older views may read.

A tablet has something to trim when the second is not above the first. Many small tablets are trimmed
together: they share the batches.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol

from storage import failpoints
from storage.cold.publication import PublicationHost
from storage.errors import DataCorruptedError, KalamError
from storage.ids import TabletId
from storage.keys import meta_key, meta_range, split_index_key
from storage.log.log_entry import Op, decode_entry
from storage.log.manifest_note import unpack_note
from storage.log.retained import RETAINED, Retained, unpack_retained
from storage.log.view import View
from storage.schema import Schema

_BATCH_ENTRIES = 500
"""Entries deleted in one batch: some 4 ms for a commit that waits behind it."""


class Untrimmed(NamedTuple):
    """A tablet with something in cold that its log still has, or may have.

    through: the log is in cold up to this commit. oldest: it has no entry before this one.
    """

    tablet: TabletId
    through: int
    oldest: int


class LogEntry(NamedTuple):
    """One log entry to delete. key: of the index entry that may point at it, None for no index."""

    seq: int
    n: int
    key: bytes | None


class Cut(NamedTuple):
    """Entries of a tablet to delete, in one batch, and what its log retains then."""

    tablet: TabletId
    entries: Sequence[LogEntry]
    retained: Retained


class ToTrim(NamedTuple):
    """A tablet to trim; it need not be open.

    schema: the versions that its entries may have. retained_from: first seq that the change feed
    must still find. keep_rows: so many of the newest entries stay, however old they are.
    """

    tablet: TabletId
    schema: Schema
    retained_from: int
    keep_rows: int = 0


class TrimHost(PublicationHost, Protocol):
    """What trim needs of the engine. Called from trim's thread."""

    def acquire(self) -> View:
        """The published view (on the loop)."""
        ...

    def flushed_through(self, tablets: Sequence[TabletId]) -> list[int]:
        """For each the newest commit that is durably in segments for every open view (on the loop)."""
        ...

    def delete_entries(self, cuts: "Sequence[Cut]") -> None:
        """In the committer's turn, delete log entries, and those index entries that point at them.

        Whether one does is asked there and then: a commit in between may have moved it. The
        deletion need not be synced. What is retained is noted in the same batch, `behind` what is noted
        by then: a load may have come in between.
        """
        ...

    def trimmed(self, tablet: TabletId, through: int) -> None:
        """The log has no entry up to `through`: an open tablet lets go of them too (on the loop)."""
        ...


@dataclass(slots=True)
class TrimResult:
    """through: the log has no entry up to this seq. entries: deleted now."""

    tablet: TabletId
    through: int
    entries: int


def untrimmed(view: View) -> Iterator[Untrimmed]:
    """Every tablet whose log trim has to look at, some time, in order."""
    through: tuple[TabletId, int] | None = None
    oldest = 0
    for key, value in view.scan(*meta_range()):
        tablet, name = split_index_key(key)
        if name == b"":
            if through is not None and oldest <= through[1]:
                yield Untrimmed(*through, oldest)
            through, oldest = (tablet, unpack_note(value).flushed_through), 0
        elif name == RETAINED.encode() and through is not None and through[0] == tablet:
            oldest = unpack_retained(value).oldest
    if through is not None and oldest <= through[1]:
        yield Untrimmed(*through, oldest)


def trim(host: TrimHost, tablet: TabletId, schema: Schema, *, retained_from: int) -> TrimResult:
    """Delete the log's entries that every open view reads from cold. For a worker thread.

    Raises:
        DataCorruptedError: The log is damaged.
        DiskFullError, IoError: The disk refuses.
    """
    (answer,) = trim_together(host, [ToTrim(tablet, schema, retained_from)])
    if isinstance(answer, KalamError):
        raise answer
    return answer


def trim_together(host: TrimHost, todo: Sequence[ToTrim]) -> list[TrimResult | KalamError]:
    """Trim tablets, in their order. For a worker thread.

    An error in what one of them holds is its answer; an error of the disk is everybody's and raised.
    """
    with ExitStack() as stack:
        for one in todo:  # What trim notes must not outlive the tablet.
            stack.enter_context(host.directories.writer(one.tablet))
        view, limits = host.run_on_loop(lambda: (host.acquire(), _limits(host, todo)))
        try:
            answers = _Trim(host, view).run(todo, limits)
        finally:
            host.run_on_loop(view.release)
        host.run_on_loop(lambda: _let_go(host, answers))
        return answers


def _let_go(host: TrimHost, answers: Sequence[TrimResult | KalamError]) -> None:
    for answer in answers:
        if isinstance(answer, TrimResult):
            host.trimmed(answer.tablet, answer.through)


def _limits(host: TrimHost, todo: Sequence[ToTrim]) -> list[int]:
    """Up to where each log may go; -1 for one whose table is gone."""
    flushed = host.flushed_through([one.tablet for one in todo])
    return [
        max(0, min(through, one.retained_from - 1)) if host.exists(one.tablet) else -1
        for one, through in zip(todo, flushed, strict=True)
    ]


class _Trim:
    """Deletes in batches, each of one large tablet or many small ones."""

    def __init__(self, host: TrimHost, view: View) -> None:
        self._host = host
        self._view = view
        self._batch: list[Cut] = []
        self._size = 0

    def run(self, todo: Sequence[ToTrim], limits: Sequence[int]) -> list[TrimResult | KalamError]:
        answers: list[TrimResult | KalamError] = []
        for one, through in zip(todo, limits, strict=True):
            result = TrimResult(one.tablet, max(0, through), 0)
            answers.append(result)
            if through >= 0:
                try:
                    result.through = _before_kept(self._view, one, through)
                    for cut in _cuts(self._view, one.tablet, one.schema, result.through):
                        result.entries += len(cut.entries)
                        self._add(cut)
                except DataCorruptedError as exc:
                    answers[-1] = exc
        self._write()
        return answers

    def _add(self, cut: Cut) -> None:
        self._batch.append(cut)
        self._size += len(cut.entries) + 1
        if self._size >= _BATCH_ENTRIES:
            self._write()

    def _write(self) -> None:
        if self._batch:
            batch, self._batch, self._size = self._batch, [], 0
            self._host.delete_entries(batch)
            failpoints.hit("trim.batch")


def _before_kept(view: View, one: ToTrim, through: int) -> int:
    """Up to where the log may go so that the newest entries stay, whole commits of them."""
    if not one.keep_rows or not through:
        return through
    newest = view.log(one.tablet, reverse=True)
    oldest_kept = next(islice(newest, one.keep_rows - 1, None), None)
    return 0 if oldest_kept is None else min(through, oldest_kept[0] - 1)


def _cuts(view: View, tablet: TabletId, schema: Schema, through: int) -> Iterator[Cut]:
    """What to delete of a tablet, piece by piece."""
    noted = view.system_get(meta_key(tablet, RETAINED))
    before = unpack_retained(noted)  # What is gone does not come back.
    # From there on: LevelDB is slow to pass by what was deleted before.
    log = _entries(view, tablet, schema, max(0, before.oldest - 1), through)
    entries = list(islice(log, _BATCH_ENTRIES))
    while following := list(islice(log, _BATCH_ENTRIES)):
        last = entries[-1].seq  # Of this commit there may be more.
        yield Cut(tablet, entries, Retained(last + 1, last).behind(before))
        entries = following
    retained = _retained(view, tablet, through).behind(before)
    if entries or noted != retained.pack():
        yield Cut(tablet, entries, retained)


def _retained(view: View, tablet: TabletId, through: int) -> Retained:
    """Up to where the log is trimmed, and where it goes on."""
    following = next(view.log(tablet, through), None)
    if following is not None:
        return Retained(through + 1, following[0])
    # The next entry will come after what is flushed: until the next flush there is no work.
    flushed = unpack_note(view.system_get(meta_key(tablet))).flushed_through
    return Retained(through + 1, flushed + 1)


def _entries(
    view: View, tablet: TabletId, schema: Schema, after: int, through: int
) -> Iterator[LogEntry]:
    for seq, n, data in view.log(tablet, after):
        if seq > through:
            break
        entry = decode_entry(data)
        row = None if entry.op in {Op.TRUNCATE, Op.LOAD} else entry.row
        key = None if row is None else schema.key_of(schema.newest(row, entry.version))
        yield LogEntry(seq, n, key)
