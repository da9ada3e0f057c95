"""What a statement reads of each table, as its tree says: the row of a key, rows that meet a condition, any.

Whatever plan answers a statement, it tells no more than the tree asks for. So what a SERIALIZABLE transaction
remembers (`read_set`) is taken from the tree: of each scan those terms of WHERE that need its row alone. A
row that they leave out changes no answer. Terms that need more (another table, a subquery, the commit's
number, a volatile function) are left away, which makes the condition wider.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.errors import FeatureNotSupportedError
from catalog.model import Table
from catalog.types.registry import BOOL
from kalam_pg.query.deleted_rows import deleted_relations
from kalam_pg.query.noting import note_condition, note_everything, note_key
from kalam_pg.query.predicates import conjuncts, is_volatile, key_lookup
from kalam_pg.sql.to_python import Closure, compile_expr
from kalam_pg.sql.tree import (
    BoolKind,
    BoolOp,
    Bound,
    Call,
    ColumnRef,
    Delete,
    Dml,
    Expr,
    FromItem,
    Join,
    Merge,
    Query,
    Select,
    TableScan,
    Update,
)
from kalam_pg.sql.walk import walk
from storage.errors import KalamError
from storage.keys import encode_key
from storage.layout import Row

if TYPE_CHECKING:
    from kalam_pg.query.execution import Execution

_NO_ROW: Row = ()


@dataclass(frozen=True, slots=True)
class TableRead:
    """What a statement reads of a table. key, condition None: any row.

    timed: the condition asks for more than its parameters, so it may mean another thing next time.
    """

    table: Table
    key: tuple[Closure, ...] | None
    condition: Closure | None
    timed: bool

    def note(self, x: "Execution") -> None:
        """Have the transaction remember it, with this run's parameters."""
        if self.key is not None:
            try:
                values = [closure(_NO_ROW, x.context) for closure in self.key]
            except KalamError:
                note_everything(x, self.table, x.user)
                return  # It takes long, or the statement will fail.
            if None not in values:
                layout = self.table.layout
                kinds = [layout.columns[at].kind for at in layout.key]
                note_key(x, self.table, x.user, encode_key(values, kinds))
        elif self.condition is not None:
            note_condition(x, self.table, self.condition, timed=self.timed)
        else:
            note_everything(x, self.table, x.user)


class Reading:
    """What a statement reads, worked out when it is first asked for: transactions of most levels never do."""

    __slots__ = ("_found", "_statements")

    def __init__(self, bound: Bound) -> None:
        self._statements = (bound.statement, *[item.change for item in bound.changes])
        self._found: tuple[TableRead, ...] | None = None

    @property
    def tables(self) -> tuple[TableRead, ...]:
        """One for each scan of a stored table, and for each table whose rows are changed."""
        found = self._found
        if found is None:
            found = self._found = tuple(
                [read for statement in self._statements for read in _reads(statement)]
            )
        return found

    def note(self, x: "Execution") -> None:
        """Have the transaction of a run remember what it is about to read."""
        x.declared = True
        for read in self.tables:
            if not read.table.temporary:
                read.note(x)


def _reads(statement: Query | Dml) -> Iterator[TableRead]:
    """What a statement reads with all that is in it."""
    nodes = list(walk(statement))
    terms: dict[int, list[Expr]] = {}
    for node in nodes:
        if isinstance(node, Select):
            _restrict(node.from_, conjuncts(node.where), terms)
        elif isinstance(node, Update | Delete):
            where = conjuncts(node.where)
            _restrict(node.from_ if isinstance(node, Update) else node.using, where, terms)
            yield _read(node.table, node.target, where)
        elif isinstance(node, Merge):
            # A row that ON leaves out is as good as none, whatever else it is joined to.
            yield _read(node.table, node.target, conjuncts(node.on))
    deleted = deleted_relations(nodes)
    for node in nodes:
        if isinstance(node, TableScan):
            # Who asks for deleted rows learns of rows that are there no more.
            own = [] if node.relation in deleted else terms.get(id(node), [])
            yield _read(node.table, node.relation, own)


def _restrict(items: Iterable[FromItem], where: list[Expr], terms: dict[int, list[Expr]]) -> None:
    """Find what each relation's rows must meet to count at all.

    A row of the side of an outer join that may be missing counts unless ON leaves it out: it keeps
    another row from being told with NULLs.
    """
    for item in items:
        if isinstance(item, Join):
            on = conjuncts(item.condition)
            both = item.kind in ("inner", "cross")
            for side, name, other in ((item.left, "left", "right"), (item.right, "right", "left")):
                met = where if both or item.kind == name else []
                _restrict((side,), [*met, *(on if both or item.kind == other else [])], terms)
        elif isinstance(item, TableScan):
            # By the node itself: one that stands in two queries is restricted by neither.
            terms[id(item)] = where if terms.get(id(item), where) == where else []


def _read(table: Table, relation: int, where: list[Expr]) -> TableRead:
    own = [term for term in where if _is_own(term, relation, len(table.columns))]
    if own:
        lookup = key_lookup(_all(own), table, relation)
        if lookup is not None:
            try:
                key = tuple([compile_expr(value, _no_column) for value in lookup.values])
            except FeatureNotSupportedError:
                pass
            else:
                return TableRead(table, key, None, timed=False)
    compiled = [term for term in own if _compiled(term) is not None]
    if not compiled:
        return TableRead(table, None, None, timed=False)
    timed = any(
        isinstance(node, Call) and node.overload.volatility.value != "i"
        for term in compiled
        for node in walk(term)
    )
    return TableRead(table, None, _compiled(_all(compiled)), timed=timed)


def _is_own(term: Expr, relation: int, width: int) -> bool:
    """Whether a term needs nothing but a row of the relation, and has one value for it."""
    return not is_volatile(term) and all(
        node.relation == relation and not node.outer and node.column < width
        for node in walk(term)
        if isinstance(node, ColumnRef)
    )


def _compiled(term: Expr) -> Closure | None:
    try:
        return compile_expr(term, lambda reference: reference.column)
    except FeatureNotSupportedError:
        return None  # A subquery, for one.


def _all(terms: list[Expr]) -> Expr:
    return terms[0] if len(terms) == 1 else BoolOp(BoolKind.AND, tuple(terms), BOOL)


def _no_column(reference: ColumnRef) -> int:
    raise FeatureNotSupportedError(f'column "{reference.name}" is no constant')
