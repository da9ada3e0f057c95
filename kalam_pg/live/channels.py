"""LISTEN and NOTIFY: who listens on which channel of which user, and what has come for them.

PostgreSQL's semantics with one difference: a channel belongs to a *user context*, so two users' channels
of one name are two channels. A name that begins with `*:` is one channel for everybody (an announcement).
A notification costs O(listeners of its channel); who listens elsewhere costs nothing.

A transaction gathers what it asks for (`Pending`); nothing of it counts before it is committed. Nothing
here waits or sends: a `Listener` keeps what came until its session takes it, `bytes_max` at most.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from catalog.errors import InvalidParameterValueError
from kalam_pg.failures import report
from kalam_pg.live.subscription import Subscription
from storage.ids import NO_USER

PAYLOAD_BYTES: Final = 8000
"""A payload is shorter than this (PostgreSQL's NOTIFY_PAYLOAD_MAX_LENGTH)."""

NAME_BYTES: Final = 64
"""The name of a channel is shorter than this (PostgreSQL's NAMEDATALEN)."""

QUEUE_BYTES_MAX: Final = 8 << 20
"""What may wait for one session. PostgreSQL keeps 8 GB for all of them, and then refuses NOTIFY; here a
session that does not read is ended, so that it costs nobody else anything."""

ANNOUNCED: Final = "*:"
"""How the names of everybody's channels begin."""

OVERHEAD_BYTES: Final = 128
"""Bytes that keeping a notification takes beside its texts."""


class Notification(msgspec.Struct, frozen=True, gc=False):
    """What a listener is told. process_id: of the session that sent it."""

    process_id: int
    channel: str
    payload: str

    @property
    def size(self) -> int:
        """About how many bytes it takes to keep."""
        return len(self.channel) + len(self.payload) + OVERHEAD_BYTES


class Asked(msgspec.Struct, frozen=True, gc=False):
    """LISTEN (`listen`) or UNLISTEN of a channel of a context; channel None: UNLISTEN *."""

    listen: bool
    context: int
    channel: str | None


Mark = tuple[int, int]
"""How much a transaction had asked for at a savepoint."""


def check(channel: str, payload: str) -> None:
    """Raise as PostgreSQL's pg_notify for what cannot be sent."""
    if not channel:
        raise InvalidParameterValueError("channel name cannot be empty")
    if len(channel.encode()) >= NAME_BYTES:
        raise InvalidParameterValueError("channel name too long")
    if len(payload) * 4 >= PAYLOAD_BYTES and len(payload.encode()) >= PAYLOAD_BYTES:
        raise InvalidParameterValueError("payload string too long")


def context_of(channel: str, user: int) -> int:
    """Whose channel a name is when `user` says it."""
    return NO_USER if channel.startswith(ANNOUNCED) else user


class Pending:
    """What one transaction has asked of channels, in its order; the same NOTIFY counts once.

    asked: LISTEN and UNLISTEN, and the streams that it has opened: the end of the transaction sets them
    going, or ends them.
    """

    __slots__ = ("asked", "notified")

    def __init__(self) -> None:
        self.notified: dict[tuple[int, str, str], None] = {}
        self.asked: list[Asked | Subscription] = []

    def notify(self, user: int, channel: str, payload: str) -> None:
        """NOTIFY. Raises 22023."""
        check(channel, payload)
        self.notified[context_of(channel, user), channel, payload] = None

    def listen(self, user: int, channel: str) -> None:
        """LISTEN."""
        self.asked.append(Asked(True, context_of(channel, user), channel))

    def unlisten(self, user: int, channel: str | None) -> None:
        """UNLISTEN; None: all channels."""
        context = NO_USER if channel is None else context_of(channel, user)
        self.asked.append(Asked(False, context, channel))

    def opens(self, stream: Subscription) -> None:
        """SUBSCRIBE, or LISTEN on a table."""
        self.asked.append(stream)

    def mark(self) -> Mark:
        """For `back_to`."""
        return len(self.notified), len(self.asked)

    def back_to(self, mark: Mark) -> None:
        """Forget what was asked for since."""
        notified, asked = mark
        while len(self.notified) > notified:
            self.notified.popitem()
        for one in self.asked[asked:]:
            if isinstance(one, Subscription):
                one.stop()
        del self.asked[asked:]

    def holder(self, channel: str, held: Subscription | None) -> Subscription | None:
        """The stream that a channel will have, of which `held` is the one that it has now."""
        for one in self.asked:
            if isinstance(one, Subscription):
                held = one if one.channel == channel else held
            elif not one.listen and one.channel in (None, channel):
                held = None
        return held


class Listener:
    """One session: the channels it listens on, and what has come for it.

    wake: something has come, and the session may be asleep. end: more has come than it may keep; it has
    been taken off its channels. user: whose channels it listens on. names: those that count now.
    """

    __slots__ = (
        "_channels",
        "_end",
        "_queue",
        "_wake",
        "bytes_max",
        "heard_bytes",
        "names",
        "user",
    )

    def __init__(
        self,
        channels: "Channels",
        user: int,
        wake: Callable[[], None],
        end: Callable[[], None],
        bytes_max: int = QUEUE_BYTES_MAX,
    ) -> None:
        self.user = user
        self.bytes_max = bytes_max
        self.heard_bytes = 0
        self.names: dict[str, None] = {}
        self._channels = channels
        self._queue: list[Notification] = []
        self._wake = wake
        self._end = end

    @property
    def waits(self) -> bool:
        """Whether something has come that was not taken."""
        return bool(self._queue)

    @property
    def usage(self) -> float:
        """How full its queue is, 0 to 1."""
        return self.heard_bytes / self.bytes_max

    def commit(self, user: int, asked: Sequence[Asked | Subscription]) -> tuple[str, ...]:
        """A transaction has ended that asked for this; the session is `user` from here on.

        Another user's channels are other channels: those of the one it was have ended, and so has at
        once what it asked for as somebody else. Returns their names. Those of everybody go on.
        """
        ended: dict[str, None] = {}
        if user != self.user:
            ended = {name: None for name in self.names if not name.startswith(ANNOUNCED)}
            for name in ended:
                self._stop(name)
            self.user = user
        for one in asked:
            if isinstance(one, Subscription):
                continue  # It is told by itself.
            if one.channel is None:
                self.close()
                ended = {}
            elif one.context not in (user, NO_USER):
                if one.listen:
                    ended[one.channel] = None
                else:
                    ended.pop(one.channel, None)
            elif one.listen:
                self._start(one.channel)
            elif one.channel in self.names:
                self._stop(one.channel)
        return tuple(ended)

    def close(self) -> None:
        """Listen to nothing any more, and forget what was not taken."""
        for name in self.names:
            self._channels.remove(context_of(name, self.user), name, self)
        self.names.clear()
        self._queue = []
        self.heard_bytes = 0

    def _start(self, channel: str) -> None:
        if channel not in self.names:
            self.names[channel] = None
            self._channels.add(context_of(channel, self.user), channel, self)

    def _stop(self, channel: str) -> None:
        del self.names[channel]
        self._channels.remove(context_of(channel, self.user), channel, self)
        if self._queue:
            # What has come of it and was not taken is not told any more, as in PostgreSQL.
            self._queue = [told for told in self._queue if told.channel != channel]
            self.heard_bytes = sum(told.size for told in self._queue)

    def hear(self, told: Notification) -> None:
        """For `Channels`: keep it until it is taken."""
        self.heard_bytes += told.size
        if self.heard_bytes > self.bytes_max:
            self.close()
            self._end()
            return
        self._queue.append(told)
        self._wake()

    def take(self, bytes_max: int = 1 << 62) -> list[Notification]:
        """The oldest that came, about so many bytes of them."""
        queue = self._queue
        if self.heard_bytes <= bytes_max:
            self._queue = []
            self.heard_bytes = 0
            return queue
        size = count = 0
        while count < len(queue) and size < bytes_max:
            size += queue[count].size
            count += 1
        taken = queue[:count]
        del queue[:count]
        self.heard_bytes -= size
        return taken


class Channels:
    """Every channel that somebody listens on."""

    def __init__(self) -> None:
        self._listeners: dict[tuple[int, str], dict[Listener, None]] = {}

    def add(self, context: int, channel: str, listener: Listener) -> None:
        """For `Listener`."""
        key = (context, channel)
        found = self._listeners.get(key)
        if found is None:
            self._listeners[key] = {listener: None}
        else:
            found[listener] = None

    def remove(self, context: int, channel: str, listener: Listener) -> None:
        """For `Listener`."""
        key = (context, channel)
        found = self._listeners[key]
        del found[listener]
        if not found:
            del self._listeners[key]

    def __len__(self) -> int:
        return len(self._listeners)

    def publish(self, process_id: int, pending: Pending) -> None:
        """A transaction is committed: tell the listeners what it sent. Raises nothing.

        A listener that cannot be told is the only one to suffer: it hears no more.
        """
        for context, channel, payload in pending.notified:
            listeners = self._listeners.get((context, channel))
            if listeners is None:
                continue
            told = Notification(process_id, channel, payload)
            for listener in tuple(listeners):
                try:
                    listener.hear(told)
                except Exception as exc:  # noqa: BLE001 -- it costs this listener, never the commit
                    report("a listener could not be told", exc)
                    listener.close()

    def usage(self, listener: Listener | None) -> float:
        """pg_notification_queue_usage(): how full the fullest queue among a user's sessions is."""
        if listener is None:
            return 0.0
        fullest = listener.usage
        for name in listener.names:
            for other in self._listeners[context_of(name, listener.user), name]:
                if other.user == listener.user:
                    fullest = max(fullest, other.usage)
        return fullest
