"""Manifests: what is read is what was written, or damage."""

from hashlib import sha256
from pathlib import Path

import pytest

from storage.cold.manifest import (
    ColumnStats,
    Manifest,
    Segment,
    decode,
    encode,
    files_of,
    load,
    manifest_name,
)
from storage.errors import DataCorruptedError
from storage.fs import OS
from storage.ids import TabletId
from storage.log.manifest_note import NO_MANIFEST, ManifestNote, unpack_note

TABLET = TabletId(2**64 - 1, 3)
SEGMENT = Segment(
    path="/data/segment-5-ab.parquet",
    rows=10,
    size=3,
    sha256="00" * 32,
    min_seq=5,
    max_seq=2**63 - 1,
    min_key=b"\x00\x01",
    max_key=b"\xff",
    deleted=1,
    superseded=2,
    filter_file="segment-5-ab.keys",
    columns={"c1": ColumnStats(-(2**63), 2**63 - 1, 0), "c2": ColumnStats("a", 'é"', 4)},
)
MANIFEST = Manifest(TABLET, 1, 2, 3, 4, (SEGMENT,))


def write(directory, manifest):
    data = encode(manifest)
    OS.write_new(directory / manifest_name(manifest.version), data)
    return decode(data, directory)


def test_a_manifest_is_json_with_its_format_first_and_reads_back():
    data = encode(MANIFEST)
    assert data.startswith(b'{\n "format": 3,')
    again = decode(data, Path("/data"))
    assert again == MANIFEST
    assert dict(again.segments[0].columns) == dict(SEGMENT.columns)
    assert encode(again) == data


def test_counts_come_from_the_segments():
    assert (MANIFEST.rows, MANIFEST.size, MANIFEST.merging) == (7, 3, True)
    assert Manifest(TABLET).rows == 0
    assert not Manifest(TABLET).merging
    assert files_of([MANIFEST]) == {
        "manifest-0000000001.json",
        "segment-5-ab.parquet",
        "segment-5-ab.keys",
    }


def test_the_newest_version_is_loaded_and_none_is_the_empty_one(tmp_path):
    assert load(OS, tmp_path / "absent", TABLET) == Manifest(TABLET)
    assert load(OS, tmp_path, TABLET) == Manifest(TABLET)
    first = write(tmp_path, Manifest(TABLET, 1, flushed_through=5))
    second = write(tmp_path, Manifest(TABLET, 2, flushed_through=9, previous=first.sha256))
    assert load(OS, tmp_path, TABLET) == second
    OS.unlink(tmp_path / manifest_name(1))
    assert load(OS, tmp_path, TABLET) == second


@pytest.mark.parametrize(
    "bad",
    [
        Manifest(TabletId(1, 3), 2),
        Manifest(TABLET, 3),
        Manifest(TABLET, 2, previous="11" * 32),
        Manifest(TABLET, 2, segments=(SEGMENT,)),
    ],
    ids=["another tablet", "another version", "broken chain", "missing segment"],
)
def test_a_manifest_that_does_not_fit_is_damage(tmp_path, bad):
    first = write(tmp_path, Manifest(TABLET, 1))
    if not bad.previous:
        bad = Manifest(bad.tablet, bad.version, segments=bad.segments, previous=first.sha256)
    OS.write_new(tmp_path / manifest_name(2), encode(bad))
    with pytest.raises(DataCorruptedError):
        load(OS, tmp_path, TABLET)


def test_any_cut_or_newer_format_is_damage():
    data = encode(MANIFEST)
    for end in range(0, len(data), 17):
        with pytest.raises(DataCorruptedError):
            decode(data[:end], Path("/data"))
    with pytest.raises(DataCorruptedError, match="format 9"):
        decode(data.replace(b'"format": 3', b'"format": 9'), Path("/data"))
    with pytest.raises(DataCorruptedError):
        decode(b"[]", Path("/data"))


def test_any_changed_byte_is_damage():
    data = encode(MANIFEST)
    for at in range(len(data)):
        for flipped in (1, 2, 0x20):
            changed = bytearray(data)
            changed[at] ^= flipped
            with pytest.raises(DataCorruptedError):
                decode(bytes(changed), Path("/data"))


def test_a_manifest_of_before_they_had_a_hash_of_their_own_is_read_still():
    lines = encode(MANIFEST).replace(b'"format": 3', b'"format": 1').splitlines()
    old = b"\n".join([*lines[:-3], b" ]", b"}"])
    again = decode(old, Path("/data"))
    assert again == MANIFEST
    assert again.sha256 == sha256(old).hexdigest()


def test_the_newest_manifest_is_the_one_that_the_log_knows_or_the_one_that_follows_it(tmp_path):
    first = write(tmp_path, Manifest(TABLET, 1, flushed_through=5))
    second = write(tmp_path, Manifest(TABLET, 2, flushed_through=9, previous=first.sha256))
    other = decode(encode(Manifest(TABLET, 2, flushed_through=8)), tmp_path)
    third = decode(encode(Manifest(TABLET, 3, previous=second.sha256)), tmp_path)
    for note in (NO_MANIFEST, ManifestNote(5), ManifestNote(9), first.note, second.note):
        assert load(OS, tmp_path, TABLET, note) == second
        assert unpack_note(note.pack()) == note
    for note in (ManifestNote(10), other.note, third.note):
        with pytest.raises(DataCorruptedError, match="lost its newest manifest"):
            load(OS, tmp_path, TABLET, note)
    for note in (first.note, ManifestNote(1)):
        with pytest.raises(DataCorruptedError, match="lost its newest manifest"):
            load(OS, tmp_path / "nothing", TABLET, note)
    assert unpack_note((7).to_bytes(8)) == ManifestNote(7)
    with pytest.raises(DataCorruptedError):
        unpack_note(b"nonsense!")


def test_a_segment_of_another_size_is_damage(tmp_path):
    segment = Segment(
        **{f: getattr(SEGMENT, f) for f in SEGMENT.__slots__} | {"path": str(tmp_path / "s")}
    )
    write(tmp_path, Manifest(TABLET, 1, segments=(segment,)))
    (tmp_path / "s").write_bytes(b"four")
    with pytest.raises(DataCorruptedError, match="another size"):
        load(OS, tmp_path, TABLET)
    (tmp_path / "s").write_bytes(b"333")
    assert load(OS, tmp_path, TABLET).segments == (segment,)
