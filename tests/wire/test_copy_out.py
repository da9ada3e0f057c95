"""COPY … TO STDOUT: every message, tag and error as PostgreSQL 15 has them."""

import asyncio

import asyncpg
import psycopg
import pytest

from tests.wire.raw import DESCRIBE, SYNC, RawClient, bind, execute, parse, query
from tests.wire.test_cursors_at_size import memory_mb
from tests.wire.test_lock_faults import cancel

pytestmark = pytest.mark.slow

TABLE = """
CREATE TABLE copied (
  id int PRIMARY KEY, "Quoted Name" text, big bigint, small smallint, yes boolean, exact numeric,
  near float8, single real, day date, at timestamp, moment timestamptz, took interval, raw bytea,
  doc json, docb jsonb, one uuid, words text[], numbers int[], short varchar(9), clock time
)
"""
ROWS = r"""
INSERT INTO copied VALUES
 (1, 'plain', 7123456789012345678, -3, true, 1.5, 1e20, 0.1, '2024-02-29', '2024-02-29 12:34:56.789',
  '2024-02-29 12:34:56+02', '1 day 02:03:04', '\x00ff5c', '{"a": [1, "x\ty"]}', '{"b": null}',
  '00000000-0000-0000-0000-0000000000ff', '{a,"b c",NULL,"q\"q"}', '{1,NULL,3}', 'é', '23:59:59.5'),
 (2, '', 0, 0, false, 0, 'NaN', '-Infinity', 'infinity', '-infinity', 'infinity', '-1 mon', '', '[]', '[]',
  NULL, '{}', '{}', '', '00:00'),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL),
 (4, E'tab\there\nline\rreturn\\back\bb\ff\x0bv', 1, 1, true, 'NaN', -0.0, 1e-20, '0001-01-01 BC', NULL,
  NULL, NULL, E'\\x5c2e', '"x"', '"y"', NULL, ARRAY[E'a\nb', E'\\'], NULL, E'\\.', NULL),
 (5, '\.', 5, 5, true, -1, 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '\N', NULL),
 (6, 'say "hi", ok; a|b ''q'' x', 5, 5, true, -1, 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, 'NULL', NULL),
 (7, E'\x01 \x7f  spaces ', 5, 5, true, 100000, 123456789, 1234567, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, ' ', NULL)
"""

STATEMENTS = r'''
COPY copied TO STDOUT
COPY copied TO STDIN
COPY public.copied (id, short) TO STDOUT
COPY copied (short, "Quoted Name", id) TO STDOUT WITH CSV HEADER
COPY BINARY copied TO STDOUT
COPY copied TO STDOUT BINARY
COPY copied TO STDOUT (FORMAT binary)
COPY copied TO STDOUT WITH (FORMAT csv)
COPY copied TO STDOUT (FORMAT 'text', HEADER)
COPY copied TO STDOUT (FORMAT csv, HEADER true, FORCE_QUOTE *)
COPY copied TO STDOUT (FORMAT csv, FORCE_QUOTE ("Quoted Name", id, took), NULL 'NULL')
COPY copied TO STDOUT (FORMAT csv, QUOTE '~', ESCAPE E'\\', DELIMITER '|')
COPY copied TO STDOUT (FORMAT csv, DELIMITER ' ', NULL '-')
COPY copied TO STDOUT (FORMAT csv, DELIMITER ':')
COPY copied TO STDOUT (FORMAT csv, QUOTE '-', DELIMITER '.')
COPY copied TO STDOUT (FORMAT csv, QUOTE '1', NULL '0')
COPY copied TO STDOUT (DELIMITER '-')
COPY copied TO STDOUT (DELIMITER E'\x01', NULL '')
COPY copied TO STDOUT (DELIMITER 'E')
COPY copied TO STDOUT (DELIMITER ',', NULL 'null')
COPY copied TO STDOUT (NULL 't')
COPY copied TO STDOUT USING DELIMITERS '|' WITH NULL AS '*'
COPY copied TO STDOUT DELIMITERS '|'
COPY copied TO STDOUT DELIMITER AS ';' CSV QUOTE AS '|' ESCAPE '*' FORCE QUOTE id, short
COPY copied TO STDOUT CSV FORCE QUOTE *
COPY copied (id, short) TO STDOUT (ENCODING 'LATIN1')
COPY copied (id, short) TO STDOUT (ENCODING latin1, FORMAT csv)
COPY copied (id, short) TO STDOUT ENCODING 'UTF-8'
COPY copied (id, short) TO STDOUT (ENCODING 'win1252')
COPY copied TO STDOUT (FREEZE)
COPY copied TO STDOUT (FREEZE false, HEADER off)
COPY copied TO STDOUT (HEADER 1, FORMAT csv)
COPY copied TO STDOUT (HEADER 0, FORMAT csv)
COPY (SELECT id, yes FROM copied ORDER BY id DESC LIMIT 2) TO STDOUT
COPY (SELECT id, yes FROM copied WHERE false) TO STDOUT (FORMAT binary)
COPY (SELECT id, yes FROM copied WHERE false) TO STDOUT (FORMAT csv, HEADER)
COPY (SELECT 1 AS "a,b", 2 AS "say ""x""", 3 AS "tab	x") TO STDOUT (FORMAT csv, HEADER)
COPY (SELECT 1 AS "tab	x", 2 AS "back\slash") TO STDOUT (HEADER)
COPY (SELECT FROM copied) TO STDOUT
COPY (SELECT short FROM copied WHERE id = 4) TO STDOUT CSV
COPY (SELECT short AS "\." FROM copied WHERE id = 4) TO STDOUT CSV HEADER
COPY (SELECT short, 1 FROM copied WHERE id = 4) TO STDOUT CSV
COPY (SELECT NULL::int) TO STDOUT CSV
COPY (SELECT '') TO STDOUT CSV
COPY (SELECT E'€', E'a\\b', '😀') TO STDOUT
COPY (VALUES (1, 'a'), (2, NULL)) TO STDOUT
COPY (TABLE copied) TO STDOUT (FORMAT csv)
COPY (WITH x AS (SELECT 1 AS n) SELECT n, n FROM x) TO STDOUT
COPY (SELECT n, 'row ' || n FROM generate_series(1, 3000) n) TO STDOUT
COPY (SELECT n FROM generate_series(1, 3000) n) TO STDOUT (FORMAT binary)
COPY (INSERT INTO copied (id) VALUES (100), (101) RETURNING id, short) TO STDOUT
COPY (UPDATE copied SET short = 'x' WHERE id = 100 RETURNING id, short) TO STDOUT CSV
COPY (DELETE FROM copied WHERE id >= 100 RETURNING id) TO STDOUT BINARY
COPY (SELECT 1/0) TO STDOUT
COPY (DELETE FROM copied WHERE false) TO STDOUT
COPY (SELECT '€') TO STDOUT (ENCODING 'LATIN1')
COPY nowhere TO STDOUT
COPY no.where TO STDOUT
COPY seen TO STDOUT
COPY copied (id, nothing) TO STDOUT
COPY copied (id, id) TO STDOUT
COPY (SELECT nothing FROM copied) TO STDOUT
COPY copied TO STDOUT (FORMAT xml)
COPY copied TO STDOUT (FORMAT)
COPY copied TO STDOUT (FORMAT csv, FORMAT csv)
COPY copied TO STDOUT CSV BINARY
COPY copied TO STDOUT (nothing true)
COPY copied TO STDOUT (HEADER 2)
COPY copied TO STDOUT (HEADER 'yes')
COPY copied TO STDOUT (HEADER '1')
COPY copied TO STDOUT (HEADER match)
COPY copied TO STDOUT (HEADER, FORMAT binary)
COPY copied TO STDOUT (FREEZE 7)
COPY copied TO STDOUT (DELIMITER '')
COPY copied TO STDOUT (DELIMITER 'ab')
COPY copied TO STDOUT (DELIMITER 'é')
COPY copied TO STDOUT (DELIMITER E'\n')
COPY copied TO STDOUT (DELIMITER 'x')
COPY copied TO STDOUT (DELIMITER 1)
COPY copied TO STDOUT (DELIMITER '\')
COPY copied TO STDOUT (DELIMITER '*', NULL '*')
COPY copied TO STDOUT (DELIMITER ',', FORMAT binary)
COPY copied TO STDOUT (NULL '', FORMAT binary)
COPY copied TO STDOUT (NULL E'a\n')
COPY copied TO STDOUT (NULL '"x', FORMAT csv)
COPY copied TO STDOUT (QUOTE 'x')
COPY copied TO STDOUT (QUOTE 'xx', FORMAT csv)
COPY copied TO STDOUT (QUOTE ',', FORMAT csv)
COPY copied TO STDOUT (ESCAPE 'x')
COPY copied TO STDOUT (ESCAPE '', FORMAT csv)
COPY copied TO STDOUT (FORCE_QUOTE *)
COPY copied TO STDOUT (FORCE_QUOTE id, FORMAT csv)
COPY copied TO STDOUT (FORCE_QUOTE (nothing), FORMAT csv)
COPY copied (id) TO STDOUT (FORCE_QUOTE (short), FORMAT csv)
COPY copied TO STDOUT (FORCE_QUOTE (id, id), FORMAT csv)
COPY (SELECT id FROM copied) TO STDOUT (FORCE_QUOTE (short), FORMAT csv)
COPY pg_catalog.nowhere TO STDOUT
COPY copied TO STDOUT (FORCE_NOT_NULL (id))
COPY copied TO STDOUT (FORCE_NOT_NULL (id), FORMAT csv)
COPY copied TO STDOUT (FORCE_NULL (id), FORMAT csv)
COPY copied TO STDOUT CSV FORCE NULL id
COPY copied TO STDOUT CSV FORCE NOT NULL id
COPY copied TO STDOUT (FORCE_NULL *, FORMAT csv)
COPY copied TO STDOUT (ENCODING 'nonsense')
COPY copied TO STDOUT (ENCODING)
COPY copied TO STDOUT ()
COPY copied TO STDOUT WITH nonsense
COPY copied TO STDOUT DELIMITER
COPY copied TO
COPY copied
COPY
COPY (SELECT 1) TO STDOUT USING DELIMITERS '|'
COPY (CREATE TABLE x (a int)) TO STDOUT
COPY () TO STDOUT
COPY (SELECT 1 TO STDOUT
COPY (SELECT 1; SELECT 2) TO STDOUT
COPY copied () TO STDOUT
'''


def told(connection, statement):
    """The messages and the tag, or the error, of one COPY."""
    messages = []
    try:
        with connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                while data := copy.read():
                    messages.append(bytes(data))
            return messages, cursor.statusmessage
    except psycopg.Error as exc:
        d = exc.diag
        position = d.statement_position
        return (messages, d.sqlstate, d.message_primary, d.message_detail, d.message_hint, position)


@pytest.fixture(scope="module")
def sides(servers):
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as postgres:
        for connection in (ours, postgres):
            connection.execute("SET TIME ZONE 'Europe/Berlin'")
            connection.execute(TABLE)
            connection.execute(ROWS)
            connection.execute("CREATE VIEW seen AS SELECT id FROM copied")
        yield ours, postgres
        ours.execute("DROP TABLE copied CASCADE")
        postgres.execute("DROP TABLE copied CASCADE")


def test_every_message_and_every_error_is_that_of_postgresql(sides):
    ours, postgres = sides
    found = [(each, told(ours, each), told(postgres, each)) for each in STATEMENTS.splitlines()]
    assert len(found) > 100
    assert [difference for difference in found if difference[1] != difference[2]] == []


def test_a_copy_is_a_part_of_a_text_and_of_a_block(server, chat):
    """The order of messages is that of the manual; what follows a COPY is answered after it."""
    with RawClient(server, "alice") as client:
        answer = client.simple(
            "COPY (VALUES (1), (2)) TO STDOUT; SELECT 3; COPY (SELECT 4) TO STDOUT"
        )
        assert answer.kinds == "HddcCTDCHdcCZ"
        assert answer.tags == ["COPY 2", "SELECT 1", "COPY 1"]
        # By the extended protocol: nothing describes it, and a row limit is not about it.
        client.send(parse("COPY (VALUES (1), (2)) TO STDOUT") + bind() + DESCRIBE)
        client.send(execute(1) + execute() + SYNC)
        answer = client.answer()
        assert (answer.kinds, answer.sqlstate) == ("12nHddcCEZ", "55000")
        client.simple("BEGIN")
        client.simple(f"INSERT INTO {chat}.conversations VALUES (1, 'mine')")
        assert client.simple(f"COPY {chat}.conversations (id) TO STDOUT").kinds == "HdcCZ"
        assert client.simple("COPY nowhere TO STDOUT").kinds == "EZ"
        assert client.simple("COPY (SELECT 1) TO STDOUT").sqlstate == "25P02"
        client.simple("ROLLBACK")
        client.send(query("COPY (SELECT 1/0) TO STDOUT") + query("SELECT 1"))
        assert client.answer(ready=2).kinds == "EZTDCZ"


def test_everybody_copies_their_own_rows_and_no_files(server, chat):
    with server.connect("alice") as alice, server.connect("bob") as bob, server.root() as root:
        alice.execute(f"INSERT INTO {chat}.conversations VALUES (1, 'alice''s')")
        bob.execute(f"INSERT INTO {chat}.conversations VALUES (2, 'bob''s')")
        assert told(alice, f"COPY {chat}.conversations (title) TO STDOUT")[0] == [b"alice's\n"]
        acting = f"EXECUTE AS USER 'bob' (COPY {chat}.conversations (title) TO STDOUT)"
        assert told(root, acting)[0] == [b"bob's\n"]
        root.execute(
            f"CREATE TABLE {chat}.closed (id int PRIMARY KEY) WITH (ACCESS_LEVEL = 'PRIVATE')"
        )
        refused = [
            told(connection, statement)[1]
            for connection in (alice, root)
            for statement in (
                f"COPY {chat}.closed TO STDOUT",
                f"COPY {chat}.notes TO '/tmp/x'",
                f"COPY {chat}.notes TO PROGRAM 'cat'",
            )
        ]
        assert refused == ["42501", "42501", "42501", None, "0A000", "0A000"]


def test_a_client_that_does_not_read_makes_the_server_wait(server):
    """Some 100 MB: the server keeps no more of it than it may send, and another COPY is cancelled."""
    with RawClient(server) as slow, server.root() as other:
        slow.send(
            query("COPY (SELECT repeat('x', 10000) FROM generate_series(1, 10000)) TO STDOUT")
        )
        assert slow.receive()[0] == "H"
        before = memory_mb(server)
        assert other.execute("SELECT 1").fetchone() == (1,)
        assert memory_mb(server) - before < 16
        answer = slow.answer()
        assert (answer.tags, len(answer.kinds)) == (["COPY 10000"], 10003)
        slow.send(query("COPY (SELECT n FROM generate_series(1, 100000000) n) TO STDOUT"))
        slow.receive()
        other.execute("SELECT 1")
        cancel(server, slow)
        assert slow.answer().sqlstate == "57014"
        assert slow.simple("SELECT 1").kinds == "TDCZ"


def test_drivers_take_it(server, tmp_path):
    async def copy() -> list[bytes]:
        connection = await asyncpg.connect(server.dsn("alice"))
        pieces = []

        async def keep(data):
            pieces.append(data)

        tags = [
            await connection.copy_from_query("SELECT $1::int, 'a'", 5, output=keep, format="csv"),
            await connection.copy_from_query("SELECT 1::int4", output=keep, format="binary"),
        ]
        assert tags == ["COPY 1", "COPY 1"]
        await connection.close()
        return pieces

    binary = b"PGCOPY\n\xff\r\n\0" + bytes(8) + bytes((0, 1, 0, 0, 0, 4, 0, 0, 0, 1))
    assert b"".join(asyncio.run(copy())) == b"5,a\n" + binary + b"\xff\xff"
    statement = "COPY (SELECT %s::int, NULL) TO STDOUT"
    with server.connect("alice") as alice, alice.cursor().copy(statement, [7]) as copied:
        copied.set_types(["int4", "text"])
        assert list(copied.rows()) == [(7, None)]
    assert server.psql("COPY (SELECT 1, 'a b') TO STDOUT CSV") == "1,a b\n"
    target = tmp_path / "rows"
    server.psql(f"\\copy (SELECT 2) to '{target}' csv")
    assert target.read_text() == "2\n"
