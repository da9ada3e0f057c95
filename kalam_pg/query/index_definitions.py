"""The indexes of a table as expressions: what each sorts by, and which rows of the table it has.

Bound once for a table's version. An index has a mark, made of all that its files depend on: the columns by
their ids, how they sort, the expressions and what these read. So a changed index is another one to storage,
and one that was dropped and made again finds its files again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from catalog.indexes import indexes_of, is_array
from catalog.model import Index, IndexKey, Table, TableKind
from catalog.types.registry import BOOL
from kalam_pg.interpreter.index_entries import pack_entries
from kalam_pg.sql.bind import BindScope, bind_expression
from kalam_pg.sql.tree import ColumnRef, Expr
from kalam_pg.sql.walk import Node, map_children, walk
from storage.cold.index_file import FORMAT
from storage.cold.index_keys import KeyPart

_MARK_DIGITS = 16


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """One index. keys, where: over the table as relation 0, with columns of no name.

    parts: how each key sorts. reads: positions of the table's columns that it needs. mark: see above.
    """

    name: str
    keys: tuple[Expr, ...]
    parts: tuple[KeyPart, ...]
    where: Expr | None
    reads: tuple[int, ...]
    mark: str

    def packed(self) -> bytes:
        """What a process makes entries with. Raises FeatureNotSupportedError: only the server can."""
        return pack_entries(self.parts, self.keys, self.where)


def definitions(table: Table, scope: BindScope) -> tuple[IndexDefinition, ...]:
    """The indexes of a table beside that of its key, which storage has in order itself."""
    if table.kind is TableKind.STREAM:
        return ()
    of = {column.id: column.type for column in table.columns}
    # Arrays have no place in the order of an index file, which knows kinds of keys.
    return tuple(
        _definition(table, index, scope)
        for index, kind in indexes_of(table)
        if (kind != "p" or index.deferrable)
        and not any(is_array(of[key.column] if key.column else key.type) for key in index.keys)
    )


def _definition(table: Table, index: Index, scope: BindScope) -> IndexDefinition:
    by_id = {column.id: at for at, column in enumerate(table.columns)}
    keys: list[Expr] = []
    for key in index.keys:
        if key.expression:
            bound = bind_expression(key.expression, scope, table, None, what="index expressions")
            keys.append(plain(bound, 0))
        else:
            column = table.columns[by_id[key.column]]
            keys.append(ColumnRef(0, by_id[key.column], "", column.type, column.typmod))
    where = None
    if index.where:
        bound = bind_expression(index.where, scope, table, BOOL, what="index predicates")
        where = plain(bound, 0)
    parts = tuple(
        KeyPart(expr.type.key_kind, key.descending, key.nulls_first)
        for expr, key in zip(keys, index.keys, strict=True)
    )
    exprs = keys if where is None else [*keys, where]
    reads = tuple(sorted({part.column for one in exprs for part in walk(one) if _is_column(part)}))
    return IndexDefinition(
        index.name, tuple(keys), parts, where, reads, _mark(table, index.keys, index.where, reads)
    )


def _is_column(node: Node) -> bool:
    return isinstance(node, ColumnRef)


def plain(expr: Expr, relation: int) -> Expr:
    """An expression over a relation as one over relation 0, in which columns have no names: to compare."""
    return cast("Expr", _plain(expr, relation))


def _plain(node: Node, relation: int) -> Node:
    if isinstance(node, ColumnRef):
        if node.relation != relation or node.outer:
            return replace(node, relation=-1 - node.relation)
        return replace(node, relation=0, name="", typmod=-1)
    return map_children(node, lambda child: _plain(child, relation))


def _mark(table: Table, keys: Sequence[IndexKey], where: str, reads: Sequence[int]) -> str:
    columns = [table.columns[at] for at in reads]
    by_name = bool(where) or any(key.expression for key in keys)
    told = (
        FORMAT,
        [(key.column, key.expression, key.descending, key.nulls_first) for key in keys],
        where,
        [(c.id, c.name if by_name else "", c.type.name, c.type.key_kind) for c in columns],
    )
    return hashlib.sha256(repr(told).encode()).hexdigest()[:_MARK_DIGITS]
