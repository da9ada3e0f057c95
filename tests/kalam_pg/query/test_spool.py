"""What a COPY sends is kept, whatever becomes of the file that it is kept in."""

import pytest
import trio

from catalog.errors import ConfigurationLimitExceededError
from kalam_pg.query.row_store import FILES_MAX, Spills
from kalam_pg.query.spool import HELD_BYTES, Spool
from kalam_pg.query.waits import drive
from storage.errors import DiskFullError
from storage.fs import OsFileSystem


async def whole(spool):
    """All of it, read as it is put row by row."""
    found = b""
    while len(found) < spool.size:
        found += await drive(spool.read(len(found)))
    assert not await drive(spool.read(len(found)))
    return found


def piece(letter):
    return letter * (HELD_BYTES - 1) + b"\n"


def test_a_little_is_in_memory_and_the_others_in_a_file(tmp_path):
    async def main():
        spills = Spills(OsFileSystem(), tmp_path)
        spool = Spool(spills)
        for data in (b"a\n", piece(b"b"), b"c\n", piece(b"d"), b"e"):
            await drive(spool.add(data))
        expected = b"a\n" + piece(b"b") + b"c\n" + piece(b"d") + b"e"
        assert await whole(spool) == expected
        await drive(spool.write())
        assert b"".join(spool.pieces()) == await whole(spool) == expected
        assert (spool.lines, spills.open) == (5, 1), "the last has no end"
        spool.close()
        spool.close()
        assert (spills.open, list(tmp_path.iterdir())) == (0, [])

    trio.run(main)


def test_where_there_is_no_file_nothing_is_lost(tmp_path):
    async def main():
        spills = Spills(OsFileSystem(), tmp_path)
        spills.open = FILES_MAX
        spool = Spool(spills)
        with pytest.RaisesGroup(ConfigurationLimitExceededError):
            await drive(spool.add(piece(b"a")))
        assert await whole(spool) == piece(b"a")
        spool.close()
        assert spills.open == FILES_MAX

    trio.run(main)


def test_where_the_disk_is_full_nothing_is_lost(tmp_path, monkeypatch):
    async def main():
        spills = Spills(OsFileSystem(), tmp_path)
        spool = Spool(spills)
        await drive(spool.add(piece(b"a")))

        def refuse(_data):
            raise DiskFullError("could not write: No space left on device")

        monkeypatch.setattr(spool, "_append", refuse)
        with pytest.RaisesGroup(DiskFullError):
            await drive(spool.add(piece(b"b")))
        assert await whole(spool) == piece(b"a") + piece(b"b")
        spool.close()
        assert spills.open == 0

    trio.run(main)
