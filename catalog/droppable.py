"""What DROP drops: namespaces, relations, types and sequences, and the parts of others that go with them."""

from dataclasses import dataclass

from catalog.functions import Function
from catalog.model import (
    Column,
    Constraint,
    Namespace,
    NumberSequence,
    Table,
    UserType,
    View,
)
from catalog.types.composite import Attribute, CompositeDefinition


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A column that depends on its type, which somebody made."""

    table: Table
    column: Column

    @property
    def id(self) -> int:
        """The table's."""
        return self.table.id


@dataclass(frozen=True, slots=True)
class TypedAttribute:
    """An attribute of a composite type, which depends on its type."""

    of: UserType
    attribute: Attribute

    @property
    def id(self) -> int:
        """The OID of the composite type in pg_class."""
        assert isinstance(self.of.definition, CompositeDefinition)
        return self.of.definition.relation


@dataclass(frozen=True, slots=True)
class Referring:
    """A FOREIGN KEY, which depends on the table that it refers to, or a CHECK that calls a function."""

    table: Table
    constraint: Constraint

    @property
    def id(self) -> int:
        """The constraint's."""
        return self.constraint.id


@dataclass(frozen=True, slots=True)
class ColumnDefault:
    """The default of a column, which goes without its table when the sequence goes that it uses."""

    table: Table
    column: int

    @property
    def id(self) -> int:
        """The table's."""
        return self.table.id

    @property
    def name(self) -> str:
        """The column's."""
        return next(c.name for c in self.table.columns if c.id == self.column)


Droppable = (
    Namespace
    | Table
    | View
    | UserType
    | TypedColumn
    | TypedAttribute
    | Referring
    | NumberSequence
    | ColumnDefault
    | Function
)
