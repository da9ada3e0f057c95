"""What one translation to DataFusion SQL gathers, and where expressions find their columns."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, cast

import pyarrow as pa

from catalog.errors import FeatureNotSupportedError
from catalog.model import Table
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions.table import EvalContext, Overload, Volatility
from kalam_pg.functions.udf import UdfSpec
from kalam_pg.sql.constancy import is_immutable, is_volatile
from kalam_pg.sql.physical import Sql, arrow_cast, canonical, identifier, is_decimal
from kalam_pg.sql.to_python import evaluate
from kalam_pg.sql.tree import Call, ColumnRef, Const, Expr, TableScan
from storage.errors import KalamError
from storage.layout import Value

ORDER = "o"
"""The column that tells the order of a relation's rows."""


WHOLE = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
"""A frame for what is computed over its partition: DataFusion's own is a RANGE, for few types only."""


class Order(Enum):
    """What a query's order of rows is to whoever reads it: nothing, how they come, or one more column
    (`ORDER`), as nothing else keeps an order inside a statement.
    """

    ANY = "any"
    ROWS = "rows"
    COLUMN = "column"


@dataclass(frozen=True, slots=True)
class ScanNeed:
    """A stored table that the SQL reads, under the name it has there.

    columns: `c<column id>`, `_seq`, `_deleted`: only what is read, at least one.
    """

    name: str
    scan: TableScan
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Emitted:
    """A query as DataFusion SQL, and everything it needs.

    The result's columns are c0, c1 … in the query's order; `physical` are their Arrow types. steps:
    queries to compute first, once each and in order, as tables of those names. given: rows that are known
    already, as tables of those names, whose columns the SQL puts that name and _ before.
    """

    sql: str
    scans: tuple[ScanNeed, ...]
    udfs: tuple[UdfSpec, ...]
    physical: tuple[pa.DataType, ...] = ()
    steps: tuple[tuple[str, str], ...] = ()
    given: tuple[tuple[str, pa.RecordBatch], ...] = ()


@dataclass(frozen=True, slots=True)
class Relation:
    """A query's output: its SQL, and the physical types of its columns (c0, c1 and so on).

    order: one more column behind them, by which its rows are in the order that they were asked in.
    """

    sql: str
    physical: tuple[pa.DataType, ...]
    order: pa.DataType | None = None

    def names(self) -> tuple[str, ...]:
        """The columns."""
        return (
            *[f"c{i}" for i in range(len(self.physical))],
            *([ORDER] if self.order is not None else []),
        )


class Scope:
    """The columns that expressions of one query level can see, and nodes already computed there.

    order: by what its rows are in the order of what they are read from, if that has one. single: a
    column of what an aggregate makes of all rows, where it makes a row of none.
    """

    def __init__(self, parent: "Scope | None" = None) -> None:
        self._columns: dict[tuple[int, int], Callable[[], Sql]] = {}
        self._nodes: dict[Any, Sql] = {}
        self._kinds: set[type] = set()
        self.parent = parent
        self.order: tuple[Sql, ...] = ()
        self.single: Sql | None = None

    def add_column(self, relation: int, column: int, sql: Callable[[], Sql]) -> None:
        """Make a relation's column known; `sql` is called when it is read."""
        self._columns[relation, column] = sql

    def add_node(self, node: object, sql: Sql) -> None:
        """Say that `node` has been computed (a grouping expression, an aggregate, a subquery)."""
        self._nodes[fingerprint(node)] = sql
        self._kinds.add(type(node))

    @property
    def computed(self) -> int:
        """How many nodes have been computed."""
        return len(self._nodes)

    def node(self, node: object) -> Sql | None:
        """What stands for a computed node, if it is one."""
        return self._nodes.get(fingerprint(node)) if type(node) in self._kinds else None

    def column(self, ref: ColumnRef) -> Sql:
        """The column's SQL; KeyError when no level knows it."""
        scope: Scope | None = self
        while scope is not None:
            found = scope._columns.get((ref.relation, ref.column))  # noqa: SLF001 # the same class
            if found is not None:
                return found()
            scope = scope.parent
        raise KeyError(ref)

    def knows(self, ref: ColumnRef) -> bool:
        """Whether this very level has the column."""
        return (ref.relation, ref.column) in self._columns


@dataclass(slots=True)
class Rendering:
    """One translation: its functions, tables and names."""

    context: EvalContext
    _udfs: dict[tuple[Any, ...], UdfSpec] = field(default_factory=dict)
    _scans: list[tuple[str, TableScan, dict[str, None]]] = field(default_factory=list)
    ctes: dict[int, Relation] = field(default_factory=dict)
    _steps: list[tuple[str, str]] = field(default_factory=list)
    _given: list[tuple[str, pa.RecordBatch]] = field(default_factory=list)
    _aliases: int = 0

    def value(self, expr: Expr) -> Value:
        """What a constant expression is, for the whole statement, however often it is translated.

        Raises FeatureNotSupportedError: it is an error, and not known to PostgreSQL before there is a row
        that it is computed for.
        """
        if not is_volatile(expr):
            try:
                return evaluate(expr, self.context)
            except FeatureNotSupportedError:
                raise
            except KalamError as error:
                if is_immutable(expr):
                    raise
                raise FeatureNotSupportedError("this constant is not supported here") from error
        once = self.context.once
        if id(expr) not in once:
            once[id(expr)] = expr, evaluate(expr, self.context)
        return once[id(expr)][1]

    def alias(self) -> str:
        """A table alias that nothing else has."""
        self._aliases += 1
        return f"q{self._aliases}"

    def call(
        self,
        key: str,
        args: list[Sql],
        result: pa.DataType,
        arg_types: tuple[PgType, ...],
        result_type: PgType,
        *,
        fallible: bool = True,
    ) -> Sql:
        """A call of a function that DataFusion is given, registered once per signature."""
        physical = tuple([a.physical for a in args])
        signature = (key, physical, result, arg_types, result_type)
        spec = self._udfs.get(signature)
        if spec is None:
            name = f"kalam_{len(self._udfs)}"
            spec = UdfSpec(name, key, physical, result, arg_types, result_type)
            self._udfs[signature] = spec
        return Sql(f"{spec.name}({', '.join([a.text for a in args])})", result, fallible)

    def opaque(self, value: Sql, kind: PgType, *others: tuple[Sql, PgType]) -> Sql:
        """The value, of which DataFusion knows nothing more than that it comes from all of these."""
        args, kinds = [value, *[o for o, _ in others]], (kind, *[k for _, k in others])
        return self.call("~same", args, value.physical, kinds, kind, fallible=value.fallible)

    def unforeseen(self, value: Sql, kind: PgType) -> Sql:
        """The value, which DataFusion takes for another one in each row, also if it is constant."""
        return self.call("~anew", [value], value.physical, (kind,), kind, fallible=value.fallible)

    def scan(self, scan: TableScan) -> tuple[str, dict[str, None]]:
        """Register a table: its name in the SQL, and the set of columns to fill."""
        columns: dict[str, None] = {}
        name = f"t{scan.relation}"
        self._scans.append((name, scan, columns))
        return name, columns

    def needs(self) -> tuple[ScanNeed, ...]:
        """The tables; one of which nothing is read still gives its rows, by `_seq`."""
        return tuple(
            ScanNeed(name, scan, tuple(columns) or ("_seq",)) for name, scan, columns in self._scans
        )

    def step(self, relation: Relation) -> Relation:
        """The relation computed once, before the statement itself."""
        name = f"k{len(self._steps)}"
        self._steps.append((name, relation.sql))
        listed = ", ".join(relation.names()) or "*"
        return replace(relation, sql=f"SELECT {listed} FROM {name}")  # noqa: S608 - names of ours

    def given(self, batch: pa.RecordBatch) -> str:
        """The name of a table of rows that are known already."""
        name = f"g{len(self._given)}"
        self._given.append((name, batch))
        return name

    def given_rows(self) -> tuple[tuple[str, pa.RecordBatch], ...]:
        """The tables of rows that are known."""
        return tuple(self._given)

    def steps(self) -> tuple[tuple[str, str], ...]:
        """What is computed before the statement."""
        return tuple(self._steps)

    def functions(self) -> tuple[UdfSpec, ...]:
        """The functions used."""
        return tuple(self._udfs.values())


def column(alias: str, name: str, physical: pa.DataType) -> Sql:
    """A column of an aliased relation."""
    return Sql(f"{alias}.{identifier(name)}", physical)


def derived(sql: str, alias: str, names: Sequence[str]) -> str:
    """A relation as a FROM item, each of its columns with a name of its own in the statement.

    DataFusion pushes filters below outer joins and into files by a column's name alone.
    """
    if not names:
        return f"({sql}) AS {alias}"
    return f"({sql}) AS {alias}({', '.join([alias + name for name in names])})"


def derived_column(alias: str, name: str, physical: pa.DataType) -> Sql:
    """A column of a `derived` item."""
    return Sql(f"{alias}.{alias}{name}", physical)


def converted(sql: Sql, physical: pa.DataType) -> Sql:
    """The value in another physical form (which the caller knows to be able to hold it)."""
    if sql.physical == physical:
        return sql
    return Sql(arrow_cast(sql.text, physical), physical, sql.fallible)


def all_integers(values: Sequence[Sql]) -> bool:
    """Whether all are of integer types of Arrow."""
    return all(pa.types.is_integer(v.physical) for v in values)


def relabelled(arg: Sql, source: PgType, target: PgType) -> Sql:
    """A cast that changes no stored value may still widen an integer."""
    if is_decimal(arg.physical) and target is types.NUMERIC:
        return arg
    return converted(converted(arg, canonical(source)), canonical(target))


def fingerprint(node: Any) -> Any:  # noqa: ANN401 # any node, and anything hashable
    """What two expressions that are written alike have in common: all but positions and names."""
    if isinstance(node, tuple):
        return tuple([fingerprint(item) for item in node])
    if isinstance(node, ColumnRef):
        return (ColumnRef, node.relation, node.column)
    if isinstance(node, Overload | PgType | Table):
        return id(node)
    if isinstance(node, Call) and node.overload.volatility is Volatility.VOLATILE:
        # Two calls have two values.
        return (Call, id(node.overload), fingerprint(node.args), node.position)
    if isinstance(node, Const) and isinstance(node.value, tuple) and len(node.value) > _LARGE:
        return (Const, id(node.value))  # Nobody writes so long a value twice.
    kind = type(node)
    names = _looked_at(cast("Hashable", kind))
    if names is not None:
        return (kind, *[fingerprint(getattr(node, name)) for name in names])
    # true and 1, and 1.0, are equal in Python only.
    return (kind, node) if isinstance(node, bool | int | float) else node


@cache
def _looked_at(kind: Hashable) -> tuple[str, ...] | None:
    """The fields of a node that tell it from another one; None: it is no node."""
    if not is_dataclass(kind):
        return None
    return tuple([one.name for one in fields(cast("type[Any]", kind)) if one.name not in _LOOKS])


_LOOKS = frozenset({"position", "name"})

_LARGE = 1000
"""Elements of an array that are looked at one by one."""
