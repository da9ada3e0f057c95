"""Hot and cold rows of a tablet as one table: newest version per key, tombstones hide."""

import hashlib
import itertools
import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_pg.engines.request import (
    ArrowResult,
    BatchRef,
    EngineQuery,
    Limits,
    SegmentRef,
    TableInput,
)
from storage.errors import DataCorruptedError, IoError
from storage.keys import encode_key
from tests.kalam_pg.engines.inprocess import InProcess

SCHEMA = pa.schema([("c1", pa.int64()), ("c2", pa.string())])
STORED = pa.schema([*SCHEMA, ("_seq", pa.int64()), ("_deleted", pa.bool_())])
Version = tuple[int, str, int, bool]  # key, value, seq, deleted


def write(
    path: Path, versions: list[Version], schema: pa.Schema = STORED, *, plain: bool = False
) -> SegmentRef:
    """A segment as storage writes it: sorted by key, with its range and hash. plain: as a tiny one."""
    rows = sorted(versions)
    columns = [list(column) for column in zip(*rows, strict=True)]
    full = pa.table(columns, schema=STORED)
    how = {"compression": "none", "use_dictionary": False} if plain else {}
    pq.write_table(full.select(schema.names), path, row_group_size=4, **how)
    return reference(path, [r[0] for r in rows], [r[2] for r in rows])


def reference(path: Path, keys: list[int], seqs: list[int]) -> SegmentRef:
    data = path.read_bytes()
    low, high = (encode_key((k,), ("int",)) for k in (min(keys), max(keys)))
    digest = hashlib.sha256(data).hexdigest()
    return SegmentRef(str(path), len(keys), len(data), digest, low, high, min(seqs), max(seqs))


def ask(table: TableInput, sql: str = 'SELECT c1, c2 FROM "t"') -> list[tuple]:
    async def main() -> list[tuple]:
        stream = await InProcess().run(EngineQuery(sql, (table,), (), ArrowResult()), Limits())
        return [tuple(row.values()) async for batch in stream for row in batch.to_pylist()]

    return trio.run(main)


def overlap(segments: list[SegmentRef]) -> bool:
    ordered = sorted(segments, key=lambda s: s.min_key)
    return any(a.max_key >= b.min_key for a, b in itertools.pairwise(ordered))


def make_input(
    directory: Path, flushed: list[list[Version]], log: list[Version], *, plain: bool = False
) -> TableInput:
    segments = [
        replace(write(directory / f"{i}.parquet", rows, plain=plain), run=i)
        for i, rows in enumerate(flushed)
        if rows
    ]
    newest = {version[0]: version for version in log}
    live = [v for v in newest.values() if not v[3]]
    batch = pa.record_batch([[v[0] for v in live], [v[1] for v in live]], schema=SCHEMA)
    keys = pa.record_batch([pa.array(list(newest), pa.int64())], names=["c1"])
    return TableInput(
        name="t",
        schema=SCHEMA,
        hot=(BatchRef(1, batch),) if live else (),
        segments=tuple(segments),
        key_columns=("c1",),
        superseded=keys if newest else None,
        overlapping=overlap(segments),
        key_kinds=("int",),
    )


CHANGES = st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=40)


@settings(max_examples=60, deadline=None)
@given(CHANGES, st.lists(st.integers(0, 40), max_size=4), st.booleans(), st.booleans())
def test_a_scan_is_a_replay_of_the_changes_in_order(changes, cuts, interleaved, plain):
    versions = [(key, f"v{seq}", seq, deleted) for seq, (key, deleted) in enumerate(changes, 1)]
    model = {v[0]: v for v in versions}
    edges = [0, *sorted(min(c, len(versions)) for c in cuts), len(versions)]
    pieces = [versions[a:b] for a, b in itertools.pairwise(edges)]
    flushed = [list({v[0]: v for v in piece}.values()) for piece in pieces[:-1]]
    if interleaved and len(flushed) >= 2:
        # As compaction may leave them: two files whose commits interleave.
        both = {v[0]: v for piece in flushed[:2] for v in piece}
        rows = sorted(both.values())
        flushed[:2] = [[*rows[::2]], [*rows[1::2], *rows[::4]]]
    with tempfile.TemporaryDirectory() as directory:
        table = make_input(Path(directory), flushed, pieces[-1], plain=plain)
        assert sorted(ask(table)) == sorted((k, v[1]) for k, v in model.items() if not v[3])


def test_a_filter_and_a_count_see_the_same_rows(tmp_path):
    cold = [(k, "old", 1, False) for k in range(100)]
    table = make_input(tmp_path, [cold], [(5, "new", 2, False), (6, "x", 3, True)])
    assert ask(table, "SELECT c2 FROM t WHERE c1 = 5") == [("new",)]
    assert ask(table, "SELECT c2 FROM t WHERE c1 = 6") == []
    assert ask(table, "SELECT count(*) FROM t") == [(99,)]
    assert ask(table, "SELECT c1 FROM t ORDER BY c1 DESC LIMIT 2") == [(99,), (98,)]


@pytest.mark.parametrize("plain", [False, True])
def test_a_column_that_old_segments_lack_reads_as_its_missing_value(tmp_path, plain):
    old = write(tmp_path / "old.parquet", [(1, "a", 1, False)], plain=plain)
    schema = pa.schema(
        [*SCHEMA, ("c3", pa.decimal128(10, 2)), ("c4", pa.string()), ("c5", pa.list_(pa.int32()))]
    )
    table = TableInput(
        "t", schema, segments=(old,), key_columns=("c1",),
        missing={"c3": "1.50", "c4": None, "c5": (1, 2)},
    )  # fmt: skip
    assert ask(table, "SELECT * FROM t") == [(1, "a", Decimal("1.50"), None, [1, 2])]
    assert ask(table, "SELECT c1 FROM t WHERE c3 > 1") == [(1,)]


@pytest.mark.parametrize("plain", [False, True])
def test_a_written_null_stays_null_beside_a_missing_value(tmp_path, plain):
    old = write(tmp_path / "old.parquet", [(1, "a", 1, False)], STORED.remove(1), plain=plain)
    new = write(tmp_path / "new.parquet", [(2, None, 2, False)], plain=plain)  # type: ignore[list-item]
    table = TableInput("t", SCHEMA, segments=(old, new), key_columns=("c1",), missing={"c2": "m"})
    assert sorted(ask(table)) == [(1, "m"), (2, None)]


@pytest.mark.parametrize(
    ("kind", "of", "cold", "hot"),
    [
        ("numeric", pa.string(), "1.50", "1.5"),
        ("float", pa.float64(), 0.0, -0.0),
        ("text", pa.string(), "a", "a"),
        ("uuid", pa.binary(16), b"\1" * 16, b"\1" * 16),
        ("numeric", pa.decimal128(10, 2), Decimal("1.50"), Decimal("1.50")),
        ("int", pa.date32(), 3, 3),
        ("int", pa.timestamp("us"), 5, 5),
        ("bool", pa.bool_(), True, True),
        ("bytes", pa.binary(), b"\0", b"\0"),
    ],
)
def test_a_superseded_key_of_any_type_hides_its_cold_row(tmp_path, kind, of, cold, hot):
    path = tmp_path / "s.parquet"
    columns = {
        "c1": pa.array([cold], of),
        "_seq": pa.array([1], pa.int64()),
        "_deleted": pa.array([False]),
    }
    pq.write_table(pa.table(columns), path)
    table = TableInput(
        name="t",
        schema=pa.schema([("c1", of)]),
        segments=(reference(path, [1], [1]),),
        key_columns=("c1",),
        superseded=pa.record_batch([pa.array([hot], of)], names=["c1"]),
        key_kinds=(kind,),
    )
    assert ask(table, "SELECT count(*) FROM t") == [(0,)]


def test_a_damaged_segment_is_reported_and_not_read(tmp_path):
    segment = write(tmp_path / "s.parquet", [(k, "x" * 50, 1, False) for k in range(50)])
    data = bytearray(Path(segment.path).read_bytes())
    data[100] ^= 1
    Path(segment.path).write_bytes(data)
    table = TableInput("t", SCHEMA, segments=(segment,), key_columns=("c1",))
    with pytest.raises(DataCorruptedError, match="damaged"):
        ask(table)


def test_a_segment_that_is_gone_is_an_io_error(tmp_path):
    segment = write(tmp_path / "s.parquet", [(1, "a", 1, False)])
    Path(segment.path).unlink()
    with pytest.raises(IoError, match="could not read segment"):
        ask(TableInput("t", SCHEMA, segments=(segment,), key_columns=("c1",)))


def test_a_segment_replaced_after_it_was_verified_is_verified_again(tmp_path):
    segment = write(tmp_path / "s.parquet", [(1, "a", 1, False)])
    table = TableInput("t", SCHEMA, segments=(segment,), key_columns=("c1",))

    async def main() -> None:
        engine = InProcess()
        query = EngineQuery("SELECT c1 FROM t", (table,), (), ArrowResult())
        assert [b.num_rows async for b in await engine.run(query, Limits())] == [1]
        write(tmp_path / "s.parquet", [(1, "b", 1, False)])
        with pytest.raises(DataCorruptedError):
            assert [b async for b in await engine.run(query, Limits())]

    trio.run(main)
