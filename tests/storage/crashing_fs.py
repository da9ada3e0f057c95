"""A file system that fails at its n-th change, and can lose what no fsync made durable."""

from pathlib import Path

from storage.fs import OsFileSystem


class CrashError(BaseException):
    """The process is dead: nothing catches this."""


class CrashingFs(OsFileSystem):
    """Fails once, at the change numbered `fail_at` (from 1), before or after doing it.

    error: what to raise. `lose_power` undoes every change of a directory since its last fsync, as
    a disk may.
    """

    def __init__(self, fail_at=0, *, after=False, error=CrashError):
        self.fail_at = fail_at
        self.after = after
        self.error = error
        self.changes = 0
        self._undo = []

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

    def rename(self, source: Path, target: Path) -> None:
        self._change(
            target.parent,
            lambda: super(CrashingFs, self).rename(source, target),
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
            lambda: path.write_bytes(data),
        )

    def mkdir(self, path: Path) -> None:
        self._change(path.parent, lambda: super(CrashingFs, self).mkdir(path), None)

    def sync_directory(self, path: Path) -> None:
        def durable():
            self._undo = [(where, undo) for where, undo in self._undo if where != path]

        self._change(path, durable, None)

    def lose_power(self):
        for _, undo in reversed(self._undo):
            undo()
        self._undo.clear()
