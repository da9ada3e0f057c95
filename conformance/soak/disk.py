"""A disk that can be full."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

DISK_MB: Final = 1024


class Disk:
    """A small disk of its own for the data, so that it can be full; where we may mount one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True)
        mount = shutil.which("mount")
        done = mount and subprocess.run(
            [mount, "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "soak", str(directory)],
            capture_output=True, check=False,
        )  # fmt: skip
        self.small = bool(done) and done.returncode == 0
        (directory / "data").mkdir(mode=0o700)

    def fill(self, leave_bytes: int) -> None:
        """Take all room but this much."""
        size = 0
        with (self.directory / "ballast").open("wb") as file:
            for step in (1 << 24, 1 << 20, 1 << 12):
                with suppress(OSError):
                    while True:
                        os.posix_fallocate(file.fileno(), size, step)
                        size += step
            file.truncate(max(0, size - leave_bytes))

    def empty(self) -> None:
        """Give the room back."""
        (self.directory / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        if self.small:
            subprocess.run(["umount", "-l", str(self.directory)], check=False)
