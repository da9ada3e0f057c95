"""Bound queries back to SQL text: what CREATE VIEW may store, and pg_get_viewdef."""

from collections.abc import Iterable

from kalam_pg.sql import tree
from kalam_pg.sql.deparse import Deparser, quote_identifier, sort_direction
from kalam_pg.sql.tree import ColumnRef, FromItem, OutputColumn, Query
from kalam_pg.sql.walk import walk


def deparse_query(query: Query) -> str:
    """The query's text; every relation has an alias of its own, so that no name is ambiguous."""
    return _QueryWriter(query).text(query)


class _QueryWriter:
    """Writes one statement. `aliases` and `columns` are by relation number."""

    def __init__(self, query: Query) -> None:
        self.aliases: dict[int, str] = {}
        self.columns: dict[int, tuple[OutputColumn, ...]] = {}
        self.ctes: dict[int, str] = {}
        self.bare: set[int] = set()  # A set operation's or VALUES' own output.
        taken: set[str] = set()
        for node in walk(query):
            if isinstance(node, tree.Cte):
                self.ctes[node.number] = _unique(node.name, taken)
        for node in walk(query):
            if isinstance(node, tree.SetOp | tree.ValuesQuery):
                self.columns[node.relation] = node.columns
                self.bare.add(node.relation)
            elif (
                hasattr(node, "relation")
                and not isinstance(node, ColumnRef)
                # A subquery is met twice where ORDER BY names it.
                and node.relation not in self.aliases
            ):
                self.columns[node.relation] = node.columns
                self.aliases[node.relation] = _unique(node.alias or _own_name(node), taken)
        self.exprs = Deparser(self.column, self.text)

    def column(self, ref: ColumnRef) -> str:
        name = quote_identifier(self.columns[ref.relation][ref.column].name)
        if ref.relation in self.bare:
            return name
        return f"{quote_identifier(self.aliases[ref.relation])}.{name}"

    def text(self, query: Query) -> str:
        parts = [self._with(query.with_)] if query.with_ else []
        if isinstance(query, tree.Select):
            parts += self._select(query)
        elif isinstance(query, tree.ValuesQuery):
            parts.append(self._rows(query.rows))
        else:
            word = query.kind.upper() + (" ALL" if query.all else "")
            parts.append(f"({self.text(query.left)}) {word} ({self.text(query.right)})")
        if query.order_by:
            shown = [t.expr for t in query.targets] if isinstance(query, tree.Select) else []
            keys = [self._key(key, shown) for key in query.order_by]
            parts.append(f"ORDER BY {', '.join(keys)}")
        if query.limit is not None:
            parts.append(f"LIMIT {self.exprs.expr(query.limit)}")
        if query.offset is not None:
            parts.append(f"OFFSET {self.exprs.expr(query.offset)}")
        if isinstance(query, tree.Select) and query.locking:
            parts.append(query.locking)
        return " ".join(parts)

    def _key(self, key: tree.SortKey, shown: list[tree.Expr]) -> str:
        """An ORDER BY item: an output column by its number, so that it is evaluated once."""
        if isinstance(key.expr, ColumnRef) or key.expr not in shown:
            return self.exprs.sort_key(key)
        return f"{shown.index(key.expr) + 1}{sort_direction(key)}"

    def _with(self, ctes: tuple[tree.Cte, ...]) -> str:
        texts = []
        for cte in ctes:
            names = _names(cte.columns)
            how = {True: " MATERIALIZED", False: " NOT MATERIALIZED", None: ""}[cte.materialized]
            name = quote_identifier(self.ctes[cte.number])
            texts.append(f"{name}({names}) AS{how} ({self.text(cte.query)})")
        recursive = "RECURSIVE " if any(c.recursive for c in ctes) else ""
        return f"WITH {recursive}{', '.join(texts)}"

    def _select(self, query: tree.Select) -> list[str]:
        expr = self.exprs.expr
        words = "SELECT"
        if query.distinct_on:
            words += f" DISTINCT ON ({self.exprs.list(query.distinct_on)})"
        elif query.distinct:
            words += " DISTINCT"
        targets = [f"{expr(t.expr)} AS {quote_identifier(t.name)}" for t in query.targets]
        parts = [f"{words} {', '.join(targets)}".rstrip()]
        if query.from_:
            parts.append("FROM " + ", ".join([self._item(item) for item in query.from_]))
        if query.where is not None:
            parts.append(f"WHERE {expr(query.where)}")
        if query.grouping_sets:
            sets = [
                "(" + ", ".join([expr(query.group_by[i]) for i in indexes]) + ")"
                for indexes in query.grouping_sets
            ]
            parts.append(f"GROUP BY GROUPING SETS ({', '.join(sets)})")
        elif query.group_by:
            parts.append(f"GROUP BY {self.exprs.list(query.group_by)}")
        if query.having is not None:
            parts.append(f"HAVING {expr(query.having)}")
        return parts

    def _rows(self, rows: Iterable[tuple[tree.Expr, ...]]) -> str:
        return "VALUES " + ", ".join([f"({self.exprs.list(row)})" for row in rows])

    def _item(self, item: FromItem) -> str:
        if isinstance(item, tree.Join):
            return self._join(item)
        alias = quote_identifier(self.aliases[item.relation])
        named = f"{alias}({_names(item.columns)})"
        if isinstance(item, tree.TableScan):
            own = [c.name for c in item.table.columns]
            shown = [c.name for c in item.columns[: len(own)]]
            name = _qualified(item.table.namespace, item.table.name)
            return f"{name} AS {alias if own == shown else named}"
        if isinstance(item, tree.VirtualScan):
            return f"{_qualified(item.schema, item.name)} AS {alias}"
        if isinstance(item, tree.CteScan):
            return f"{quote_identifier(self.ctes[item.cte])} AS {named}"
        if isinstance(item, tree.ValuesScan):
            return f"({self._rows(item.rows)}) AS {named}"
        lateral = "LATERAL " if item.lateral else ""
        if isinstance(item, tree.SubqueryScan):
            return f"{lateral}({self.text(item.query)}) AS {named}"
        ordinality = " WITH ORDINALITY" if item.ordinality else ""
        return f"{self.exprs.expr(item.call)}{ordinality} AS {named}"

    def _join(self, join: tree.Join) -> str:
        left, right = self._item(join.left), self._item(join.right)
        if isinstance(join.right, tree.Join):
            right = f"({right})"
        if join.condition is None:
            return f"{left} CROSS JOIN {right}"
        word = "" if join.kind == "inner" else f"{join.kind.upper()} "
        return f"{left} {word}JOIN {right} ON {self.exprs.expr(join.condition)}"


def _qualified(schema: str, name: str) -> str:
    return f"{quote_identifier(schema)}.{quote_identifier(name)}"


def _names(columns: Iterable[OutputColumn]) -> str:
    return ", ".join([quote_identifier(c.name) for c in columns if not c.hidden])


def _own_name(node: FromItem) -> str:
    if isinstance(node, tree.TableScan):
        return node.table.name
    if isinstance(node, tree.VirtualScan):
        return node.name
    return "q"


def _unique(name: str, taken: set[str]) -> str:
    chosen, number = name, 1
    while chosen in taken:
        chosen, number = f"{name}_{number}", number + 1
    taken.add(chosen)
    return chosen
