"""A query compiled for this process: what it reads, about what a row costs, and how it is run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from catalog.errors import FeatureNotSupportedError, UndefinedFunctionError
from catalog.model import Table
from catalog.types.registry import NUMERIC
from catalog.types.table import PgType
from kalam_pg.functions.table import EvalContext, Volatility
from kalam_pg.interpreter.expressions import Program
from kalam_pg.interpreter.queries import Queries
from kalam_pg.interpreter.relation import Relation, StoredRows
from kalam_pg.interpreter.running import Budget, Run
from kalam_pg.sql.tree import (
    Aggregate,
    Call,
    ColumnRef,
    Const,
    Cte,
    Expr,
    FunctionScan,
    Join,
    Param,
    Query,
    RowsFrom,
    Select,
    SetOp,
    SubqueryScan,
    TableScan,
    ValuesQuery,
    ValuesScan,
    VirtualScan,
    Window,
)
from kalam_pg.sql.user_aggregates import UserAggregate
from kalam_pg.sql.walk import extent, walk
from storage.layout import Row
from storage.tail.live_rows import LiveRows


@dataclass(frozen=True, slots=True)
class Use:
    """A table that is read. columns: positions of those of which any value is looked at.

    width: how many columns its rows have here: the table's, and the hidden ones if any is read. full: those
    of the columns that have no NULL.
    """

    scan: TableScan
    columns: frozenset[int]
    width: int = field(init=False)
    full: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        columns = self.table.columns
        own = len(columns)
        full = frozenset([at for at in self.columns if at < own and columns[at].not_null])
        hidden = any(at >= own for at in self.columns)
        object.__setattr__(self, "width", own + 2 if hidden else own)
        object.__setattr__(self, "full", full)

    @property
    def relation(self) -> int:
        """Its number in the statement."""
        return self.scan.relation

    @property
    def table(self) -> Table:
        """The table."""
        return self.scan.table

    @property
    def types(self) -> list[PgType]:
        """Of all its columns, the hidden ones behind."""
        return [column.type for column in self.scan.columns]

    def rows(self, live: LiveRows) -> Relation:
        """The rows of the table as a relation."""
        return StoredRows(live, len(self.table.columns), self.width, self.columns, self.full)


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """A query that can be run here. virtual: the catalogue relations that it reads.

    row_cost_us: about the time that a row of any table takes. size: nodes of the query.
    """

    uses: Sequence[Use]
    virtual: Sequence[VirtualScan]
    row_cost_us: float
    size: int
    _program: Program
    _ctes: dict[int, Program]
    _depth: int

    def run(
        self, tables: dict[int, Relation], context: EvalContext, *, seconds: float
    ) -> Sequence[Row]:
        """The answer, from all rows of the tables by relation number. Raises TooLargeError, and any."""
        run = Run(context, tables, Budget(seconds), self._depth)
        run.ctes.update(self._ctes)
        return self._program(run)


_DEEPER = (Select, SetOp, ValuesQuery, SubqueryScan, FunctionScan, RowsFrom, ValuesScan, Join, Cte)
"""What may have a level of its own."""

_LEAVES = (ColumnRef, Const, Param)

_ROW_US = 0.1
"""To take a row up, hash it and put it somewhere."""
_NODE_US = 0.08
"""To call one closure."""
_STEP_US = 0.5
"""To have a function make a state anew."""
_NUMERIC_US = 0.8
"""To take a numeric out of an Arrow column, and to reckon with it."""


def _node_cost_us(node: Expr) -> float:
    args = getattr(node, "args", ())
    return _NUMERIC_US if any(arg.type is NUMERIC for arg in args) else _NODE_US


def _steps_of(node: Expr) -> Sequence[Expr]:
    """What is done with each row of an aggregate that somebody made."""
    made = node.overload if isinstance(node, Aggregate | Window) else None
    return made.steps if isinstance(made, UserAggregate) else ()


def _changes_something(call: Call) -> bool:
    return call.overload.server_only and call.overload.volatility is Volatility.VOLATILE


def compiled(query: Query) -> CompiledQuery | None:
    """The query as a program, None when it needs an engine.

    What changes anything (pg_notify, set_config) is never part of one: a run may be given up.
    """
    scans: dict[int, TableScan] = {}  # ORDER BY 2 has the second column's subquery once more
    virtual: dict[int, VirtualScan] = {}
    read: dict[int, set[int]] = {}
    cost_us, depth, size = 0.0, 1, 0
    for node in walk(query):
        size += 1
        depth += isinstance(node, _DEEPER)
        if isinstance(node, TableScan):
            scans[node.relation] = node
        elif isinstance(node, VirtualScan):
            virtual[node.relation] = node
        elif isinstance(node, ColumnRef):
            read.setdefault(node.relation, set()).add(node.column)
        elif isinstance(node, Expr) and not isinstance(node, _LEAVES):
            cost_us += _node_cost_us(node)
            steps = _steps_of(node)
            size += sum(map(extent, steps))
            depth += sum([isinstance(part, _DEEPER) for one in steps for part in walk(one)])
            cost_us += _STEP_US * len(steps)
            if isinstance(node, Call) and _changes_something(node):
                return None
    uses = [Use(scan, frozenset(read.get(scan.relation, ()))) for scan in scans.values()]
    queries = Queries({use.relation: use.width for use in uses})
    try:
        program = queries.compile(query)
    except (FeatureNotSupportedError, UndefinedFunctionError):
        return None
    row_cost_us = _ROW_US + cost_us / max(1, len(scans))
    return CompiledQuery(
        uses, tuple(virtual.values()), row_cost_us, size, program, queries.ctes, depth
    )
