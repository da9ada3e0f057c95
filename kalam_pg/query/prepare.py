"""From SQL text to a plan, remembered by exact text.

Parsing a one-row INSERT costs some 250 µs and binding as much again, the rest of its way 25: so a text is
parsed once, and planned once for each catalog version, search path and set of declared parameter types. A
plan holds no user: which tablets it reads is decided when it runs, and whether its user may is asked then.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import trio

from catalog.errors import FeatureNotSupportedError, UndefinedParameterError
from catalog.functions import Function
from catalog.model import Table, User
from catalog.privileges import Action, check_execute, check_table
from catalog.snapshot import Snapshot
from catalog.types.table import PgType, TypeContext
from kalam_pg.functions.table import EvalContext
from kalam_pg.live.filter import LiveQuery, compile_query, snapshot_query
from kalam_pg.query import last_numbers
from kalam_pg.query.explain import ExplainingPlanner, Queries
from kalam_pg.query.foreign_keys import RunPlan
from kalam_pg.query.locking import LockingPlan
from kalam_pg.query.locks.modes import ROW_EXCLUSIVE, ROW_SHARE, Mode
from kalam_pg.query.lru import Lru, cost
from kalam_pg.query.parted import DataChange, PartedPlan, WholePlan
from kalam_pg.query.perspective import virtual_columns
from kalam_pg.query.plan import Plan, Planner
from kalam_pg.query.program_plan import RunCatalog
from kalam_pg.query.reading import Reading
from kalam_pg.query.rules import RowRules, compile_rules
from kalam_pg.query.transaction import Transaction
from kalam_pg.sql.bind import BindScope, bind
from kalam_pg.sql.folding import raising
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import QueryStatement, Statement
from kalam_pg.sql.to_python import evaluate
from kalam_pg.sql.tree import (
    Bound,
    ColumnRef,
    Dml,
    Expr,
    FunctionRun,
    Insert,
    Merge,
    OutputColumn,
    Query,
    Select,
    TableScan,
)
from kalam_pg.sql.unused_outputs import without_unused
from kalam_pg.sql.walk import walk

ENTRIES_MAX = 4096
_MOVING_LITERAL = re.compile(r"'\s*(?:now|today|tomorrow|yesterday)\b", re.IGNORECASE)
"""A literal that means another time at each statement: its value must not be kept in a plan."""

CACHED_TEXT_BYTES_MAX = 16_384
"""Longer texts are bulk inserts that will not come again: keeping them would cost, not save."""


CACHE_BYTES_MAX = 48 << 20
"""About what the parsed texts may hold in memory, and the plans as much again (`cost`)."""


REST_S = 25.0
"""What is used less often than that is not kept at any price."""

RESTING_BYTES = 4 << 20
"""So much of it is: some 300 texts, and as many plans."""

FORGOTTEN_AT_ONCE = 50
"""10 000 objects or so, which takes a millisecond."""

OWN_ENTRIES_MAX = 256
OWN_BYTES_MAX = 2 << 20
"""The same of one session that has a catalogue of its own."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A query or data change, ready to run with parameters.

    needs: what its user must be allowed; () for a statement on USER tables alone, which all may.
    writes: whether it changes data. locks: the tables that must be locked before it runs, and how.
    reading: what a SERIALIZABLE transaction remembers of it.
    reads: the stored tables that it reads or changes: as long as its transaction lasts none is altered.
    materialized: the materialized views among them, which have to be populated when it runs; moved: those
    that an older snapshot has not where they are (`query.moved`). functions: those that people made and it
    calls. runs: what it calls before, in order. raising: a constant in it that has no value, which
    PostgreSQL finds when it plans.
    """

    plan: Plan
    columns: tuple[OutputColumn, ...]
    param_types: tuple[PgType, ...]
    needs: tuple[tuple[Table, Action], ...]
    command: str
    writes: bool
    locks: tuple[tuple[int, Mode], ...]
    reading: Reading
    reads: tuple[int, ...] = ()
    materialized: tuple[Table, ...] = ()
    moved: tuple[Table, ...] = ()
    functions: tuple[Function, ...] = ()
    runs: tuple[FunctionRun, ...] = ()
    raising: Expr | None = None

    def check(
        self, user: User, transaction: Transaction, given: int, *, executed: bool = True
    ) -> None:
        """Raise 42P02, 25006 or 42501 unless `user` may run it there with so many parameters, or what one of
        its constants raises.

        executed: False when it is only explained, which a read-only transaction allows.
        """
        if given < len(self.param_types):
            raise UndefinedParameterError(f"there is no parameter ${given + 1}")
        if self.raising is not None:
            evaluate(self.raising, EvalContext())
        if executed and self.writes:
            transaction.check_writable(self.command)
        for table, action in self.needs:
            check_table(user, action, table)
        for function in self.functions:
            check_execute(user, function)


@dataclass(frozen=True, slots=True)
class PlannedSubscription:
    """A subscription: how its changes are seen, and the plan of its snapshot.

    columns: of the snapshot's rows, `_seq` last.
    """

    query: LiveQuery
    plan: Plan
    columns: tuple[OutputColumn, ...]
    param_types: tuple[PgType, ...]


@dataclass(frozen=True, slots=True)
class ExplainedSubscription:
    """What EXPLAIN shows of a subscription. rows: the query of its snapshot."""

    planned: PlannedSubscription
    rows: Select
    queries: Queries


class StatementCache:
    """Parsed texts and plans, shared by all sessions."""

    def __init__(
        self,
        run_catalog: RunCatalog,
        entries: int = ENTRIES_MAX,
        bytes_max: int = CACHE_BYTES_MAX,
    ) -> None:
        """Keep up to `entries` parsed texts and as many plans."""
        self._run_catalog = run_catalog
        self._parsed: Lru[str, tuple[Statement, ...]] = Lru(entries, bytes_max)
        self._plans: Lru[object, Planned] = Lru(entries, bytes_max)
        self._subscriptions: Lru[object, PlannedSubscription] = Lru(entries, bytes_max)
        self._rules: dict[int, RowRules] = {}
        self._rules_of: Snapshot | None = None
        self.shared = self
        """The one whose plans all sessions share."""

    def own(self) -> "StatementCache":
        """One for a session whose catalogue is its own: texts are shared, plans are not."""
        made = StatementCache(self._run_catalog, OWN_ENTRIES_MAX, OWN_BYTES_MAX)
        made._parsed = self._parsed
        made.shared = self.shared
        return made

    def knows(self, text: str) -> bool:
        """Whether a text was parsed already, so that `statements` costs nothing."""
        return text in self._parsed

    async def rest(self) -> None:
        """Forget what nobody has used for one to two periods, beyond `RESTING_BYTES`; this begins a period.

        One statement after another lies among what sessions had prepared: a few that nobody needs keep the
        memory of many.
        """
        for cache in (self._parsed, self._plans, self._subscriptions):
            cache.next_period()
            while cache.forget_unused(FORGOTTEN_AT_ONCE, RESTING_BYTES):
                await trio.lowlevel.checkpoint()

    def statements(self, text: str) -> tuple[Statement, ...]:
        """The statements of a text. Raises 42601, 54001."""
        found = self._parsed.get(text)
        if found is None:
            found = tuple(parse(text))
            if len(text) <= CACHED_TEXT_BYTES_MAX:
                self._parsed.put(text, found, cost(text))
        return found

    def plan(
        self,
        statement: QueryStatement,
        snapshot: Snapshot,
        search_path: tuple[str, ...],
        types: TypeContext,
        param_types: Sequence[PgType | None] = (),
        *,
        now_us: int,
        cached: bool = True,
    ) -> Planned:
        """The plan of a query or data change. Raises what binding and planning raise.

        cached: False for a snapshot that is a transaction's own. now_us: what 'now' means in a literal.
        """
        if _MOVING_LITERAL.search(statement.text):
            cached, types = False, replace(types, now_us=now_us)
        key = _key(statement, snapshot, search_path, types, param_types)
        found = self._plans.get(key) if cached else None
        if found is None:
            found = self._make(statement, snapshot, search_path, types, param_types)
            if cached and len(statement.text) <= CACHED_TEXT_BYTES_MAX:
                self._plans.put(key, found, cost(statement.text))
        return found

    def scope(
        self,
        snapshot: Snapshot,
        search_path: tuple[str, ...],
        types: TypeContext,
        param_types: Sequence[PgType | None] = (),
    ) -> BindScope:
        """The names that a statement may use."""
        return BindScope(snapshot, search_path, virtual_columns, param_types, types)

    def rules(self, table: Table, snapshot: Snapshot) -> RowRules:
        """A table's compiled row rules."""
        if self._rules_of is not snapshot:
            self._rules, self._rules_of = {}, snapshot
        found = self._rules.get(table.id)
        if found is None or found.table is not table:
            path = (table.namespace, "public")
            scope = self.scope(snapshot, path, TypeContext())
            found = compile_rules(table, scope, snapshot, partial(self._run_text, snapshot))
            self._rules[table.id] = found
        return found

    def _run_text(self, snapshot: Snapshot, text: str) -> RunPlan:
        """What runs a statement of our own."""
        (statement,) = parse(text)
        assert isinstance(statement, QueryStatement)
        return self._make(statement, snapshot, (), TypeContext(), ()).plan.run

    def _make(
        self,
        statement: QueryStatement,
        snapshot: Snapshot,
        search_path: tuple[str, ...],
        types: TypeContext,
        param_types: Sequence[PgType | None],
    ) -> Planned:
        scope = self.scope(snapshot, search_path, types, param_types)
        return self._planned_in(statement, snapshot, scope)

    def _planned_in(
        self, statement: QueryStatement, snapshot: Snapshot, scope: BindScope
    ) -> Planned:
        written = bind(statement, scope)
        failing = raising(written, scope.types) if written.early else None
        bound = last_numbers.settled(without_unused(written), statement.text)
        planner = Planner(lambda table: self.rules(table, snapshot), self._run_catalog)
        return _planned(statement, bound, planner.plan(bound), failing)

    def of_function(
        self,
        statement: QueryStatement,
        snapshot: Snapshot,
        scope: BindScope,
    ) -> Planned:
        """The plan of a statement in the body of a function. scope: what names and $n mean there."""
        return self._planned_in(statement, snapshot, scope)

    def explained(
        self,
        statement: QueryStatement,
        snapshot: Snapshot,
        search_path: tuple[str, ...],
        types: TypeContext,
        param_types: Sequence[PgType | None] = (),
    ) -> tuple[Planned, Bound, Queries]:
        """A plan made anew, with what it was made of. Raises as `plan`."""
        scope = self.scope(snapshot, search_path, types, param_types)
        written = bind(statement, scope)
        failing = raising(written, types) if written.early else None
        bound = without_unused(written)
        planner = ExplainingPlanner(lambda table: self.rules(table, snapshot), self._run_catalog)
        return _planned(statement, bound, planner.plan(bound), failing), bound, planner.queries

    def subscription(
        self,
        statement: QueryStatement,
        snapshot: Snapshot,
        search_path: tuple[str, ...],
        types: TypeContext,
        param_types: Sequence[PgType | None] = (),
        *,
        now_us: int,
        cached: bool = True,
        last_rows: int | None = None,
        keyed: bool = False,
    ) -> PlannedSubscription:
        """A subscription's query, compiled and planned. Raises what binding and `compile_query` raise.

        cached, now_us: see `plan`. last_rows, keyed: see `snapshot_query`.
        """
        cached = cached and _MOVING_LITERAL.search(statement.text) is None
        names = _key(statement, snapshot, search_path, types, param_types)
        key = (*names, last_rows, keyed)
        found = self._subscriptions.get(key) if cached else None
        if found is None:
            planner = Planner(lambda table: self.rules(table, snapshot), self._run_catalog)
            scope = self.scope(snapshot, search_path, replace(types, now_us=now_us), param_types)
            found = _subscription(statement, scope, planner, last_rows, keyed=keyed)[0]
            if cached and len(statement.text) <= CACHED_TEXT_BYTES_MAX:
                self._subscriptions.put(key, found, cost(statement.text))
        return found

    def explained_subscription(
        self,
        statement: QueryStatement,
        snapshot: Snapshot,
        search_path: tuple[str, ...],
        types: TypeContext,
        param_types: Sequence[PgType | None] = (),
        *,
        now_us: int,
        last_rows: int | None = None,
    ) -> ExplainedSubscription:
        """As `subscription`, with what it was made of."""
        planner = ExplainingPlanner(lambda table: self.rules(table, snapshot), self._run_catalog)
        scope = self.scope(snapshot, search_path, replace(types, now_us=now_us), param_types)
        planned, rows = _subscription(statement, scope, planner, last_rows, keyed=False)
        return ExplainedSubscription(planned, rows, planner.queries)


def _key(
    statement: QueryStatement,
    snapshot: Snapshot,
    search_path: tuple[str, ...],
    types: TypeContext,
    param_types: Sequence[PgType | None],
) -> tuple[object, ...]:
    """What a plan depends on."""
    return (
        statement.text,
        snapshot.version,
        search_path,
        types.timezone_name,
        types.date_order,
        types.interval_style,
        tuple([None if t is None else t.oid for t in param_types]),
    )


def _subscription(
    statement: QueryStatement,
    scope: BindScope,
    planner: Planner,
    last_rows: int | None,
    *,
    keyed: bool,
) -> tuple[PlannedSubscription, Select]:
    """A subscription, and the query of its snapshot."""
    bound = bind(statement, scope)
    if bound.changes:
        raise FeatureNotSupportedError("a subscription cannot change data")
    query = compile_query(bound.statement)
    if query.table.temporary:
        raise FeatureNotSupportedError(f'cannot subscribe to temporary table "{query.table.name}"')
    rows = snapshot_query(bound.statement, last_rows, keyed=keyed)
    plan = planner.plan(replace(bound, statement=rows, columns=rows.columns))
    return PlannedSubscription(query, plan, rows.columns, bound.param_types), rows


def _planned(statement: QueryStatement, bound: Bound, plan: Plan, failing: Expr | None) -> Planned:
    return Planned(
        plan,
        bound.columns,
        bound.param_types,
        _needs(bound, plan),
        statement.kind.upper(),
        any(isinstance(whole, DataChange) and not whole.table.temporary for whole in _wholes(plan)),
        tuple(dict.fromkeys(lock for whole in _wholes(plan) for lock in _locks(whole))),
        Reading(bound),
        tuple(dict.fromkeys([table.id for table in bound.tables])),
        tuple([table for table in bound.tables if table.materialized is not None]),
        tuple([table for table in bound.tables if table.stored]),
        bound.functions,
        bound.runs,
        failing,
    )


def _wholes(plan: Plan) -> tuple[WholePlan, ...]:
    """The plans of a statement's parts and of its rest."""
    if isinstance(plan, PartedPlan):
        return (*[part.plan for part in plan.parts], plan.plan)
    return (plan,)


def _locks(plan: WholePlan) -> tuple[tuple[int, Mode], ...]:
    """The tables that a statement changes, or whose rows it locks: these must not go meanwhile."""
    if isinstance(plan, DataChange):
        return ((plan.table.id, ROW_EXCLUSIVE),)
    if isinstance(plan, LockingPlan):
        return tuple([(lock.rules.table.id, ROW_SHARE) for lock in plan.locks])
    return ()


def _needs(bound: Bound, plan: Plan) -> tuple[tuple[Table, Action], ...]:
    """What must be allowed: the statement's own action on its target, SELECT on what it reads."""
    changes = [item.change for item in bound.changes]
    if not isinstance(bound.statement, Query):
        changes.append(bound.statement)
    everything = (bound.statement, *[item.change for item in bound.changes])
    needs: list[tuple[Table, Action]] = []
    for change in changes:
        needs += [(change.table, action) for action in _actions(change)]
    targets = {change.table.id for change in changes}
    needs += [
        (table, Action.SELECT)
        for table in bound.tables
        if table.id not in targets or any(_reads(statement, table) for statement in everything)
    ]
    for whole in _wholes(plan):
        # Who may not change a row may not keep others from changing it.
        if isinstance(whole, LockingPlan):
            needs += [(lock.rules.table, Action.UPDATE) for lock in whole.locks]
    return tuple(needs)


def _actions(change: Dml) -> list[Action]:
    """What a data change does to its table."""
    if isinstance(change, Merge):
        done = dict.fromkeys([when.action.upper() for when in change.whens])
        return [Action[name] for name in done if name != "NOTHING"]
    found = [Action[type(change).__name__.upper()]]
    if isinstance(change, Insert) and change.on_conflict and change.on_conflict.assignments:
        found.append(Action.UPDATE)
    return found


def _reads(statement: Query | Dml, table: Table) -> bool:
    """Whether a statement reads a table: by name, or as what it changes in WHERE, SET, RETURNING."""
    target = -1
    if not isinstance(statement, Query) and statement.table.id == table.id:
        target = statement.target
    return any(
        (isinstance(node, ColumnRef) and node.relation == target)
        or (isinstance(node, TableScan) and node.table.id == table.id)
        for node in walk(statement)
    )


__all__ = ["Planned", "StatementCache"]
