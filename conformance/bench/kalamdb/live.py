"""Scenarios of subscriptions. PostgreSQL's are a trigger that calls pg_notify, LISTEN, and a SELECT."""

from typing import Final

from conformance.bench.kalamdb.client import Client, Scenario, Work
from conformance.bench.kalamdb.statements import NOTES, note
from conformance.bench.notify import Session

_TOLD = (
    "CREATE OR REPLACE FUNCTION k.told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " PERFORM pg_notify(TG_TABLE_NAME, row_to_json(NEW)::text); RETURN NEW; END $$"
)


def _table(client: Client, name: str) -> tuple[str, Session]:
    """A table of 1000 rows whose changes are told, and a session of its user."""
    session = Session(client.server)
    table = f"k.{name}"
    rows = ", ".join(f"({note(n)})" for n in range(1000))
    session.run(f"DROP TABLE IF EXISTS {table}")
    session.run(f"CREATE TABLE {table} ({NOTES}){client.kind}")
    session.run(f"INSERT INTO {table} VALUES {rows}")
    session.run("SET synchronous_commit = off")
    if not client.server.is_kalam:
        session.run(_TOLD)
        session.run(
            f"CREATE TRIGGER told AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION k.told()"
        )
    return table, session


def _subscribe(client: Client, session: Session, name: str, more: str = "") -> None:
    """Begin to be told of a table's changes. more: options."""
    if client.server.is_kalam:
        session.run(f"SUBSCRIBE TO k.{name} OPTIONS (channel = '{name}'{more})")
    else:
        session.run(f"LISTEN {name}")
        if not more:
            session.run(f"SELECT * FROM k.{name}")


def subscribe_initial_load(client: Client) -> Work:
    """Being told of a table's changes, with the 1000 rows that it has."""
    _, session = _table(client, "loaded")
    return Work(
        lambda _: _subscribe(client, session, "loaded"),
        lambda _: session.run("UNLISTEN *"),
    )


def subscribe_change_latency(client: Client) -> Work:
    """From an INSERT, sent, to its arrival at another client."""
    table, writer = _table(client, "changed")
    reader = Session(client.server)
    _subscribe(client, reader, "changed", ", snapshot = false")

    def once(number: int) -> None:
        writer.send(f"INSERT INTO {table} VALUES ({note(1000 + number)})")
        reader.wait(b"A")

    def before(_number: int) -> None:
        if before.sent:  # type: ignore[attr-defined]
            writer.wait(b"Z")
        before.sent = True  # type: ignore[attr-defined]

    before.sent = False  # type: ignore[attr-defined]
    return Work(once, before)


def reconnect_subscribe(client: Client) -> Work:
    """A client who was away: connects, is told of changes again, and of what there is."""
    _table(client, "resumed")

    def once(_number: int) -> None:
        session = Session(client.server)
        _subscribe(client, session, "resumed")
        session.socket.close()

    return Work(once)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    *(subscribe_initial_load, subscribe_change_latency, reconnect_subscribe),
)
