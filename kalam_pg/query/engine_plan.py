"""SELECT by an engine: DataFusion in a worker for stored tables, sqlite for the catalogue."""

from dataclasses import dataclass
from functools import partial

from catalog.errors import FeatureNotSupportedError
from catalog.model import Table
from kalam_pg.engines.request import ArrowResult, EngineQuery, TableInput, WireResult
from kalam_pg.failures import report
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.aside import LARGE_NODES, are_large, aside
from kalam_pg.query.engine_answer import STOOD_IN, Reserve
from kalam_pg.query.engine_context import engine_context
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.portion import ArrowPortion
from kalam_pg.query.program_plan import ProgramPlan, RunCatalog, rows_portion, types_of
from kalam_pg.query.row_source import BatchRows, RowSource
from kalam_pg.query.scan import given_inputs, table_inputs
from kalam_pg.query.shapes import carries_arrays, has_shapes
from kalam_pg.query.waits import Steps
from kalam_pg.sql.to_datafusion import Emitted, emit
from kalam_pg.sql.tree import ColumnRef, OutputColumn, Query, Select, TableScan
from storage.errors import KalamError
from storage.tablet import Tablet


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """Any query over stored tables. program: what answers it where DataFusion would not do so right.

    deleted: the tables, by their relation, of which deleted rows are read too. size: nodes of the query.
    """

    columns: tuple[OutputColumn, ...]
    query: Query
    program: ProgramPlan | None = None
    deleted: frozenset[int] = frozenset()
    size: int = 0

    def run(self, x: Execution) -> Steps[Result]:
        """DataRow messages when the client's formats are known, else rows."""
        try:
            emitted = yield from self.emitted(x)
            inputs = yield from self._inputs(emitted, x)
        except FeatureNotSupportedError:
            if self.program is None:
                raise
            return (yield from self.program.run(x))
        form = x.form
        if form is None or form.names_objects:
            # A worker knows no names of objects: those of regclass and its like are put in here.
            return Result("SELECT", None, self.columns, source=self._rows(emitted, inputs, x))
        wire = WireResult(form.types, form.typmods, form.formats, form.context)
        query = _request(emitted, inputs, wire, x.context, self._direct(x))
        return Result("SELECT", None, self.columns, stream=x.ask(query, self._reserve(x, wire)))

    def emitted(self, x: Execution) -> Steps[Emitted]:
        """The query in DataFusion's SQL.

        Raises FeatureNotSupportedError: it cannot be said so there. A fault of the translation is told
        so too, and logged, if there is a program that answers all the same.
        """
        emitting = partial(emit, self.query, x.context)
        try:
            if self.size <= LARGE_NODES and not are_large(x.context.params):
                return emitting()
            return (yield from aside(emitting, user=x.payer, timeout_s=x.statement_timeout_s))
        except FeatureNotSupportedError as refused:
            if self.program is None and isinstance(refused.__cause__, KalamError):
                raise refused.__cause__ from None  # A constant that is an error, and no other way.
            raise
        except KalamError:
            raise
        except Exception as exc:
            if self.program is None:
                raise
            report(STOOD_IN, exc)
            raise FeatureNotSupportedError("this query is not supported here") from exc

    def _direct(self, x: Execution) -> tuple[str, ...]:
        """The stored columns that the query is of every row of one table, in commit order if in any."""
        query = self.query
        if not isinstance(query, Select) or len(query.from_) != 1:
            return ()
        (scan,) = query.from_
        if not isinstance(scan, TableScan):
            return ()
        seq = len(scan.table.columns)
        if query.order_by:
            # A tail has its rows in this order; a transaction's own are of no commit yet.
            (*others, key) = query.order_by
            ref = key.expr
            sequential = isinstance(ref, ColumnRef) and ref.column == seq and not ref.outer
            tablet = x.tablet(scan.table)
            in_order = isinstance(tablet, Tablet) and not x.own_changes(tablet.id)
            if others or not sequential or key.descending or not in_order:
                return ()
        plain = Select(query.targets, query.columns, query.from_, order_by=query.order_by)
        return _columns(query, scan.table, seq) if query == plain else ()

    def _reserve(self, x: Execution, result: WireResult | ArrowResult) -> Reserve | None:
        """What to ask when DataFusion finds only then that it cannot."""
        program = self.program
        return None if program is None else lambda: program.request_nowait(x, result)

    def source(self, x: Execution) -> Steps[RowSource]:
        """As stored values."""
        try:
            emitted = yield from self.emitted(x)
            inputs = yield from self._inputs(emitted, x)
        except FeatureNotSupportedError:
            if self.program is None:
                raise
            return (yield from self.program.source(x))
        return self._rows(emitted, inputs, x)

    def inputs(self, emitted: Emitted, x: Execution) -> Steps[tuple[TableInput, ...]]:
        """The tables that the SQL names."""
        stored = yield from table_inputs(x, emitted.scans, self.deleted)
        return stored + given_inputs(emitted.given)

    def _inputs(self, emitted: Emitted, x: Execution) -> Steps[tuple[TableInput, ...]]:
        """Those of `inputs`. Raises FeatureNotSupportedError: the SQL would take their arrays for lists."""
        inputs = yield from self.inputs(emitted, x)
        if has_shapes(inputs) and not carries_arrays(self.query):
            raise FeatureNotSupportedError("multidimensional arrays are not supported here")
        return inputs

    def _rows(self, emitted: Emitted, inputs: tuple[TableInput, ...], x: Execution) -> RowSource:
        query = _request(emitted, inputs, ArrowResult(), x.context)
        types = tuple([column.type for column in self.columns])
        find_type = types_of(x)
        return BatchRows(
            x.ask(query, self._reserve(x, ArrowResult())),
            lambda batch: rows_portion(batch, find_type) or ArrowPortion(batch, types),
            lambda: x.statement_timeout_s,
        )


def _request(
    emitted: Emitted,
    inputs: tuple[TableInput, ...],
    result: WireResult | ArrowResult,
    context: EvalContext,
    direct: tuple[str, ...] = (),
) -> EngineQuery:
    """What a worker is asked. Its functions know of the session only what is listed here."""
    return EngineQuery(
        sql=emitted.sql,
        tables=inputs,
        udfs=emitted.udfs,
        result=result,
        context=engine_context(context),
        direct=direct,
        steps=emitted.steps,
    )


def _columns(query: Select, table: Table, seq: int) -> tuple[str, ...]:
    """The names of a query's columns in a tablet's batches; none if it is anything but such columns."""
    names = []
    for target in query.targets:
        ref = target.expr
        if not isinstance(ref, ColumnRef) or ref.outer or ref.column > seq:
            return ()
        names.append("_seq" if ref.column == seq else f"c{table.layout.columns[ref.column].id}")
    return tuple(names)


@dataclass(frozen=True, slots=True)
class CatalogPlan:
    """A query that reads catalogue relations only."""

    columns: tuple[OutputColumn, ...]
    query: Query
    run_catalog: RunCatalog

    def run(self, x: Execution) -> Steps[Result]:
        """Rows, from sqlite in memory."""
        return Result.of("SELECT", self.columns, (yield from self.source(x)))

    def source(self, x: Execution) -> Steps[RowSource]:
        return (yield from self.run_catalog(self.query, x))


@dataclass(frozen=True, slots=True)
class TablelessPlan:
    """A query that reads no relation: in a worker, where its size disturbs nobody.

    What a worker cannot know of the session is answered by sqlite here.
    """

    columns: tuple[OutputColumn, ...]
    query: Query
    worker: EnginePlan
    here: CatalogPlan

    def run(self, x: Execution) -> Steps[Result]:
        """As the plan that can do it."""
        plan = yield from self._choose(x)
        return (yield from plan.run(x))

    def source(self, x: Execution) -> Steps[RowSource]:
        plan = yield from self._choose(x)
        return (yield from plan.source(x))

    def _choose(self, x: Execution) -> Steps[EnginePlan | CatalogPlan]:
        try:
            yield from self.worker.emitted(x)
        except FeatureNotSupportedError:
            program = self.worker.program
            if program is None or not program.crosses(x):
                return self.here
        return self.worker
