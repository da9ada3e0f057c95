"""Names in a text, of which something else stands in the place: nothing else of the text changes."""

from collections.abc import Mapping

from sqlglot import exp

from catalog.pg_catalog.text import quote_identifier
from kalam_pg.sql.lexer import tokenize
from kalam_pg.sql.parse import column_places
from kalam_pg.sql.statements import QueryStatement


def rename_column(text: str, old: str, new: str) -> str:
    """The expression with a column called otherwise."""
    return _replaced(text, column_places(text, old), new)


def rename_table(text: str, old: str, new: str) -> str:
    """The expression with the table called otherwise, where it says `table.column`."""
    return _replaced(text, column_places(text, old, "table"), new)


def with_values(statement: QueryStatement, values: Mapping[str, str]) -> str:
    """The text of a statement with expressions, by names, where it says such a name alone as a column."""
    names = [
        node.this for node in statement.tree.find_all(exp.Column) if not node.args.get("table")
    ]
    places = {name.meta["start"]: values[name.name] for name in names if name.name in values}
    return _put(statement.text, places)


def _replaced(text: str, places: frozenset[int], new: str) -> str:
    return _put(text, dict.fromkeys(places, quote_identifier(new)))


def _put(text: str, places: Mapping[int, str]) -> str:
    """The text with others in the place of the tokens that begin at some places."""
    for token in reversed(tokenize(text)):
        if token.start in places:
            text = text[: token.start] + places[token.start] + text[token.end :]
    return text
