"""A bound query as EXPLAIN's nodes: limit, sort, distinct, grouping, joins, scans."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from kalam_pg.query.explain_node import Detail, Node
from kalam_pg.sql import tree
from kalam_pg.sql.deparse import Deparser, quote_identifier
from kalam_pg.sql.tree import ColumnRef, Expr, FromItem, OutputColumn, Query, TableScan
from kalam_pg.sql.walk import walk

Leaf = Callable[[TableScan], Node]
"""How a stored table is read: a node without the query's filter."""


class Shower:
    """Shows the parts of one statement. verbose: with schemas and output columns."""

    def __init__(self, statement: object, *, verbose: bool) -> None:
        self.verbose = verbose
        self._columns: dict[int, tuple[str, tuple[OutputColumn, ...]]] = {}
        self._ctes: dict[int, str] = {}
        for node in walk(statement):
            if isinstance(node, tree.Cte):
                self._ctes[node.number] = node.name
        for node in walk(statement):
            self._meet(node)
        self._subplans: list[Node] = []
        self._count = 0
        self._leaf: Leaf = lambda scan: Node("Scan", self.named(scan))
        self._exprs = Deparser(self._column, self._subplan)

    def _meet(self, node: object) -> None:
        match node:
            case tree.Insert() | tree.Update() | tree.Delete() | tree.Merge():
                self._columns[node.target] = (node.table.name, node.target_columns)
                conflict = getattr(node, "on_conflict", None)
                if conflict is not None:
                    self._columns[conflict.excluded] = ("excluded", node.target_columns)
            case tree.SetOp() | tree.ValuesQuery():
                self._columns[node.relation] = ("", node.columns)
            case TableScan() | tree.VirtualScan():
                own = node.table.name if isinstance(node, TableScan) else node.name
                self._columns[node.relation] = (node.alias or own, node.columns)
            case tree.CteScan():
                name = node.alias or self._ctes.get(node.cte, "")
                self._columns[node.relation] = (name, node.columns)
            case tree.SubqueryScan() | tree.FunctionScan() | tree.RowsFrom() | tree.ValuesScan():
                self._columns[node.relation] = (node.alias or "*VALUES*", node.columns)
            case _:
                pass

    # ------------------------------------------------------------------ names and expressions

    def named(self, scan: TableScan) -> str:
        """A table as PostgreSQL names it: with its schema when verbose, its alias behind."""
        return self.table(scan.table.namespace, scan.table.name, scan.alias)

    def table(self, schema: str, name: str, alias: str = "") -> str:
        """As `named`."""
        shown = quote_identifier(name)
        if self.verbose:
            shown = f"{quote_identifier(schema)}.{shown}"
        return f"{shown} {quote_identifier(alias)}" if alias and alias != name else shown

    def text(self, expr: Expr) -> str:
        """An expression; its subqueries are numbered, and wait for `below`."""
        return self._exprs.expr(expr)

    def texts(self, exprs: Sequence[Expr]) -> tuple[str, ...]:
        """As `text`, of several."""
        return tuple(self.text(expr) for expr in exprs)

    def keys(self, keys: Sequence[tree.SortKey]) -> tuple[str, ...]:
        """The items of an ORDER BY."""
        return tuple(self._exprs.sort_key(key) for key in keys)

    def below(self, node: Node) -> Node:
        """The node, with the subqueries that its expressions have named as its children."""
        found, self._subplans = self._subplans, []
        return replace(node, children=(*node.children, *found)) if found else node

    def _column(self, ref: ColumnRef) -> str:
        alias, columns = self._columns[ref.relation]
        name = quote_identifier(columns[ref.column].name)
        if not alias or len(self._columns) == 1:
            return name
        return f"{quote_identifier(alias)}.{name}"

    def _subplan(self, query: Query) -> str:
        self._count += 1
        label = f"SubPlan {self._count}"
        waiting, self._subplans = self._subplans, []
        shown = self._query(query)
        self._subplans = [*waiting, replace(shown, label=label)]
        return label

    # ------------------------------------------------------------------ queries

    def query(self, query: Query, leaf: Leaf, *, ordered: bool = False) -> Node:
        """A query whose tables are read as `leaf` says; `ordered`: they come in the order asked for."""
        self._leaf = leaf
        return self._query(query, ordered=ordered)

    def _query(self, query: Query, *, ordered: bool = False) -> Node:
        if isinstance(query, tree.Select):
            node = self._select(query)
        elif isinstance(query, tree.SetOp):
            node = self._set_operation(query)
        else:
            node = Node("Values Scan", '"*VALUES*"', {"Rows": len(query.rows)})
        if self.verbose and isinstance(query, tree.Select):
            output = self.texts([target.expr for target in query.targets])
            node = self.below(replace(node, details={"Output": output, **node.details}))
        if query.order_by and not ordered:
            details: dict[str, Detail] = {"Sort Key": self.keys(query.order_by)}
            node = self.below(Node("Sort", details=details, children=(node,)))
        if query.limit is not None or query.offset is not None:
            details = {}
            if query.limit is not None:
                details["Limit"] = self._count_text(query.limit)
            if query.offset is not None:
                details["Offset"] = self._count_text(query.offset)
            node = Node("Limit", details=details, children=(node,))
        ctes = [
            replace(self._query(cte.query), label=f"CTE {quote_identifier(cte.name)}")
            for cte in query.with_
        ]
        return replace(node, children=(*ctes, *node.children)) if ctes else node

    def _count_text(self, expr: Expr) -> str:
        """A LIMIT: the binder has made it a bigint, which needs not be said of a number."""
        if isinstance(expr, tree.Const) and expr.value is not None:
            return str(expr.value)
        return self.text(expr)

    def _set_operation(self, query: tree.SetOp) -> Node:
        sides = (self._query(query.left), self._query(query.right))
        if query.kind == "union":
            node = Node("Append", children=sides)
            return node if query.all else Node("Unique", children=(node,))
        return Node(f"SetOp {query.kind.capitalize()}{' All' if query.all else ''}", children=sides)

    def _select(self, query: tree.Select) -> Node:
        node = self._from(query)
        if query.grouped:
            details: dict[str, Detail] = {}
            if query.grouping_sets:
                sets = [self.texts([query.group_by[i] for i in s]) for s in query.grouping_sets]
                details["Grouping Sets"] = tuple(f"({', '.join(texts)})" for texts in sets)
            elif query.group_by:
                details["Group Key"] = self.texts(query.group_by)
            if query.having is not None:
                details["Filter"] = self.text(query.having)
            node = self.below(Node("Aggregate", details=details, children=(node,)))
        if any(isinstance(part, tree.Window) for t in query.targets for part in walk(t.expr)):
            node = Node("WindowAgg", children=(node,))
        if query.distinct or query.distinct_on:
            on = self.texts(query.distinct_on)
            node = Node("Unique", details={"Key": on} if on else {}, children=(node,))
        return node

    def _from(self, query: tree.Select) -> Node:
        if not query.from_:
            node = Node("Result")
            if query.where is not None:
                node = node.with_details(One_Time_Filter=self.text(query.where))
            return self.below(node)
        node = self._item(query.from_[0])
        for item in query.from_[1:]:
            node = Node("Cross Join", children=(node, self._item(item)))
        if query.where is not None:
            node = node.with_details(Filter=self.text(query.where))
        return self.below(node)

    def _item(self, item: FromItem) -> Node:
        match item:
            case TableScan():
                return self._leaf(item)
            case tree.VirtualScan():
                return Node("Catalog Scan", self.table(item.schema, item.name, item.alias))
            case tree.SubqueryScan():
                inner = self._query(item.query)
                return Node("Subquery Scan", quote_identifier(item.alias), children=(inner,))
            case tree.CteScan():
                name = quote_identifier(self._ctes[item.cte])
                alias = quote_identifier(item.alias) if item.alias else ""
                return Node("CTE Scan", f"{name} {alias}".rstrip())
            case tree.FunctionScan():
                node = Node("Function Scan", quote_identifier(item.alias) if item.alias else "")
                return self.below(node.with_details(Function_Call=self.text(item.call)))
            case tree.RowsFrom():
                node = Node("Function Scan", quote_identifier(item.alias) if item.alias else "")
                calls = ", ".join(self.texts(item.calls))
                return self.below(node.with_details(Function_Call=calls))
            case tree.ValuesScan():
                return Node("Values Scan", '"*VALUES*"', {"Rows": len(item.rows)})
            case tree.Join():
                node = Node(
                    f"{item.kind.capitalize()} Join",
                    children=(self._item(item.left), self._item(item.right)),
                )
                if item.condition is not None:
                    node = node.with_details(Join_Filter=self.text(item.condition))
                return self.below(node)
