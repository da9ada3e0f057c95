"""Who gives Python's objects their memory in the processes of a server: the C library, and not Python itself.

Python's own allocator gives an arena of 1 MB back only when no object in it is in use any more, and after a
large transaction nearly every arena has one. The C library keeps the same objects in one heap, of which it
gives back every page that is free (`kalam_pg.server.heap`). Which it is can only be said before Python starts
(decision 0096).
"""

import ctypes
import os
import sys
from collections.abc import Mapping
from typing import Final

PYTHON: Final = "PYTHONMALLOC"
LIBRARY: Final = "GLIBC_TUNABLES"
VARIABLES: Final = (PYTHON, LIBRARY)
"""The environment that says it, which a server's other processes have too."""

_THREADS_OWN: Final = "glibc.malloc.tcache_count"
_THREADS_OWN_BLOCKS: Final = 200
"""Freed blocks of one size that a thread keeps for itself: to take one of these costs what it costs in
Python's arenas. By itself the library keeps seven."""


def settle() -> None:
    """Begin this process once more with the C library's allocator, unless its environment says which one.

    For a process that has done nothing yet: whatever it has open that is not inherited is lost.
    """
    if PYTHON not in os.environ and hasattr(ctypes.CDLL(None), "malloc_trim"):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment(os.environ))  # noqa: S606 -- it is itself


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """An environment with the C library's allocator. What it says of that library stays as it is said."""
    tunables = [one for one in given.get(LIBRARY, "").split(":") if one]
    if not any(one.startswith(f"{_THREADS_OWN}=") for one in tunables):
        tunables.append(f"{_THREADS_OWN}={_THREADS_OWN_BLOCKS}")
    return {**given, PYTHON: "malloc", LIBRARY: ":".join(tunables)}
