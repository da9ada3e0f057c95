"""Tablets whose background work has failed lately: each is tried again ever more seldom."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from kalam_pg.supervision import Backoff
from storage.ids import TabletId


@dataclass(slots=True)
class _Pause:
    backoff: Backoff = field(default_factory=Backoff)
    until_s: float = 0.0  # By `time.monotonic`.


class Pauses:
    """Who pauses, and until when."""

    def __init__(self) -> None:
        self._pauses: dict[TabletId, _Pause] = {}

    def failed(self, tablet: TabletId) -> None:
        """The tablet pauses, longer each time."""
        pause = self._pauses.setdefault(tablet, _Pause())
        pause.until_s = time.monotonic() + pause.backoff.failed()

    def succeeded(self, tablet: TabletId) -> None:
        """It has no trouble any more."""
        self._pauses.pop(tablet, None)

    def keep(self, tablets: Iterable[TabletId]) -> None:
        """Forget all that are not among these: there is nothing to do for them."""
        for gone in self._pauses.keys() - set(tablets):
            del self._pauses[gone]

    def has(self, tablet: TabletId, now_s: float) -> bool:
        """Whether it is not to be tried at `now_s` (`time.monotonic`)."""
        pause = self._pauses.get(tablet)
        return pause is not None and now_s < pause.until_s
