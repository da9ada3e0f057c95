"""Rows of pg_catalog and information_schema by name: `rows(visible, "pg_catalog", "pg_class")`."""

from collections.abc import Callable, Iterator, Mapping

from catalog.pg_catalog import classes, information, roles, types
from catalog.pg_catalog.relations import relation
from catalog.pg_catalog.visible import Visible
from storage.layout import Row, Value

Maker = Callable[[Visible], Iterator[Mapping[str, Value]]]


def _makers(schema: str, *functions: Maker) -> dict[tuple[str, str], Maker]:
    return {(schema, function.__name__): function for function in functions}


_MAKERS = _makers(
    "pg_catalog",
    classes.pg_attrdef,
    classes.pg_attribute,
    classes.pg_class,
    classes.pg_constraint,
    classes.pg_description,
    classes.pg_index,
    classes.pg_indexes,
    classes.pg_namespace,
    classes.pg_tables,
    classes.pg_views,
    roles.pg_authid,
    roles.pg_roles,
    roles.pg_user,
    types.pg_am,
    types.pg_collation,
    types.pg_database,
    types.pg_language,
    types.pg_opclass,
    types.pg_tablespace,
    types.pg_type,
) | _makers(
    "information_schema",
    information.check_constraints,
    information.columns,
    information.constraint_column_usage,
    information.information_schema_catalog_name,
    information.key_column_usage,
    information.schemata,
    information.table_constraints,
    information.tables,
    information.views,
)


def rows(visible: Visible, schema: str, name: str) -> Iterator[Row]:
    """The rows that `visible.user` may see; none for a relation that is always empty here.

    Raises:
        KeyError: There is no such relation.
    """
    shape = relation(schema, name)
    if shape is None:
        raise KeyError((schema, name))
    maker = _MAKERS.get((schema, name))
    if maker is not None:
        for values in maker(visible):
            yield shape.row(values)
