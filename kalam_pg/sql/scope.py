"""What names mean: the state of one statement being bound, its query levels and what each can see."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from catalog.changes_depend import NAMELESS
from catalog.changes_table import SYSTEM_COLUMNS
from catalog.errors import (
    AmbiguousAliasError,
    AmbiguousColumnError,
    DuplicateAliasError,
    StatementTooComplexError,
    UndefinedColumnError,
    UndefinedTableError,
)
from catalog.functions import Function
from catalog.model import Relation, Table
from catalog.types import registry as types
from catalog.types.table import DEFAULT_CONTEXT, PgType, TypeContext
from kalam_pg.functions.table import Overload
from kalam_pg.sql.relation_source import RelationSource
from kalam_pg.sql.system_columns import INDEXES, system_column, unsupported
from kalam_pg.sql.traced import Trace
from kalam_pg.sql.tree import (
    Aggregate,
    Call,
    ColumnRef,
    Const,
    Cte,
    CteChange,
    Expr,
    FunctionRun,
    OutputColumn,
    Query,
    Select,
    Window,
)
from kalam_pg.sql.walk import raise_levels
from storage.errors import KalamError

_TWICE = -1
"""Instead of a column's index: two columns share the name."""

VIRTUAL_SCHEMAS = frozenset(("pg_catalog", "information_schema", "system"))


def no_virtual(_schema: str, _name: str) -> tuple[OutputColumn, ...] | None:
    """A catalogue without relations."""
    return None


@dataclass(slots=True)
class BindScope:
    """Where a statement is bound: what exists, and what the session says about names and types.

    virtual: columns of a catalogue relation by schema and name, None when there is none.
    param_types: types given by Parse, None (or missing) where the binder is to infer them. param_names,
    function: of a statement in the body of a function, what its parameters are called, and it is. calling:
    it is CALL, which alone may name procedures.
    """

    snapshot: RelationSource
    search_path: tuple[str, ...] = ("public",)
    virtual: Callable[[str, str], tuple[OutputColumn, ...] | None] = no_virtual
    param_types: Sequence[PgType | None] = ()
    types: TypeContext = DEFAULT_CONTEXT
    param_names: tuple[str, ...] = ()
    function: str = ""
    calling: bool = False


SPENT_MAX, SPENT_PER_CHARACTER = 2_000, 8
"""A text has a few characters for each of its expressions; BETWEEN and rows compute an operand twice."""


class Named(NamedTuple):
    """A reference to a table or view in a text; whether it has an alias, names of columns in it, ONLY."""

    relation: Relation
    alias: bool
    columns: bool
    only: bool


_PLAIN = frozenset((Aggregate, ColumnRef, Const, Window))  # They are there, asked for or not.


@dataclass(slots=True)
class Binding:
    """One statement being bound: numbers handed out, parameters inferred, what it names.

    columns: output of each relation by number. pending: per parameter index, the positions of
    references that were bound before its type was known and not coerced since. views: those that are
    being bound, from the outermost in. relations: ids of the tables and views that the statement's own
    text reads from. named: where it names them, by 0-based characters. changes: WITH items that change
    data. nested: whether a query was bound in it. early: something in it may be an error before any row is
    read (`folding`). derives: a query in FROM computes what may be asked for by nothing. spent: how many
    expressions have been bound, those that are computed in several places once for each. views_characters:
    of the texts of its views and functions. functions: those that people made and it calls, by their ids.
    inside: the ids of those whose bodies are being bound, from the outermost in. arguments: the relations
    that stand for arguments of calls. calls: how many there are. over_rows: what is being bound is computed
    for each row. read_anew: ids of the tables that volatile functions read, with the name of one and where
    it is called. runs: calls that come before the statement. aggregates: those that people made, by their
    ids and the types of their arguments. trace: what becomes of each node, where that is asked for.
    """

    scope: BindScope
    text: str = ""
    params: list[PgType | None] = field(default_factory=list)
    pending: dict[int, list[int]] = field(default_factory=dict)
    columns: list[tuple[OutputColumn, ...]] = field(default_factory=list)
    ctes: int = 0
    tables: dict[int, Table] = field(default_factory=dict)
    virtual: dict[tuple[str, str], None] = field(default_factory=dict)
    views: tuple[str, ...] = ()
    relations: dict[int, None] = field(default_factory=dict)
    named: dict[int, Named] = field(default_factory=dict)
    changes: list[CteChange] = field(default_factory=list)
    nested: bool = False
    volatile: bool = False
    early: bool = False
    derives: bool = False
    spent: int = 0
    views_characters: int = 0
    functions: dict[int, Function] = field(default_factory=dict)
    inside: tuple[int, ...] = ()
    calls: int = 0
    read_anew: dict[int, tuple[str, int]] = field(default_factory=dict)
    over_rows: bool = False
    runs: list[FunctionRun] = field(default_factory=list)
    arguments: set[int] = field(default_factory=set)
    aggregates: dict[tuple[int, tuple[PgType, ...]], Overload] = field(default_factory=dict)
    trace: Trace | None = None

    def spend(self, expressions: int) -> None:
        """Note that so many have been bound. Raises 54001 when they are out of all proportion to the text."""
        self.spent += expressions
        if self.spent <= SPENT_MAX:
            return
        characters = len(self.text) + self.views_characters
        if self.spent > SPENT_MAX + SPENT_PER_CHARACTER * characters:
            raise StatementTooComplexError(
                "stack depth limit exceeded",
                detail="Operands that are computed several times have such operands, over and over.",
            )

    def note_derived(self, query: Query) -> None:
        """Note a query in FROM: whether some of its columns are constants, or computed of each row."""
        kinds = (
            {type(t.expr) for t in query.targets} if isinstance(query, Select) else {Const, Call}
        )
        self.early |= Const in kinds
        self.derives |= not kinds <= _PLAIN

    def relation(self, columns: tuple[OutputColumn, ...]) -> int:
        """Number a new relation with this output."""
        self.columns.append(columns)
        return len(self.columns) - 1


@dataclass(slots=True)
class Item:
    """One thing that column names may come from: a relation of FROM, or a join's merged columns.

    names: column name to index, -1 where two columns share it. exprs: what the columns stand for
    when they are not simply columns of `relation` (JOIN USING). `table_name` and `schema` allow
    `schema.table.column`; "" when an alias hides them. single: its rows are values, not rows, so that
    its name alone means the value (a function that returns a scalar). nullable: an outer join may make up
    rows of NULLs; never_null: columns that are NULL in none but those. An item with `reachable` False
    is in FROM but may not be referenced from here; it serves the error message only.
    """

    alias: str
    relation: int
    columns: tuple[OutputColumn, ...]
    names: dict[str, int]
    schema: str = ""
    exprs: tuple[Expr, ...] | None = None
    rel_visible: bool = True
    cols_visible: bool = True
    table: Table | None = None
    single: bool = False
    nullable: bool = False
    never_null: tuple[int, ...] = ()
    row: PgType | None = None

    def ref(self, index: int, position: int) -> Expr:
        """The expression for one column."""
        if index < _TWICE and self.table is not None:
            return system_column(index, self.table, self.ref, position)
        if self.exprs is not None:
            return self.exprs[index]
        column = self.columns[index]
        return ColumnRef(self.relation, index, column.name, column.type, column.typmod, position)

    def find(self, name: str) -> int | None:
        """The index of a column of that name, or of what every stored table has besides."""
        index = self.names.get(name)
        return INDEXES.get(name) if index is None and self.table is not None else index


@dataclass(slots=True)
class CteEntry:
    """A WITH item in scope. `cte` is None inside a recursive item's own definition."""

    number: int
    name: str
    columns: tuple[OutputColumn, ...]
    cte: Cte | CteChange | None = None


@dataclass(slots=True)
class Level:
    """One query level. `items` are what its expressions see; `hidden` is in FROM but out of reach.

    clause: where in the query we are, in the words of error messages ("WHERE", "JOIN conditions").
    windows: named windows, as sqlglot nodes, by name. sets: positions of the calls that give sets.
    unread: conditions in and below this query that are checked and never asked, with how far below.
    arguments: around a function's body, what stands for the arguments of the call.
    """

    state: Binding
    parent: "Level | None" = None
    items: list[Item] = field(default_factory=list)
    hidden: list[Item] = field(default_factory=list)
    ctes: dict[str, CteEntry] | None = None
    clause: str = ""
    has_aggregates: bool = False
    reads_itself: bool = False
    has_windows: bool = False
    inside: str = ""  # "" | "aggregate" | "window": whose arguments are being bound
    suspended: str = ""  # the same around the subquery that is being bound
    windows: dict[str, object] = field(default_factory=dict)
    sets: list[int] = field(default_factory=list)
    unread: list[tuple[Expr, int]] = field(default_factory=list)
    arguments: Item | None = None

    def add(self, item: Item, position: int = 0) -> None:
        """Put an item into FROM; its alias must be new there."""
        if item.alias and item.rel_visible:
            for other in self.items:
                if (
                    other.alias == item.alias
                    and other.rel_visible
                    and (other.schema == item.schema or not other.schema or not item.schema)
                ):
                    raise DuplicateAliasError(
                        f'table name "{item.alias}" specified more than once', position=position
                    )
        self.items.append(item)

    def find_cte(self, name: str) -> CteEntry | None:
        """The WITH item of that name, innermost first."""
        level: Level | None = self
        while level is not None:
            if level.ctes and name in level.ctes:
                return level.ctes[name]
            level = level.parent
        return None

    def levels(self) -> "Iterator[tuple[int, Level]]":
        """This level and those around it, with the number of levels up."""
        up, level = 0, self
        while True:
            yield up, level
            if level.parent is None:
                return
            up, level = up + 1, level.parent


def names_of(columns: Sequence[OutputColumn]) -> dict[str, int]:
    """Column name to index; -1 marks a name that occurs twice."""
    names: dict[str, int] = {}
    for index, column in enumerate(columns):
        names[column.name] = _TWICE if column.name in names else index
    return names


# Column lists of tables are asked for at each reference; a Table is immutable, so by identity.
_TABLE_COLUMNS: dict[int, tuple[Table, tuple[OutputColumn, ...], dict[str, int]]] = {}
_TABLE_COLUMNS_MAX = 4096


def table_columns(table: Table) -> tuple[tuple[OutputColumn, ...], dict[str, int]]:
    """A stored table's output: its columns, then `_seq` and `_deleted`; and their index by name."""
    known = _TABLE_COLUMNS.get(id(table))
    if known is not None and known[0] is table:
        return known[1], known[2]
    # What came after a view's text has no name in it (`catalog.changes_depend`).
    hidden = ("_rowid", NAMELESS) if table.hidden_key else (NAMELESS,)
    columns = (
        *(
            OutputColumn(c.name, c.type, c.typmod, table.id, c.id, c.name in hidden)
            for c in table.columns
        ),
        OutputColumn("_seq", types.INT8, hidden=True),
        OutputColumn("_deleted", types.BOOL, hidden=True),
    )
    if len(_TABLE_COLUMNS) >= _TABLE_COLUMNS_MAX:
        _TABLE_COLUMNS.clear()
    _TABLE_COLUMNS[id(table)] = (table, columns, names := names_of(columns))
    return columns, names


SEQUENCE = "sequence "
"""What the schema of a sequence begins with where it is read as a relation; its OID follows."""

_SEQUENCE_COLUMNS = (
    OutputColumn("last_value", types.INT8),
    OutputColumn("log_cnt", types.INT8),
    OutputColumn("is_called", types.BOOL),
)


def find_relation(
    state: Binding, schema: str, name: str
) -> Relation | tuple[str, tuple[OutputColumn, ...]] | None:
    """A table or view, or (schema, columns) of a catalogue relation, as search_path has it.

    Of a sequence, the one row that it has.
    """
    found = _find_relation(state, schema, name)
    if found is None:
        scope = state.scope
        sequence = scope.snapshot.find_sequence(schema, name, scope.search_path)
        if sequence is not None:
            return f"{SEQUENCE}{sequence.id}", _SEQUENCE_COLUMNS
    return found


def _find_relation(
    state: Binding, schema: str, name: str
) -> Relation | tuple[str, tuple[OutputColumn, ...]] | None:
    scope = state.scope
    if schema:
        if schema in VIRTUAL_SCHEMAS and (columns := scope.virtual(schema, name)) is not None:
            return schema, columns
        return scope.snapshot.find(schema, name, ())
    path = scope.search_path
    if "pg_catalog" not in path and (columns := scope.virtual("pg_catalog", name)) is not None:
        return "pg_catalog", columns
    if VIRTUAL_SCHEMAS.isdisjoint(path):
        return scope.snapshot.find("", name, path)
    for entry in path:
        if entry in VIRTUAL_SCHEMAS:
            if (columns := scope.virtual(entry, name)) is not None:
                return entry, columns
        elif (found := scope.snapshot.find(entry, name, ())) is not None:
            return found
    return None


def resolve_column(level: Level, name: str, position: int) -> Expr | None:
    """What an unqualified name means, or None when no column has it."""
    for up, current in level.levels():
        found: Expr | None = None
        for item in current.items:
            if not item.cols_visible:
                continue
            index = item.find(name)
            if index is None:
                continue
            if found is not None or index == _TWICE:
                raise AmbiguousColumnError(
                    f'column reference "{name}" is ambiguous', position=position
                )
            found = item.ref(index, position)
        if found is not None:
            return raise_levels(found, up) if up else found
    return None


def resolve_qualified(level: Level, path: Sequence[str], name: str, position: int) -> Expr:
    """What `table.name` or `schema.table.name` means."""
    up, item = resolve_item(level, path, position)
    index = item.find(name)
    if index is None:
        if item.table is not None and name in SYSTEM_COLUMNS:
            raise unsupported(name, position)
        raise UndefinedColumnError(f"column {item.alias}.{name} does not exist", position=position)
    if index == _TWICE:
        raise AmbiguousColumnError(f'column reference "{name}" is ambiguous', position=position)
    found = item.ref(index, position)
    return raise_levels(found, up) if up else found


def resolve_item(level: Level, path: Sequence[str], position: int) -> tuple[int, Item]:
    """The FROM item that `table` or `schema.table` names, and how many levels up it is."""
    found = find_item(level, path, position)
    if found is None:
        raise _missing_from(level, path, position)
    return found


def find_item(level: Level, path: Sequence[str], position: int = 0) -> tuple[int, Item] | None:
    """As `resolve_item`, None when there is none."""
    alias = path[-1]
    schema = path[-2] if len(path) > 1 else ""
    for up, current in level.levels():
        alike = [item for item in current.items if item.alias == alias and item.rel_visible]
        match = [item for item in alike if not schema or item.schema == schema]
        if len(match) > 1:
            raise AmbiguousAliasError(f'table reference "{alias}" is ambiguous', position=position)
        if match:
            return up, match[0]
    return None


def undefined_column(level: Level, name: str, position: int) -> KalamError:
    """The error for an unqualified name, with PostgreSQL's hint where a table has that column."""
    for _, current in level.levels():
        if name in SYSTEM_COLUMNS and any(item.table is not None for item in current.items):
            return unsupported(name, position)
        for item in current.hidden:
            if item.names.get(name, -1) >= 0:
                return UndefinedColumnError(
                    f'column "{name}" does not exist',
                    hint=f'There is a column named "{name}" in table "{item.alias}", but it '
                    "cannot be referenced from this part of the query.",
                    position=position,
                )
    return UndefinedColumnError(f'column "{name}" does not exist', position=position)


def _missing_from(level: Level, path: Sequence[str], position: int) -> UndefinedTableError:
    alias = path[-1]
    for _, current in level.levels():
        for item in current.hidden:
            if item.alias == alias and item.rel_visible:
                return _unreachable(alias, position)
        for item in current.items:
            if item.alias == alias and (not item.rel_visible or len(path) > 1):
                return _unreachable(alias, position)
            if item.rel_visible and item.table is not None and item.table.name == alias:
                return UndefinedTableError(
                    f'invalid reference to FROM-clause entry for table "{alias}"',
                    hint=f'Perhaps you meant to reference the table alias "{item.alias}".',
                    position=position,
                )
    return UndefinedTableError(f'missing FROM-clause entry for table "{alias}"', position=position)


def _unreachable(alias: str, position: int) -> UndefinedTableError:
    return UndefinedTableError(
        f'invalid reference to FROM-clause entry for table "{alias}"',
        hint=f'There is an entry for table "{alias}", but it cannot be referenced from this part '
        "of the query.",
        position=position,
    )


def renamed(columns: tuple[OutputColumn, ...], names: Sequence[str]) -> tuple[OutputColumn, ...]:
    """Columns with the first of their names replaced (`AS alias(a, b)`)."""
    if not names:
        return columns
    return tuple(
        replace(column, name=names[i]) if i < len(names) else column
        for i, column in enumerate(columns)
    )
