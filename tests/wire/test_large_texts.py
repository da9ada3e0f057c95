"""Statements of tens of thousands of values: read in a thread, bound by hash, and they hold up nobody."""

import pytest

from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    server = KalamServer(tmp_path_factory.mktemp("large")).start()
    with server.root() as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, k int, s text)")
        connection.execute(
            "INSERT INTO t SELECT g, nullif(g % 7, 0), 'x' || g FROM generate_series(1, 1000) g"
        )
        yield connection
    server.stop()


@pytest.fixture(params=["on", "off"])
def rows(request, root):
    """The table, read by this process or by a worker."""
    root.execute(f"SET kalam.in_process_queries = {request.param}")
    return root


def count(connection, condition, parameters=None):
    found = connection.execute(f"SELECT count(*) FROM t WHERE {condition}", parameters).fetchone()
    return found[0]


def test_two_thousand_terms_of_or(rows):
    assert count(rows, " OR ".join(f"(id = {n} AND s = 'x{n}')" for n in range(2000))) == 1000
    assert count(rows, "NOT (" + " OR ".join(f"id = {n}" for n in range(11, 2000)) + ")") == 10


def test_two_thousand_terms_of_and(rows):
    assert count(rows, " AND ".join(f"id <> {n}" for n in range(501, 2501))) == 500


def test_ten_thousand_parameters_of_in(rows):
    wanted = [n * 2 for n in range(10_000)]
    marks = ", ".join(["%s"] * len(wanted))
    assert count(rows, f"id IN ({marks})", wanted) == 500
    assert count(rows, f"id NOT IN ({marks})", wanted) == 500


@pytest.mark.parametrize("values", ["{}", "{},NULL"], ids=["", "with NULL"])
def test_any_and_all_of_twenty_thousand(rows, values):
    array = "{" + values.format(",".join(map(str, range(1, 40_000, 2)))) + "}"
    null = "NULL" in values
    assert count(rows, "id = ANY (%s)", [array]) == 500
    assert count(rows, "id <> ALL (%s)", [array]) == (0 if null else 500)
    assert count(rows, "(k = ANY (%s)) IS NULL", [array]) == (571 if null else 142)


def test_twenty_thousand_parameters_of_values(root):
    root.execute("CREATE TABLE u (id int PRIMARY KEY, k bigint)")
    rows = ", ".join(f"(${n}, ${n + 1})" for n in range(1, 20_000, 2))
    root.pgconn.prepare(b"many", f"INSERT INTO u (id, k) VALUES {rows}".encode())
    root.pgconn.exec_prepared(b"many", [str(n).encode() for n in range(20_000)])
    found = root.execute("SELECT count(*), sum(k - id), max(k) FROM u").fetchone()
    assert found == (10_000, 10_000, 19_999)


def test_rows_of_values_that_are_mixed_with_others(root):
    root.execute("CREATE TABLE w (id int PRIMARY KEY, v text)")
    plain = ", ".join(f"({n}, {n})" for n in range(4000))
    others = "(5000, 'a,b)('), (5001, NULL), (5002, upper('x')), (-1, '(1, 2)'), (5003, DEFAULT)"
    root.execute(f"INSERT INTO w VALUES {plain}, {others}")
    assert root.execute("SELECT id, v FROM w WHERE id > 3998 OR id < 0 ORDER BY id").fetchall() == [
        (-1, "(1, 2)"), (3999, "3999"), (5000, "a,b)("), (5001, None), (5002, "X"), (5003, None)
    ]  # fmt: skip


def test_a_mistake_in_a_long_text_is_pointed_at(root):
    rows = ", ".join(f"({n}, {n})" for n in range(4000))
    for end, near in (
        (", (1, 2", "syntax error at end of input"),
        (", (1, 2) 3", 'at or near "3"'),
    ):
        with pytest.raises(Exception, match=near):
            root.execute(f"INSERT INTO t (id, k) VALUES {rows}{end}")
    with pytest.raises(Exception, match="same length"):
        root.execute(f"INSERT INTO t (id, k) VALUES {rows}, (1, 2, 3)")
