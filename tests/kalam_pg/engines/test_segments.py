"""A worker verifies what it reads of a segment: the columns of the query, the footer, and no more."""

import os
from pathlib import Path

import pyarrow as pa
import pytest

from kalam_pg.engines.request import SegmentRef
from kalam_pg.engines.segments import SMALL_BYTES, VerifiedSegments
from storage.arrow import to_batch
from storage.cold import keyfilter
from storage.cold.segment import encode_segments
from storage.errors import DataCorruptedError
from storage.layout import Column, Layout

LAYOUT = Layout(
    1,
    (Column(1, "id", "int", pa.int64()), Column(2, "name", "text", pa.string())),
    (0,),
)
KEYS = {"c1", "_seq", "_deleted"}
ROWS = 40_000


def written(path, *, side_file=True):
    rows = [(n, f"name {n * 7919 % 40_009}") for n in range(ROWS)]
    batch = to_batch(rows, LAYOUT, [5] * ROWS, [False] * ROWS)
    (segment,) = encode_segments([batch], LAYOUT)
    file = path / "segment.parquet"
    file.write_bytes(b"".join(segment.pieces))
    facts = segment.facts
    assert facts.size > SMALL_BYTES
    file.with_name("segment.keys").write_bytes(facts.key_filter)
    bounds = (facts.min_key, facts.max_key, facts.min_seq, facts.max_seq)
    reference = SegmentRef(
        *(str(file), ROWS, facts.size, facts.sha256, *bounds),
        key_filter="segment.keys" if side_file else "",
    )
    return reference, keyfilter.decode(facts.key_filter).head.pieces


def flip(segment, at):
    path = Path(segment.path)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("side_file", [True, False])
def test_a_flipped_bit_of_any_piece_is_told_when_it_may_be_read(tmp_path, side_file):
    segment, pieces = written(tmp_path, side_file=side_file)
    assert VerifiedSegments().open(segment, KEYS | {"c2"}).rows == ROWS
    for at in (pieces.ends[1] - 1, pieces.ends[4] - 1, segment.size - 1, segment.size - 600):
        flip(segment, at)
        with pytest.raises(DataCorruptedError, match="is damaged"):
            VerifiedSegments().open(segment, KEYS | {"c2"})
        flip(segment, at)


def test_columns_are_verified_when_they_are_asked_for_first(tmp_path):
    segment, pieces = written(tmp_path)
    flip(segment, pieces.ends[1] - 1)  # of `c2`
    verified = VerifiedSegments()
    assert verified.open(segment, KEYS).rows == ROWS
    for _ in range(2):
        with pytest.raises(DataCorruptedError, match="is damaged"):
            verified.open(segment, {"c2"})
    flip(segment, pieces.ends[1] - 1)
    os.utime(segment.path, ns=(1, 1))
    assert verified.open(segment, {"c2"}).rows == ROWS


def test_without_a_good_side_file_all_of_the_segment_is_verified(tmp_path):
    segment, pieces = written(tmp_path)
    side = tmp_path / "segment.keys"
    data = side.read_bytes()
    flip(segment, pieces.ends[1] - 1)
    for damage in (None, data[:40], data[:20] + bytes([data[20] ^ 1]) + data[21:]):
        side.unlink(missing_ok=True)
        if damage is not None:
            side.write_bytes(damage)
        with pytest.raises(DataCorruptedError, match="is damaged"):
            VerifiedSegments().open(segment, KEYS)
