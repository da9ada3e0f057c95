"""Catalogue objects as SQL text, as pg_get_constraintdef and its neighbours print them."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from catalog.extensions import IN_PUBLIC
from catalog.indexes import deferral, index_of
from catalog.model import (
    Constraint,
    ForeignKey,
    Index,
    IndexKey,
    NumberSequence,
    Relation,
    Table,
    View,
    as_view,
)
from catalog.uses import NEXT_VALUE

_CALLED = re.compile(r"[a-z_][a-z0-9_]*(?=\()")

_CAST_OF_NAME = re.compile(r"""(?<![\w")\]])\((\w+|"[^"]+")\)(?=::)""")
"""What is cast, in parentheses that are not a call's."""

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


OURS = frozenset({"snowflake_id", "uuid_v7", "uuidv7", "ulid"})
"""Functions that PostgreSQL has not got: they are in the schema `system`."""


def default_definition(
    default: str, sequences: Mapping[int, NumberSequence], search_path: Collection[str]
) -> str:
    """A default as PostgreSQL shows it: with the names of the sequences that it takes numbers from.

    `system` is looked in after any other schema, but where the path is empty: pg_dump's is.
    """
    if not search_path:
        called = default.lower().partition("(")[0]
        if called in OURS or called in IN_PUBLIC:
            return f"{'system' if called in OURS else 'public'}.{default}"
    if "nextval" not in default:
        return default

    def name(found: re.Match[str]) -> str:
        sequence = sequences.get(int(found[1]))
        if sequence is None:
            return found[0]
        visible = sequence.namespace in search_path
        written = quote_identifier(sequence.name)
        if not visible:
            written = f"{quote_identifier(sequence.namespace)}.{written}"
        return "nextval('" + written.replace("'", "''") + "'::regclass)"

    return NEXT_VALUE.sub(name, default)


def qualified(schema: str, name: str) -> str:
    """`schema.name`, each quoted where it must be."""
    return f"{quote_identifier(schema)}.{quote_identifier(name)}"


_ACTIONS = {"r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def constraint_definition(
    table: Table,
    constraint: Constraint,
    parent: Table | None = None,
    *,
    bare: bool = True,
    pretty: bool = False,
) -> str:
    """pg_get_constraintdef, but of a CHECK. parent: what a FOREIGN KEY refers to; bare: its name means it."""
    if constraint.reference is not None:
        return _reference(table, constraint, constraint.reference, parent, bare=bare)
    word = {"p": "PRIMARY KEY", "u": "UNIQUE"}[constraint.kind]
    index = index_of(constraint, table)
    if index is not None and not index.nulls_distinct:
        word += " NULLS NOT DISTINCT"
    included = (
        "" if index is None or not index.include else f" INCLUDE ({_names(table, index.include)})"
    )
    deferrable, deferred = deferral(table, constraint)
    later = " DEFERRABLE" * deferrable + " INITIALLY DEFERRED" * deferred
    return f"{word} ({_names(table, constraint.columns)}){included}{later}"


def _reference(
    table: Table, constraint: Constraint, refers: ForeignKey, parent: Table | None, *, bare: bool
) -> str:
    text = f"FOREIGN KEY ({_names(table, constraint.columns)}) REFERENCES "
    if parent is None:
        return f"{text}-"
    name = quote_identifier(parent.name) if bare else qualified(parent.namespace, parent.name)
    text += f"{name}({_names(parent, refers.columns)})"
    if refers.match == "f":
        text += " MATCH FULL"
    if refers.on_update in _ACTIONS:
        text += f" ON UPDATE {_ACTIONS[refers.on_update]}"
    if refers.on_delete in _ACTIONS:
        text += f" ON DELETE {_ACTIONS[refers.on_delete]}"
    if refers.set_columns:
        text += f" ({_names(table, refers.set_columns)})"
    if refers.deferrable:
        text += " DEFERRABLE"
    return text + " INITIALLY DEFERRED" if refers.deferred else text


def index_definition(table: Table, index: Index, *, pretty: bool = False) -> str:
    """pg_get_indexdef. pretty leaves out the schema, and the parentheses around the condition."""
    of = quote_identifier(table.name) if pretty else qualified(table.namespace, table.name)
    unique = "UNIQUE " if index.unique else ""
    keys = ", ".join(_index_key(table, key, pretty=pretty) for key in index.keys)
    text = (
        f"CREATE {unique}INDEX {quote_identifier(index.name)} ON {of} USING {index.method} ({keys})"
    )
    if index.include:
        text += f" INCLUDE ({_names(table, index.include)})"
    if not index.nulls_distinct:
        text += " NULLS NOT DISTINCT"
    if index.parameters:
        # What could be a name is written as one: `off`, but 'on'.
        given = ", ".join(
            f"{name}={value}" if quote_identifier(value) == value else f"{name}='{value}'"
            for name, value in index.parameters
        )
        text += f" WITH ({given})"
    if index.where:
        text += f" WHERE {pretty_text(index.where) if pretty else index.where}"
    return text


def index_column(table: Table, index: Index, number: int, *, pretty: bool = False) -> str:
    """What the n-th column of an index is, without how it is sorted; "" when there is none."""
    columns = [_key_text(table, key, pretty=pretty) for key in index.keys]
    columns += [_names(table, (column,)) for column in index.include]
    return columns[number - 1] if 0 < number <= len(columns) else ""


def _index_key(table: Table, key: IndexKey, *, pretty: bool) -> str:
    text = _key_text(table, key, pretty=pretty)
    if key.opclass:
        text += f" {key.opclass}"
    if key.descending:
        text += " DESC"
    if key.nulls_first != key.descending:
        text += " NULLS FIRST" if key.nulls_first else " NULLS LAST"
    return text


def _key_text(table: Table, key: IndexKey, *, pretty: bool) -> str:
    if key.column:
        return _names(table, (key.column,))
    called = _CALLED.match(key.expression)
    shown = pretty_text(key.expression) if pretty else key.expression
    if called and bare(key.expression[called.end() :]) != key.expression[called.end() :]:
        return shown  # A call of a function needs no parentheses around it.
    return f"({shown})"


def pretty_text(text: str) -> str:
    """A kept expression without the parentheses that PostgreSQL's pretty form leaves out.

    Those around all of it, and those around what is cast where that is a name or a number.
    """
    parts = bare(text).split("'")
    # Outside of string constants only: these are the odd parts.
    parts[::2] = [_CAST_OF_NAME.sub(r"\1", part) for part in parts[::2]]
    return "'".join(parts)


def bare(text: str) -> str:
    """An expression without the parentheses around all of it."""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return text[1:-1] if text.startswith("(") and at == len(text) - 1 else text
    return text


def options_of(view: View) -> tuple[str] | None:
    """pg_class.reloptions of a view."""
    return (f"check_option={view.check_option}",) if view.check_option else None


def as_written(view: View) -> str:
    """A view's query as its text is kept."""
    return f" {view.query.strip().rstrip(';')}"


def view_definition(
    relation: Relation,
    text_of: Callable[[View, bool, int], str],
    *,
    pretty: bool = False,
    wrap: int = 0,
) -> str | None:
    """pg_get_viewdef: a view's query with its semicolon; None for a table. text_of: `Visible.view_text`."""
    view = as_view(relation)
    return None if view is None else f"{text_of(view, pretty, wrap)};"


def _names(table: Table, columns: Sequence[int]) -> str:
    by_id = {c.id: c.name for c in table.columns}
    return ", ".join(quote_identifier(by_id[c]) for c in columns)
