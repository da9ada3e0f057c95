"""What a segment's file says of its row groups: their rows, and the bounds of columns in each."""

from collections.abc import Callable
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from storage.cold.extents import Extent, MaybeExtent
from storage.cold.outline import Known, Outline, Raw, known_of, names_of, page_form, rows_of
from storage.cold.page_form import PageForm
from storage.layout import Value
from storage.lazy import lazy


class Footer:
    """What a file says of its row groups. rows: of each, tombstones too. index: of a column by its name.

    starts: the number of the first row of each within the segment, and how many there are.
    """

    def __init__(self, outline: Outline | None, read: Callable[[], pq.FileMetaData]) -> None:
        """outline: what is known without the file's own footer, which `read` reads. Without one it does."""
        self._outline = outline
        self._read = read
        if outline is None:
            self.rows, self._names = rows_of(self.metadata), names_of(self.metadata)
        else:
            self.rows, self._names = outline.rows, [leaf.name for leaf in outline.leaves]
        self.starts = [0]
        for rows in self.rows:
            self.starts.append(self.starts[-1] + rows)
        # Names of leaves: a nested column has others, and no statistics are asked of it.
        self.index = {name: at for at, name in enumerate(self._names)}
        self._extents: dict[str, list[MaybeExtent]] = {}  # Two threads may make the same.
        self._forms: dict[str, PageForm | None] = {}  # Here too.

    @property
    def nbytes(self) -> int:
        """About its memory."""
        return 4096 + (200 * len(self._names) * len(self.rows))

    @lazy
    def metadata(self) -> pq.FileMetaData:
        """The file's own footer. Reads the file, the first time, and raises what that does."""
        return self._read()

    def page_form(self, name: str) -> PageForm | None:
        """How single pages of a column are decoded, None when that cannot be done."""
        outline = self._outline
        if outline is not None:
            return outline.leaves[self.index[name]].form
        if name not in self._forms:
            self._forms[name] = page_form(
                self.metadata, self._schema, self._names, self.index[name]
            )
        return self._forms[name]

    @lazy
    def _schema(self) -> pa.Schema:
        return self.metadata.schema.to_arrow_schema()

    def extents(self, name: str, kind: str) -> list[MaybeExtent]:
        """What statistics tell of a column in each row group."""
        found = self._extents.get(name)
        if found is None:
            at, outline = self.index[name], self._outline
            known = known_of(self.metadata, at) if outline is None else outline.leaves[at].known
            found = self._extents[name] = [
                _extent(one, kind, rows) for one, rows in zip(known, self.rows, strict=True)
            ]
        return found


def _extent(known: Known, kind: str, rows: int) -> MaybeExtent:
    bound = _BOUNDS.get(kind)
    if known is None or bound is None:
        return None
    nulls = cast("int", known[0])
    if len(known) == 1:
        return Extent(None, None, nulls=True) if nulls == rows else None
    return Extent(bound(cast("Raw", known[1])), bound(cast("Raw", known[2])), nulls > 0)


def _raw(value: Raw) -> Value:
    return value


def _text(value: Raw) -> Value:
    return cast("bytes", value).decode()


_BOUNDS: dict[str, Callable[[Raw], Value]] = {
    "bool": _raw,
    "int": _raw,
    "float": _raw,
    "text": _text,
    "uuid": _raw,
}
"""Kinds whose order in Parquet's statistics is that of their keys."""
