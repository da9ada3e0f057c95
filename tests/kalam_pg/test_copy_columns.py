"""What COPY sends, read column by column: what is accepted is what stands there, to the letter."""

import pyarrow as pa
import pytest

from kalam_pg.rows.copy_columns import ColumnReader, CopyColumns, Field, RefusedError
from storage.layout import Column, Layout

LAYOUT = Layout(1, (Column(1, "v", "text", pa.string()),), (0,))
MARK = "\ufeff".encode()


def read(*pieces: bytes, csv: bool = False, null: str = "\\N") -> list[str | None]:
    """The values of a column of text."""
    field = Field("text" if csv else "plain text", not_null=False)
    columns = CopyColumns(csv, "," if csv else "\t", null, '"', False, (field,), (0,))
    batches = ColumnReader(columns, LAYOUT, 7).read(iter(pieces))
    return [value for batch in batches for value in batch.column(0).to_pylist()]


@pytest.mark.parametrize("csv", [False, True])
def test_a_mark_of_the_encoding_is_a_part_of_its_line(csv):
    for pieces in ((MARK + b"a\nb\n",), (b"a\n", MARK + b"b\n"), (MARK, b"a\n"), (b"a\n", MARK)):
        with pytest.raises(RefusedError):
            read(*pieces, csv=csv)
    assert read(b"a\nb" + MARK + b"\n", csv=csv) == ["a", "b\ufeff"]
    assert read(b"a\n" + MARK + b"b\n", csv=csv) == ["a", "\ufeffb"]


@pytest.mark.parametrize(
    ("csv", "null", "expected"),
    [
        (False, "\\N", ["", "a", "", "b", ""]),
        (True, "", [None, "a", None, "b", None]),
        (True, "x", ["", "a", "", "b", ""]),
    ],
)
def test_empty_lines_are_values(csv, null, expected):
    assert read(b"\na\n\n", b"b\n\n", csv=csv, null=null) == expected


def test_space_and_delimiters_of_others_are_text():
    assert read(b" a ,\"b' \n", b"c d") == [" a ,\"b' ", "c d"]
    assert read(b" a \t'b\\ \n", csv=True, null="") == [" a \t'b\\ "]


@pytest.mark.parametrize("piece", [b"a\r\n", b"a\0\n", b"\xff\n", b"a\tb\n", b"\\.\n", b"a\\tb\n"])
def test_what_is_not_plain_is_refused(piece):
    with pytest.raises(RefusedError):
        read(b"a\n" + piece)
