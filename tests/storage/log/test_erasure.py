"""What is erased is in none of LevelDB's files, whatever its life was."""

import random
from contextlib import suppress

import pytest

from storage.fs import OS
from storage.ids import TabletId
from storage.keys import index_key, log_key, user_ranges
from storage.log.erasure import forget_text_log, is_named, surround, unread_tables
from storage.log.hot import HotOptions, HotStore

SMALL = HotOptions(write_buffer_bytes=1 << 16, cache_bytes=1 << 20)
ALICE, BOB = 7_000_000_000_000_001, 7_000_000_000_000_002


def filled(path, number):
    """A store with rows of two users in turns, in many tables on several levels; alice's say `canary`."""
    store = HotStore(OS, path, create=True, options=SMALL)
    rng = random.Random(number)
    held = []
    for seq in range(3000):
        user = rng.choice((ALICE, BOB))
        tablet = TabletId(user, rng.randrange(1, 4))
        key = b"canary key %d" % rng.randrange(400) if user == ALICE else b"key %d" % seq
        value = (b"canary %d " % seq if user == ALICE else b"bob ") * 20
        store.write(
            [(log_key(tablet, seq, 0), value), (index_key(tablet, key), value[:20])], sync=False
        )
        if rng.random() < 0.2:
            store.write([(index_key(tablet, key), None)], sync=False)
        if seq % 700 == 699:
            held.append(store.snapshot())
            store.compact(b"", b"\xff")
    return store, held


def erase(store, path):
    snapshot = store.snapshot()
    keys = [key for start, stop in user_ranges(ALICE) for key in snapshot.scan_keys(start, stop)]
    snapshot.close()
    store.write([(key, None) for key in keys], sync=True)
    around = surround(ALICE)
    for puts in (around, [(key, None) for key, _ in around]):
        store.write(puts, sync=True)
        for start, stop in user_ranges(ALICE):
            store.compact(start, stop)
    return unread_tables(OS, path, store)


def canaries(path):
    """Files that have one. LevelDB may remove files meanwhile."""
    found = []
    for file in sorted(path.iterdir()):
        with suppress(FileNotFoundError):
            if b"canary" in file.read_bytes():
                found.append(file.name)
    return found


@pytest.mark.parametrize("number", range(4))
def test_nothing_is_left_when_nobody_reads(tmp_path, number):
    store, held = filled(tmp_path, number)
    assert canaries(tmp_path)
    for snapshot in held:
        snapshot.close()
    assert erase(store, tmp_path) == set()
    tables = [name for name in canaries(tmp_path) if name.endswith((".ldb", ".log"))]
    assert tables == []
    assert is_named(OS, tmp_path, ALICE)  # In the names of tables' first and last keys.
    store.close()
    again = HotStore(OS, tmp_path, create=False, options=SMALL)
    forget_text_log(OS, tmp_path)
    assert not is_named(OS, tmp_path, ALICE)
    assert canaries(tmp_path) == []
    snapshot = again.snapshot()
    assert all(not list(snapshot.scan_keys(*one)) for one in user_ranges(ALICE))
    assert sum(1 for one in user_ranges(BOB) for _ in snapshot.scan_keys(*one)) > 1000
    snapshot.close()
    again.close()


def test_what_a_snapshot_kept_through_a_compaction_goes_after_it(tmp_path):
    """A compaction of everything alone leaves it: value and deletion lie on the lowest level together."""
    store, held = filled(tmp_path, 9)
    erase(store, tmp_path)
    assert canaries(tmp_path)
    for snapshot in held:
        snapshot.close()
    store.compact(b"", b"\xff")
    assert [name for name in canaries(tmp_path) if name.endswith(".ldb")]
    erase(store, tmp_path)
    assert [name for name in canaries(tmp_path) if name.endswith((".ldb", ".log"))] == []
    store.close()


def test_a_table_that_somebody_reads_is_told(tmp_path):
    store, held = filled(tmp_path, 5)
    for snapshot in held:
        snapshot.close()
    snapshot = store.snapshot()
    reader = snapshot.scan(*user_ranges(BOB)[0])
    next(reader)
    snapshot.close()
    assert erase(store, tmp_path)
    reader.close()
    assert erase(store, tmp_path) == set()
    store.close()
