"""What a statement runs with, and what it answers."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from catalog.errors import QueryCanceledError
from catalog.model import Table, User
from kalam_pg.engines.request import EngineQuery, Limits
from kalam_pg.functions.cost import BUDGET_US
from kalam_pg.functions.table import EvalContext
from kalam_pg.memory import STEP, Holding
from kalam_pg.query.engine_answer import EngineAnswer, Reserve
from kalam_pg.query.locks.waits import Patience
from kalam_pg.query.net_change import NetChange
from kalam_pg.query.noting import note_everything
from kalam_pg.query.row_source import Gathered, RowSource
from kalam_pg.query.shared_reads import Taker
from kalam_pg.query.transaction import READ_COMMITTED, Transaction
from kalam_pg.query.waits import STRIDE, Deadline, Steps
from kalam_pg.rows.copying import CopyWriter
from kalam_pg.rows.form import RowForm
from kalam_pg.sql.tree import OutputColumn
from storage.ids import TabletId
from storage.layout import Row
from storage.log.view import Version, View
from storage.stream import StreamTablet, empty
from storage.tablet import Tablet

if TYPE_CHECKING:
    from kalam_pg.query.copy_in import CopyIn
    from kalam_pg.query.database import Database


class Closable(Protocol):
    """What an execution can own."""

    def close(self) -> None:
        """Stop, and free what it holds. Again is no error."""


C = TypeVar("C", bound=Closable)

_NOTHING: Mapping[tuple[TabletId, bytes], Version | None] = {}


@dataclass(slots=True)
class Result:
    """A statement's answer. Few rows are in `rows`, or as DataRow messages in `messages`.

    What may be long is pulled: rows from `source`, messages from `stream` or, with others, from `shared`.
    Messages only when the execution says how (`form`). tag: the command tag without its count. count: rows
    returned or changed; None: as many as are pulled, or the tag is bare. execution: what must stay open until
    the answer has been read, None when all of it is here; whoever reads it calls `close`. copy: how the rows
    are written where they are those of COPY TO, which is no result with columns. copy_in: where the rows go
    that the client is to send (COPY FROM). binary: of a BINARY cursor, for who says no format himself.
    """

    tag: str
    count: int | None = None
    columns: tuple[OutputColumn, ...] = ()
    rows: Sequence[Row] = ()
    source: RowSource | None = None
    stream: EngineAnswer | None = None
    shared: Taker | None = None
    messages: bytes | None = None
    execution: "Execution | None" = None
    copy: CopyWriter | None = None
    copy_in: "CopyIn | None" = None
    binary: bool = False

    @classmethod
    def of(
        cls,
        tag: str,
        columns: tuple[OutputColumn, ...],
        source: RowSource,
        count: int | None = None,
    ) -> "Result":
        """The rows of a source: at once, when all are there. count: None is as many as there are."""
        rows = source.there
        if rows is None:
            return cls(tag, count, columns, source=source)
        return cls(tag, len(rows) if count is None else count, columns, rows)

    @property
    def open(self) -> bool:
        """Whether its rows are yet to come."""
        return (
            self.source is not None
            or self.stream is not None
            or self.shared is not None
            or self.copy_in is not None
        )

    def close(self) -> None:
        """Nobody reads on. Again is no error."""
        if self.source is not None:
            self.source.close()
        if self.execution is not None:
            self.execution.close()

    @property
    def command_tag(self) -> str:
        """As CommandComplete has it."""
        return self.tag if self.count is None else self.tag_of(self.count)

    def tag_of(self, count: int) -> str:
        """The same of so many rows."""
        return f"INSERT 0 {count}" if self.tag == "INSERT" else f"{self.tag} {count}"


Event = Callable[["Execution"], Steps[None]]
"""Something that changed rows ask for."""


class Execution:
    """One run of one statement: who, in which transaction, with which parameters.

    The view is taken when it is first asked for: at READ COMMITTED each statement has its own, above that
    the transaction's. It is given back, and what is owned is closed, by `close`: when the statement has
    run, or when its answer has been read (`Result.close`), or with the transaction.
    """

    __slots__ = (
        "_deadline",
        "_newer",
        "_owned",
        "_seen",
        "_view",
        "cold",
        "context",
        "database",
        "declared",
        "events",
        "form",
        "transaction",
        "user",
    )

    def __init__(
        self,
        database: "Database",
        transaction: Transaction,
        user: User,
        context: EvalContext,
        *,
        form: RowForm | None = None,
        statement_timeout_s: float = 0.0,
    ) -> None:
        self.database = database
        self.transaction = transaction
        self.user = user
        self.context = context
        self.form = form
        self.cold: Mapping[tuple[TabletId, bytes], Version | None] = _NOTHING
        """Rows of keys that this transaction has locked, read before they are asked for (`read_ahead`)."""
        self.events: dict[Hashable, Event] = {}
        """What is asked for at the end of the statement, by what tells equal questions."""
        self.declared = False
        """Whether a SERIALIZABLE transaction knows what is read; else it is everything in each tablet."""
        self._deadline = Deadline(statement_timeout_s) if statement_timeout_s else None
        self._view: View | None = None
        self._newer: dict[int, View] = {}
        self._owned: list[Closable] = []
        self._seen: dict[TabletId, dict[bytes, NetChange]] | None = None

    @property
    def statement_timeout_s(self) -> float:
        """What is left of the statement's time in seconds; 0: there is no limit."""
        return 0.0 if self._deadline is None else self._deadline.left_s

    def check_time(self) -> None:
        """Raise 57014 when the statement's time is over: for who has sent much without a wait."""
        if self._deadline is not None and self._deadline.is_over:
            raise QueryCanceledError("canceling statement due to statement timeout")

    @property
    def in_process(self) -> bool:
        """Whether this process may answer questions that an engine could (a setting of the session)."""
        return self.context.setting("kalam.in_process_queries") != "off"

    def patience(self) -> Patience:
        """How long to wait for a lock."""
        lock_timeout_ms = float(self.context.setting("lock_timeout_ms") or 0)
        return Patience(lock_timeout_ms / 1000.0, self.statement_timeout_s)

    @property
    def view(self) -> View:
        """What this statement sees."""
        view = self._view
        if view is None:
            transaction = self.transaction
            if transaction.isolation == READ_COMMITTED:
                view = self._view = self.database.engine.acquire()
            else:
                if transaction.view is None:
                    transaction.view = self.database.engine.acquire()
                view = transaction.view
        return view

    def view_of(self, table: int) -> View:
        """What this statement sees of the table with that id, or whose rows lie under it."""
        return self._newer.get(table) or self.view

    def look_again(self, tables: Iterable[Table]) -> None:
        """See of these tables what has been committed since: some of their rows were locked and are not
        what was found. At READ COMMITTED, before anything was told or changed.
        """
        for one in {number for table in tables for number in (table.id, table.storage_id)}:
            older = self._newer.pop(one, None)
            if older is not None:
                older.release()
            self._newer[one] = self.database.engine.acquire()

    def keep_seeing(self) -> None:
        """From now on none of what the transaction changes is seen: it is this statement that does."""
        changes = self.transaction.changes
        self._seen = {tablet: dict(changed) for tablet, changed in changes.items()}

    def own_changes(self, tablet: TabletId) -> dict[bytes, NetChange] | None:
        """What the transaction has changed of a tablet, as far as this statement sees it."""
        seen = self.transaction.changes if self._seen is None else self._seen
        return seen.get(tablet)

    def own_change(self, tablet: TabletId, key: bytes) -> NetChange | None:
        """The transaction's change of a key, if this statement sees one."""
        changes = self.own_changes(tablet)
        return None if changes is None else changes.get(key)

    def changed(self, tablet: TabletId, key: bytes) -> bool:
        """Whether another part of this statement has changed a key already."""
        if self._seen is None:
            return False
        return self.transaction.change_of(tablet, key) is not self.own_change(tablet, key)

    def ask(self, query: EngineQuery, reserve: Reserve | None = None) -> EngineAnswer:
        """The answer of an engine, which is closed with this execution if not before.

        reserve: what to ask if the engine finds that it cannot run the query.
        """
        # Without a limit of its own: the time of a statement is up while it waits, not while it does not.
        limits = Limits(0.0, self.database.worker_memory_bytes, self.payer, self.answers)
        size = 0 if query.program is None else len(query.program.query)
        lease = self.answers.lease(size) if size > STEP else None
        return self.own(EngineAnswer(self.database.query_engine, query, limits, reserve, lease))

    @property
    def payer(self) -> int:
        """The user whose share of workers and threads it takes: who logged in, whoever that acts as."""
        return self.transaction.memory.user or self.user.id

    @property
    def answers(self) -> Holding:
        """What its session holds of what workers are asked, and answer."""
        return self.transaction.memory.beside("answers")

    def own(self, thing: C) -> C:
        """Close it with this execution, whatever becomes of the statement."""
        self._owned.append(thing)
        return thing

    def taken(self, source: RowSource, limit: int = STRIDE) -> Steps[Sequence[Row]]:
        """The next rows, as `RowSource.take_rows`."""
        return source.take_rows(limit, user=self.payer, timeout_s=self.statement_timeout_s)

    def gathered(self) -> Gathered:
        """Rows that the statement makes before it may tell any."""
        return self.own(Gathered(self.database.spills))

    def answer(self, steps: Steps[Result]) -> Steps[Result]:
        """What the steps answer. This execution ends with them, or when rows that are yet to come were
        read, but with the transaction at the latest.
        """
        try:
            result = yield from steps
            yield from self.settle()
        except BaseException:
            self.close()
            raise
        if result.open:
            result.execution = self
            self.transaction.reading.add(self)
        else:
            self.close()
        return result

    def settle(self) -> Steps[None]:
        """Do what the statement's changes ask for, and what that asks for."""
        if not self.events:
            return
        # A dict looks for its first entry among all that were taken out of it: ever longer.
        events = self.events = OrderedDict(self.events)
        while events:
            _, event = events.popitem(last=False)
            yield from event(self)

    def go_on(self, statement_timeout_s: float) -> None:
        """Another statement reads on (FETCH, Execute), in a time of its own; 0 is no limit."""
        self._deadline = Deadline(statement_timeout_s) if statement_timeout_s else None
        self.context.left_us = BUDGET_US

    def keep_context(self) -> None:
        """Its rows may be computed while other statements run, which are given the session's context."""
        self.context = copy(self.context)

    def close(self) -> None:
        """Give the statement's view back, and what it owns. Again is no error."""
        if self._owned:
            self.transaction.reading.discard(self)
            for thing in self._owned:
                thing.close()
            self._owned.clear()
        if self._newer:
            for view in self._newer.values():
                view.release()
            self._newer.clear()
        if self._view is not None:
            self._view.release()
            self._view = None

    def tablet(self, table: Table) -> Tablet | StreamTablet:
        """The tablet that this user's name for the table means, as the transaction has left all of it."""
        return self.tablet_of(table, self.user)

    def tablet_of(self, table: Table, user: User) -> Tablet | StreamTablet:
        """The same for a user whose rows must follow others."""
        tablet = self.database.tablet(table, user)
        if self.transaction.reads is not None and not self.declared:
            note_everything(self, table, user)
        loads, emptied = self.transaction.loads, self.transaction.emptied
        if loads and (loaded := loads.get(tablet.id)) is not None:
            return loaded.reading.reading(table.layout)
        return empty(tablet.id, table.layout) if emptied and tablet.id in emptied else tablet
