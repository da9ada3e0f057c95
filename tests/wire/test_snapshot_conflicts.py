"""What a REPEATABLE READ transaction is told of what its snapshot does not show, hot and cold."""

import psycopg
import pytest

from tests.wire.interleaved import differences

pytestmark = pytest.mark.slow

RR = "BEGIN ISOLATION LEVEL REPEATABLE READ"
BY_SNAPSHOT = {
    f"{name}: {statement}": f"""
        a: {RR}
        a: SELECT id, n FROM t ORDER BY id
        b: {change}
        a: {statement}
        a: ROLLBACK
        a: {RR}
        a: SELECT id, n FROM t ORDER BY id
        b: BEGIN
        b: {change.replace("= 1", "= 2").replace("(7", "(8")}
        a: {statement.replace("= 1", "= 2").replace("(7", "(8")}
        b: COMMIT
        a: SELECT id, n FROM t ORDER BY id
        a: ROLLBACK
    """
    for name, change, statements in (
        (
            "changed",
            "UPDATE t SET n = 99 WHERE id = 1",
            [
                "UPDATE t SET n = 0 WHERE id = 1",
                "UPDATE t SET n = 0",
                "DELETE FROM t WHERE id = 1",
                "SELECT id FROM t WHERE id = 1 FOR UPDATE",
                "SELECT id FROM t ORDER BY id FOR SHARE",
                "SELECT id FROM t WHERE id = 1 FOR KEY SHARE",
                "SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED",
                "UPDATE t SET n = u.n FROM u WHERE u.id = t.id",
                "SELECT t.id FROM t JOIN u ON u.id = t.id ORDER BY t.id FOR UPDATE OF t",
                "INSERT INTO t VALUES (3, 0, 'x') ON CONFLICT DO NOTHING",
            ],
        ),
        (
            "deleted",
            "DELETE FROM t WHERE id = 1",
            [
                "UPDATE t SET n = 0 WHERE id = 1",
                "UPDATE t SET n = 0",
                "DELETE FROM t WHERE id = 1",
                "DELETE FROM t",
                "SELECT id FROM t WHERE id = 1 FOR UPDATE",
                "SELECT id FROM t ORDER BY id FOR NO KEY UPDATE",
                "DELETE FROM t USING u WHERE u.id = t.id",
            ],
        ),
        (
            "inserted",
            "INSERT INTO t VALUES (7, 7, 'x')",
            [
                "INSERT INTO t VALUES (7, 0, 'y')",
                "INSERT INTO t VALUES (7, 0, 'y') ON CONFLICT DO NOTHING",
                "INSERT INTO t VALUES (7, 0, 'y') ON CONFLICT (id) DO UPDATE SET n = 0",
                "UPDATE t SET n = 0 WHERE id = 7",
                "UPDATE t SET id = 7 WHERE id = 3",
                "SELECT id FROM t WHERE id = 7 FOR UPDATE",
                "INSERT INTO t SELECT 7, 1, 'z'",
            ],
        ),
    )
    for statement in statements
}
"""What a REPEATABLE READ transaction is told of what it does not see."""


COLD = """
    STORAGE FLUSH TABLE t
    STORAGE FLUSH TABLE u
"""


@pytest.mark.parametrize("then", ["", COLD], ids=["hot", "cold"])
@pytest.mark.parametrize("script", BY_SNAPSHOT.values(), ids=BY_SNAPSHOT)
def test_what_a_snapshot_does_not_show_is_told_as_in_postgresql(servers, script, then):
    assert differences(servers, script, then=then) == ""


DELETED = {
    f"{name}: {statement}": (change, statement)
    for name, change in (
        ("deleted", "DELETE FROM t WHERE id = 2"),
        ("moved", "UPDATE t SET id = 9 WHERE id = 2"),
        ("emptied", "TRUNCATE t"),
    )
    for statement in (
        "INSERT INTO t VALUES (2, 99, 'x')",
        "INSERT INTO t VALUES (5, 5, 'y'), (2, 99, 'x'), (6, 6, 'z')",
        "INSERT INTO t VALUES (2, 99, 'x') ON CONFLICT DO NOTHING",
        "INSERT INTO t VALUES (2, 99, 'x') ON CONFLICT (id) DO UPDATE SET n = 5",
        "INSERT INTO t SELECT g, g, 'w' FROM generate_series(2, 2) g",
        "UPDATE t SET id = 2 WHERE id = 3",
        "MERGE INTO t USING (VALUES (2, 1)) v (i, m) ON t.id = v.i AND false "
        "WHEN NOT MATCHED THEN INSERT VALUES (i, m, 'm')",
    )
}


@pytest.mark.parametrize("cold", [False, True], ids=["hot", "cold"])
@pytest.mark.parametrize(("change", "statement"), DELETED.values(), ids=DELETED)
def test_a_key_whose_row_the_snapshot_shows_is_not_given_again(servers, change, statement, cold):
    """PostgreSQL shows both rows then, with one key: here the transaction is to be tried again."""
    with servers[0].root() as ours, servers[0].root() as other:
        ours.execute("DROP TABLE IF EXISTS t CASCADE")
        ours.execute("CREATE TABLE t (id INT PRIMARY KEY, n INT, s TEXT)")
        ours.execute("INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c')")
        if cold:
            ours.execute("STORAGE FLUSH TABLE t")
        for isolation in ("REPEATABLE READ", "SERIALIZABLE"):
            ours.execute(f"BEGIN ISOLATION LEVEL {isolation}")
            assert ours.execute("SELECT count(*), sum(n) FROM t").fetchone() == (3, 60)
            other.execute("BEGIN; " + change)
            other.execute("COMMIT")
            with pytest.raises(
                psycopg.errors.SerializationFailure, match="could not serialize access"
            ):
                ours.execute(statement)
            ours.execute("ROLLBACK")
            ours.execute(statement if "UPDATE t SET id" not in statement else "SELECT 1")
            ours.execute(
                "DELETE FROM t; INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c')"
            )


@pytest.mark.parametrize("rows", ["(2, 99, 'x')", "(2, 99, 'x'), (5, 5, 'y')"])
def test_who_has_emptied_the_table_may_give_any_key(servers, rows):
    with servers[0].root() as ours, servers[0].root() as other:
        ours.execute("DROP TABLE IF EXISTS t CASCADE")
        ours.execute("CREATE TABLE t (id INT PRIMARY KEY, n INT, s TEXT)")
        ours.execute("INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b')")
        ours.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert ours.execute("SELECT count(*) FROM t").fetchone() == (2,)
        other.execute("DELETE FROM t WHERE id = 2")
        ours.execute("TRUNCATE t")
        ours.execute(f"INSERT INTO t VALUES {rows}")
        assert ours.execute("SELECT n FROM t WHERE id = 2").fetchone() == (99,)
        ours.execute("COMMIT")
