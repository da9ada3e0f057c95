"""Where kept expressions call functions that people made: defaults, checks, generated columns, domains."""

from collections.abc import Iterator

from catalog.functions import Function
from catalog.model import Column, Constraint, Table
from catalog.pg_catalog.text import qualified
from catalog.snapshot import Snapshot
from catalog.types.domain import DomainDefinition


def calls(text: str, function: Function) -> bool:
    """Whether a kept expression may call a function: it names what it calls with its schema.

    Of another one of the name, too: which of them is called, only the binder could tell.
    """
    return bool(text) and f"{qualified(function.namespace, function.name)}(" in text


def calling(snapshot: Snapshot, function: Function) -> Iterator[str]:
    """What is kept as text that may call a function, as messages name it."""
    for view in snapshot.stored_queries():
        if function.id in view.reads:
            yield f"view {view.name}"
    for other in snapshot.functions.values():
        of_text = other.aggregation is None  # An aggregate knows its functions by their OIDs.
        if of_text and function.id in other.reads and other.id != function.id:
            yield f"{other.what} {other.name}"
    for table in snapshot.tables.values():
        for part in parts_calling(table, function):
            kind = "constraint" if isinstance(part, Constraint) else "column"
            yield f"{kind} {part.name} of table {table.name}"
    for made in snapshot.types.values():
        definition = made.definition
        if isinstance(definition, DomainDefinition):
            texts = (definition.default, *[check.check for check in definition.checks])
            if any(calls(text, function) for text in texts):
                yield f"domain {made.name}"


def parts_calling(table: Table, function: Function) -> Iterator[Column | Constraint]:
    """The columns with defaults or generated, and the checks of a table that may call a function."""
    for column in table.columns:
        if calls(column.default, function) or calls(column.generated, function):
            yield column
    for constraint in table.constraints:
        if calls(constraint.check, function):
            yield constraint
