"""How much of a tablet is in its log alone: counted once, then only what came since."""

from storage.ids import TabletId
from storage.log.view import View


class LogCount:
    """Entries and bytes of one tablet's log behind its segments.

    What was counted is kept with the range it was counted in, as one value: whoever asks, in whatever
    thread, sees a whole one.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known = (0, 0, 0, 0)  # after, through, entries, bytes

    def at(self, view: View, tablet: TabletId, after: int) -> tuple[int, int]:
        """(entries, bytes) with after < seq, as the view sees them.

        Reads what was committed since it was last asked for the same `after` (a flush moves it).
        """
        known_after, through, entries, size = self._known
        if known_after != after or through > view.seq:
            through, entries, size = after, 0, 0
        for _, _, data in view.log(tablet, through):
            entries += 1
            size += len(data)
        if known_after != after or view.seq >= self._known[1]:
            self._known = (after, view.seq, entries, size)
        return entries, size
