"""What a table uses that it cannot be without: other tables, types, sequences."""

import re

from catalog.model import Column, Table
from catalog.types.definitions import user_types_of

NEXT_VALUE = re.compile(r"nextval\('([0-9]+)'::regclass\)")
"""Where a kept default takes a number from a sequence (`changes_sequence.next_value`)."""


def sequences_used(default: str) -> set[int]:
    """The ids of the sequences that a kept default takes numbers from."""
    if "nextval" not in default:
        return set()
    return {int(found) for found in NEXT_VALUE.findall(default)}


def types_used(column: Column) -> tuple[int, ...]:
    """The ids of the types that people made, or of the relation whose row type it is, of a column."""
    return (column.domain,) if column.domain else user_types_of(column.type)


def used_by(table: Table) -> set[int]:
    """The ids of all that a table uses, but for itself."""
    used = {c.reference.table for c in table.constraints if c.reference is not None}
    for column in table.columns:
        type_ = column.type
        if column.domain or type_.definition is not None or type_.element is not None:
            used.update(types_used(column))
        if column.default:
            used.update(sequences_used(column.default))
    return used - {table.id}
