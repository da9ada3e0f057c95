"""What of a statement runs once and before the rest: WITH items that change data, queries that lock rows, and
subqueries where a data change computes values without a query of its own.

Taken out of the tree, each leaves a parameter in its place: the value, whether there was a row, an array of
values, or rows that a function in FROM gives back. So the rest of the statement is planned as if the
application had asked the part first: `WHERE id = (SELECT … FOR UPDATE SKIP LOCKED)` finds its row by key.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, TypeVar, cast

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions.dimensions import gathered
from kalam_pg.functions.table import Overload, OverloadKind
from kalam_pg.sql.tree import (
    AnyAll,
    ArraySubquery,
    AskedAnew,
    Bound,
    Call,
    ColumnRef,
    Cte,
    CteChange,
    CteScan,
    Dml,
    Exists,
    Expr,
    FunctionScan,
    InSubquery,
    Param,
    Query,
    ScalarSubquery,
    Select,
    SubqueryScan,
)
from kalam_pg.sql.walk import Node, column_refs, map_children, walk
from storage.layout import Row, Value

N = TypeVar("N", bound=Node)

GIVEN_BACK: Final = "rows"
"""The name of functions that give a part's rows back."""

_COMPUTED = ("source", "on_conflict", "returning")
"""What of a data change is computed without a query."""


class Form(Enum):
    """What a part's rows are to the rest of the statement."""

    VALUE = "the one row's value, NULL without a row"
    EXISTENCE = "whether there is a row"
    ARRAY = "every row's value"
    ARRAYS = "every row's array, as one of one dimension more"
    ROWS = "the rows"
    NOTHING = "nothing: it only had to run"


@dataclass(frozen=True, slots=True)
class Part:
    """A query or data change that runs before the statement, and what its rows become.

    name: of the WITH item, "" of a subquery.
    """

    statement: Query | Dml
    form: Form
    name: str = ""


def take_parts(bound: Bound) -> tuple[Query | Dml, tuple[Part, ...]]:
    """The statement without its parts, and these in the order in which they must run.

    The value of the n-th part that has one is parameter `len(bound.param_types)` + n, counted from 0
    as `Param.index` is; a part may ask for the values of those before it. Raises 0A000 for a part that
    depends on the rows around it.
    """
    if not bound.nested:
        return bound.statement, ()
    taking = _Taking(len(bound.param_types), bound)
    rest = taking.whole(bound.statement, bound.changes)
    return rest, tuple(taking.parts)


class _Taking:
    """One statement's parts, taken from the inside out."""

    def __init__(self, params: int, bound: Bound) -> None:
        self.parts: list[Part] = []
        self._params = params
        whole = (bound.statement, *[item.change for item in bound.changes])
        self._scanned = {
            node.cte for one in whole for node in walk(one) if isinstance(node, CteScan)
        }
        self._items: dict[int, Param] = {}
        """WITH items that are parts, by number."""
        self._around: list[Cte] = []
        """WITH items that a part may name."""
        self._computed = False
        """Whether we are where no query computes."""
        self._anew: list[AskedAnew] | None = None
        """Where ON CONFLICT's subqueries go that depend on its rows."""
        # Behind all values that parts can have.
        everything = [node for one in whole for node in walk(one)]
        self._place = params + sum(isinstance(node, Query | CteChange) for node in everything)

    def whole(self, statement: N, changes: Sequence[CteChange] = ()) -> N:
        """The query or data change without the parts that are in it. changes: what its WITH changes."""
        outside = len(self._around)
        for item in sorted([*statement.with_, *changes], key=_turn):
            self._item(item)
        kept = tuple(self._around[outside:])
        bare = replace(statement, with_=()) if statement.with_ else statement
        changed = self._change(bare) if isinstance(bare, Dml) else map_children(bare, self._without)
        del self._around[outside:]
        return cast("N", replace(changed, with_=kept) if kept else changed)

    def _item(self, item: Cte | CteChange) -> None:
        """See to a WITH item: it is a part, or nothing asks for it, or it stays around."""
        scanned = item.number in self._scanned
        if isinstance(item, CteChange):
            form = Form.ROWS if scanned else Form.NOTHING
            taken = self._take(item.change, form, types.RECORD, name=item.name)
        elif not _locks(item.query):
            self._around.append(replace(item, query=self.whole(item.query)))
            return
        elif not scanned:
            return
        else:
            taken = self._take(item.query, Form.ROWS, types.RECORD, name=item.name)
        self._items[item.number] = taken

    def _change(self, change: Dml) -> Dml:
        """A data change without the parts that are in it."""
        names = [name for name in _COMPUTED if hasattr(change, name)]
        bare: dict[str, Any] = dict.fromkeys(names, ())
        found = map_children(replace(change, **bare), self._without)
        outside, self._computed = self._computed, True
        computed: dict[str, Any] = {}
        for name in names:
            around, self._anew = self._anew, [] if name == "on_conflict" else None
            computed[name] = self._each(getattr(change, name))
            if self._anew:
                computed["asked"] = tuple(self._anew)
            self._anew = around
        self._computed = outside
        return cast("Dml", replace(found, **computed))

    def _each(self, value: Node) -> Node:
        if isinstance(value, tuple):
            return tuple([self._each(item) for item in value])
        return None if value is None else self._without(value)

    def _without(self, node: Node) -> Node:
        """A node without the parts that are in it."""
        match node:
            case CteScan(cte=number) if number in self._items:
                return _rows(node, self._items[number])
            case SubqueryScan(query=query) if _locks(query):
                return _rows(node, self._take(query, Form.ROWS, types.RECORD))
            case ScalarSubquery(query, kind) | ArraySubquery(query, kind) | Exists(query, kind) if (
                self._takes(query)
            ):
                return self._take(query, form_of(node), kind, node.typmod, node.position)
            case ScalarSubquery() | ArraySubquery() | Exists() if self._anew is not None:
                return self._asked_anew(node)
            case InSubquery() if self._takes(node.query) or self._anew is not None:
                return self._in(node)
            case _ if hasattr(node, "with_"):
                outside, self._computed = self._computed, False
                found = self.whole(node)
                self._computed = outside
                return found
            case _:
                return map_children(node, self._without)

    def _takes(self, query: Query) -> bool:
        return _locks(query) or (self._computed and not _depends(query))

    def _in(self, node: InSubquery) -> Expr:
        array = types.array_of(node.query.columns[0].type)
        if len(node.args) > 1 or array is None:
            raise FeatureNotSupportedError(
                "a subquery of several columns is not supported here", position=node.position
            )
        if self._takes(node.query):
            values = self._take(node.query, Form.ARRAY, array, at=node.position)
        else:
            values = self._asked_anew(ArraySubquery(node.query, array, position=node.position))
        arg = self._without(node.args[0])
        return AnyAll(
            arg, values, node.operators[0], node.all, node.type, node.typmod, node.position
        )

    def _asked_anew(self, node: ScalarSubquery | ArraySubquery | Exists) -> Param:
        """A subquery that depends on the rows of ON CONFLICT, as the parameter of its value."""
        assert self._anew is not None
        anew, self._anew = self._anew, None
        outside, self._computed = self._computed, False
        query = self.whole(node.query)
        self._computed, self._anew = outside, anew
        refs = list(dict.fromkeys([_plain(ref) for level, ref in column_refs(query) if level == 0]))
        first = self._place
        self._place += len(refs) + 1
        asked = {(r.relation, r.column): first + at for at, r in enumerate(refs)}
        if any(isinstance(one, CteScan) for one in walk(query)):
            query = replace(query, with_=(*self._around, *query.with_))
        given = replace(node, query=_with_params(query, asked))
        self._anew.append(AskedAnew(given, tuple(refs), first))
        return Param(first + len(refs), node.type, node.typmod, node.position)

    def _take(
        self,
        statement: Query | Dml,
        form: Form,
        kind: PgType,
        typmod: int = -1,
        at: int = 0,
        *,
        name: str = "",
    ) -> Param:
        if not isinstance(statement, Dml) and _depends(statement):
            raise FeatureNotSupportedError(
                "row locking in a subquery that depends on the rows around it is not supported",
                position=at,
            )
        outside, self._computed = self._computed, False
        statement = self.whole(statement)
        self._computed = outside
        if any(isinstance(node, CteScan) for node in walk(statement)):
            statement = replace(statement, with_=(*self._around, *statement.with_))
        self.parts.append(Part(statement, form, name))
        number = sum(part.form is not Form.NOTHING for part in self.parts)
        return Param(self._params + number - 1, kind, typmod, at)


def _turn(item: Cte | CteChange) -> tuple[int, bool]:
    """When it is seen to: in the order of the text."""
    if isinstance(item, CteChange) and item.before is not None:
        return item.before, False
    return item.number, True


def _plain(ref: ColumnRef) -> ColumnRef:
    return replace(ref, outer=0, position=0)


def _with_params(node: Node, asked: dict[tuple[int, int], int], depth: int = 0) -> Node:
    """A query with parameters in the places of columns of the rows around it."""
    inner = depth + isinstance(node, Query)
    if isinstance(node, ColumnRef):
        if node.outer != depth:
            return node
        return Param(asked[node.relation, node.column], node.type, node.typmod, node.position)
    return map_children(node, lambda child: _with_params(child, asked, inner))


def form_of(node: ScalarSubquery | ArraySubquery | Exists) -> Form:
    """What a subquery's rows are where it stands."""
    if isinstance(node, ScalarSubquery):
        return Form.VALUE
    if not isinstance(node, ArraySubquery):
        return Form.EXISTENCE
    return Form.ARRAY if node.query.columns[0].type.element is None else Form.ARRAYS


def _locks(query: Query) -> bool:
    return isinstance(query, Select) and bool(query.locking)


def _depends(query: Query) -> bool:
    """Whether it asks for columns of the rows around it; its own are below."""
    return any(level >= 0 for level, _ in column_refs(query))


def _rows(scan: CteScan | SubqueryScan, rows: Param) -> FunctionScan:
    """A scan of a part's rows."""
    columns = scan.columns
    back = given_back(tuple([c.name for c in columns]), tuple([c.type for c in columns]))
    call = Call(back, (rows,), types.RECORD)
    return FunctionScan(scan.relation, call, scan.columns, scan.alias)


def given_back(names: tuple[str, ...], kinds: tuple[PgType, ...]) -> Overload:
    """A function of rows that gives them back, as functions in FROM give theirs. names, kinds: of columns."""

    def rows(given: Sequence[Row]) -> Sequence[Value]:
        return given if len(names) > 1 else [value for (value,) in given]

    return Overload(
        GIVEN_BACK, OverloadKind.SET, (types.RECORD,), types.RECORD, rows, strict=False,
        out_names=names, out_types=kinds,
    )  # fmt: skip


def value_of(form: Form, rows: list[Row]) -> Value:
    """The parameter's value. Of `Form.VALUE` and `Form.EXISTENCE` there is at most one row."""
    match form:
        case Form.VALUE:
            return rows[0][0] if rows else None
        case Form.EXISTENCE:
            return bool(rows)
        case Form.ARRAY:
            return tuple([row[0] for row in rows])
        case Form.ARRAYS:
            return cast("Value", gathered([row[0] for row in rows]))
        case Form.ROWS:
            return cast("Value", rows)
        case Form.NOTHING:
            return None
