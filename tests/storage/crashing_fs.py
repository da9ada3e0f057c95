"""A file system that fails at its n-th change, and can lose what no fsync made durable."""

from pathlib import Path

from storage.fs import OsFileSystem


class CrashError(BaseException):
    """The process is dead: nothing catches this."""


class CrashingFs(OsFileSystem):
    """Fails once, at the change numbered `fail_at` (from 1), before or after doing it.

    error: what to raise. `lose_power` undoes every change of a directory since its last fsync, and
    empties every file whose contents no fsync made durable, as a disk may.
    """

    def __init__(self, fail_at=0, *, after=False, error=CrashError):
        self.fail_at = fail_at
        self.after = after
        self.error = error
        self.changes = 0
        self._undo = []
        self._unsynced = set()

    def _change(self, directory, do, undo):
        self.changes += 1
        now = self.changes == self.fail_at
        if now and not self.after:
            raise self.error("refused")
        do()
        if undo is not None:
            self._undo.append((directory, undo))
        if now:
            raise self.error("done, but said to have failed")

    def write_new(self, path: Path, data) -> None:
        self._change(
            path.parent, lambda: super(CrashingFs, self).write_new(path, data), path.unlink
        )

    def write_pieces(self, path: Path, pieces) -> None:
        def write():
            super(CrashingFs, self).write_pieces(path, pieces)
            self._unsynced.add(path)

        self._change(path.parent, write, path.unlink)

    def sync_many(self, paths) -> None:
        def durable():
            assert all(path.exists() for path in paths)
            self._undo = [(where, undo) for where, undo in self._undo if where not in paths]
            self._unsynced -= set(paths)

        self._change(paths[0].parent, durable, None)

    def rename(self, source: Path, target: Path) -> None:
        def rename():
            super(CrashingFs, self).rename(source, target)
            if source in self._unsynced:
                self._unsynced.add(target)

        self._change(
            target.parent,
            rename,
            lambda: target.rename(source),
        )

    def link(self, source: Path, target: Path) -> None:
        self._change(
            target.parent, lambda: super(CrashingFs, self).link(source, target), target.unlink
        )

    def unlink(self, path: Path) -> None:
        data = path.read_bytes()
        self._change(
            path.parent,
            lambda: super(CrashingFs, self).unlink(path),
            lambda: path.parent.exists() and path.write_bytes(data),
        )

    def rmdir(self, path: Path) -> None:
        super().rmdir(path)
        self._undo.append((path.parent, lambda: path.parent.exists() and path.mkdir()))

    def mkdir(self, path: Path, *, durable: bool = True) -> None:
        self._change(
            path.parent, lambda: super(CrashingFs, self).mkdir(path, durable=durable), None
        )

    def sync_directory(self, path: Path) -> None:
        def durable():
            self._undo = [(where, undo) for where, undo in self._undo if where != path]

        self._change(path, durable, None)

    def lose_power(self):
        for _, undo in reversed(self._undo):
            undo()
        self._undo.clear()
        for path in self._unsynced:
            if path.exists():
                path.write_bytes(b"")
        self._unsynced.clear()
