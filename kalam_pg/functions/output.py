"""Text of any stored value, as `concat`, `format` and casts to text need it."""

from catalog.types.registry import TEXT
from catalog.types.table import PgType, TypeContext
from kalam_pg.functions.define import Datum


def to_text(value: Datum, pg_type: PgType, context: TypeContext) -> str:
    """The output function's text (booleans as t and f). `value` is not None."""
    return str(value) if pg_type is TEXT else pg_type.output(value, context)
