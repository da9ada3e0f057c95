"""Copies of a live data directory: what kill -9 leaves, and what the loss of power may leave."""

import os
from pathlib import Path


def crash_image(source: Path, target: Path, *, durable: dict[str, int] | None = None) -> None:
    """Copy the files of a directory as they are at one moment, while LevelDB works on them.

    durable: lengths up to which the log files (`*.log`) are on disk; the rest is lost. None: the
    process dies and not the machine, so nothing is lost.
    """
    while (files := _opened(source)) is None:
        pass
    for path, (descriptor, length) in files.items():
        size = length
        if durable is not None and path.suffix == ".log":
            size = min(length, durable.get(path.name, 0))
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(os.pread(descriptor, size, 0))
        os.close(descriptor)


def _opened(source: Path) -> dict[Path, tuple[int, int]] | None:
    """Every file, opened so that it stays; None when one came or went meanwhile."""
    names = _names(source)
    files: dict[Path, tuple[int, int]] = {}
    try:
        for path in names:
            descriptor = os.open(path, os.O_RDONLY)
            files[path] = (descriptor, os.fstat(descriptor).st_size)
    except FileNotFoundError:
        same = False
    else:
        same = _names(source) == names
    if same:
        return files
    for descriptor, _ in files.values():
        os.close(descriptor)
    return None


def _names(source: Path) -> list[Path]:
    return sorted(path for path in source.rglob("*") if path.is_file())
