"""Segments are read piece by piece, each checked: what is not read is not hashed, and damage is told."""

import errno
import io
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.arrow import to_batch
from storage.check import check_manifest
from storage.cold import keyfilter, new_run
from storage.cold.checked import (
    CheckedFile,
    PieceDamagedError,
    Pieces,
    check_columns,
    damaged_piece,
)
from storage.cold.flush import flush
from storage.cold.key_read import find
from storage.cold.keyfilter import read_head
from storage.cold.point_read import SegmentReader, forget_file
from storage.cold.segment import encode_segments
from storage.errors import DataCorruptedError, IoError
from storage.fs import OS
from storage.keys import encode_key
from storage.layout import Column, Layout
from storage.log.log_entry import Op
from storage.tablet import Tablet
from tests.storage.fake_log import TABLET, FakeEngine, Write

LAYOUT = Layout(
    1,
    (
        Column(1, "id", "int", pa.int64()),
        Column(2, "name", "text", pa.string()),
        Column(3, "tags", "none", pa.list_(pa.int32())),
    ),
    (0,),
)
ROWS = 700


@pytest.fixture(autouse=True)
def filters_have_files(monkeypatch):
    """Those of few keys have none otherwise."""
    monkeypatch.setattr(new_run, "INLINE_BYTES", 0)


def encoded():
    """A segment of several row groups with a nested column: its bytes and its side file."""
    rows = [(n, f"name {n * 7919}" * 5, (n, n + 1)) for n in range(ROWS)]
    batch = to_batch(rows, LAYOUT, [5] * ROWS, [False] * ROWS)
    (segment,) = encode_segments([batch], LAYOUT, group_rows=200)
    return b"".join(segment.pieces), segment.facts


DATA, FACTS = encoded()
HEAD = read_head(io.BytesIO(FACTS.key_filter))
PIECES = HEAD.pieces


def opened(data=DATA):
    return CheckedFile(io.BytesIO(data), PIECES)


def flipped(at, data=DATA):
    damaged = bytearray(data)
    damaged[at] ^= 4
    return bytes(damaged)


def test_every_byte_of_a_segment_is_in_one_piece():
    chunks = 4 * 5
    assert (len(PIECES.ends), PIECES.size) == (chunks + 1, len(DATA))
    starts = (0, *PIECES.ends)
    crcs = [zlib.crc32(DATA[a:b]) for a, b in zip(starts, PIECES.ends, strict=False)]
    assert tuple(crcs) == PIECES.crcs
    assert not damaged_piece(io.BytesIO(DATA), PIECES)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(DATA)), st.integers(-1, len(DATA)), st.integers(1, 50))
def test_what_is_read_is_what_is_there(at, size, parts):
    data = DATA[: PIECES.size]
    ends = sorted({n * len(data) // parts for n in range(1, parts)} | {len(data)})
    starts = (0, *ends)
    pieces = Pieces(
        tuple(ends), tuple(zlib.crc32(data[a:b]) for a, b in zip(starts, ends, strict=False))
    )
    file, plain = CheckedFile(io.BytesIO(data), pieces), io.BytesIO(data)
    assert (file.seek(at), file.read(size)) == (plain.seek(at), plain.read(size))
    assert file.tell() == plain.tell()
    assert file.seek(-min(9, len(data)), io.SEEK_END) == plain.seek(-min(9, len(data)), 2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(DATA) - 1))
def test_one_flipped_bit_anywhere_is_told_by_the_piece_that_has_it_and_no_other(at):
    data = flipped(at)
    number, start, end = PIECES.piece(at)
    file = opened(data)
    file.seek(start)
    with pytest.raises(PieceDamagedError):
        file.read(1)
    for other, last in enumerate(PIECES.ends):
        if other != number:
            file.seek(last - 1)
            assert file.read(1) == data[last - 1 : last]
    assert start <= at < end
    assert damaged_piece(io.BytesIO(data), PIECES)


def test_damage_in_columns_that_are_not_read_is_not_looked_for():
    footer = pq.read_metadata(pa.BufferReader(DATA))
    names = [footer.schema.column(at).path.split(".")[0] for at in range(footer.num_columns)]
    for number, name in enumerate(names):
        data = flipped(PIECES.ends[footer.num_columns + number] - 3)
        others = [one for one in dict.fromkeys(names) if one != name]
        check_columns(io.BytesIO(data), PIECES, footer, others)
        for asked in ([name], None):
            with pytest.raises(PieceDamagedError):
                check_columns(io.BytesIO(data), PIECES, footer, asked)


class Counting:
    """A file system that counts the bytes that are read."""

    def __init__(self):
        self.bytes = 0

    def __getattr__(self, name):
        return getattr(OS, name)

    def open_read(self, path):
        stream = OS.open_read(path)
        counting = self

        class Stream(io.RawIOBase):
            def read(self, size=-1):
                data = stream.read(size)
                counting.bytes += len(data)
                return data

            def seek(self, at, whence=0):
                return stream.seek(at, whence)

            def close(self):
                stream.close()

        return Stream()


def big_tablet(path, rows=40_000):
    engine = FakeEngine(OS)
    layout = Layout(1, LAYOUT.columns[:2], (0,))
    tablet = Tablet(TABLET, layout, fs=OS, directory=path / "cold", current=engine.acquire)
    engine.tablet = tablet
    rows = [(n, f"name {n * 7919}") for n in range(rows)]
    writes = [Write(Op.INSERT, tablet.key_of(row), row, None) for row in rows]
    engine.commit(*writes)
    flush(engine, tablet)
    (segment,) = tablet.manifest.segments
    return tablet, segment, path / "cold" / segment.file


def test_the_first_read_of_a_segment_reads_only_what_it_needs(tmp_path):
    _, segment, path = big_tablet(tmp_path)
    forget_file(path)
    fs = Counting()
    reader = SegmentReader(fs, segment, TABLET)
    footer = reader.read_footer()
    assert reader.read_group(2, footer, ["_seq"]).num_rows == 40_000 - 2 * 16384
    assert fs.bytes < segment.size / 4


class Refusing:
    """A file system whose disk refuses to read from the n-th read on."""

    def __init__(self, reads):
        self.reads = reads

    def __getattr__(self, name):
        return getattr(OS, name)

    def open_read(self, path):
        stream = OS.open_read(path)
        refusing = self

        class Stream(io.RawIOBase):
            def read(self, size=-1):
                if not refusing.reads:
                    raise OSError(errno.EIO, "Input/output error")
                refusing.reads -= 1
                return stream.read(size)

            def seek(self, at, whence=0):
                return stream.seek(at, whence)

            def close(self):
                stream.close()

        return Stream()


@pytest.mark.parametrize("reads", range(4))
def test_a_disk_that_refuses_to_read_is_told_as_that_and_not_as_damage(tmp_path, reads):
    _, segment, _ = big_tablet(tmp_path, 20_000)
    reader = SegmentReader(Refusing(reads), segment, TABLET)
    with pytest.raises(IoError) as caught:
        reader.read_group(1, reader.read_footer(), ["c1", "c2"])
    assert caught.value.sqlstate == "58030"
    reader = SegmentReader(Refusing(reads + 100), segment, TABLET)
    assert reader.read_group(1, reader.read_footer(), ["c1", "c2"]).num_rows == 20_000 - 16384


def test_check_tells_a_side_file_that_is_not_the_segments(tmp_path):
    tablet, segment, path = big_tablet(tmp_path, 100)
    side = path.with_name(segment.filter_file)
    good = keyfilter.decode(side.read_bytes())

    def problems():
        with tablet._current() as view:
            return [str(p) for p in check_manifest(OS, path.parent, TABLET, view)]

    assert problems() == []
    pieces = good.head.pieces
    wrong = Pieces(pieces.ends, tuple(crc ^ 1 for crc in pieces.crcs))
    head = keyfilter.Head(good.head.group_rows, good.head.first_keys, wrong, segment.sha256)
    side.write_bytes(keyfilter.encode(keyfilter.KeyFilter(good.bloom, head)))
    assert "not what its key filter says" in problems()[0]
    head = keyfilter.Head(good.head.group_rows, good.head.first_keys, pieces, "ab" * 32)
    side.write_bytes(keyfilter.encode(keyfilter.KeyFilter(good.bloom, head)))
    assert "the key filter of another" in problems()[0]
    with pytest.raises(DataCorruptedError, match="tablet 7/3"):
        find(SegmentReader(OS, segment, TABLET), encode_key([4], ["int"]), tablet.layout)


def test_side_files_of_the_first_format_are_read_and_their_segments_hashed(tmp_path):
    tablet, segment, path = big_tablet(tmp_path, 100)
    side = path.with_name(segment.filter_file)
    good = keyfilter.decode(side.read_bytes())
    body = keyfilter._encode_msgpack(
        (good.bloom.save_bytes(), good.head.group_rows, good.head.first_keys)
    )
    side.write_bytes(b"\x01" + zlib.crc32(body).to_bytes(4, "big") + body)
    assert find(SegmentReader(OS, segment, TABLET), encode_key([4], ["int"]), tablet.layout)
    forget_file(path)
    data = path.read_bytes()
    path.write_bytes(flipped(len(data) // 2, data))
    with pytest.raises(DataCorruptedError, match="is not what was written"):
        SegmentReader(OS, segment, TABLET).read_footer()
    assert Path(side).exists()
