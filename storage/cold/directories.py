"""Who is at work in which tablet's directory. Shared by the threads that flush, collect and erase.

Three rules keep a directory's readers, writers and cleaners apart:

- What decides what a directory *means* (choosing, linking and taking up a manifest, and removing
  what none of them names) happens in the tablet's *section*, one thread at a time, whether or not
  the tablet is open.
- Whoever makes files or notes is a *writer*, and says what files will be called before they are
  there: a name that is being written is not collected, and a directory in which somebody writes
  stays.
- A writer enters *before* it asks whether its table still exists, and who erases looks for writers
  *after* the table has ceased to exist. So either the writer sees that it writes for nobody, or
  the eraser sees the writer and comes back later: nothing appears in a directory after it was
  erased. (Table ids are never used again, so "it is gone" is for ever.)
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from storage.errors import KalamError
from storage.fs import FileSystem
from storage.ids import TabletId

CHECK_S = 0.2
"""How soon who waits for another flush notices that it need not any more."""

TEMPORARY = "tmp-"
"""Prefix of files that mean nothing after a crash."""


_TREES = 64


def directory_of(cold: Path, tablet: TabletId) -> Path:
    """Where a tablet's files are: ids only, never a user's text."""
    return cold / str(tablet.user) / str(tablet.table)


def tablets_in(fs: FileSystem, cold: Path) -> Iterator[TabletId]:
    """Every tablet that has a directory, in no order. They may come and go meanwhile."""
    for user in _numbers_in(fs, cold):
        yield from tablets_of(fs, cold, user)


def tablets_of(fs: FileSystem, cold: Path, user: int) -> Iterator[TabletId]:
    """Every tablet of one user that has a directory."""
    for table in _numbers_in(fs, cold / str(user)):
        yield TabletId(user, table)


def _numbers_in(fs: FileSystem, directory: Path) -> list[int]:
    try:
        names = fs.listdir(directory)
    except FileNotFoundError:
        return []
    return [int(name) for name in names if name.isdecimal() and str(int(name)) == name]


@dataclass(slots=True)
class _Place:
    """What goes on in one directory. users: threads that have it in hand; 0 of them, and it goes."""

    section: threading.Lock = field(default_factory=threading.Lock)
    flushing: threading.Lock = field(default_factory=threading.Lock)
    compacting: threading.Lock = field(default_factory=threading.Lock)
    writers: int = 0
    names: set[str] = field(default_factory=set)
    users: int = 0


class Directories:
    """The directories of all tablets in which somebody is at work. Safe in several threads.

    Locks of several tablets are taken in the order of their ids. None is ever waited for on the
    event loop.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()  # Of the table of places; never held over a file's work.
        # Directories come and go: those of one user under one of these.
        self._trees = tuple(threading.Lock() for _ in range(_TREES))
        self._places: dict[TabletId, _Place] = {}

    @contextmanager
    def section(self, *tablets: TabletId) -> Iterator[None]:
        """The critical section of some tablets' manifests."""
        with ExitStack() as stack:
            for tablet in sorted(set(tablets)):
                stack.enter_context(stack.enter_context(self._place(tablet)).section)
            yield

    @contextmanager
    def flushing(
        self, *tablets: TabletId, check: Callable[[], object] = lambda: None
    ) -> Iterator[None]:
        """One flush of a tablet at a time: the next one begins where the last one ended.

        check: called now and then while another flush is waited for; may raise.
        """
        with ExitStack() as stack:
            for tablet in sorted(set(tablets)):
                place = stack.enter_context(self._place(tablet))
                stack.enter_context(_held(place.flushing, check))
            yield

    @contextmanager
    def compacting(
        self, *tablets: TabletId, check: Callable[[], object] = lambda: None
    ) -> Iterator[None]:
        """One compaction of a tablet at a time. A flush may go on beside it."""
        with ExitStack() as stack:
            for tablet in sorted(set(tablets)):
                place = stack.enter_context(self._place(tablet))
                stack.enter_context(_held(place.compacting, check))
            yield

    @contextmanager
    def writer(self, tablet: TabletId) -> Iterator["Writer"]:
        """To make files or notes of the tablet. Enter, then ask whether its table exists.

        A directory that was made and is empty at the end goes again.
        """
        with self._place(tablet) as place:
            writer = Writer(self, tablet, place)
            with self._mutex:
                place.writers += 1
            try:
                yield writer
            except KalamError:
                self._leave(place, writer)
                writer.remove_directory()
                raise
            except BaseException:
                self._leave(place, writer)
                raise
            self._leave(place, writer)
            writer.remove_directory()

    def _leave(self, place: "_Place", writer: "Writer") -> None:
        with self._mutex:
            place.writers -= 1
            place.names -= writer.names

    def written(self, tablet: TabletId) -> bool:
        """Whether somebody writes files or notes of the tablet."""
        with self._mutex:
            place = self._places.get(tablet)
            return place is not None and place.writers > 0

    def names(self, tablet: TabletId) -> frozenset[str]:
        """Files that are being written, or whose manifest is not published yet."""
        with self._mutex:
            place = self._places.get(tablet)
            return frozenset() if place is None else frozenset(place.names)

    def make(self, fs: FileSystem, tablet: TabletId, directory: Path) -> None:
        """Make a tablet's directory; its name is not durable yet. The caller is its writer."""
        with self._trees[tablet.user % _TREES]:
            fs.mkdir(directory, durable=False)

    def remove(self, fs: FileSystem, tablet: TabletId, directory: Path) -> None:
        """Remove the tablet's directory if it is empty and nobody writes there; its user's too."""
        with self._trees[tablet.user % _TREES]:
            if self.written(tablet):
                return
            for empty in (directory, directory.parent):
                try:
                    if fs.listdir(empty):
                        return
                    fs.rmdir(empty)
                except FileNotFoundError:
                    continue

    @contextmanager
    def _place(self, tablet: TabletId) -> Iterator[_Place]:
        with self._mutex:
            place = self._places.get(tablet)
            if place is None:
                place = self._places[tablet] = _Place()
            place.users += 1
        try:
            yield place
        finally:
            with self._mutex:
                place.users -= 1
                if not place.users:
                    del self._places[tablet]


@contextmanager
def _held(lock: threading.Lock, check: Callable[[], object]) -> Iterator[None]:
    while not lock.acquire(timeout=CHECK_S):
        check()
    try:
        yield
    finally:
        lock.release()


class Writer:
    """One piece of work that makes files in a tablet's directory. For one thread.

    names: of its files, the temporary ones too.
    """

    def __init__(self, directories: Directories, tablet: TabletId, place: _Place) -> None:
        self._directories = directories
        self._tablet = tablet
        self._place = place
        self._made: tuple[FileSystem, Path] | None = None
        self.names: set[str] = set()

    def name(self, name: str) -> str:
        """Say that a file of this name, and its temporary one, will be written; returns the latter."""
        temporary = f"{TEMPORARY}{name}"
        self.keep(name, temporary)
        return temporary

    def keep(self, *names: str) -> None:
        """Say that files are needed, also those that are there: none of them is collected."""
        self.names |= set(names)
        with self._directories._mutex:  # noqa: SLF001 -- one class in two parts
            self._place.names |= set(names)

    def make_directory(self, fs: FileSystem, directory: Path) -> None:
        """Make the tablet's directory, if it is not there; its name is not durable yet."""
        self._made = fs, directory
        self._directories.make(fs, self._tablet, directory)

    def remove_directory(self) -> None:
        """Remove the directory that was made, if it is empty and nobody else writes there."""
        if self._made is not None:
            with suppress(KalamError):  # `collect` tries again.
                self._directories.remove(self._made[0], self._tablet, self._made[1])
