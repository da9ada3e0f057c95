"""Single pages of a column, decoded: a small Parquet file in memory is made of them, which Arrow reads.

Arrow has no reader of single pages, but a page is the same wherever it lies: so those that are wanted, each
row group's behind its dictionary, get a footer with the column's schema, which says nothing else of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from storage.cold.page_form import PageForm, footer
from storage.cold.pages import Page
from storage.cold.parquet_thrift import (
    NEXT_LIST,
    NEXT_NUMBER64,
    SECOND_NUMBER64,
    STOP,
    STRUCT,
    list_head,
    number,
)
from storage.fs import Buffer

_MAGIC = b"PAR1"

PageData = tuple[Page, Buffer]


class Column(NamedTuple):
    """Pages of a column.

    groups: of one column, or of several of one form, in other files too; by row group: where there is a
    dictionary it is the first, and of the pages behind it alone. coded: texts of dictionaries may be numbers
    in these, so that not each of them is copied.
    """

    name: str
    form: PageForm
    groups: Sequence[Sequence[PageData]]
    coded: bool = False


def decode(columns: Sequence[Column]) -> list[pa.ChunkedArray]:
    """The values of each column's pages, one after the other."""
    together = [at for at, column in enumerate(columns) if not column.form.arrow]
    found: dict[int, pa.ChunkedArray] = {}
    for some in (together, *([at] for at, column in enumerate(columns) if column.form.arrow)):
        if some:
            found.update(zip(some, _decode([columns[at] for at in some]), strict=True))
    return [found[at] for at in range(len(columns))]


def _decode(columns: Sequence[Column]) -> list[pa.ChunkedArray]:
    """The same of columns that fit into one file."""
    body: list[Buffer] = [_MAGIC]
    chunks: list[list[bytes]] = []
    counts: list[int] = []
    at = len(_MAGIC)
    for column in columns:
        own: list[bytes] = []
        count = 0
        for pages in _merged(column.groups):
            size = values = 0
            for page, data in pages:
                size += page.size
                count += page.rows
                values += page.values
                body.append(data)
            own.append(_chunk(column.form, pages[0][0], at, size, values))
            at += size
        chunks.append(own)
        counts.append(count)
    rows = max(counts)
    groups = [
        b"".join(
            (
                *(NEXT_LIST, list_head(len(columns), STRUCT)),
                *(
                    own[number_] if number_ < len(own) else _nothing(column.form)
                    for column, own in zip(columns, chunks, strict=True)
                ),
                *(NEXT_NUMBER64, number(at), NEXT_NUMBER64, number(rows), STOP),
            )
        )
        for number_ in range(max(map(len, chunks)))
    ]
    body.append(footer([column.form for column in columns], rows, groups))
    file = pq.ParquetFile(
        pa.BufferReader(b"".join(body)),
        pre_buffer=False,
        read_dictionary=[one.name for one in columns if one.coded and one.form.count == 1],
    )
    # Of a table all columns would have to have as many rows.
    found = [file.reader.read_column(at) for at in range(len(columns))]
    assert [len(values) for values in found] == counts, "checked pages have what was written"
    return found


def _chunk(form: PageForm, first: Page, start: int, size: int, values: int) -> bytes:
    """A column chunk of pages, of which `first` is, that begins at `start`."""
    begins = number(start)
    if not first.rows:
        begins = number(start + first.size) + SECOND_NUMBER64 + begins
    total = number(size)
    return b"".join(
        (
            form.chunk,
            *(NEXT_NUMBER64, number(values), NEXT_NUMBER64, total, NEXT_NUMBER64, total),
            *(SECOND_NUMBER64, begins, STOP, STOP),
        )
    )


def _nothing(form: PageForm) -> bytes:
    """A column chunk without pages, in a row group of other columns."""
    return _chunk(form, Page(0, 0, 0, 1, 0), len(_MAGIC), 0, 0)


def _merged(groups: Sequence[Sequence[PageData]]) -> list[list[PageData]]:
    """Row groups of which one has a dictionary at most: pages without one may stand side by side."""
    found: list[list[PageData]] = []
    plain = False
    for pages in groups:
        has_dictionary = not pages[0][0].rows
        if plain and not has_dictionary:
            found[-1] += pages
        else:
            found.append(list(pages))
        plain = not has_dictionary
    return found
