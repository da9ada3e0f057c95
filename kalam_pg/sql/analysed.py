"""An analysed query in the shape in which PostgreSQL keeps a view's: what `rule_text` shows.

Made by `analyse_query` and `analyse_expr`. An expression says how it was written (a cast or a call, a
window's name) as well as what it means: the types of constants, and each cast that was not written.
"""

from dataclasses import dataclass, field

from catalog.types.table import PgType
from storage.layout import Value


class Node:
    """An expression."""

    __slots__ = ()


# ------------------------------------------------------------------ relations


@dataclass(eq=False, slots=True)
class Rel:
    """An entry of a query's range table; of a join too, which has an alias then or merges columns.

    kind: relation | subquery | function | values | cte | join. alias: as it was written, or "";
    aliases: of its columns. called: its name where it has no alias. source, bare: how FROM names it, with
    its schema and without where that is enough. columns: their names today; then: what the text calls
    them, None for those that came later. definitions: types behind the names of a column definition list.
    name, shown, prints: what `rule_names` chooses: its name, those of its columns, and whether they are
    written behind it; above: the merged columns of the joins around it.
    """

    kind: str
    alias: str
    called: str
    columns: list[str | None]
    aliases: tuple[str, ...] = ()
    source: str = ""
    bare: str = ""
    query: "Query | None" = None
    calls: tuple[Node, ...] = ()
    ordinality: bool = False
    lateral: bool = False
    only: bool = False
    sample: "tuple[str, Node, Node | None] | None" = None
    definitions: tuple[str, ...] = ()
    rows: tuple[tuple[Node, ...], ...] = ()
    then: list[str | None] = field(default_factory=list)
    name: str = ""
    shown: list[str | None] = field(default_factory=list)
    prints: bool = False
    above: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class JoinItem:
    """A join. condition: None with USING, or without any. rel: its entry, with the merged columns first.

    sides: of each column of the join, which column of the left and of the right side it is (-1: none).
    dangerous: a merged column is none of a side.
    """

    kind: str
    left: "Rel | JoinItem"
    right: "Rel | JoinItem"
    condition: Node | None
    rel: Rel
    using: tuple[str, ...] = ()
    using_alias: str = ""
    sides: list[tuple[int, int]] = field(default_factory=list)
    dangerous: bool = False


# ------------------------------------------------------------------ expressions


@dataclass(eq=False, slots=True)
class Var(Node):
    """A column of a relation; None: its whole row. type, typmod: of the row."""

    rel: Rel
    column: int | None
    type: PgType
    name: str = ""  # where it is none of the relation's own columns


@dataclass(eq=False, slots=True)
class Constant(Node):
    """A constant; `text`: where it is read anew each time, as it was written."""

    value: Value
    type: PgType
    text: str | None = None


@dataclass(eq=False, slots=True)
class Words(Node):
    """What is written so: CURRENT_DATE, $1, VALUE, DEFAULT."""

    text: str
    call: bool = False


@dataclass(eq=False, slots=True)
class Cast(Node):
    """A cast; `implicit`: nobody wrote it. by_function: PostgreSQL calls a function for it."""

    arg: Node
    type: PgType
    typmod: int = -1
    implicit: bool = False
    by_function: bool = True


@dataclass(eq=False, slots=True)
class Func(Node):
    """A call. names: of the arguments that are given by name, "" for the others. syntax: as SQL spells it."""

    name: str
    args: tuple[Node, ...]
    names: tuple[str, ...] = ()
    variadic: bool = False
    syntax: str = ""


@dataclass(eq=False, slots=True)
class Listed(Node):
    """COALESCE, GREATEST, LEAST, NULLIF, GROUPING."""

    word: str
    args: tuple[Node, ...]


@dataclass(eq=False, slots=True)
class Op(Node):
    """An operator; left is None for one that stands before its operand."""

    symbol: str
    left: Node | None
    right: Node


@dataclass(eq=False, slots=True)
class Logic(Node):
    """AND, OR, NOT."""

    word: str
    args: tuple[Node, ...]


@dataclass(eq=False, slots=True)
class Test(Node):
    """`arg IS words`; shows: whether an implicit cast of the argument is shown."""

    arg: Node
    words: str
    shows: bool


@dataclass(eq=False, slots=True)
class Distinct(Node):
    """IS DISTINCT FROM."""

    left: Node
    right: Node


@dataclass(eq=False, slots=True)
class ArrayOp(Node):
    """`left symbol ANY|ALL (right)`."""

    left: Node
    symbol: str
    word: str
    right: Node
    cast: str = ""  # of a subquery that stands for an array


@dataclass(eq=False, slots=True)
class RowCompare(Node):
    """Two rows by <, <=, > or >=."""

    left: tuple[Node, ...]
    symbol: str
    right: tuple[Node, ...]


@dataclass(eq=False, slots=True)
class ArrayOf(Node):
    """ARRAY[…]."""

    items: tuple[Node, ...]
    type: PgType


@dataclass(eq=False, slots=True)
class RowOf(Node):
    """ROW(…); `type` where it was cast to one."""

    items: tuple[Node, ...]
    type: PgType | None = None


@dataclass(eq=False, slots=True)
class Element(Node):
    """Subscripts: (index,) or (lower, upper) for each dimension."""

    arg: Node
    places: tuple[tuple[Node | None, ...], ...]


@dataclass(eq=False, slots=True)
class Field(Node):
    """A field of a row."""

    arg: Node
    name: str


@dataclass(eq=False, slots=True)
class CaseOf(Node):
    """CASE."""

    operand: Node | None
    whens: tuple[tuple[Node, Node], ...]
    default: Node


@dataclass(eq=False, slots=True)
class Collated(Node):
    """COLLATE."""

    arg: Node
    name: str


@dataclass(eq=False, slots=True)
class SortItem:
    """An item of ORDER BY; expr is the number of an output column behind a set operation."""

    expr: Node | int
    suffix: str = ""


@dataclass(eq=False, slots=True)
class WindowSpec:
    """( [refers] [PARTITION BY …] [ORDER BY …] [frame] ); the frame as its words and offsets."""

    refers: str = ""
    partition: tuple[Node, ...] = ()
    order: tuple[SortItem, ...] = ()
    frame: tuple[str | Node, ...] = ()


@dataclass(eq=False, slots=True)
class AggregateOf(Node):
    """The call of an aggregate or, with `over` (a name or a definition), of a window function."""

    name: str
    args: tuple[Node, ...]
    star: bool = False
    distinct: bool = False
    order: tuple[SortItem, ...] = ()
    within: bool = False
    filter: Node | None = None
    variadic: bool = False
    over: "str | WindowSpec | None" = None


@dataclass(eq=False, slots=True)
class Sublink(Node):
    """A subquery in an expression. kind: exists | any | all | row | expr | array."""

    kind: str
    query: "Query"
    tests: tuple[Node, ...] = ()
    symbol: str = ""


# ------------------------------------------------------------------ queries


@dataclass(eq=False, slots=True)
class CteItem:
    """An item of WITH."""

    name: str
    aliases: tuple[str, ...]
    query: "Query"
    materialized: bool | None
    behind: str = ""  # SEARCH and CYCLE


@dataclass(eq=False, slots=True)
class Grouped:
    """An item of GROUP BY. kind: one | sets ("GROUPING SETS (") | "ROLLUP(" | "CUBE(" | list."""

    kind: str
    expr: Node | None = None
    items: tuple["Grouped", ...] = ()


@dataclass(eq=False, slots=True)
class Query:
    """A query: SELECT, VALUES (`rows`), or a set operation (`operation`)."""

    rels: list[Rel] = field(default_factory=list)
    targets: list[tuple[Node, str]] = field(default_factory=list)
    from_: list[Rel | JoinItem] = field(default_factory=list)
    where: Node | None = None
    group: tuple[Grouped, ...] = ()
    group_distinct: bool = False
    having: Node | None = None
    windows: tuple[tuple[str, WindowSpec], ...] = ()
    distinct: tuple[Node, ...] | None = None  # () without ON
    ctes: tuple[CteItem, ...] = ()
    recursive: bool = False
    order: tuple[SortItem, ...] = ()
    limit: Node | None = None
    ties: bool = False
    offset: Node | None = None
    locks: tuple[tuple[str, tuple[Rel, ...], str], ...] = ()
    rows: tuple[tuple[Node, ...], ...] = ()
    columns: tuple[str, ...] = ()
    operation: "SetOf | None" = None


@dataclass(eq=False, slots=True)
class SetOf:
    """A set operation; an operand is a query, or another one without clauses of its own."""

    word: str
    all: bool
    left: "SetOf | Query"
    right: "SetOf | Query"
