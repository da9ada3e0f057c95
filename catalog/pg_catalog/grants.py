"""information_schema's table_privileges and role_table_grants, and who has statistics in pg_stat_…_tables."""

# ruff: noqa: D103 - a function makes the rows of the relation whose name it has.

from collections.abc import Iterator, Mapping

from catalog.model import Table
from catalog.pg_catalog import access, oids
from catalog.pg_catalog.visible import Visible
from storage.layout import Value

Values = Mapping[str, Value]


def table_privileges(visible: Visible) -> Iterator[Values]:
    for relation in visible.standard_relations:
        owner = visible.user_name(visible.owner_oid(relation.owner)) or ""
        grants = relation.grants if isinstance(relation, Table) else ()
        items = access.items(visible, access.TABLE, relation.owner, grants)
        for item in items or access.default_items(access.TABLE, owner):
            for grantor, grantee, privilege, passed_on in access.exploded(item):
                yield {
                    "grantor": grantor,
                    "grantee": grantee or "PUBLIC",
                    "table_catalog": visible.database,
                    "table_schema": relation.namespace,
                    "table_name": relation.name,
                    "privilege_type": privilege,
                    "is_grantable": "YES" if passed_on or grantee == owner else "NO",
                    "with_hierarchy": "YES" if privilege == "SELECT" else "NO",
                }


def role_table_grants(visible: Visible) -> Iterator[Values]:
    return (row for row in table_privileges(visible) if row["grantee"] != "PUBLIC")


def pg_stat_user_tables(visible: Visible) -> Iterator[Values]:
    """Each table by name: nothing is counted of one, which NULL says of every number."""
    for table in visible.tables:
        yield {
            "relid": oids.table_oid(table.id),
            "schemaname": table.namespace,
            "relname": table.name,
        }


def pg_stat_all_tables(visible: Visible) -> Iterator[Values]:
    return pg_stat_user_tables(visible)
