"""The ways to read a subscription as rows, each a client that speaks bytes: all give the same rows."""

import re
from collections.abc import Iterator
from typing import Any, Self

from tests.wire.raw import (
    SYNC,
    RawClient,
    _fields,
    bind,
    execute,
    message,
    parse,
    query,
    row_values,
)
from tests.wire.server import KalamServer

FLUSH = message(b"H")
PART = 3
"""Rows that those who ask for parts ask for."""

Row = tuple[str | None, ...]


class EndedError(Exception):
    """The server has ended the subscription."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(fields["M"])
        self.sqlstate = fields["C"]
        self.severity = fields["S"]
        self.message = fields["M"]


class Follower:
    """One subscription. `next` gives rows in text form: _seq, _op, _token, then the query's columns."""

    streams = False
    """Its statement has the option `stream`."""

    def __init__(self, server: KalamServer, user: str, query_: str, **options: Any) -> None:
        self.client = RawClient(server, user)
        self.server = server
        if self.streams:
            options["stream"] = True
        given = ", ".join(f"{name} = '{value}'" for name, value in options.items())
        self.rows: Iterator[Row] = self.read(
            f"SUBSCRIBE TO {query_}" + (f" OPTIONS ({given})" if given else "")
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.client.close()

    def next(self, count: int) -> list[Row]:
        """The next rows, waited for. Raises EndedError."""
        return [next(self.rows) for _ in range(count)]

    def read(self, statement: str) -> Iterator[Row]:
        """Every row of a subscription."""
        raise NotImplementedError

    def answered(self, kinds: str) -> None:
        """Take messages of these types."""
        for kind in kinds:
            got, body = self.client.receive()
            if got == "E":
                raise EndedError(_fields(body))
            assert got == kind, (got, body)

    def until(self, ends: str, rows: str) -> Iterator[Row]:
        """The rows up to one of the messages `ends`, which is taken."""
        while True:
            kind, body = self.client.receive()
            if kind == "E":
                raise EndedError(_fields(body))
            if kind in ends:
                return
            assert kind == rows, (kind, body)
            yield _copied(body) if kind == "d" else row_values(body)


def _copied(body: bytes) -> Row:
    assert body.endswith(b"\n")
    texts = body[:-1].decode().split("\t")
    return tuple(None if text == "\\N" else _ESCAPED.sub(_unescaped, text) for text in texts)


_ESCAPED = re.compile(r"\\(.)")


def _unescaped(found: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}.get(
        found[1], found[1]
    )


class ByCopy(Follower):
    """Form 2: COPY (SUBSCRIBE …) TO STDOUT."""

    def read(self, statement: str) -> Iterator[Row]:
        self.client.send(query(f"COPY ({statement}) TO STDOUT"))
        self.answered("H")
        yield from self.until("", "d")


class ByFetch(Follower):
    """Form 3, outside a transaction."""

    def read(self, statement: str) -> Iterator[Row]:
        self.client.send(query(f"DECLARE c CURSOR FOR {statement}"))
        self.answered("CZ")
        while True:
            self.client.send(query(f"FETCH {PART} FROM c"))
            self.answered("T")
            some = list(self.until("C", "D"))
            self.answered("Z")
            assert 1 <= len(some) <= PART
            yield from some


class ByFetchInABlock(ByFetch):
    """Form 3, inside one."""

    def read(self, statement: str) -> Iterator[Row]:
        self.client.send(query("BEGIN ISOLATION LEVEL REPEATABLE READ"))
        self.answered("CZ")
        yield from super().read(statement)


class ByResult(Follower):
    """Form 5 by the simple protocol."""

    streams = True

    def read(self, statement: str) -> Iterator[Row]:
        self.client.send(query(statement))
        self.answered("T")
        yield from self.until("", "D")


class ByExecute(Follower):
    """Form 5 by the extended protocol, without a row limit."""

    streams = True

    def read(self, statement: str) -> Iterator[Row]:
        self.client.send(parse(statement) + bind() + execute() + SYNC)
        self.answered("12")
        yield from self.until("", "D")


class ByPortal(Follower):
    """Form 5 as drivers' cursors have it: Execute with a row limit, again and again."""

    streams = True

    def read(self, statement: str) -> Iterator[Row]:
        self.client.send(parse(statement) + bind(portal="p") + FLUSH)
        self.answered("12")
        while True:
            self.client.send(execute(PART, "p") + FLUSH)
            some = list(self.until("s", "D"))
            assert 1 <= len(some) <= PART
            yield from some


FORMS: tuple[type[Follower], ...] = (
    ByCopy,
    ByFetch,
    ByFetchInABlock,
    ByResult,
    ByExecute,
    ByPortal,
)


def apply(rows: list[Row], shown: dict[str, Row]) -> None:
    """What every client does: keep the rows by their key, which is the first column."""
    for _, op, _, *values in rows:
        match op:
            case "insert" | "update":
                shown[str(values[0])] = tuple(values)
            case "delete":
                shown.pop(str(values[0]), None)
            case "truncate":
                shown.clear()
            case _:
                assert op == "progress", op
