"""Texts that differ from each other in their literals alone mean what they say, however they are run.

A comment keeps a text from being known by its shape, so the same text with one is the general way.
"""

import psycopg
import pytest

pytestmark = pytest.mark.slow

GENERAL = "/* the general way */ "


@pytest.fixture
def twins(server):
    """Two tables alike, for alice and bob, and a connection of root."""
    with server.root() as root:
        root.execute("DROP NAMESPACE IF EXISTS w CASCADE")
        root.execute("CREATE NAMESPACE w")
        for name in ("a", "b"):
            root.execute(
                f"""CREATE TABLE w.{name} (id bigint PRIMARY KEY, n numeric(10,2), body text NOT NULL,
                  ok boolean, at timestamptz DEFAULT '2020-01-01Z', f float8, small smallint)
                  WITH (TYPE = 'USER')"""
            )
        root.execute("SET search_path TO w")
        yield root


def told(connection, text):
    try:
        cursor = connection.execute(text)
    except psycopg.Error as exc:
        return exc.sqlstate, exc.diag.message_primary, exc.diag.message_detail
    return cursor.statusmessage, cursor.fetchall() if cursor.description else None


def both_ways(connection, text):
    """What is told of a statement of table a, and of the same of table b in the general way."""
    first = told(connection, text)
    general = told(connection, (GENERAL + text).replace("INTO a ", "INTO b "))
    assert repr(first).replace('"a_pkey"', "").replace('"a"', "") == repr(general).replace(
        '"b_pkey"', ""
    ).replace('"b"', ""), text
    same = (
        "SELECT * FROM a EXCEPT SELECT * FROM b UNION ALL (SELECT * FROM b EXCEPT SELECT * FROM a)"
    )
    assert connection.execute(same).fetchall() == []
    return first


ROWS = ", ".join(
    f"({i}, {i}.5{'0' * (i % 3)}, 'it''s {i} (é, \"x\")', {('true', 'NULL', 'false')[i % 3]}, "
    f"'2024-01-01 10:00:{i:02d}+02', {-i if i % 2 else 'NULL'}, {i % 5})"
    for i in range(50)
)


def test_fifty_rows_are_what_fifty_rows_are_in_the_general_way(twins):
    assert both_ways(twins, f"INSERT INTO a VALUES {ROWS}") == ("INSERT 0 50", None)
    more = ROWS.replace("(", "(1", 1)
    assert both_ways(twins, f"INSERT INTO a VALUES {more}")[0] == "23505"
    assert twins.execute("SELECT count(*) FROM a").fetchone() == (50,)


@pytest.mark.parametrize(
    "rest",
    [
        "RETURNING id, (SELECT count(*) FROM pg_am)",
        "RETURNING id, (SELECT max(x) FROM unnest(ARRAY[id, n]) x), body",
        "ON CONFLICT (id) DO UPDATE SET n = (SELECT count(*) FROM pg_am)",
        "ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING (SELECT n), xmax <> 0",
    ],
)
def test_all_rows_are_inserted_where_a_part_runs_before(twins, rest):
    for first in (1, 3, 1):
        rows = ", ".join([f"({i}, {i}, 'x{i}')" for i in range(first, first + 4)])
        command = both_ways(twins, f"INSERT INTO a (id, n, body) VALUES {rows} {rest}")[0]
        assert command in {"INSERT 0 4", "23505"}
    assert twins.execute("SELECT count(*) FROM a").fetchone()[0] >= 4


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO a (id, body) VALUES (1, 'x'), (2, NULL)",
        "INSERT INTO a (id, body) VALUES (1, 'x'), (1, 'y')",
        "INSERT INTO a (id, body, at) VALUES (1, 'x', '2024-01-01Z'), (2, 'y', 'never')",
        "INSERT INTO a (id, body, small) VALUES (1, 'x', 5), (2, 'y', 50000)",
        "INSERT INTO a (id, body, small) VALUES (1, 'x', 5), (2, 'y', 1.6)",
        "INSERT INTO a (id, body) VALUES (1, 25), (2, 30000000000)",
        "INSERT INTO a (id, n, body) VALUES (1, 123456789.5, 'x'), (2, 1, 'y')",
        "INSERT INTO a (id, body, ok) VALUES (1, 'x', 'yes'), (2, 'y', 'off')",
        "INSERT INTO a (id, body) VALUES (1, 'x', 3), (2, 'y', 4)",
        "INSERT INTO a (id, nothing) VALUES (1, 'x'), (2, 'y')",
        "INSERT INTO a (id, body) VALUES (1, 'x'), (2, 'y') RETURNING id, body, at",
        "INSERT INTO a (id, body) VALUES (1, 'x'), (1, 'y') ON CONFLICT DO NOTHING RETURNING body",
        "INSERT INTO a (id, body) VALUES (1, 'x'), (1, 'y') "
        "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    ],
)
def test_each_row_obeys_the_rules_and_the_statement_is_whole(twins, text):
    both_ways(twins, text)


def test_a_statement_of_many_rows_is_one_statement_of_its_block(twins):
    with twins.transaction():
        twins.execute("INSERT INTO a (id, body) VALUES (1, 'x'), (2, 'y')")
        with pytest.raises(psycopg.errors.UniqueViolation), twins.transaction():
            twins.execute("INSERT INTO a (id, body) VALUES (3, 'x'), (2, 'y')")
        assert twins.execute("SELECT id FROM a ORDER BY 1").fetchall() == [(1,), (2,)]


def test_a_statement_for_another_user_is_that_users_each_time(server, twins):
    for text in (
        "EXECUTE AS USER 'alice' (INSERT INTO w.a (id, body) VALUES ({n}, 'alice {n}'))",
        "EXECUTE AS USER 'bob' (INSERT INTO w.a (id, body) VALUES ({n}, 'bob {n}'), (1{n}, 'bob'));",
    ):
        for n in (1, 2, 3):
            twins.execute(text.format(n=n))
    with twins.pipeline():
        found = [
            twins.execute(
                f"EXECUTE AS USER '{user}' (SELECT body FROM w.a WHERE id = {n})", prepare=False
            )
            for n in (1, 2, 3)
            for user in ("alice", "bob")
        ]
    assert [cursor.fetchone() for cursor in found] == [
        (f"{user} {n}",) for n in (1, 2, 3) for user in ("alice", "bob")
    ]
    assert twins.execute("SELECT count(*) FROM a").fetchone() == (0,)
    with server.connect("bob") as bob:
        assert bob.execute("SELECT count(*) FROM w.a").fetchone() == (6,)


@pytest.mark.parametrize(
    ("text", "sqlstate", "position"),
    [
        ("EXECUTE AS USER 'nobody' (SELECT id FROM w.a WHERE id = 1)", "42704", None),
        ("EXECUTE AS USER 'alice' (SELECT nothing FROM w.a WHERE id = 1)", "42703", "33"),
        ("EXECUTE AS USER 'alice' (INSERT INTO w.a (id, body) VALUES (1, NULL))", "23502", None),
        (
            "EXECUTE AS USER 'alice' (INSERT INTO w.a (id, n, body) VALUES (1, 'x', 'y'))",
            "22P02",
            "67",
        ),
        (
            "EXECUTE AS USER 'alice' (SELECT id FROM w.a WHERE id = 1) (SELECT id FROM w.a WHERE id = 2)",
            "42601",
            "59",
        ),
    ],
)
def test_errors_are_told_as_in_the_general_way(twins, text, sqlstate, position):
    for _ in range(2):
        with pytest.raises(psycopg.Error) as caught:
            twins.execute(text)
        assert (caught.value.sqlstate, caught.value.diag.statement_position) == (sqlstate, position)
    with pytest.raises(psycopg.Error) as caught, twins.pipeline():
        twins.execute(text, prepare=False)
    assert (caught.value.sqlstate, caught.value.diag.statement_position) == (sqlstate, position)


def test_who_may_act_for_nobody_may_not_in_a_known_text_either(server, twins):
    twins.execute("EXECUTE AS USER 'alice' (SELECT id FROM w.a WHERE id = 1)")
    with server.connect("bob") as bob:
        for n in (1, 2):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                bob.execute(f"EXECUTE AS USER 'alice' (SELECT id FROM w.a WHERE id = {n})")


def test_literals_in_a_pipeline_mean_what_they_mean_alone(twins):
    with twins.pipeline():
        for n in range(20):
            twins.execute(f"INSERT INTO a (id, body) VALUES ({n}, 'x{n}')", prepare=False)
        found = [
            twins.execute(f"SELECT body FROM a WHERE id = {n} AND body <> 'x3'", prepare=False)
            for n in range(5)
        ]
    assert [cursor.fetchall() for cursor in found] == [
        [("x0",)],
        [("x1",)],
        [("x2",)],
        [],
        [("x4",)],
    ]


def test_a_table_that_has_changed_is_read_as_it_is_now(twins):
    insert = "INSERT INTO a (id, body) VALUES ({n}, 'x'), (1{n}, 'y')"
    twins.execute(insert.format(n=1))
    twins.execute(insert.format(n=2))
    twins.execute("DROP TABLE a")
    twins.execute("CREATE TABLE a (body char(3), id numeric, more int DEFAULT 7, PRIMARY KEY (id))")
    twins.execute(insert.format(n=3))
    assert twins.execute("SELECT * FROM a ORDER BY id").fetchall() == [
        ("x  ", 3, 7),
        ("y  ", 13, 7),
    ]
