"""The function that WHERE CURRENT OF means; no text can call it, and the session answers it."""

from functools import cache

from catalog.types.registry import INT4, INT8, TEXT
from catalog.types.table import PgType
from kalam_pg.functions.define import stable
from kalam_pg.functions.services import asked
from kalam_pg.functions.table import Overload

CURRENT_OF = "current_of"


@cache
def current_of(kind: PgType) -> Overload:
    """(cursor, table's id, place in its primary key) to that value of the row the cursor stands on."""
    return stable(CURRENT_OF, (TEXT, INT8, INT4), kind, asked(CURRENT_OF), server_only=True)
