"""What functions are called in a text that is shown: with their schemas where bare names do not mean them."""

from sqlglot import exp

from catalog.pg_catalog.text import OURS, qualified
from kalam_pg.functions import lookup
from kalam_pg.sql.analyse import Analysis
from kalam_pg.sql.deparse import quote_identifier


def system_name(an: Analysis, name: str, node: exp.Anonymous) -> str:
    """What a function that was always there is called: our own have a schema that no path needs to name."""
    if name in OURS:
        return f"system.{name}" if not an.search_path else name
    schema = node.args.get("schema")
    schema = schema if type(schema) is str or schema is None else schema.name
    if schema in (None, "", "pg_catalog"):
        return quote_identifier(name)
    visible = schema in an.search_path
    return quote_identifier(name) if visible else qualified(str(schema), name)


def people_name(an: Analysis, schema: str, name: str) -> str:
    """What something that somebody made is called: with its schema, where its bare name does not mean it."""
    first = next((s for s in an.search_path if an.snapshot.functions_named(s, name, ())), None)
    bare = first == schema and not lookup.functions(name) and not lookup.aggregates(name)
    return quote_identifier(name) if bare else qualified(schema, name)
