"""What a domain's checks are bound over: a table of one row, whose column is the value."""

from catalog import codec
from catalog.model import Column, Table, TableKind, TableOptions
from catalog.types.domain import DomainDefinition

VALUE = "value"
"""What a domain's check calls the value."""


def value_table(domain: DomainDefinition) -> Table:
    """A table whose one column is the value: what a domain's check is bound over."""
    columns = (Column(1, VALUE, domain.base, domain.typmod),)
    layout = codec.layout_of(columns, (1,), 1)
    options = TableOptions()
    kind = TableKind.SHARED
    return Table(0, "", domain.name, kind, columns, (1,), (), options, layout, owner=0)
