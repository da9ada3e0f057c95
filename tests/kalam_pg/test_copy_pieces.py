"""What COPY sends, read by columns: to the letter what is read of it row by row, or refused."""

import random

import pyarrow as pa
import pytest

from catalog.model import Column
from catalog.types.registry import (
    BOOL,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    JSONB,
    NUMERIC,
    TEXT,
    TIMESTAMPTZ,
    UUID,
    VARCHAR,
)
from catalog.types.table import TypeContext
from kalam_pg.rows.copy_columns import ColumnReader, RefusedError, fields_of
from kalam_pg.rows.copy_pieces import travelling
from kalam_pg.rows.copy_reading import CopyReader
from kalam_pg.sql.copy_options import CopyFormat
from storage.arrow import to_values
from storage.errors import KalamError

MARK = "\ufeff".encode()
CONTEXT = TypeContext()
TEXT_FORM, CSV_FORM = CopyFormat(), CopyFormat("csv", ",", "")


def columns(*types):
    return [Column(at, f"c{at}", type_, -1) for at, type_ in enumerate(types, 1)]


def by_pieces(pieces, form, *types):
    """The rows as a load reads them."""
    found = []
    for batch in travelling(columns(*types), form, CONTEXT).read(iter(pieces)):
        found += zip(*map(to_values, batch), strict=True)
    return found


def by_rows(pieces, form, *types):
    """The rows as they are put one by one."""
    reader = CopyReader("t", columns(*types), form, CONTEXT)
    found = [row for piece in pieces for row in reader.rows(piece)]
    return found + list(reader.end())


def cut(random_, data):
    """The bytes in pieces."""
    ends = sorted(random_.randrange(len(data) + 1) for _ in range(random_.randrange(5)))
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


TYPES = (INT8, TEXT, VARCHAR, INT2, BOOL, FLOAT8, TIMESTAMPTZ, UUID, NUMERIC, JSONB, INT4)
USUAL = {
    INT8: "12", TEXT: "hello", VARCHAR: "x y", INT2: "-7", BOOL: "t", FLOAT8: "1.5e3",
    TIMESTAMPTZ: "2026-11-30 12:00:00.5+00", UUID: "01234567-89ab-cdef-0123-456789abcdef",
    NUMERIC: "1.50", JSONB: "7", INT4: "0",
}  # fmt: skip
SELDOM = {
    INT8: [" 12", "+5", "9223372036854775807"], BOOL: ["true", "no", " f "], FLOAT8: ["NaN", "1e400"],
    TIMESTAMPTZ: ["now", "2026-02-30 00:00:00+00", "20261130 1200", "infinity"], UUID: ["x", "{0}"],
    INT2: ["32768", "1.0", "007"], NUMERIC: ["NaN", "1e3", ""], JSONB: ["[1, 2]", "{", '"é"'], INT4: ["x"],
}  # fmt: skip
PARTS = ["a", " ", "é", "\\\\", "\\n", "\\t", "\\N", "\\x41", "\\303\\251", "\\101b", "\\q", "\\"]


def text_line(random_, types):
    fields = []
    for type_ in types:
        pick = random_.random()
        if pick < 0.1:
            fields.append("\\N")
        elif pick < 0.13 and type_ in SELDOM:
            fields.append(random_.choice(SELDOM[type_]))
        elif type_ in (TEXT, VARCHAR) and pick < 0.6:
            fields.append("".join(random_.choices(PARTS, k=random_.randrange(5))))
        else:
            fields.append(USUAL[type_])
    return "\t".join(fields) + random_.choices(["\n", "\r\n", "\tx\n", ""], [400, 1, 1, 1])[0]


def csv_line(random_, types):
    fields = []
    for type_ in types:
        pick = random_.random()
        if pick < 0.1:
            fields.append("")
        elif pick < 0.13 and type_ in SELDOM:
            fields.append(random_.choice(SELDOM[type_]))
        elif type_ in (TEXT, VARCHAR) and pick < 0.6:
            inside = "".join(random_.choices(["a", ",", "\n", '""', " ", "é", "\\"], k=5))
            around = random_.choices(['"{}"', '{}"b"', '"{}"c', '"{}'], [200, 1, 1, 1])[0]
            fields.append(around.format(inside))
        elif pick < 0.8:
            fields.append(f'"{USUAL[type_]}"')
        else:
            fields.append(USUAL[type_])
    return ",".join(fields) + random_.choices(["\n", "\r\n", "\n\n"], [400, 1, 1])[0]


@pytest.mark.parametrize(("form", "line"), [(TEXT_FORM, text_line), (CSV_FORM, csv_line)])
def test_a_text_means_by_columns_what_it_means_by_rows(form, line):
    alike = 0
    for seed in range(400):
        random_ = random.Random(seed)
        types = random_.choices(TYPES, k=random_.randint(1, 4))
        lines = [line(random_, types) for _ in range(random_.randint(1, 12))]
        pieces = cut(random_, "".join(lines).encode())
        try:
            expected = by_rows(pieces, form, *types)
        except KalamError:
            with pytest.raises(RefusedError):
                by_pieces(pieces, form, *types)
            continue
        assert repr(by_pieces(pieces, form, *types)) == repr(expected), (seed, pieces)
        alike += 1
    assert alike > 100


def columnwise(data, form, *types):
    """The rows of whole lines; raises RefusedError when some are for the way row by row."""
    reader = ColumnReader(fields_of(columns(*types)), form, CONTEXT)
    found = list(map(to_values, reader.read(data)))
    return list(zip(*found, strict=True))


def test_what_most_texts_have_is_read_by_columns():
    data = b'1\tsaid \\"no\\"\\nand\\\\left\t{"a": [1]}\t1.50\n2\t\\N\t7\t\\N\n'
    assert columnwise(data, TEXT_FORM, INT8, TEXT, JSONB, NUMERIC) == [
        (1, 'said "no"\nand\\left', '{"a": [1]}', "1.50"),
        (2, None, "7", None),
    ]
    data = b'1,"said ""no"",\nleft",\n"2",,""\n'
    assert columnwise(data, CSV_FORM, INT4, TEXT, TEXT) == [
        (1, 'said "no",\nleft', None),
        (2, None, ""),
    ]


@pytest.mark.parametrize("csv", [False, True])
def test_a_mark_of_the_encoding_is_a_part_of_its_line(csv):
    form = CSV_FORM if csv else TEXT_FORM
    for pieces in ((MARK + b"a\nb\n",), (b"a\n", MARK + b"b\n"), (MARK, b"a\n"), (b"a\n", MARK)):
        assert by_pieces(pieces, form, TEXT) == by_rows(pieces, form, TEXT)
    with pytest.raises(RefusedError):
        columnwise(MARK + b"a\n", form, TEXT)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (TEXT_FORM, ["", "a", "", "b", ""]),
        (CSV_FORM, [None, "a", None, "b", None]),
        (CopyFormat("csv", ",", "x"), ["", "a", "", "b", ""]),
    ],
)
def test_empty_lines_are_values(form, expected):
    assert by_pieces((b"\na\n\n", b"b\n\n"), form, TEXT) == [(value,) for value in expected]


@pytest.mark.parametrize(
    "data", [b"a\r\n", b"a\0\n", b"\xff\n", b"a\tb\n", b"\\.\n", b"a\\\tb\n", b"a\\\nb\n"]
)
def test_what_is_not_plain_is_refused(data):
    with pytest.raises(RefusedError):
        columnwise(b"a\n" + data, TEXT_FORM, TEXT)


@pytest.mark.parametrize("data", [b'a"b"\n', b'"a"b\n', b'"a\n', b'a"b"c,"d\ne"\n', b'"a" "b"\n'])
def test_a_quote_within_a_field_is_refused(data):
    with pytest.raises(RefusedError):
        columnwise(b'"a"\n' + data, CSV_FORM, TEXT)


def test_a_header_and_the_end_of_the_text():
    form = CopyFormat("csv", ",", "", header=True)
    for pieces in ([b"id,text\n1,a\n"], [b"id,te", b'xt\n1,"a"'], [b'"id\n",x\n1,a\n\\.\nx']):
        assert by_pieces(pieces, form, INT4, TEXT) == [(1, "a")]
    assert by_pieces([b"1\ta\n\\.\n", b"2"], TEXT_FORM, INT4, TEXT) == [(1, "a")]


def test_arrow_strings_stay_what_they_are():
    batch = next(travelling(columns(TEXT), TEXT_FORM, CONTEXT).read([b"a\\tb\n\\N\n"]))
    assert batch[0].type == pa.string()
    assert batch[0].to_pylist() == ["a\tb", None]
