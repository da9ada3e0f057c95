"""What a server's processes hold, from /proc."""

import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

WORKER = "kalam_pg.engines.fork_server"
"""What workers say that they run: they are its copies."""
FLUSH_PROCESS = "kalam_pg.jobs.flush_worker"


@dataclass(frozen=True, slots=True)
class Held:
    """memory_mb: resident. deleted: open files whose names are gone."""

    memory_mb: int
    sockets: int
    segments: int
    other_files: int
    deleted: tuple[str, ...]
    workers: int
    flush_processes: int

    def __str__(self) -> str:
        return (
            f"{self.memory_mb} MB, {self.sockets} sockets, {self.segments} segments and"
            f" {self.other_files} other files open, {self.workers} workers"
        )


def children(pid: int, of: str) -> list[int]:
    """The processes of `pid` that run this module and have not ended, without the one that forks workers."""
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if stat[0] != "Z" and of.encode() in command:
            found[int(entry.name)] = int(stat[1])
    if of == WORKER:
        return sorted(child for child, parent in found.items() if found.get(parent) == pid)
    return sorted(child for child, parent in found.items() if parent == pid)


def held(pid: int) -> Held:
    """What the server holds now."""
    targets = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # Closed meanwhile.
            targets.append(str(fd.readlink()))
    kinds = Counter(_kind(target) for target in targets)
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return Held(
        memory_mb=resident >> 20,
        sockets=kinds["socket"],
        segments=kinds["segment"],
        other_files=kinds["file"],
        deleted=tuple(sorted(t for t in targets if _kind(t) == "deleted")),
        workers=len(children(pid, WORKER)),
        flush_processes=len(children(pid, FLUSH_PROCESS)),
    )


def _kind(target: str) -> str:
    if target.startswith("socket:"):
        return "socket"
    if target.startswith("/memfd:") or not target.startswith("/"):
        return "memory"
    if target.endswith(" (deleted)"):
        return "deleted"
    return "segment" if ".parquet" in target else "file"
