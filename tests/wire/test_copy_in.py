"""COPY … FROM STDIN: every row, tag and error as PostgreSQL 15 has them."""

import asyncio
import json
import struct
import threading

import asyncpg
import psycopg
import pytest

from tests.wire.raw import DESCRIBE, SYNC, RawClient, bind, execute, message, parse, query
from tests.wire.test_lock_faults import cancel

pytestmark = pytest.mark.slow

TABLE = """
CREATE TABLE taken (
  id int PRIMARY KEY, "Quoted Name" text, short varchar(5), exact numeric(6, 2) CHECK (exact > -10),
  yes boolean NOT NULL DEFAULT true, words text[], moment timestamptz, doc jsonb, raw bytea, near float8
)
"""

CASES = r"""
COPY taken (id, short) FROM STDIN
1\ta
2\t\N
3\t
--
COPY taken (id, short) FROM STDIN
1\ta\r\n2\tb\r\n
--
COPY taken (id, short) FROM STDIN
1\ta\r2\tb\r
--
COPY taken (id, short) FROM STDIN
1\ta
2\tb\r
--
COPY taken (id, short) FROM STDIN
1\ta\r\n2\tb\n
--
COPY taken (id, short) FROM STDIN
1\ta\r2\tb\n
--
COPY taken (id, "Quoted Name") FROM STDIN
1\t\\b\\f\\n\\r\\t\\v\\\\x\\q\\.y
2\t\\101\\x42\\x4g\\7\\x
3\t\\xc3\\xa9\\303\\251
4\tend\\
--
COPY taken (id, "Quoted Name") FROM STDIN
1\ta\\\nb
2\ta\\\tb
--
COPY taken (id, "Quoted Name") FROM STDIN
1\t\\xff
--
COPY taken (id, "Quoted Name") FROM STDIN
1\ta\\0b
--
COPY taken (id, "Quoted Name") FROM STDIN
1\t\\\\N
2\t\\N
3\tN
--
COPY taken (id, short) FROM STDIN
1\ta
\\.
2\tb
--
COPY taken (id, short) FROM STDIN
1\ta
2\tb\\.
3\tc
--
COPY taken (id, short) FROM STDIN
1\ta
\\.x
--
COPY taken (id, short) FROM STDIN
1
--
COPY taken (id, short) FROM STDIN
1\ta\tb
--
COPY taken (id, short) FROM STDIN

--
COPY taken (short, id) FROM STDIN
abcdef\t1
--
COPY taken (id, short) FROM STDIN
1\tok
2x\tbad
--
COPY taken (id, exact) FROM STDIN
1\t1.005
2\t9999.994
3\t-9.999
--
COPY taken (id, exact) FROM STDIN
1\t-10
--
COPY taken (id, exact) FROM STDIN
1\t99999
--
COPY taken (id, yes) FROM STDIN
1\tt
2\tf
3\toff
--
COPY taken (id, yes) FROM STDIN
1\t\\N
--
COPY taken (id) FROM STDIN
1
2
1
--
COPY taken (id) FROM STDIN WHERE id % 2 = 0 AND short IS NULL
1
2
3
4
--
COPY taken (id) FROM STDIN WHERE nothing = 1
1
--
COPY taken (id) FROM STDIN WHERE (SELECT true)
1
--
COPY taken (id) FROM STDIN WHERE count(*) > 1
1
--
COPY taken (id) FROM STDIN WHERE id
1
--
COPY taken (id) FROM STDIN (FORMAT csv) WHERE 1 / (id - 2) > 0
3
2
--
COPY taken (id, words, doc, raw) FROM STDIN
1\t{a,"b c",NULL}\t{"a": [1, 2]}\t\\\\x00ff
2\t{}\t"x"\tab\\\\000
--
COPY taken (id, words) FROM STDIN
1\t{a
--
COPY taken (id, moment) FROM STDIN
1\t2024-02-29 12:00
2\tinfinity
3\t2024-02-30
--
COPY taken (id, near) FROM STDIN
1\tNaN
2\t-Infinity
3\t1e400
--
COPY taken (id, short) FROM STDIN (DELIMITER ',', NULL 'null')
1,a
2,null
3,a\\,b
--
COPY taken (id, short) FROM STDIN DELIMITERS '|' WITH NULL AS '*'
1|*
2|a
--
COPY taken (id, short) FROM STDIN (NULL '')
1\t
2\ta
--
COPY taken (id, short) FROM STDIN CSV
1,a
2,
3,""
4,"x,y"
5,"a""b"
6,a"b"c
7, x
--
COPY taken (id, "Quoted Name") FROM STDIN CSV
1,"two
lines"
2,x
3,"bad
--
COPY taken (id, "Quoted Name") FROM STDIN CSV
1,"two
lines"
x,"three
lines
here"
--
COPY taken (id, short) FROM STDIN CSV HEADER
whatever
1,a
--
COPY taken (id, short) FROM STDIN (HEADER)
id\tshort
1\ta
--
COPY taken (id, short) FROM STDIN (FORMAT csv, HEADER match)
id,short
1,a
--
COPY taken (id, short) FROM STDIN (FORMAT csv, HEADER match)
id,shirt
1,a
--
COPY taken (id, short) FROM STDIN (FORMAT csv, HEADER match)
id
1,a
--
COPY taken (id, short) FROM STDIN (FORMAT csv, HEADER match)
id,
1,a
--
COPY taken (id, short) FROM STDIN (FORMAT csv, QUOTE '~', ESCAPE '!', DELIMITER ';')
1;~a!~b~
2;~a!!b~
3;~a!b~
4;!x
--
COPY taken (id, short) FROM STDIN (FORMAT csv, QUOTE '''', ESCAPE '\\')
1,'a\\'b'
2,\\
3,'\\\\'
--
COPY taken (id, short) FROM STDIN (FORMAT csv, FORCE_NOT_NULL (short))
1,
2,""
--
COPY taken (id, short) FROM STDIN (FORMAT csv, FORCE_NULL (short))
1,
2,""
3,x
--
COPY taken (id, short) FROM STDIN (FORMAT csv, FORCE_NULL (short), FORCE_NOT_NULL (short))
1,
2,""
--
COPY taken (id, short) FROM STDIN (FORMAT csv, NULL 'x')
1,x
2,"x"
3,
--
COPY taken (id, short) FROM STDIN CSV
1,a
\\.
2,b
--
COPY taken (short) FROM STDIN CSV
a
--
COPY taken (id, short) FROM STDIN CSV
1,a\r
2,b
--
COPY taken (id, short) FROM STDIN CSV
1,a
2,b\rc
--
COPY taken (id, short) FROM STDIN (FORMAT csv, FORCE_NULL (id))
x,a
--
COPY taken (id, short) FROM STDIN (FORMAT csv, FORCE_QUOTE (id))
--
COPY taken (id, short) FROM STDIN (FORCE_NULL (id))
--
COPY taken (id, short) FROM STDIN (FORMAT csv, FORCE_NULL (doc))
--
COPY taken (id, short) FROM STDIN (FORMAT csv, FORCE_NOT_NULL (nothing))
--
COPY taken (id, short) FROM STDIN (FORMAT csv, FORCE_NULL *)
--
COPY taken (id, nothing) FROM STDIN
--
COPY taken (id, id) FROM STDIN
--
COPY nowhere FROM STDIN
--
COPY no.where FROM STDIN
--
COPY seen FROM STDIN
--
COPY taken FROM STDIN (FORMAT xml)
--
COPY taken FROM STDIN (HEADER, FORMAT binary)
--
COPY taken FROM STDIN (HEADER maybe)
--
COPY taken FROM
--
COPY taken FROM STDIN WHERE
--
COPY (SELECT 1) FROM STDIN
--
COPY taken FROM STDOUT WHERE id = 1
--
COPY taken FROM STDIN
1\t\\N\t\\N\t\\N\tt\t\\N\t\\N\t\\N\t\\N\t\\N
--
COPY taken (id, short) FROM STDIN (ENCODING 'LATIN1')
1\té
--
COPY taken (id, short) FROM STDIN (ENCODING 'nonsense')
--
COPY taken (id, "Quoted Name") FROM STDIN
1\taaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\tx
--
COPY taken (id) FROM STDIN
12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890x
"""


def cases():
    for case in CASES.strip("\n").split("\n--\n"):
        statement, _, data = case.partition("\n")
        lines = data.replace("\\\\", "\0").replace("\\t", "\t").replace("\\r", "\r")
        lines = lines.replace("\\n", "\n").replace("\0", "\\")
        yield statement, (lines + "\n").encode() if data or case.endswith("\n") else b""


BINARY = b"PGCOPY\n\xff\r\n\0" + bytes(8)


def tuples(*rows, end=b"\xff\xff"):
    """Rows of the binary format."""
    made = b""
    for row in rows:
        made += struct.pack("!h", len(row))
        for field in row:
            made += (
                struct.pack("!i", -1) if field is None else struct.pack("!i", len(field)) + field
            )
    return BINARY + made + end


ONE = struct.pack("!i", 1)
BINARY_CASES = [
    tuples((ONE, b"a"), (struct.pack("!i", 2), None)),
    tuples((ONE, b"a"), end=b""),
    tuples(),
    b"",
    b"PGCOPY",
    b"nonsense, at length",
    BINARY[:13],
    BINARY[:17],
    BINARY[:11] + b"\0\1\0\0" + bytes(4) + b"\xff\xff",
    BINARY[:11] + b"\0\2\0\0" + bytes(4) + b"\xff\xff",
    BINARY[:15] + b"\0\0\0\3abc" + tuples((ONE, b"a"))[19:],
    BINARY[:15] + b"\0\0\0\3ab",
    tuples((ONE,)),
    tuples((ONE, b"a", b"b")),
    tuples((b"\0\0\0\0\1", b"a")),
    tuples((ONE, b"abcdef")),
    tuples((ONE, b"\xff")),
    tuples((ONE, b"a"), end=b"\0\2\0\0"),
    tuples((ONE, b"a"), end=b"\0\2\xff\xff\xff\xfe"),
    tuples((ONE, b"a")) + b"x",
    tuples((ONE, b"a"), (ONE, b"b")),
]


def told(connection, statement, data, *, pieces=0):
    """The rows and the tag, or the error, of one COPY; nothing of it stays."""
    try:
        with connection.transaction(force_rollback=True), connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                for at in range(0, len(data), pieces or len(data) or 1):
                    copy.write(data[at : at + (pieces or len(data))])
            tag = cursor.statusmessage
            rows = connection.execute(
                """SELECT id, "Quoted Name", short, exact::text, yes, words, moment::text, doc::text,
                   raw::text, near::text FROM taken ORDER BY id"""
            ).fetchall()
            return tag, rows
    except psycopg.Error as exc:
        d = exc.diag
        return (
            d.sqlstate, d.message_primary, d.message_detail, d.message_hint, d.statement_position,
            d.context, d.column_name, d.constraint_name,
        )  # fmt: skip


@pytest.fixture(scope="module")
def sides(servers):
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as postgres:
        for connection in (ours, postgres):
            connection.execute("SET TIME ZONE 'Europe/Berlin'")
            connection.execute(TABLE)
            connection.execute("CREATE VIEW seen AS SELECT id FROM taken")
        yield ours, postgres
        ours.execute("DROP TABLE taken CASCADE")
        postgres.execute("DROP TABLE taken CASCADE")


def differences(sides, statements_and_data):
    """What is not as in PostgreSQL, also when the client cuts what it sends anywhere."""
    ours, postgres = sides
    found = []
    for statement, data in statements_and_data:
        expected = told(postgres, statement, data)
        for pieces in (0, 1):
            here = told(ours, statement, data, pieces=pieces)
            if here != expected:
                found.append((statement, data, pieces, here, expected))
    return found


def test_every_row_and_every_error_is_that_of_postgresql(sides):
    found = differences(sides, cases())
    assert found == [], "\n".join(map(repr, found))


def test_the_binary_format_is_read_as_postgresql_reads_it(sides):
    statement = "COPY taken (id, short) FROM STDIN (FORMAT binary)"
    found = differences(sides, [(statement, data) for data in BINARY_CASES])
    assert found == [], "\n".join(map(repr, found))


COPY = message(b"d", b"1\ta\n2\tb\n")
DONE = message(b"c")


@pytest.fixture
def table(server, chat):
    """A USER table of ids and titles."""
    with server.root() as root:
        root.execute(
            f"CREATE TABLE {chat}.titles (id bigint PRIMARY KEY, title text) WITH (TYPE = 'USER')"
        )
    return f"{chat}.titles"


def test_the_order_of_messages_is_that_of_the_manual(server, table):
    statement = f"COPY {table} (id, title) FROM STDIN"
    with RawClient(server, "alice") as client:
        client.send(query(f"{statement}; SELECT 1") + COPY + DONE)
        assert client.answer().kinds == "GCTDCZ"
        # A driver of the extended protocol sends Sync behind Execute, and again behind the data.
        client.send(parse(statement) + bind() + DESCRIBE + execute() + SYNC)
        assert [client.receive()[0] for _ in range(4)] == list("12nG")
        client.send(message(b"d", b"3\tc\n") + message(b"H") + DONE + SYNC)
        answer = client.answer()
        assert (answer.kinds[-2:], answer.tags) == ("CZ", ["COPY 1"])
        # What is sent for a COPY that has failed is dropped, by either protocol.
        client.send(query(statement) + message(b"d", b"x\n") + COPY + DONE + query("SELECT 1"))
        assert client.answer(ready=2).kinds == "GEZTDCZ"
        client.send(
            parse(statement) + bind() + execute() + message(b"d", b"x\n") + COPY + DONE + SYNC
        )
        assert client.answer().kinds == "12GEZ"
        client.send(query(statement) + message(b"f", b"changed my mind\0"))
        answer = client.answer()
        assert answer.errors[0]["M"] == "COPY from stdin failed: changed my mind"
        assert (answer.sqlstate, answer.kinds) == ("57014", "GEZ")
        client.send(query(statement) + query("SELECT 1"))
        answer = client.answer()
        assert answer.errors[0]["M"] == "unexpected message type 0x51 during COPY from stdin"
        assert (answer.sqlstate, answer.errors[0]["S"]) == ("08P01", "FATAL")
    with server.connect("alice") as alice:
        rows = alice.execute(f"SELECT id, title FROM {table} ORDER BY id").fetchall()
        assert rows == [(1, "a"), (2, "b"), (3, "c")]


def test_a_copy_is_a_part_of_its_transaction(server, table):

    def ids(connection):
        return [row[0] for row in connection.execute(f"SELECT id FROM {table} ORDER BY id")]

    def put(connection, data):
        with connection.cursor().copy(f"COPY {table} (id) FROM STDIN") as copy:
            copy.write(data)

    with server.connect("alice", autocommit=False) as alice, server.connect("alice") as other:
        put(alice, "1\n2\n")
        assert (ids(alice), ids(other)) == ([1, 2], [])
        alice.execute("SAVEPOINT here")
        with pytest.raises(psycopg.errors.UniqueViolation) as error:
            put(alice, "3\n1\n")
        assert error.value.diag.context == "COPY titles, line 2"
        alice.execute("ROLLBACK TO here")
        put(alice, "4\n")
        alice.commit()
        assert ids(other) == [1, 2, 4]
        alice.execute("SET TRANSACTION READ ONLY")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            put(alice, "5\n")
        alice.rollback()


def test_everybody_copies_into_their_own_rows(server, chat, table):
    with server.connect("alice") as alice, server.connect("bob") as bob, server.root() as root:
        for connection, statement in (
            (alice, f"COPY {table} (id) FROM STDIN"),
            (root, f"EXECUTE AS USER 'bob' (COPY {table} (id) FROM STDIN)"),
        ):
            with connection.cursor().copy(statement) as copy:
                copy.write("7\n" if connection is alice else "8\n")
        assert alice.execute(f"SELECT id FROM {table}").fetchall() == [(7,)]
        assert bob.execute(f"SELECT id FROM {table}").fetchall() == [(8,)]
        root.execute(
            f"CREATE TABLE {chat}.closed (id int PRIMARY KEY) WITH (ACCESS_LEVEL = 'PRIVATE')"
        )
        refused = []
        for statement in (
            f"COPY {chat}.closed FROM STDIN",
            f"COPY {table} FROM '/tmp/x'",
            f"COPY {table} FROM PROGRAM 'cat'",
            "COPY pg_catalog.pg_class FROM STDIN",
        ):
            with pytest.raises(psycopg.Error) as error, alice.cursor().copy(statement) as copy:
                copy.write("1\n")
            refused.append(error.value.sqlstate)
        assert refused == ["42501"] * 4


def test_a_client_that_is_gone_leaves_nothing(server, table):
    """Nor one that is cancelled while it says nothing, or whose time is up; locks are given back."""
    statement = f"COPY {table} (id, title) FROM STDIN"
    with server.connect("alice") as alice:
        with RawClient(server, "alice") as gone:
            gone.send(query(statement) + COPY)
            assert gone.receive()[0] == "G"
        with RawClient(server, "alice") as slow:
            slow.send(query(statement) + COPY)
            assert slow.receive()[0] == "G"
            cancel(server, slow)
            assert slow.answer().sqlstate == "57014"
            slow.simple("SET statement_timeout = 50")
            slow.send(query(statement) + COPY)
            answer = slow.answer()
            assert answer.errors[0]["M"] == "canceling statement due to statement timeout"
            slow.send(COPY + DONE)
            assert slow.simple("SELECT 1").kinds == "TDCZ"
        alice.execute("SET lock_timeout = '5s'")
        assert alice.execute(f"INSERT INTO {table} (id) VALUES (1), (2)").rowcount == 2


def test_a_stream_and_a_subscriber_take_what_is_copied(server, chat, table):
    with server.root() as root, server.root() as writer:
        root.execute(
            f"CREATE TABLE {chat}.events (id int PRIMARY KEY, at text) "
            "WITH (TYPE = 'STREAM', TTL_SECONDS = 60)"
        )
        for name in ("events", "titles"):
            told = root.execute(
                f"SUBSCRIBE TO {chat}.{name} OPTIONS (channel = '{name}')"
            ).fetchall()
            assert told is not None
            with writer.cursor().copy(f"COPY {chat}.{name} (id) FROM STDIN CSV") as copy:
                copy.write("1\n2\n")
            heard = []
            for note in root.notifies(timeout=10):
                told = json.loads(note.payload)
                if told["op"] == "insert":
                    heard.append(int(told["row"]["id"]))
                    if len(heard) == 2:
                        break
            assert heard == [1, 2]


def test_others_are_served_while_many_rows_come(server, table):
    """And the server keeps no more of what is sent than it has room for."""
    ended = threading.Event()

    def copy() -> None:
        try:
            with (
                server.connect("alice") as alice,
                alice.cursor().copy(f"COPY {table} (id, title) FROM STDIN") as copied,
            ):
                for at in range(20_000):
                    copied.write_row((at, "a title of some length"))
        finally:
            ended.set()

    thread = threading.Thread(target=copy)
    thread.start()
    asked = 0
    with server.connect("bob") as bob:
        while not ended.is_set():
            assert bob.execute("SELECT 1").fetchone() == (1,)
            asked += 1
        thread.join()
    with server.connect("alice") as alice:
        assert alice.execute(f"SELECT count(*), max(id) FROM {table}").fetchone() == (
            20_000,
            19_999,
        )
    assert asked > 20


def test_drivers_send_it(server, chat, table, tmp_path):
    async def copy() -> None:
        connection = await asyncpg.connect(server.dsn("alice"))
        records = [(1, "one"), (2, None), (3, "tab\t and\nline")]
        tag = await connection.copy_records_to_table(
            "titles", schema_name=chat, records=records, columns=["id", "title"]
        )
        assert tag == "COPY 3"
        source = tmp_path / "rows.csv"
        source.write_text("id,title\n4,four\n")
        tag = await connection.copy_to_table(
            "titles", schema_name=chat, source=source, columns=["id", "title"], format="csv",
            header=True,
        )  # fmt: skip
        assert tag == "COPY 1"
        await connection.close()

    asyncio.run(copy())
    with server.connect("alice") as alice:
        with alice.cursor().copy(f"COPY {table} (id, title) FROM STDIN (FORMAT binary)") as copied:
            copied.set_types(["int8", "text"])
            copied.write_row((5, "five"))
        rows = alice.execute(f"SELECT id, title FROM {table} ORDER BY id").fetchall()
    assert rows == [(1, "one"), (2, None), (3, "tab\t and\nline"), (4, "four"), (5, "five")]
    source = tmp_path / "rows"
    source.write_text("6\tsix\n")
    server.psql("CREATE TABLE psqls (id int PRIMARY KEY, title text)")
    server.psql(f"\\copy psqls from '{source}'")
    assert server.psql("TABLE psqls") == "6|six\n"


def test_what_copy_writes_copy_reads(server):
    """Every type by every format: the rows are the same again."""
    types = """boolean smallint integer bigint numeric real float8 text varchar date timestamp timestamptz
        interval bytea json jsonb uuid text[] integer[] time"""
    columns = ", ".join(f"c{at} {type_}" for at, type_ in enumerate(types.split()))
    with server.root() as root:
        root.execute(f"CREATE TABLE there (id int PRIMARY KEY, {columns})")
        root.execute(f"CREATE TABLE back (id int PRIMARY KEY, {columns})")
        root.execute(
            r"""
            INSERT INTO there VALUES
            (1, true, -3, 5, 7123456789012345678, 1.50, 0.1, 'NaN', E'a\tb\\\n"', 'é', 'infinity',
             '2024-02-29 12:34:56.789', '-infinity', '1 mon -2 days', '\x00ff5c', '{"a" : 1}', '{"b": "\\"}',
             '00000000-0000-0000-0000-0000000000ff', '{a,"b c",NULL}', '{1,NULL}', '23:59:59.5'),
            (2)
        """.replace("(2)", "(2" + ", NULL" * 20 + ")")
        )

        def written(table, options):
            with root.cursor().copy(f"COPY {table} TO STDOUT {options}") as source:
                return b"".join(bytes(piece) for piece in source)

        for options in (
            "",
            "(FORMAT csv, HEADER)",
            "(FORMAT csv, NULL 'none')",
            "(FORMAT binary)",
        ):
            data = written("there", options)
            with root.cursor().copy(f"COPY back FROM STDIN {options}") as target:
                target.write(data)
            assert written("back", "") == written("there", ""), options
            root.execute("DELETE FROM back")
        root.execute("DROP TABLE there; DROP TABLE back")
