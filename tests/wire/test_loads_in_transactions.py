"""Loads in a transaction that goes on, and of tables with constraints: what it reads, changes, takes back.

Beside PostgreSQL: `conformance.fuzz.loads`.
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
from tests.wire.raw import RawClient, message
from tests.wire.server import files_of
from tests.wire.test_compaction import until

pytestmark = pytest.mark.slow


@pytest.fixture
def root(server):
    with server.root() as root:
        make_table(root)
        yield root


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


@pytest.mark.parametrize(
    "last", ["INSERT INTO t VALUES (-1, 7)", "UPDATE t SET u = 9 WHERE id = 5"]
)
def test_an_index_between_two_loads_of_one_text_has_the_rows_of_both(server, root, last):
    root.execute("DROP TABLE t; CREATE TABLE t (id INT PRIMARY KEY, u INT) WITH (TYPE = 'SHARED')")
    text = (
        "INSERT INTO t SELECT g, g FROM generate_series(1, 20100) g; CREATE UNIQUE INDEX one ON t (u); "
        "INSERT INTO t SELECT g, g FROM generate_series(30001, 50100) g"
    )
    twice = f"{text}; INSERT INTO t VALUES (-1, 7)"
    assert sqlstate(root.execute, twice.encode()) == "23505"
    assert count(root) == 0
    root.execute(f"{text}; DELETE FROM t WHERE id = 3".encode())
    assert count(root) == 40199
    for taken in (8, 40000):
        assert sqlstate(root.execute, f"INSERT INTO t VALUES (-2, {taken})") == "23505"
    root.execute("INSERT INTO t VALUES (-2, 3)")


def test_rows_that_are_put_as_they_come_have_their_entries_once(server, root):
    root.execute("DROP TABLE t; CREATE TABLE t (id INT PRIMARY KEY, u INT) WITH (TYPE = 'SHARED')")
    root.execute("INSERT INTO t SELECT g, g FROM generate_series(1, 20100) g")
    text = "CREATE UNIQUE INDEX one ON t (u); COPY t FROM STDIN (ENCODING 'LATIN1')"
    with RawClient(server) as client:
        client.send(
            message(b"Q", text.encode() + b"\0")
            + message(b"d", b"-1\t-1\n-2\t-2\n")
            + message(b"c")
        )
        answer = client.answer()
    assert (answer.tags, answer.errors) == (["CREATE INDEX", "COPY 2"], [])
    assert count(root) == 20102
    for taken in (-1, 7):
        assert sqlstate(root.execute, f"INSERT INTO t VALUES (-3, {taken})") == "23505"


@pytest.mark.parametrize(
    "definition", ["CREATE UNIQUE INDEX one ON t (id)", "ALTER TABLE t ADD PRIMARY KEY (id)"]
)
def test_what_a_block_of_statements_takes_back_is_no_duplicate(server, root, definition):
    root.execute("DROP TABLE t; CREATE TABLE t (id INT, u INT) WITH (TYPE = 'SHARED')")
    root.execute("INSERT INTO t SELECT g, g FROM generate_series(1, 20100) g")
    root.execute(
        f"DO $$ BEGIN {definition}; "
        "BEGIN INSERT INTO t VALUES (-1, 1); RAISE EXCEPTION 'no'; EXCEPTION WHEN others THEN NULL; END; "
        "INSERT INTO t VALUES (-2, 2); END $$"
    )
    assert root.execute("SELECT count(*), min(id) FROM t").fetchone() == (20101, -2)
    assert sqlstate(root.execute, "INSERT INTO t VALUES (7, 7)") == "23505"


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


def test_what_rows_refer_to_may_come_after_them_where_that_is_deferred(server, root):
    root.execute("DROP TABLE t; DROP TABLE IF EXISTS child, parent")
    root.execute("CREATE TABLE parent (a INT, b INT, PRIMARY KEY (a, b)) WITH (TYPE = 'SHARED')")
    root.execute(
        "CREATE TABLE child (id INT PRIMARY KEY, a INT, b INT, pad TEXT, FOREIGN KEY (a, b) "
        "REFERENCES parent MATCH FULL DEFERRABLE INITIALLY DEFERRED) WITH (TYPE = 'SHARED')"
    )

    def children():
        refers = [f"{n}\t{n}" for n in range(ROWS - 3)] + ["\\N\t\\N", "1\t1", "7\t8"]
        copy(root, [f"{n}\t{at}\t{PAD}\n" for n, at in enumerate(refers)], "COPY child FROM STDIN")

    def parents(rows=ROWS):
        root.execute(f"INSERT INTO parent SELECT g, g FROM generate_series(0, {rows - 1}) g")
        root.execute("INSERT INTO parent VALUES (7, 8)")

    for rows, answer in ((ROWS, None), (9, "23503")):
        for asked in ("COMMIT", "SET CONSTRAINTS ALL IMMEDIATE"):
            root.execute("BEGIN")
            children()
            parents(rows)
            if answer:
                assert sqlstate(root.execute, asked) == answer
            else:
                root.execute(asked)
            root.execute("COMMIT")
            found = root.execute("SELECT count(*) FROM child").fetchone()
            assert found == (0 if answer else ROWS,)
            root.execute("TRUNCATE child, parent")
    root.execute("BEGIN; SAVEPOINT s")
    children()
    root.execute("ROLLBACK TO s; COMMIT")  # Nobody refers to what is not there any more.
    parents()
    root.execute("BEGIN")
    children()
    assert (
        sqlstate(root.execute, "DELETE FROM parent WHERE a = 1; SET CONSTRAINTS ALL IMMEDIATE")
        == "23503"
    )
    root.execute("ROLLBACK")
    root.execute("DROP TABLE child, parent")


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


@pytest.mark.parametrize("gone", ["DELETE FROM t WHERE id = 7", "TRUNCATE t", ""])
def test_a_key_whose_row_the_snapshot_shows_is_not_loaded_again(server, root, gone):
    """As one row of it would be told: a snapshot that showed both would have the key twice."""
    root.execute("INSERT INTO t VALUES (7, 7, 'old'), (-1, 1, 'old')")
    with server.root() as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert count(other) == 2
        root.execute("INSERT INTO t VALUES (-2, 2, 'new')")
        if gone:
            root.execute(gone)
            assert sqlstate(copy, other, lines()) == "40001"
            other.execute("ROLLBACK")
        else:
            copy(other, lines(100))
            assert count(other) == 2 + ROWS
            assert other.execute("SELECT id FROM t WHERE id < 0").fetchall() == [(-1,)]
            other.execute("COMMIT")
            assert count(other) == 3 + ROWS
            assert is_loaded(other)
