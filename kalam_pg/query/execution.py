"""What a statement runs with, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.model import Table, User
from kalam_pg.engines.request import EngineQuery, Limits
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.engine_answer import EngineAnswer
from kalam_pg.query.locks.waits import Patience
from kalam_pg.query.transaction import READ_COMMITTED, Transaction
from kalam_pg.query.waits import Deadline
from kalam_pg.rows.form import RowForm
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Row
from storage.log.view import View
from storage.stream import StreamTablet
from storage.tablet import Tablet

if TYPE_CHECKING:
    from kalam_pg.query.database import Database


@dataclass(slots=True)
class Result:
    """A statement's answer. Rows are in `rows`, or are DataRow messages in `messages` or from `stream`.

    The latter two only when the execution says how (`form`). tag: the command tag without its count.
    count: rows returned or changed; None leaves the tag bare. execution: what must stay open while the
    answer is read, None when all of it is here; whoever reads it calls `close`.
    """

    tag: str
    count: int | None = None
    columns: tuple[OutputColumn, ...] = ()
    rows: Sequence[Row] = ()
    stream: EngineAnswer | None = None
    messages: bytes | None = None
    execution: "Execution | None" = None

    def close(self) -> None:
        """Nobody reads on. Again is no error."""
        if self.execution is not None:
            self.execution.close()

    @property
    def command_tag(self) -> str:
        """As CommandComplete has it."""
        if self.count is None:
            return self.tag
        return f"INSERT 0 {self.count}" if self.tag == "INSERT" else f"{self.tag} {self.count}"


class Execution:
    """One run of one statement: who, in which transaction, with which parameters.

    The view is taken when it is first asked for: at READ COMMITTED each statement has its own, above that
    the transaction's. It is given back, and engines' answers are closed, by `close`: when the statement
    has run, or when its answer has been read (`Result.close`), or with the transaction.
    """

    __slots__ = (
        "_answers",
        "_deadline",
        "_view",
        "context",
        "database",
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
        self._deadline = Deadline(statement_timeout_s) if statement_timeout_s else None
        self._view: View | None = None
        self._answers: list[EngineAnswer] = []

    @property
    def statement_timeout_s(self) -> float:
        """What is left of the statement's time in seconds; 0: there is no limit."""
        return 0.0 if self._deadline is None else self._deadline.left_s

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

    def ask(self, query: EngineQuery) -> EngineAnswer:
        """The answer of an engine, which is closed with this execution if not before."""
        limits = Limits(self.statement_timeout_s, self.database.worker_memory_bytes)
        answer = EngineAnswer(self.database.query_engine, query, limits)
        self._answers.append(answer)
        return answer

    def keep_open(self) -> None:
        """The answer is read later: until then, but no longer than the transaction."""
        self.transaction.reading.add(self)

    def close(self) -> None:
        """Give the statement's view back, and the workers. Again is no error."""
        if self._answers:
            self.transaction.reading.discard(self)
            for answer in self._answers:
                answer.close()
            self._answers.clear()
        if self._view is not None:
            self._view.release()
            self._view = None

    def tablet(self, table: Table) -> Tablet | StreamTablet:
        """The tablet that this user's name for the table means."""
        return self.database.tablet(table, self.user)
