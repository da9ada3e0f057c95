"""What DataFusion is not given, for it would not end: long lists, and texts that repeat themselves."""

from collections.abc import Sequence
from typing import Final

from catalog.errors import FeatureNotSupportedError
from kalam_pg.sql.physical import Sql
from kalam_pg.sql.tree import Expr
from kalam_pg.sql.walk import walk

ITEMS_MAX: Final = 1000
"""Longer lists take DataFusion longer to plan than a program to look through."""

REPEATING_CHARS: Final = 100_000
NODE_CHARS: Final = 300
"""A text beyond these, and so many for each node, repeats its parts until neither we nor DataFusion end."""


CONSTANT_TIMES: Final = 8
"""So often a constant may stand in it: CASE compares one with several."""


def few(items: Sequence[Expr]) -> None:
    """Raise 0A000 for a list that is too long."""
    if len(items) > ITEMS_MAX:
        raise FeatureNotSupportedError("a list of so many values is not supported here")


def check_repeats(expr: Expr, made: Sql, constants: int) -> None:
    """Raise 0A000 where the text of an expression is out of all proportion to it.

    constants: characters of the constants that have been written, each once.
    """
    allowed = REPEATING_CHARS + CONSTANT_TIMES * constants
    if len(made.text) <= allowed:
        return
    nodes = len({id(node) for node in walk(expr)})
    if len(made.text) > allowed + NODE_CHARS * nodes:
        raise FeatureNotSupportedError(
            "an expression that repeats its parts so often is not supported here"
        )
