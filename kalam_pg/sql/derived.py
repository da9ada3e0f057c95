"""The data change that fills a table with what a query gives."""

from collections.abc import Sequence

from sqlglot import exp

from kalam_pg.sql.statements import QueryStatement


def filling(
    namespace: str, name: str, columns: Sequence[str], query: QueryStatement
) -> QueryStatement:
    """INSERT INTO the table (columns) the query."""
    table = exp.Table(this=_identifier(name), db=_identifier(namespace))
    target = exp.Schema(this=table, expressions=[_identifier(column) for column in columns])
    insert = exp.Insert(this=target, expression=query.tree.copy())
    # The text says which statement it is: nobody parses it.
    text = f"INSERT INTO {namespace}.{name} ({', '.join(columns)}) {query.text}"
    return QueryStatement("insert", insert, text, query.offset)


def _identifier(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)
