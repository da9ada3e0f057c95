"""A tablet's schema versions: rows of any of them in the form of the newest, and their keys."""

from collections.abc import Callable, Iterable

from storage.arrow import projector
from storage.errors import DataCorruptedError
from storage.ids import TabletId
from storage.keys import key_maker
from storage.layout import Layout, Row


class Schema:
    """The newest layout, and those that log entries may still have. Never changed."""

    def __init__(self, tablet: TabletId, layout: Layout, older: Iterable[Layout] = ()) -> None:
        self.layout = layout
        self._tablet = tablet
        self._layouts = {known.version: known for known in (*older, layout)}
        self.key_of: Callable[[Row], bytes] = key_maker(
            layout.key, [layout.columns[position].kind for position in layout.key]
        )
        """The encoded primary key of a row in the newest layout."""

    def with_newest(self, layout: Layout) -> "Schema":
        """The same with one more version, which becomes the newest."""
        return Schema(self._tablet, layout, self._layouts.values())

    def newest(self, row: Row, version: int) -> Row:
        """A row of schema `version` in the newest layout.

        Raises:
            DataCorruptedError: No such version is known.
        """
        if version == self.layout.version:
            return row
        source = self._layouts.get(version)
        if source is None:
            raise DataCorruptedError(
                f"tablet {self._tablet.user}/{self._tablet.table} "
                f"has a row of unknown schema version {version}"
            )
        move = projector(source, self.layout)
        return row if move is None else move(row)
