"""A session's use of sequences: nextval, currval, lastval, setval; and what RESTART means."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from catalog.changes_sequence import SequenceOptions, check_within, restarted_at
from catalog.errors import (
    InsufficientPrivilegeError,
    NumericValueOutOfRangeError,
    ObjectNotInPrerequisiteStateError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.model import NumberSequence, Table, User
from catalog.privileges import sequence_allows
from catalog.snapshot import Snapshot
from kalam_pg.query.quick_rows import NotQuickError
from kalam_pg.query.sequences import Counter, Place
from storage.layout import Row, Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

_TAKE = ("USAGE", "UPDATE")
_LOOK = ("USAGE", "SELECT")
_SET = ("UPDATE",)


class _Given(NamedTuple):
    """A number of a place's sequence. begun, taken: its counter's when it had given it."""

    place: Place
    begun: int
    taken: int
    number: int


class SessionSequences:
    """What one session has had of sequences.

    A quick INSERT (`query.quick`) takes numbers without a transaction, as long as what is written covers
    them. When it turns out that it must go the general way after all, `retreat` has that way take the same
    numbers.
    """

    __slots__ = ("_for", "_given", "_had", "_last", "_quick", "_spare", "_sql")

    def __init__(self, sql: "SqlSession") -> None:
        self._sql = sql
        self._for: tuple[User, Snapshot] | None = None
        """Who counts, and in which catalogue, if it is not the session's user in its."""
        self._had: dict[Place, int] = {}
        """What currval() says."""
        self._last: Place | None = None
        self._given: list[_Given] = []
        """What the last quick INSERT took."""
        self._quick = False
        self._spare: list[_Given] = []

    @property
    def functions(self) -> dict[str, Callable[..., Value]]:
        """What `functions.sequences` asks for, by name."""
        return {
            "nextval": self._nextval,
            "currval": self._currval,
            "lastval": self._lastval,
            "setval": self._setval,
            "pg_sequence_last_value": self._last_value,
            "sequence_state": self._state,
            "begin_numbers": self._begin,
            "end_numbers": self._end,
            "spare_numbers": self.retreat,
        }

    @contextmanager
    def counting_for(self, user: User, snapshot: Snapshot) -> Iterator[None]:
        """Meanwhile numbers are taken for the rows of `user`, of sequences of another catalogue too.

        Nobody else runs in this session meanwhile: it is altering a table.
        """
        self._for = (user, snapshot)
        try:
            yield
        finally:
            self._for = None

    def retreat(self) -> None:
        """The INSERT that was last is not done: its numbers are for the next who ask for some."""
        self._spare = [*self._given, *self._spare]
        self._given.clear()

    def _begin(self) -> None:
        """A quick INSERT takes its numbers from here on."""
        self._given.clear()
        self._quick = True

    def _end(self) -> None:
        self._quick = False

    def forget(self) -> None:
        """DISCARD SEQUENCES."""
        self._had.clear()
        self._last = None

    # ------------------------------------------------------------------ what functions ask for

    def _nextval(self, oid: int) -> int:
        sql = self._sql
        sequence, place = self._found(oid, _TAKE)
        transaction = sql.transaction
        if transaction is None:
            number = self._quickly(sequence, place)
        else:
            if not sequence.temporary:
                transaction.check_writable("nextval()")
            counter = self._counter(sequence, place)
            spare = self._spared(place, counter) if self._spare else None
            number = counter.next(sequence) if spare is None else spare
            if self._quick:
                self._given.append(_Given(place, counter.begun, counter.taken, number))
            if not counter.is_covered and not sequence.temporary:
                transaction.numbering(sql.database.counters).taken[counter] = sequence
        self._had[place] = number
        self._last = place
        return number

    def _quickly(self, sequence: NumberSequence, place: Place) -> int:
        counter = self._sql.database.counters.counter(sequence, place[0])
        if counter.taken >= counter.covered:
            raise NotQuickError  # A transaction has the record with it that covers the next ones.
        number = counter.next(sequence)
        self._given.append(_Given(place, counter.begun, counter.taken, number))
        return number

    def _spared(self, place: Place, counter: Counter) -> int | None:
        """A number that a quick INSERT took and did not use; None when there is none.

        Where another has been given since it is lost, as PostgreSQL's is: numbers do not come late.
        """
        here = [one for one in self._spare if one.place == place]
        if not here:
            return None
        if (counter.begun, counter.taken) != (here[-1].begun, max(one.taken for one in here)):
            self._spare = [one for one in self._spare if one.place != place]
            return None
        self._spare.remove(here[0])
        return here[0].number

    def _currval(self, oid: int) -> int:
        sequence, place = self._found(oid, _LOOK)
        had = self._had.get(place)
        if had is None:
            raise ObjectNotInPrerequisiteStateError(
                f'currval of sequence "{sequence.name}" is not yet defined in this session'
            )
        return had

    def _lastval(self) -> int:
        place = self._last
        if place is None or place[1] not in self._sql.snapshot.sequences:
            raise ObjectNotInPrerequisiteStateError("lastval is not yet defined in this session")
        self._found(place[1], _LOOK)
        return self._had[place]

    def _setval(self, oid: int, number: int, called: bool = True) -> int:
        sql = self._sql
        sequence, place = self._found(oid, _SET)
        transaction = sql.transaction
        if transaction is None:
            raise NotQuickError
        if not sequence.temporary:
            transaction.check_writable("setval()")
        if not sequence.minimum <= number <= sequence.maximum:
            raise NumericValueOutOfRangeError(
                f'setval: value {number} is out of bounds for sequence "{sequence.name}" '
                f"({sequence.minimum}..{sequence.maximum})"
            )
        counter = self._counter(sequence, place)
        counter.set(number, called=called)
        if not sequence.temporary:
            transaction.numbering(sql.database.counters).taken[counter] = sequence
        if called:
            self._had[place] = number
        return number

    def _last_value(self, oid: int) -> int | None:
        sequence, place = self._found(oid, ("USAGE", "SELECT"))
        counter = self._counter(sequence, place)
        return counter.last if counter.called else None

    def _state(self, oid: int) -> tuple[int, int, bool]:
        """(last_value, log_cnt, is_called), as `SELECT * FROM sequence` shows them. Raises 42501."""
        sequence, place = self._found(oid, ("SELECT",))
        counter = self._counter(sequence, place)
        return counter.last, max(0, counter.covered - counter.taken), counter.called

    def described(self) -> Iterator[Row]:
        """The rows of pg_sequences."""
        sql = self._sql
        for s in sql.snapshot.sequences.values():
            if not self._allowed(s, ("USAGE", "SELECT", "UPDATE")):
                continue
            owner = sql.database.store.user_by_id(s.owner)
            counter = self._counter(s, self._place(s))
            yield (
                s.namespace,
                s.name,
                None if owner is None else owner.name,
                s.type.oid,
                *(s.start, s.minimum, s.maximum, s.increment, s.cycle, s.cache),
                counter.last if counter.called else None,
            )

    # ------------------------------------------------------------------ finding them

    def _found(self, oid: int, privileges: tuple[str, ...]) -> tuple[NumberSequence, Place]:
        """The sequence, and what it counts for now. Raises 42P01, 42809, 42501."""
        user, snapshot = self._for or (self._sql.user, self._sql.snapshot)
        sequence = snapshot.sequences.get(oid)
        if sequence is None:
            relation = snapshot.tables.get(oid) or snapshot.views.get(oid)
            if relation is not None:
                raise WrongObjectTypeError(f'"{relation.name}" is not a sequence')
            raise UndefinedTableError(f"could not open relation with OID {oid}")
        if self._for is None and not self._allowed(sequence, privileges):
            raise InsufficientPrivilegeError(f"permission denied for sequence {sequence.name}")
        at = self._sql.database.counted_at(sequence, snapshot, user)
        return sequence, (at, oid)

    def _allowed(self, sequence: NumberSequence, privileges: tuple[str, ...]) -> bool:
        owner: Table | None = None
        if sequence.owned_by is not None:
            owner = self._sql.snapshot.tables.get(sequence.owned_by[0])
        return sequence_allows(self._sql.user, privileges, sequence, owner)

    def _counter(self, sequence: NumberSequence, place: Place) -> Counter:
        """What counts for this transaction: one that it has restarted is its own until it commits."""
        transaction = self._sql.transaction
        if transaction is not None and transaction.numbers is not None:
            own = transaction.numbers.restarted.get(place)
            if own is not None:
                return own[0]
        return self._sql.database.counters.counter(sequence, place[0])

    # ------------------------------------------------------------------ what definitions mean

    def restart(self, sequence: NumberSequence, number: int, user: User | None = None) -> None:
        """The next number is `number`, for everybody when the transaction commits.

        user: for whom, where it counts for each; None is who asks.
        """
        self._take_over(sequence, number, called=False, user=user)

    def altered(
        self, before: NumberSequence, after: NumberSequence, options: SequenceOptions
    ) -> None:
        """ALTER SEQUENCE: RESTART, and a number that stays when it counts elsewhere than before."""
        number = restarted_at(after, options)
        if number is not None:
            self.restart(after, number)
            return
        check_within("RESTART", self._counter(before, self._place(before)).last, after)
        if before.owned_by != after.owned_by:
            old = self._counter(before, self._place(before))
            self._take_over(after, old.last, called=old.called)

    def restart_of(self, table: Table, user: User) -> None:
        """TRUNCATE … RESTART IDENTITY of a user's tablet of a table."""
        for sequence in self._sql.snapshot.sequences_of(table.id):
            self.restart(sequence, sequence.start, user)

    def _place(self, sequence: NumberSequence, user: User | None = None) -> Place:
        sql = self._sql
        return sql.database.counted_at(sequence, sql.snapshot, user or sql.user), sequence.id

    def _take_over(
        self, sequence: NumberSequence, last: int, *, called: bool, user: User | None = None
    ) -> None:
        transaction = self._sql.begin_implicit()
        place = self._place(sequence, user)
        counters = self._sql.database.counters
        shared = counters.counter(sequence, place[0])
        own = Counter(shared.key, last, called=called)
        own.set(last, called=called)
        own.begun = shared.begun + 1
        transaction.numbering(counters)
        transaction.restart(sequence, place, own)
