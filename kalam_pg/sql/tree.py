"""The one typed tree. The binder makes it; `to_datafusion`, `to_sqlite` and `to_python` read it.

Every expression has a resolved `type`, a `typmod` (-1 = none) and a `position` (1-based character in
the statement, 0 = unknown; it plays no part in equality). Implicit casts are already `Call`s of cast
overloads: a back end never converts anything by itself. No sqlglot node is in here.

Column references name a *relation number* (unique in the whole statement, counted from 0 by the binder)
and the column's position in that relation's output. Relations appear as items of FROM clauses; the
target table of INSERT/UPDATE/DELETE is a relation too (`target`), and for ON CONFLICT DO UPDATE so is
`excluded`.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from catalog.functions import Function
from catalog.model import Table, View
from catalog.types.table import PgType
from kalam_pg.functions.table import Overload
from storage.layout import Value

# --------------------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Const:
    """A literal, already in stored form; None is NULL."""

    value: Value
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Param:
    """$n: `index` counts from 0."""

    index: int
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ColumnRef:
    """A column of a relation of this query or (`outer` > 0: levels up) an enclosing one.

    `column` indexes the relation's output columns (`RelationInfo.columns`).
    """

    relation: int
    column: int
    name: str
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)
    outer: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A function, operator or cast applied. `type` is the resolved result type."""

    overload: Overload
    args: tuple["Expr", ...]
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


class BoolKind(Enum):
    """AND, OR, NOT: three-valued."""

    AND = "AND"
    OR = "OR"
    NOT = "NOT"


@dataclass(frozen=True, slots=True)
class BoolOp:
    """AND/OR of two or more, NOT of one."""

    kind: BoolKind
    args: tuple["Expr", ...]
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class IsNull:
    """`arg IS [NOT] NULL`; of a RowExpr, and a record, it means every field.

    whole: whether there is a value is asked of these, too: a row of NULLs is one.
    """

    arg: "Expr"
    negated: bool
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)
    whole: bool = False


@dataclass(frozen=True, slots=True)
class IsTruth:
    """`arg IS [NOT] TRUE|FALSE|UNKNOWN`; value None is UNKNOWN."""

    arg: "Expr"
    value: bool | None
    negated: bool
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class IsDistinct:
    """`left IS [NOT] DISTINCT FROM right`, by the equality operator `equals`."""

    left: "Expr"
    right: "Expr"
    equals: Overload
    negated: bool
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


LOCKER = "xmax"
"""A column behind all others of a table that has rows inserted, for RETURNING: the transaction's number where
ON CONFLICT has locked and changed a row that was there before, and 0 of a new one.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """CASE: a simple form over a column or a constant arrives as the searched one.

    default: may be a NULL Const. operand: of another simple form, which is computed once; the conditions
    have a `CaseOperand` in its place, outside of any subquery, and so may the results: that is how a value
    is asked for several times where it must be computed once (`bind_domain`).
    """

    whens: tuple[tuple["Expr", "Expr"], ...]
    default: "Expr"
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)
    operand: "Expr | None" = None


@dataclass(frozen=True, slots=True)
class CaseOperand:
    """In a condition or result of the innermost `Case` around it that has an operand: the operand's value."""

    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Coalesce:
    """First non-NULL argument; all of one type."""

    args: tuple["Expr", ...]
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class NullIf:
    """NULL when `equals(left, right)`, else left."""

    left: "Expr"
    right: "Expr"
    equals: Overload
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class MinMax:
    """GREATEST or LEAST, by the `<` operator `less`; NULLs are ignored."""

    greatest: bool
    args: tuple["Expr", ...]
    less: Overload
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class InList:
    """`arg [NOT] IN (items)`, three-valued, by `equals(arg, item)`."""

    arg: "Expr"
    items: tuple["Expr", ...]
    equals: Overload
    negated: bool
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class AnyAll:
    """`arg operator ANY|ALL (array)`; `all` tells which. `operator` takes (arg, element)."""

    arg: "Expr"
    array: "Expr"
    operator: Overload
    all: bool
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ArrayExpr:
    """ARRAY[...]: items of the element type, or arrays one dimension lower."""

    items: tuple["Expr", ...]
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Numbered:
    """An array of parameters of the element type, by their indexes (from 0)."""

    indexes: tuple[int, ...]
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Subscript:
    """`arg[index]`, 1-based; out of range is NULL."""

    arg: "Expr"
    indexes: tuple["Expr", ...]
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Slice:
    """`arg[lower:upper]…`, an array; a bound that is None is the dimension's own."""

    arg: "Expr"
    bounds: tuple[tuple["Expr | None", "Expr | None"], ...]
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RowExpr:
    """ROW(...), or the row of a relation whose name stands as a value (`whole`).

    present: what is not NULL in every row of the relation; where an outer join has made a row up, the
    whole row is NULL. None where there is always a row.
    """

    items: tuple["Expr", ...]
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)
    names: tuple[str, ...] = ()
    whole: bool = False
    present: "Expr | None" = None


@dataclass(frozen=True, slots=True)
class ScalarSubquery:
    """(SELECT one column, at most one row)."""

    query: "Query"
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ArraySubquery:
    """ARRAY(SELECT one column)."""

    query: "Query"
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Exists:
    """EXISTS (query)."""

    query: "Query"
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class InSubquery:
    """`(args) [NOT] IN (query)`, or `arg op ANY|ALL (query)` with one arg.

    operators[i] takes (args[i], i-th output column). IN is `= ANY`; NOT IN is `<> ALL`.
    """

    args: tuple["Expr", ...]
    query: "Query"
    operators: tuple[Overload, ...]
    all: bool
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class WithTies:
    """The count of a LIMIT behind which come the rows that tie with the last one by ORDER BY."""

    count: "Expr"
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SortKey:
    """One ORDER BY item. PostgreSQL's default (NULLS LAST ascending) is already spelled out."""

    expr: "Expr"
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate call; legal only where PostgreSQL allows it (the binder has checked)."""

    overload: Overload
    args: tuple["Expr", ...]
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)
    distinct: bool = False
    filter: "Expr | None" = None
    order_by: tuple[SortKey, ...] = ()
    within_group: bool = False


@dataclass(frozen=True, slots=True)
class OuterAggregate:
    """An aggregate, or GROUPING, that is written in a subquery and belongs to a query around it, whose
    rows it is of.

    up: how many levels. Its columns are as the subquery sees them.
    """

    aggregate: "Aggregate | Grouping"
    up: int
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Grouping:
    """GROUPING(...): which of the grouping expressions are aggregated away."""

    args: tuple["Expr", ...]
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Frame:
    """A window frame. Bounds are "unbounded preceding", "preceding", "current row", "following",
    "unbounded following"; the offset goes with the two that have one.
    """

    mode: str  # rows | range | groups
    start: str
    start_offset: "Expr | None"
    end: str
    end_offset: "Expr | None"
    exclude: str = ""  # "" | current row | group | ties


@dataclass(frozen=True, slots=True)
class Window:
    """A window function call, or an aggregate used as one."""

    overload: Overload
    args: tuple["Expr", ...]
    type: PgType
    typmod: int = -1
    position: int = field(default=0, compare=False)
    partition_by: tuple["Expr", ...] = ()
    order_by: tuple[SortKey, ...] = ()
    frame: Frame | None = None
    filter: "Expr | None" = None


Expr: TypeAlias = (
    Const
    | Param
    | ColumnRef
    | Call
    | BoolOp
    | IsNull
    | IsTruth
    | IsDistinct
    | Case
    | CaseOperand
    | Coalesce
    | NullIf
    | MinMax
    | InList
    | Numbered
    | AnyAll
    | ArrayExpr
    | Subscript
    | Slice
    | RowExpr
    | ScalarSubquery
    | ArraySubquery
    | Exists
    | InSubquery
    | Aggregate
    | OuterAggregate
    | Grouping
    | Window
    | WithTies
)

# --------------------------------------------------------------------------- queries


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column of a query's or relation's output.

    table_id, column_id: where it comes from, for RowDescription (0, 0 when computed).
    hidden: readable by name but not part of `*` (`_seq`, `_deleted`, `_rowid`).
    fields: of a row value, its fields where they are known.
    """

    name: str
    type: PgType
    typmod: int = -1
    table_id: int = 0
    column_id: int = 0
    hidden: bool = False
    fields: tuple["OutputColumn", ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """One item of a select list."""

    expr: Expr
    name: str


@dataclass(frozen=True, slots=True)
class TableScan:
    """A stored table. Output columns: the table's columns, then hidden ones (`_seq`, `_deleted`)."""

    relation: int
    table: Table
    columns: tuple[OutputColumn, ...]
    alias: str = ""


@dataclass(frozen=True, slots=True)
class VirtualScan:
    """A catalogue relation: pg_catalog, information_schema or system, by qualified name."""

    relation: int
    schema: str
    name: str
    columns: tuple[OutputColumn, ...]
    alias: str = ""


@dataclass(frozen=True, slots=True)
class SubqueryScan:
    """A derived table, or a `view`. With `lateral` it may refer to earlier FROM items."""

    relation: int
    query: "Query"
    columns: tuple[OutputColumn, ...]
    alias: str = ""
    lateral: bool = False
    view: View | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CteScan:
    """A reference to a WITH item, by its number (unique in the statement)."""

    relation: int
    cte: int
    columns: tuple[OutputColumn, ...]
    alias: str = ""


@dataclass(frozen=True, slots=True)
class FunctionScan:
    """A set-returning (or plain) function in FROM; the ordinality column comes last."""

    relation: int
    call: Expr
    columns: tuple[OutputColumn, ...]
    alias: str = ""
    ordinality: bool = False
    lateral: bool = False


@dataclass(frozen=True, slots=True)
class RowsFrom:
    """Several functions in FROM side by side (ROWS FROM, unnest of several arrays): what has fewer rows
    is NULL for the rest. The ordinality column comes last.
    """

    relation: int
    calls: tuple[Expr, ...]
    columns: tuple[OutputColumn, ...]
    alias: str = ""
    ordinality: bool = False


@dataclass(frozen=True, slots=True)
class ValuesScan:
    """VALUES in FROM."""

    relation: int
    rows: tuple[tuple[Expr, ...], ...]
    columns: tuple[OutputColumn, ...]
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Join:
    """A join of two items. `kind`: inner | left | right | full | cross.

    USING and NATURAL arrive as `condition`; the merged columns are resolved by the binder (for full
    joins as Coalesce), so a Join has no output of its own: references go to its leaves.
    """

    kind: str
    left: "FromItem"
    right: "FromItem"
    condition: Expr | None


FromItem: TypeAlias = (
    TableScan | VirtualScan | SubqueryScan | CteScan | FunctionScan | RowsFrom | ValuesScan | Join
)


@dataclass(frozen=True, slots=True)
class LockClause:
    """FOR UPDATE or its kin. strength: its words; wait: NOWAIT, SKIP LOCKED or "".

    relations: the tables of FROM that it locks.
    """

    strength: str
    relations: tuple[int, ...]
    wait: str


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT. `from_` items are cross joined in order.

    group_by: grouping expressions; grouping_sets: tuples of indexes into it, () when there is just
    the plain GROUP BY. `grouped` is true when the query aggregates (also without GROUP BY).
    order_by: keys are full expressions (output names and ordinals are resolved).
    limit, offset: bigint expressions without columns (limit may be a `WithTies`).
    locking: FOR UPDATE and its kin.
    """

    targets: tuple[Target, ...]
    columns: tuple[OutputColumn, ...]
    from_: tuple[FromItem, ...] = ()
    where: Expr | None = None
    grouped: bool = False
    group_by: tuple[Expr, ...] = ()
    grouping_sets: tuple[tuple[int, ...], ...] = ()
    having: Expr | None = None
    distinct: bool = False
    distinct_on: tuple[Expr, ...] = ()
    order_by: tuple[SortKey, ...] = ()
    limit: Expr | None = None
    offset: Expr | None = None
    locking: tuple[LockClause, ...] = ()
    with_: "tuple[Cte, ...]" = ()


@dataclass(frozen=True, slots=True)
class ValuesQuery:
    """VALUES as a query. order_by refers to relation `relation`."""

    relation: int
    rows: tuple[tuple[Expr, ...], ...]
    columns: tuple[OutputColumn, ...]
    order_by: tuple[SortKey, ...] = ()
    limit: Expr | None = None
    offset: Expr | None = None
    with_: "tuple[Cte, ...]" = ()


@dataclass(frozen=True, slots=True)
class SetOp:
    """UNION, INTERSECT or EXCEPT; both sides already cast to the common types.

    order_by refers to relation `relation`, whose columns are the output.
    """

    kind: str  # union | intersect | except
    all: bool
    left: "Query"
    right: "Query"
    relation: int
    columns: tuple[OutputColumn, ...]
    order_by: tuple[SortKey, ...] = ()
    limit: Expr | None = None
    offset: Expr | None = None
    with_: "tuple[Cte, ...]" = ()


Query: TypeAlias = Select | ValuesQuery | SetOp


@dataclass(frozen=True, slots=True)
class Cte:
    """One WITH item. A recursive one's query is a SetOp whose right side scans it.

    rows_max: of a recursive one, how many of its rows are read, if that is known.
    """

    number: int
    name: str
    query: Query
    columns: tuple[OutputColumn, ...]
    recursive: bool = False
    materialized: bool | None = None
    rows_max: int | None = None


# --------------------------------------------------------------------------- data changes


@dataclass(frozen=True, slots=True)
class Assignment:
    """column: index into Table.columns. `expr` is cast to the column's type; None means DEFAULT."""

    column: int
    expr: Expr | None


@dataclass(frozen=True, slots=True)
class ViewCheck:
    """WITH CHECK OPTION: what must hold of a row that is written through the view. It sees `target`."""

    view: str
    condition: Expr


@dataclass(frozen=True, slots=True)
class OnConflict:
    """arbiters: ids of the unique indexes that decide, 0 for the primary key; None for all (DO NOTHING only).

    assignments is () for DO NOTHING. They and `where` see relations `target` and `excluded`.
    """

    arbiters: tuple[int, ...] | None
    assignments: tuple[Assignment, ...]
    where: Expr | None
    excluded: int


@dataclass(frozen=True, slots=True)
class AskedAnew:
    """A subquery of ON CONFLICT that depends on the row there or on the proposed one.

    refs: the columns that it asks for, which are parameters in it, that of the first with the index `place`;
    its value is the parameter behind theirs.
    """

    subquery: "ScalarSubquery | ArraySubquery | Exists"
    refs: tuple[Expr, ...]
    place: int


@dataclass(frozen=True, slots=True)
class Insert:
    """INSERT. `columns`: indexes into Table.columns that the source fills, in its order.

    Source rows are cast to the columns' types. In VALUES an item of None is DEFAULT. `source` is a
    tuple of rows, or a Query. RETURNING sees relation `target` (columns as in TableScan). overriding "user":
    what a Query gives of identity columns is not used, and no row has it. asked: what ON CONFLICT asks anew
    for each row, in its order.
    """

    table: Table
    target: int
    columns: tuple[int, ...]
    source: "tuple[tuple[Expr | None, ...], ...] | Query"
    on_conflict: OnConflict | None
    returning: tuple[Target, ...]
    returning_columns: tuple[OutputColumn, ...]
    target_columns: tuple[OutputColumn, ...]
    with_: tuple[Cte, ...] = ()
    overriding: str = ""  # "" | system | user
    checks: tuple[ViewCheck, ...] = ()
    asked: tuple[AskedAnew, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """UPDATE [FROM]. Expressions see `target` and the FROM items."""

    table: Table
    target: int
    assignments: tuple[Assignment, ...]
    from_: tuple[FromItem, ...]
    where: Expr | None
    returning: tuple[Target, ...]
    returning_columns: tuple[OutputColumn, ...]
    target_columns: tuple[OutputColumn, ...]
    with_: tuple[Cte, ...] = ()
    checks: tuple[ViewCheck, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE [USING]. Expressions see `target` and the USING items."""

    table: Table
    target: int
    using: tuple[FromItem, ...]
    where: Expr | None
    returning: tuple[Target, ...]
    returning_columns: tuple[OutputColumn, ...]
    target_columns: tuple[OutputColumn, ...]
    with_: tuple[Cte, ...] = ()


@dataclass(frozen=True, slots=True)
class When:
    """A WHEN of MERGE. matched: of the rows that a target row was found for.

    action: insert | update | delete | nothing. assignments: of an INSERT, the columns that are given.
    """

    matched: bool
    condition: Expr | None
    action: str
    assignments: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True)
class Merge:
    """MERGE. `using` is one item; `on` and the WHENs see it and `target`, but WHEN NOT MATCHED it alone.

    It has no RETURNING.
    """

    table: Table
    target: int
    using: tuple[FromItem, ...]
    on: Expr
    whens: tuple[When, ...]
    target_columns: tuple[OutputColumn, ...]
    with_: tuple[Cte, ...] = ()
    returning: tuple[Target, ...] = ()
    returning_columns: tuple[OutputColumn, ...] = ()


Dml: TypeAlias = Insert | Update | Delete | Merge


@dataclass(frozen=True, slots=True)
class CteChange:
    """A WITH item that changes data: it runs once, whether anything scans it or not.

    columns: of its RETURNING, () without one. before: the number of the item that is computed from it, if
    it has been made for that one.
    """

    number: int
    name: str
    change: Dml
    columns: tuple[OutputColumn, ...]
    before: int | None = None


@dataclass(frozen=True, slots=True)
class FunctionRun:
    """A call of a function that is run before its statement, whose result is a parameter's value then.

    args: of all its inputs; without columns. result: the type of what it gives back, of a set what each is.
    parameter: from 0; of a set an array.
    """

    function: Function
    args: tuple[Expr, ...]
    result: PgType
    parameter: int


@dataclass(frozen=True, slots=True)
class Bound:
    """What the binder returns for a query or data change.

    param_types: one per parameter. `tables`: every stored table the statement names (authorisation and
    cache dependencies); `virtual`: (schema, name) of catalogue relations. `columns`: the result's.
    `relations`: ids of the tables and views that its own text reads from, each once. `changes`: the
    WITH items that change data. `nested`: whether there are queries in it. `tag`: the command's where a
    query answers for a data change (`returning_queries`). `functions`: those that people made and that it
    calls. `runs`: calls that come before it, in order. `early`: something in it may be an error before any
    row is read (`folding`). `derives`: a query in FROM computes what may be asked for by nothing.
    """

    statement: Query | Dml
    columns: tuple[OutputColumn, ...]
    param_types: tuple[PgType, ...]
    tables: tuple[Table, ...] = ()
    virtual: tuple[tuple[str, str], ...] = ()
    volatile: bool = False
    notices: tuple[str, ...] = field(default=())
    relations: tuple[int, ...] = ()
    changes: tuple[CteChange, ...] = ()
    nested: bool = False
    tag: str = ""
    functions: tuple[Function, ...] = ()
    runs: tuple[FunctionRun, ...] = ()
    early: bool = False
    derives: bool = False
