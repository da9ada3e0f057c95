"""Which side of a join may depend on the other one."""

from collections.abc import Sequence

from catalog.errors import InvalidColumnReferenceError
from kalam_pg.sql.scope import Item
from kalam_pg.sql.tree import FromItem
from kalam_pg.sql.walk import column_refs


def refuse_lateral(left: Sequence[Item], right: FromItem) -> None:
    """Raise 42P10 where a side that is kept whole depends on the other one."""
    names = {item.relation: item.alias for item in left}
    for _, ref in column_refs(right):
        if ref.relation in names:
            raise InvalidColumnReferenceError(
                f'invalid reference to FROM-clause entry for table "{names[ref.relation]}"',
                detail="The combining JOIN type must be INNER or LEFT for a LATERAL reference.",
                position=ref.position,
            )
