"""Probes: a statement, and the way in which it is asked. By seed."""

# ruff: noqa: E501 -- one statement a line

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from tests.wire.isolation import SCHEMA
from tests.wire.raw import SYNC, RawClient, bind, execute, message, parse

SETUP: Final = f"""
    CREATE TABLE {SCHEMA}.numbered (id SERIAL PRIMARY KEY, code TEXT UNIQUE, secret TEXT) WITH (TYPE = 'USER');
    CREATE TABLE {SCHEMA}.child (id INT PRIMARY KEY, note BIGINT REFERENCES {SCHEMA}.notes(id), secret TEXT) WITH (TYPE = 'USER');
    CREATE SEQUENCE {SCHEMA}.counter;
    ALTER TABLE {SCHEMA}.pairs ADD COLUMN later TEXT DEFAULT 'later';
"""

SELECTED: Final = (
    "*", "count(*)", "secret", "max(secret)", "string_agg(secret, ',')", "array_agg(secret)", "x::text", "to_jsonb(x)",
    "length(secret)", "md5(secret)", "secret::int", "1 / (length(secret) - 17)", "1 / (length(secret) - length(secret))",
    "row_number() OVER (ORDER BY secret)", "lag(secret) OVER (ORDER BY secret)", "min(secret), max(secret), count(DISTINCT secret)",
    "(SELECT string_agg(y.secret, ';') FROM {n}.notes y)", "secret IN (SELECT secret FROM {n}.secrets)", "regexp_replace(secret, 'canary', '')",
)  # fmt: skip
FROM: Final = (
    "{n}.notes x", "{n}.secrets x", "(SELECT * FROM {n}.notes) x", "{n}.numbered x", "{n}.child x", "{n}.events x",
    "(SELECT id, secret FROM {n}.notes UNION ALL SELECT id, secret FROM {n}.secrets) x",
    "(SELECT p.a AS id, p.v AS secret FROM {n}.pairs p) x", "(SELECT n.id, n.secret FROM {n}.notes n JOIN {n}.pairs p ON n.id = p.a) x",
    "(SELECT id, secret FROM {n}.notes EXCEPT SELECT 1, 'x') x",
)  # fmt: skip
WHERE: Final = (
    "", "WHERE id = 1", "WHERE id = 3", "WHERE id = 4 OR true", "WHERE secret LIKE '%of-bob%'", "WHERE secret > 'canary-of-alice-2'",
    "WHERE secret = 'canary-of-dora-1'", "WHERE id IN (SELECT a FROM {n}.pairs)", "WHERE EXISTS (SELECT 1 FROM {n}.notes z WHERE z.secret = x.secret)",
    "WHERE length(secret) > 0", "WHERE NOT id < 0", "WHERE CASE WHEN secret LIKE '%bob%' THEN 1 / 0 = 1 ELSE true END",
)  # fmt: skip
SAID: Final = ("canary-of-alice-2'", "canary-of-dora-1'")
"""What probes say themselves, and may hear again."""

OTHERS: Final = (
    "INSERT INTO {n}.notes VALUES (1, 'mine', 1)", "INSERT INTO {n}.notes VALUES (4, 'mine', 1)", "INSERT INTO {n}.notes VALUES (77, NULL, 1)",
    "INSERT INTO {n}.notes VALUES (77, 'mine', -1)", "INSERT INTO {n}.notes VALUES (1, 'x', 1), (2, 'x', 1), (3, 'x', 1), (4, 'x', 1) ON CONFLICT (id) DO UPDATE SET amount = 1 RETURNING *",
    "INSERT INTO {n}.notes SELECT id + 100, secret, amount FROM {n}.notes ON CONFLICT DO NOTHING RETURNING secret",
    "UPDATE {n}.notes SET amount = amount + 1 RETURNING *", "UPDATE {n}.notes SET secret = secret WHERE secret LIKE '%canary%'", "DELETE FROM {n}.notes RETURNING secret",
    "DELETE FROM {n}.notes WHERE id = 4", "INSERT INTO {n}.numbered (code, secret) VALUES ('code-1', 'mine')", "INSERT INTO {n}.numbered (code, secret) VALUES ('code-3', 'mine') RETURNING id",
    "INSERT INTO {n}.numbered (id, code) VALUES (1, 'anew')", "INSERT INTO {n}.child VALUES (50, 1, 'mine')", "INSERT INTO {n}.child VALUES (50, 4, 'mine')",
    "DELETE FROM {n}.notes WHERE id = 1", "UPDATE {n}.numbered SET code = 'code-1'", "SELECT currval('{n}.numbered_id_seq')", "SELECT lastval()", "SELECT currval('{n}.counter')",
    "SELECT last_value, is_called FROM {n}.numbered_id_seq", "SELECT pg_try_advisory_lock(7)", "SELECT pg_advisory_unlock(7)", "SELECT count(*) FROM pg_locks",
    "DESCRIBE TABLE {n}.notes", "DESCRIBE TABLE {n}.pairs HISTORY", "SHOW TABLES", "SELECT pg_relation_size('{n}.notes')", "SELECT pg_total_relation_size('{n}.notes')",
    "SELECT reltuples, relpages FROM pg_class WHERE relname = 'notes'", "SELECT * FROM pg_stats", "SELECT * FROM pg_stat_user_tables", "SELECT * FROM pg_prepared_statements", "SELECT * FROM pg_cursors",
    "SELECT has_table_privilege('bob', '{n}.closed', 'SELECT')", "SELECT * FROM {n}.closed", "SELECT * FROM {n}.granted", "SELECT * FROM {n}.peep",
    "INSERT INTO {n}.closed VALUES (1, 'mine')", "UPDATE {n}.granted SET body = body", "EXECUTE AS USER 'bob' (SELECT * FROM {n}.notes)", "EXECUTE AS USER 'nobody' (SELECT 1)", "SET ROLE bob", "SET SESSION AUTHORIZATION bob",
    "EXPLAIN ANALYZE SELECT * FROM {n}.notes", "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM {n}.pairs WHERE v LIKE '%bob%'", "COPY {n}.notes TO STDOUT", "COPY (SELECT * FROM {n}.secrets) TO STDOUT",
    "TABLE {n}.notes", "VALUES ((SELECT max(secret) FROM {n}.notes))", "SELECT to_regclass('{n}.notes'), '{n}.notes'::regclass::text", "LOCK TABLE {n}.notes IN SHARE MODE", "TRUNCATE {n}.notes",
    "SELECT * FROM {n}.notes FOR UPDATE", "SELECT * FROM {n}.notes WHERE id = 4 FOR UPDATE NOWAIT", "SELECT * FROM {n}.notes FOR UPDATE SKIP LOCKED",
)  # fmt: skip
"""What changes something is rolled back: see `Way`."""

Way = Callable[[RawClient, str], None]


def _simple(client: RawClient, text: str) -> None:
    client.simple(text)


def _extended(client: RawClient, text: str) -> None:
    client.extended(text)


def _quick(client: RawClient, text: str) -> None:
    """Prepared, and run three times: the third time in one step, if it is one of those."""
    client.send(parse(text, "q") + SYNC)
    if client.answer().sqlstate is None:
        for _ in range(3):
            client.send(bind(statement="q") + execute() + SYNC)
            client.answer()
        client.send(message(b"C", b"Sq\0") + SYNC)
        client.answer()


def _cursor(client: RawClient, text: str) -> None:
    client.simple(f"DECLARE c SCROLL CURSOR FOR {text}")
    client.simple("FETCH 2 FROM c")
    client.simple("MOVE LAST IN c")
    client.simple("FETCH BACKWARD ALL FROM c")


def _explained(client: RawClient, text: str) -> None:
    client.simple(f"EXPLAIN {text}")


def _failing(client: RawClient, text: str) -> None:
    """Its rows in an error's text."""
    client.simple(f"SELECT (w::text)::int FROM ({text}) w")


def _in_block(way: Way) -> Way:
    def asked(client: RawClient, text: str) -> None:
        client.simple("BEGIN")
        way(client, text)
        client.simple("ROLLBACK")

    return asked


WAYS: Final[dict[str, Way]] = {
    "simple": _in_block(_simple),
    "extended": _in_block(_extended),
    "quick": _quick,
    "cursor": _in_block(_cursor),
    "explain": _explained,
    "error": _failing,
}
CHANGING: Final = ("simple", "extended")


def probes(seed: int, count: int, relations: list[str]) -> Iterator[tuple[str, str]]:
    """(way, statement): every statement of `OTHERS`, every relation of the catalogue, then as drawn."""
    made = 0
    for text in OTHERS:
        for way in CHANGING:
            made += 1
            yield way, text.format(n=SCHEMA)
    for relation in relations:
        made += 1
        yield "simple", f"SELECT * FROM {relation}"
    random = Random(seed)
    ways = tuple(WAYS)
    while made < count:
        made += 1
        text = f"SELECT {random.choice(SELECTED)} FROM {random.choice(FROM)} {random.choice(WHERE)}"
        yield random.choice(ways), text.format(n=SCHEMA)
