"""Catalogue objects as SQL text, as pg_get_constraintdef and its neighbours print them."""

import re

from catalog.model import Constraint, Table, View

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*\Z")

# PostgreSQL quotes an identifier that is a keyword of any reserved kind (quote_identifier).
_KEYWORDS = frozenset(
    """
all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean
both case cast char character check coalesce collate collation column concurrently constraint create
cross current_catalog current_date current_role current_schema current_time current_timestamp
current_user dec decimal default deferrable desc distinct do else end except exists extract false
fetch float for foreign freeze from full grant greatest group grouping having ilike in initially
inner inout int integer intersect interval into is isnull join lateral leading least left like limit
localtime localtimestamp national natural nchar none normalize not notnull null nullif numeric offset
on only or order out outer overlaps overlay placing position precision primary real references
returning right row select session_user setof similar smallint some substring symmetric table
tablesample then time timestamp to trailing treat trim true union unique user using values varchar
variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest
xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
""".split()  # noqa: SIM905
)


def quote_identifier(name: str) -> str:
    """A name as SQL writes it: quoted where it must be."""
    if _PLAIN.match(name) and name not in _KEYWORDS:
        return name
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def qualified(schema: str, name: str) -> str:
    """`schema.name`, each quoted where it must be."""
    return f"{quote_identifier(schema)}.{quote_identifier(name)}"


def constraint_definition(table: Table, constraint: Constraint, *, pretty: bool = False) -> str:
    """pg_get_constraintdef."""
    if constraint.kind == "c":
        return check_definition(constraint, pretty=pretty)
    word = {"p": "PRIMARY KEY", "u": "UNIQUE"}[constraint.kind]
    return f"{word} ({_columns(table, constraint)})"


def check_definition(constraint: Constraint, *, pretty: bool = False) -> str:
    """CHECK with the parentheses that PostgreSQL prints."""
    return f"CHECK ({constraint.check})" if pretty else f"CHECK (({constraint.check}))"


def index_definition(table: Table, key: Constraint, *, pretty: bool = False) -> str:
    """pg_get_indexdef of the index behind a key. pretty leaves out the schema."""
    of = quote_identifier(table.name) if pretty else qualified(table.namespace, table.name)
    return (
        f"CREATE UNIQUE INDEX {quote_identifier(key.name)} ON {of}"
        f" USING btree ({_columns(table, key)})"
    )


def view_definition(view: View) -> str:
    """pg_get_viewdef: the query as it was written, with its semicolon."""
    return f" {view.query.strip().rstrip(';')};"


def _columns(table: Table, constraint: Constraint) -> str:
    by_id = {c.id: c.name for c in table.columns}
    return ", ".join(quote_identifier(by_id[c]) for c in constraint.columns)
