"""FROM as sqlite SQL: catalogue relations, subqueries, functions, joins, VALUES."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from catalog.errors import FeatureNotSupportedError
from catalog.types.table import PgType
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql import tree
from kalam_pg.sql.sqlite_expr import ExpressionEmitter, Leaves, slot
from kalam_pg.sql.sqlite_functions import from_sqlite, json_rows, set_of, zip_sets
from kalam_pg.sql.sqlite_nodes import is_stable
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import Call, Expr, FromItem, Join, OutputColumn, Query
from storage.layout import Value


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """A catalogue relation that the SQL reads.

    equal: values by column position; the query looks at no rows but those.
    """

    schema: str
    name: str
    columns: tuple[OutputColumn, ...]
    equal: Mapping[int, Value]


@dataclass(slots=True)
class SourceEmitter(ExpressionEmitter):
    """Writes FROM items. `relations`: the catalogue tables read, by their names in the SQL.

    equal: values that the query asks a relation's columns to have, by relation and column.
    """

    relations: dict[str, CatalogTable] = field(default_factory=dict)
    equal: dict[int, dict[int, Value]] = field(default_factory=dict)

    def source(self, item: FromItem, *, first: bool) -> str:
        """One item; `first`: a join needs no parentheses there."""
        match item:
            case tree.VirtualScan(relation, schema, name, columns):
                equal = self.equal.get(relation, {})
                table = f"{schema}.{name}" + (f"#{relation}" if equal else "")
                self.relations[table] = CatalogTable(schema, name, columns, equal)
                return f"{_quote(table)} AS r{relation}"
            case tree.SubqueryScan(relation, query, columns, _, lateral):
                if lateral:
                    return self._lateral(relation, query, columns)
                return f"({self.query(query)}) AS r{relation}"
            case tree.CteScan(relation, cte):
                return f"q{cte} AS r{relation}"
            case tree.ValuesScan(relation, rows, columns):
                return f"({self.values(rows, len(columns))}) AS r{relation}"
            case tree.FunctionScan():
                return self._function_scan(item)
            case Join():
                sql = self._join(item)
                return sql if first else f"({sql})"
            case tree.RowsFrom():
                return self._rows_from(item)
            case tree.TableScan():
                raise FeatureNotSupportedError(
                    "a query over catalogue relations and tables together is not implemented"
                )
            case _:
                assert_never(item)

    def _join(self, join: Join) -> str:
        left = self.source(join.left, first=True)
        right = self.source(join.right, first=False)
        word = {"inner": "JOIN", "cross": "CROSS JOIN"}.get(join.kind, f"{join.kind.upper()} JOIN")
        on = f" ON {self.expr(join.condition)}" if join.condition is not None else ""
        return f"{left} {word} {right}{on}"

    def _lateral(self, relation: int, query: Query, columns: tuple[OutputColumn, ...]) -> str:
        """SQLite has no LATERAL but for table functions: the rows travel as JSON."""
        fields = ", ".join(f"c{i}" for i in range(len(columns)))
        body = f"SELECT json_group_array(json_array({fields})) FROM ({self.query(query)})"  # noqa: S608
        self.json[relation] = tuple(
            f"json_extract(r{relation}.value, '$[{i}]')" for i in range(len(columns))
        )
        return f"json_each(({body})) AS r{relation}"

    def _rows_from(self, item: tree.RowsFrom) -> str:
        """Functions side by side: their rows as JSON, put together by one more function."""
        count = len(item.calls)
        if len(item.columns) - item.ordinality != count:
            raise FeatureNotSupportedError(
                "ROWS FROM of functions with several columns is not implemented for catalogue queries"
            )
        texts = [
            self._rows_of(call, (column.type,))
            for call, column in zip(item.calls, item.columns, strict=False)
        ]
        function = self.functions.add(count, zip_sets)
        alias = f"r{item.relation}"
        fields = [f"json_extract({alias}.value, '$[{i}]')" for i in range(count)]
        if item.ordinality:
            fields.append(f"({alias}.key + 1)")
        self.json[item.relation] = tuple(fields)
        return f"json_each({function}({', '.join(texts)})) AS {alias}"

    def _rows_of(self, call: Expr, types: tuple[PgType, ...]) -> str:
        """The rows of a function in FROM, as JSON: plain values where there is one column."""
        if isinstance(call, Call) and call.overload.kind is OverloadKind.SET:
            return self.set_call(call, types)
        of = call.type
        name = self.functions.add(1, lambda value: json_rows([_plain(value, of)], types))
        return f"{name}({self.expr(call)})"

    def _function_scan(self, scan: tree.FunctionScan) -> str:
        width = len(scan.columns) - scan.ordinality
        types = tuple(c.type for c in scan.columns[:width])
        call = scan.call
        alias = f"r{scan.relation}"
        rows = self._rows_of(call, types)
        fields = (
            [f"{alias}.value"]
            if width == 1
            else [f"json_extract({alias}.value, '$[{i}]')" for i in range(width)]
        )
        if scan.ordinality:
            fields.append(f"({alias}.key + 1)")
        self.json[scan.relation] = tuple(fields)
        return f"json_each({rows}) AS {alias}"

    def set_call(self, call: Call, columns: tuple[PgType, ...]) -> str:
        """A set-returning call, as the JSON of its rows."""
        leaves = Leaves(self)
        arguments = [compile_expr(leaves.replace(a), slot) for a in call.args]
        function = set_of(
            call.overload,
            arguments,
            [a.type for a in call.args],
            leaves.types,
            columns,
            self.functions.context,
        )
        return self.registered(leaves, function, deterministic=is_stable(call))

    def values(self, rows: tuple[tuple[Expr, ...], ...], width: int) -> str:
        """VALUES, as selects."""
        if not rows:
            nulls = ", ".join(f"NULL AS c{i}" for i in range(width))
            return f"SELECT {nulls} WHERE 0"
        return " UNION ALL ".join(
            "SELECT " + ", ".join(f"{self.expr(e)} AS c{i}" for i, e in enumerate(row))
            for row in rows
        )


def _plain(value: object, of: PgType) -> object:
    return from_sqlite(value, of)


def _quote(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
