"""Tables made of what is there: AS and LIKE of CREATE TABLE, SELECT INTO; and LOCK."""

from sqlglot import exp

from catalog.errors import SqlSyntaxError
from kalam_pg.sql.positions import position
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import QueryStatement, TableName
from kalam_pg.sql.statements_derived import CreateTableAs, LikeTable, LockTable

_COPIED = frozenset(
    """
    comments compression constraints defaults generated identity indexes statistics storage
    """.split()  # noqa: SIM905 - a table of words
)
_MODES = (
    "access share",
    "row share",
    "row exclusive",
    "share update exclusive",
    "share row exclusive",
    "share",
    "exclusive",
    "access exclusive",
)
"""Longer ones before those that they begin with."""


def query_of_table(reader: StatementReader) -> tuple[QueryStatement, bool]:
    """Behind AS: the query, and whether its rows are wanted (WITH [NO] DATA)."""
    token = reader.token
    if reader.at("execute"):
        reader.unsupported("CREATE TABLE … AS EXECUTE")
    last = [each.key for each in reader.tokens[-3:]]
    with_data = last != ["with", "no", "data"]
    end = len(reader.tokens)
    if not with_data:
        end -= 3
    elif last[-2:] == ["with", "data"]:
        end -= 2
    query = reader.nested_statement(end)
    if not isinstance(query, QueryStatement) or query.kind != "select":
        reader.fail(token)
    reader.skip_rest()
    return query, with_data


def like(reader: StatementReader, place: int) -> LikeTable:
    """LIKE table [INCLUDING | EXCLUDING …], behind `place` columns."""
    reader.advance()
    name = reader.table_name()
    including: frozenset[str] = frozenset()
    while reader.at("including", "excluding"):
        more = reader.advance().key == "including"
        word = reader.token.key
        if word not in _COPIED and word != "all":
            reader.fail()
        reader.advance()
        words = _COPIED if word == "all" else {word}
        including = including | words if more else including - words
    return LikeTable(name, place, including)


def select_into(reader: StatementReader, query: QueryStatement) -> QueryStatement | CreateTableAs:
    """A query that was read, or the table that its INTO makes of it. Raises 42601, 0A000."""
    into = reader.into
    if into is None:
        return query
    first = query.tree
    while isinstance(first, exp.SetOperation):
        if first.args["expression"].args.get("into") is into:
            raise SqlSyntaxError(
                "INTO is only allowed on first SELECT of UNION/INTERSECT/EXCEPT",
                position=position(into),
            )
        first = first.args["this"]
    if first.args.get("into") is not into:
        raise SqlSyntaxError("SELECT ... INTO is not allowed here", position=position(into))
    first.set("into", None)
    schema = into.args.get("db")
    name = TableName(schema.name if schema else "", into.name, position(into))
    temporary, unlogged = into.meta["temporary"], into.meta["unlogged"]
    return CreateTableAs(name, query, temporary=temporary, unlogged=unlogged)


def lock(reader: StatementReader) -> LockTable:
    """LOCK [TABLE] names [IN … MODE] [NOWAIT]."""
    reader.advance()
    reader.accept("table")
    names = reader.many(reader.table_alone)
    mode = "access exclusive"
    if reader.accept("in"):
        for words in _MODES:
            if reader.accept(*words.split()):
                mode = words
                break
        else:
            reader.fail()
        reader.expect("mode")
    return LockTable(tuple(names), mode, reader.accept("nowait"))
