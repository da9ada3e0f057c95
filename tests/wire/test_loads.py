"""A large COPY becomes segments at once: nobody can tell, but by how soon it is done.

Where it cannot (a key that is there, a follower, what stands in the text) it is done row by row, and the
answer is the same. `SHOW STATS` tells which way it went: what was loaded is in segments.
"""

import threading

import psycopg
import pytest

from tests.wire.server import KalamServer, files_of
from tests.wire.test_compaction import until
from tests.wire.test_subscribe import Follower

pytestmark = pytest.mark.slow

ROWS = 2200
PAD = "x" * 2000
"""So many rows, of so much text, are a large COPY."""

COLUMNS = "id BIGINT PRIMARY KEY, room INT, body TEXT NOT NULL, at TIMESTAMPTZ"


@pytest.fixture
def root(server):
    with server.root() as root:
        root.execute("DROP TABLE IF EXISTS t")
        root.execute(f"CREATE TABLE t ({COLUMNS}) WITH (TYPE = 'SHARED')")
        yield root


def lines(first=0, rows=ROWS):
    return [
        f"{n}\t{n % 7}\t{n} {PAD}\t2026-11-{1 + n % 28:02} 12:00:00+00\n"
        for n in range(first, first + rows)
    ]


def copy(session, text, statement="COPY t FROM STDIN"):
    cursor = session.cursor()
    with cursor.copy(statement) as stream:
        stream.write("".join(text))
    return cursor.statusmessage


def count(session):
    (found,) = session.execute("SELECT count(*) FROM t").fetchone()
    return found


def is_loaded(session):
    """Whether rows are in segments that nobody has flushed."""
    segments = session.execute("SHOW STATS FOR TABLE t").fetchone()[4]
    return segments > 0


def sqlstate(call, *arguments):
    with pytest.raises(psycopg.Error) as caught:
        call(*arguments)
    return caught.value.sqlstate


def test_rows_that_were_loaded_are_rows_like_others(server, root):
    assert copy(root, lines()) == f"COPY {ROWS}"
    assert is_loaded(root)
    assert root.execute("SELECT count(*), sum(id), min(room), max(room) FROM t").fetchone() == (
        *(ROWS, sum(range(ROWS)), 0, 6),
    )
    query = "SELECT room, length(body), at::text, _seq > 0 FROM t WHERE id = 7"
    assert root.execute(query).fetchone() == (0, 2002, "2026-11-08 12:00:00+00", True)
    root.execute("UPDATE t SET body = 'edited' WHERE id = 7")
    root.execute("DELETE FROM t WHERE id = 8")
    assert sqlstate(root.execute, "INSERT INTO t VALUES (9, 1, 'there')") == "23505"
    root.execute("INSERT INTO t VALUES (8, 1, 'again'), (-1, 1, 'new')")
    top = "SELECT id, left(body, 6) FROM t WHERE id < 10 ORDER BY id DESC LIMIT 4"
    newest = "SELECT id FROM t ORDER BY _seq DESC, id LIMIT 4"
    expected = [(9, "9 xxxx"), (8, "again"), (7, "edited"), (6, "6 xxxx")]
    for step in ("SELECT 1", "STORAGE FLUSH TABLE t", "STORAGE COMPACT TABLE t"):
        root.execute(step)
        assert count(root) == ROWS + 1
        assert root.execute(top).fetchall() == expected
        assert root.execute(newest).fetchall() == [(-1,), (8,), (7,), (0,)]
        assert root.execute("SELECT count(*) FROM t WHERE room = 3").fetchone() == (314,)


def test_a_load_and_others_of_the_same_tablet_follow_each_other(server, root):
    root.execute("INSERT INTO t VALUES (-5, 1, 'before'), (-6, 1, 'gone')")
    root.execute("DELETE FROM t WHERE id = -6")
    copy(root, lines())
    root.execute("INSERT INTO t VALUES (-7, 1, 'between')")
    copy(root, lines(ROWS))
    root.execute("UPDATE t SET body = 'edited' WHERE id = -5")
    copy(root, lines(2 * ROWS))
    assert count(root) == 3 * ROWS + 2
    found = root.execute("SELECT id, body FROM t WHERE id < 0 ORDER BY id").fetchall()
    assert found == [(-7, "between"), (-5, "edited")]
    root.execute("TRUNCATE t")
    copy(root, lines())
    assert count(root) == ROWS


def test_what_is_written_in_another_way_means_the_same(server, root):
    others = [
        ("10000\t1\ta\\\\b\\tc\\nd\t\\N\n", "a\\b\tc\nd", None),
        ("10001\t +1\tplus\t\\N\n", "plus", None),
        ("10002\t1\tnow\t20261130 1200 UTC\n", "now", "2026-11-30 12:00:00+00"),
        ("10003\t1\tzone\t2026-11-30 12:00+02\n", "zone", "2026-11-30 10:00:00+00"),
        ("10004\t1\ta\\\nb\t\\N\n", "a\nb", None),
    ]
    copy(root, [*lines(), *[text for text, _, _ in others], *lines(ROWS, 2)])
    query = "SELECT body, at::text FROM t WHERE id >= 10000 ORDER BY id"
    assert root.execute(query).fetchall() == [(body, at) for _, body, at in others]
    assert count(root) == ROWS + len(others) + 2
    assert is_loaded(root)


def test_a_table_with_rules_and_defaults_of_its_own(server, root):
    root.execute("DROP TABLE t")
    root.execute("DROP DOMAIN IF EXISTS short")
    root.execute("CREATE DOMAIN short AS TEXT NOT NULL CHECK (length(VALUE) < 10)")
    root.execute(
        "CREATE TABLE t (id SERIAL PRIMARY KEY, n INT CHECK (n >= 0), meta JSONB, price NUMERIC(8, 2), "
        "name short DEFAULT 'none', made TIMESTAMPTZ DEFAULT now(), who TEXT DEFAULT current_user, "
        "mark UUID DEFAULT gen_random_uuid(), double INT GENERATED ALWAYS AS (n * 2) STORED, pad TEXT) "
        "WITH (TYPE = 'SHARED')"
    )
    statement = "COPY t (n, meta, price, pad) FROM STDIN (FORMAT csv) WHERE n <> 5"
    text = [f'{n},"{{""a"": {n},   ""b"":[]}}",{n}.555,"{n},\n{PAD}"\n' for n in range(ROWS)]
    assert copy(root, text, statement) == f"COPY {ROWS - 1}"
    assert is_loaded(root)
    (n,) = root.execute("SELECT id - n FROM t WHERE n = 7").fetchone()
    query = (
        "SELECT id, meta::text, price::text, name, made <= now(), who, double, left(pad, 3) FROM t "
        "WHERE n BETWEEN 4 AND 6 ORDER BY n"
    )
    assert root.execute(query).fetchall() == [
        (4 + n, '{"a": 4, "b": []}', "4.56", "none", True, "root", 8, "4,\n"),
        (6 + n, '{"a": 6, "b": []}', "6.56", "none", True, "root", 12, "6,\n"),
    ]
    query = "SELECT count(DISTINCT mark), count(DISTINCT made), min(id), max(id) FROM t"
    assert root.execute(query).fetchone() == (ROWS - 1, 1, 1, ROWS)
    for wrong, expected in (('-1,"[]",1,x\n', "23514"), ('1,"[",1,x\n', "22P02")):
        with pytest.raises(psycopg.Error) as caught:
            copy(root, [*text, wrong], statement)
        assert caught.value.sqlstate == expected
        assert "COPY t, line" in caught.value.diag.context
    wrong = [f"{'x' * 10}\t{PAD}\n"] * ROWS
    assert sqlstate(copy, root, wrong, "COPY t (name, pad) FROM STDIN") == "23514"
    assert count(root) == ROWS - 1


def test_the_binary_format_is_loaded_too(server, root):
    copy(root, lines())
    with root.cursor().copy("COPY t TO STDOUT (FORMAT binary)") as stream:
        data = b"".join(stream)
    root.execute("TRUNCATE t")
    cursor = root.cursor()
    with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as stream:
        stream.write(data)
    assert cursor.statusmessage == f"COPY {ROWS}"
    assert is_loaded(root)
    query = "SELECT room, length(body), at::text FROM t WHERE id = 7"
    assert root.execute(query).fetchone() == (0, 2002, "2026-11-08 12:00:00+00")


def test_many_rows_of_a_query_are_loaded_too(server, root):
    root.execute("DROP TABLE t")
    root.execute(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, n SERIAL, room SMALLINT CHECK (room < 7), body VARCHAR(30), "
        "price NUMERIC(8, 2), tags TEXT[], made TIMESTAMPTZ DEFAULT now()) WITH (TYPE = 'SHARED')"
    )
    query = (
        "SELECT g + {0}, g % 7, 'row ' || g, g / 8.0, ARRAY['a', g::text] "
        "FROM generate_series(1, {1}) g"
    )
    statement = f"INSERT INTO t (id, room, body, price, tags) {query}"
    many = 21_000
    assert root.execute(statement.format(0, many)).statusmessage == f"INSERT 0 {many}"
    assert is_loaded(root)
    asked = "SELECT count(*), sum(id), max(n), max(tags[2]::int) FROM t"
    assert root.execute(asked).fetchone() == (many, many * (many + 1) // 2, many, many)
    row = "SELECT n, room, body, price::text, tags FROM t WHERE id = 9"
    assert root.execute(row).fetchone() == (9, 2, "row 9", "1.13", ["a", "9"])
    assert root.execute(f"INSERT INTO t {query.replace('{0}, ', '{0}, g, ').format(many, 9)}")
    root.execute(f"INSERT INTO t SELECT id + {2 * many}, n, room, body, price, tags, made FROM t")
    assert count(root) == 2 * (many + 9)
    # What is wrong is told as ever, whatever was loaded.
    for wrong, expected in (
        (statement.format(0, many), "23505"),
        (statement.format(9 * many, many).replace("% 7", "% 8"), "23514"),
        (statement.format(9 * many, many).replace("g + ", "1 + "), "23505"),
        (statement.format(9 * many, many).replace("'row '", "repeat('x', 30)"), "22001"),
        (statement.format(9 * many, many) + " WHERE 1 / (g - 20900) < 5", "22012"),
    ):
        assert sqlstate(root.execute, wrong) == expected
    assert count(root) == 2 * (many + 9)
    # A block goes on to read what it has put; others may follow each row.
    root.execute("BEGIN")
    root.execute(statement.format(9 * many, many))
    assert count(root) == 2 * (many + 9) + many
    root.execute("ROLLBACK")
    with server.root() as reader:
        follower = Follower(reader, f"SUBSCRIBE TO t WHERE id > {20 * many} AND id % 1000 = 0")
        root.execute(statement.format(20 * many, many))
        follower.hear(many // 1000)
    assert count(root) == 3 * many + 18


WRONG = {
    "a NULL": ("77777\t1\t\\N\t\\N\n", "23502"),
    "a key twice": (f"5\t1\tagain {PAD}\t\\N\n", "23505"),
    "a letter": ("77777\tx\ty\t\\N\n", "22P02"),
    "a number too large": ("77777\t99999999999\ty\t\\N\n", "22003"),
    "a column too few": ("77777\t1\n", "22P04"),
    "a day that is none": ("77777\t1\ty\t2026-02-30 12:00:00+00\n", "22008"),
}


@pytest.mark.parametrize("line", WRONG, ids=str)
def test_a_line_that_is_wrong_is_told_and_nothing_is_left(server, root, line):
    text, expected = WRONG[line]
    with pytest.raises(psycopg.Error) as caught:
        copy(root, [*lines(), text])
    assert caught.value.sqlstate == expected
    assert f"line {ROWS + 1}" in caught.value.diag.context
    assert count(root) == 0
    assert not is_loaded(root)


@pytest.mark.parametrize("tier", ["hot", "cold", "loaded"])
def test_a_key_that_is_there_is_there_in_every_tier(server, root, tier):
    if tier == "loaded":
        copy(root, lines(ROWS - 1))
    else:
        root.execute(f"INSERT INTO t VALUES ({ROWS - 1}, 1, 'there')")
    if tier == "cold":
        root.execute("STORAGE FLUSH TABLE t")
    before = count(root)
    assert sqlstate(copy, root, lines()) == "23505"
    assert count(root) == before


def test_a_key_that_was_deleted_may_come_again(server, root):
    copy(root, lines())
    root.execute("DELETE FROM t WHERE id < 1000")
    copy(root, lines(0, 1000) + lines(10_000))
    assert count(root) == 2 * ROWS
    root.execute("STORAGE FLUSH TABLE t; STORAGE COMPACT TABLE t")
    assert count(root) == 2 * ROWS


def test_columns_that_are_not_sent_have_their_defaults(server, root):
    root.execute("DROP TABLE t")
    root.execute("CREATE TABLE t (v TEXT, w INT)")
    copy(root, [f"{PAD}\n"] * ROWS, "COPY t (v) FROM STDIN")
    assert is_loaded(root)
    query = "SELECT count(*), count(DISTINCT _rowid), count(w) FROM t"
    assert root.execute(query).fetchone() == (ROWS, ROWS, 0)


def test_csv_is_loaded_too(server, root):
    text = ["id,room,body,at\n", *[f"{n},,a\\b{PAD},\n" for n in range(ROWS)]]
    copy(root, text, "COPY t FROM STDIN (FORMAT csv, HEADER)")
    assert is_loaded(root)
    query = "SELECT count(*), count(room), min(left(body, 3)), count(at) FROM t"
    assert root.execute(query).fetchone() == (ROWS, 0, "a\\b", 0)


def test_a_block_reads_its_own_rows_and_others_read_all_or_none(server, root):
    with server.root() as other:
        root.execute("BEGIN")
        copy(root, lines())
        assert count(other) == 0
        assert count(root) == ROWS
        root.execute("UPDATE t SET body = 'edited' WHERE id = 3")
        root.execute("COMMIT")
        assert other.execute("SELECT body FROM t WHERE id = 3").fetchone() == ("edited",)
        root.execute("BEGIN")
        copy(root, lines(ROWS))
        root.execute("COMMIT")
        assert count(other) == 2 * ROWS


def test_rows_stay_as_they_were_read_whatever_the_block_does_next(server, root):
    """What a default gave them once they keep, whoever acts by then, and as often as it is taken back."""
    root.execute("DROP TABLE t")
    root.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, n SERIAL, mark UUID DEFAULT gen_random_uuid(), pad TEXT, x INT)"
        " WITH (TYPE = 'USER')"
    )
    asked = "SELECT count(*), min(n), max(n), min(mark::text), max(mark::text) FROM t"
    root.execute("BEGIN")
    copy(root, [f"{n}\t{PAD}\n" for n in range(ROWS)], "COPY t (id, pad) FROM STDIN")
    read = root.execute(asked).fetchone()
    assert read[:3] == (ROWS, 1, ROWS)
    for change in (
        "UPDATE t SET x = 1 WHERE id = 3",
        "DELETE FROM t WHERE id < 0",
        "TABLE t FOR UPDATE",
    ):
        root.execute("SAVEPOINT a")
        root.execute(change)
        assert root.execute(asked).fetchone() == read
        root.execute("ROLLBACK TO a")
        assert root.execute(asked).fetchone() == read
    root.execute("SET ROLE alice")
    assert count(root) == 0
    root.execute("INSERT INTO t VALUES (1, 1)")
    root.execute("UPDATE t SET x = 1")
    assert count(root) == 1
    root.execute("RESET ROLE")
    assert root.execute(asked).fetchone() == read
    root.execute("COMMIT")
    assert root.execute(asked).fetchone() == read


def test_what_is_rolled_back_leaves_nothing(server, root):
    root.execute("BEGIN")
    copy(root, lines())
    root.execute("ROLLBACK")
    assert count(root) == 0
    assert not is_loaded(root)
    until(lambda: None if "segment-" in str(files_of(server.data / "cold")) else True)
    copy(root, lines())
    assert count(root) == ROWS


def test_a_client_that_is_lost_leaves_nothing(server, root):
    lost = server.root()
    lost.execute("BEGIN")
    copy(lost, lines())
    lost.close()
    lost = server.root()
    stream = lost.cursor().copy("COPY t FROM STDIN")
    stream.__enter__().write("".join(lines()))
    lost.pgconn.finish()
    assert count(root) == 0
    assert copy(root, lines()) == f"COPY {ROWS}"  # Nobody holds the keys.


def test_a_view_from_before_goes_on_as_it_was(server, root):
    root.execute("INSERT INTO t VALUES (-5, 1, 'before')")
    with server.root() as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert count(reader) == 1
        copy(root, lines())
        newest = "SELECT id FROM t ORDER BY _seq DESC LIMIT 2"
        for _ in range(2):
            assert count(reader) == 1
            assert reader.execute(newest).fetchall() == [(-5,)]
            assert root.execute("SELECT count(*) FROM t WHERE id >= 0").fetchone() == (ROWS,)
            assert len(root.execute(newest).fetchall()) == 2
        assert sqlstate(reader.execute, "INSERT INTO t VALUES (5, 1, 'mine')") in ("23505", "40001")


def test_two_loads_of_the_same_keys_are_one(server, root):
    outcomes = []

    def load():
        with server.root() as session:
            try:
                outcomes.append(copy(session, lines()))
            except psycopg.Error as exc:
                outcomes.append(exc.sqlstate)

    both = [threading.Thread(target=load) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(outcomes) == ["23505", f"COPY {ROWS}"]
    assert count(root) == ROWS


def test_who_writes_the_same_key_meanwhile_waits_for_the_end(server, root):
    with server.root() as writer:
        root.execute("BEGIN")
        copy(root, lines())
        waiting = threading.Thread(
            target=lambda: writer.execute(
                "INSERT INTO t VALUES (5, 1, 'mine') ON CONFLICT DO NOTHING"
            )
        )
        waiting.start()
        asked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        with server.root() as third:
            until(lambda: third.execute(asked).fetchone()[0] or None)
        root.execute("COMMIT")
        waiting.join()
    assert count(root) == ROWS


def test_a_load_beside_a_row_that_somebody_is_writing(server, root):
    with server.root() as writer:
        writer.execute("BEGIN; INSERT INTO t VALUES (-1, 1, 'mine')")
        assert copy(root, lines()) == f"COPY {ROWS}"
        writer.execute("COMMIT")
    assert count(root) == ROWS + 1


def test_who_follows_is_told_of_every_row(server, root):
    with server.root() as reader:
        follower = Follower(reader, "SUBSCRIBE TO t")
        root.execute("BEGIN")
        copy(root, lines())
        root.execute("COMMIT")
        follower.hear(ROWS)
        assert set(follower.rows) == set(map(str, range(ROWS)))


def test_a_position_from_before_a_load_is_too_old(server, root):
    root.execute("INSERT INTO t VALUES (-5, 1, 'before')")
    (seq,) = root.execute("SELECT max(_seq) FROM t").fetchone()
    copy(root, lines())
    with server.root() as reader:
        assert sqlstate(reader.execute, f"SUBSCRIBE TO t OPTIONS (from_seq = '{seq}')") == "72000"
        follower = Follower(reader, "SUBSCRIBE TO t")
        assert len(follower.snapshot) == ROWS + 1
        root.execute("INSERT INTO t VALUES (-6, 1, 'after')")
        (told,) = follower.hear(1)
        assert told["key"] == ["-6"]


def test_what_a_serializable_transaction_has_read_may_not_be_loaded_meanwhile(server, root):
    root.execute("INSERT INTO t VALUES (-5, 1, 'before')")
    with server.root() as reader:
        reader.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
        assert count(reader) == 1
        copy(root, lines())
        reader.execute("INSERT INTO t VALUES (-6, 1, 'counted 1')")
        assert sqlstate(reader.execute, "COMMIT") == "40001"


def test_others_are_served_while_rows_are_loaded(server, root):
    ended = threading.Event()

    def load():
        copy(root, lines(0, 10 * ROWS))
        ended.set()

    loading = threading.Thread(target=load)
    with server.root() as other:
        loading.start()
        turns = 0
        while not ended.is_set():
            other.execute("SELECT 1")
            turns += 1
    loading.join()
    assert count(root) == 10 * ROWS
    assert turns > 20


@pytest.fixture
def alone(tmp_path):
    server = KalamServer(tmp_path).start()
    with server.root() as root:
        root.execute(f"CREATE TABLE t ({COLUMNS}) WITH (TYPE = 'SHARED')")
    server.stop()
    yield server
    server.stop()


@pytest.mark.parametrize(("step", "committed"), [("load.entered", 0), ("load.published", ROWS)])
def test_a_crash_leaves_all_or_nothing(alone, step, committed):
    """At every step: `tests/storage/test_engine_model.py`."""
    alone.start(KALAM_FAILPOINTS=f"{step}:kill")

    def load():
        with alone.root() as root:
            copy(root, lines())
            root.execute("SELECT pg_sleep(20)")  # What was told has its name soon.

    with pytest.raises(psycopg.OperationalError):
        load()
    alone.kill()
    alone.start()
    with alone.root() as root:
        assert count(root) == committed
        copy(root, lines(committed))
        assert count(root) == committed + ROWS


def test_a_name_that_the_disk_refuses_is_given_later(alone):
    alone.start(KALAM_FAILPOINTS="publish.names_durable:enospc")
    with alone.root() as root:
        copy(root, lines())
        assert count(root) == ROWS
        root.execute("INSERT INTO t VALUES (-1, 1, 'after')")
        root.execute("STORAGE FLUSH TABLE t")
        assert count(root) == ROWS + 1
    alone.stop()
    alone.start()
    with alone.root() as root:
        assert count(root) == ROWS + 1


MANY = 21_000
"""So many rows of a query are loaded."""


def segments_of(session, table):
    return session.execute(f"SHOW STATS FOR TABLE {table}").fetchone()[4]


def test_what_a_transaction_makes_it_loads_reads_and_alters(server, root):
    root.execute("DROP TABLE IF EXISTS made, parents; DROP TABLE t")
    with server.root() as other:
        root.execute("BEGIN")
        root.execute("CREATE TABLE parents (id INT PRIMARY KEY)")
        root.execute(f"INSERT INTO parents SELECT g FROM generate_series(0, {MANY}) g")
        root.execute("CREATE TABLE t (id BIGINT, room INT, body TEXT NOT NULL, at TIMESTAMPTZ)")
        copy(root, lines())
        copy(root, lines(ROWS))
        assert count(root) == 2 * ROWS
        assert root.execute("SELECT room FROM t WHERE id = 9").fetchone() == (2,)
        root.execute(
            f"CREATE TABLE made AS SELECT g AS id, g % 7 AS n FROM generate_series(1, {MANY}) g"
        )
        root.execute("SAVEPOINT here")
        copy(root, lines(2 * ROWS))
        assert count(root) == 3 * ROWS
        root.execute("ROLLBACK TO here")
        assert count(root) == 2 * ROWS
        root.execute("ALTER TABLE t ADD CONSTRAINT positive CHECK (id >= 0)")
        root.execute("ALTER TABLE t ADD PRIMARY KEY (id)")
        root.execute("ALTER TABLE t ADD FOREIGN KEY (room) REFERENCES parents")
        root.execute("CREATE UNIQUE INDEX ON made (id)")
        root.execute("CREATE INDEX ON made (n)")
        assert root.execute("SELECT count(*) FROM made JOIN t USING (id)").fetchone() == (
            2 * ROWS - 1,
        )
        assert sqlstate(other.execute, "SELECT * FROM made") == "42P01"
        root.execute("COMMIT")
        assert other.execute("SELECT count(*), sum(n) FROM made").fetchone() == (MANY, 63000)
        assert segments_of(other, "made")
        assert segments_of(other, "parents")
    assert count(root) == 2 * ROWS
    # `t` has another key than it was loaded with, which a block writes ahead.
    assert sqlstate(root.execute, "INSERT INTO made VALUES (7, 1)") == "23505"
    assert sqlstate(root.execute, "DELETE FROM parents WHERE id = 3") == "23503"
    root.execute("UPDATE made SET n = -1 WHERE id = 7; STORAGE FLUSH TABLE made")
    assert root.execute("SELECT sum(n) FROM made").fetchone() == (62999,)
    root.execute("BEGIN; CREATE TABLE gone AS SELECT * FROM made; ROLLBACK")
    root.execute("DROP TABLE made, t, parents")
    cold = server.data / "cold"
    until(lambda: None if "segment-" in str(files_of(cold)) else True)


def test_unique_values_and_what_is_referred_to_are_looked_after(server, root):
    root.execute("DROP TABLE t; DROP TABLE IF EXISTS child, parent")
    root.execute(
        "CREATE TABLE parent (id INT PRIMARY KEY, code TEXT UNIQUE, pad TEXT) WITH (TYPE = 'SHARED')"
    )
    root.execute(
        "CREATE TABLE child (id INT PRIMARY KEY, a INT REFERENCES parent, b TEXT REFERENCES parent (code) "
        "DEFERRABLE INITIALLY DEFERRED, up INT REFERENCES child, v INT, pad TEXT, UNIQUE (v, b)) "
        "WITH (TYPE = 'SHARED')"
    )

    def put(table, first, rows, query):
        text = [
            "\t".join("\\N" if one is None else str(one) for one in row) + f"\t{PAD}\n"
            for row in root.execute(
                f"SELECT {query} FROM generate_series({first}, {first + rows - 1}) g"
            )
        ]
        copy(root, text, f"COPY {table} FROM STDIN")

    put("parent", 0, ROWS, "g, CASE WHEN g % 10 > 0 THEN 'c' || g END")
    put("child", 0, ROWS, "g, g % 1000, 'c' || (g % 9 + 1), nullif(g - 1, -1), g")
    assert segments_of(root, "parent")
    assert segments_of(root, "child")
    asked = "SELECT count(*), count(code), sum(id) FROM parent"
    assert root.execute(asked).fetchone() == (ROWS, ROWS * 9 // 10, ROWS * (ROWS - 1) // 2)
    found = "SELECT id FROM parent WHERE code = 'c77'"
    assert root.execute(found).fetchone() == (77,)
    for wrong, expected in (
        ("INSERT INTO parent VALUES (-1, 'c77')", "23505"),
        ("DELETE FROM parent WHERE id = 7", "23503"),
        ("INSERT INTO child VALUES (-1, 70000)", "23503"),
        ("INSERT INTO child VALUES (-1, 7, 'c1', NULL, 9)", "23505"),
    ):
        assert sqlstate(root.execute, wrong) == expected
    root.execute("DELETE FROM parent WHERE id = 1700")
    last = 2 * ROWS - 1
    for table, query, expected in (
        ("parent", f"g, CASE WHEN g = {last} THEN 'c77' ELSE 'c' || g END", "23505"),
        ("child", f"g, CASE WHEN g = {last} THEN 1700 END, NULL, NULL, NULL", "23503"),
        ("child", f"g, NULL, CASE WHEN g = {last} THEN 'none' END, NULL, NULL", "23503"),
        ("child", f"g, NULL, NULL, CASE WHEN g = {last} THEN -1 ELSE g END, NULL", "23503"),
    ):
        assert sqlstate(put, table, ROWS, ROWS, query) == expected
    query = f"SELECT g, g % 1000, NULL, g - 1 FROM generate_series({ROWS}, {ROWS + MANY - 1}) g"
    before = segments_of(root, "child")
    root.execute(f"INSERT INTO child (id, a, b, up) {query}")
    assert segments_of(root, "child") > before
    assert root.execute("SELECT count(*) FROM child").fetchone() == (ROWS + MANY,)
    root.execute("STORAGE FLUSH TABLE child; STORAGE COMPACT TABLE parent")
    assert root.execute(found).fetchone() == (77,)
    root.execute("DROP TABLE child, parent")


@pytest.mark.parametrize("kind", ["SHARED", "USER"])
def test_keys_and_unique_indexes_over_many_rows(server, root, kind):
    root.execute("DROP TABLE t")
    root.execute(f"CREATE TABLE t (id INT, code TEXT, n NUMERIC(6, 2)) WITH (TYPE = '{kind}')")
    given = f"SELECT g, nullif('c' || g, 'c7'), g / 4.0 FROM generate_series(1, {MANY}) g"
    root.execute(f"INSERT INTO t {given}")
    root.execute("INSERT INTO t VALUES (0, NULL, 7), (NULL, 'c5', 1)")
    with pytest.raises(psycopg.Error) as caught:
        root.execute("CREATE UNIQUE INDEX by_code ON t (code)")
    assert (caught.value.sqlstate, caught.value.diag.message_detail) == (
        *("23505", "Key (code)=(c5) is duplicated."),
    )
    assert sqlstate(root.execute, "ALTER TABLE t ADD PRIMARY KEY (id)") == "23502"
    root.execute("UPDATE t SET id = 5 WHERE id IS NULL")
    assert sqlstate(root.execute, "ALTER TABLE t ADD PRIMARY KEY (id)") == "23505"
    root.execute("DELETE FROM t WHERE id = 5 AND n = 1")
    root.execute("BEGIN; CREATE UNIQUE INDEX by_code ON t (code); ROLLBACK")
    root.execute("CREATE UNIQUE INDEX by_code ON t (code)")
    root.execute("BEGIN; ALTER TABLE t ADD PRIMARY KEY (id); CREATE UNIQUE INDEX ON t (n, id)")
    root.execute("UPDATE t SET n = 0 WHERE id = 9")
    assert root.execute("SELECT id FROM t WHERE code = 'c9'").fetchone() == (9,)
    assert sqlstate(root.execute, "INSERT INTO t VALUES (-1, 'c9', 1)") == "23505"
    root.execute("ROLLBACK; ALTER TABLE t ADD PRIMARY KEY (id)")
    assert root.execute("SELECT id, n FROM t WHERE code = 'c9'").fetchone() == (9, 2.25)
    for wrong in ("(9, 'new', 1)", "(-1, 'c9', 1)"):
        assert sqlstate(root.execute, f"INSERT INTO t VALUES {wrong}") == "23505"
    root.execute("DELETE FROM t WHERE id = 9; INSERT INTO t VALUES (-1, 'c9', 1), (-2, NULL, 1)")
    root.execute("STORAGE FLUSH TABLE t; STORAGE COMPACT TABLE t")
    assert root.execute("SELECT id, n FROM t WHERE code = 'c9'").fetchone() == (-1, 1)
    assert root.execute("SELECT count(*), count(code) FROM t").fetchone() == (MANY + 2, MANY - 1)


def test_a_table_that_was_emptied_in_the_same_transaction(server, root):
    root.execute("INSERT INTO t VALUES (1, 1, 'old'), (-1, 1, 'old')")
    root.execute("STORAGE FLUSH TABLE t")
    root.execute("INSERT INTO t VALUES (2, 1, 'old'), (-2, 1, 'old')")
    with server.root() as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert count(other) == 4
        root.execute("BEGIN; TRUNCATE t")
        copy(root, lines())
        assert count(root) == ROWS
        assert root.execute("SELECT left(body, 2) FROM t WHERE id = 2").fetchone() == ("2 ",)
        assert root.execute("SELECT 1 FROM t WHERE id IN (-1, -2)").fetchone() is None
        root.execute("COMMIT")
        assert is_loaded(root)
        assert count(other) == 4
    for step in ("SELECT 1", "STORAGE FLUSH TABLE t", "STORAGE COMPACT TABLE t"):
        root.execute(step)
        assert count(root) == ROWS
        for key, told in ((-1, None), (-2, None), (1, ("1 ",)), (2, ("2 ",))):
            query = f"SELECT left(body, 2) FROM t WHERE id = {key}"
            assert root.execute(query).fetchone() == told
    root.execute("UPDATE t SET body = 'edited' WHERE id = 2; DELETE FROM t WHERE id = 1")
    root.execute("INSERT INTO t VALUES (-1, 1, 'new'), (1, 1, 'new')")
    assert count(root) == ROWS + 1
    root.execute("BEGIN; TRUNCATE t")
    copy(root, lines())
    root.execute("ROLLBACK")
    assert count(root) == ROWS + 1


def test_a_materialized_view_of_many_rows(server, root):
    root.execute("DROP MATERIALIZED VIEW IF EXISTS mine")
    copy(root, lines())
    query = "SELECT t.id, g FROM t, generate_series(1, 10) g"
    root.execute(f"CREATE MATERIALIZED VIEW mine AS {query}")
    assert segments_of(root, "mine")
    asked = "SELECT count(*), max(id) FROM mine"
    assert root.execute(asked).fetchone() == (10 * ROWS, ROWS - 1)
    root.execute("CREATE UNIQUE INDEX ON mine (id, g)")
    copy(root, lines(ROWS))
    root.execute("REFRESH MATERIALIZED VIEW mine")
    assert root.execute(asked).fetchone() == (20 * ROWS, 2 * ROWS - 1)
    assert root.execute("SELECT g FROM mine WHERE id = 7 ORDER BY g LIMIT 1").fetchone() == (1,)
    root.execute("DROP MATERIALIZED VIEW mine")


def test_what_is_changed_after_a_load_is_changed_in_it(server, root):
    for change, left in (
        ("UPDATE t SET room = 100 WHERE id = 3", ROWS),
        ("INSERT INTO t VALUES (-1, 1, 'one more')", ROWS + 1),
        ("SELECT * FROM t WHERE id = 3 FOR UPDATE", ROWS),
        ("TRUNCATE t", 0),
        ("ALTER TABLE t ADD COLUMN more INT DEFAULT 7", ROWS),
        ("DROP TABLE t; CREATE TABLE t (id INT)", 0),
    ):
        root.execute("BEGIN")
        copy(root, lines())
        root.execute("DECLARE c CURSOR FOR SELECT id FROM t")
        assert len(root.execute("FETCH 10 FROM c").fetchall()) == 10
        if "TABLE" not in change:
            root.execute(change)
            assert len(root.execute("FETCH ALL FROM c").fetchall()) == ROWS - 10
        else:
            root.execute(f"CLOSE c; {change}")
        assert count(root) == left
        root.execute("COMMIT")
        assert count(root) == left
        root.execute("DROP TABLE t")
        root.execute(f"CREATE TABLE t ({COLUMNS}) WITH (TYPE = 'SHARED')")


def test_rows_that_were_loaded_are_changed_together(server, root):
    root.execute(f"INSERT INTO t SELECT g, g, 'x' FROM generate_series(1, {MANY}) g")
    root.execute("ALTER TABLE t ADD COLUMN n INT DEFAULT 5; UPDATE t SET n = 6 WHERE id = 50")
    with server.root() as other:
        other.execute(
            "BEGIN; UPDATE t SET room = -1 WHERE id = 1000; DELETE FROM t WHERE id = 1001"
        )
        waiting = threading.Thread(
            target=lambda: root.execute(
                "UPDATE t SET body = body || room, n = n + 1 WHERE room > 0"
            )
        )
        waiting.start()
        with server.root() as third:
            asked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            until(lambda: third.execute(asked).fetchone()[0] or None)
        other.execute("COMMIT")
        waiting.join()
    query = "SELECT id, room, body, n FROM t WHERE id IN (7, 50, 1000, 1001) ORDER BY id"
    assert root.execute(query).fetchall() == [
        (7, 7, "x7", 6), (50, 50, "x50", 7), (1000, -1, "x", 5),
    ]  # fmt: skip
    assert root.execute("SELECT sum(n) FROM t").fetchone() == (6 * MANY - 6,)
    root.execute("STORAGE FLUSH TABLE t; BEGIN; UPDATE t SET n = 0 WHERE id < 100")
    assert root.execute("DELETE FROM t WHERE n > 5").rowcount == MANY - 101
    assert root.execute("SELECT count(*), sum(n) FROM t").fetchone() == (100, 5)
    root.execute("COMMIT")
    assert root.execute("SELECT count(*), sum(n) FROM t").fetchone() == (100, 5)


def test_a_function_reads_what_it_has_put(server, root):
    root.execute("DROP FUNCTION IF EXISTS many()")
    root.execute(
        "CREATE FUNCTION many() RETURNS BIGINT LANGUAGE sql AS $$ "
        f"INSERT INTO t SELECT g, 1, 'x' FROM generate_series(1, {MANY}) g; "
        "UPDATE t SET room = 2 WHERE id = 5; SELECT count(*) FROM t $$"
    )
    assert root.execute("SELECT many()").fetchone() == (MANY,)
    assert root.execute("SELECT room FROM t WHERE id = 5").fetchone() == (2,)
    root.execute("DROP FUNCTION many()")


def test_changes_beside_a_loaded_index_are_not_lost(server, root):
    """What a later statement puts into an index that the same text has made stays when the log goes."""
    root.execute("DROP TABLE t")
    root.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, u INT) WITH (TYPE = 'SHARED', CHANGE_RETENTION_HOURS = 0)"
    )
    root.execute("INSERT INTO t SELECT g, g FROM generate_series(1, 20100) g")
    changes = "INSERT INTO t VALUES (-1, -1); UPDATE t SET u = -5 WHERE id = 5; DELETE FROM t WHERE id = 7"
    for begin, end in (("", ""), ("BEGIN; SAVEPOINT a;", "; ROLLBACK TO a; COMMIT")):
        root.execute(f"{begin} CREATE UNIQUE INDEX one ON t (u); {changes}{end}".encode())
        if not begin:
            for flush in ("t", "t"):
                root.execute(f"STORAGE FLUSH TABLE {flush}".encode())
            for taken in (-1, -5):
                assert sqlstate(root.execute, f"INSERT INTO t VALUES (-2, {taken})") == "23505"
            root.execute("INSERT INTO t VALUES (-3, 7)")
            root.execute("DELETE FROM t WHERE id = -3; DROP INDEX one; INSERT INTO t VALUES (7, 7)")
            root.execute("DELETE FROM t WHERE id = -1; UPDATE t SET u = 5 WHERE id = 5")
    assert root.execute("SELECT count(*), sum(u) FROM t").fetchone() == (20100, 20100 * 20101 // 2)


def test_nulls_that_are_not_distinct_come_once(server, root):
    root.execute("DROP TABLE t")
    root.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, v INT, w INT, UNIQUE NULLS NOT DISTINCT (v, w), pad TEXT)"
        " WITH (TYPE = 'SHARED')"
    )
    root.execute("BEGIN")
    text = [f"{n}\t{n}\t7\t{PAD}\n" for n in range(ROWS)]
    copy(root, [*text, f"-1\t\\N\t7\t{PAD}\n"])
    more = [f"{n}\t{n}\t7\t{PAD}\n" for n in range(ROWS, 2 * ROWS)]
    assert sqlstate(copy, root, [*more, f"-2\t\\N\t7\t{PAD}\n"]) == "23505"
    root.execute("ROLLBACK")
    assert count(root) == 0


def test_what_rows_refer_to_may_be_changed_in_the_same_block(server, root):
    root.execute("DROP TABLE IF EXISTS t, p")
    root.execute("CREATE TABLE p (id INT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
    root.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, p INT REFERENCES p, pad TEXT) WITH (TYPE = 'SHARED')"
    )
    root.execute("INSERT INTO p SELECT g, 0 FROM generate_series(0, 99) g")
    text = [f"{n}\t{n % 90}\t{PAD}\n" for n in range(ROWS)]
    root.execute("BEGIN; UPDATE p SET n = 1 WHERE id < 5; DELETE FROM p WHERE id = 95")
    root.execute("SAVEPOINT a")
    assert sqlstate(copy, root, [*text, f"-1\t95\t{PAD}\n"]) == "23503"
    root.execute("ROLLBACK TO a")
    copy(root, text)
    root.execute("COMMIT")
    assert count(root) == ROWS
    root.execute("DROP TABLE t, p; CREATE TABLE t (id INT) WITH (TYPE = 'SHARED')")


def test_rows_that_a_part_returns_are_counted_by_a_worker(server, root):
    query = "WITH i AS (INSERT INTO t SELECT g, 1, 'b' FROM generate_series(1, 21000) g RETURNING id) SELECT"
    assert root.execute(f"{query} count(*), sum(id) FROM i".encode()).fetchone() == (
        21000,
        220510500,
    )
