"""Trees of long statements are freed a little at a time.

A text of a megabyte becomes a million objects, which hang on one: to forget that one frees all of them at
once, and holds the interpreter for half a second, in whichever thread. So what is made of long texts is kept
here, too, until nobody else has it, and taken apart from above: each object is forgotten by itself then.
"""

import gc
from collections.abc import Iterable
from sys import getrefcount
from typing import Any, Final

import trio

_KEPT_HERE: Final = 2
"""References to what nobody else has: the list's, and that of the question."""


def take_apart(things: list[Any]) -> None:
    """Free what only this list has, and what only that has, one object after the other. For a thread."""
    while things:
        one = things.pop()
        if gc.is_tracked(one) and getrefcount(one) <= _KEPT_HERE:
            things += gc.get_referents(one)


class LargeTrees:
    """For the event loop, but for `keep`, which any thread may call."""

    def __init__(self) -> None:
        self._kept: list[Any] = []

    def keep(self, made: Iterable[Any]) -> None:
        """These are large."""
        self._kept += made

    def unused(self) -> list[Any]:
        """Those that nobody else has any more, to be taken apart."""
        kept, self._kept = self._kept, []
        found: list[Any] = []
        while kept:
            (found if getrefcount(kept[-1]) <= _KEPT_HERE else self._kept).append(kept.pop())
        return found

    async def turn(self) -> None:
        """Take apart what is unused, as a step that is repeated."""
        if self._kept and (found := self.unused()):
            await trio.to_thread.run_sync(take_apart, found)


large_trees: Final = LargeTrees()
