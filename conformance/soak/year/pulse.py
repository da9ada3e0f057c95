"""One client in a process of its own, that inserts a row into each server a hundred times a second, and knows
how long that took, whatever flushes and compactions run beside it.
"""

import multiprocessing
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import psycopg

PAUSE_S = 0.005
_TEXT = "INSERT INTO pulse VALUES (%s, %s) ON CONFLICT DO NOTHING"
_BODY = "I am still here, and so is everything that was ever said"


class Pulse:
    """The process. beat: milliseconds of the INSERTs of a week, (ours, PostgreSQL's)."""

    def __init__(self, theirs: dict[str, Any]) -> None:
        self._theirs = theirs
        self._next = 1
        self._there: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self.took: tuple[list[float], list[float]] = ([], [])

    def start(self, ours: dict[str, Any]) -> None:
        """Begin, on a server that is there."""
        context = multiprocessing.get_context("spawn")
        self._there, here = context.Pipe()
        self._process = context.Process(
            target=_beat, args=(here, ours, self._theirs, self._next), daemon=True
        )
        self._process.start()

    def stop(self) -> int:
        """End, which it does at once also when its server was killed; returns the next number."""
        assert self._there is not None
        assert self._process is not None
        self._there.send("stop")
        self._next, ours, theirs = self._there.recv()
        self._process.join()
        self.took[0].extend(ours)
        self.took[1].extend(theirs)
        return self._next


def _beat(there: Connection, ours: dict[str, Any], theirs: dict[str, Any], number: int) -> None:
    took: tuple[list[float], list[float]] = ([], [])
    stop = threading.Event()

    def listen() -> None:
        there.recv()
        stop.set()

    threading.Thread(target=listen, daemon=True).start()
    try:
        with (
            psycopg.connect(**ours, autocommit=True) as first,
            psycopg.connect(**theirs, autocommit=True) as second,
        ):
            for connection in (first, second):
                connection.execute("SET synchronous_commit = off")
            while not stop.wait(PAUSE_S):
                for connection, into in zip((first, second), took, strict=True):
                    began = time.perf_counter()
                    connection.execute(_TEXT, (number, _BODY), prepare=True)
                    into.append((time.perf_counter() - began) * 1000)
                number += 1
    except psycopg.OperationalError:
        stop.wait()  # The server was killed: the same number is tried again in its next life.
    there.send((number, *took))
