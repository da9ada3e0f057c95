# ruff: noqa: S608 - text comes from this package; user text is in quoted literals alone
"""UNION, INTERSECT and EXCEPT as DataFusion SQL.

DataFusion mixes the rows of UNION ALL's branches and knows no INTERSECT ALL by SQL's equality, so
every branch's rows carry which `side` they are of.
"""

from collections.abc import Callable, Sequence

import pyarrow as pa

from catalog.types.table import PgType
from kalam_pg.sql.datafusion_choice import unified
from kalam_pg.sql.datafusion_expr import Expressions
from kalam_pg.sql.datafusion_state import (
    ORDER,
    Order,
    Relation,
    Rendering,
    Scope,
    column,
    converted,
)
from kalam_pg.sql.physical import Sql
from kalam_pg.sql.tree import Query, SetOp

EmitQuery = Callable[..., Relation]


class SetOperations:
    """The set operations of one statement."""

    def __init__(self, state: Rendering, emit_query: EmitQuery) -> None:
        self._state = state
        self._emit_query = emit_query

    def emit(self, query: SetOp, parent: Scope | None) -> tuple[Relation, tuple[str, ...]]:
        """The operation without its ORDER BY, and further columns that tell the order it has."""
        every = query.kind == "union" and query.all
        order = Order.COLUMN if every else Order.ANY
        branches = [self._emit_query(part, parent, order=order) for part in _branches(query)]
        physical = tuple(
            [
                unified([Sql("x", branch.physical[i]) for branch in branches], output.type)[1]
                for i, output in enumerate(query.columns)
            ]
        )
        kinds = [c.type for c in query.columns]
        if not every:
            union = self._together(branches, physical)
            make = self._deduplicated if query.kind == "union" else self._counted
            return Relation(make(query, union, kinds, physical), physical), ()
        within = any(branch.order is not None for branch in branches)
        union = self._together(branches, physical, within=within)
        return Relation(union, physical), ("side", ORDER) if within else ("side",)

    def _together(
        self,
        branches: Sequence[Relation],
        physical: tuple[pa.DataType, ...],
        *,
        within: bool = False,
    ) -> str:
        """All rows, with the number of their branch. within: and their place in it."""
        names = [f"c{i}" for i in range(len(physical))]
        parts = []
        for side, branch in enumerate(branches):
            items = [*names, f"{side} AS side"]
            if within:
                items.append(
                    ORDER if branch.order is not None else f"arrow_cast(0, 'Int64') AS {ORDER}"
                )
            form = in_form(self._state, branch, physical)
            # In brackets: a branch may begin with WITH and end with ORDER BY or LIMIT.
            parts.append(f"SELECT {', '.join(items)} FROM ({form}) AS {self._state.alias()}")
        return " UNION ALL ".join(parts)

    def _deduplicated(
        self, query: SetOp, union: str, kinds: Sequence[PgType], physical: Sequence[pa.DataType]
    ) -> str:
        del query
        alias = self._state.alias()
        expressions = Expressions(self._state, Scope())
        items, keys = [], []
        for i, (kind, form) in enumerate(zip(kinds, physical, strict=True)):
            plain = column(alias, f"c{i}", form)
            key = expressions.comparable_form(plain, kind)
            shown = (
                plain.text if key == plain else f"first_value({plain.text} ORDER BY {alias}.side)"
            )
            items.append(f"{shown} AS c{i}")
            keys.append(key.text)
        if not keys:
            return f"SELECT side FROM ({union}) AS {alias} LIMIT 1"
        return f"SELECT {', '.join(items)} FROM ({union}) AS {alias} GROUP BY {', '.join(keys)}"

    def _counted(
        self, query: SetOp, union: str, kinds: Sequence[PgType], physical: Sequence[pa.DataType]
    ) -> str:
        """INTERSECT and EXCEPT [ALL], by numbering equal rows of both sides."""
        listed = ", ".join([f"c{i}" for i in range(len(physical))])
        alias = self._state.alias()
        expressions = Expressions(self._state, Scope())
        keys = [
            expressions.comparable_form(column(alias, f"c{i}", form), kind).text
            for i, (kind, form) in enumerate(zip(kinds, physical, strict=True))
        ]
        partition = ", ".join(keys)
        numbered = (
            f"SELECT {listed}, side,"
            f" row_number() OVER (PARTITION BY {partition}, {alias}.side = 0) AS n,"
            f" count(*) FILTER (WHERE {alias}.side > 0) OVER (PARTITION BY {partition}) AS others"
            f" FROM ({union}) AS {alias}"
        )
        if query.kind == "intersect":
            test = "n <= others" if query.all else "n = 1 AND others > 0"
        else:
            test = "n > others" if query.all else "n = 1 AND others = 0"
        return (
            f"SELECT {listed} FROM ({numbered}) AS {self._state.alias()} WHERE side = 0 AND {test}"
        )


def in_form(state: Rendering, relation: Relation, physical: tuple[pa.DataType, ...]) -> str:
    """The relation with its columns converted."""
    if relation.physical == physical:
        return relation.sql
    alias = state.alias()
    items = [
        f"{converted(column(alias, f'c{i}', have), want).text} AS c{i}"
        for i, (have, want) in enumerate(zip(relation.physical, physical, strict=True))
    ]
    if relation.order is not None:
        items.append(f"{alias}.{ORDER} AS {ORDER}")
    return f"SELECT {', '.join(items)} FROM ({relation.sql}) AS {alias}"


def _branches(query: SetOp) -> list[Query]:
    """What a chain of the same operation combines: each level of SQL is a level of recursion."""
    left: list[Query] = [query.left]
    if (
        isinstance(query.left, SetOp)
        and query.kind != "intersect"
        and _continues(query.left, query)
    ):
        left = _branches(query.left)
    return [*left, query.right]


def _continues(inner: SetOp, outer: SetOp) -> bool:
    """Whether an operand of a chain may be taken apart."""
    same = inner.kind == outer.kind and inner.all == outer.all
    types = [c.type for c in inner.columns] == [c.type for c in outer.columns]
    return same and types and not (inner.order_by or inner.limit or inner.offset or inner.with_)
