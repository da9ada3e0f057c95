"""Stores of rows: whatever is put in comes out again, from memory or from the disk."""

from pathlib import Path

import pyarrow as pa
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.types.registry import INT8, TEXT
from kalam_pg.query.portion import ArrowPortion, RowPortion
from kalam_pg.query.row_source import Gathered, RowSource, Stored, Whole
from kalam_pg.query.row_store import MEMORY_BYTES_MAX, Spills
from kalam_pg.query.waits import drive
from storage.errors import DiskFullError
from storage.fs import OsFileSystem, ScratchFile

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.tuples(st.integers(), st.none()),
)
ROWS = st.lists(st.tuples(VALUES, VALUES), max_size=20)


def arrow(rows: list[tuple[int, str]]) -> ArrowPortion:
    columns = [pa.array([r[0] for r in rows], pa.int64()), pa.array([r[1] for r in rows])]
    return ArrowPortion(pa.record_batch(columns, names=["a", "b"]), (INT8, TEXT))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def everything(store, at: int = 0) -> list:
    rows: list = []
    while len(portion := await drive(store.read(at + len(rows), 7))):
        rows += portion.rows()
    return rows


@settings(deadline=None)  # It writes files.
@given(portions=st.lists(ROWS, max_size=8), memory=st.sampled_from([0, 100, MEMORY_BYTES_MAX]))
def test_a_store_gives_back_what_was_added_wherever_it_is_read(tmp_path_factory, portions, memory):
    model = [row for rows in portions for row in rows]

    async def main() -> None:
        store = Spills(OsFileSystem(), tmp_path_factory.getbasetemp() / "spill", memory).store()
        for rows in portions:
            await drive(store.add(RowPortion(rows)))
        assert store.rows == len(model)
        assert await everything(store) == model
        for at in range(len(model), -1, -1):
            found = await drive(store.read(at, 3))
            assert list(found.rows()) == model[at : at + len(found)]
            assert len(found) > 0 or at == len(model)
        store.close()
        store.close()

    trio.run(main)


async def test_rows_of_an_engine_are_kept_as_they_came(tmp_path):
    store = Spills(OsFileSystem(), tmp_path / "spill", 0).store()
    rows = [(n, f"row {n}") for n in range(1000)]
    await drive(store.add(arrow(rows[:600])))
    await drive(store.add(arrow(rows).part(600, 1000)))
    assert await everything(store) == rows
    assert await everything(store, 595) == rows[595:]
    store.close()


async def test_a_store_has_a_file_without_a_name_and_only_when_it_is_large(tmp_path):
    before = open_files()
    store = Spills(OsFileSystem(), tmp_path / "spill").store()
    await drive(store.add(RowPortion([("x" * 1000,)])))
    assert open_files() == before
    for _ in range(3):
        await drive(store.add(RowPortion([("x" * MEMORY_BYTES_MAX,)])))
    assert open_files() == before + 1
    assert list((tmp_path / "spill").iterdir()) == []
    assert len(await everything(store)) == 4
    store.close()
    assert open_files() == before


class FullDisk(OsFileSystem):
    """A disk that has no room left."""

    def open_scratch(self, directory):
        raise DiskFullError("could not access file: No space left on device")


async def test_a_full_disk_is_53100_for_who_needs_room_on_it(tmp_path):
    store = Spills(FullDisk(), tmp_path / "spill").store()
    await drive(store.add(RowPortion([(1,)])))
    with pytest.raises(ExceptionGroup) as caught:
        await drive(store.add(RowPortion([("x" * MEMORY_BYTES_MAX,)])))
    assert caught.group_contains(DiskFullError)
    store.close()


def test_a_scratch_file_that_is_closed_while_it_is_used_closes_afterwards(tmp_path):
    before = open_files()
    file = OsFileSystem().open_scratch(tmp_path)
    assert isinstance(file, ScratchFile)
    assert file.append(b"abc") == 0
    assert file.append(b"def") == 3
    with file._using():
        file.close()
        file.close()
        assert open_files() == before + 1
    assert open_files() == before
    with pytest.raises(Exception, match="closed"):
        file.read(1, 0)


@given(st.lists(ROWS, max_size=5), st.lists(st.integers(1, 9), max_size=30))
def test_a_source_gives_its_rows_once_in_parts_of_any_size(portions, limits):
    class Several(RowSource):
        def next_portion(self):
            return RowPortion(left.pop(0)) if left else None
            yield

    left = list(portions)
    source, model = Several(), [row for rows in portions for row in rows]
    found: list = []

    async def main() -> None:
        for limit in limits:
            portion = await drive(source.take(limit))
            assert len(portion) <= limit
            assert len(portion) or len(found) == len(model)
            found.extend(portion.rows())
        found.extend(await drive(source.every()))

    trio.run(main)
    assert found == model


@pytest.mark.parametrize("count", [0, 1, 500, 501, 5000])
async def test_gathered_rows_are_those_that_were_added(tmp_path, count):
    gathered = Gathered(Spills(OsFileSystem(), tmp_path / "spill"))
    rows = [(n, "x" * 100) for n in range(count)]
    for row in rows:
        await drive(gathered.add(row))
    source = await drive(gathered.source())
    assert isinstance(source, Whole if count <= 500 else Stored)
    assert await drive(source.every()) == rows
    gathered.close()
