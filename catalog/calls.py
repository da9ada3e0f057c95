"""Where kept expressions call functions that people made: defaults, checks, generated columns, domains."""

from collections.abc import Iterator, Sequence

from catalog.functions import Function
from catalog.model import Column, Constraint, Table
from catalog.pg_catalog.text import qualified
from catalog.snapshot import Snapshot
from catalog.types.domain import DomainDefinition


def calls(text: str, function: Function) -> bool:
    """Whether a kept expression may call a function: it names what it calls with its schema.

    Of another one of the name, too: which of them is called, only the binder could tell.
    """
    return bool(text) and called_as(function)[0] in text


def called_as(function: Function) -> tuple[str, Function]:
    """How a kept expression begins a call of a function, and the function."""
    return f"{qualified(function.namespace, function.name)}(", function


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
        for _, part in parts_calling(table, (called_as(function),)):
            kind = "constraint" if isinstance(part, Constraint) else "column"
            yield f"{kind} {part.name} of table {table.name}"
    for made in snapshot.types.values():
        definition = made.definition
        if isinstance(definition, DomainDefinition):
            texts = (definition.default, *[check.check for check in definition.checks])
            if any(calls(text, function) for text in texts):
                yield f"domain {made.name}"


def parts_calling(
    table: Table, called: Sequence[tuple[str, Function]]
) -> Iterator[tuple[Function, Column | Constraint]]:
    """The columns with defaults or generated, and the checks of a table that may call functions.

    called: as `called_as` has them.
    """
    parts: list[tuple[Column | Constraint, str]] = [
        (column, text) for column in table.columns for text in (column.default, column.generated)
    ]
    parts += [(constraint, constraint.check) for constraint in table.constraints]
    for part, text in parts:
        if text:
            for name, function in called:
                if name in text:
                    yield function, part
