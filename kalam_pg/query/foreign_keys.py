"""FOREIGN KEYs, compiled: where the columns stand, and as which key the values that refer are looked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from catalog.indexes import entry_table
from catalog.model import Constraint, ForeignKey, Table
from storage.keys import key_maker
from storage.layout import Row, Value

if TYPE_CHECKING:
    from kalam_pg.query.execution import Execution, Result
    from kalam_pg.query.waits import Steps

RunPlan = Callable[["Execution"], "Steps[Result]"]
Compile = Callable[[str], RunPlan]
"""Makes what runs a statement, given its text."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A FOREIGN KEY of `table`, to `parent`.

    columns, parent_columns: positions in the two tables' rows, in the order of the constraint. place: the
    table whose primary key the referenced columns are: the parent, or the entries of a unique index.
    key: of the referenced values, as `place` has it. compile: see `Compile`.
    """

    table: Table
    constraint: Constraint
    rule: ForeignKey
    parent: Table
    columns: tuple[int, ...]
    parent_columns: tuple[int, ...]
    place: Table
    key: Callable[[Sequence[Value]], bytes]
    compile: Compile

    def referred(self, row: Row) -> tuple[Value, ...]:
        """The values with which a row of `table` refers."""
        return tuple([row[at] for at in self.columns])

    def referable(self, row: Row) -> tuple[Value, ...]:
        """The values by which a row of `parent` is referred to."""
        return tuple([row[at] for at in self.parent_columns])


def reference(table: Table, constraint: Constraint, parent: Table, compile_: Compile) -> Reference:
    """A constraint's reference, compiled."""
    rule = constraint.reference
    assert rule is not None
    at = {column.id: position for position, column in enumerate(table.columns)}
    parent_at = {column.id: position for position, column in enumerate(parent.columns)}
    index = next((index for index in parent.indexes if index.id == rule.index), None)
    if index is None:
        place, ids = parent, parent.primary_key
    else:
        place, ids = entry_table(parent, index), tuple(key.column for key in index.keys)
    layout = place.layout
    kinds = [layout.columns[position].kind for position in layout.key]
    given = [table.columns[at[column]].type.key_kind for column in constraint.columns]
    order = [rule.columns.index(column) for column in ids]
    make = key_maker(order, kinds)
    wanted = [kinds[order.index(position)] for position in range(len(order))]
    converters = [_converter(have, want) for have, want in zip(given, wanted, strict=True)]

    def key(values: Sequence[Value]) -> bytes:
        return make([convert(value) for convert, value in zip(converters, values, strict=True)])

    return Reference(
        table,
        constraint,
        rule,
        parent,
        tuple(at[column] for column in constraint.columns),
        tuple(parent_at[column] for column in rule.columns),
        place,
        make if given == wanted else key,
        cache(compile_),
    )


def _converter(have: str, want: str) -> Callable[[Value], Value]:
    """How a value is stored in a column of the other kind."""
    if have == want:
        return lambda value: value
    if want == "numeric":
        return str
    return float  # type: ignore[return-value]  # of "int"
