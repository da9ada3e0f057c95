"""What a user leaves in LevelDB's files, beyond what it answers, and how it goes.

A deleted key's bytes stay in LevelDB's tables until a compaction merges the deletion with them, and that
keeps them as long as a view from before may read them. Both may by then have sunk to the lowest level, which
no compaction of theirs rewrites. So: when everything of a user is deleted and no earlier view is left, two
keys are put around each of the user's ranges, and the ranges are compacted: the one table that has the two
overlaps every other that has anything between them, on every level, and they are merged into each other on
the way down. Then the two are deleted (`conformance` of this: the canaries of `tests/wire/test_purge.py`).

The names of tables' first and last keys stay in LevelDB's MANIFEST, and some in its text log, as long as the
log is open: where they are a user's, the log is to be opened again (`Log.renew`).
"""

from pathlib import Path

from storage.fs import FileSystem
from storage.ids import TabletId
from storage.keys import LAST_PLACE, index_key, index_prefix, log_key, meta_key, numbers_key
from storage.log.hot import HotStore, Put

_FIRST_TABLE, _LAST_TABLE = 0, (1 << 32) - 1
_LAST_SEQ = (1 << 64) - 1
_TABLE_BYTES = 4


def surround(user: int) -> list[Put]:
    """Puts before and behind all that the store may have of a user's tablets, in each part of it."""
    first, last = TabletId(user, _FIRST_TABLE), TabletId(user, _LAST_TABLE)
    keys = [
        *(log_key(first, 0, 0), log_key(last, _LAST_SEQ, LAST_PLACE)),
        *(index_key(first, b""), index_key(last, b"\xff")),
        *(meta_key(first), meta_key(last, "\x7f")),
        *(numbers_key(first, 0), numbers_key(last, LAST_PLACE)),
    ]
    return [(key, b"") for key in keys]


def is_named(fs: FileSystem, path: Path, user: int) -> bool:
    """Whether LevelDB's MANIFEST or text log has a key of a user's rows.

    The keys of `surround` do not count, nor those of the log: there is nothing of a row in them.
    """
    prefix = index_prefix(TabletId(user, _FIRST_TABLE))[:-_TABLE_BYTES]
    ours = (prefix + bytes(_TABLE_BYTES), prefix + b"\xff" * _TABLE_BYTES)
    for name in fs.listdir(path):
        if name.startswith("MANIFEST"):
            data = fs.read_bytes(path / name)
            if data.count(prefix) > sum(data.count(one) for one in ours):
                return True
        elif name.startswith("LOG"):
            data = fs.read_bytes(path / name)
            asked = data.count(_escaped(prefix) + b"'")  # Where a range begins that is compacted.
            if data.count(_escaped(prefix)) > asked + sum(
                data.count(_escaped(one)) for one in ours
            ):
                return True
    return False


def forget_text_log(fs: FileSystem, path: Path) -> None:
    """Remove the text log of an earlier opening."""
    if fs.exists(path / "LOG.old"):
        fs.unlink(path / "LOG.old")


def unread_tables(fs: FileSystem, path: Path, store: HotStore) -> set[str]:
    """Tables of before the last compaction that are still there, since somebody reads one of them."""
    there = {name for name in fs.listdir(path) if name.endswith((".ldb", ".sst"))}
    used = {f"{number:06}" for number in store.tables()}
    return {name for name in there if name.partition(".")[0] not in used}


def _escaped(data: bytes) -> bytes:
    """As LevelDB writes bytes into its text log."""
    return b"".join(bytes((b,)) if 0x20 <= b <= 0x7E else b"\\x%02x" % b for b in data)
