"""The primary keys of the rows that a cursor's query is of, asked for behind its columns."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from sqlglot import exp

from catalog.model import Relation, Table
from kalam_pg.sql.statements import QueryStatement

Find = Callable[[str, str], Relation | None]
"""A relation by its schema ("" where none is written) and name."""

_NOT_SIMPLE = ("distinct", "group", "having", "windows")


@dataclass(frozen=True, slots=True)
class Keyed:
    """A query with keys. places: (table's id, how many columns behind the query's own its key begins).

    locks: they are the tables whose rows the query locks.
    """

    query: QueryStatement
    places: tuple[tuple[int, int], ...]
    locks: bool


def with_keys(query: QueryStatement, find: Find) -> Keyed | None:
    """The query with the keys of its tables, where PostgreSQL would call it simply updatable (rows of one
    table, in no order) or where it locks rows; else None.
    """
    tree = query.tree
    if type(tree) is not exp.Select or any(tree.args.get(name) for name in _NOT_SIMPLE):
        return None
    locks = tree.args.get("locks") or ()
    sources = list(_sources(tree))
    if not locks and (len(sources) != 1 or tree.args.get("joins") or tree.args.get("order")):
        return None
    if any(tree.find_all(exp.Window)):
        return None
    named = {name.name for lock in locks for name in lock.expressions}
    everything = not locks or any(not lock.expressions for lock in locks)
    with_ = tree.args.get("with_")
    hidden = {cte.alias for cte in with_.expressions} if with_ is not None else frozenset()
    places: list[tuple[int, int]] = []
    columns: list[exp.Expr] = []
    for source in sources:
        table = _table(source, hidden, find)
        called = source.alias or source.name
        if table is not None and (everything or called in named):
            places.append((table.id, len(columns)))
            columns += _key_of(table, source, called)
    if not places:
        return None
    more = tree.copy()
    more.set("expressions", [*more.expressions, *columns])
    # The text says which statement it is: nobody parses it.
    made = replace(query, tree=more, text=f"{query.text} /* and keys */")
    return Keyed(made, tuple(places), bool(locks))


def _sources(tree: exp.Expr) -> Iterator[exp.Table]:
    """The relations that FROM names, those of joins too."""
    from_ = tree.args.get("from_")
    if from_ is not None:
        yield from _relations(from_.args["this"])
    for join in tree.args.get("joins") or ():
        yield from _relations(join.args["this"])


def _relations(item: exp.Expr) -> Iterator[exp.Table]:
    if type(item) is exp.Paren:
        yield from _relations(item.this)
        for join in item.args.get("joins") or ():
            yield from _relations(join.args["this"])
    elif type(item) is exp.Table and isinstance(item.this, exp.Identifier):
        yield item


def _table(source: exp.Table, hidden: Collection[str], find: Find) -> Table | None:
    """The stored table that an item of FROM names. hidden: names that mean something else."""
    schema = source.args["db"].name if source.args.get("db") is not None else ""
    if not schema and source.name in hidden:
        return None
    found = find(schema, source.name)
    return found if isinstance(found, Table) and found.materialized is None else None


def _key_of(table: Table, source: exp.Table, called: str) -> Iterator[exp.Expr]:
    """The columns of a table's key, as the query's FROM calls them."""
    alias = source.args.get("alias")
    renamed = [column.name for column in (alias.args.get("columns") or ())] if alias else []
    for at in table.layout.key:
        name = renamed[at] if at < len(renamed) else table.columns[at].name
        yield exp.Column(this=_identifier(name), table=_identifier(called))


def _identifier(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)
