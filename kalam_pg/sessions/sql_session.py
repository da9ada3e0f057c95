"""One user's conversation with the database, whatever carries it: settings, transaction, statements.

The wire session (`wire.session`) and the in-process API (`kalam_pg.embed`) both drive this. It is
written in steps (`query.waits`): a statement that need not wait runs in one piece.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias

from catalog.errors import InFailedSqlTransactionError, NoActiveSqlTransactionError
from catalog.model import Role, User
from catalog.snapshot import SYSTEM_SCHEMAS, Snapshot
from catalog.types.table import PgType, TypeContext
from kalam_pg.functions.cost import BUDGET_US
from kalam_pg.functions.table import EvalContext
from kalam_pg.jobs.job_list import Jobs
from kalam_pg.live.channels import Listener
from kalam_pg.live.subscription import Subscription
from kalam_pg.pgwire.notices import Notice, is_told
from kalam_pg.query import leaving, moved, outcome, populated
from kalam_pg.query.database import Database
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.live_rows import LiveRows
from kalam_pg.query.locks.advisory import AdvisoryLocks
from kalam_pg.query.prepare import Planned, StatementCache
from kalam_pg.query.temporary import Temporary
from kalam_pg.query.transaction import READ_COMMITTED, Transaction
from kalam_pg.query.waits import Steps, breathe, wait
from kalam_pg.query.written import commit_bytes
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions import (
    acting,
    bulk,
    characteristics,
    committing,
    following,
    listening,
    streams,
    temporary,
)
from kalam_pg.sessions.portals import Portals
from kalam_pg.sessions.prepared import PreparedStatements
from kalam_pg.sessions.reading_time import ReadingTime
from kalam_pg.sessions.run_before import RUN_FUNCTIONS
from kalam_pg.sessions.sequences import SessionSequences
from kalam_pg.sessions.session_functions import session_functions
from kalam_pg.sessions.settings import Settings
from kalam_pg.sessions.validity import Validity
from kalam_pg.sql import statements as st
from kalam_pg.sql.statements import QueryStatement
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Value

TransactionStatus: TypeAlias = Literal["I", "T", "E"]
"""ReadyForQuery's letter."""


class SqlSession:
    """Settings, effective user, transaction and statements of one session.

    user: whose rows and rights count now; session_user: who SET ROLE returns to; login_user: who
    authenticated. notices: what to tell the client before the next answer. prepared: statements by name,
    made by Parse or PREPARE; "" is the protocol's unnamed one. end: ends this session. process: the
    number by which others know it. acted_for: the users it has been, by name. portals: of Bind and
    DECLARE. text: the one that runs. ears: how its carrier is told what it did not ask for; None: it
    cannot be, or it has closed. listener: what it listens to and has not taken yet; None: it listens to
    nothing. temporary: its own tables, views and sequences; None: there are none. closed: it has
    ended. account: what it holds of the server's memory. functions_deep: of functions that run inside
    others. services: functions that need more than values, by name; the session's owner adds its own.
    """

    def __init__(
        self,
        database: Database,
        cache: StatementCache,
        jobs: Jobs,
        user: User,
        settings: Settings,
    ) -> None:
        self.database = database
        self.process = 0
        self.jobs = jobs
        self.cache = cache
        self.login_user = user
        self.session_user = user
        self.user = user
        self.settings = settings
        self.transaction: Transaction | None = None
        self.notices: list[Notice] = []
        self.account = database.accounts.open(user.id)
        self.prepared = PreparedStatements(self.account.holding("prepared statements"))
        self.portals = Portals(self.account.holding("portals"))
        self.text, self.reading = "", ReadingTime()
        self.ears: listening.Ears | None = None
        self.listener: Listener | None = None
        self.subscriptions: dict[str, Subscription] = {}
        """By channel."""
        self.following: dict[LiveRows, None] = {}
        """Subscriptions that are read as rows."""
        self.advisory: AdvisoryLocks | None = None
        """The advisory locks that it has; None: it has asked for none."""
        self.acted_for = {user.name: user}
        self.end: Callable[[str], None] = lambda _reason: None
        self.temporary: Temporary | None = None
        self.closed, self.functions_deep = False, 0
        self._savepoints: list[tuple[str, int]] = []
        """The settings' marks at the transaction's savepoints, in their order."""
        self._context = EvalContext()
        self.sequences = SessionSequences(self)
        self.services: dict[str, Callable[..., Value]] = session_functions(self)
        self._context_of: Validity | None = None
        settings.force("session_authorization", user.name)
        self.become(user)
        database.sessions.add(self)

    # -------------------------------------------------------------------------- who and how

    def become(self, user: User) -> None:
        """Act as `user` from now on; `sessions.acting` says when, and what undoes it."""
        self.user = user
        high = user.role.rank >= Role.DBA.rank
        self.settings.force("is_superuser", "on" if high else "off")

    def begin_implicit(self) -> Transaction:
        """The transaction; a statement outside a block begins one, which ends with it."""
        if self.transaction is None:
            self.transaction = self.new_transaction()
        return self.transaction

    @property
    def search_path(self) -> tuple[str, ...]:
        """Schemas to look names up in; "$user" is the effective user's name."""
        own = self.temporary
        return self.named_path if own is None else own.path(self.named_path)

    @property
    def named_path(self) -> tuple[str, ...]:
        """Those of them that the setting names: new things go to the first that is there."""
        path = self.settings.search_path
        if "$user" in path:
            path = tuple([self.user.name if name == "$user" else name for name in path])
        return path if self.temporary is None else self.temporary.named(path)

    @property
    def snapshot(self) -> Snapshot:
        """The catalog this session's next statement binds against."""
        transaction = self.transaction
        if transaction is not None:
            if transaction.definitions is not None or transaction.temporary is not None:
                return transaction.snapshot_over(self.database.catalog)
        elif self.temporary is not None:
            return self.temporary.over(self.database.catalog)
        return self.database.catalog

    def context(self, params: Sequence[Value] = ()) -> EvalContext:
        """What expressions may ask, brought up to date for one statement."""
        context = self._current_context()
        transaction = self.transaction
        context.params = params
        context.left_us, context.once = BUDGET_US, {}
        context.now_us = self.database.now_us() if transaction is None else transaction.started_us
        # Outside a block the transaction began with the statement.
        in_block = transaction is not None and transaction.block
        context.statement_us = self.database.now_us() if in_block else context.now_us
        return context

    def forget_values(self) -> None:
        """Between statements: what the last was given, or computed once, is held by whoever still reads."""
        context = self._context
        context.params, context.once = (), {}

    def _current_context(self) -> EvalContext:
        if self._context_of is None or not self._context_of.holds(self):
            self._context_of = Validity(self)
            self._context = self._new_context(self.snapshot)
        return self._context

    def _new_context(self, snapshot: Snapshot) -> EvalContext:
        """A context for these settings and this catalog, with the names that this user may see."""
        context = EvalContext(
            user=self.user.name,
            session_user=self.session_user.name,
            search_path=tuple(
                name
                for name in self.search_path
                if name in snapshot.namespaces or name in SYSTEM_SCHEMAS
            ),
            types=self.settings.types,
            next_snowflake=self.database.engine.next_snowflake,
            setting=self._setting,
            services=self.services,
        )
        catalogue = self.database.catalogue
        if catalogue is None:
            return context
        return catalogue.perspective(snapshot, self.user, self.search_path).bind(context)

    def types_for(self, types: Iterable[PgType]) -> TypeContext:
        """How values of these types are read and written; only regclass and its like need names."""
        named = any(type_.names_objects for type_ in types)
        return (self._current_context() if named else self.settings).types

    def row_form(self, columns: tuple[OutputColumn, ...], formats: tuple[int, ...] = ()) -> RowForm:
        """How rows of these columns are sent now. formats: one for each column; () is all text."""
        return RowForm(columns, formats, self.types_for([column.type for column in columns]))

    def _setting(self, name: str) -> str | None:
        if name == "lock_timeout_ms":
            return self.settings["lock_timeout"]
        return self.settings.get(name)

    def notice(
        self,
        message: str,
        *,
        severity: str = "NOTICE",
        sqlstate: str = "00000",
        detail: str = "",
    ) -> None:
        """Tell the client something beside the answer, if it wants to know."""
        if is_told(severity, self.settings["client_min_messages"]):
            self.notices.append(Notice(message, severity, sqlstate, detail))

    # -------------------------------------------------------------------------- statements

    def plan(self, statement: QueryStatement, param_types: Sequence[PgType | None] = ()) -> Planned:
        """The plan of a query or data change, as this session's names and settings make it."""
        transaction = self.transaction
        started_us = transaction.started_us if transaction is not None else self.database.now_us()
        return self.cache.plan(
            statement,
            self.snapshot,
            self.search_path,
            self.settings.types,
            param_types,
            now_us=started_us,
            cached=not self.has_definitions,
        )

    @property
    def has_definitions(self) -> bool:
        """Whether the transaction has defined something: it has names of its own."""
        return self.transaction is not None and self.transaction.definitions is not None

    def run_planned(
        self, planned: Planned, params: Sequence[Value] = (), *, form: RowForm | None = None
    ) -> Steps[Result]:
        """Run a plan in the current transaction, its tables being locked (`sessions.table_locks`)."""
        transaction = self.begin_implicit()
        transaction.check_usable()
        planned.check(self.user, transaction, len(params))
        params = (yield from RUN_FUNCTIONS[0](self, planned, params)) if planned.runs else params
        x = self.execution(params, form)
        if form is None and planned.columns:
            x.keep_context()
        transaction.queried = True
        if transaction.reads is not None:
            planned.reading.note(x)
        if planned.moved and transaction.isolation != READ_COMMITTED:
            moved.check(x, planned.moved)
        steps = bulk.steps(self, planned, x)
        if planned.materialized:
            steps = populated.then(x, planned.materialized, steps)
        return (yield from x.answer(steps))

    def execution(self, params: Sequence[Value], form: RowForm | None = None) -> Execution:
        """A run of a statement by this session's user, in its transaction, as its settings have it."""
        return Execution(
            self.database,
            self.begin_implicit(),
            self.user,
            self.context(params),
            form=form,
            statement_timeout_s=self.reading.run_s(self.settings["statement_timeout"]),
        )

    # -------------------------------------------------------------------------- transactions

    def new_transaction(self) -> Transaction:
        """A transaction with the session's defaults."""
        settings = self.settings
        transaction = Transaction(self.database.now_us())
        transaction.process = self.process
        transaction.partner = self.advisory
        transaction.temporary = self.temporary
        transaction.memory = self.account.holding("changed rows")
        isolation = settings["default_transaction_isolation"]
        if isolation != READ_COMMITTED:
            transaction.isolate(characteristics.level_of(isolation))
        transaction.read_only = settings["default_transaction_read_only"] == "on"
        transaction.deferrable = settings["default_transaction_deferrable"] == "on"
        return transaction

    @property
    def status(self) -> TransactionStatus:
        """ReadyForQuery's letter: I idle, T in a block, E in a failed block."""
        transaction = self.transaction
        if transaction is None or not transaction.block:
            return "I"
        return "E" if transaction.failed else "T"

    def begin(self, statement: st.Begin) -> None:
        """BEGIN: a warning inside a block, else the implicit transaction becomes one."""
        transaction = self.transaction
        if transaction is not None and transaction.block:
            self.notice(
                "there is already a transaction in progress", severity="WARNING", sqlstate="25001"
            )
        elif transaction is None:
            transaction = self.transaction = self.new_transaction()
        if statement.isolation:
            characteristics.isolate(self, statement.isolation)
        if statement.read_only is not None:
            characteristics.set_read_only(self, read_only=statement.read_only)
        if statement.deferrable is not None:
            characteristics.set_deferrable(self, deferrable=statement.deferrable)
        transaction.block = True  # last, so that a BEGIN that fails leaves no block
        characteristics.show(self, transaction)

    def require_block(self, command: str) -> Transaction:
        """The open block. Raises 25P01 outside one."""
        transaction = self.transaction
        if transaction is None or not transaction.block:
            raise NoActiveSqlTransactionError(f"{command} can only be used in transaction blocks")
        return transaction

    def commit(self) -> Steps[bool]:
        """End the transaction and make it last. False when it had failed and was rolled back.

        Raises:
            SerializationError, DiskFullError …: nothing of it was kept.
        """
        transaction = self.transaction
        if transaction is None:
            return True
        if transaction.failed:
            self.rollback()
            return False
        if (
            transaction.deferred
            or transaction.loads
            or transaction.temporary is not None
            or transaction.definitions is not None
            or transaction.reads is not None
            or self.portals
        ):
            try:
                yield from committing.prepare(self, transaction)
            except BaseException:
                self.rollback()
                raise
        if transaction.writes_nothing:
            outcome.commit_nothing(self.database, transaction, self._ended)
            return True
        try:
            lease = self.account.holding("commit").lease(commit_bytes(transaction))
        except BaseException:
            self.rollback()
            raise
        try:
            made = yield from committing.writes(self, transaction)
            sync = self.settings["synchronous_commit"] != "off"
            yield from wait(
                outcome.Commit(self.database, transaction, sync=sync, ended=self._ended, made=made)
            )
        finally:
            lease.end()
        return True

    def rollback(self) -> None:
        """Drop everything the transaction did; what is being committed goes its own way."""
        transaction = self.transaction
        if transaction is not None:
            outcome.rollback(self.database, transaction, self._ended)

    def _ended(self, transaction: Transaction, committed: bool) -> None:
        """The transaction has ended: what that means to this session."""
        assert self.transaction is transaction, "a session has one at a time"
        self.transaction = None
        if transaction.block:
            self.settings.end_block()
        self._savepoints.clear()
        if transaction.temporary is not None:
            temporary.ended(self, transaction, committed=committed)
        if self.advisory is not None:
            self.advisory.rollback()
        if self.portals:
            if committed:
                self.portals.commit()
            else:
                self.portals.rollback()
        if self.settings.mark():
            if committed:
                self.settings.commit()
            else:
                self.settings.rollback()
            acting.derive(self)
        if transaction.channels is not None or self.subscriptions or self.following:
            streams.ended(self, transaction, committed=committed)
        if committed:
            listening.ended(self, transaction, committed=True)

    @property
    def savepoints_deep(self) -> int:
        """How many savepoints there are now."""
        return len(self._savepoints)

    def savepoint(self, name: str, *, inside: bool = False) -> None:
        """SAVEPOINT. inside: a statement's own, which needs no block. Raises 25P01."""
        self._savepoints_of("SAVEPOINT", inside=inside).savepoint(name)
        self._savepoints.append((name, self.settings.mark()))

    def _savepoints_of(self, command: str, *, inside: bool) -> Transaction:
        return self.begin_implicit() if inside else self.require_block(command)

    def release(self, name: str, *, inside: bool = False) -> None:
        """RELEASE SAVEPOINT. Raises 25P01, 3B001."""
        self._savepoints_of("RELEASE SAVEPOINT", inside=inside).release(name)
        while self._savepoints.pop()[0] != name:
            pass
        self.portals.release(len(self._savepoints) + 1)
        if self.advisory is not None:
            self.advisory.release(len(self._savepoints) + 1)

    def rollback_to(self, name: str, *, inside: bool = False) -> Steps[None]:
        """ROLLBACK TO SAVEPOINT: settings and role too. Raises 25P01, 3B001."""
        transaction = self._savepoints_of("ROLLBACK TO SAVEPOINT", inside=inside)
        while transaction.rollback_some(name, leaving.AT_ONCE):
            yield from breathe()
        while len(transaction.held) - transaction.locks_mark > leaving.AT_ONCE:
            self.database.locks.release_to(transaction, len(transaction.held) - leaving.AT_ONCE)
            yield from breathe()
        transaction.rollback_to(name)
        self.database.locks.release_to(transaction, transaction.locks_mark)
        while self._savepoints[-1][0] != name:
            self._savepoints.pop()
        self.portals.rollback(len(self._savepoints))
        if self.advisory is not None:
            self.advisory.rollback(len(self._savepoints))
        self.settings.rollback(self._savepoints[-1][1])
        acting.derive(self)

    def fail(self) -> None:
        """A statement raised: an implicit transaction is rolled back, a block waits for ROLLBACK."""
        transaction = self.transaction
        if transaction is None or transaction.ending:
            return
        if transaction.block:
            transaction.fail()
            self.portals.fail(len(self._savepoints))
            # What can only be undone now keeps nobody waiting until the client has noticed.
            leaving.fail(self.database, transaction)
            if self.advisory is not None:
                self.advisory.rollback(len(self._savepoints))
        else:
            self.rollback()

    def check_usable(self) -> None:
        """Raise 25P02 in a failed block."""
        if self.transaction is not None and self.transaction.failed:
            raise InFailedSqlTransactionError(
                "current transaction is aborted, commands ignored until end of transaction block"
            )

    def close(self) -> None:
        """The session ends: an open transaction is rolled back."""
        self.database.sessions.discard(self)
        self.closed = True
        self.portals.drop_all()
        self.rollback()
        if self.temporary is not None:
            temporary.close(self)
        self.prepared.clear()
        if self.advisory is not None:
            self.advisory.close()
        listening.close(self)
        streams.close(self)
        following.close(self)
        self.account.close()
        self.ears = None
