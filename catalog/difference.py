"""What definitions change, apart from the catalogue that they were made in.

Transactions define things side by side, each in a catalogue that has what is committed and its own. What one
of them has changed is kept as a difference, and laid over what is committed by then: the objects of
different transactions are different ones, since each has locked its own (`sessions.definition_locks`).
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from catalog.functions import Function
from catalog.model import Namespace, NumberSequence, Table, UserType, View
from catalog.persistent import differing
from catalog.snapshot import Snapshot
from catalog.typed import remade, retyped, with_current_types

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Difference:
    """Namespaces by name, all else by id: as they are afterwards, None for what is gone.

    A table, view or type is not among them if nothing is changed but what the types of its columns, or those
    that it is made of, are by now.
    """

    namespaces: Mapping[str, Namespace | None]
    tables: Mapping[int, Table | None]
    views: Mapping[int, View | None]
    types: Mapping[int, UserType | None] = field(default_factory=dict)
    sequences: Mapping[int, NumberSequence | None] = field(default_factory=dict)
    functions: Mapping[int, Function | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        kinds = (self.tables, self.views, self.types, self.sequences, self.functions)
        return any((self.namespaces, *kinds))

    def over(self, snapshot: Snapshot, version: int | None = None, temporary: str = "") -> Snapshot:
        """The catalogue that this makes of another one, its next version if none is given.

        temporary: the schema that is a session's own.
        """
        if self.types:
            return with_current_types(snapshot.laid_over(self, version, temporary))
        # Other types are as they were: what is laid over them has to be of these, and nothing else.
        return snapshot.laid_over(self._retyped(snapshot), version, temporary)

    def _retyped(self, snapshot: Snapshot) -> "Difference":
        """The same with the types that a catalogue has by now."""
        if not snapshot.types:
            return self
        tables = {key: one and retyped(one, snapshot) for key, one in self.tables.items()}
        views = {key: one and retyped(one, snapshot) for key, one in self.views.items()}
        return replace(self, tables=tables, views=views)

    def then(self, later: "Difference") -> "Difference":
        """This one, and another one that was made in what it makes."""
        return Difference(
            {**self.namespaces, **later.namespaces},
            {**self.tables, **later.tables},
            {**self.views, **later.views},
            {**self.types, **later.types},
            {**self.sequences, **later.sequences},
            {**self.functions, **later.functions},
        )


def difference(before: Snapshot, after: Snapshot) -> Difference:
    """What makes one catalogue of another."""
    return Difference(
        _changed(before.namespaces, after.namespaces),
        _changed(before.tables, after.tables, lambda relation: retyped(relation, after)),
        _changed(before.views, after.views, lambda relation: retyped(relation, after)),
        _changed(before.types, after.types, lambda made: remade(made, after.type_by_oid)),
        _changed(before.sequences, after.sequences),
        _changed(before.functions, after.functions),
    )


def _changed(
    before: Mapping[K, V], after: Mapping[K, V], now: Callable[[Any], object] = lambda value: value
) -> dict[K, V | None]:
    """now: what one of `before` is afterwards when nothing but its types was changed."""
    if before is after:
        return {}
    found: dict[K, V | None] = {}
    for key in differing(before, after):
        old, value = before.get(key), after.get(key)
        if old is value or (
            old is not None
            and value is not None
            and (current := now(old)) is not old
            and current == value
        ):
            continue
        found[key] = value
    return found
