"""Names in a stored expression's text, put in the place of others: nothing else of the text changes."""

from catalog.pg_catalog.text import quote_identifier
from kalam_pg.sql.lexer import tokenize
from kalam_pg.sql.parse import column_places


def rename_column(text: str, old: str, new: str) -> str:
    """The expression with a column called otherwise."""
    return _replaced(text, column_places(text, old), new)


def rename_table(text: str, old: str, new: str) -> str:
    """The expression with the table called otherwise, where it says `table.column`."""
    return _replaced(text, column_places(text, old, "table"), new)


def _replaced(text: str, places: frozenset[int], new: str) -> str:
    for token in reversed(tokenize(text)):
        if token.start in places:
            text = text[: token.start] + quote_identifier(new) + text[token.end :]
    return text
