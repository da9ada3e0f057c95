"""What a REPEATABLE READ transaction is told of what its snapshot does not show, hot and cold."""

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
