"""A large COPY becomes segments at once: nobody can tell, but by how soon it is done.

Where it cannot (a key that is there, a follower, what stands in the text) it is done row by row, and the
answer is the same. `SHOW STATS` tells which way it went: what was loaded is in segments.
"""

import threading

import psycopg
import pytest

from tests.wire.loading import (
    COLUMNS,
    PAD,
    ROWS,
    copy,
    count,
    is_loaded,
    lines,
    make_table,
    sqlstate,
)
from tests.wire.server import KalamServer, files_of
from tests.wire.test_compaction import until
from tests.wire.test_subscribe import Follower

pytestmark = pytest.mark.slow


@pytest.fixture
def root(server):
    with server.root() as root:
        make_table(root)
        yield root


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


def test_what_takes_long_at_a_commit_is_done_before_its_turn(alone):
    """Whoever flushes the tablet waits from then on: what is WITH HOLD is read before."""
    alone.start(KALAM_FAILPOINTS="load.entered:kill")
    with alone.root() as root:
        root.execute("BEGIN")
        copy(root, lines())
        root.execute("DECLARE c CURSOR WITH HOLD FOR SELECT 1 / (id - 7) FROM t ORDER BY id")
        assert sqlstate(root.execute, "COMMIT") == "22012"
        assert count(root) == 0


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
