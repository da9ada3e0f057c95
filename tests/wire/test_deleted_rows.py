"""`_deleted`: rows that were deleted are read where a WHERE names it, hot, cold, mixed and compacted."""

import random

import psycopg
import pytest

from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow


@pytest.fixture
def root(server):
    with server.root() as connection:
        connection.execute("CREATE NAMESPACE IF NOT EXISTS gone")
        yield connection
        connection.execute("DROP NAMESPACE gone CASCADE")


def ids(connection, where, table="gone.t"):
    return [
        row[0] for row in connection.execute(f"SELECT id FROM {table} WHERE {where} ORDER BY id")
    ]


def test_a_row_that_was_deleted_is_read_with_what_it_held_and_the_deletes_seq(root):
    root.execute("CREATE TABLE gone.t (id INT PRIMARY KEY, note TEXT) WITH (TYPE = 'USER')")
    root.execute("INSERT INTO gone.t VALUES (1, 'one'), (2, 'two'), (3, 'three')")
    before = root.execute("SELECT max(_seq) FROM gone.t").fetchone()[0]
    root.execute("UPDATE gone.t SET note = 'TWO' WHERE id = 2")
    root.execute("DELETE FROM gone.t WHERE id = 2")
    rows = "SELECT id, note, _deleted, _seq > %s FROM gone.t WHERE _deleted IS NOT NULL ORDER BY id"
    expected = [
        (1, "one", False, False),
        (2, "TWO", True, True),
        (3, "three", False, False),
    ]
    for step in ("", "STORAGE FLUSH TABLE gone.t", "STORAGE COMPACT TABLE gone.t"):
        if step:
            root.execute(step)
        assert root.execute(rows, (before,)).fetchall() == expected
        assert ids(root, "_deleted") == [2]
        assert ids(root, "NOT _deleted") == ids(root, "true") == [1, 3]
        # Only a condition asks for them: a select list shows what lives.
        assert root.execute("SELECT id, _deleted FROM gone.t ORDER BY id").fetchall() == [
            (1, False),
            (3, False),
        ]
        assert root.execute("SELECT count(*) FROM gone.t WHERE _deleted").fetchone() == (1,)
        assert root.execute("SELECT _deleted FROM gone.t WHERE id = 2").fetchall() == []
    # What was deleted can be written anew, and is then deleted no more.
    root.execute("INSERT INTO gone.t SELECT id, note FROM gone.t WHERE _deleted")
    assert (ids(root, "_deleted"), ids(root, "true")) == ([], [1, 2, 3])
    root.execute("STORAGE FLUSH TABLE gone.t")
    assert (ids(root, "_deleted"), ids(root, "true")) == ([], [1, 2, 3])


def test_deleted_rows_can_be_joined_and_counted_but_not_changed_or_locked(root):
    root.execute("CREATE TABLE gone.t (id INT PRIMARY KEY, g INT) WITH (TYPE = 'USER')")
    root.execute("CREATE TABLE gone.names (g INT PRIMARY KEY, name TEXT)")
    root.execute("INSERT INTO gone.t SELECT n, n % 3 FROM generate_series(1, 300) n")
    root.execute("INSERT INTO gone.names VALUES (0, 'zero'), (1, 'one'), (2, 'two')")
    root.execute("STORAGE FLUSH TABLE gone.t")
    root.execute("DELETE FROM gone.t WHERE id <= 60")
    root.execute("DELETE FROM gone.names WHERE g = 2")
    counted = (
        "SELECT name, count(*), count(*) FILTER (WHERE t._deleted) FROM gone.t t JOIN gone.names n"
        " ON n.g = t.g{} WHERE t._deleted IS NOT NULL GROUP BY name ORDER BY name"
    )
    assert root.execute(counted.format("")).fetchall() == [("one", 100, 20), ("zero", 100, 20)]
    both = counted.format(" AND n._deleted IN (false, true)")
    assert root.execute(both).fetchall() == [
        ("one", 100, 20),
        ("two", 100, 20),
        ("zero", 100, 20),
    ]
    inner = (
        "SELECT count(*) FROM gone.t a"
        " WHERE EXISTS (SELECT FROM gone.t b WHERE b._deleted AND b.id = a.id - 60)"
    )
    assert root.execute(inner).fetchone() == (60,)
    for statement in (
        "DELETE FROM gone.t WHERE _deleted",
        "UPDATE gone.t SET g = 1 WHERE _deleted AND id = 4",
        "UPDATE gone.t SET g = 1 FROM gone.names n WHERE n._deleted",
        "SELECT id FROM gone.t WHERE _deleted FOR UPDATE",
    ):
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="deleted rows cannot be"):
            root.execute(statement)
    gone = root.execute(
        "DELETE FROM gone.t WHERE id IN (SELECT id + 60 FROM gone.t WHERE _deleted) RETURNING id, _deleted"
    ).fetchall()
    assert sorted(gone) == [(n, False) for n in range(61, 121)]
    assert ids(root, "_deleted") == list(range(1, 121))


def test_a_transaction_sees_what_it_has_deleted_and_nobody_else_does(root, server):
    root.execute("CREATE TABLE gone.t (id INT PRIMARY KEY) WITH (TYPE = 'USER')")
    root.execute("INSERT INTO gone.t SELECT generate_series(1, 6)")
    root.execute("STORAGE FLUSH TABLE gone.t")
    root.execute("DELETE FROM gone.t WHERE id = 1")
    root.execute("STORAGE FLUSH TABLE gone.t")
    root.execute("DELETE FROM gone.t WHERE id = 2")
    with server.root() as other, root.transaction(force_rollback=True):
        root.execute("DELETE FROM gone.t WHERE id = 3")
        root.execute("INSERT INTO gone.t VALUES (1), (2), (7)")
        root.execute("DELETE FROM gone.t WHERE id = 7")
        assert (ids(root, "_deleted"), ids(root, "true")) == ([3], [1, 2, 4, 5, 6])
        root.execute("DELETE FROM gone.t WHERE id = 2")
        assert ids(root, "_deleted") == [2, 3]
        assert ids(other, "_deleted") == [1, 2]
    assert ids(root, "_deleted") == [1, 2]


def test_deleted_rows_are_read_for_as_long_as_the_table_says(root):
    options = "TYPE = 'USER', DELETED_RETENTION_HOURS = 0"
    root.execute(f"CREATE TABLE gone.t (id INT PRIMARY KEY) WITH ({options})")
    root.execute("INSERT INTO gone.t SELECT generate_series(1, 6)")
    root.execute("STORAGE FLUSH TABLE gone.t")
    root.execute("DELETE FROM gone.t WHERE id < 3")
    for _ in range(100):  # Until the clock has passed the commit's number.
        left = ids(root, "_deleted")
        if not left:
            break
    assert left == []
    assert ids(root, "_deleted IS NOT NULL") == [3, 4, 5, 6]


def test_another_users_deleted_rows_are_not_seen(root, server: KalamServer):
    root.execute("CREATE TABLE gone.t (id INT PRIMARY KEY) WITH (TYPE = 'USER')")
    with server.connect("alice") as alice, server.connect("bob") as bob:
        for at, user in enumerate((alice, bob)):
            user.execute("INSERT INTO gone.t SELECT generate_series(%s::int, %s)", (at, at + 4))
            user.execute("DELETE FROM gone.t WHERE id = %s", (at,))
            user.execute("STORAGE FLUSH TABLE gone.t")
        assert (ids(alice, "_deleted"), ids(bob, "_deleted")) == ([0], [1])
    assert ids(root, "_deleted IS NOT NULL") == []


KINDS = {
    "INT": str,
    "TEXT": lambda n: f"'k{n}'",
    "NUMERIC": lambda n: random.choice([f"{n}", f"{n}.0", f"{n}.00"]),
    "DOUBLE PRECISION": lambda n: (
        "'NaN'" if n == 3 else random.choice(["-0.0", "0.0"]) if n == 0 else f"{n}"
    ),
    "INTERVAL": lambda n: f"'{n} days'" if random.random() < 0.5 else f"'{24 * n} hours'",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_life_of_deletes_is_that_of_a_dictionary(kind, root):
    random.seed(list(KINDS).index(kind))
    literal = KINDS[kind]
    root.execute(
        f"CREATE TABLE gone.t (k {kind}, g INT, id INT, note TEXT, PRIMARY KEY (k, g)) WITH (TYPE = 'USER')"
    )
    live, dead = {}, {}
    for step in range(60):
        n, note = random.randrange(12), f"note {step}"
        key = f"k = {literal(n)} AND g = 0"
        match random.choice(["put", "put", "edit", "delete", "delete", "flush", "compact"]):
            case "put":
                if n not in live:
                    root.execute(f"INSERT INTO gone.t VALUES ({literal(n)}, 0, {n}, '{note}')")
                    live[n] = note
                    dead.pop(n, None)
            case "edit" if n in live:
                # Its key may be written in another way than before.
                root.execute(f"UPDATE gone.t SET k = {literal(n)}, note = '{note}' WHERE {key}")
                live[n] = note
            case "delete" if n in live:
                root.execute(f"DELETE FROM gone.t WHERE {key}")
                dead[n] = live.pop(n)
            case "flush":
                root.execute("STORAGE FLUSH TABLE gone.t")
            case "compact":
                root.execute("STORAGE COMPACT TABLE gone.t")
        if step % 4 == 3:
            for where, expected in (("_deleted", dead), ("NOT _deleted", live)):
                rows = root.execute(f"SELECT id, note FROM gone.t WHERE {where}").fetchall()
                assert sorted(rows) == sorted(expected.items()), (step, where)
            assert root.execute("SELECT count(*) FROM gone.t").fetchone() == (len(live),)
