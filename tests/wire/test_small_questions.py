"""Small queries are answered in the server's process, and mean there what they mean in an engine."""

import threading

import psycopg
import pytest

pytestmark = pytest.mark.slow

JOIN = "SELECT c.title, count(m.id) FROM c LEFT JOIN m ON m.conv = c.id GROUP BY c.title ORDER BY 1"


@pytest.fixture(scope="module")
def tables(server):
    with server.root() as root:
        root.execute(
            """
            CREATE NAMESPACE q;
            CREATE TABLE q.c (id bigint PRIMARY KEY, title text) WITH (TYPE = 'USER');
            CREATE TABLE q.m (id bigint PRIMARY KEY, conv bigint, body text) WITH (TYPE = 'USER');
            CREATE TABLE q.secret (id int PRIMARY KEY, n int)
              WITH (TYPE = 'SHARED', ACCESS_LEVEL = 'PRIVATE');
            """
        )
    return server


@pytest.fixture
def alice(tables):
    with tables.connect("alice") as connection:
        connection.execute("SET search_path TO q")
        yield connection
        connection.rollback()
        connection.execute("TRUNCATE m; TRUNCATE c")


def way(connection, query: str) -> str:
    """The first step of the query's plan that is not about the order of its answer."""
    return connection.execute(f"EXPLAIN {query}").fetchone()[0]


def fill(connection, messages: int = 6) -> None:
    connection.execute("INSERT INTO c VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    connection.execute(
        f"INSERT INTO m SELECT g, g % 2 + 1, 'm' || g::text FROM generate_series(1, {messages}) g"
    )


def test_explain_names_the_way_that_is_taken(alice):
    fill(alice)
    lines = [line for (line,) in alice.execute(f"EXPLAIN ANALYZE {JOIN}")]
    assert lines[0].startswith("Local Query")
    assert "          Hot Rows: 6" in "\n".join(lines)
    alice.execute("SET kalam.in_process_queries = off")
    assert way(alice, JOIN) == "Engine Query"


def test_a_block_sees_its_own_changes_where_they_were_made(alice):
    fill(alice)
    with alice.transaction():
        alice.execute("DELETE FROM m WHERE id = 2")
        alice.execute("UPDATE m SET conv = 3 WHERE id = 4")
        alice.execute("INSERT INTO m VALUES (9, 1, 'new')")
        here = alice.execute(JOIN).fetchall()
        order = alice.execute("SELECT id FROM m UNION ALL SELECT 0").fetchall()
        assert way(alice, JOIN) == "Local Query"
        alice.execute("SET LOCAL kalam.in_process_queries = off")
        assert way(alice, JOIN) == "Engine Query"
        assert alice.execute(JOIN).fetchall() == here == [("a", 2), ("b", 3), ("c", 1)]
        assert order == [(1,), (3,), (5,), (6,), (4,), (9,), (0,)]


def test_a_snapshot_is_kept_while_others_commit(tables, alice):
    fill(alice)
    with tables.connect("alice") as other, alice.transaction():
        alice.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        before = alice.execute(JOIN).fetchall()
        other.execute(
            "UPDATE q.m SET conv = 3; DELETE FROM q.m WHERE id = 1; INSERT INTO q.c VALUES (7, 'z')"
        )
        assert alice.execute(JOIN).fetchall() == before == [("a", 3), ("b", 3), ("c", 0)]
    assert alice.execute(JOIN).fetchall() == [("a", 0), ("b", 0), ("c", 5), ("z", 0)]


def test_rows_are_those_of_the_user_and_rights_are_asked(tables, alice):
    fill(alice)
    with tables.connect("bob") as bob:
        assert bob.execute("SELECT count(*), max(id) FROM q.m").fetchall() == [(0, None)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            bob.execute("SELECT a.id FROM q.m a JOIN q.secret s ON s.id = a.id")


def test_many_rows_are_an_engines_and_the_answer_is_the_same(alice):
    fill(alice, messages=20_002)
    count = "SELECT conv, count(*), min(body), max(id) FROM m GROUP BY conv ORDER BY conv"
    assert way(alice, count) == "Engine Query"
    assert alice.execute(count).fetchall() == [(1, 10001, "m10", 20002), (2, 10001, "m1", 20001)]


def test_a_join_that_grows_is_given_up_and_holds_nobody(tables, alice):
    fill(alice, messages=1500)
    pairs = "SELECT count(*) FROM m a JOIN m b ON a.conv = b.conv WHERE a.body <> b.body"
    assert way(alice, pairs) == "Local Query"  # Nobody knows better before it has run.
    done = threading.Event()
    answers = []

    def ask():
        with tables.connect("alice") as other:
            answers.extend(
                other.execute(pairs.replace(" m ", " q.m ")).fetchone() for _ in range(3)
            )
        done.set()

    thread = threading.Thread(target=ask)
    thread.start()
    while not done.is_set():
        assert alice.execute("SELECT title FROM c WHERE id = 1").fetchone() == ("a",)
    thread.join()
    assert answers == [(2 * 750 * 749,)] * 3


def test_what_an_engine_refuses_is_not_answered_because_rows_are_few(alice):
    fill(alice)
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        alice.execute("SELECT c.id, current_setting(c.title, true) FROM c JOIN m ON m.conv = c.id")


def test_long_texts_sort(alice):
    alice.execute(
        "INSERT INTO m SELECT g, 1, repeat(chr(96 + g), 5000) FROM generate_series(1, 3) g"
    )
    rows = alice.execute("SELECT id FROM m ORDER BY body DESC").fetchall()
    assert rows == [(3,), (2,), (1,)]


COUNT = "SELECT count(*), count(id) FROM m"


def test_a_count_is_exact_hot_and_cold_in_any_view_and_reads_nothing(tables, alice):
    def counted(connection, expected):
        """By the counters, and by an engine that reads the rows."""
        assert connection.execute(COUNT).fetchone() == (expected, expected)
        assert connection.execute("SELECT count(*) FROM m WHERE id > -1").fetchone() == (expected,)

    assert way(alice, COUNT) == "Aggregate"
    assert alice.execute(f"EXPLAIN {COUNT}").fetchall()[1] == ("  ->  Row Count on m",)
    counted(alice, 0)
    fill(alice, messages=300)
    alice.execute("DELETE FROM m WHERE id <= 10")
    counted(alice, 290)
    alice.execute("STORAGE FLUSH TABLE m")
    counted(alice, 290)
    alice.execute("UPDATE m SET body = 'new' WHERE id BETWEEN 100 AND 110")
    alice.execute("DELETE FROM m WHERE id BETWEEN 11 AND 20")
    alice.execute("INSERT INTO m SELECT g, 1, 'back' FROM generate_series(1, 15) g")
    counted(alice, 295)
    alice.execute("STORAGE FLUSH TABLE m")
    alice.execute("DELETE FROM m WHERE id = 299")
    counted(alice, 294)
    with tables.connect("alice") as other, alice.transaction():
        alice.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET search_path TO q")
        counted(alice, 294)
        other.execute("INSERT INTO q.m VALUES (1000, 1, 'x'); DELETE FROM q.m WHERE id = 5")
        other.execute("INSERT INTO q.m VALUES (1001, 1, 'x')")
        other.execute("STORAGE FLUSH TABLE q.m")
        counted(alice, 294)
        alice.execute(
            "INSERT INTO m VALUES (2000, 1, 'x'), (2001, 1, 'x'); DELETE FROM m WHERE id = 6"
        )
        counted(alice, 295)
    counted(alice, 296)
    alice.execute("TRUNCATE m")
    counted(alice, 0)
