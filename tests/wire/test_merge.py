"""MERGE beside PostgreSQL 15: who waits for whom, rows of every kind of table hot and cold, rights, EXPLAIN.

What each clause means is told by `conformance/files/own/merge.sql`.
"""

# ruff: noqa: E501 -- one statement a line

import random

import psycopg
import pytest

from tests.wire import interleaved
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

ON_U = "MERGE INTO t USING u ON t.id = u.id"
UPSERT = (
    "MERGE INTO t USING (VALUES (1, 7), (9, 9)) v(id, n) ON t.id = v.id "
    "WHEN MATCHED THEN UPDATE SET n = t.n + v.n WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.n)"
)
RR = "BEGIN ISOLATION LEVEL REPEATABLE READ"
TOGETHER = {
    "a changed row is merged as it is now": f"""
        a: BEGIN
        a: UPDATE t SET n = 100 WHERE id = 1
        b: {UPSERT}
        a: COMMIT
        b: SELECT * FROM t ORDER BY id
    """,
    "a deleted row is not matched any more": f"""
        a: BEGIN
        a: DELETE FROM t WHERE id = 1
        b: {UPSERT}
        a: COMMIT
        b: SELECT * FROM t ORDER BY id
    """,
    "a change that is rolled back has been none": f"""
        a: BEGIN
        a: DELETE FROM t WHERE id = 1
        b: {UPSERT}
        a: ROLLBACK
        b: SELECT * FROM t ORDER BY id
    """,
    "two put the same row": f"""
        a: BEGIN
        a: {UPSERT}
        b: {UPSERT}
        a: COMMIT
        b: SELECT * FROM t ORDER BY id
    """,
    "another WHEN holds by now": f"""
        a: BEGIN
        a: UPDATE t SET n = 1 WHERE id = 2
        b: {ON_U} WHEN MATCHED AND t.n > 15 THEN DELETE WHEN MATCHED THEN UPDATE SET s = 'small'
        a: COMMIT
        b: SELECT * FROM t ORDER BY id
    """,
    "no WHEN holds any more": f"""
        a: BEGIN
        a: UPDATE t SET n = 1 WHERE id = 2
        b: {ON_U} WHEN MATCHED AND t.n > 15 THEN DELETE
        a: COMMIT
        b: SELECT * FROM t ORDER BY id
    """,
    "ON does not hold any more": """
        a: BEGIN
        a: UPDATE t SET s = 'z' WHERE id = 1
        b: MERGE INTO t USING (VALUES ('a', 50)) v(s, id) ON t.s = v.s WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (v.id, 0, v.s)
        a: COMMIT
        b: SELECT * FROM t ORDER BY id
    """,
    "what is not changed is not waited for": f"""
        a: BEGIN
        a: UPDATE t SET n = 0
        b: {ON_U} WHEN MATCHED AND t.id > 5 THEN DELETE
        b: {ON_U} WHEN MATCHED THEN DO NOTHING
        a: ROLLBACK
    """,
    "an update of no key waits for no KEY SHARE, a delete does": f"""
        a: BEGIN
        a: SELECT id FROM t WHERE id = 1 FOR KEY SHARE
        b: {ON_U} WHEN MATCHED AND t.id = 1 THEN UPDATE SET n = 5
        b: {ON_U} WHEN MATCHED AND t.id = 1 THEN DELETE
        a: COMMIT
        b: SELECT * FROM t ORDER BY id
    """,
    "a snapshot is kept": f"""
        a: {RR}
        a: SELECT count(*) FROM t
        b: UPDATE t SET n = 99 WHERE id = 1
        a: {UPSERT}
        a: ROLLBACK
        a: {RR}
        a: SELECT count(*) FROM t
        b: DELETE FROM t WHERE id = 1
        a: {UPSERT}
        a: ROLLBACK
        b: SELECT * FROM t ORDER BY id
    """,
    "each waits for the other": f"""
        a: BEGIN
        b: BEGIN
        a: {ON_U} WHEN MATCHED AND t.id = 1 THEN DELETE
        b: {ON_U} WHEN MATCHED AND t.id = 2 THEN DELETE
        a: {ON_U} WHEN MATCHED AND t.id = 2 THEN DELETE
        b: ROLLBACK
        a: COMMIT
        a: SELECT * FROM t ORDER BY id
    """,
    "a block of its own": f"""
        a: BEGIN
        a: UPDATE t SET n = 11 WHERE id = 1
        a: SAVEPOINT s
        a: {UPSERT}
        a: {UPSERT}
        a: SELECT * FROM t ORDER BY id
        a: ROLLBACK TO s
        a: SELECT * FROM t ORDER BY id
        a: {ON_U} WHEN MATCHED THEN DELETE
        a: {UPSERT}
        a: COMMIT
        b: SELECT * FROM t ORDER BY id
    """,
    "what only a query can tell is found again": f"""
        a: BEGIN
        a: UPDATE t SET n = 1 WHERE id = 2
        b: {ON_U} WHEN MATCHED AND t.n > (SELECT 15) THEN DELETE WHEN MATCHED THEN UPDATE SET s = (SELECT 'q' || t.n)
        a: DELETE FROM t WHERE id = 1
        a: COMMIT
        b: SELECT * FROM t ORDER BY id
    """,
    "a table that is locked": f"""
        a: BEGIN
        a: LOCK TABLE t IN SHARE MODE
        b: {ON_U} WHEN MATCHED THEN DO NOTHING
        a: COMMIT
        a: BEGIN
        a: {ON_U} WHEN MATCHED THEN DELETE
        b: DROP TABLE t CASCADE
        a: COMMIT
    """,
}


@pytest.mark.parametrize("cold", [False, True], ids=["hot", "cold"])
@pytest.mark.parametrize("script", TOGETHER.values(), ids=TOGETHER)
def test_who_waits_for_whom_is_as_in_postgresql(servers, script, cold):
    then = "\nSTORAGE FLUSH TABLE t\nSTORAGE FLUSH TABLE u" if cold else ""
    assert interleaved.differences(servers, script, then=then) == ""


def _merge(choose: random.Random) -> str:
    """A random MERGE of `m` that never changes a row twice."""
    source = choose.choice(
        (
            f"(SELECT g AS id, g * 3 % 11 AS v FROM generate_series({choose.randrange(9)}, {choose.randrange(9, 40)}) g)",
            f"(SELECT id + {choose.randrange(4)} AS id, n AS v FROM m WHERE n % 3 <> {choose.randrange(3)})",
            f"(SELECT id, v FROM src WHERE v > {choose.randrange(8)})",
            f"(VALUES ({choose.randrange(30)}, 1), ({choose.randrange(30, 60)}, 2))",
        )
    )
    on = choose.choice(
        (
            "m.id = s.id",
            "m.id = s.id AND m.n > 3",
            "s.id = m.id AND s.v % 2 = 0 AND m.b IS NOT NULL",
        )
    )
    whens = [
        *choose.sample(
            [
                f"WHEN MATCHED AND m.n > {choose.randrange(12)} THEN DELETE",
                f"WHEN MATCHED AND s.v < {choose.randrange(12)} THEN UPDATE SET n = m.n + s.v, b = b || 'x'",
                "WHEN MATCHED AND m.id % 5 = 0 THEN DO NOTHING",
                "WHEN MATCHED AND s.v IN (SELECT n FROM m) THEN UPDATE SET n = (SELECT count(*) FROM src)",
            ],
            choose.randrange(1, 4),
        ),
        # Above all rows: what ON leaves out may be there.
        f"WHEN NOT MATCHED AND s.v > {choose.randrange(12)} THEN INSERT VALUES (s.id + {choose.randrange(100, 10**6)}, s.v, 'new')",
        *choose.choice(((), ("WHEN NOT MATCHED THEN DO NOTHING",))),
    ]
    return f"MERGE INTO m USING {source} s(id, v) ON {on} {' '.join(whens)}"


@pytest.mark.parametrize("kind", ["USER", "SHARED", "STREAM"])
def test_random_merges_over_rows_hot_and_cold_leave_what_postgresqls_leave(servers, kind):
    server, theirs = servers
    choose = random.Random(kind)
    options = f" WITH (TYPE = '{kind}'{', TTL_SECONDS = 100000' if kind == 'STREAM' else ''})"
    made = "CREATE TABLE m (id int PRIMARY KEY, n int, b text)"
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as other:
        ours.execute(made + options)
        other.execute(made)
        for both in ours, other:
            both.execute("CREATE TABLE src (id int PRIMARY KEY, v int)")
            both.execute("INSERT INTO src SELECT g, g * 7 % 13 FROM generate_series(1, 50, 2) g")
            both.execute("INSERT INTO m SELECT g, g % 9, 'b' FROM generate_series(1, 40) g")
        for turn in range(24):
            if kind != "STREAM" and turn % 3 == 0:
                ours.execute("STORAGE FLUSH TABLE m")
            statement = _merge(choose)
            told = []
            for both in ours, other:
                try:
                    tag = both.execute(statement).statusmessage
                except psycopg.Error as exc:
                    tag = exc.sqlstate
                told.append((tag, both.execute("SELECT * FROM m ORDER BY id").fetchall()))
            assert told[0] == told[1], statement
        for both in ours, other:
            both.execute("DROP TABLE m, src")


def test_each_user_merges_rows_of_their_own_with_the_rights_of_each_action(server: KalamServer):
    with server.root() as root:
        root.execute("CREATE SCHEMA mr")
        root.execute("CREATE TABLE mr.own (id int PRIMARY KEY, n int) WITH (TYPE = 'USER')")
        root.execute("CREATE TABLE mr.all (id int PRIMARY KEY, n int) WITH (TYPE = 'SHARED')")
        root.execute("INSERT INTO mr.all VALUES (1, 1), (2, 2)")
        root.execute("INSERT INTO mr.own VALUES (1, 1), (2, 2)")
    name = "alice"
    with server.connect(name) as user, server.root() as root:
        put = (
            "MERGE INTO mr.own o USING mr.all a ON a.id = o.id "
            "WHEN NOT MATCHED THEN INSERT VALUES (a.id, 50) WHEN MATCHED THEN DELETE"
        )
        assert user.execute(put).statusmessage == "MERGE 2"
        assert user.execute("SELECT * FROM mr.own ORDER BY id").fetchall() == [(1, 50), (2, 50)]
        assert root.execute("SELECT * FROM mr.own ORDER BY id").fetchall() == [(1, 1), (2, 2)]
        into = "MERGE INTO mr.all a USING mr.own o ON a.id = o.id"
        actions = {
            "UPDATE": "WHEN MATCHED AND a.id = 1 THEN UPDATE SET n = o.n",
            "INSERT": "WHEN NOT MATCHED THEN INSERT VALUES (o.id, o.n)",
            "DELETE": "WHEN MATCHED THEN DELETE",
        }
        assert user.execute(f"{into} WHEN MATCHED THEN DO NOTHING").statusmessage == "MERGE 0"
        given = ""
        for right, when in actions.items():
            given = f"{given} {when}"
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                user.execute(into + given)
            root.execute(f"GRANT {right} ON mr.all TO {name}")
            user.execute(into + given)
        assert root.execute("SELECT * FROM mr.all ORDER BY id").fetchall() == [(1, 50)]


def test_a_prepared_merge_keeps_its_types_and_explain_names_its_steps(server: KalamServer):
    with server.root() as root:
        root.execute("CREATE TABLE prepared_m (id int8 PRIMARY KEY, n numeric, s text)")
        merge = (
            "MERGE INTO prepared_m m USING (SELECT %b::int8 AS id, %b::numeric AS n) v ON m.id = v.id "
            "WHEN MATCHED THEN UPDATE SET n = v.n, s = %s WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.n)"
        )
        for turn in range(12):
            root.execute(merge, (turn % 3, turn, "again"), prepare=True)
        rows = root.execute("SELECT id, n, s FROM prepared_m ORDER BY id").fetchall()
        assert [(i, int(n), s) for i, n, s in rows] == [
            (0, 9, "again"),
            (1, 10, "again"),
            (2, 11, "again"),
        ]
        plain = "MERGE INTO prepared_m m USING generate_series(1, 2) g ON m.id = g WHEN MATCHED THEN DELETE"
        shown = [line for (line,) in root.execute(f"EXPLAIN {plain}").fetchall()]
        assert shown[0] == "Merge on prepared_m"
        assert any("Join" in line for line in shown)
        shown = [line for (line,) in root.execute(f"EXPLAIN ANALYZE {plain}").fetchall()]
        assert "rows=0" in shown[0]
        assert "rows=2" in shown[1]
        assert root.execute("SELECT count(*) FROM prepared_m").fetchone() == (1,)
