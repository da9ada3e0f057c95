"""What equal subscriptions tell of a commit is made once, by the first that comes to it, for all of them.

A thousand clients that follow one SHARED table with one query are told the same objects. Two subscriptions
are equal when their tablet, bound query, parameters, settings and options are; a query whose answer depends
on more than the row (who asks, what time it is) is equal to none.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from kalam_pg.live.commits import Commit
from kalam_pg.live.filter import LiveQuery
from kalam_pg.live.payload import ChangeEncoder
from kalam_pg.pgwire.encode import notification_body

KEPT_CHARACTERS: Final = 128 << 10
"""Of objects that one kind of subscriptions keeps for those of them that have not come to it yet."""

KEPT_COMMITS: Final = 256


class Telling(NamedTuple):
    """What a commit is to subscriptions of one kind, on channels of one name.

    changes: of the commit. objects: how many are told. bodies: of their NotificationResponses, behind the
    number of the process.
    """

    commit: Commit
    channel: str
    objects: int
    bodies: Sequence[bytes]


class Alike:
    """The newest objects that subscriptions of one kind were told, by commit.

    key: what tells that they are of one kind, None for one that is like no other. query: compiled, the
    first one's for all of them.
    """

    __slots__ = ("__weakref__", "_characters", "_made", "_telling", "is_shared", "key", "query")

    def __init__(self, key: Hashable = None) -> None:
        self.key = key
        self.query: LiveQuery | None = None
        self.is_shared = False
        self._telling: Telling | None = None
        self._made: dict[tuple[int, int, int], tuple[str, ...]] = {}
        self._characters = 0

    def told(self, commit: Commit, make: Callable[[Commit], Iterable[str]]) -> tuple[str, ...]:
        """The objects of a commit (or, after a token in its middle, of the rest of it)."""
        if not self.is_shared:
            return tuple(make(commit))
        changes = commit.changes
        key = commit.seq, changes[0].n, len(changes)
        made = self._made.get(key)
        if made is None:
            made = tuple(make(commit))
            self._keep(key, made)
        return made

    def telling(
        self, commit: Commit, channel: str, make: Callable[[Commit], Iterable[str]]
    ) -> Telling:
        """The same, as it is sent: of the newest commit it is kept."""
        newest = self._telling
        if newest is not None and newest.commit is commit and newest.channel == channel:
            return newest
        objects = self.told(commit, make)
        bodies = [notification_body(channel, one) for one in objects]
        made = Telling(commit, channel, len(objects), bodies)
        if self.is_shared:
            self._telling = made if sum(map(len, bodies)) <= KEPT_CHARACTERS else None
        return made

    def _keep(self, key: tuple[int, int, int], made: tuple[str, ...]) -> None:
        kept = self._made
        kept[key] = made
        self._characters += sum(map(len, made))
        while self._characters > KEPT_CHARACTERS or len(kept) > KEPT_COMMITS:
            self._characters -= sum(map(len, kept.pop(next(iter(kept)))))


class Kinds:
    """What is shared by the subscriptions that are open."""

    def __init__(self) -> None:
        self._kinds: WeakValueDictionary[Hashable, Alike] = WeakValueDictionary()
        self._encoders: WeakValueDictionary[Hashable, ChangeEncoder] = WeakValueDictionary()

    def encoder(self, key: Hashable, make: Callable[[], ChangeEncoder]) -> ChangeEncoder:
        """What writes the changes of a query, whosever rows they are; key None: nobody else's."""
        found = None if key is None else self._encoders.get(key)
        if found is None:
            found = make()
            if key is not None:
                self._encoders[key] = found
        return found

    def of(self, key: Hashable) -> Alike:
        """What subscriptions of this key share; None: nobody's but its own."""
        found = None if key is None else self._kinds.get(key)
        if found is not None:
            found.is_shared = True
            return found
        made = Alike(key)
        if key is not None:
            self._kinds[key] = made
        return made
