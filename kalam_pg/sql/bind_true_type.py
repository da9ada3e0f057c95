"""information_schema._pg_truetypid and _pg_truetypmod: of a row of pg_attribute and one of pg_type.

They are what they are in PostgreSQL, a choice between columns of these rows: so no value is made of a row.
"""

from collections.abc import Callable
from functools import partial

from sqlglot import exp

from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.sql.bind_expr import apply_operator, bind_expr, unsupported
from kalam_pg.sql.positions import position
from kalam_pg.sql.row_values import field, fields_of
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import Case, Const, Expr

_DOMAIN = "d"
"""pg_type.typtype."""


def _true(of_column: str, of_domain: str, kind: PgType, level: Level, node: exp.Anonymous) -> Expr:
    """A domain's, where the column has one, else the column's own."""
    at = position(node)
    if len(node.expressions) != 2:
        raise unsupported("this call without a row of pg_attribute and one of pg_type", node)
    attribute, of = [bind_expr(level, item) for item in node.expressions]

    def named(row: Expr, name: str) -> Expr:
        for index, column in enumerate(fields_of(level.state, row)):
            if column.name == name:
                return field(row, index, column, at)
        raise unsupported("this call without a row of pg_attribute and one of pg_type", node)

    sort = named(of, "typtype")
    is_domain = apply_operator(level, "=", (sort, Const(_DOMAIN, sort.type)), at)
    return Case(((is_domain, named(of, of_domain)),), named(attribute, of_column), kind, -1, at)


TRUE_TYPES: dict[str, Callable[[Level, exp.Anonymous], Expr]] = {
    "_pg_truetypid": partial(_true, "atttypid", "typbasetype", types.OID),
    "_pg_truetypmod": partial(_true, "atttypmod", "typtypmod", types.INT4),
}
