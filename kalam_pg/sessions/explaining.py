"""EXPLAIN: options read, the plan made and (ANALYZE) run, the answer in PostgreSQL's shape."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from catalog.errors import FeatureNotSupportedError, InvalidParameterValueError
from catalog.types.registry import JSON, TEXT
from catalog.types.table import PgType
from kalam_pg.query import moved, populated
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.explain import Explainer, Queries
from kalam_pg.query.explain_node import Actual, Node, as_json, lines
from kalam_pg.query.parted import DataChange, PartedPlan
from kalam_pg.query.prepare import Planned
from kalam_pg.query.waits import STRIDE, Steps
from kalam_pg.sessions import explaining_live, long_texts, table_locks
from kalam_pg.sessions.nested import counting_from
from kalam_pg.sessions.prepared_arguments import arguments, find
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql import statements as st
from kalam_pg.sql.statements_cursor import DeclareCursor
from kalam_pg.sql.statements_derived import CreateMaterializedView, CreateTableAs
from kalam_pg.sql.statements_live import Subscribe
from kalam_pg.sql.tree import Bound, OutputColumn
from storage.layout import Row, Value

_TEXT = (OutputColumn("QUERY PLAN", TEXT),)
_JSON = (OutputColumn("QUERY PLAN", JSON),)
_NO_PLAN = "Utility statements have no plan structure"
_UNKNOWN = ("costs", "buffers", "settings", "wal")
"""What this server cannot show; saying that it is not wanted is right."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. summary: the planning and execution times."""

    analyze: bool = False
    verbose: bool = False
    timing: bool = True
    summary: bool = False
    json: bool = False


def options(statement: st.Explain) -> Options:
    """The options of an EXPLAIN. Raises 22023, and 0A000 for what cannot be shown."""
    found: dict[str, bool] = {"analyze": statement.analyze}
    as_json_ = False
    for name, value in statement.options:
        if name == "format":
            as_json_ = _format(value)
            continue
        found[name] = value in ("true", "on", "1")
        if name in _UNKNOWN and found[name]:
            raise FeatureNotSupportedError(f"EXPLAIN option {name.upper()} is not supported")
    if found.get("timing") and not statement.analyze:
        raise InvalidParameterValueError("EXPLAIN option TIMING requires ANALYZE")
    return Options(
        analyze=statement.analyze,
        verbose=found.get("verbose", False),
        timing=found.get("timing", True),
        summary=found.get("summary", statement.analyze),
        json=as_json_,
    )


def _format(value: str) -> bool:
    if value in ("xml", "yaml"):
        raise FeatureNotSupportedError(f"EXPLAIN (FORMAT {value.upper()}) is not supported")
    return value == "json"


def prepare(
    sql: SqlSession, statement: st.Explain, declared: Sequence[PgType | None]
) -> tuple[tuple[PgType, ...], tuple[OutputColumn, ...]]:
    """Types of the parameters, and the result's one column. Raises what binding raises."""
    columns = _JSON if options(statement).json else _TEXT
    live_query = _subscription(statement)
    if live_query is not None:
        live = explaining_live.explained(sql, live_query, declared)
        return live.planned.param_types, columns
    if isinstance(statement.statement, st.ExecutePrepared):
        find(sql, statement.statement.name)
        return (), columns
    with counting_from(_inner(statement)):
        planned = sql.plan(_inner(statement), declared)
    return planned.param_types, columns


def run(
    sql: SqlSession, statement: st.Explain, params: Sequence[Value], types: Sequence[PgType]
) -> Steps[Result]:
    """Explain; with ANALYZE run the statement too, with everything that it changes."""
    asked, executed = options(statement), statement.statement
    if isinstance(executed, st.ExecutePrepared):
        prepared = find(sql, executed.name)
        params, types = arguments(sql, executed, prepared), prepared.param_types
        if not isinstance(prepared.statement, st.QueryStatement):
            return Result("EXPLAIN", None, _TEXT, [(_NO_PLAN,)])
        statement = replace(statement, statement=prepared.statement)
    if asked.analyze and isinstance(executed, CreateTableAs | CreateMaterializedView):
        raise FeatureNotSupportedError("EXPLAIN ANALYZE does not support CREATE TABLE AS")
    transaction = sql.begin_implicit()
    transaction.check_usable()
    started = time.perf_counter()
    live_query = _subscription(statement)
    if live_query is not None:
        if asked.analyze:  # It has no end whose time could be told.
            raise FeatureNotSupportedError("EXPLAIN ANALYZE does not support SUBSCRIBE")
        live = explaining_live.node(sql, live_query, params, types, verbose=asked.verbose)
        node = yield from live
        return _answer(asked, node, time.perf_counter() - started, None)
    with counting_from(_inner(statement)):
        inner = _inner(statement)
        planned, bound, queries = yield from long_texts.in_turn(
            sql, inner.text, partial(_explained, sql, inner, types)
        )
        if asked.analyze and planned.runs:
            raise FeatureNotSupportedError(
                "EXPLAIN ANALYZE does not support functions of several statements"
            )
        if asked.analyze and not table_locks.lock_nowait(sql, planned):
            yield from table_locks.wait(sql, lambda: _explained(sql, inner, types)[0])
            planned, bound, queries = _explained(sql, inner, types)
    planning_s = time.perf_counter() - started
    planned.check(sql.user, transaction, len(params), executed=asked.analyze)
    x = sql.execution(params)
    x.declared = transaction.queried = True
    if asked.analyze and transaction.reads is not None:
        planned.reading.note(x)
    try:
        explainer = Explainer(bound.statement, queries, x, verbose=asked.verbose)
        node = yield from explainer.node(planned.plan)
        if not asked.analyze:
            return _answer(asked, node, planning_s, None)
        populated.check(x, planned.materialized)
        moved.check(x, planned.moved)
        started = time.perf_counter()
        returned, changed = yield from _execute(planned, x)
        execution_s = time.perf_counter() - started
        explainer.ran = True
        node = yield from explainer.node(planned.plan)
    finally:
        x.close()
    node = replace(node, actual=Actual(returned, execution_s if asked.timing else None))
    if changed is not None:
        # As in PostgreSQL: the change returns what RETURNING does, the step below what it changed.
        first, *rest = node.children
        node = replace(node, children=(replace(first, actual=Actual(changed, None)), *rest))
    return _answer(asked, node, planning_s, execution_s)


def _explained(
    sql: SqlSession, inner: st.QueryStatement, types: Sequence[PgType]
) -> tuple[Planned, Bound, Queries]:
    return sql.cache.explained(inner, sql.snapshot, sql.search_path, sql.settings.types, types)


def _execute(planned: Planned, x: Execution) -> Steps[tuple[int, int | None]]:
    """Rows returned; and rows changed, None of a query."""
    plan = planned.plan
    whole = plan.plan if isinstance(plan, PartedPlan) else plan
    if isinstance(whole, DataChange):
        result = yield from plan.run(x)
        return (result.count or 0 if whole.returning else 0), result.count
    assert not isinstance(plan, DataChange)
    source, returned = (yield from plan.source(x)), 0
    while found := len((yield from source.take(STRIDE))):
        returned += found
    return returned, None


def _inner(statement: st.Explain) -> st.QueryStatement:
    inner = statement.statement
    if isinstance(inner, CreateTableAs | CreateMaterializedView | DeclareCursor):
        inner = inner.query
    assert isinstance(inner, st.QueryStatement)  # The parser lets nothing else in.
    return inner


def _subscription(statement: st.Explain) -> Subscribe | None:
    inner = statement.statement
    if isinstance(inner, DeclareCursor):
        inner = inner.query
    return inner if isinstance(inner, Subscribe) else None


def _answer(asked: Options, node: Node, planning_s: float, execution_s: float | None) -> Result:
    times: dict[str, float] = {}
    if asked.summary:
        times["Planning Time"] = round(planning_s * 1000, 3)
        if execution_s is not None:
            times["Execution Time"] = round(execution_s * 1000, 3)
    if asked.json:
        text = json.dumps([{"Plan": as_json(node), **times}], indent=2, ensure_ascii=False)
        return Result("EXPLAIN", None, _JSON, [(text,)])
    shown: list[Row] = [(line,) for line in lines(node)]
    shown += [(f"{name}: {ms:.3f} ms",) for name, ms in times.items()]
    return Result("EXPLAIN", None, _TEXT, shown)
