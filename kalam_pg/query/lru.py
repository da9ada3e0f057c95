"""What was used lately of texts and what was made of them, bounded by about what it holds in memory."""

import re
from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_LITERAL = re.compile(r"'[^']*'")


def cost(text: str) -> int:
    """About the bytes of a text's tree, and as many of its plan.

    Both together were measured at 150 (a long CASE) to 310 (arithmetic) for each character that is in no
    literal; those are kept as they are.
    """
    code = len(_LITERAL.sub("", text))
    return 2048 + 150 * code + len(text)


class _Kept(Generic[V]):
    """An entry of a cache. used: the period in which it was used last."""

    __slots__ = ("cost", "used", "value")

    def __init__(self, value: V, cost: int, used: int) -> None:
        self.value = value
        self.cost = cost
        self.used = used


class Lru(Generic[K, V]):
    """The newest-used entries: at most `size`, and together not worth more than `cost_max`."""

    def __init__(self, size: int, cost_max: int) -> None:
        self._entries: OrderedDict[K, _Kept[V]] = OrderedDict()
        self._size = size
        self._cost_max = cost_max
        self._period = 0
        self._lock = Lock()
        """Long texts are read, and planned, in threads."""
        self.cost = 0

    def get(self, key: K) -> V | None:
        """The entry, now the newest."""
        with self._lock:
            kept = self._entries.get(key)
            if kept is None:
                return None
            self._entries.move_to_end(key)
            kept.used = self._period
            return kept.value

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def put(self, key: K, value: V, cost: int) -> None:
        """Add an entry; the oldest fall out."""
        with self._lock:
            before = self._entries.get(key)
            self.cost += cost - (0 if before is None else before.cost)
            self._entries[key] = _Kept(value, cost, self._period)
            while len(self._entries) > self._size or self.cost > self._cost_max:
                self._forget_oldest()

    def next_period(self) -> None:
        """What is used from here on is used later than all before."""
        self._period += 1

    def forget_unused(self, most: int, cost_kept: int) -> bool:
        """Forget up to `most` entries that were used neither in this period nor in the one before.

        As far as all are worth more than `cost_kept`. Whether there may be more.
        """
        with self._lock:
            for _ in range(most):
                if self.cost <= cost_kept:
                    return False
                oldest = next(iter(self._entries.values()))
                if oldest.used >= self._period - 1:
                    return False
                self._forget_oldest()
        return True

    def _forget_oldest(self) -> None:
        _, oldest = self._entries.popitem(last=False)
        self.cost -= oldest.cost
