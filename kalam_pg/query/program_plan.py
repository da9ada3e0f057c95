"""SELECT as a program over rows in a worker: what DataFusion is not known to answer right.

A worker has DataFusion read the tables, as far as conditions that cannot fail let their rows pass, and runs
the program over them (`kalam_pg.interpreter`): right for every query that compiles, and slower.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from catalog.errors import FeatureNotSupportedError
from catalog.types.registry import BOOL
from kalam_pg.engines.programs import ROWS_SCHEMA, FindType, rows_of
from kalam_pg.engines.request import ArrowResult, EngineQuery, Program, WireResult
from kalam_pg.interpreter.program import CompiledQuery, Use
from kalam_pg.interpreter.shipping import crosses, packed
from kalam_pg.query.aside import LARGE_NODES, aside
from kalam_pg.query.engine_context import engine_context
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.portion import RowPortion
from kalam_pg.query.predicates import implied
from kalam_pg.query.row_source import BatchRows, RowSource
from kalam_pg.query.scan import given_inputs, table_inputs
from kalam_pg.query.waits import Steps
from kalam_pg.sql.to_datafusion import emit_reads
from kalam_pg.sql.tree import (
    BoolKind,
    BoolOp,
    ColumnRef,
    Const,
    Expr,
    FromItem,
    Join,
    OutputColumn,
    Param,
    Query,
    Select,
    TableScan,
    Target,
    VirtualScan,
)
from kalam_pg.sql.walk import conjuncts, walk

RunCatalog = Callable[[Query, Execution], Steps[RowSource]]
"""Answers a query over catalogue relations alone (`query.virtual`)."""


@dataclass(frozen=True, slots=True)
class ProgramPlan:
    """A query over stored tables as a program; over catalogue relations too, whose rows are brought.

    large: its constants may be, so that it is packed in a thread. deleted: see `EnginePlan`.
    constant_bytes: of its large constants, where that is known.
    """

    columns: tuple[OutputColumn, ...]
    query: Query
    compiled: CompiledQuery
    run_catalog: RunCatalog
    large: bool = False
    deleted: frozenset[int] = frozenset()
    constant_bytes: int = 0

    def run(self, x: Execution) -> Steps[Result]:
        """DataRow messages when the client's formats are known, else rows."""
        form = x.form
        if form is None or form.names_objects:
            # A worker knows no names of objects: those of regclass and its like are put in here.
            return Result("SELECT", None, self.columns, source=(yield from self.source(x)))
        wire = WireResult(form.types, form.typmods, form.formats, form.context)
        return Result(
            "SELECT", None, self.columns, stream=x.ask((yield from self._request(x, wire)))
        )

    def source(self, x: Execution) -> Steps[RowSource]:
        """As stored values."""
        request = yield from self._request(x, ArrowResult())
        find_type = types_of(x)
        return BatchRows(
            x.ask(request),
            lambda batch: RowPortion(rows_of(batch, find_type)),
            lambda: x.statement_timeout_s,
        )

    def crosses(self, x: Execution) -> bool:
        """Whether a worker can do it: it asks nothing that only the server knows."""
        return crosses(self.query, x.context)

    def _packed(self, x: Execution) -> Steps[bytes]:
        def pack() -> bytes:
            return packed(self.query, x.context)

        if self.compiled.size <= LARGE_NODES and not self.large:
            return pack()
        lease = x.answers.lease(self.constant_bytes)
        timeout_s = x.statement_timeout_s
        return (yield from aside(pack, user=x.payer, timeout_s=timeout_s, lease=lease))

    def request_nowait(self, x: Execution, result: WireResult | ArrowResult) -> EngineQuery | None:
        """What a worker is asked; None: a table's rows would have to be waited for, or it cannot be."""
        steps = self._request(x, result)
        try:
            next(steps)
        except StopIteration as made:
            found: EngineQuery = made.value
            return found
        except FeatureNotSupportedError:
            return None
        steps.close()
        return None

    def _request(self, x: Execution, result: WireResult | ArrowResult) -> Steps[EngineQuery]:
        query = yield from self._packed(x)
        uses = self.compiled.uses
        found, emitted = emit_reads([_rows_of(use, self.query) for use in uses], x.context)
        inputs = yield from table_inputs(x, emitted.scans, self.deleted)
        reads = tuple([(use.relation, sql) for use, sql in zip(uses, found, strict=True)])
        rows = []
        for scan in self.compiled.virtual:
            source = yield from self.run_catalog(all_of(scan), x)
            rows.append((scan.relation, tuple((yield from source.every()))))
            source.close()
        return EngineQuery(
            sql="",
            tables=inputs + given_inputs(emitted.given),
            udfs=emitted.udfs,
            result=result,
            context=engine_context(x.context) | {"params": tuple(x.context.params)},
            program=Program(query, reads, tuple(rows)),
        )


def rows_portion(batch: pa.RecordBatch, find_type: FindType) -> RowPortion | None:
    """A program's rows in Arrow; None: the batch is of DataFusion's making."""
    return RowPortion(rows_of(batch, find_type)) if batch.schema.equals(ROWS_SCHEMA) else None


def types_of(x: Execution) -> FindType:
    """The types of OIDs as a statement that begins knows them."""
    return x.transaction.snapshot_over(x.database.catalog).type_by_oid


def all_of(scan: VirtualScan) -> Select:
    """The rows of a catalogue relation."""
    refs = [
        ColumnRef(scan.relation, at, c.name, c.type, c.typmod) for at, c in enumerate(scan.columns)
    ]
    return Select(tuple([Target(ref, ref.name) for ref in refs]), scan.columns, (scan,))


def _rows_of(use: Use, query: Query) -> Select:
    """The rows of a table that a query reads, but for those that a simple condition sorts out."""
    scan = use.scan
    read = [(at, scan.columns[at]) for at in sorted(use.columns)]
    targets = [
        Target(ColumnRef(scan.relation, at, c.name, c.type, c.typmod), c.name) for at, c in read
    ]
    tests = tuple(_conditions(query, scan))
    where = BoolOp(BoolKind.AND, tests, BOOL) if len(tests) > 1 else next(iter(tests), None)
    return Select(tuple(targets), tuple([column for _, column in read]), (scan,), where)


def _conditions(query: Query, scan: TableScan) -> Iterator[Expr]:
    """Comparisons of a table's columns with constants that all rows of it must pass to be of any use."""
    for node in walk(query):
        if isinstance(node, Select) and any(scan is item for item in _joined(node.from_)):
            found = implied(node.where, scan.table, scan.relation)
            for test, what in zip(conjuncts(node.where), found, strict=True):
                # DataFusion would take an array for a list, whatever its shape.
                if (
                    what.whole
                    and isinstance(what.value, Const | Param)
                    and what.value.type.element is None
                ):
                    yield test


def _joined(items: Sequence[FromItem]) -> Iterator[FromItem]:
    """The items of a FROM clause whose rows are in the result only where they pass WHERE."""
    for item in items:
        if isinstance(item, Join) and item.kind in {"inner", "cross"}:
            yield from _joined((item.left, item.right))
        else:
            yield item
