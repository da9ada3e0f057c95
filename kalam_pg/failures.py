"""What is said of an exception that nobody expected: to the client a reference, to the log its place.

An exception's text may quote what a user wrote, so the log has classes and lines of code, never the
text; nor do the lines have their source, which the code has already.
"""

import errno
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from traceback import FrameSummary, extract_tb
from types import TracebackType
from typing import Final

import structlog

from catalog.errors import (
    InsufficientResourcesError,
    OutOfMemoryError,
    StatementTooComplexError,
)
from storage.errors import DiskFullError, InternalError, KalamError

_ROOT: Final = str(Path(__file__).parents[1]) + "/"
_OURS: Final = ("kalam_pg/", "storage/", "catalog/")

_FRAMES_MAX: Final = 40
"""Of a deeper stack (a recursion without end has a thousand) the outermost and innermost halves."""

_CAUSES_MAX: Final = 5


_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_TOO_MANY: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})
"""Of files, processes or pages: there may be enough later."""

log = structlog.get_logger("kalam_pg")


def known(exc: BaseException, **facts: object) -> KalamError:
    """The error to tell of an exception. A bug is logged here, with `facts`, and told as XX000.

    What the system had no more of (memory, stack, disk, files) is 53200, 54001, 53100, 53000.
    """
    if isinstance(exc, KalamError) and (exc.sqlstate != "XX000" or isinstance(exc, InternalError)):
        return exc  # An InternalError was logged where the bug was met.
    refusal = _refused_by_the_system(exc)
    if refusal is not None:
        report("out of resources", exc, **facts)
        return refusal
    error = InternalError(secrets.token_hex(4))
    report("internal error", exc, reference=error.reference, **facts)
    return error


def _refused_by_the_system(exc: BaseException) -> KalamError | None:
    """What a refusal of Python's or the system's means, where nobody closer to it has said so."""
    if isinstance(exc, MemoryError):
        return OutOfMemoryError("out of memory")
    if isinstance(exc, RecursionError):
        return StatementTooComplexError("stack depth limit exceeded")
    if isinstance(exc, OSError) and exc.errno in _FULL:
        return DiskFullError(f"could not write a file: {os.strerror(exc.errno)}")
    if isinstance(exc, OSError) and exc.errno in _TOO_MANY:
        return InsufficientResourcesError(os.strerror(exc.errno).lower())
    return None


def let_go(exc: BaseException) -> None:
    """It has been told: what ran then is freed. A frame that raised what it had in a variable refers to the
    exception, which refers to the frame, and so to all that called it and what that had.
    """
    told: BaseException | None = exc
    for _ in range(_CAUSES_MAX):
        if told is None:
            return
        told.__traceback__ = None
        told = told.__cause__ or told.__context__


def report(event: str, exc: BaseException, **facts: object) -> None:
    """Log an exception that costs nobody an answer: see `describe`."""
    log.error(event, **facts, **describe(exc))


def describe(exc: BaseException) -> dict[str, str]:
    """Class, place and traceback of an exception, as fields of a log line.

    error: classes, from the exception to what it came from; of a disk's refusal its errno too.
    at: the innermost line of ours, FILE:LINE function. traceback: the lines it went through,
    innermost first, then those of its causes.
    """
    chain = list(_chain(exc))
    frames = [_frames(one.__traceback__) for one in chain]
    place = next((at for found in frames for at in found if at.startswith(_OURS)), "")
    first = next((at for found in frames for at in found), "")
    parts = [" < ".join(_bounded(found)) for found in frames]
    told = [
        f"{_name(one)}: {part}" if at else part
        for at, (one, part) in enumerate(zip(chain, parts, strict=True))
        if part
    ]
    facts = {"error": " from ".join(_name(one) for one in chain)}
    if place or first:
        facts["at"] = place or first
        facts["traceback"] = " | ".join(told)
    notes = [note for one in chain for note in _notes(one)]
    if notes:
        facts["note"] = " | ".join(notes)
    return facts


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """The exception, what it was raised from or while handling, and the first of a group."""
    seen: set[int] = set()
    found: BaseException | None = exc
    while found is not None and id(found) not in seen and len(seen) < _CAUSES_MAX:
        seen.add(id(found))
        yield found
        if isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        elif found.__cause__ is not None:
            found = found.__cause__
        else:
            found = None if found.__suppress_context__ else found.__context__


def _name(exc: BaseException) -> str:
    name = type(exc).__qualname__
    if isinstance(exc, KalamError):
        return f"{name}({exc.sqlstate})"
    if isinstance(exc, OSError) and exc.errno is not None:
        return f"{name}({errno.errorcode.get(exc.errno, exc.errno)})"
    if isinstance(exc, BaseExceptionGroup):
        return f"{name}({len(exc.exceptions)})"
    return name


def _frames(traceback: TracebackType | None) -> list[str]:
    """FILE:LINE function of each frame, innermost first; our files from the project's root."""
    return [_place(frame) for frame in reversed(extract_tb(traceback, limit=None))]


def _place(frame: FrameSummary) -> str:
    path = frame.filename.removeprefix(_ROOT)
    if path.startswith(("/", ".")):
        path = "/".join(path.split("/")[-2:])  # Which library it is, not where it was installed.
    return f"{path}:{frame.lineno} {frame.name}"


def _bounded(frames: Sequence[str]) -> Sequence[str]:
    if len(frames) <= _FRAMES_MAX:
        return frames
    half = _FRAMES_MAX // 2
    return [*frames[:half], f"({len(frames) - 2 * half} more)", *frames[-half:]]


def _notes(exc: BaseException) -> Sequence[str]:
    """What another process said of a fault of ours, made by `describe` or `last_words` over there."""
    ours = isinstance(exc, KalamError) and exc.sqlstate in {"XX000", "58000"}
    return getattr(exc, "__notes__", ()) if ours else ()


def place_elsewhere(exc: BaseException) -> str:
    """What `describe` says, in one text: a note on an error that goes to another process."""
    facts = describe(exc)
    return " ".join(facts[key] for key in ("error", "traceback") if key in facts)


_TOLD = re.compile(
    r'^\s*File "(?P<file>[^"]*)", line (?P<line>\d+)(?:,)? in (?P<name>\S+)'
    r"|^(?P<class>[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Panic))(?::|$)"
    r"|(?P<fatal>Fatal Python error: [A-Z][\w ]*)"
    r"|(?P<panic>panicked at [\w/.-]+:\d+)"
    r"|(?P<memory>memory allocation of \d+ bytes failed)",
    re.MULTILINE,
)


def last_words(text: str) -> str:
    """Of what a process printed before it ended, the lines of code and the classes; nothing else."""
    said = []
    for match in _TOLD.finditer(text):
        if match["file"]:
            frame = FrameSummary(match["file"], int(match["line"]), match["name"])
            said.append(_place(frame))
        else:
            said.append(next(found for found in match.groups()[3:] if found))
    return " > ".join(said[-_FRAMES_MAX:])
