"""What the first read of segments in a process would have to do beside: done before, while nobody waits.

Arrow's memory is mapped as it is used for the first time, 2 µs for each 4 kB of ten megabytes for fifty rows;
its codecs and kernels are set up, and the interpreter learns the way. All of that took longer than the read.
"""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.cold.page_read import Column, decode
from storage.cold.pages import PageTable, table_of

_ROWS = 16384
_GROUPS, _TIMES = 4, 2
"""Row groups that are decoded together, and how often: some 8 MB, in blocks as large as a read's are."""


def prepare() -> None:
    """Read some column chunks of no segment: 30 ms. For the threads that read."""
    numbers = pa.array(range(_ROWS), pa.int64())
    texts = pc.binary_join_element_wise(numbers.cast(pa.string()), "of a text of some length", " ")
    rows = pa.table(
        {
            "number": numbers,
            "repeated": pc.if_else(pc.greater(numbers, 999), "one", "another"),
            "text": texts,
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        use_dictionary=["repeated"],
        column_encoding={"number": "DELTA_BINARY_PACKED"},
        write_page_index=True,
        max_rows_per_page=_ROWS // 4,
    )
    data = memoryview(sink.getvalue())
    table = PageTable.decode(table_of(data, pq.read_metadata(pa.BufferReader(data))).encode())
    assert table.outline is not None, "it was made just now"
    columns: list[Column] = []
    for leaf, one in enumerate(table.outline.leaves):
        chunk = table.chunk(0, leaf)
        pages = [chunk.page(number) for number in range(len(chunk.firsts))]
        if chunk.dictionary is not None:
            pages.insert(0, chunk.dictionary)
        assert one.form is not None, "all are simple"
        group = [(page, data[page.start : page.start + page.size]) for page in pages]
        columns.append(
            Column(one.name, one.form, [group] * _GROUPS, coded=chunk.dictionary is not None)
        )
    held = [decode(columns) for _ in range(_TIMES)]
    for found in held:
        first, repeated, text = (values.chunk(0) for values in found)
        # Of the first row group: each has a dictionary of its own.
        some = first.slice(0, _ROWS)
        at = pc.indices_nonzero(pc.and_(pc.equal(some, 7), pc.less(some, 9)))
        repeated.take(at).dictionary_decode()
        text.take(at).to_pylist()
