"""What a server's processes hold, from /proc."""

import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

WORKER = "kalam:worker"
FLUSH_PROCESS = "kalam:flush"
COMPACTION_PROCESS = "kalam:compactio"
"""What `ps` calls them, at most 15 bytes."""


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


def children(pid: int, name: str) -> list[int]:
    """The processes of this name that the fork server of `pid` has forked and that have not ended."""
    parents: dict[int, int] = {}
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        comm, _, rest = stat.partition("(")[2].rpartition(")")
        state, parent = rest.split()[:2]
        parents[int(entry.name)] = int(parent)
        if comm == name and state != "Z":
            found.append(int(entry.name))
    return sorted(child for child in found if parents.get(parents[child]) == pid)


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
