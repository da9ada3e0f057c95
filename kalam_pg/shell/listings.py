r"""What there is: the queries behind `\d` and its like."""

from typing import Final

LISTINGS: Final = {
    "d": (
        "tables and views",
        """SELECT namespace AS "Namespace", table_name AS "Name", lower(table_type) AS "Type",
                  owner AS "Owner" FROM system.tables WHERE namespace <> 'system'
           UNION ALL SELECT schemaname, viewname, 'view', viewowner FROM pg_catalog.pg_views
           WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'system') ORDER BY 1, 2""",
    ),
    "dt": (
        "tables",
        """SELECT namespace AS "Namespace", table_name AS "Name", lower(table_type) AS "Type",
                  owner AS "Owner", flush_policy AS "Flush policy", comment AS "Description"
           FROM system.tables WHERE namespace <> 'system' ORDER BY 1, 2""",
    ),
    "dv": (
        "views",
        """SELECT schemaname AS "Namespace", viewname AS "Name", viewowner AS "Owner",
                  definition AS "Definition" FROM pg_catalog.pg_views
           WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'system') ORDER BY 1, 2""",
    ),
    "dn": (
        "namespaces",
        """SELECT nspname AS "Name", pg_catalog.pg_get_userbyid(nspowner) AS "Owner"
           FROM pg_catalog.pg_namespace
           WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' ORDER BY 1""",
    ),
    "du": (
        "users",
        """SELECT rolname AS "Name",
                  CASE WHEN rolsuper THEN 'superuser' ELSE '' END AS "Attributes",
                  rolcanlogin AS "May log in" FROM pg_catalog.pg_roles
           WHERE rolname NOT LIKE 'pg\\_%' ORDER BY 1""",
    ),
}
"""By the command's name: what it shows, and the query for it."""

FIND: Final = """SELECT c.oid, n.nspname || '.' || c.relname, c.relkind FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s::regclass"""
"""A relation by its name as SQL would find it. Raises 42P01."""

COLUMNS: Final = """SELECT a.attname AS "Column", pg_catalog.format_type(a.atttypid, a.atttypmod) AS "Type",
    CASE WHEN a.attnotnull THEN 'not null' ELSE '' END AS "Nullable",
    coalesce((SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d
              WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum), '') AS "Default"
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""

CONSTRAINTS: Final = """SELECT conname, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
    WHERE conrelid = %s ORDER BY contype DESC, 1"""

OPTIONS: Final = """SELECT table_type, flush_policy, access_level FROM system.tables
    WHERE namespace = %s AND table_name = %s"""

NAMES: Final = """SELECT n.nspname || '.' || c.relname, a.attname FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'v') AND a.attnum > 0 AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1, a.attnum"""
"""For completion: (table, column)."""
