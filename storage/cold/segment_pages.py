"""Single pages of a segment's columns, read, checked and decoded; those of late stay in memory."""

from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import pyarrow as pa

from storage.cold.decoded import DECODED
from storage.cold.footer import Footer
from storage.cold.pages import Chunk, Page, PageTable
from storage.cold.point_read import NotInMemoryError, SegmentReader

_TABLE = "pages"


class PageAt(NamedTuple):
    """A page of a column: its number within the row group. What is kept of a segment has this name."""

    name: str
    group: int
    number: int


class SegmentPages:
    """The pages of one segment. It reads files, or, with `in_memory`, raises NotInMemoryError."""

    def __init__(self, reader: SegmentReader, footer: Footer, *, in_memory: bool) -> None:
        self._reader = reader
        self._path = reader.segment.path
        self._footer = footer
        self._in_memory = in_memory
        self._chunks: dict[tuple[int, str], Chunk | None] = {}

    def chunk(self, group: int, name: str) -> Chunk | None:
        """The pages of a column in a row group; None: it is only to be read as a whole.

        Raises:
            DataCorruptedError: The side file is not what was written.
        """
        if (group, name) in self._chunks:
            return self._chunks[group, name]
        if self._table is None or self._footer.page_column(name) is None:
            chunk = None
        else:
            chunk = self._table.chunk(group, self._footer.index[name])
        self._chunks[group, name] = chunk
        return chunk

    @cached_property
    def _table(self) -> PageTable | None:
        kept: tuple[PageTable | None] | None = DECODED.get(self._path, _TABLE)
        if kept is None:
            if self._in_memory:
                raise NotInMemoryError
            table = self._reader.page_table()
            kept = (table,)
            DECODED.put(self._path, _TABLE, kept, 64 if table is None else table.nbytes)
        return kept[0]

    def kept(self, part: "PageAt | tuple[int, str]") -> pa.Array | None:
        """A page, or a column of a row group, if it was decoded lately."""
        return DECODED.get(self._path, part)

    def read(self, wanted: Sequence[PageAt]) -> dict[PageAt, pa.Array]:
        """Decode pages of chunks that `chunk` knows.

        Raises:
            DataCorruptedError: One of them is not what was written.
        """
        if self._in_memory and wanted:
            raise NotInMemoryError
        columns: dict[str, dict[int, list[PageAt]]] = {}
        for one in sorted(wanted):
            columns.setdefault(one.name, {}).setdefault(one.group, []).append(one)
        pages = {
            name: [self._pages_of(name, group, some) for group, some in groups.items()]
            for name, groups in columns.items()
        }
        data = self._reader.read_pages(chain.from_iterable(chain(*pages.values())))
        found: dict[PageAt, pa.Array] = {}
        for name, groups in columns.items():
            column = self._footer.page_column(name)
            assert column is not None, "such columns have no chunks"
            values = column.decode(
                [[(page, data[page.start]) for page in some] for some in pages[name]]
            )
            with_rows = (page for some in pages[name] for page in some if page.rows)
            start = 0
            for one, page in zip(chain.from_iterable(groups.values()), with_rows, strict=True):
                # A copy: a page that is kept must not keep all that were read with it.
                found[one] = part = pa.concat_arrays([values.slice(start, page.rows)])
                DECODED.put(self._path, one, part, part.nbytes)
                start += page.rows
        return found

    def _pages_of(self, name: str, group: int, some: Sequence[PageAt]) -> list[Page]:
        """Some pages of a chunk, behind its dictionary."""
        chunk = self.chunk(group, name)
        assert chunk is not None, "it was asked before"
        pages = [chunk.page(one.number) for one in some]
        return pages if chunk.dictionary is None else [chunk.dictionary, *pages]
