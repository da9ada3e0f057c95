"""What was read and decoded of segments lately, in memory: one bounded store for the process."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any


class Decoded:
    """Things made of files, by path and what they are of it; the least lately used go first.

    Safe in several threads. What is kept is never changed.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, Hashable], tuple[Any, int]] = OrderedDict()
        self._parts: dict[
            str, set[Hashable]
        ] = {}  # By path: many files go when a table is dropped.
        self._bytes = 0

    def get(self, path: str, part: Hashable) -> Any:  # noqa: ANN401 -- whatever was put
        """What is kept of a part of a file, None when nothing is."""
        with self._lock:
            found = self._kept.get((path, part))
            if found is None:
                return None
            self._kept.move_to_end((path, part))
            return found[0]

    def has(self, path: str) -> bool:
        """Whether anything is kept of a file."""
        return path in self._parts

    def put(self, path: str, part: Hashable, value: object, size: int) -> None:
        """Keep a value of `size` bytes, unless another thread was first."""
        with self._lock:
            if (path, part) not in self._kept:
                self._put(path, part, value, size)

    def replace(self, path: str, part: Hashable, value: object, size: int) -> None:
        """Keep a value in the place of what was there."""
        with self._lock:
            if (path, part) in self._kept:
                self._drop(path, part)
            self._put(path, part, value, size)

    def forget_parts(self, path: str, first: tuple[Hashable, ...]) -> None:
        """Drop what is kept of the parts of a file that are tuples which begin so."""
        with self._lock:
            for part in tuple(self._parts.get(path, ())):
                if isinstance(part, tuple) and part[: len(first)] == first:
                    self._drop(path, part)

    def forget(self, path: str) -> None:
        """The file was removed."""
        with self._lock:
            for part in tuple(self._parts.get(path, ())):
                self._drop(path, part)

    def _put(self, path: str, part: Hashable, value: object, size: int) -> None:
        self._kept[path, part] = value, size
        self._parts.setdefault(path, set()).add(part)
        self._bytes += size
        while self._bytes > self._bytes_max:
            self._drop(*next(iter(self._kept)))

    def _drop(self, path: str, part: Hashable) -> None:
        self._bytes -= self._kept.pop((path, part))[1]
        parts = self._parts[path]
        parts.remove(part)
        if not parts:
            del self._parts[path]


DECODED = Decoded(128 << 20)
"""One for the process: two columns of 4 M rows and 40 whole row groups of messages."""
