"""System records of the view that is published, for threads, which do not hold it.

Whenever the event loop publishes a commit it lets the view before go, whose snapshot may close between a
thread's look at which it is and its read. Then there is another one to ask.
"""

from collections.abc import Callable, Iterator

from storage.log.view import View


def system_get(published: Callable[[], View], key: bytes) -> bytes | None:
    """A system record. published: the view at the moment."""
    while True:
        view = published()
        try:
            return view.system_get(key)
        except RuntimeError:  # What plyvel raises for a snapshot that is closed.
            if view is published():
                raise


def system_scan(published: Callable[[], View], prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of the system records with a prefix, in key order, all of one view."""
    while True:
        view = published()
        found = view.system_scan(prefix)
        try:
            first = next(found, None)
        except RuntimeError:
            if view is published():
                raise
            continue
        # What has begun goes on to its end, whatever is published.
        if first is not None:
            yield first
            yield from found
        return
