"""Types that people define, and what all of them have: see `catalog.types.enum` and its neighbours.

A `PgType` is made of its definition, which is values only and crosses process boundaries: equal
definitions give one `PgType` in each process (`registry.of_definition`). A changed type is another
`PgType`; who holds the old one goes on with what it was.
"""

import re
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from catalog.types.table import PgType

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*\Z")


class Definition(Protocol):
    """What a type was defined as. Hashable: two that are equal are one type."""

    @property
    def oid(self) -> int:
        """pg_type.oid."""

    @property
    def array_oid(self) -> int:
        """pg_type.oid of its arrays' type."""

    @property
    def namespace(self) -> str:
        """Name of the schema that it is in."""

    @property
    def name(self) -> str:
        """pg_type.typname."""

    @property
    def depends_on(self) -> int:
        """What goes with what is of this type: the type's OID, of a row type its relation's."""

    def make(self) -> "PgType":
        """The type; called once for each process."""

    def __hash__(self) -> int: ...


def quoted(name: str) -> str:
    """A type's name as SQL must write it."""
    return name if _PLAIN.match(name) else '"' + name.replace('"', '""') + '"'


def definition_of(pg_type: "PgType") -> Definition | None:
    """What a type was defined as; of an array type, what its elements' type was."""
    if pg_type.definition is not None or pg_type.element is None:
        return pg_type.definition
    return pg_type.element.definition


def user_types_of(*types: "PgType") -> tuple[int, ...]:
    """OIDs of the types that people made which these are, or are arrays of; of a row type, its relation's."""
    made = [definition_of(type_) for type_ in types]
    return tuple([definition.depends_on for definition in made if definition is not None])
