"""Pages of a segment's columns, read, checked and decoded; those of late stay in memory.

What is asked of several columns, row groups and segments together is decoded together: each call of Arrow's
reader takes as long as it takes to decode some thousand numbers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from storage.cold.decoded import DECODED
from storage.cold.footer import Footer
from storage.cold.page_form import PageForm
from storage.cold.page_read import Column, PageData, decode
from storage.cold.pages import Chunk, Page, PageTable
from storage.cold.point_read import NotInMemoryError, SegmentReader


class PageAt(NamedTuple):
    """A page of a column: its number within the row group. What is kept of a segment has this name."""

    name: str
    group: int
    number: int


class Whole(NamedTuple):
    """All of a column in a row group."""

    group: int
    name: str


Part = PageAt | Whole


class SegmentPages:
    """The pages of one segment. It reads files, or, with `in_memory`, raises NotInMemoryError."""

    def __init__(
        self, reader: SegmentReader, footer: Footer, table: PageTable | None, *, in_memory: bool
    ) -> None:
        """table: None: each column chunk is read as a whole, and by others."""
        self._reader = reader
        self._path = reader.segment.path
        self._footer = footer
        self._table = table
        self.in_memory = in_memory
        self._chunks: dict[tuple[int, str], Chunk | None] = {}

    def chunk(self, group: int, name: str) -> Chunk | None:
        """The pages of a column in a row group; None: others read it, as a whole."""
        if (group, name) in self._chunks:
            return self._chunks[group, name]
        if self._table is None or self._footer.page_form(name) is None:
            chunk = None
        else:
            chunk = self._table.chunk(group, self._footer.index[name])
        self._chunks[group, name] = chunk
        return chunk

    def kept(self, part: Part) -> pa.Array | None:
        """A page, or a column of a row group, if it was decoded lately."""
        return DECODED.get(self._path, part)

    def keep(self, part: Part, values: pa.Array) -> None:
        """Keep it for a while."""
        DECODED.put(self._path, part, values, values.nbytes)

    def replace(self, part: Part, values: pa.Array) -> pa.Array:
        """Keep it in the place of what is kept."""
        DECODED.replace(self._path, part, values, values.nbytes)
        return values

    def form(self, part: Part) -> PageForm:
        """How a part of a chunk that `chunk` knows is decoded."""
        form = self._footer.page_form(part.name)
        assert form is not None, "such columns have no chunks"
        return form

    def pages(self, part: Part) -> tuple[Page | None, list[Page]]:
        """The dictionary of a part of a chunk, if it has one, and its pages with rows."""
        chunk = self.chunk(part.group, part.name)
        assert chunk is not None, "it was asked before"
        numbers = (part.number,) if isinstance(part, PageAt) else range(len(chunk.firsts))
        return chunk.dictionary, [chunk.page(number) for number in numbers]

    def data(self, pages: Sequence[Page]) -> dict[int, memoryview]:
        """The bytes of pages, by where they begin. Raises DataCorruptedError."""
        return self._reader.read_pages(pages)


Asked = tuple[SegmentPages, Part]


def read_parts(asked: Sequence[Asked], *, coded: bool = False) -> dict[Asked, pa.Array]:
    """Decode parts of chunks that `SegmentPages.chunk` knows, of any segments, and keep them.

    asked: those of one chunk one after the other, in the order of their pages. coded: texts that come
    several times may stay numbers in a dictionary (`plain`): for who wants few of them.

    Raises:
        DataCorruptedError: One of them is not what was written.
        NotInMemoryError: It is not to be read.
    """
    wanted: dict[SegmentPages, list[Page]] = {}
    columns: dict[PageForm, list[_Read]] = {}
    for segment, part in asked:
        if segment.in_memory:
            raise NotInMemoryError
        dictionary, pages = segment.pages(part)
        some = wanted.setdefault(segment, [])
        some += pages
        if dictionary is not None:
            some.append(dictionary)
        read = _Read(segment, part, dictionary, pages)
        columns.setdefault(segment.form(part), []).append(read)
    data = {segment: segment.data(some) for segment, some in wanted.items()}
    decoded = decode(
        [
            Column(
                reads[0].part.name,
                form,
                _groups(reads, data),
                coded and any(read.dictionary is not None for read in reads),
            )
            for form, reads in columns.items()
        ]
    )
    found: dict[Asked, pa.Array] = {}
    for reads, values in zip(columns.values(), decoded, strict=True):
        start = 0
        for segment, part, _, pages in reads:
            rows = sum(page.rows for page in pages)
            own = values.slice(start, rows).combine_chunks()
            if isinstance(part, PageAt):
                # A copy: a page that is kept must not keep all that were decoded with it.
                own = pa.concat_arrays([own])
            found[segment, part] = own
            segment.keep(part, own)
            start += rows
    return found


def plain(values: pa.Array) -> pa.Array:
    """Values that are no numbers in a dictionary."""
    return values.dictionary_decode() if isinstance(values, pa.DictionaryArray) else values


class _Read(NamedTuple):
    """A part that is to be decoded, and of which pages it consists."""

    segment: SegmentPages
    part: Part
    dictionary: Page | None
    pages: list[Page]


def _groups(
    reads: Sequence[_Read], data: dict[SegmentPages, dict[int, memoryview]]
) -> list[list[PageData]]:
    """The pages of parts, those of one chunk that follow each other behind one dictionary."""
    groups: list[list[PageData]] = []
    before: tuple[SegmentPages, int] | None = None
    for segment, part, dictionary, pages in reads:
        if before != (segment, part.group):
            groups.append([])
            if dictionary is not None:
                groups[-1].append((dictionary, data[segment][dictionary.start]))
        groups[-1] += ((page, data[segment][page.start]) for page in pages)
        before = segment, part.group
    return groups
