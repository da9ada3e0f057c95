"""A tablet's schema versions: rows of any of them in the form of one, and their keys."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from storage.arrow import projector
from storage.errors import DataCorruptedError
from storage.ids import TabletId
from storage.keys import key_maker
from storage.layout import Layout, Row

Versions = Mapping[int, Layout]
"""A table's committed schema versions by number. All tablets of the table share one, and it grows."""

_NONE: Versions = MappingProxyType({})


class Schema:
    """The layout in which rows are given, and those that log entries may still have."""

    def __init__(
        self,
        tablet: TabletId,
        layout: Layout,
        older: Iterable[Layout] = (),
        versions: Versions = _NONE,
    ) -> None:
        self.layout = layout
        self._tablet = tablet
        self._layouts = {known.version: known for known in (*older, layout)}
        self._versions = versions
        self.key_of: Callable[[Row], bytes] = key_maker(
            layout.key, [layout.columns[position].kind for position in layout.key]
        )
        """The encoded primary key of a row in this layout."""

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Every version known, by number, but the one in which rows are given, which is last."""
        found = {**self._versions, **self._layouts}
        own = self.layout.version
        return (*[found[number] for number in sorted(found) if number != own], self.layout)

    def newest(self, row: Row, version: int) -> Row:
        """A row of schema `version` in this layout.

        Raises:
            DataCorruptedError: No such version is known.
        """
        if version == self.layout.version:
            return row
        move = projector(self.known(version), self.layout)
        return row if move is None else move(row)

    def known(self, version: int) -> Layout:
        """The layout of a version. Raises DataCorruptedError: no such version is known."""
        found = self._versions.get(version) or self._layouts.get(version)
        if found is None:
            raise DataCorruptedError(
                f"tablet {self._tablet.user}/{self._tablet.table} "
                f"has a row of unknown schema version {version}"
            )
        return found
