"""A process that follows a table and keeps a journal of it, which it goes on from when it was killed.

A record of the journal is a line of JSON: a snapshot, a change with its token, or how a link was lost.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg

from tests.wire.server import PASSWORD

AGAIN_S: Final = 0.1
"""Before it connects again: a server that is down can only be asked, and asking is not what is tried."""

CONNECT_TIMEOUT_S: Final = 20

# What a server that ends, or begins, says.
LOST_STATES: Final = frozenset(("57P01", "57P02", "57P03", None))
TOO_OLD: Final = "72000"

HEAR_S: Final = 0.02
"""How long a subscription that is only there for its snapshot waits for a change."""

PROGRESS: Final = "500ms"
"""How long a silence may be in the forms that give rows: then one says that a transaction was whole."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is followed. where: a condition or "". anew: every connection begins with a snapshot.

    may_forget: whether 72000 is to be expected.
    """

    user: str
    table: str
    where: str = ""
    anew: bool = False
    may_forget: bool = False


class TooOldError(Exception):
    """The log has the token no more."""


class EndedError(psycopg.OperationalError):
    """The server says that it ends."""


class Journal:
    """The file. Whatever is written survives the process."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b", buffering=0)
        self._file.seek(0)
        whole, _, cut_off = self._file.read().rpartition(b"\n")
        if cut_off:
            self._file.truncate(len(whole) + bool(whole))
        self.token = ""
        for line in reversed(whole.splitlines()):
            record = json.loads(line)
            if record["what"] in ("change", "row", "forgotten", "snapshot"):
                self.token = record.get("token", "")
                break
        self.in_transaction = False

    def write(self, what: str, **of: object) -> None:
        line = json.dumps({"what": what, **of}) + "\n"
        os.write(self._file.fileno(), line.encode())

    def change(self, change: dict[str, Any]) -> None:
        """It is told, and where to go on from: in one."""
        self.write("change", token=change["token"], change=change)
        self.token = change["token"]
        self.in_transaction = not change["last"]

    def row(self, row: Sequence[str | None]) -> None:
        """A change of the forms that give rows: _seq, _op, _token, id, n, body, all as text."""
        self.write("row", token=row[2], row=row)
        self.token = row[2] or ""

    def snapshot(self, rows: Sequence[tuple[int, int, str | None]], token: str = "") -> None:
        """All rows as of one commit. token: where to go on, if they said so."""
        self.write("snapshot", token=token, rows=rows)
        self.token = token

    def forget(self) -> None:
        """From here on with a snapshot."""
        self.write("forgotten")
        self.token = ""
        self.in_transaction = False


def follow(subject: Subject, port: int, path: Path, form: str) -> None:
    """Never ends by itself."""
    # It warns when it cannot cancel what it was reading from a server that is gone: that is tried here.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    journal = Journal(path)
    read = FORMS[form]
    while True:
        phase = "connecting"
        if subject.anew and journal.token:
            journal.forget()
        try:
            with psycopg.connect(
                host="127.0.0.1", port=port, user=subject.user, password=PASSWORD,
                dbname="kalam", autocommit=True, connect_timeout=CONNECT_TIMEOUT_S,
            ) as connection:  # fmt: skip
                phase = "snapshot" if not journal.token else "resuming"
                journal.write("asks", phase=phase)
                for _ in read(connection, subject, journal):
                    phase = "transaction" if journal.in_transaction else "rest"
        except TooOldError:
            _too_old(subject, journal)
        except psycopg.Error as exc:
            if exc.sqlstate == TOO_OLD:
                _too_old(subject, journal)
            elif exc.sqlstate not in LOST_STATES:
                journal.write("refused", text=f"{exc.sqlstate}: {exc}")
            journal.write(f"lost in {phase}")
            time.sleep(AGAIN_S)


def _too_old(subject: Subject, journal: Journal) -> None:
    if not subject.may_forget:
        journal.write("refused", text=f"72000 for {journal.token}")
    journal.forget()


def by_notifications(
    connection: psycopg.Connection[Any], subject: Subject, journal: Journal
) -> Iterator[None]:
    """SUBSCRIBE: a result set, then notifications."""
    where = f" WHERE {subject.where}" if subject.where else ""
    options = f" OPTIONS (from_seq = '{journal.token}')" if journal.token else ""
    rows = connection.execute(f"SUBSCRIBE TO {subject.table}{where}{options}").fetchall()
    if not journal.token:
        journal.snapshot([row[:3] for row in rows])
    yield
    for notification in connection.notifies():
        _change(journal, json.loads(notification.payload))
        yield


def by_listen(
    connection: psycopg.Connection[Any], subject: Subject, journal: Journal
) -> Iterator[None]:
    """LISTEN on the table's channel: rows and changes alike as notifications."""
    options = [f"where={quote(subject.where)}"] if subject.where else []
    if not journal.token:
        options.append("snapshot=true")
    name = subject.table + ("?" + "&".join(options) if options else "")
    since = f" SINCE '{journal.token}'" if journal.token else ""
    connection.execute(f'LISTEN "{name}"{since}')
    yield
    rows: list[tuple[int, int, str | None]] | None = None
    for notification in connection.notifies():
        told = json.loads(notification.payload)
        match told["op"]:
            case "reset":
                rows = []
            case "ready" if rows is not None:
                journal.snapshot(rows)
                rows = None
            case "insert" if rows is not None:
                row = told["row"]
                rows.append((int(row["id"]), row["n"], row["body"]))
            case _:
                _change(journal, told)
        yield


def _change(journal: Journal, change: dict[str, Any]) -> None:
    """Of forms 1 and 4. Raises TooOldError, EndedError."""
    if change["op"] == "error":
        if change["code"] in LOST_STATES:
            raise EndedError
        if change["code"] != TOO_OLD:
            journal.write("refused", text=json.dumps(change))
        raise TooOldError
    if change["op"] == "gap":
        journal.write("gap", dropped=change["dropped"])
    else:
        journal.change(change)


def by_subscribing_again(
    connection: psycopg.Connection[Any], subject: Subject, journal: Journal
) -> Iterator[None]:
    """SUBSCRIBE, a change or two, and SUBSCRIBE again: as many snapshots as possible."""
    where = f" WHERE {subject.where}" if subject.where else ""
    for channel in map("again{}".format, count()):
        text = f"SUBSCRIBE TO {subject.table}{where} OPTIONS (channel = '{channel}')"
        journal.snapshot([row[:3] for row in connection.execute(text).fetchall()])
        yield
        for notification in connection.notifies(timeout=HEAR_S, stop_after=1):
            if notification.channel == channel:
                _change(journal, json.loads(notification.payload))
        connection.execute(f"UNSUBSCRIBE {channel}")


Texts = Sequence[str | None]


def by_copy(
    connection: psycopg.Connection[Any], subject: Subject, journal: Journal
) -> Iterator[None]:
    """COPY (SUBSCRIBE …) TO STDOUT."""
    statement = f"COPY ({_subscribe(subject, journal)}) TO STDOUT"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        yield from _rows(copy.rows(), journal)


def by_fetch(
    connection: psycopg.Connection[Any], subject: Subject, journal: Journal
) -> Iterator[None]:
    """A cursor for SUBSCRIBE."""
    connection.execute(f"DECLARE c CURSOR FOR {_subscribe(subject, journal)}".encode())

    def fetched() -> Iterator[Texts]:
        while True:
            cursor = connection.execute("FETCH 50 FROM c WITH (timeout = '1s')")
            yield from map(_texts, cursor)

    yield from _rows(fetched(), journal)


def by_result(
    connection: psycopg.Connection[Any], subject: Subject, journal: Journal
) -> Iterator[None]:
    """A result set without an end."""
    statement = _subscribe(subject, journal, "stream = true")
    with connection.cursor() as cursor:
        yield from _rows(map(_texts, cursor.stream(statement.encode())), journal)


def _subscribe(subject: Subject, journal: Journal, *options: str) -> str:
    where = f" WHERE {subject.where}" if subject.where else ""
    given = [*options, f"progress = '{PROGRESS}'"]
    if journal.token:
        given.append(f"from_seq = '{journal.token}'")
    return f"SUBSCRIBE TO {subject.table}{where} OPTIONS ({', '.join(given)})"


def _texts(row: Sequence[object]) -> Texts:
    return [None if value is None else str(value) for value in row]


def _rows(rows: Iterable[Texts], journal: Journal) -> Iterator[None]:
    """Rows up to the first progress are the snapshot, if it was asked for; then changes."""
    snapshot: list[tuple[int, int, str | None]] | None = None if journal.token else []
    yield
    for row in rows:
        _, op, token, id_, n, body = row
        if op == "gap":
            journal.write("gap", dropped=token)
        elif snapshot is None:
            journal.row(row)
        elif op == "progress":
            journal.snapshot(snapshot, token or "")
            snapshot = None
        else:
            snapshot.append((int(id_ or 0), int(n or 0), body))
        yield


Read = Callable[[psycopg.Connection[Any], Subject, Journal], Iterator[None]]
FORMS: Final[dict[str, Read]] = {
    "SUBSCRIBE": by_notifications,
    "LISTEN": by_listen,
    "COPY": by_copy,
    "FETCH": by_fetch,
    "stream": by_result,
    "again": by_subscribing_again,
}
