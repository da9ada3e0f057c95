"""What the binder asks of a catalogue."""

from collections.abc import Sequence
from typing import Protocol

from catalog.functions import Function
from catalog.model import NumberSequence, Relation, UserType
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType


class RelationSource(Protocol):
    """The part of `catalog.snapshot.Snapshot` that names are looked up in."""

    def find(self, schema: str, name: str, search_path: Sequence[str], /) -> Relation | None: ...

    def find_type(
        self, schema: str, name: str, search_path: Sequence[str], /
    ) -> UserType | None: ...

    def domain(self, oid: int, /) -> DomainDefinition: ...

    def find_sequence(
        self, schema: str, name: str, search_path: Sequence[str], /
    ) -> NumberSequence | None: ...

    def functions_named(
        self, schema: str, name: str, search_path: Sequence[str], /
    ) -> Sequence[Function]: ...

    def function(self, oid: int, /) -> Function | None: ...

    def has_schema(self, name: str, /) -> bool: ...

    def type_by_oid(self, oid: int, /) -> PgType | None: ...
