"""A log entry is what was written, or corruption; it is never something else."""

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import DataCorruptedError
from storage.log.log_entry import Op, decode_entry, encode_entry

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=6),
    st.binary(max_size=6),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)
ROWS = st.lists(VALUES, max_size=5).map(tuple)
ENTRIES = st.tuples(st.sampled_from(Op), st.integers(0, 2**31), ROWS, st.none() | ROWS)


def typed(value):
    """The value with its type at every level: 1, 1.0 and True are equal, and not the same."""
    if isinstance(value, tuple):
        return ("tuple", [typed(item) for item in value])
    return (type(value), value)


@given(ENTRIES)
def test_an_entry_reads_as_it_was_written(entry):
    op, version, row, old = entry
    found = decode_entry(encode_entry(op, version, row, old))
    assert found.op is op
    assert found.version == version
    assert typed(found.row) == typed(row)
    # What a deletion takes away is said once.
    assert typed(found.old) == typed(row if op is Op.DELETE and old is None else old)


def test_a_deletion_says_once_what_it_takes_away():
    row = (1, "a" * 100, (2, (3,)))
    data = encode_entry(Op.DELETE, 1, row, row)
    assert len(data) < len(encode_entry(Op.UPDATE, 1, row, row)) - 100
    assert decode_entry(data).old == decode_entry(data).row == row


@given(ENTRIES, st.data())
def test_any_changed_bit_shows(entry, data):
    good = bytearray(encode_entry(*entry))
    at = data.draw(st.integers(0, len(good) - 1))
    good[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DataCorruptedError):
        decode_entry(bytes(good))


@given(ENTRIES, st.data())
def test_a_cut_entry_shows(entry, data):
    good = encode_entry(*entry)
    with pytest.raises(DataCorruptedError):
        decode_entry(good[: data.draw(st.integers(0, len(good) - 1))])


def test_the_bytes_of_an_entry_are_a_format():
    # format 1 | crc32 | msgpack [1, 2, [7, "a"], nil]
    data = encode_entry(Op.INSERT, 2, (7, "a"), None)
    assert data.hex(" ") == "01 2c 7e 2c 15 94 01 02 92 07 a1 61 c0"


def test_not_a_number_survives():
    (value,) = decode_entry(encode_entry(Op.INSERT, 1, (float("nan"),), None)).row
    assert isnan(value)
