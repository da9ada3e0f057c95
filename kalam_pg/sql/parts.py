"""What of a statement must run once and by itself: subqueries and WITH items that lock rows.

Taken out of the tree, each leaves a parameter in its place: the value, whether there was a row, an array of
values, or rows that a function in FROM gives back. So the rest of the statement is planned as if the
application had asked the part first: `WHERE id = (SELECT … FOR UPDATE SKIP LOCKED)` finds its row by key.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeVar, cast

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions.table import Overload, OverloadKind
from kalam_pg.sql.tree import (
    AnyAll,
    ArraySubquery,
    Call,
    Cte,
    CteScan,
    Dml,
    Exists,
    Expr,
    FunctionScan,
    InSubquery,
    OutputColumn,
    Param,
    Query,
    ScalarSubquery,
    Select,
    SubqueryScan,
)
from kalam_pg.sql.walk import Node, column_refs, map_children, walk
from storage.layout import Row, Value

S = TypeVar("S", bound=Query | Dml)


class Form(Enum):
    """What a part's rows are to the rest of the statement."""

    VALUE = "the one row's value, NULL without a row"
    EXISTENCE = "whether there is a row"
    ARRAY = "every row's value"
    ROWS = "the rows"


@dataclass(frozen=True, slots=True)
class Part:
    """A query that runs before the statement, and what its rows become. name: of the WITH item."""

    query: Query
    form: Form
    name: str = ""


def take_parts(statement: S, params: int) -> tuple[S, tuple[Part, ...]]:
    """The statement without its parts, and these in the order in which they must run.

    The value of the n-th part is parameter `params` + n, counted from 0 as `Param.index` is; a part may
    ask for the values of those before it. Raises 0A000 for a part that depends on the rows around it.
    """
    if not any(isinstance(node, Select) and node.locking for node in walk(statement)):
        return statement, ()
    taking = _Taking(params)
    return cast("S", taking.within(statement)), tuple(taking.parts)


class _Taking:
    """One statement's parts, taken from the inside out."""

    def __init__(self, params: int) -> None:
        self.parts: list[Part] = []
        self._params = params
        self._items: dict[int, Param] = {}
        """WITH items that are parts, by number."""
        self._around: list[Cte] = []
        """WITH items that a part may name."""

    def within(self, statement: Node) -> Node:
        """The query or data change without the parts that are in it."""
        outside = len(self._around)
        kept = [item for cte in statement.with_ if (item := self._item(statement, cte)) is not None]
        bare = replace(statement, with_=()) if statement.with_ else statement
        changed = map_children(bare, self._without)
        del self._around[outside:]
        return replace(changed, with_=tuple(kept)) if kept else changed

    def _item(self, statement: Node, cte: Cte) -> Cte | None:
        """A WITH item that stays; None: it is a part, or nothing asks for it."""
        if isinstance(cte.query, Select) and cte.query.locking:
            if any(isinstance(n, CteScan) and n.cte == cte.number for n in walk(statement)):
                self._items[cte.number] = self._take(
                    cte.query, Form.ROWS, types.RECORD, 0, cte.name
                )
            return None
        kept = replace(cte, query=self.within(cte.query))
        self._around.append(kept)
        return kept

    def _without(self, node: Node) -> Node:
        """A node without the parts that are in it."""
        match node:
            case CteScan(cte=number) if number in self._items:
                return _rows(node, self._items[number])
            case SubqueryScan(query=Select(locking=locking) as query) if locking:
                return _rows(node, self._take(query, Form.ROWS, types.RECORD, 0))
            case ScalarSubquery(query, kind) | ArraySubquery(query, kind) | Exists(query, kind) if (
                _locks(query)
            ):
                form = {ScalarSubquery: Form.VALUE, ArraySubquery: Form.ARRAY}
                return self._take(
                    query, form.get(type(node), Form.EXISTENCE), kind, node.typmod, at=node.position
                )
            case InSubquery() if _locks(node.query):
                return self._in(node)
            case _ if hasattr(node, "with_"):
                return self.within(node)
            case _:
                return map_children(node, self._without)

    def _in(self, node: InSubquery) -> Expr:
        element = node.query.columns[0].type
        array = types.array_of(element)
        if len(node.args) > 1 or array is None:
            raise FeatureNotSupportedError(
                "row locking in a subquery of several columns is not supported",
                position=node.position,
            )
        values = self._take(node.query, Form.ARRAY, array, at=node.position)
        (arg,) = (self._without(arg) for arg in node.args)
        return AnyAll(
            arg, values, node.operators[0], node.all, node.type, node.typmod, node.position
        )

    def _take(
        self, query: Query, form: Form, kind: PgType, typmod: int = -1, name: str = "", at: int = 0
    ) -> Param:
        if any(level >= 0 for level, _ in column_refs(query)):  # Its own are below.
            raise FeatureNotSupportedError(
                "row locking in a subquery that depends on the rows around it is not supported",
                position=at,
            )
        query = self.within(query)
        named = {node.cte for node in walk(query) if isinstance(node, CteScan)}
        around = tuple(cte for cte in self._around if named)
        self.parts.append(Part(replace(query, with_=(*around, *query.with_)), form, name))
        return Param(self._params + len(self.parts) - 1, kind, typmod, at)


def _locks(query: Query) -> bool:
    return isinstance(query, Select) and bool(query.locking)


def _rows(scan: CteScan | SubqueryScan, rows: Param) -> FunctionScan:
    """A scan of a part's rows."""
    call = Call(_given_back(scan.columns), (rows,), types.RECORD)
    return FunctionScan(scan.relation, call, scan.columns, scan.alias)


def _given_back(columns: tuple[OutputColumn, ...]) -> Overload:
    """A function of rows that gives them back, as functions in FROM give theirs."""

    def rows(given: Sequence[Row]) -> Sequence[Value]:
        return given if len(columns) > 1 else [value for (value,) in given]

    return Overload(
        "rows", OverloadKind.SET, (types.RECORD,), types.RECORD, rows, strict=False,
        out_names=tuple(column.name for column in columns),
        out_types=tuple(column.type for column in columns),
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
        case Form.ROWS:
            return cast("Value", rows)
