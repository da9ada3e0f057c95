"""Queries as programs: what is read, grouped, sorted and cut, in PostgreSQL's order.

What cannot be done whole and exactly raises FeatureNotSupportedError, and an engine is asked instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from catalog.errors import FeatureNotSupportedError, InvalidRowCountInLimitClauseError
from kalam_pg.functions.pythonkey import python_key
from kalam_pg.interpreter.expressions import Expressions, Program
from kalam_pg.interpreter.from_clause import FromClause
from kalam_pg.interpreter.grouping import Grouped, Groups, after_grouping
from kalam_pg.interpreter.joins import Source
from kalam_pg.interpreter.level import Level
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import Run, spans
from kalam_pg.interpreter.set_operations import (
    SetOperation,
    UnionAll,
    compares,
    first_of_each,
    parts_of,
)
from kalam_pg.interpreter.sets import Expansion, compile_expansion, set_calls
from kalam_pg.interpreter.sorting import Bounds, Order, order_of, places_as_postgresql
from kalam_pg.interpreter.values import Key, kept, keys, row_keys, values
from kalam_pg.interpreter.windows import Windows, compile_windows, window_nodes
from kalam_pg.sql.closures import Constant, Slot
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.datafusion_lateral import outer_columns, relations_of
from kalam_pg.sql.datafusion_state import fingerprint
from kalam_pg.sql.tree import Cte, CteScan, Query, Select, SetOp, ValuesQuery, WithTies
from kalam_pg.sql.walk import walk
from storage.layout import Row, Value


class Queries:
    """Compiles the queries of one statement. ctes: its WITH items.

    widths: how many columns the rows of each table have, by relation.
    """

    def __init__(self, widths: Mapping[int, int]) -> None:
        self._widths = widths
        self.ctes: dict[int, Program] = {}
        self._changing: set[int] = set()

    def compile(self, query: Query, parent: Level | None = None) -> Program:
        """The query as a program. Raises FeatureNotSupportedError."""
        level = Level(0 if parent is None else parent.depth + 1, parent)
        programs = {item.number: self._with(item, level) for item in query.with_}
        program = self._body(query, level)
        again = {number: made for number, made in programs.items() if number in self._changing}
        return WithItems(program, again) if again else program

    def reads_changing(self, query: object) -> bool:
        """See `QueryCompiler`."""
        own = {item.number for node in walk(query) for item in getattr(node, "with_", ())}
        return any(
            isinstance(node, CteScan) and node.cte in self._changing and node.cte not in own
            for node in walk(query)
        )

    def _body(self, query: Query, level: Level) -> Program:
        match query:
            case Select():
                return self._select(query, level)
            case SetOp() if not compares(query):
                parts = [self.compile(part, level) for part in parts_of(query)]
                return self._finished(query, UnionAll(parts), level)
            case SetOp():
                left, right = self.compile(query.left, level), self.compile(query.right, level)
                by = [python_key(c.type) for c in query.columns]
                made = SetOperation(query.kind, query.all, left, right, by)
                return self._finished(query, made, level)
            case ValuesQuery(rows=rows):
                expressions = Expressions(level, self)
                lines = [[expressions.compile(e) for e in line] for line in rows]
                return self._finished(query, Lines(lines), level)
            case _:
                assert_never(query)

    def _with(self, item: Cte, level: Level) -> Program:
        """A WITH item. It is changing if what it reads changes: rows around it, or such an item."""
        query = item.query
        changing = bool(outer_columns(query, relations_of(query))) or self.reads_changing(query)
        if changing:
            self._changing.add(item.number)
        made = self._recursive(item, level) if item.recursive else self.compile(query, level)
        self.ctes[item.number] = made
        return made

    def _recursive(self, item: Cte, level: Level) -> Program:
        query = item.query
        if not isinstance(query, SetOp) or query.kind != "union":
            raise FeatureNotSupportedError("this form of WITH RECURSIVE is not supported")
        inner = Level(level.depth + 1, level)
        first = self.compile(query.left, inner)
        changing = item.number in self._changing
        self._changing.add(item.number)  # From turn to turn.
        again = self.compile(query.right, inner)
        if not changing:
            self._changing.discard(item.number)
        by = () if query.all else [python_key(c.type) for c in item.columns]
        return Recursion(item.number, first, again, by, not query.all, item.rows_max)

    # ------------------------------------------------------------------ SELECT

    def _select(self, query: Select, level: Level) -> Program:
        if query.locking:
            raise FeatureNotSupportedError("row locks need another plan")
        part = FromClause(level, self, self._widths).compile(query.from_, query.where)
        level = Level(level.depth, level.parent, part.offsets, width=part.width)
        groups: Groups | None = None
        source = part.source
        if stages := set_calls(query.group_by):
            expansion, level = compile_expansion(stages, level, self)
            source = expansion.over(source)
        if query.grouped:
            groups, level = Grouped(query, level, self).compile()
        having: Closure | None = None
        if query.having is not None:
            having = Expressions(level, self).compile(query.having)
        windows: Windows | None = None
        nodes = window_nodes(after_grouping(query))
        if nodes:
            windows, level = compile_windows(query, nodes, level, self)
        plain = level
        stages = set_calls([target.expr for target in query.targets], level.nodes)
        sets: Expansion | None = None
        if stages:
            sets, level = compile_expansion(stages, level, self)
        expressions = Expressions(level, self)
        # What gives sets is computed of sorted rows, unless they are sorted by it.
        early = bool(set_calls([k.expr for k in query.order_by], plain.nodes)) or bool(
            query.distinct_on
        )
        sorting = expressions if early else Expressions(plain, self)
        output = tuple([expressions.compile(target.expr) for target in query.targets])
        return SelectProgram(
            source,
            groups,
            having,
            windows,
            sets,
            early,
            output,
            tuple([order_of(key, sorting.compile(key.expr)) for key in query.order_by]),
            self._distinct(query, expressions),
            self._bounds(query, level),
        )

    def _distinct(self, query: Select, expressions: Expressions) -> "Distinct | None":
        if query.distinct_on:
            on = tuple([expressions.compile(expr) for expr in query.distinct_on])
            return Distinct(tuple([python_key(e.type) for e in query.distinct_on]), on, ())
        if not query.distinct:
            return None
        targets = [fingerprint(target.expr) for target in query.targets]
        # The binder has checked that ORDER BY names targets only.
        places = tuple([targets.index(fingerprint(key.expr)) for key in query.order_by])
        return Distinct(tuple([python_key(t.expr.type) for t in query.targets]), (), places)

    def _bounds(self, query: Query, level: Level) -> "Cut":
        expressions = Expressions(Level(level.depth, level.parent), self)
        ties = isinstance(query.limit, WithTies)
        limit = query.limit.count if isinstance(query.limit, WithTies) else query.limit
        bounds = Bounds(
            None if limit is None else expressions.compile(limit),
            None if query.offset is None else expressions.compile(query.offset),
        )
        return Cut(bounds, ties)

    def _finished(self, query: SetOp | ValuesQuery, source: Source, level: Level) -> Program:
        """ORDER BY and LIMIT over rows that are the result already."""
        level = Level(level.depth, level.parent, {query.relation: 0})
        expressions = Expressions(level, self)
        order = tuple([order_of(key, expressions.compile(key.expr)) for key in query.order_by])
        return Finished(source, order, self._bounds(query, level))


# ---------------------------------------------------------------------- programs


@dataclass(frozen=True, slots=True)
class Distinct:
    """SELECT DISTINCT. keys: of the targets, or, with `on`, of these.

    order: for DISTINCT without ON, which targets ORDER BY names.
    """

    keys: Sequence[Key]
    on: Sequence[Closure]
    order: Sequence[int]


@dataclass(frozen=True, slots=True)
class WithItems:
    """A query of which some WITH items have other rows each time that it runs."""

    program: Program
    items: Mapping[int, Program]

    def __call__(self, run: Run) -> Sequence[Row]:
        run.ctes.update(self.items)
        return self.program(run)


@dataclass(frozen=True, slots=True)
class SelectProgram:
    """One SELECT. sets: functions of the select list that give sets; early: before the rows are sorted."""

    source: Source
    groups: Groups | None
    having: Closure | None
    windows: Windows | None
    sets: Expansion | None
    early: bool
    output: Sequence[Closure]
    order: Sequence[Order]
    distinct: Distinct | None
    bounds: "Cut"
    slots: list[int] = field(init=False)
    """Of the columns that the output is, if it is nothing else and more than one."""

    def __post_init__(self) -> None:
        slots = [closure.index for closure in self.output if isinstance(closure, Slot)]
        whole = len(slots) == len(self.output) > 1
        object.__setattr__(self, "slots", slots if whole else [])

    def __call__(self, run: Run) -> Sequence[Row]:
        bounds = self.bounds.values(run)
        if bounds.limit == 0:
            return []  # PostgreSQL asks for no row, so nothing in one can be an error.
        relation = self.source(run)
        if self.groups is not None:
            relation = Relation(self.groups(relation, run))
            if self.having is not None:
                relation = Relation(kept(relation.rows, self.having, run))
        if self.windows is not None:
            relation = self.windows(relation, run)
        if self.sets is not None and (self.early or not self.order):
            relation = Relation(self.sets(relation.rows, run))
        distinct = self.distinct
        if distinct is not None and not distinct.on:
            return self._every_once(distinct, relation, run, bounds)
        rows: Sequence[Row] | None = None
        if self.order:
            rows = _sorted(relation, self.order, run)
            if self.sets is not None and not self.early:
                rows = self.sets(rows, run)
        if distinct is not None:
            rows = self._first_of_each(distinct, relation.rows if rows is None else rows, run)
        if not bounds.all:
            rows = relation.rows if rows is None else rows
            if bounds.ties:
                columns = [values(item.closure, Relation(rows), run) for item in self.order]
                rows = bounds.with_ties(rows, columns, self.order)
            else:
                rows = bounds.cut(rows)
        return self._projected(relation if rows is None else Relation(rows), run)

    def _every_once(
        self, distinct: Distinct, relation: Relation, run: Run, bounds: "Kept"
    ) -> Sequence[Row]:
        rows = self._projected(relation, run)
        run.budget.check()
        rows = first_of_each(rows, row_keys(rows, distinct.keys))
        if self.order:
            columns = [[row[at] for row in rows] for at in distinct.order]
            rows = [rows[at] for at in places_as_postgresql(columns, self.order)]
        if bounds.ties:
            columns = [[row[at] for row in rows] for at in distinct.order]
            return bounds.with_ties(rows, columns, self.order)
        return bounds.cut(rows)

    def _first_of_each(self, distinct: Distinct, rows: Sequence[Row], run: Run) -> Sequence[Row]:
        relation = Relation(rows)
        found = list(zip(*[values(on, relation, run) for on in distinct.on], strict=True))
        return first_of_each(rows, row_keys(found, distinct.keys))

    def _projected(self, relation: Relation, run: Run) -> Sequence[Row]:
        run.budget.check()  # Of forty queries in each other each takes a millisecond or two.
        output, slots = self.output, self.slots
        if slots:
            if relation.has_rows and slots == list(range(len(relation.rows[0]) if relation else 0)):
                return relation.rows
            return relation.picked(slots)
        if not output:
            return [()] * len(relation)
        if len(output) == 1:
            return [(value,) for value in values(output[0], relation, run)]
        if all(isinstance(closure, Slot | Constant) for closure in output):
            return list(zip(*[values(one, relation, run) for one in output], strict=True))
        rows, found = relation.rows, list[Row]()
        for part in spans(len(rows)):
            run.budget.check()
            found += [tuple([closure(row, run) for closure in output]) for row in rows[part]]
        return found


@dataclass(frozen=True, slots=True)
class Finished:
    """Rows in an order, and some of them."""

    source: Source
    order: Sequence[Order]
    bounds: "Cut"

    def __call__(self, run: Run) -> Sequence[Row]:
        bounds = self.bounds.values(run)
        if bounds.limit == 0:
            return []  # PostgreSQL asks for no row, so nothing in one can be an error.
        relation = self.source(run)
        rows = _sorted(relation, self.order, run) if self.order else relation.rows
        if bounds.ties:
            columns = [values(item.closure, Relation(rows), run) for item in self.order]
            return bounds.with_ties(rows, columns, self.order)
        return bounds.cut(rows)


@dataclass(frozen=True, slots=True)
class Lines:
    """VALUES."""

    lines: Sequence[Sequence[Closure]]

    def __call__(self, run: Run) -> Relation:
        return Relation([tuple([c((), run) for c in line]) for line in self.lines])


@dataclass(frozen=True, slots=True, eq=False)
class Recursion:
    """WITH RECURSIVE: a first query, and one over what was found last, until that finds nothing more.

    rows_max: more rows than these nobody reads.
    """

    number: int
    first: Program
    again: Program
    by: Sequence[Key]
    distinct: bool
    rows_max: int | None

    def __call__(self, run: Run) -> Sequence[Row]:
        seen: set[Row] = set()
        if self.rows_max == 0:
            return []
        working = self._fresh(self.first(run), seen)
        found: list[Row] = []
        while working:
            run.budget.check()
            found += working
            if self.rows_max is not None and len(found) >= self.rows_max:
                break
            run.ctes[self.number] = Relation(working)
            working = self._fresh(self.again(run), seen)
        return found

    def _fresh(self, rows: Sequence[Row], seen: set[Row]) -> Sequence[Row]:
        """Those that were not there before, where each counts once."""
        if not self.distinct:
            return rows
        fresh: list[Row] = []
        for row, key in zip(rows, row_keys(rows, self.by), strict=True):
            if key not in seen:
                seen.add(key)
                fresh.append(row)
        return fresh


def _sorted(relation: Relation, order: Sequence[Order], run: Run) -> list[Row]:
    columns = [values(item.closure, relation, run) for item in order]
    places = places_as_postgresql(columns, order)
    run.budget.check()
    rows = relation.rows
    return [rows[at] for at in places]


@dataclass(frozen=True, slots=True)
class Cut:
    """LIMIT and OFFSET. ties: what ties with the last row comes too."""

    bounds: Bounds
    ties: bool

    def values(self, run: Run) -> "Kept":
        """The rows that are wanted. Raises 2201W, 2201X."""
        if self.bounds.limit is None and self.bounds.offset is None and not self.ties:
            return _EVERY
        limit, offset = self.bounds.values(run)
        if self.ties and limit is None:
            raise InvalidRowCountInLimitClauseError(
                "row count cannot be null in FETCH FIRST ... WITH TIES clause"
            )
        return Kept(limit, offset, ties=self.ties)


@dataclass(frozen=True, slots=True)
class Kept:
    """Which rows of a sorted answer are wanted."""

    limit: int | None
    offset: int
    ties: bool

    @property
    def all(self) -> bool:
        """Whether all are."""
        return self.limit is None and not self.offset

    def cut(self, rows: Sequence[Row]) -> Sequence[Row]:
        """These rows."""
        if self.limit is None:
            return rows[self.offset :] if self.offset else rows
        return rows[self.offset : self.offset + self.limit]

    def with_ties(
        self, rows: Sequence[Row], columns: Sequence[Sequence[Value]], order: Sequence[Order]
    ) -> Sequence[Row]:
        """These rows, and those behind that are equal to the last one by its sort keys."""
        assert self.limit is not None
        end = self.offset + self.limit
        if self.limit and end < len(rows):
            made = keys(columns, [item.key for item in order], nulls=True)
            while end < len(rows) and made[end] == made[end - 1]:
                end += 1
        return rows[self.offset : end]


_EVERY = Kept(None, 0, ties=False)
