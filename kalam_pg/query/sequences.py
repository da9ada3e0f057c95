"""Where sequences stand: their numbers, given in memory, and how far they may have come, kept in the log.

A number is given at once, and written with what was made of it: each commit whose transaction took a
number that no record covers yet has a record with it, which covers the next `AHEAD` numbers too. So what
is committed is covered by a record in the same batch or an earlier one, and after a crash a sequence goes on
behind everything that anyone has kept: a number that was lost is a gap, and none comes twice. Like
PostgreSQL's, numbers do not come back with a ROLLBACK.

A sequence that belongs to a table of which each user has their own counts for each user; any other
counts once.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError  # noqa: N812 -- it is an exception class
from typing import Final, TypeAlias

from catalog.errors import SequenceGeneratorLimitExceededError
from catalog.model import NumberSequence
from catalog.snapshot import Snapshot
from storage.errors import DataCorruptedError
from storage.ids import NO_USER, TabletId
from storage.keys import numbers_key
from storage.log.hot import Put

AHEAD: Final = 32
"""So many numbers are covered beyond the one that asked: PostgreSQL's SEQ_LOG_VALS."""

COUNTERS_MAX: Final = 100_000
"""Counters kept in memory when nothing of them is to be written: about 20 MB."""

_RECORD = Struct(">Bq?")
_FORMAT = 1


class Counter:
    """Where one sequence stands for one user, or for all.

    last: the number given last; where `called` is false, the one that is given next. taken: how many were
    given since `begun` changed, and `covered` how many of them, or more, a record on its way to the disk
    covers. begun: changes when the counter is set to something else. successor: what a RESTART makes of
    it that is with the committer. replaced: whether such a one is committed, so that this one counts no more.
    """

    __slots__ = ("begun", "called", "covered", "key", "last", "replaced", "successor", "taken")

    def __init__(self, key: bytes, last: int, *, called: bool) -> None:
        self.key = key
        self.last = last
        self.called = called
        self.begun = 0
        self.taken = 0
        self.covered = 0
        self.successor: Counter | None = None
        self.replaced = False

    @property
    def is_covered(self) -> bool:
        """Whether what was given needs no further record."""
        return self.taken <= self.covered

    def next(self, sequence: NumberSequence) -> int:
        """The next number. Raises 2200H."""
        number = self.following(sequence)
        self.last = number
        self.called = True
        self.taken += 1
        return number

    def following(self, sequence: NumberSequence) -> int:
        """The number that is next, which stays the next one. Raises 2200H."""
        if not self.called:
            return self.last
        number = self.last + sequence.increment
        if sequence.minimum <= number <= sequence.maximum:
            return number
        up = sequence.increment > 0
        if sequence.cycle:
            return sequence.minimum if up else sequence.maximum
        what, bound = ("maximum", sequence.maximum) if up else ("minimum", sequence.minimum)
        raise SequenceGeneratorLimitExceededError(
            f'nextval: reached {what} value of sequence "{sequence.name}" ({bound})'
        )

    def set(self, last: int, *, called: bool) -> None:
        """Go on from there. No record covers it."""
        self.last, self.called = last, called
        self.begun += 1
        self.taken, self.covered = 1, 0


@dataclass(frozen=True, slots=True)
class Record:
    """What a commit writes of a counter, and what that covers when it is written."""

    counter: Counter
    begun: int
    covers: int
    put: Put


Place: TypeAlias = tuple[TabletId, int]
"""What a sequence counts for, and its id."""


class Counters:
    """Every counter in use. On the event loop."""

    def __init__(self, read: Callable[[bytes], bytes | None]) -> None:
        """read: what the log has under a key, as published."""
        self._read = read
        self._counters: OrderedDict[Place, Counter] = OrderedDict()
        self._temporary: dict[str, list[Place]] = {}
        """Those of sessions' temporary sequences, by their schemas."""

    def counter(self, sequence: NumberSequence, at: TabletId) -> Counter:
        """A sequence's, in the tablet that it counts for (`Database.counted_at`). Raises XX001."""
        place = (at, sequence.id)
        found = self._counters.get(place)
        if found is None:
            found = self._counters[place] = self._begin(sequence, at)
            if sequence.temporary:
                self._temporary.setdefault(sequence.namespace, []).append(place)
            if len(self._counters) > COUNTERS_MAX:
                self._relieve()
        return found

    def keep_only(self, schema: str, sequences: Collection[int]) -> None:
        """Of a session's temporary sequences there are these: nothing is written of the others."""
        places = self._temporary.pop(schema, [])
        for place in places:
            if place[1] not in sequences:
                self._counters.pop(place, None)
        left = [place for place in places if place[1] in sequences]
        if left:
            self._temporary[schema] = left

    def succeed(self, place: Place, counter: Counter) -> None:
        """A RESTART is handed to the committer. Until its outcome is known both may be what is kept."""
        there = self._counters.get(place)
        if there is not None:
            there.successor = counter

    def settle(self, place: Place, counter: Counter, *, committed: bool) -> None:
        """The outcome of a RESTART: this is everybody's from now on, or nobody's."""
        there = self._counters.get(place)
        if committed:
            self._counters[place] = counter
            if there is not None and there is not counter:
                there.replaced = True
        elif there is not None and there.successor is counter:
            there.successor = None
            # What the log has may be another's.
            there.taken, there.covered = max(there.taken, 1), 0

    def _begin(self, sequence: NumberSequence, at: TabletId) -> Counter:
        key = numbers_key(at, sequence.id)
        data = self._read(key)
        if data is None:
            return Counter(key, sequence.start, called=False)
        last, called = _unpacked(data)
        return Counter(key, last, called=called)

    def _relieve(self) -> None:
        """Let go of the oldest counters of which all is written: they may leave a gap."""
        for place in list(self._counters)[: COUNTERS_MAX // 10]:
            counter = self._counters[place]
            if counter.is_covered and counter.successor is None:
                del self._counters[place]

    def closing(self, snapshot: Snapshot, is_user: Callable[[int], bool]) -> list[Put]:
        """Records of where counters stand, without anything ahead, for the last commit before a stop.

        is_user: whether somebody is still there; nothing is written of those who are not.
        """
        return [
            (counter.key, _packed(counter.last, called=counter.called))
            for (at, sequence), counter in self._counters.items()
            if counter.taken and sequence in snapshot.sequences
            if at.user == NO_USER or is_user(at.user)
        ]


class Numbers:
    """What one transaction has asked of sequences.

    taken: the counters that gave it a number which no record covered, and their sequences. restarted: those
    that it has set anew, which are its own until it commits.
    """

    __slots__ = ("_counters", "_records", "_settled", "restarted", "taken")

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.taken: dict[Counter, NumberSequence] = {}
        self.restarted: dict[Place, tuple[Counter, NumberSequence]] = {}
        self._records: list[Record] = []
        self._settled = False

    def __bool__(self) -> bool:
        return bool(self.taken or self.restarted)

    def restore(self, place: Place, earlier: tuple[Counter, NumberSequence] | None) -> None:
        """A savepoint is rolled back: a sequence is as it was."""
        if earlier is None:
            del self.restarted[place]
        else:
            self.restarted[place] = earlier

    def puts(self) -> list[Put]:
        """What the commit writes of them, as they stand now: it is handed to the committer next."""
        changed = {counter: of for counter, of in self.taken.items() if not counter.replaced}
        changed |= dict(self.restarted.values())
        self._records = [
            record(counter, sequence)
            for counter, sequence in changed.items()
            if not sequence.temporary
        ]
        for place, (counter, _) in self.restarted.items():
            self._counters.succeed(place, counter)
        return [one.put for one in self._records]

    def settle(self, *, committed: bool) -> None:
        """Its outcome is known: what its records cover needs no other, what it set anew is everybody's.

        Called again it does nothing.
        """
        if self._settled:
            return
        self._settled = True
        for place, (counter, _) in self.restarted.items():
            self._counters.settle(place, counter, committed=committed)
        for one in self._records if committed else ():
            if one.begun == one.counter.begun:
                one.counter.covered = max(one.counter.covered, one.covers)


def record(counter: Counter, sequence: NumberSequence) -> Record:
    """What is to be written of a counter now."""
    last, called, covers = _ahead(counter, sequence)
    successor = counter.successor
    if successor is not None:
        # This record comes behind the successor's, and either may be what counts after it.
        other, other_called, _ = _ahead(successor, sequence)
        if (other - last) * sequence.increment > 0:
            last, called = other, other_called
    put = (counter.key, _packed(last, called=called))
    return Record(counter, counter.begun, covers, put)


def _ahead(counter: Counter, sequence: NumberSequence) -> tuple[int, bool, int]:
    """A record's `last` and `called`, and how many of the numbers given it then covers."""
    ahead = 0
    if counter.called and counter.taken > 1:
        ahead = _room(counter.last, sequence)
    last = counter.last + ahead * sequence.increment
    return last, counter.called, counter.taken + ahead


def _room(last: int, sequence: NumberSequence) -> int:
    """How many of the next `AHEAD` numbers there are before the end."""
    bound = sequence.maximum if sequence.increment > 0 else sequence.minimum
    return min(AHEAD, max(0, (bound - last) // sequence.increment))


def _packed(last: int, *, called: bool) -> bytes:
    return _RECORD.pack(_FORMAT, last, called)


def _unpacked(data: bytes) -> tuple[int, bool]:
    try:
        version, last, called = _RECORD.unpack(data)
    except StructError as exc:
        raise DataCorruptedError("the record of a sequence cannot be read") from exc
    if version != _FORMAT:
        raise DataCorruptedError(f"the record of a sequence has format {version}")
    return last, called
