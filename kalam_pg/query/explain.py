"""EXPLAIN: the plan that a statement would have now, named by what this server does.

A point lookup, rows newest first, a few hot rows, the catalogue, an engine: which one is often known only
when the statement runs, by what its user's tablet holds. So it is decided here as the plans decide it,
without evaluating anything that the statement says about its rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum

from catalog.errors import FeatureNotSupportedError
from catalog.model import Table
from kalam_pg.engines.request import TableInput
from kalam_pg.query.change import ChangePlan
from kalam_pg.query.constant_plan import ConstantPlan
from kalam_pg.query.counting import CountPlan
from kalam_pg.query.engine_plan import CatalogPlan, EnginePlan, TablelessPlan
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.explain_node import Node
from kalam_pg.query.explain_query import Shower
from kalam_pg.query.filtered_count import FilteredCountPlan
from kalam_pg.query.indexed import NoIndexError, Wanted, indexed_rows
from kalam_pg.query.insert import InsertPlan
from kalam_pg.query.local.plan import LocalPlan
from kalam_pg.query.local.tables import live_rows
from kalam_pg.query.locking import LockingPlan
from kalam_pg.query.merge import MergePlan
from kalam_pg.query.numbered import NumberedPlan
from kalam_pg.query.parted import PartedPlan, WholePlan
from kalam_pg.query.plan import Plan, Planner
from kalam_pg.query.predicates import equalities, key_lookup
from kalam_pg.query.program_plan import RunCatalog
from kalam_pg.query.row_source import RowSource
from kalam_pg.query.rules import RowRules
from kalam_pg.query.scan import scan_tablet
from kalam_pg.query.select import (
    IN_ORDER_ROWS_MAX,
    OWN_CHANGES_MAX,
    SMALL_SCAN_ROWS,
    HotPlan,
    PointPlan,
    SelectPlan,
)
from kalam_pg.query.tail_loads import load
from kalam_pg.query.waiting import WaitingPlan
from kalam_pg.query.waits import Steps, breathe
from kalam_pg.sql.deparse import quote_identifier
from kalam_pg.sql.to_datafusion import Emitted, emit
from kalam_pg.sql.tree import (
    Dml,
    Expr,
    Insert,
    Merge,
    OutputColumn,
    Query,
    Select,
    TableScan,
    ValuesQuery,
)
from storage.cold.first_rows import Work
from storage.layout import Value
from storage.stream import StreamTablet
from storage.tablet import Tablet


class Way(Enum):
    """How a plan over hot rows reads its tablet; ENGINE: not at all. The values name the steps."""

    INDEX = "Tail Index Scan"
    KEYS = "Key Range Scan"
    NEWEST = "Newest Rows Scan"
    HOT = "Hot Rows Scan"
    FIRST = "First Rows Scan"
    COUNT = "Count Scan"
    ENGINE = "Scan"


Queries = dict[int, tuple[SelectPlan, Query]]
"""The query that each plan is of, by the plan's identity (which the plan beside it keeps alive)."""


class Probe:
    """The engine plan behind a plan over hot rows, which knows afterwards whether it was needed."""

    def __init__(self, plan: SelectPlan) -> None:
        self.plan = plan
        self.used = False

    @property
    def columns(self) -> tuple[OutputColumn, ...]:
        """Of the plan behind it."""
        return self.plan.columns

    def run(self, x: Execution) -> Steps[Result]:
        """As the plan behind it."""
        self.used = True
        return (yield from self.plan.run(x))

    def source(self, x: Execution) -> Steps[RowSource]:
        """As the plan behind it."""
        self.used = True
        return (yield from self.plan.source(x))


class ExplainingPlanner(Planner):
    """Plans as usual, and remembers which query each plan is of."""

    def __init__(self, rules: Callable[[Table], RowRules], run_catalog: RunCatalog) -> None:
        super().__init__(rules, run_catalog)
        self.queries: Queries = {}

    def _select(self, query: Query) -> SelectPlan:
        plan = super()._select(query)
        if isinstance(plan, HotPlan | FilteredCountPlan):
            general = plan.general
            if isinstance(general, LocalPlan):
                general = replace(general, general=Probe(general.general))
            plan = replace(plan, general=Probe(general))
        elif isinstance(plan, LocalPlan):
            plan = replace(plan, general=Probe(plan.general))
        self.queries[id(plan)] = (plan, query)
        return plan


class Explainer:
    """Makes the nodes of one plan. `x`: what it runs, or would run, with.

    ran: set it when the plan has run; made again, the nodes then tell which way it really took. What a
    tablet held is told as it was when the nodes were first made: before the statement changed it.
    """

    def __init__(
        self,
        statement: Query | Dml,
        queries: Queries,
        x: Execution,
        *,
        verbose: bool,
    ) -> None:
        self._statement = statement
        self._queries = queries
        self._x = x
        self._verbose = verbose
        self._show = Shower(statement, verbose=verbose)
        self._ways: dict[int, Way] = {}
        self._sizes: dict[int, dict[int, int]] = {}
        self._works: dict[int, Work] = {}
        self._inputs: dict[int, tuple[Emitted, tuple[TableInput, ...]]] = {}
        self.ran = False

    def node(self, plan: Plan) -> Steps[Node]:
        """The tree of a plan. Raises what planning in an engine's words raises (0A000)."""
        self._show = Shower(self._statement, verbose=self._verbose)
        if not isinstance(plan, PartedPlan):
            return (yield from self._whole(plan, self._statement))
        node = yield from self._whole(plan.plan, plan.rest)
        for number, part in enumerate(plan.parts, 1):
            shown = yield from self._whole(part.plan, part.statement)
            label = f"CTE {part.name}" if part.name else f"InitPlan {number}"
            label += f" (returns ${plan.params + number})"
            node = node.over(replace(shown, label=label))
        return node

    def _whole(self, plan: WholePlan, statement: Query | Dml) -> Steps[Node]:
        match plan:
            case InsertPlan():
                return (yield from self._insert(plan, statement))
            case ChangePlan():
                return (yield from self._change(plan, statement))
            case MergePlan():
                return (yield from self._merge(plan, statement))
            case _:
                return (yield from self._select(plan))

    # ------------------------------------------------------------------ queries

    def _select(self, plan: SelectPlan) -> Steps[Node]:
        query = self._queries[id(plan)][1] if id(plan) in self._queries else None
        match plan:
            case ConstantPlan() | WaitingPlan() if query is not None:
                return self._show.query(query, self._plain)
            case PointPlan() if isinstance(query, Select):
                return self._show.query(query_without_where(query), self._point(query.where))
            case HotPlan() if isinstance(query, Select):
                return (yield from self._hot(plan, query))
            case CountPlan():
                return self._show.query(plan.query, self._count)
            case FilteredCountPlan():
                return (yield from self._counted(plan))
            case LocalPlan():
                return (yield from self._local(plan))
            case LockingPlan():
                inner = yield from self._select(plan.finder)
                node = Node("LockRows", children=(inner,))
                bounded = plan.bounds.limit is not None or plan.bounds.offset is not None
                return Node("Limit", children=(node,)) if bounded else node
            case CatalogPlan():
                inner = self._show.query(plan.query, self._plain)
                return Node("Catalog Query", children=(inner,))
            case TablelessPlan():
                try:
                    emit(plan.query, self._x.context)
                except FeatureNotSupportedError:
                    program = plan.worker.program
                    if program is None or not program.crosses(self._x):
                        return (yield from self._select(plan.here))
                return (yield from self._select(plan.worker))
            case EnginePlan():
                return (yield from self._engine(plan))
            case NumberedPlan():
                return Node("Result", children=((yield from self._select(plan.inner)),))
            case _:
                return Node(type(plan).__name__)

    def _plain(self, scan: TableScan) -> Node:
        return Node("Scan", self._show.named(scan))

    def _count(self, scan: TableScan) -> Node:
        return Node("Row Count", self._show.named(scan))

    def _point(self, where: Expr | None) -> "PointLeaf":
        return PointLeaf(self._show, where)

    def _hot(self, plan: HotPlan, query: Select) -> Steps[Node]:
        general = plan.general
        assert isinstance(general, Probe)
        way = self._ways.get(id(plan))
        if way is None:
            way = self._ways[id(plan)] = yield from self._way(plan)
        if general.used if self.ran else way is Way.ENGINE:
            return (yield from self._select(general.plan))
        how = plan.indexed if way is Way.INDEX else None
        how = plan.by_key.how if way is Way.KEYS and plan.by_key is not None else how
        ordered = way in (Way.NEWEST, Way.FIRST) or (how is not None and how.ordered)
        work = self._works.get(id(plan)) if way is Way.FIRST else None

        def leaf(scan: TableScan) -> Node:
            node = Node(way.value, self._show.named(scan))
            column = plan.among.position if way is Way.INDEX and plan.among is not None else -1
            if column >= 0:
                name = quote_identifier(scan.table.columns[column].name)
                node = node.with_details(Index_On=f"({name} IN …)")
            if how is not None and way is Way.INDEX:
                found = equalities(query.where, scan.table, scan.relation)
                names = [quote_identifier(scan.table.columns[at].name) for at, _ in found]
                texts = self._show.texts([value for _, value in found])
                pairs = zip(names, texts, strict=True)
                # One of them: the column whose index finds the fewest rows.
                node = node.with_details(Index_On=tuple(f"({n} = {v})" for n, v in pairs))
            if ordered and query.order_by:
                node = node.with_details(Order=self._show.keys(query.order_by))
            return node if work is None else with_work(node, work)

        return self._show.query(query, leaf, ordered=ordered)

    def _way(self, plan: HotPlan) -> Steps[Way]:
        """How the plan would read the tablet now."""
        way = yield from self._in_memory(plan)
        tablet = self._x.tablet(plan.table)
        if way is not Way.ENGINE or plan.first is None or not isinstance(tablet, Tablet):
            return way
        limit, offset = plan.bounds.values(self._x.context)
        end = None if limit is None else limit + offset
        work = yield from plan.first.work(self._x, tablet, end)
        if work is None:
            return way
        self._works[id(plan)] = work
        return Way.FIRST

    def _in_memory(self, plan: HotPlan) -> Steps[Way]:
        """How the plan would do without segments; ENGINE: not at all."""
        x = self._x
        tablet = x.tablet(plan.table)
        own = x.own_changes(tablet.id) or {}
        if own:
            few = yield from self._few(tablet)
            if few is not Way.ENGINE or len(own) > OWN_CHANGES_MAX:
                return few
        # These are constants and parameters, of which one that is NULL is equal to nothing.
        equals = [(at, closure((), x.context)) for at, closure in plan.equals]
        if (plan.indexed is not None or plan.among is not None) and isinstance(tablet, Tablet):
            way = yield from self._indexed(plan, tablet, equals)
            if way is not None:
                return way
        if tablet.newest_floor(x.view):
            return Way.ENGINE
        limit, offset = plan.bounds.values(x.context)
        few_wanted = limit is not None and limit + offset <= IN_ORDER_ROWS_MAX
        along_key = plan.by_key is not None and plan.by_key.how.ordered
        if few_wanted and plan.newest_by is not None and not (own or along_key):
            if plan.newest_by >= 0 and isinstance(tablet, Tablet) and not tablet.has_tail:
                yield from scan_tablet(x, tablet)
            if plan.newest_by < 0 or tablet.in_order(plan.newest_by):
                return Way.NEWEST
        few = Way.ENGINE if own else (yield from self._few(tablet))
        if few is Way.ENGINE and plan.by_key is not None and isinstance(tablet, Tablet):
            # As if every row that it finds passed the WHERE.
            wanted = Wanted((), None if limit is None else limit + offset, None, (), x.context)
            if plan.by_key.rows(tablet, x.view, wanted) is not None:
                return Way.KEYS
        return few

    def _counted(self, plan: FilteredCountPlan) -> Steps[Node]:
        general = plan.general
        assert isinstance(general, Probe)
        if id(plan) not in self._works and not self.ran:
            counted = yield from plan.count(self._x)
            if counted is not None:
                self._works[id(plan)] = counted[1]
        work = self._works.get(id(plan))
        if work is None or general.used:
            return (yield from self._select(general.plan))
        return self._show.query(
            plan.query, lambda scan: with_work(Node(Way.COUNT.value, self._show.named(scan)), work)
        )

    def _few(self, tablet: Tablet | StreamTablet) -> Steps[Way]:
        live = yield from live_rows(self._x, tablet, SMALL_SCAN_ROWS)
        return Way.ENGINE if live is None else Way.HOT

    def _indexed(
        self, plan: HotPlan, tablet: Tablet, equals: Sequence[tuple[int, Value]]
    ) -> Steps[Way | None]:
        """By an index, if there is one; as if every row that it finds passed the WHERE."""
        x = self._x
        if not tablet.warm(x.view):
            yield from load(x, tablet, x.view)
        limit, offset = plan.bounds.values(x.context)
        end = None if limit is None else limit + offset
        how, among = plan.indexed, plan.among
        while True:
            try:
                if how is not None:
                    wanted = Wanted(equals, end, None, (), x.context)
                    rows = indexed_rows(tablet, x.view, how, wanted)
                else:
                    assert among is not None
                    rows = among.rows(tablet, x.view, None, (), x.context)
            except NoIndexError:
                if not plan.makes_index(tablet):
                    return None
                yield from breathe()
            else:
                return Way.ENGINE if rows is None else Way.INDEX

    def _local(self, plan: LocalPlan) -> Steps[Node]:
        general = plan.general
        assert isinstance(general, Probe)
        sizes = self._sizes.get(id(plan))
        if sizes is None:
            tables = yield from plan.tables(self._x)
            sizes = {} if tables is None else {n: len(rows) for n, rows in tables.items()}
            self._sizes[id(plan)] = sizes
        if general.used if self.ran else (plan.program.uses and not sizes):
            return (yield from self._select(general.plan))

        def leaf(scan: TableScan) -> Node:
            node = Node(Way.HOT.value, self._show.named(scan))
            size = sizes.get(scan.relation)
            return node if size is None else node.with_details(Hot_Rows=size)

        return Node("Local Query", children=(self._show.query(plan.query, leaf),))

    def _engine(self, plan: EnginePlan) -> Steps[Node]:
        known = self._inputs.get(id(plan))
        if known is None:
            try:
                emitted = emit(plan.query, self._x.context)
            except FeatureNotSupportedError:
                if plan.program is None:
                    raise
                inner = self._show.query(plan.query, self._plain)
                return Node("Row Program", children=(inner,))
            inputs = (yield from plan.inputs(emitted, self._x))[: len(emitted.scans)]
            known = self._inputs[id(plan)] = (emitted, inputs)
        emitted, inputs = known
        found = {
            need.scan.relation: given for need, given in zip(emitted.scans, inputs, strict=True)
        }

        def leaf(scan: TableScan) -> Node:
            node = Node("Engine Scan", self._show.named(scan))
            given = found.get(scan.relation)
            return node if given is None else with_input(node, given)

        node = Node("Engine Query", children=(self._show.query(plan.query, leaf),))
        return node.with_details(SQL=emitted.sql) if self._show.verbose else node

    # ------------------------------------------------------------------ data changes

    def _insert(self, plan: InsertPlan, statement: Query | Dml) -> Steps[Node]:
        assert isinstance(statement, Insert)
        node = Node("Insert", self._show.table(plan.table.namespace, plan.table.name))
        if statement.on_conflict is not None:
            update = bool(statement.on_conflict.assignments)
            node = node.with_details(Conflict_Resolution="UPDATE" if update else "NOTHING")
        if plan.source is not None:
            return node.over((yield from self._select(plan.source)))
        rows = len(plan.literal_rows)
        if rows == 1:
            return node.over(Node("Result"))
        return node.over(Node("Values Scan", '"*VALUES*"', {"Rows": rows}))

    def _change(self, plan: ChangePlan, statement: Query | Dml) -> Steps[Node]:
        assert not isinstance(statement, Insert | Select | ValuesQuery)
        name = self._show.table(plan.table.namespace, plan.table.name)
        node = Node(plan.tag.capitalize(), name)
        if plan.finder is not None:
            return node.over((yield from self._select(plan.finder)))
        scan = TableScan(getattr(statement, "target", 0), plan.table, ())
        return node.over(self._point(getattr(statement, "where", None))(scan))

    def _merge(self, plan: MergePlan, statement: Query | Dml) -> Steps[Node]:
        assert isinstance(statement, Merge)
        table = self._show.table(plan.table.namespace, plan.table.name)
        node = Node("Merge", table)
        if plan.by_key is None:
            return node.over((yield from self._select(plan.finder)))
        names = [quote_identifier(plan.table.columns[at].name) for at in plan.rules.key]
        pairs = zip(names, self._show.texts(plan.by_key.texts), strict=True)
        key = " AND ".join(f"({name} = {value})" for name, value in pairs)
        lookup = Node("Point Lookup", table).with_details(Key=key)
        source = yield from self._select(plan.by_key.plan)
        return node.over(Node("Nested Loop Left Join", children=(source, lookup)))


class PointLeaf:
    """Shows a point lookup: the key's values, and what else the row must satisfy."""

    def __init__(self, show: Shower, where: Expr | None) -> None:
        self._show = show
        self._where = where

    def __call__(self, scan: TableScan) -> Node:
        """The node of the lookup in this table."""
        node = Node("Point Lookup", self._show.named(scan))
        lookup = key_lookup(self._where, scan.table, scan.relation)
        assert lookup is not None
        names = [quote_identifier(scan.table.columns[at].name) for at in scan.table.layout.key]
        pairs = zip(names, self._show.texts(lookup.values), strict=True)
        node = node.with_details(Key=" AND ".join(f"({name} = {value})" for name, value in pairs))
        rest = " AND ".join(self._show.texts(lookup.rest))
        return node.with_details(Filter=f"({rest})" if len(lookup.rest) > 1 else rest)


def query_without_where(query: Select) -> Select:
    """The query as its scan leaves it: the WHERE is shown there."""
    return replace(query, where=None, order_by=())


def with_work(node: Node, work: Work) -> Node:
    """How many segments and row groups few rows were found in: all others were left out."""
    if not work.segments:
        return node
    if work.index:
        node = node.with_details(Index=quote_identifier(work.index))
    pruned = work.segments - work.opened
    return node.with_details(Segments=f"{work.opened} ({pruned} pruned)", Row_Groups=work.groups)


def with_input(node: Node, given: TableInput) -> Node:
    """What an engine is given of a table: rows in memory, segments on disk, whether they overlap."""
    hot = sum(reference.batch.num_rows for reference in given.hot)
    node = node.with_details(Hot_Rows=hot)
    if given.segments:
        rows = sum(segment.rows for segment in given.segments)
        size = sum(segment.size for segment in given.segments)
        text = f"{len(given.segments)} ({rows} rows, {size} bytes)"
        node = node.with_details(Segments=text)
        if given.overlapping or given.superseded is not None:
            node = node.with_details(Merge="newest version of each key")
    return node
