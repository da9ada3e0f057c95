"""What readers have made of rows, such as messages for the wire, to be used again.

`Encodings` is of a tail's rows, by ordinal: such a row never changes, so neither does what is made of it.
`SentRows` is of a tablet's rows as they are now, by key: a write of the key takes it away.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar

BYTES_MAX = 32 << 20
"""All encodings of one tail, and of one tablet's rows by key."""

_OVERHEAD_BYTES = 170
"""Measured: dict slot, ordinal, and the bytes object's own."""
_KEY_OVERHEAD_BYTES = 120
"""The same of an entry by key, whose own bytes are counted."""
_SHAPES_MAX = 24
"""Messages of some forms, and columns of numbers."""

K = TypeVar("K", int, bytes)


class _Kept(Generic[K]):
    """Bytes by shape (what was made, for whom) and row. The oldest made go first."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self.size_bytes = 0
        self.shapes: dict[Hashable, dict[K, bytes]] = {}
        """To be looked into; `put` and its like write."""
        self._bytes_max = bytes_max

    def of(self, shape: Hashable) -> Mapping[K, bytes]:
        """What is there of one shape, by row."""
        return self._of(shape)

    def clear(self) -> None:
        """Forget everything."""
        self.shapes.clear()
        self.size_bytes = 0

    def _of(self, shape: Hashable) -> dict[K, bytes]:
        found = self.shapes.get(shape)
        if found is None:
            if len(self.shapes) >= _SHAPES_MAX:
                oldest = self.shapes.pop(next(iter(self.shapes)))
                self.size_bytes -= self._size(oldest, oldest.values())
            found = self.shapes[shape] = {}
        return found

    def _room_for(self, size: int) -> bool:
        """Whether so much may be kept; there is room for it then."""
        if size > self._bytes_max // 4:
            return False
        while self.size_bytes + size > self._bytes_max:
            self._make_room()
        return True

    def _make_room(self) -> None:
        """Drop the older half of the largest shape: some milliseconds, once in many thousand rows."""
        found = max(self.shapes.values(), key=len)
        oldest = list(islice(found, (len(found) + 1) // 2))
        self.size_bytes -= self._size(oldest, [found.pop(row) for row in oldest])

    def _size(self, rows: Collection[K], made: Collection[bytes]) -> int:
        raise NotImplementedError


class Encodings(_Kept[int]):
    """What was made of a tail's rows, by ordinal: it goes with the row, or when there is too much."""

    def put(self, shape: Hashable, ordinals: Sequence[int], made: Sequence[bytes]) -> None:
        """Keep what was made of rows that `of` did not have."""
        known = self._of(shape)
        fresh = {o: data for o, data in zip(ordinals, made, strict=True) if o not in known}
        size = self._size(fresh, fresh.values())
        if self._room_for(size):
            self.shapes[shape].update(fresh)
            self.size_bytes += size

    def since(self, first: int) -> None:
        """Rows below ordinal `first` are gone."""
        for shape, found in self.shapes.items():
            self.shapes[shape] = {at: data for at, data in found.items() if at >= first}
        self.size_bytes = sum(self._size(found, found.values()) for found in self.shapes.values())

    def _size(self, rows: Collection[int], made: Collection[bytes]) -> int:
        return sum(map(len, made)) + len(rows) * _OVERHEAD_BYTES


class SentRows(_Kept[bytes]):
    """What was made of rows of a tablet as the newest commit left them, by their encoded keys.

    To be read by who sees the newest commit and nothing else.
    """

    def put(self, shape: Hashable, key: bytes, made: bytes) -> None:
        """Keep what was made of a row that is there now."""
        found = self._of(shape)
        size = len(made) + len(key) + _KEY_OVERHEAD_BYTES
        if key not in found and self._room_for(size):
            found[key] = made
            self.size_bytes += size

    def written(self, key: bytes) -> None:
        """The row of a key is another one now, or gone."""
        for found in self.shapes.values():
            made = found.pop(key, None)
            if made is not None:
                self.size_bytes -= len(made) + len(key) + _KEY_OVERHEAD_BYTES

    def _size(self, rows: Collection[bytes], made: Collection[bytes]) -> int:
        return sum(map(len, made)) + sum(map(len, rows)) + len(rows) * _KEY_OVERHEAD_BYTES
