"""The row type that each table and view has: a composite type of the relation's name.

It is made from the relation where it is asked for, and stored nowhere; its OID and its arrays' are
computed from the relation's (`pg_catalog.oids`).
"""

from catalog.errors import FeatureNotSupportedError
from catalog.model import Table, UserType, View
from catalog.pg_catalog import oids
from catalog.types.composite import Attribute, CompositeDefinition, composite_of
from catalog.types.registry import of_definition
from catalog.types.table import PgType


def row_type(relation: Table | View) -> PgType:
    """The type of a relation's rows."""
    return of_definition(row_definition(relation))


def row_definition(relation: Table | View) -> CompositeDefinition:
    """What the type of a relation's rows is; the hidden key is no part of them."""
    hidden = relation.primary_key if isinstance(relation, Table) and relation.hidden_key else ()
    attributes = tuple(
        [
            Attribute(c.id, c.name, c.type, c.typmod)
            for c in relation.columns
            if c.id not in hidden and c.name  # One that a view does not know has none.
        ]
    )
    last = max((a.number for a in attributes), default=0)
    return CompositeDefinition(
        oids.row_type_oid(relation.id),
        oids.row_array_oid(relation.id),
        relation.namespace,
        relation.name,
        oids.table_oid(relation.id),
        attributes,
        last,
        of_table=True,
    )


def row_user_type(relation: Table | View) -> UserType:
    """As if somebody had made it: whose the relation is, whose the type is."""
    return UserType(row_definition(relation), relation.owner, relation.created_at_us)


def refuse_row_types(name: str, kind: PgType, position: int = 0) -> None:
    """Raise 0A000 for a type that is a table's or view's rows': it changes with every ALTER TABLE."""
    made = composite_of(kind.element or kind)
    if made is not None and made.of_table:
        raise FeatureNotSupportedError(
            f'column "{name}" of the row type of {made.name} is not supported',
            hint="Use a type that CREATE TYPE has made.",
            position=position,
        )
