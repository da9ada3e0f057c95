"""Key filters never miss a key, rarely fire for another, and are the same in every process."""

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.cold.keyfilter import build, decode, encode
from storage.errors import DataCorruptedError


@given(st.sets(st.binary(max_size=12), max_size=50), st.integers(1, 7))
def test_no_key_is_missed_and_its_row_group_is_known(keys, group_rows):
    ordered = sorted(keys)
    key_filter = decode(encode(build(ordered, group_rows)))
    for number, key in enumerate(ordered):
        assert key_filter.may_hold(key)
        assert key_filter.row_group(key) == number // group_rows
    if ordered:
        assert key_filter.row_group(ordered[0][:-1]) in {-1, 0}


def test_about_one_absent_key_in_a_hundred_passes():
    key_filter = build([b"%06d" % n for n in range(10_000)], 1000)
    assert sum(key_filter.may_hold(b"x%06d" % n) for n in range(10_000)) < 200


def test_another_process_reads_the_same_filter():
    data = encode(build([b"alpha", b"beta"], 10))
    program = (
        "import sys; from storage.cold.keyfilter import decode; f = decode(sys.stdin.buffer.read());"
        "print(f.may_hold(b'alpha'), f.may_hold(b'beta'), f.may_hold(b'gamma'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=data, capture_output=True, check=True
    )
    assert done.stdout.split() == [b"True", b"True", b"False"]


@given(st.binary(max_size=30))
@example(b"")
@example(b"\x01\0\0\0\0")  # An empty body has this checksum.
@example(b"\x02\0\0\0\0\0\0\0\0")
def test_garbage_is_damage_and_nothing_else(data):
    with pytest.raises(DataCorruptedError):
        decode(data)
