"""Choose how to answer a bound statement.

From fastest to most general: constants, one row by key, hot rows in Python, the catalogue in sqlite, and
everything else in an engine. A closure that cannot be compiled, or any clause that a faster plan does not
know, means the next one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeAlias

from catalog.errors import FeatureNotSupportedError
from catalog.indexes import indexes_of
from catalog.model import Table, TableKind
from kalam_pg.interpreter.program import compiled
from kalam_pg.interpreter.sorting import Bounds, order_of
from kalam_pg.query.among import among
from kalam_pg.query.aside import LARGE_NODES
from kalam_pg.query.change import plan_change
from kalam_pg.query.constant_plan import ConstantPlan
from kalam_pg.query.counting import plan_count
from kalam_pg.query.deleted_rows import deleted_relations
from kalam_pg.query.engine_plan import CatalogPlan, EnginePlan, TablelessPlan
from kalam_pg.query.filtered_count import plan_filtered_count
from kalam_pg.query.first_rows import plan_first
from kalam_pg.query.index_definitions import IndexDefinition
from kalam_pg.query.indexed import Along, Indexed, newest, plain_slots
from kalam_pg.query.insert import InsertPlan, plan_insert
from kalam_pg.query.key_range import KeyRange
from kalam_pg.query.local.plan import LocalPlan
from kalam_pg.query.locking import plan_locking
from kalam_pg.query.merge import plan_merge
from kalam_pg.query.numbered import NumberedPlan, split
from kalam_pg.query.parted import PartedPlan, PlannedPart, WholePlan
from kalam_pg.query.predicates import (
    comparisons,
    conjuncts,
    equalities,
    is_constant,
    key_lookup,
)
from kalam_pg.query.program_plan import ProgramPlan, RunCatalog
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.select import HotPlan, PointPlan, SelectPlan
from kalam_pg.query.unique_lookup import unique_lookup
from kalam_pg.query.waiting import WaitingPlan, is_waiting, waits
from kalam_pg.sql.parts import take_parts
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import (
    BoolKind,
    BoolOp,
    Bound,
    ColumnRef,
    Delete,
    Dml,
    Expr,
    FunctionScan,
    Insert,
    Merge,
    Query,
    Select,
    SetOp,
    TableScan,
    Update,
    ValuesQuery,
    VirtualScan,
)
from kalam_pg.sql.walk import extent, walk

Plan: TypeAlias = WholePlan | PartedPlan


class Planner:
    """Plans for one catalog snapshot. `rules` compiles (and remembers) a table's row rules."""

    def __init__(self, rules: Callable[[Table], RowRules], run_catalog: RunCatalog) -> None:
        self._rules = rules
        self._run_catalog = run_catalog

    def plan(self, bound: Bound) -> Plan:
        """The plan of a bound statement. Raises 0A000 for what no plan can do."""
        rest, parts = take_parts(bound)
        plan = self._whole(rest)
        if not parts:
            return plan
        if isinstance(plan, InsertPlan):
            # What its parts give are parameters behind the client's own.
            own = [one for one in plan.fixed if one[1] < len(bound.param_types)]
            plan = replace(plan, fixed=tuple(own))
        planned = [
            PlannedPart(self._whole(p.statement), p.form, p.name, p.statement) for p in parts
        ]
        return PartedPlan(len(bound.param_types), tuple(planned), plan, rest, bound.tag or "SELECT")

    def _whole(self, statement: Query | Dml) -> WholePlan:
        match statement:
            case Insert():
                if statement.with_ and not isinstance(statement.source, tuple):
                    # What else could name its items has become a part of its own.
                    with_ = (*statement.with_, *statement.source.with_)
                    source = replace(statement.source, with_=with_)
                    statement = replace(statement, source=source)
                return plan_insert(statement, self._rules(statement.table), self._select)
            case Update() | Delete():
                if deleted_relations(walk(statement)) & _changed(statement):
                    raise FeatureNotSupportedError("deleted rows cannot be changed")
                return plan_change(statement, self._rules(statement.table), self._select)
            case Merge():
                if statement.target in deleted_relations(walk(statement)):
                    raise FeatureNotSupportedError("deleted rows cannot be changed")
                return plan_merge(statement, self._rules(statement.table), self._select)
            case _:
                return self._select(statement)

    def _select(self, query: Query) -> SelectPlan:
        constant = _constant_plan(query, lambda: self._program(query))
        if constant is not None:
            return constant
        parts = split(query) if isinstance(query, Select) else None
        if isinstance(query, Select) and parts is not None:
            return NumberedPlan(query.columns, self._select(parts.inner), parts, _bounds(query))
        scans = list(walk(query))
        stored = [node for node in scans if isinstance(node, TableScan)]
        virtual = any(isinstance(node, VirtualScan) for node in scans)
        if virtual and stored:
            return self._mixed(query)
        if isinstance(query, Select) and query.locking and stored:
            if deleted_relations(scans):
                raise FeatureNotSupportedError("deleted rows cannot be locked")
            return plan_locking(
                query, lambda scan: self._rules(scan.table), self._select, _bounds(query)
            )
        if virtual:
            return CatalogPlan(query.columns, query, self._run_catalog)
        deleted = deleted_relations(scans)
        if deleted:
            program = self._program(query)
            if program is not None:
                program = replace(program, deleted=deleted)
            return EnginePlan(query.columns, query, program, deleted)
        if stored:
            counted = plan_count(query)
            if counted is not None:
                return counted
            point = self._point_plan(query) if isinstance(query, Select) else None
            if point is not None:
                return point
        general = self._general(query, stored=bool(stored))
        if stored and isinstance(query, Select):
            filtered = partial(plan_filtered_count, query, general, self._indexes)
            return self._hot_plan(query, general) or filtered() or general
        return general

    def _indexes(self, table: Table) -> Sequence[IndexDefinition]:
        return self._rules(table).indexes

    def _program(self, query: Query) -> ProgramPlan | None:
        """The query as a program in a worker, with the same closures."""
        program = compiled(query)
        if program is None:
            return None
        return ProgramPlan(query.columns, query, program, self._run_catalog)

    def _mixed(self, query: Query) -> SelectPlan:
        """Stored tables and catalogue relations together."""
        program = None if isinstance(query, Select) and query.locking else compiled(query)
        if program is None:
            raise FeatureNotSupportedError(
                "a query of this form cannot read both stored tables and the system catalogs"
            )
        return ProgramPlan(query.columns, query, program, self._run_catalog)

    def _general(self, query: Query, *, stored: bool) -> SelectPlan:
        """By an engine, or by a program: in this process where rows are few. stored: it reads tables."""
        columns = query.columns
        program = compiled(query)
        size = _size(query)
        as_program: ProgramPlan | None = None
        if program is not None:
            large = size > LARGE_NODES
            as_program = ProgramPlan(columns, query, program, self._run_catalog, large=large)
        engine = EnginePlan(columns, query, as_program, size=size)
        plan: SelectPlan = engine
        if not stored:
            here = CatalogPlan(columns, query, self._run_catalog)
            plan = TablelessPlan(columns, query, engine, here)
        if program is None or program.size > SMALL_NODES:
            return plan  # A question is not small whose text is not.
        return LocalPlan(columns, query, program, plan)

    def _point_plan(self, query: Select) -> SelectPlan | None:
        scan = _only_table(query)
        if scan is None:
            return None
        key = key_lookup(query.where, scan.table, scan.relation)
        if key is None:
            return None
        try:
            return PointPlan(
                query.columns,
                scan.table,
                self._rules(scan.table),
                tuple(compile_expr(value, _column) for value in key.values),
                _all(key.rest),
                tuple(compile_expr(item.expr, _column) for item in query.targets),
                _bounds(query),
                lambda: self._general(query, stored=True),
            )
        except FeatureNotSupportedError:
            return None

    def _hot_plan(self, query: Select, general: SelectPlan) -> SelectPlan | None:
        scan = _only_table(query)
        if scan is None:
            return None
        try:
            targets = tuple(compile_expr(item.expr, _column) for item in query.targets)
            bounds = _bounds(query)
            equals = tuple(
                (at, compile_expr(value, _column))
                for at, value in equalities(query.where, scan.table, scan.relation)
            )
            indexed = _indexed(query, scan)
            listed = None
            if indexed is None:
                listed = among(query.where, scan.table, scan.relation)
            where = None if query.where is None else compile_expr(query.where, _column)
            return HotPlan(
                query.columns,
                scan.table,
                where,
                tuple(order_of(key, compile_expr(key.expr, _column)) for key in query.order_by),
                targets,
                bounds,
                _newest_by(query, scan),
                equals,
                indexed,
                newest(scan.table, query.columns, targets, bounds, equals, indexed),
                plain_slots(targets, query.columns, len(scan.table.columns)),
                plan_first(query, scan, where, self._indexes(scan.table)),
                general,
                _declared(scan.table),
                listed,
                None if indexed is not None or listed is not None else _key_range(query, scan),
                unique_lookup(self._rules(scan.table), equals, len(conjuncts(query.where))),
            )
        except FeatureNotSupportedError:
            return None


def _changed(statement: Update | Delete) -> set[int]:
    """The relations that a data change reads beside each other: its target, and those of FROM or USING."""
    items = statement.from_ if isinstance(statement, Update) else statement.using
    scans = (node for item in items for node in walk(item) if isinstance(node, TableScan))
    return {statement.target, *(scan.relation for scan in scans)}


def _column(reference: ColumnRef) -> int:
    if reference.outer:
        raise FeatureNotSupportedError("a correlated reference needs an engine")
    return reference.column


def _only_table(query: Select) -> TableScan | None:
    """The one table of a query that just filters, sorts and projects its rows."""
    if len(query.from_) != 1 or not isinstance(query.from_[0], TableScan):
        return None
    if query.grouped or query.distinct or query.distinct_on or query.with_:
        return None
    if query.group_by or query.having is not None or query.locking:
        return None
    return query.from_[0]


def _all(parts: tuple[Expr, ...]) -> Closure | None:
    if not parts:
        return None
    if len(parts) == 1:
        return compile_expr(parts[0], _column)
    return compile_expr(BoolOp(BoolKind.AND, parts, parts[0].type), _column)


def _bounds(query: Select | ValuesQuery) -> Bounds:
    for bound in (query.limit, query.offset):
        if bound is not None and not is_constant(bound):
            raise FeatureNotSupportedError("LIMIT and OFFSET of this form need an engine")
    return Bounds(
        None if query.limit is None else compile_expr(query.limit, _column),
        None if query.offset is None else compile_expr(query.offset, _column),
    )


def _newest_by(query: Select, scan: TableScan) -> int | None:
    """Position of the one column that the query orders by, newest first; -1 for `_seq`."""
    if len(query.order_by) != 1:
        return None
    key = query.order_by[0]
    if not key.descending or not isinstance(key.expr, ColumnRef):
        return None
    at = key.expr.column
    if at == len(scan.table.columns):
        return -1
    if at > len(scan.table.columns):
        return None
    # NULLs come first in a descending order; a column that may hold them is not in order.
    return at


def _declared(table: Table) -> frozenset[int]:
    """The columns that an index begins with, by their places."""
    led = {index.keys[0].column for index, _ in indexes_of(table)}
    return frozenset([at for at, column in enumerate(table.columns) if column.id in led])


def _indexed(query: Select, scan: TableScan) -> Indexed | None:
    """How an index would answer the query, which names a value for some column."""
    table, relation = scan.table, scan.relation
    found = equalities(query.where, table, relation)
    if not found:
        return None
    along = _along(query, scan)
    compared: tuple[tuple[str, Expr], ...] = ()
    if along is not None and along.position is not None:
        compared = comparisons(query.where, table, relation, along.position)
    parts = len(conjuncts(query.where))
    return Indexed(
        along,
        *_bounded(compared),
        exact=len(found) == 1 and parts == 1 + len(compared),
        ordered=along is not None and len(query.order_by) <= 1,
    )


_Bounds: TypeAlias = tuple[tuple[Closure, bool], ...]


def _bounded(compared: Sequence[tuple[str, Expr]]) -> tuple[_Bounds, _Bounds]:
    """(lows, highs) of `Indexed`."""
    return (
        tuple((compile_expr(e, _column), op == ">") for op, e in compared if op[0] == ">"),
        tuple((compile_expr(e, _column), op == "<=") for op, e in compared if op[0] == "<"),
    )


def _key_range(query: Select, scan: TableScan) -> KeyRange | None:
    """How the query is answered along the table's key: it asks for a part of it, or for its beginning."""
    table = scan.table
    first = table.layout.key[0]
    if table.kind is TableKind.STREAM or table.hidden_key:
        return None
    if table.columns[first].type.key_kind != "int":
        return None
    compared = comparisons(query.where, table, scan.relation, first)
    by = _along(query, scan) if query.order_by else None
    along = by if by is not None and by.position == first else None
    from_first = along is not None and not along.descending and query.limit is not None
    if not compared and not from_first:
        return None
    lows, highs = _bounded(compared)
    # Without an order any will do; rows with equal firsts of several key columns may come as they like.
    ordered = not query.order_by or (along is not None and len(query.order_by) == 1)
    return KeyRange(Indexed(along, lows, highs, exact=False, ordered=ordered))


def _along(query: Select, scan: TableScan) -> Along | None:
    """The order that an index can give: the ORDER BY's first column, or that of writing without one."""
    if not query.order_by:
        return Along(None, descending=False)
    key = query.order_by[0]
    width = len(scan.table.columns)
    if not isinstance(key.expr, ColumnRef) or key.expr.column > width:
        return None
    if key.expr.column == width:  # `_seq`
        return Along(None, key.descending)
    if scan.table.columns[key.expr.column].type.key_kind != "int":
        return None
    return Along(key.expr.column, key.descending)


def _awaited(query: Select) -> Closure | None:
    """The call that is all that FROM has, if it is of a function that waits."""
    item = query.from_[0] if len(query.from_) == 1 else None
    if not isinstance(item, FunctionScan) or item.ordinality or not is_waiting(item.call):
        return None
    if query.order_by or query.locking or query.group_by:
        return None
    return compile_expr(item.call, _column)


def _constant_plan(query: Query, program: Callable[[], ProgramPlan | None]) -> SelectPlan | None:
    """A query that reads no relation at all. program: it in a worker, for where it takes long."""
    try:
        if isinstance(query, ValuesQuery):
            if query.order_by or query.with_:
                return None
            lines = query.rows
            return ConstantPlan(
                query.columns,
                tuple(tuple(compile_expr(e, _column) for e in line) for line in lines),
                None,
                _bounds(query),
                program,
            )
        if not isinstance(query, Select) or query.grouped or query.with_:
            return None
        awaited = _awaited(query)
        if query.from_ and awaited is None:
            return None
        if query.distinct or query.distinct_on or query.having is not None:
            return None
        targets = tuple(compile_expr(item.expr, _column) for item in query.targets)
        where = None if query.where is None else compile_expr(query.where, _column)
        if awaited is not None or any(waits(item.expr) for item in query.targets):
            return WaitingPlan(query.columns, targets, where, _bounds(query), awaited)
        return ConstantPlan(query.columns, (targets,), where, _bounds(query), program)
    except FeatureNotSupportedError:
        return None


def _size(query: Query) -> int:
    """What it takes to emit a query, in nodes: each level of queries looks at all that is in it."""
    levels = sum([node.__class__ in _QUERIES for node in walk(query)])
    return extent(query) * (1 + levels // LEVELS_AT_ONCE)


SMALL_NODES: Final = 600
"""A question with more is none that is answered here."""

LEVELS_AT_ONCE: Final = 4
"""Queries in a query that make looking at all of it cost as much again."""

_QUERIES: Final = (Select, SetOp, ValuesQuery)
