"""Calls of functions that people made in expressions that are kept as text: each names its function's schema.

Where a default or a CHECK is evaluated, the search path that it was written under is not known any more.
"""

from collections.abc import Iterator, Sequence

from catalog.pg_catalog.text import qualified
from kalam_pg.functions import lookup
from kalam_pg.sql.lexer import Token, tokenize
from kalam_pg.sql.relation_source import RelationSource


def with_schemas(text: str, snapshot: RelationSource, search_path: Sequence[str]) -> str:
    """The text with the schemas of the functions that it calls by bare names."""
    if "(" not in text:
        return text
    parts: list[str] = []
    copied = 0
    for token in _bare_calls(tokenize(text)):
        found = snapshot.functions_named("", token.value, search_path)
        if found and not lookup.functions(token.value) and not lookup.aggregates(token.value):
            parts += (text[copied : token.start], qualified(found[0].namespace, found[0].name))
            copied = token.end
    return "".join([*parts, text[copied:]])


def calls_people(text: str, snapshot: RelationSource) -> bool:
    """Whether a kept text calls a function that somebody made."""
    tokens = tokenize(text) if "(" in text else []
    return any(
        snapshot.functions_named(tokens[at].value, tokens[at + 2].value, ())
        for at in range(len(tokens) - 3)
        if tokens[at + 1].key == "." and tokens[at + 3].key == "(" and tokens[at].value
    )


def _bare_calls(tokens: Sequence[Token]) -> Iterator[Token]:
    for at, token in enumerate(tokens[:-1]):
        named = token.kind in ("word", "name") and tokens[at + 1].key == "("
        if named and not (at and tokens[at - 1].key == "."):
            yield token
