"""What sessions hold of the server's memory: an account of bytes for each, and what all of them hold.

Whatever keeps bytes for a session has a `Holding` of its kind in the session's `Account` and tells it what it
keeps. Small changes are added up there and cost no more than an addition; the account is told when they are
64 KiB. Bytes are asked for *before* they are taken: what the session's bound does not allow is refused with
53200, and nothing has changed then.

When all sessions together would hold more than the server allows, the user who holds most gives way: what
that user asks for is refused, and when another user asks, that user's largest session is ended. So nobody is
refused, or ended, for what others hold.

For the event loop alone.
"""

from collections.abc import Callable
from typing import Final

from catalog.errors import AdminShutdownError, OutOfMemoryError
from storage.errors import KalamError

STEP: Final = 64 << 10
"""Changes of fewer bytes are not told: a session may hold so much of each kind that nobody knows of."""

OWN_BYTES: Final = 16 << 20
"""So much of what the server itself takes is not counted against sessions."""

SHRINK_BYTES: Final = 64 << 20
"""Caches that have to shrink shrink by so much more, so that they need not again for a while."""

End = Callable[[KalamError], None]
"""Ends a session, soon: it is called inside another one's statement."""


class Accounts:
    """The accounts of all sessions. total: what they hold together. closed: how many have ended."""

    def __init__(self, session_max: int = 0, server_max: int = 0) -> None:
        """Bounds in bytes, 0: none."""
        self.session_max = session_max
        self.server_max = server_max
        self.total = 0
        self.closed = 0
        self.cached: Callable[[], int] = lambda: 0
        """What the server keeps beside, which can be read again: sessions go first."""
        self.shrink: Callable[[int], None] = lambda _most: None
        """Keep at most so much of that."""
        self.own: Callable[[], int] = lambda: 0
        """What the server itself has in memory for a while, for what it writes: sessions have to wait for it
        or go, but for half of what is allowed."""
        self._by_user: dict[int, int] = {}
        self._accounts: set[Account] = set()

    def known(self) -> int:
        """Bytes that are known to be in memory."""
        return self.total + self.cached() + self.own()

    def open(self, user: int) -> "Account":
        """An account for a session of this user."""
        account = Account(self, user)
        self._accounts.add(account)
        return account

    def grow(self, account: "Account", size: int) -> None:
        """Let an account hold so many more bytes. Raises 53200."""
        if self.session_max and account.total + size > self.session_max:
            raise account.refusal(size, "session_memory_max", self.session_max)
        if self.server_max:
            most = self.server_max - min(max(self.own() - OWN_BYTES, 0), self.server_max // 2)
            if self.total + size + self.cached() > most:
                self.shrink(max(most - self.total - size - SHRINK_BYTES, 0))
                if self.total + size > most:
                    self._make_room(account, size, most)
        self.count(account, size)

    def count(self, account: "Account", size: int) -> None:
        """An account holds so many bytes more, or less."""
        account.total += size
        if not account.ending:
            self._move(account.user, size)

    def close(self, account: "Account") -> None:
        """A session holds nothing any more."""
        if account in self._accounts:
            self._accounts.discard(account)
            self.closed += 1
        if not account.ending:
            account.ending = True
            self._move(account.user, -account.total)

    def _move(self, user: int, size: int) -> None:
        self.total += size
        left = self._by_user.get(user, 0) + size
        if left:
            self._by_user[user] = left
        else:
            self._by_user.pop(user, None)

    def _make_room(self, account: "Account", size: int, allowed: int) -> None:
        """End sessions of whoever holds most until there is room. Raises 53200 when that is who asks."""
        while self.total + size > allowed:
            most = max(self._by_user, key=self._by_user.__getitem__, default=account.user)
            if self._by_user.get(most, 0) <= self._by_user.get(account.user, 0) + size:
                raise account.refusal(size, "memory_max", self.server_max)
            largest = max(
                (one for one in self._accounts if one.user == most and not one.ending),
                key=lambda one: one.total,
                default=None,
            )
            if largest is None or largest.total < STEP:
                raise account.refusal(size, "memory_max", self.server_max)
            # What it holds is free very soon, and counts no more from now on.
            largest.ending = True
            self._move(most, -largest.total)
            largest.end(
                AdminShutdownError(
                    "terminating connection because the server is out of memory",
                    detail="Of all sessions of all users this one held the most.",
                    hint="Use smaller transactions, or have memory_max raised.",
                )
            )


class Account:
    """What one session holds. user: who logged in. total: bytes that it was told of.

    end: how the session is ended. ending: it is being ended, or has ended: what it holds counts for nobody.
    """

    __slots__ = ("_accounts", "_holdings", "end", "ending", "total", "user")

    def __init__(self, accounts: Accounts, user: int) -> None:
        self._accounts = accounts
        self._holdings: dict[str, Holding] = {}
        self.user = user
        self.total = 0
        self.ending = False
        self.end: End = _nothing

    def holding(self, kind: str) -> "Holding":
        """What the session holds of one kind, one for all who ask: the words that a client is told."""
        found = self._holdings.get(kind)
        if found is None:
            found = self._holdings[kind] = Holding(self, kind)
        return found

    @property
    def room(self) -> int:
        """How many bytes more it may hold by its own bound."""
        bound = self._accounts.session_max
        return max(bound - self.total, 0) if bound else _UNBOUNDED

    def check(self, size: int) -> None:
        """Raise 53200 if the session may not take so many bytes; they are not taken."""
        bound = self._accounts.session_max
        if bound and self.total + size > bound:
            raise self.refusal(size, "session_memory_max", bound)

    def grow(self, size: int) -> None:
        """Hold so many bytes more. Raises 53200."""
        self._accounts.grow(self, size)

    def count(self, size: int) -> None:
        """It holds so many bytes more, or less: nobody is asked."""
        self._accounts.count(self, size)

    def refusal(self, size: int, setting: str, bound: int) -> OutOfMemoryError:
        """53200 for a request of so many bytes."""
        held = sorted(self._holdings.values(), key=lambda one: one.bytes, reverse=True)
        parts = [f"{one.kind} {_mb(one.bytes)}" for one in held if one.bytes >= STEP]
        holds = f"this session holds {_mb(self.total)}" + (
            f" ({', '.join(parts)})" if parts else ""
        )
        whose = "it" if setting == "session_memory_max" else "all sessions together"
        return OutOfMemoryError(
            "out of memory",
            detail=f"Failed on request of size {size}: {holds}, and {whose} may hold {_mb(bound)}.",
            hint=f"Take it in smaller parts, or have the setting {setting} raised.",
        )

    def close(self) -> None:
        """The session has ended: it holds nothing. Again is no error."""
        self._accounts.close(self)


class Holding:
    """What a session holds of one kind. bytes: of all that is held now."""

    __slots__ = ("_account", "_told", "bytes", "kind")

    def __init__(self, account: Account, kind: str) -> None:
        self._account = account
        self._told = 0
        self.bytes = 0
        self.kind = kind

    def add(self, size: int) -> None:
        """So many bytes are going to be held, beside the others; fewer than 0 are given back.

        Raises 53200: nothing has changed.
        """
        moved = self.bytes + size - self._told
        if moved >= STEP:
            self._account.grow(moved)
            self._told += moved
        elif moved <= -STEP:
            self._account.count(moved)
            self._told += moved
        self.bytes += size

    def set(self, size: int) -> None:
        """So many bytes are going to be held in all. Raises 53200: nothing has changed."""
        self.add(size - self.bytes)

    def note(self, size: int) -> None:
        """So many bytes are held in all, which nobody could ask for before."""
        self.bytes = size
        moved = size - self._told
        if moved >= STEP or moved <= -STEP:
            self._account.count(moved)
            self._told = size

    @property
    def user(self) -> int:
        """Whose session it is: who logged in."""
        return self._account.user

    def beside(self, kind: str) -> "Holding":
        """What the same session holds of another kind."""
        return self._account.holding(kind)

    def lease(self, size: int) -> "Lease":
        """Bytes that are held for a while. Raises 53200."""
        self.add(size)
        return Lease(self, size)


class Lease:
    """Some bytes of a holding, given back by whoever is the last to need them."""

    __slots__ = ("_holding", "size")

    def __init__(self, holding: Holding, size: int) -> None:
        self._holding = holding
        self.size = size

    def grow(self, size: int) -> None:
        """So many more. Raises 53200: nothing has changed."""
        self._holding.add(size)
        self.size += size

    def end(self) -> None:
        """They are needed no more. Again is no error."""
        size, self.size = self.size, 0
        if size:
            self._holding.add(-size)


def _mb(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} kB"


def _nothing(_error: KalamError) -> None:
    """Nobody can end it."""


_UNBOUNDED: Final = 1 << 62

UNBOUNDED: Final = Accounts()
"""For what belongs to no session."""
