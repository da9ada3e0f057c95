"""Rows that several ask for are read and encoded once, for all who ask while the rows are what they are.

After a cut a thousand clients subscribe to one table at once, each with the same query. The first that comes
to it has a `SharedRead` made, and the others take its pieces. A read belongs to nobody: it ends when nobody
takes it any more, whoever asked first. It is as of one commit. When its tablet has a later one, who comes
then has a read made of its own, and those that are under way go on.

What needs no wait is made at once. Of all others `AT_ONCE` are made at a time; who waits in line is told
nothing yet, and what a commit has changed meanwhile is looked at again.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Hashable
from typing import Final

import trio

from catalog.errors import QueryCanceledError
from kalam_pg.failures import known
from kalam_pg.query.pieces import Piece, PieceMemory, Pieces
from kalam_pg.query.row_store import Spills
from kalam_pg.query.waits import Await, Resume, Spawn, Steps, Wait, drive, run_async, wait
from kalam_pg.supervision import failure_of
from storage.engine import Group
from storage.ids import TabletId

AT_ONCE: Final = 4
"""Reads that are made at a time: while the workers have two, two more are made ready."""

MEMORY_BYTES_MAX: Final = 64 << 20
"""Of the pieces of all reads; those that are made beyond it go to files."""

KEPT_BYTES_MAX: Final = 16 << 20
"""Of reads that nobody takes now, and that the next who asks for the same may."""

JOINABLE_BYTES_MAX: Final = 16 << 20
"""A larger read goes on for those who have begun with it: its first pieces are dropped behind them."""

LEAD: Final = 4
"""Pieces that a larger read makes before the first of its takers has come so far."""

_FOR_EVER: Final = 1 << 63

Making = Generator[Wait, None, None]
"""Makes a read: `SharedRead.seen` before it reads anything, then `SharedRead.add` for each piece."""


class SharedRead:
    """Rows of one tablet as of one commit, encoded, piece by piece.

    user: who asked first, and has a turn for it. over: it is all there, or has failed.
    """

    def __init__(
        self,
        reads: "SharedReads",
        key: Hashable,
        tablet: TabletId,
        user: int,
        make: Callable[["SharedRead"], Making],
    ) -> None:
        self.key = key
        self.tablet = tablet
        self.user = user
        self.over = False
        self.pieces = Pieces(reads.memory)
        self._reads = reads
        self._make: Callable[[SharedRead], Making] | None = make
        self._seen: int | None = None
        self._making: Making | None = make(self)  # As far as it was not handed to a task.
        self._first: Wait | None = None  # The wait at which it was left.
        self._is_due = False
        self._spawn: Spawn | None = None
        self._takers: dict[Taker, None] = {}
        self._error: BaseException | None = None
        self._made_more = trio.Event()
        self._had_more = trio.Event()
        self._scope = trio.CancelScope()

    @property
    def seq(self) -> int | None:
        """The commit that its rows are as of; None: that is not settled."""
        return self._seen if self._is_due or self.over else None

    @property
    def joinable(self) -> bool:
        """Whether who comes now may take it."""
        return self.pieces.keeps

    # ------------------------------------------------------------------ for who makes it

    def seen(self, seq: int) -> None:
        """Its rows are those of commit `seq`: nothing later is in it."""
        self._seen = seq
        self._tell()

    def add(self, data: bytes | memoryview, rows: int) -> Steps[None]:
        """One more piece. Waits while nobody has come near it. Raises 53100, 53400."""
        yield from self.pieces.add(data, rows, len(self._takers))
        self._tell()
        if self.pieces.bytes_made > JOINABLE_BYTES_MAX:
            self.part()
            while len(self.pieces) - self._first_at() > LEAD:
                self._reads.wait_no_more_for(self)
                yield from run_async(self._had_more.wait)

    def _first_at(self) -> int:
        return max((taker.at for taker in self._takers), default=0)

    def _tell(self) -> None:
        event, self._made_more = self._made_more, trio.Event()
        event.set()

    # ------------------------------------------------------------------ its course

    def begin(self) -> None:
        """Make it as far as that goes without a wait."""
        making, self._making = self._making, None
        assert making is not None
        try:
            first = next(making)
        except StopIteration:
            self._end(None)
        except Exception as exc:  # noqa: BLE001 -- it is told to who takes it
            self._end(exc)
        else:
            self._making, self._first = making, first

    def changed(self, seq: int) -> None:
        """Commit `seq` has changed its tablet."""
        if self._seen is None or self._seen >= seq:
            return
        if self.seq is not None:
            self.part()
        elif self._making is not None and self._make is not None:
            # It is in line: nobody has been told of what was made of it.
            self._making.close()
            self.pieces.close()
            self.pieces = Pieces(self._reads.memory)
            self._seen = self._first = None
            self._making = self._make(self)

    def go_on(self) -> None:
        """It is its turn: have the rest made in a task, as soon as somebody lends the means."""
        self._is_due = True
        self._tell()
        if self._spawn is not None:
            self.lend(self._spawn)

    def lend(self, spawn: Spawn) -> None:
        """For who waits: the means to go on. Again is no error."""
        making, self._spawn = self._making, spawn
        if self._is_due and making is not None:
            self._making = None

            async def run() -> None:
                await self._run(making)

            spawn(run)

    async def _run(self, rest: Making) -> None:
        error: BaseException | None = QueryCanceledError("canceling statement due to user request")
        try:
            with self._scope:
                await drive(rest, self._first)
                error = None
        except Exception as exc:  # noqa: BLE001 -- as above
            error = failure_of(exc)
        finally:
            rest.close()
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        self.over = True
        self._spawn = self._make = None  # A session's, which may be gone while this is kept.
        self._error = None if error is None else known(error)
        if error is not None:
            self.part()
        self._reads.made(self)
        self._tell()

    def part(self) -> None:
        """Who comes from now on has another one made. Again is no error."""
        if self.joinable:
            self.pieces.keep_no_more()
            self._reads.forget(self)
            if not self._takers:
                self.pieces.close()

    # ------------------------------------------------------------------ for those who take it

    def join(self) -> "Taker":
        """One more who takes it, from its beginning."""
        assert self.joinable
        self.pieces.one_more()
        taker = Taker(self)
        self._takers[taker] = None
        return taker

    def leave(self, taker: "Taker") -> None:
        """For `Taker.close`."""
        del self._takers[taker]
        self.pieces.one_less(taker.at)
        self.had_more()
        if self._takers:
            return
        if not self.over:
            self.part()
            self._stop()
        elif self.joinable:
            self._reads.keep(self)
        else:
            self.pieces.close()

    def _stop(self) -> None:
        """Nobody takes it, and it is not all there."""
        making, self._making = self._making, None
        if making is None:
            self._scope.cancel()
            return
        self._reads.withdraw(self)
        making.close()
        self._end(QueryCanceledError("canceling statement due to user request"))

    def had_more(self) -> None:
        """Somebody has come further, or gone."""
        if not self.joinable:
            event, self._had_more = self._had_more, trio.Event()
            event.set()

    def piece(self, number: int, timeout_s: float) -> Steps[Piece | None]:
        """A piece, once it is there; None behind the last. Raises what the read did, 57014."""
        while number >= len(self.pieces):
            if self._error is not None:
                raise self._error.with_traceback(None)
            if self.over:
                return None
            yield from run_async(self._made_more.wait, timeout_s=timeout_s)
        return (yield from self.pieces.get(number))

    def begun(self, timeout_s: float) -> Steps[int]:
        """Its commit, once it is known. Raises what the read did, 57014."""
        while self.seq is None:
            if self._error is not None:
                raise self._error.with_traceback(None)
            yield from wait(_Begun(self, timeout_s))
        if self._making is not None:
            yield from wait(_Begun(self, timeout_s))
        return self.seq

    async def wait_more(self) -> None:
        """Until more is known of it."""
        if self.seq is None:
            await self._made_more.wait()
        else:
            await trio.lowlevel.checkpoint()


class _Begun(Await):
    """Wait for a read; who waits lends it the means to go on."""

    __slots__ = ("_read",)

    def __init__(self, read: SharedRead, timeout_s: float) -> None:
        super().__init__(read.wait_more, timeout_s=timeout_s)
        self._read = read

    def start(self, resume: Resume, spawn: Spawn) -> None:
        self._read.lend(spawn)
        super().start(resume, spawn)


class Taker:
    """One who takes a read, at its own pace. at: so many pieces have been taken and made use of."""

    __slots__ = ("_closed", "_has", "_read", "at")

    def __init__(self, read: SharedRead) -> None:
        self.at = 0
        self._read = read
        self._has = False
        self._closed = False

    def begun(self, timeout_s: float) -> Steps[int]:
        """The commit that the rows are as of, once it is known."""
        return (yield from self._read.begun(timeout_s))

    @property
    def is_there(self) -> bool:
        """Whether all of it is: nobody makes it any more."""
        return self._read.over

    def next(self, timeout_s: float) -> Steps[Piece | None]:
        """The next piece, the one before having been made use of; None: that was the last."""
        if self._has:
            self._has = False
            self._read.pieces.one_less(self.at, self.at + 1)
            self.at += 1
            self._read.had_more()
        piece = yield from self._read.piece(self.at, timeout_s)
        self._has = piece is not None
        return piece

    def close(self) -> None:
        """It wants no more. Again is no error."""
        if not self._closed:
            self._closed = True
            self._read.leave(self)


class SharedReads:
    """The reads that are made or may be taken. Used from the event loop alone."""

    def __init__(self, spills: Spills) -> None:
        self.memory = PieceMemory(spills, MEMORY_BYTES_MAX)
        self._joinable: dict[Hashable, SharedRead] = {}
        self._by_tablet: dict[TabletId, dict[SharedRead, None]] = {}
        self._being_made: set[SharedRead] = set()
        self._in_line: OrderedDict[int, deque[SharedRead]] = OrderedDict()
        self._kept: OrderedDict[SharedRead, None] = OrderedDict()
        self._kept_bytes = 0

    def ask(
        self,
        key: Hashable,
        tablet: TabletId,
        user: int,
        make: Callable[[SharedRead], Making],
    ) -> Taker:
        """Take the read of that key, which is made now or when it is its turn unless there is one.

        key: what tells that two reads of one tablet are the same. tablet: whose rows they are.
        """
        read = self._joinable.get(key)
        if read is not None:
            self._use_again(read)
            return read.join()
        read = self._joinable[key] = SharedRead(self, key, tablet, user, make)
        self._by_tablet.setdefault(tablet, {})[read] = None
        taker = read.join()
        read.begin()
        if read.over:
            return taker
        if len(self._being_made) < AT_ONCE:
            self._being_made.add(read)
            read.go_on()
        else:
            self._in_line.setdefault(user, deque()).append(read)
        return taker

    def made(self, read: SharedRead) -> None:
        """For `SharedRead`: it is over."""
        self.wait_no_more_for(read)

    def wait_no_more_for(self, read: SharedRead) -> None:
        """For `SharedRead`: the next may be made, whatever becomes of this one. Again is no error."""
        self._being_made.discard(read)
        while self._in_line and len(self._being_made) < AT_ONCE:
            user, reads = self._in_line.popitem(last=False)
            next_one = reads.popleft()
            if reads:
                self._in_line[user] = reads  # Behind the other users.
            self._being_made.add(next_one)
            next_one.go_on()

    def withdraw(self, read: SharedRead) -> None:
        """For `SharedRead`: nobody wants it, who may be in line."""
        reads = self._in_line.get(read.user)
        if reads is not None and read in reads:
            reads.remove(read)
            if not reads:
                del self._in_line[read.user]

    # ------------------------------------------------------------------ who may take what

    def keep(self, read: SharedRead) -> None:
        """For `SharedRead`: nobody takes it now, and it is all there."""
        size = read.pieces.bytes_made
        if size > KEPT_BYTES_MAX or not read.pieces.in_memory:
            read.part()
            return
        self._kept[read] = None
        self._kept_bytes += size
        while self._kept_bytes > KEPT_BYTES_MAX:
            next(iter(self._kept)).part()

    def _use_again(self, read: SharedRead) -> None:
        if read in self._kept:
            del self._kept[read]
            self._kept_bytes -= read.pieces.bytes_made

    def forget(self, read: SharedRead) -> None:
        """For `SharedRead`: nobody may take it any more who has not begun."""
        self._use_again(read)
        del self._joinable[read.key]
        reads = self._by_tablet[read.tablet]
        del reads[read]
        if not reads:
            del self._by_tablet[read.tablet]

    def published(self, group: Group) -> None:
        """Commits are visible: what was read of their tablets before is not what they are now."""
        if self._by_tablet:
            for write_set in group.sets:
                changed = [write.tablet for write in write_set.writes]
                for tablet in (*changed, *[load.id for load in write_set.loads]):
                    for read in tuple(self._by_tablet.get(tablet, ())):
                        read.changed(write_set.seq)

    def forget_all(self) -> None:
        """Nobody knows what has changed: who comes now has reads made anew."""
        for read in tuple(self._joinable.values()):
            read.changed(_FOR_EVER)
