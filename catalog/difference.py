"""What definitions change, apart from the catalogue that they were made in.

Transactions define things side by side, each in a catalogue that has what is committed and its own. What one
of them has changed is kept as a difference, and laid over what is committed by then: the objects of
different transactions are different ones, since each has locked its own (`sessions.definition_locks`).
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from catalog.model import Namespace, Table, View
from catalog.snapshot import Snapshot

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Difference:
    """Namespaces by name, tables and views by id: as they are afterwards, None for what is gone."""

    namespaces: Mapping[str, Namespace | None]
    tables: Mapping[int, Table | None]
    views: Mapping[int, View | None]

    def __bool__(self) -> bool:
        return bool(self.namespaces or self.tables or self.views)

    def over(self, snapshot: Snapshot) -> Snapshot:
        """The catalogue that this makes of another one, the next version of it."""
        return Snapshot(
            snapshot.version + 1,
            _laid_over(snapshot.namespaces, self.namespaces),
            _laid_over(snapshot.tables, self.tables),
            _laid_over(snapshot.views, self.views),
        )

    def then(self, later: "Difference") -> "Difference":
        """This one, and another one that was made in what it makes."""
        return Difference(
            {**self.namespaces, **later.namespaces},
            {**self.tables, **later.tables},
            {**self.views, **later.views},
        )


def difference(before: Snapshot, after: Snapshot) -> Difference:
    """What makes one catalogue of another."""
    return Difference(
        _changed(before.namespaces, after.namespaces),
        _changed(before.tables, after.tables),
        _changed(before.views, after.views),
    )


def _changed(before: Mapping[K, V], after: Mapping[K, V]) -> dict[K, V | None]:
    if before is after:
        return {}
    found: dict[K, V | None] = {
        key: value for key, value in after.items() if before.get(key) is not value
    }
    found.update({key: None for key in before if key not in after})
    return found


def _laid_over(below: Mapping[K, V], changes: Mapping[K, V | None]) -> Mapping[K, V]:
    if not changes:
        return below
    merged: dict[K, V | None] = {**below, **changes}
    return {key: value for key, value in merged.items() if value is not None}
