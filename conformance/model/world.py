"""One tablet: commits, views, flush, compaction, trim, collect, crashes and damage, in any order."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import accumulate
from random import Random

KEYS = 6

RULES = {
    "rebase": "publish what follows the manifest that the compaction began with, not the newest",
    "inputs_there": "publish a compaction whose inputs are in the newest manifest no more",
    "neighbours": "compact runs that do not lie side by side",
    "whole_runs": "compact from the middle of a run",
    "in_place": "put what was compacted behind the segments that are newer",
    "counts_kept": "what was compacted hides as many rows as its inputs did",
    "continues": "only the first segment of a run is taken to hide rows",
    "hides_carried": "what was compacted hides only the keys that its newest run hid",
    "hides_replaced": "a flush notes of what it deletes, not of what it replaces, that it hides a row",
    "hides_older": "what hides a key hides it in newer runs, too",
    "older_may_hold": "drop a tombstone though an older segment holds its key",
    "tombstone_age": "drop a tombstone before its retention has passed",
    "newest_manifest": "a view reads the newest manifest, however far it reaches",
    "views_hold": "collect what the newest manifest does not name, whoever reads it",
    "names_announced": "collect what no manifest names, whoever is writing it",
    "noted_with_entry": "note that a tablet has something unflushed after it was committed, not with it",
    "note_outlives": "a flush that ends takes the note away, whatever was committed meanwhile",
    "note_forgotten": "who writes does not learn that the note was taken away",
    "newest_noted": "open the newest manifest that there is, whatever the log knows of it",
    "noted_first": "publish a version though the log does not know the one before it",
    "trim_by_note": "trim what is in a manifest that the log does not know yet",
    "truncate_first": "a commit that truncates hides what it writes itself",
}
"""What a world does that leaves a rule out."""


class WrongError(Exception):
    """Somebody sees what they should not."""


class ToldError(Exception):
    """The tablet is told to be damaged: nobody is answered. Right only when it was."""


Row = tuple[int, int | None]
"""(seq, value) of a version; None is a tombstone."""


@dataclass(frozen=True)
class Commit:
    """What one commit changes: None deletes. truncates: everything that was there goes first."""

    changes: dict[int, int | None]
    truncates: bool = False


@dataclass(frozen=True)
class Segment:
    """A file as a manifest names it. continues: it is of the same run as the one before it.

    hides: keys of it of which older runs have versions that are not to be seen; its side file has them.
    """

    file: int
    keys: frozenset[int]
    hides: frozenset[int]
    deleted: int
    superseded: int
    continues: bool


@dataclass(frozen=True)
class Manifest:
    """name: as good as its hash; previous: the name of the one that it follows."""

    number: int = 0
    through: int = 0
    began: int = 0
    segments: tuple[Segment, ...] = ()
    name: int = 0
    previous: int = 0

    @property
    def rows(self) -> int:
        return sum(len(s.keys) - s.deleted - s.superseded for s in self.segments)


@dataclass
class View:
    """seq: what it sees. shown: what it should. chosen: manifests that it was told of."""

    seq: int
    shown: dict[int, Row]
    chosen: list[Manifest] = field(default_factory=list)


@dataclass
class Work:
    """A flush or compaction under way, and its next step. base: the manifest that it began with."""

    base: Manifest
    step: Callable[[], None]
    inputs: tuple[Segment, ...] = ()
    upto: int = 0
    written: tuple[Segment, ...] = ()
    done: bool = False


class World:
    """`rules`: those that are kept. Every method but the helpers is a step."""

    def __init__(self, rules: frozenset[str], seed: int) -> None:
        self.rules = rules
        self.random = Random(seed)
        self.seq = self.value = self.files_made = self.manifests_made = 0
        self.history: list[tuple[int, Commit]] = []
        self.log: list[tuple[int, Commit]] = []
        self.complete_from = self.retained_from = self.tombstones_from = 1
        self.files: dict[int, dict[int, Row]] = {}
        self.disk = [Manifest()]
        self.kept = [Manifest()]
        self.known = Manifest()  # What the log notes as the newest, durably.
        self.copy: tuple[list[Manifest], dict[int, dict[int, Row]]] = ([], {})
        self.damaged = False
        self.views: list[View] = []
        self.noted = False  # On disk: the tablet is on the list of those with something unflushed.
        self.sure = False  # The committer knows of the note.
        self.flushing: Work | None = None
        self.compacting: list[Work] = []  # Two at a time: even that must change nothing.

    # What should be seen.

    def state(self, seq: int) -> dict[int, Row]:
        """The newest version of every key, tombstones too, since the last TRUNCATE."""
        found: dict[int, Row] = {}
        for at, commit in self.history:
            if at > seq:
                break
            if commit.truncates:
                found = {}
            for key, value in commit.changes.items():
                if value is not None or key in found:
                    found[key] = (at, value)
        return found

    # Users.

    def write(self, first: int, second: int) -> None:
        """Commit changes of one key or two: a live one is deleted now and then."""
        live = {key for key, (_, value) in self.state(self.seq).items() if value is not None}
        changes: dict[int, int | None] = {}
        for number in {first % KEYS, second % KEYS}:
            self.value += 1
            gone = number in live and (first + second) % 3 == 0
            changes[number] = None if gone else self.value
        self._commit(Commit(changes))

    def truncate(self, rows: int) -> None:
        """Commit a TRUNCATE, and perhaps rows that come after it."""
        self.value += rows
        self._commit(Commit({key: self.value - key for key in range(rows)}, truncates=True))

    def hold(self) -> None:
        """A view begins, and reads."""
        if len(self.views) < 3:
            view = View(self.seq, self.state(self.seq))
            self.views.append(view)
            self._look(view)

    def read(self, which: int) -> None:
        """A view reads once more: what it would choose now, and what it was told of before."""
        if self.views:
            view = self.views[which % len(self.views)]
            for manifest in view.chosen:
                self._scan(manifest, view.seq)
            self._look(view)

    def release(self, which: int) -> None:
        if self.views:
            self.views.pop(which % len(self.views))

    # Flush: what is new becomes a run.

    def flush(self) -> None:
        """The next step of the flush, or its first."""
        if self.flushing is None:
            self._adopt()
            self.flushing = Work(self.kept[-1], self._flush_write)
            self.flushing.upto = self.seq
        else:
            self.flushing.step()
            if self.flushing.done:
                self.flushing = None

    def _flush_write(self) -> None:
        work = self.flushing
        assert work is not None
        after = self._manifest_at(work.upto)
        rows = self._hot(max(after.through, self._before(after.began)), work.upto)
        if not rows:
            work.done = True
            return
        before = {k for k, (_, v) in self._cold(after).items() if v is not None}
        hides = before & rows.keys()
        count = len(hides)
        if "hides_replaced" not in self.rules:
            hides = {key for key in hides if rows[key][1] is None}
        work.written = self._run(rows, count, hides)
        work.step = lambda: self._flush_publish(work)

    def _flush_publish(self, work: Work) -> None:
        self._publish(work, self._flushed)
        work.done = False
        work.step = lambda: self._flush_end(work)

    def _flush_end(self, work: Work) -> None:
        """In the committer's turn: the note goes, unless there is something that came later."""
        self._adopt()
        work.done = True
        self.known = self.kept[-1]
        newest = self.log[-1][0] if self.log else 0
        if newest <= self.kept[-1].through or "note_outlives" not in self.rules:
            self.noted = False
            if "note_forgotten" in self.rules:
                self.sure = False

    def _flushed(self, work: Work, newest: Manifest) -> Manifest | None:
        if any(commit.truncates and seq > work.upto for seq, commit in self.history):
            return None  # A TRUNCATE has hidden all of it.
        cold = self._manifest_at(work.upto)
        segments = (*cold.segments, *work.written)
        return Manifest(newest.number + 1, work.upto, cold.began, segments)

    # Compaction: neighbouring runs become one.

    def compact(self, which: int, first: int, length: int) -> None:
        """The next step of one of the compactions, or the first of another."""
        if which % 2 < len(self.compacting):
            work = self.compacting[which % 2]
            work.step()
            if work.done:
                self.compacting.remove(work)
        else:
            self._compact_choose(first, length)

    def _compact_choose(self, first: int, length: int) -> None:
        self._adopt()
        base = self.kept[-1]
        runs = _runs(base.segments)
        if not runs:
            return
        first %= len(runs)
        chosen = runs[first : first + 1 + length]
        if "neighbours" not in self.rules:
            chosen = runs[first::2]
        inputs = tuple(segment for run in chosen for segment in run)
        if "whole_runs" not in self.rules:
            inputs = inputs[len(runs[first]) // 2 :]
        work = Work(base, self._nothing, inputs)
        work.step = lambda: self._compact_write(work)
        self.compacting.append(work)

    def _compact_write(self, work: Work) -> None:
        at = work.base.segments.index(work.inputs[0])
        older = frozenset[int]().union(*(s.keys for s in work.base.segments[:at]))
        rows: dict[int, Row] = {}
        for segment in work.inputs:
            for key, row in self._open(segment).items():
                rows[key] = max(rows.get(key, row), row, key=lambda row: row[0])
        for key, (seq, value) in list(rows.items()):
            held = key in older and "older_may_hold" in self.rules
            young = seq >= self.tombstones_from and "tombstone_age" in self.rules
            if value is None and not held and not young:
                del rows[key]
        superseded = sum(s.superseded for s in work.inputs)
        if "counts_kept" in self.rules:
            live = sum(value is not None for _, value in rows.values())
            superseded = live - sum(len(s.keys) - s.deleted - s.superseded for s in work.inputs)
            if superseded < 0:
                raise WrongError("what was compacted hides less than nothing")
        hidden = work.inputs if "hides_carried" in self.rules else _runs(work.inputs)[-1]
        hides = frozenset[int]().union(*(s.hides for s in hidden))
        work.written = self._run(rows, superseded, hides & older)
        work.step = lambda: self._publish(work, self._compacted)

    def _compacted(self, work: Work, newest: Manifest) -> Manifest | None:
        if "rebase" not in self.rules:
            newest = replace(work.base, number=newest.number)
        left = list(newest.segments)
        there = [segment for segment in work.inputs if segment in left]
        if len(there) < len(work.inputs) and "inputs_there" in self.rules:
            return None
        at = left.index(there[0]) if there and "in_place" in self.rules else len(left)
        left[at:at] = work.written
        for segment in there:
            left.remove(segment)
        return replace(newest, number=newest.number + 1, segments=tuple(left))

    # What both share.

    def _run(
        self, rows: dict[int, Row], superseded: int, hides: AbstractSet[int]
    ) -> tuple[Segment, ...]:
        """Files with a part each of these rows, in key order. What they hide is counted once."""
        keys, segments = sorted(rows), list[Segment]()
        while keys:
            part = {key: rows[key] for key in keys[: self.random.randint(1, 4)]}
            keys = keys[len(part) :]
            self.files_made += 1
            self.files[self.files_made] = part
            deleted = sum(value is None for _, value in part.values())
            count, superseded = superseded, 0
            of = frozenset(part)
            segments.append(
                Segment(self.files_made, of, of & hides, deleted, count, bool(segments))
            )
        return tuple(segments)

    def _publish(self, work: Work, follow: Callable[[Work, Manifest], Manifest | None]) -> None:
        """The commit point. It may fail just after it: then whoever comes next takes it up."""
        self._adopt()
        work.done = True
        base = self.kept[-1]
        following = follow(work, base)
        if following is not None:
            if "noted_first" in self.rules:
                self.known = base
            self.manifests_made += 1
            self.disk.append(replace(following, name=self.manifests_made, previous=base.name))
            if self.random.random() < 0.8:
                self._adopt()
                if self.random.random() < 0.8:
                    self.known = self.kept[-1]

    def _adopt(self) -> None:
        if self.disk and self.disk[-1].number > self.kept[-1].number:
            self.kept.append(self.disk[-1])

    def fail(self, which: int) -> None:
        """The disk refuses, or somebody kills the job: its work is given up, wherever it is."""
        if which % 3 == 2:
            self.flushing = None
        elif which % 3 < len(self.compacting):
            self.compacting.pop(which % 3)

    # What goes.

    def expire(self, how_far: int) -> None:
        """Time passes: older changes and tombstones need not be kept any more."""
        self.retained_from = max(self.retained_from, self.seq - how_far)
        self.tombstones_from = max(self.tombstones_from, self.seq - 2 * how_far)

    def trim(self) -> None:
        """Delete of the log what every view reads from segments, and no feed may ask for."""
        oldest = min([view.seq for view in self.views], default=self.seq)
        through = min(self._manifest_at(oldest).through, self.retained_from - 1)
        if "trim_by_note" in self.rules:
            through = min(through, self.known.through)
        self.log = [entry for entry in self.log if entry[0] > through]
        self.complete_from = max(self.complete_from, through + 1)

    def collect(self) -> None:
        """Remove the files that nobody reads or writes, whatever left them."""
        self._adopt()
        manifests = [self._newest_on_disk()]
        if "views_hold" in self.rules:
            for view in self.views:
                manifests += [m for m in self.disk if m.through <= view.seq][-1:]
                manifests += view.chosen
        named = {s.file for manifest in manifests for s in manifest.segments}
        if "names_announced" in self.rules:
            at_work = [*self.compacting, *([self.flushing] if self.flushing else [])]
            named |= {s.file for work in at_work for s in (*work.written, *work.inputs)}
        self.files = {file: rows for file, rows in self.files.items() if file in named}
        self.disk = [m for m in self.disk if m in manifests]
        self.kept = [m for m in self.kept if m in manifests or m is self.kept[-1]]

    def crash(self) -> None:
        """What is on the disk is all that the next process finds."""
        self.flushing, self.compacting, self.views = None, [], []
        self.sure = False
        self.kept = [self._newest_on_disk()]
        for segment in self.kept[0].segments:
            self._open(segment)

    def _newest_on_disk(self) -> Manifest:
        newest = self.disk[-1] if self.disk else Manifest()
        right = self.known.name in (newest.name, newest.previous)
        if "newest_noted" in self.rules and not right:
            raise ToldError("the newest manifest neither is what the log knows nor follows it")
        return newest

    # What befalls the disk.

    def keep_copy(self) -> None:
        """Somebody copies the tablet's directory."""
        self.copy = (list(self.disk), dict(self.files))

    def lose(self, what: int) -> None:
        """The newest manifest, or all of the directory, or all that came since it was copied."""
        self.damaged = True
        if what == 0:
            self.disk = self.disk[:-1]
        else:
            disk, files = self.copy if what == 1 else ([], {})
            self.disk, self.files = list(disk), dict(files)

    # How it is read.

    def check(self) -> None:
        """Everybody who looks sees what they should; called after every step.

        Raises:
            WrongError: They do not.
            ToldError: They are told that the tablet is damaged.
        """
        self._look(View(self.seq, self.state(self.seq)))
        newest = self.kept[-1]
        live = [v for _, v in self.state(newest.through).values() if v is not None]
        if newest.rows != len(live):
            raise WrongError(f"{newest.rows} rows are counted in cold, there are {len(live)}")
        retained = max(self.retained_from, self.complete_from)
        feed = [entry for entry in self.log if entry[0] >= retained]
        if feed != [entry for entry in self.history if entry[0] >= retained]:
            raise WrongError("the feed lacks changes that it retains")
        if not self.noted and self.log and self.log[-1][0] > newest.through:
            raise WrongError("the tablet has something unflushed, and is not on the list")

    def _look(self, view: View) -> None:
        manifest = self._manifest_at(view.seq)
        if manifest.segments and manifest not in view.chosen:
            view.chosen.append(manifest)
        live = {key: row for key, row in view.shown.items() if row[1] is not None}
        if (seen := self._scan(manifest, view.seq)) != live:
            raise WrongError(f"a scan at {view.seq} sees {seen}, not {live}")
        cold = self._cold(manifest)
        hot = self._hot(manifest.through, view.seq)
        for key, (seq, value) in view.shown.items():
            if (value is not None or seq >= self.tombstones_from) and (
                hot.get(key) or cold.get(key)
            ) != (seq, value):
                raise WrongError(f"key {key} is not found as commit {seq} left it")

    def _scan(self, manifest: Manifest, seq: int) -> dict[int, Row]:
        """As an engine reads it: by the keys that newer runs hide, of those that hide any."""
        hot = self._hot(manifest.through, seq)
        hiding = self._hiding(manifest.segments)
        seen = {key: row for key, row in hot.items() if row[1] is not None}
        begins = list(accumulate(not s.continues for s in manifest.segments))
        opened = [self._open(segment) for segment in manifest.segments]
        for number, rows in enumerate(opened):
            for key, row in rows.items():
                hidden = any(
                    hides and key in other.hides and self._newer(run, begins[number])
                    for hides, other, run in zip(hiding, manifest.segments, begins, strict=True)
                )
                if row[1] is None or hidden or key in hot:
                    continue
                if key in seen:
                    raise WrongError(f"key {key} is seen twice, once in segment {number}")
                seen[key] = row
        return seen

    def _newer(self, run: int, own: int) -> bool:
        return run > own if "hides_older" in self.rules else run != own

    def _hiding(self, segments: Sequence[Segment]) -> list[bool]:
        """For each segment whether it may hide rows of others."""
        found: list[bool] = []
        for segment in segments:
            run = segment.continues and "continues" in self.rules
            found.append(segment.superseded > 0 or (run and bool(found) and found[-1]))
        return found

    def _manifest_at(self, seq: int) -> Manifest:
        fitting = [manifest for manifest in self.kept if manifest.through <= seq]
        if "newest_manifest" not in self.rules:
            fitting = self.kept
        found = fitting[-1] if fitting else Manifest()
        begun = max(
            (at for at, commit in self.history if commit.truncates and at <= seq), default=0
        )
        if begun > found.began:
            return Manifest(found.number, self._before(begun), begun)
        return found

    def _before(self, began: int) -> int:
        """The newest commit that is hidden from who sees a TRUNCATE."""
        return began - 1 if "truncate_first" in self.rules and began else began

    def _hot(self, after: int, upto: int) -> dict[int, Row]:
        """The newest version of each key in a part of the log."""
        found: dict[int, Row] = {}
        for seq, commit in self.log:
            if after < seq <= upto:
                if commit.truncates:
                    found = {}
                for key, value in commit.changes.items():
                    found[key] = (seq, value)
        return found

    def _cold(self, manifest: Manifest) -> dict[int, Row]:
        """The newest version of each key in the segments, tombstones too: a point read."""
        found: dict[int, Row] = {}
        for segment in manifest.segments:
            for key, row in self._open(segment).items():
                if key not in found or row[0] > found[key][0]:
                    found[key] = row
        return found

    def _open(self, segment: Segment) -> dict[int, Row]:
        if segment.file not in self.files:
            raise ToldError(f"file {segment.file} is gone under a reader")
        return self.files[segment.file]

    def _commit(self, commit: Commit) -> None:
        self.seq += 1
        if not self.sure and "noted_with_entry" in self.rules:
            self.noted = self.sure = True
        self.history.append((self.seq, commit))
        self.log.append((self.seq, commit))

    def _nothing(self) -> None:
        """A step that is not known yet."""


def _runs(segments: Sequence[Segment]) -> list[list[Segment]]:
    runs: list[list[Segment]] = []
    for segment in segments:
        if segment.continues and runs:
            runs[-1].append(segment)
        else:
            runs.append([segment])
    return runs
