"""Rows of pg_catalog and information_schema by name: `rows(visible, "pg_catalog", "pg_class")`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from catalog.pg_catalog import (
    classes,
    depends,
    descriptions,
    extension,
    fixed,
    grants,
    information,
    roles,
    types,
    user_functions,
    user_types,
)
from catalog.pg_catalog.relations import relation
from catalog.pg_catalog.visible import Visible
from storage.layout import Row, Value

_NO_VALUES: Mapping[int, Value] = {}

Maker = Callable[[Visible], Iterator[Mapping[str, Value]]]


def _makers(schema: str, *functions: Maker) -> dict[tuple[str, str], Maker]:
    return {(schema, function.__name__): function for function in functions}


_MAKERS = _makers(
    "pg_catalog",
    classes.pg_attrdef,
    classes.pg_attribute,
    classes.pg_class,
    classes.pg_constraint,
    depends.pg_depend,
    classes.pg_index,
    classes.pg_indexes,
    classes.pg_matviews,
    classes.pg_namespace,
    classes.pg_rewrite,
    classes.pg_sequence,
    classes.pg_tables,
    classes.pg_views,
    descriptions.pg_description,
    descriptions.pg_shdescription,
    extension.pg_extension,
    extension.pg_available_extensions,
    extension.pg_available_extension_versions,
    grants.pg_stat_all_tables,
    grants.pg_stat_user_tables,
    roles.pg_authid,
    roles.pg_roles,
    roles.pg_user,
    types.pg_am,
    types.pg_collation,
    types.pg_database,
    types.pg_language,
    types.pg_range,
    types.pg_tablespace,
    types.pg_type,
    user_types.pg_enum,
) | _makers(
    "information_schema",
    grants.role_table_grants,
    grants.table_privileges,
    information.check_constraints,
    information.columns,
    information.constraint_column_usage,
    information.information_schema_catalog_name,
    information.key_column_usage,
    information.referential_constraints,
    user_functions.parameters,
    user_functions.routines,
    information.schemata,
    information.sequences,
    information.table_constraints,
    information.tables,
    information.views,
)


def rows(
    visible: Visible, schema: str, name: str, equal: Mapping[int, Value] = _NO_VALUES
) -> Iterator[Row]:
    """The rows that `visible.user` may see; none for a relation that is always empty here.

    Args:
        visible: What the role may see.
        schema: pg_catalog or information_schema.
        name: The relation.
        equal: Column positions and values: rows that have others may be left out.

    Raises:
        KeyError: There is no such relation.
    """
    shape = relation(schema, name)
    if shape is None:
        raise KeyError((schema, name))
    if is_fixed(schema, name):
        yield from _fixed(name, equal, len(shape.columns))
        if name in ADDED:
            yield from _fitting(map(shape.row, ADDED[name](visible)), equal)
        return
    relation_oid = equal.get(0)
    if name == "pg_attribute" and isinstance(relation_oid, int):
        made = classes.attributes_of(visible, relation_oid)
    elif maker := _MAKERS.get((schema, name)):
        made = maker(visible)
    else:
        return
    width = len(shape.columns)  # A position behind it is that of a system column.
    wanted = [(shape.columns[at].name, value) for at, value in equal.items() if at < width]
    for values in made:
        if all(values.get(column, value) == value for column, value in wanted):
            yield shape.row(values)


ADDED: Final[Mapping[str, Maker]] = {
    "pg_proc": user_functions.pg_proc,
    "pg_aggregate": user_functions.pg_aggregate,
}
"""What makes the rows that are beside those of a fixed relation."""


def added_rows(visible: Visible) -> Iterator[tuple[str, int, Iterator[Row]]]:
    """The name and OID of each of these relations, and the rows that are beside the fixed ones."""
    for name, made in ADDED.items():
        shape = relation("pg_catalog", name)
        assert shape is not None
        yield name, shape.oid, map(shape.row, made(visible))


def is_fixed(schema: str, name: str) -> bool:
    """Whether the relation has the same rows for everybody, for ever: `fixed`."""
    return schema == "pg_catalog" and name in fixed.NAMES


def fixed_rows(name: str) -> tuple[Row, ...]:
    """All rows of one of `fixed.NAMES`."""
    own = extension.own_functions() if name == "pg_proc" else ()
    return (*fixed.fixed_rows(name), *own)


def _fixed(name: str, equal: Mapping[int, Value], width: int) -> Iterator[Row]:
    wanted = {at: value for at, value in equal.items() if at < width}
    yield from _fitting(fixed_rows(name), wanted)


def _fitting(rows: Iterable[Row], equal: Mapping[int, Value]) -> Iterator[Row]:
    for row in rows:
        if all(row[at] == value for at, value in equal.items() if at < len(row)):
            yield row
