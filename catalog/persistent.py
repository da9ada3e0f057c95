"""Maps of which copies are cheap: a catalogue has one for each kind, and every definition makes others.

A fork shares what is below with the map it was made of, and has a copy of the little that lies over that.
When that is no longer little it becomes a map of its own: over many forks each costs about the square root of
what there is, where a copied dictionary costs all of it.
"""

from collections.abc import ItemsView, Iterator, Mapping, MutableMapping, ValuesView
from typing import Final, TypeVar, overload

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

_OVER_MIN: Final = 32
"""So many changes are copied in less time than it takes to notice."""

_ABSENT: Final = object()


class PersistentMap(MutableMapping[K, V]):
    """A map of values that are never None, in the order of a dictionary, but for a key that comes again.

    Whoever shares one changes it no more, and changes a `fork` of it: any thread may read it then.
    """

    __slots__ = ("_below", "_count", "_over")

    def __init__(self, items: Mapping[K, V] | None = None) -> None:
        """items: what it begins with; they are copied."""
        self._below: dict[K, V] = {} if items is None else dict(items)
        self._over: dict[K, V | None] = {}  # None: it is below, and no more.
        self._count = len(self._below)

    def fork(self) -> "PersistentMap[K, V]":
        """Another one with the same content."""
        made: PersistentMap[K, V] = PersistentMap.__new__(PersistentMap)
        if len(self._over) > _OVER_MIN and len(self._over) ** 2 > 4 * len(self._below):
            made._below, made._over = self._whole(), {}
        else:
            made._below, made._over = self._below, self._over.copy()
        made._count = self._count
        return made

    def __getitem__(self, key: K) -> V:
        found = self._over.get(key, _ABSENT)
        if found is _ABSENT:
            return self._below[key]
        if found is None:
            raise KeyError(key)
        return found  # type: ignore[return-value]  # the mark is none of them

    @overload
    def get(self, key: K, /) -> V | None: ...

    @overload
    def get(self, key: K, /, default: V | T) -> V | T: ...

    def get(self, key: K, /, default: V | T | None = None) -> V | T | None:
        """As of a dictionary; the mixin's would raise and catch."""
        found = self._over.get(key, _ABSENT)
        if found is _ABSENT:
            return self._below.get(key, default)
        return default if found is None else found  # type: ignore[return-value]  # as above

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None  # type: ignore[arg-type]  # any object may be asked for

    def __setitem__(self, key: K, value: V) -> None:
        if key not in self:
            self._count += 1
        self._over[key] = value

    def __delitem__(self, key: K) -> None:
        if key not in self:
            raise KeyError(key)
        self._count -= 1
        if key in self._below:
            self._over[key] = None
        else:
            del self._over[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._whole())

    def __len__(self) -> int:
        return self._count

    def values(self) -> ValuesView[V]:
        """As of a dictionary; the mixin's would look for each."""
        return self._whole().values()

    def items(self) -> ItemsView[K, V]:
        """The same."""
        return self._whole().items()

    def _whole(self) -> dict[K, V]:
        """Everything, as one dictionary."""
        if not self._over:
            return self._below
        whole = self._below | self._over
        return {key: value for key, value in whole.items() if value is not None}


def forked(items: Mapping[K, V]) -> PersistentMap[K, V]:
    """A map with the content of any other, to be changed."""
    return items.fork() if isinstance(items, PersistentMap) else PersistentMap(items)


def differing(one: Mapping[K, V], other: Mapping[K, V]) -> Iterator[K]:
    """The keys at which two maps may differ: few, where one is a fork of the other, not far away."""
    if (
        isinstance(one, PersistentMap)
        and isinstance(other, PersistentMap)
        and one._below is other._below  # noqa: SLF001 -- both of this class
    ):
        return iter({**one._over, **other._over})  # noqa: SLF001
    return iter({**one, **other})
