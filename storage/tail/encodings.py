"""What readers have made of a tail's rows, such as messages for the wire, to be used again.

A row of a tail never changes, so neither does what is made of it: an entry goes only with the row,
or when there are too many.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import islice

BYTES_MAX = 32 << 20
"""All encodings of one tail."""

_OVERHEAD_BYTES = 170
"""Measured: dict slot, ordinal, and the bytes object's own."""
_SHAPES_MAX = 8


class Encodings:
    """Bytes by shape (what was made, for whom) and the row's ordinal. The oldest made go first."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self.size_bytes = 0
        self._bytes_max = bytes_max
        self._shapes: dict[Hashable, dict[int, bytes]] = {}

    def of(self, shape: Hashable) -> Mapping[int, bytes]:
        """What is there of one shape, by ordinal."""
        found = self._shapes.get(shape)
        if found is None:
            if len(self._shapes) >= _SHAPES_MAX:
                oldest = self._shapes.pop(next(iter(self._shapes)))
                self.size_bytes -= _size(oldest.values())
            found = self._shapes[shape] = {}
        return found

    def put(self, shape: Hashable, ordinals: Sequence[int], made: Sequence[bytes]) -> None:
        """Keep what was made of rows that `of` did not have."""
        known = self.of(shape)
        fresh = {o: data for o, data in zip(ordinals, made, strict=True) if o not in known}
        size = _size(fresh.values())
        if size > self._bytes_max // 4:
            return
        while self.size_bytes + size > self._bytes_max:
            self._make_room()
        self._shapes[shape].update(fresh)
        self.size_bytes += size

    def since(self, first: int) -> None:
        """Rows below ordinal `first` are gone."""
        for shape, found in self._shapes.items():
            self._shapes[shape] = {at: data for at, data in found.items() if at >= first}
        self.size_bytes = sum(_size(found.values()) for found in self._shapes.values())

    def _make_room(self) -> None:
        """Drop the older half of the largest shape: some milliseconds, once in many thousand rows."""
        found = max(self._shapes.values(), key=len)
        oldest = list(islice(found, (len(found) + 1) // 2))
        self.size_bytes -= _size([found.pop(ordinal) for ordinal in oldest])


def _size(made: Collection[bytes]) -> int:
    return sum(map(len, made)) + len(made) * _OVERHEAD_BYTES
