"""A process that follows a table and keeps a journal of it, which it goes on from when it was killed.

A record of the journal is a line of JSON: a snapshot, a change with its token, or how a link was lost.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg

from tests.wire.server import PASSWORD

AGAIN_S: Final = 0.1
CONNECT_TIMEOUT_S: Final = 20

# What a server that ends, or begins, says.
LOST_STATES: Final = frozenset(("57P01", "57P02", "57P03", None))
TOO_OLD: Final = "72000"


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
            if record["what"] in ("change", "forgotten", "snapshot"):
                self.token = record["change"]["token"] if record["what"] == "change" else ""
                break
        self.in_transaction = False

    def write(self, what: str, **of: object) -> None:
        line = json.dumps({"what": what, **of}) + "\n"
        os.write(self._file.fileno(), line.encode())

    def change(self, change: dict[str, Any]) -> None:
        """It is told, and where to go on from: in one."""
        self.write("change", change=change)
        self.token = change["token"]
        self.in_transaction = not change["last"]

    def forget(self) -> None:
        """From here on with a snapshot."""
        self.write("forgotten")
        self.token = ""
        self.in_transaction = False


def follow(subject: Subject, port: int, path: Path, form: str) -> None:
    """Never ends by itself."""
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
                for _ in read(connection, subject, journal):
                    phase = "transaction" if journal.in_transaction else "rest"
        except TooOldError:
            if not subject.may_forget:
                journal.write("refused", text=f"72000 for {journal.token}")
            journal.forget()
        except psycopg.OperationalError as exc:
            if exc.sqlstate not in LOST_STATES:
                journal.write("refused", text=f"{exc.sqlstate}: {exc}")
            journal.write(f"lost in {phase}")
            time.sleep(AGAIN_S)
        except psycopg.Error as exc:
            journal.write("refused", text=f"{exc.sqlstate}: {exc}")
            time.sleep(AGAIN_S)


def by_notifications(
    connection: psycopg.Connection[Any], subject: Subject, journal: Journal
) -> Iterator[None]:
    """SUBSCRIBE: a result set, then notifications."""
    where = f" WHERE {subject.where}" if subject.where else ""
    options = f" OPTIONS (from_seq = '{journal.token}')" if journal.token else ""
    rows = connection.execute(f"SUBSCRIBE TO {subject.table}{where}{options}").fetchall()
    if not journal.token:
        journal.write("snapshot", rows=[row[:3] for row in rows])
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
                journal.write("snapshot", rows=rows)
                rows = None
            case "insert" if rows is not None:
                row = told["row"]
                rows.append((int(row["id"]), row["n"], row["body"]))
            case _:
                _change(journal, told)
        yield


def _change(journal: Journal, change: dict[str, Any]) -> None:
    """Of forms 1 and 4. Raises TooOldError."""
    if change["op"] == "error":
        if change["code"] != TOO_OLD:
            journal.write("refused", text=json.dumps(change))
        raise TooOldError
    journal.change(change)


Read = Callable[[psycopg.Connection[Any], Subject, Journal], Iterator[None]]
FORMS: Final[dict[str, Read]] = {"SUBSCRIBE": by_notifications, "LISTEN": by_listen}
