"""What DROP calls objects: their addresses, as pg_depend has them, and their names in messages."""

from collections.abc import Sequence

from catalog.changes_function import described as described_function
from catalog.droppable import ColumnDefault, Droppable, Referring, TypedAttribute, TypedColumn
from catalog.functions import Function
from catalog.model import Namespace, NumberSequence, UserType, kind_of
from catalog.pg_catalog.text import qualified, quote_identifier
from catalog.snapshot import Snapshot
from catalog.types.definitions import quoted

Address = tuple[int, int, str]


def address(one: Droppable) -> Address:
    """OID, the number of a column, and what it is: as pg_depend names objects."""
    match one:
        case TypedColumn(table, column):
            return table.id, column.id, "column"
        case TypedAttribute(_, attribute):
            return one.id, attribute.number, "attribute"
        case ColumnDefault(table, number):
            return table.id, number, "default"
        case _:
            return one.id, 0, ""


def of_arrays_last(one: Droppable) -> tuple[bool, tuple[int, int]]:
    """What depends on the type of a type's arrays, which is older than what depends on the type."""
    column = one.column if isinstance(one, TypedColumn) else None
    attribute = one.attribute if isinstance(one, TypedAttribute) else None
    of = column or attribute
    return of is not None and of.type.element is not None, newest_first(one)


def newest_first(one: Droppable) -> tuple[int, int]:
    """What sorts what was made last first, and of one object its columns in their order."""
    number, column, _ = address(one)
    return -number, column


def described(one: Droppable, snapshot: Snapshot, search_path: Sequence[str]) -> str:
    """As PostgreSQL calls it: with its schema where the bare name would not find it."""
    if isinstance(one, Namespace):
        return f"schema {one.name}"
    if isinstance(one, TypedColumn):
        table = described(one.table, snapshot, search_path)
        return f"column {one.column.name} of {table}"
    if isinstance(one, TypedAttribute):
        of = described(one.of, snapshot, search_path).removeprefix("type ")
        return f"column {one.attribute.name} of composite type {of}"
    if isinstance(one, Referring):
        table = described(one.table, snapshot, search_path)
        return f"constraint {quoted(one.constraint.name)} on {table}"
    if isinstance(one, Function):
        visible = one in snapshot.functions_named("", one.name, search_path)
        schema = "" if visible else f"{quote_identifier(one.namespace)}."
        what = "procedure" if one.kind == "p" else "function"
        return f"{what} {schema}{described_function(snapshot, one)}"
    if isinstance(one, UserType):
        found = snapshot.find_type("", one.name, search_path) is one
        return f"type {'' if found else one.namespace + '.'}{quoted(one.name)}"
    if isinstance(one, ColumnDefault):
        of = described(one.table, snapshot, search_path)
        return f"default value for column {one.name} of {of}"
    find = snapshot.find_sequence if isinstance(one, NumberSequence) else snapshot.find
    visible = find("", one.name, search_path) is one
    name = quote_identifier(one.name) if visible else qualified(one.namespace, one.name)
    return f"{'sequence' if isinstance(one, NumberSequence) else kind_of(one)} {name}"
