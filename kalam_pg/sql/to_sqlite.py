"""The typed tree as sqlite SQL, for statements over catalogue relations only.

A relation r<n> of the tree is the alias r<n>, its columns are c0, c1 … A catalogue relation is a
table named "schema.name" that the caller has filled. What sqlite does as PostgreSQL does is said in
SQL; every other expression becomes one Python function of the columns in it, made by `to_python`.
"""

from dataclasses import dataclass
from typing import assert_never

from catalog.errors import FeatureNotSupportedError
from catalog.types.table import PgType
from kalam_pg.functions.table import EvalContext, OverloadKind
from kalam_pg.sql import tree
from kalam_pg.sql.sqlite_from import CatalogTable, SourceEmitter
from kalam_pg.sql.sqlite_functions import Functions, SqliteValue, zip_sets
from kalam_pg.sql.sqlite_nodes import conjuncts, is_native, own_nodes
from kalam_pg.sql.tree import Call, ColumnRef, Const, Expr, Param, Query, Select, SetOp, ValuesQuery
from kalam_pg.sql.walk import walk

__all__ = ["CatalogTable", "Emitted", "emit", "reads_only_catalogue"]


@dataclass(slots=True)
class Emitted:
    """sqlite SQL, its parameters, the tables it reads by their names, and the functions it calls."""

    sql: str
    parameters: dict[str, SqliteValue]
    relations: dict[str, CatalogTable]
    functions: Functions
    types: tuple[PgType, ...]


def emit(query: Query, context: EvalContext) -> Emitted:
    """Say `query` in sqlite's SQL.

    Raises:
        FeatureNotSupportedError: It reads a stored table, or uses what is not built here.
    """
    emitter = _Emitter(Functions(context))
    sql = emitter.query(query)
    return Emitted(
        sql,
        emitter.parameters,
        emitter.relations,
        emitter.functions,
        tuple(column.type for column in query.columns),
    )


def reads_only_catalogue(query: Query) -> bool:
    """Whether every relation that the query reads is virtual, and at least one is."""
    kinds = [type(node) for node in walk(query)]
    return tree.VirtualScan in kinds and tree.TableScan not in kinds


@dataclass(slots=True)
class _Emitter(SourceEmitter):
    """Writes queries."""

    def query(self, query: Query) -> str:
        match query:
            case Select():
                return self._with(query) + self._select(query)
            case SetOp():
                return self._with(query) + self._set_operation(query)
            case ValuesQuery():
                body = self.values(query.rows, len(query.columns))
                return self._with(query) + self._ordered(body, query)
            case _:
                assert_never(query)

    def _with(self, query: Query) -> str:
        if not query.with_:
            return ""
        items = []
        for cte in query.with_:
            names = ", ".join(f"c{i}" for i in range(len(cte.columns)))
            body = self._recursive(cte.query) if cte.recursive else self.query(cte.query)
            hint = {True: "MATERIALIZED ", False: "NOT MATERIALIZED ", None: ""}[cte.materialized]
            items.append(f"q{cte.number}({names}) AS {hint}({body})")
        word = "RECURSIVE " if any(cte.recursive for cte in query.with_) else ""
        return f"WITH {word}{', '.join(items)} "

    def _recursive(self, query: Query) -> str:
        if not isinstance(query, SetOp) or query.order_by or query.limit or query.with_:
            raise FeatureNotSupportedError("this WITH RECURSIVE is not implemented for catalogues")
        union = "UNION ALL" if query.all else "UNION"
        return f"{self.query(query.left)} {union} {self.query(query.right)}"

    def _select(self, q: Select) -> str:
        if q.grouping_sets or q.distinct_on:
            what = "GROUPING SETS" if q.grouping_sets else "DISTINCT ON"
            raise FeatureNotSupportedError(f"{what} is not implemented for catalogue queries")
        self._note_equalities(q.where)
        sources = [self.source(item, first=i == 0) for i, item in enumerate(q.from_)]
        sources += self._select_list_sets(q)
        targets = ", ".join(
            f"{self.expr(t.expr)}{self.collated(t.expr) if q.distinct else ''} AS c{i}"
            for i, t in enumerate(q.targets)
        )
        parts = [f"SELECT {'DISTINCT ' if q.distinct else ''}{targets or 'NULL'}"]
        if sources:
            parts.append(f"FROM {', '.join(sources)}")
        if q.where is not None:
            parts.append(f"WHERE {self.expr(q.where)}")
        if q.group_by:
            keys = ", ".join(self.expr(e) + self.collated(e) for e in q.group_by)
            parts.append(f"GROUP BY {keys}")
        if q.having is not None:
            if not q.group_by:  # sqlite wants a GROUP BY before HAVING.
                parts.append("GROUP BY NULL")
            parts.append(f"HAVING {self.expr(q.having)}")
        return " ".join(parts) + self._tail(q)

    def _note_equalities(self, where: Expr | None) -> None:
        """Which rows WHERE asks for by `column = constant`: others need not be made."""
        for part in conjuncts(where):
            match part:
                case Call(overload, (ColumnRef(relation, column, outer=0), other)) if (
                    is_native(overload) and overload.name == "="
                ):
                    pass
                case _:
                    continue
            if isinstance(other, Const):
                self.equal.setdefault(relation, {})[column] = other.value
            elif isinstance(other, Param):
                value = self.functions.context.params[other.index]
                self.equal.setdefault(relation, {})[column] = value

    def _select_list_sets(self, q: Select) -> list[str]:
        """A set-returning function in the select list is a lateral FROM item."""
        found = [
            node
            for target in q.targets
            for node in own_nodes(target.expr)
            if isinstance(node, Call) and node.overload.kind is OverloadKind.SET
        ]
        if not found:
            return []
        if any(len(node.overload.out_names) > 1 for node in found):
            raise FeatureNotSupportedError("a row value as output column is not supported")
        if q.grouped:
            raise FeatureNotSupportedError(
                "set-returning functions are not implemented here in catalogue queries"
            )
        alias = f"s{len(self.sets)}"
        calls = [self.set_call(node, (node.type,)) for node in found]
        if len(found) == 1:
            self.sets[id(found[0])] = f"{alias}.value"
            return [f"json_each({calls[0]}) AS {alias}"]
        # Several go in step, the shorter ones filled up with NULL.
        name = self.functions.add(len(calls), zip_sets)
        for i, node in enumerate(found):
            self.sets[id(node)] = f"json_extract({alias}.value, '$[{i}]')"
        return [f"json_each({name}({', '.join(calls)})) AS {alias}"]

    def _set_operation(self, q: SetOp) -> str:
        word = {"union": "UNION", "intersect": "INTERSECT", "except": "EXCEPT"}[q.kind]
        if q.all and q.kind != "union":
            raise FeatureNotSupportedError(f"{word} ALL is not implemented for catalogue queries")
        word += " ALL" if q.all else ""
        collated = ", ".join(
            f"c{i}{self.functions.collation(c.type)} AS c{i}" for i, c in enumerate(q.columns)
        )
        body = (
            f"SELECT {collated} FROM ({self.query(q.left)}) "  # noqa: S608
            f"{word} SELECT * FROM ({self.query(q.right)})"
        )
        return self._ordered(body, q)

    def _ordered(self, body: str, q: SetOp | ValuesQuery) -> str:
        if not (q.order_by or q.limit or q.offset):
            return body
        return f"SELECT * FROM ({body}) AS r{q.relation}{self._tail(q)}"  # noqa: S608

    def _tail(self, q: Query) -> str:
        sql = ""
        if q.order_by:
            sql += f" ORDER BY {', '.join(self.sort(k) for k in q.order_by)}"
        if q.limit is not None:
            sql += f" LIMIT coalesce({self.expr(q.limit)}, -1)"
        elif q.offset is not None or q.order_by:
            # With a LIMIT sqlite keeps the order of a subquery for whoever reads it.
            sql += " LIMIT -1"
        if q.offset is not None:
            sql += f" OFFSET coalesce({self.expr(q.offset)}, 0)"
        return sql
