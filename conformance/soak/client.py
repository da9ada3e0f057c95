"""One session as the soak has it: a deadline for every answer, a diary, and many ways to go away."""

import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Final

from conformance.soak.ledger import Violation
from tests.wire.raw import (
    DESCRIBE,
    SYNC,
    TERMINATE,
    Answer,
    RawClient,
    bind,
    execute,
    parse,
    query,
    startup,
)
from tests.wire.server import PASSWORD, KalamServer

STATEMENT_TIMEOUT_S: Final = 5.0
LOCK_TIMEOUT_S: Final = 3.0
LATE_S: Final = 1.0
"""An answer may come so long after its timeout, on a machine that does nothing else …"""

BUSY: Final = 10.0
"""… and so much longer on this one, which also runs the clients."""

HOWS: Final = ("simple", "extended", "prepared", "portions")
WAYS_TO_GO: Final = ("close", "reset", "terminate", "half", "unsynced", "unread")

Parameters = tuple[str | None, ...]


class LostError(Exception):
    """The connection has ended."""


class RefusedError(Exception):
    """The server answered with an error."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.sqlstate = fields.get("C", "")
        super().__init__(f"{self.sqlstate}: {fields.get('M', '')}")


@dataclass
class Diary:
    """The last things that were said on an actor's sessions, with their times and answers."""

    began: float = field(default_factory=time.monotonic)
    took: dict[str, list[float]] = field(default_factory=dict)
    """Seconds that answers took, by the statements' first words: how many, in all, the longest."""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=60))

    def note(self, text: str) -> None:
        self.lines.append(f"{time.monotonic() - self.began:9.3f}  {text[:300]}")

    def time(self, text: str, seconds: float) -> None:
        """An answer came."""
        took = self.took.setdefault(" ".join(text.split()[:2]), [0, 0.0, 0.0])
        took[:] = took[0] + 1, took[1] + seconds, max(took[2], seconds)


class Client(RawClient):
    """A session; every call raises LostError when the connection ends, Violation when no answer comes."""

    def __init__(self, server: KalamServer, user: str, diary: Diary, life: int) -> None:
        self.diary = diary
        self.life = life
        self._prepared: dict[str, str] = {}
        self._names = count(1)
        with self._watched("connecting"):
            super().__init__(server, user, login=False)
        try:
            self._log_in()
        except BaseException:
            self.close()
            raise
        self.diary.note(f"connected as {user}, pid {self.pid}")

    def _log_in(self) -> None:
        self.socket.settimeout(STATEMENT_TIMEOUT_S + LATE_S * BUSY)
        options = {
            "statement_timeout": f"{STATEMENT_TIMEOUT_S:g}s",
            "lock_timeout": f"{LOCK_TIMEOUT_S:g}s",
        }
        with self._watched("connecting"):
            self.send(startup(self.user, **options))
            answer = self.authenticate(PASSWORD)
        if answer.errors and answer.errors[0]:
            raise RefusedError(answer.errors[0])
        if not answer.kinds.endswith("Z"):
            raise LostError

    @property
    def pid(self) -> int:
        """The number of this session's backend."""
        return struct.unpack("!i", self.key[:4])[0]

    def ask(self, text: str, parameters: Parameters = (), how: str = "simple") -> Answer:
        """Run a text, one of `HOWS`. Raises RefusedError too."""
        self.diary.note(f"{how}: {text} {parameters or ''}")
        began = time.monotonic()
        with self._watched(text):
            self.send(self._request(text, parameters, how))
            answer = self.answer()
        self.diary.time(text, time.monotonic() - began)
        del self.received[: self._read]
        self._read = 0
        if not answer.kinds.endswith("Z"):
            self.diary.note(f"    lost: {answer.errors}")
            raise LostError
        if answer.errors:
            self.diary.note(f"    {answer.errors[0].get('C')}: {answer.errors[0].get('M')}")
            self._prepared.pop(text, None)  # Parse itself may have failed.
            raise RefusedError(answer.errors[0])
        self.diary.note(f"    {answer.tags} {answer.rows[:4]}")
        return answer

    def go(self, random: Random, text: str, parameters: Parameters = ()) -> bool:
        """Lose the connection while saying `text`; whether the server may have got all of it."""
        way = random.choice(WAYS_TO_GO)
        self.diary.note(f"gone ({way}) at: {text} {parameters or ''}")
        whole = self._request(text, parameters, random.choice(("simple", "extended")))
        try:
            match way:
                case "terminate":
                    self.send(TERMINATE)
                case "half":
                    self.send(whole[: random.randrange(1, len(whole) - 5)])
                case "unsynced":
                    self.send(self._request(text, parameters, "extended")[: -len(SYNC)])
                case "unread":
                    self.send(whole)
            if way == "reset" or random.random() < 0.5:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass  # Gone already.
        self.close()
        # Execute of COMMIT commits; of anything else, the Sync behind it does.
        return way == "unread" or (way == "unsynced" and text == "COMMIT")

    def _request(self, text: str, parameters: Parameters, how: str) -> bytes:
        if how == "simple":
            return query(written_out(text, parameters))
        values = [None if value is None else value.encode() for value in parameters]
        match how:
            case "portions" if text.startswith("SELECT"):
                return (
                    parse(text)
                    + bind(values)
                    + DESCRIBE
                    + execute(1)
                    + execute(3)
                    + execute()
                    + SYNC
                )
            case "prepared":
                name = self._prepared.get(text)
                if name is not None:
                    return bind(values, statement=name) + DESCRIBE + execute() + SYNC
                name = self._prepared[text] = f"s{next(self._names)}"
                return (
                    parse(text, name) + bind(values, statement=name) + DESCRIBE + execute() + SYNC
                )
        return parse(text) + bind(values) + DESCRIBE + execute() + SYNC

    @contextmanager
    def _watched(self, text: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError as exc:
            self.diary.note("    no answer")
            raise Violation(f"no answer within {self.socket.gettimeout():g} s to: {text}") from exc
        except OSError as exc:
            self.diary.note(f"    lost: {exc}")
            raise LostError from exc


def written_out(text: str, parameters: Parameters) -> str:
    """A text with its parameters as literals, the last one first ($1 is a part of $10)."""
    for number in range(len(parameters), 0, -1):
        value = parameters[number - 1]
        literal = "NULL" if value is None else "'" + value.replace("'", "''") + "'"
        text = text.replace(f"${number}", literal)
    return text
