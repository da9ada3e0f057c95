"""Keys that the log's index surely does not have: what lets an INSERT skip asking LevelDB.

Asking takes 2 to 5 µs, the more the fuller its memory table is, and nearly every INSERT is of a new
key. So for each tablet that is being written there is a chain of bloom filters with every key of its
index, some ten bits each, of which most INSERTs need only one look. A tablet whose index is long already
when its first write comes has none, until a trim has shortened it.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from rbloom import Bloom

from storage.ids import TabletId
from storage.keys import index_prefix, successor
from storage.log.hot import HotStore

KNOWN_MAX = 512
"""Index entries that are read to begin a tablet's filter: some 0.2 ms of the committer's time."""

TABLETS_MAX = 4096
"""Tablets with a filter; beyond that all begin anew with the next group."""

_FALSE_POSITIVES = 0.01
_FIRST_KEYS = 1024
_GROWTH = 8
"""Each filter of a chain holds so many times the keys of the one before: seven hold a billion."""


class AbsentKeys:
    """The filters of one store. For the committer's thread.

    It must be told of every entry that is going to be written (`claim` or `wrote`), which is in the store
    when the next group begins. Of deletions it need not know, but learns much by `forget`.
    """

    def __init__(self, store: HotStore) -> None:
        self._store = store
        self._filters: dict[TabletId, _Filter | None] = {}
        self._forgotten: set[TabletId] = set()

    def begin_group(self) -> None:
        """The store has all that was told: a filter may be dropped, and begun from what is there."""
        if len(self._filters) > TABLETS_MAX:
            self._filters.clear()
        for tablet in self._forgotten:
            self._filters.pop(tablet, None)
        self._forgotten.clear()

    def claim(self, tablet: TabletId, key: bytes) -> bool:
        """`wrote`, and whether the index surely had no entry with this key (a whole `index_key`).

        Of what the group itself has written before nothing is said.
        """
        try:
            found = self._filters[tablet]
        except KeyError:
            found = self._begin(tablet)
        if found is None:
            return False
        for bloom in found.blooms:
            if key in bloom:
                return False
        found.add(key)
        return True

    def claim_all(self, tablet: TabletId, keys: Iterable[bytes]) -> set[bytes]:
        """`claim` of many: those that the index may have."""
        try:
            found = self._filters[tablet]
        except KeyError:
            found = self._begin(tablet)
        if found is None:
            return set(keys)
        unsure: set[bytes] = set()
        for key in keys:
            for bloom in found.blooms:
                if key in bloom:
                    unsure.add(key)
                    break
            else:
                found.add(key)
        return unsure

    def wrote(self, tablet: TabletId, key: bytes) -> None:
        """The group writes an entry, or may do so."""
        try:
            found = self._filters[tablet]
        except KeyError:
            found = self._begin(tablet)
        if found is not None:
            found.add(key)

    def forget(self, tablet: TabletId) -> None:
        """The group deletes entries of the tablet: look again what is left, after it."""
        self._forgotten.add(tablet)

    def _begin(self, tablet: TabletId) -> "_Filter | None":
        known = list(islice(self._keys(tablet), KNOWN_MAX + 1))
        found = _Filter(known) if len(known) <= KNOWN_MAX else None
        self._filters[tablet] = found
        return found

    def _keys(self, tablet: TabletId) -> Iterator[bytes]:
        prefix = index_prefix(tablet)
        snapshot = self._store.snapshot()
        try:
            yield from snapshot.scan_keys(prefix, successor(prefix))
        finally:
            snapshot.close()


class _Filter:
    """A set of keys that may say yes to a few that it does not hold, and grows."""

    __slots__ = ("_newest", "_room", "blooms")

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._newest = Bloom(_FIRST_KEYS, _FALSE_POSITIVES)
        self._room = _FIRST_KEYS
        self.blooms = [self._newest]
        for key in keys:
            self.add(key)

    def add(self, key: bytes) -> None:
        if not self._room:
            self._room = _FIRST_KEYS * _GROWTH ** len(self.blooms)
            self._newest = Bloom(self._room, _FALSE_POSITIVES)
            self.blooms.append(self._newest)
        self._newest.add(key)
        self._room -= 1
