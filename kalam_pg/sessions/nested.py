"""Statements inside texts and other statements: where they stand there."""

from collections.abc import Iterator
from contextlib import contextmanager

from kalam_pg.sql.statements import QueryStatement
from storage.errors import KalamError


@contextmanager
def counting_from(inner: QueryStatement) -> Iterator[None]:
    """Positions of errors count in the whole text, not in the statement, which stands somewhere in it."""
    try:
        yield
    except KalamError as error:
        if error.position:
            error.position += inner.offset
        raise
