"""Long lists of IN and rows of VALUES, which are read at once, beside PostgreSQL: answers, types and errors.

Each statement is made longer than what is read item by item (`lexer.LONG_CHARS`) by a comment; an item that
is unlike the others stands at the beginning, in the midst or at the end.
"""

from collections.abc import Iterator

import pytest

from kalam_pg.sql.lexer import LONG_CHARS
from tests.wire.side_by_side import Side, both, differences

COUNT = 80
PLACES = (0, COUNT // 2, COUNT - 1)
LONG = f"/*{'-' * LONG_CHARS}*/"


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("sides")) as pair:
        for side in pair:
            side.ask(
                "CREATE TABLE t (id bigint PRIMARY KEY, small smallint, whole int, exact numeric(10,2),"
                " real double precision, name text, short varchar(8), fixed char(4), day date, uid uuid,"
                " ok bool)"
            )
            side.ask(
                "INSERT INTO t SELECT n, n, n, n + 0.50, n + 0.5, 'n' || n, 'n' || n, 'n' || n,"
                " date '2020-01-01' + n::int, NULL, n % 2 = 0 FROM generate_series(1, 40) n"
            )
            side.ask("INSERT INTO t (id) VALUES (41)")
        yield pair


def unlike(sides: tuple[Side, Side], script: str) -> list[tuple[str, object, object]]:
    """What is not answered alike, of statements that are made long."""
    lines = [line.strip() for line in script.splitlines() if line.strip()]
    found = differences(sides, "\n".join([f"{line} {LONG}" for line in lines]))
    return [(statement.removesuffix(LONG), *told) for statement, *told in found]


def listed(items: list[str], odd: str = "", at: int = 0) -> str:
    if odd:
        items[at] = odd
    return ", ".join(items)


def numbers(odd: str = "", at: int = 0) -> str:
    return listed([str(7 + 3 * n) for n in range(COUNT)], odd, at)


def strings(odd: str = "", at: int = 0) -> str:
    return listed([f"'n{7 + 3 * n}'" for n in range(COUNT)], odd, at)


def dates(odd: str = "", at: int = 0) -> str:
    return listed([f"'{1900 + n % 200}-01-{1 + n % 28}'" for n in range(COUNT)], odd, at)


def decimals(odd: str = "", at: int = 0) -> str:
    return listed([f"{n}.50" for n in range(COUNT)], odd, at)


COLUMNS = ("id", "small", "whole", "exact", "real", "name", "short", "fixed", "day", "uid", "ok")


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_of_any_type(sides: tuple[Side, Side], column: str) -> None:
    lists = (numbers(), strings(), dates(), decimals(), numbers("9999999999"), numbers("NULL", 9))
    script = "\n".join(
        f"SELECT id FROM t WHERE {column} {word} ({items}) ORDER BY id"
        for items in lists
        for word in ("IN", "NOT IN")
    )
    assert unlike(sides, script) == []


@pytest.mark.parametrize("at", PLACES)
def test_an_item_unlike_the_others(sides: tuple[Side, Side], at: int) -> None:
    odd = (
        "NULL", "-8", "- 8", "8.5", "'12'", "'x'", "99999999999", "-2147483648", "-9223372036854775808",
        "9223372036854775808", "1e1", "id", "(8)", "8 + 1", "$$9$$", "8x", "true", "/* ) */ 8", "8 -- 9\t",
        "1.", ".5", "007", "00000000000000000000000000007",
    )  # fmt: skip
    script = [f"SELECT id FROM t WHERE whole IN ({numbers(one, at)}) ORDER BY id" for one in odd]
    odd = ("'a''n12'", "E'n\\x31'", "U&'n1'", "'2021-02-30'", "''", "'n1' 'x'", "'now'", "12")
    script += [
        f"SELECT id FROM t WHERE name NOT IN ({strings(one, at)}) ORDER BY id" for one in odd
    ]
    script += [f"SELECT id FROM t WHERE day IN ({dates(one, at)}) ORDER BY id" for one in odd[:6]]
    assert unlike(sides, "\n".join(script)) == []


def test_conditions_around_a_list(sides: tuple[Side, Side]) -> None:
    script = f"""
        SELECT id FROM t WHERE id IN ({numbers()}) AND name NOT IN ({strings()}) ORDER BY id
        SELECT id FROM t WHERE id IN ({numbers()}) OR name = 'n8' ORDER BY id
        SELECT id, whole IN ({numbers()}), NULL IN ({numbers()}) FROM t WHERE id > 36 ORDER BY id
        SELECT CASE WHEN id IN ({numbers()}) THEN 'in' ELSE 'out' END, count(*) FROM t GROUP BY 1 ORDER BY 1
        SELECT 8 IN ({numbers()}), 10 IN ({numbers()}), '10' IN ({numbers()}), 'x' IN ({numbers()})
        SELECT (id, whole) IN ({numbers()}) FROM t
        SELECT count(*) FROM t WHERE id + whole IN ({numbers()})
        SELECT count(*) FROM t a JOIN t b ON a.id = b.whole AND b.name IN ({strings()})
        SELECT count(*) FROM t WHERE EXISTS (SELECT FROM t b WHERE b.id = t.whole AND b.id IN ({numbers()}))
        SELECT id NOT LIKE 2 FROM t
        SELECT id NOT ILIKE ok FROM t
        SELECT id NOT SIMILAR TO 'a' FROM t
        SELECT id NOT LIKE ALL (ARRAY[1]) FROM t
        SELECT (id, day) NOT IN ((1, 2), (3, 4)) FROM t
        SELECT count(*) FROM t WHERE nothing IN ({numbers()})
        SELECT count(*) FROM t WHERE id IN ({numbers()},)
        SELECT count(*) FROM t WHERE id IN ({numbers()}
        UPDATE t SET ok = NOT ok WHERE id IN ({numbers()}) RETURNING id
        DELETE FROM t WHERE id IN ({numbers("41")}) AND name IS NULL RETURNING id
        INSERT INTO t (id) VALUES (41)
    """
    assert unlike(sides, script) == []


def rows(make: str, odd: str = "", at: int = 0) -> str:
    return listed([make.format(n=n) for n in range(COUNT)], odd, at)


@pytest.mark.parametrize("at", PLACES)
def test_rows_of_values(sides: tuple[Side, Side], at: int) -> None:
    odd = (
        "(1, 'a', 1.5, NULL)", "(NULL, NULL, NULL, NULL)", "(99999999999, 'a', 2.5, 'x')", "(1, 'a', 2, 'x')",
        "('7', 'a', 2.5, 'x')", "('x', 'a', 2.5, 'x')", "(1, 2, 2.5, 'x')", "(1, 'a', 2.5)", "()",
        "(1, 'a', 2.5, 'x', 5)", "(1::bigint, 'a'::varchar(5), 1, true)", "(1 + 1, lower('A'), 2.5, 'now')",
        "(1, 'a', 2.5, DEFAULT)", "(1.5::float8, 'a', 2.5, 'x')", "(1, 'a;)(', -2.5, '''')",
        "(1, 'a'::date, 2.5, 'x')", "(1, '2020-01-01'::date, 2.5, 'x')", "(1, 'a', 2.5, ARRAY[1])",
    )  # fmt: skip
    each = "({n}, 'n{n}', {n}.5, 'x')"
    script = [
        "SELECT count(*), min(a), max(b), sum(c), count(d), pg_typeof(min(a)), pg_typeof(min(c))"
        f" FROM (VALUES {rows(each, one, at)}) v (a, b, c, d)"
        for one in odd
    ]
    assert unlike(sides, "\n".join(script)) == []


def test_values_as_a_query(sides: tuple[Side, Side]) -> None:
    two, one = rows("({n}, 'n{n}')"), rows("({n})")
    script = f"""
        VALUES {two}
        VALUES {two} ORDER BY 2 DESC LIMIT 3
        VALUES {two} OFFSET 70
        VALUES {one}
        SELECT * FROM (VALUES {two}) v LIMIT 5
        SELECT column1, v.column2, v FROM (VALUES {two}) v WHERE column1 < 3
        SELECT v FROM (VALUES {one}) v (a) WHERE a < 3
        SELECT t.id, b FROM t JOIN (VALUES {two}) v (a, b) ON v.a = t.id ORDER BY 1
        SELECT t.id, b FROM t LEFT JOIN (VALUES {two}) v (a, b) ON v.b = t.name ORDER BY 1
        SELECT count(*) FROM t WHERE id IN (VALUES {one})
        SELECT count(*) FROM t WHERE id NOT IN (VALUES {one})
        SELECT count(*) FROM (VALUES {two} UNION SELECT 1, 'n1') v
        WITH w (a, b) AS (VALUES {two}) SELECT max(a), max(b) FROM w
        WITH w (a, b) AS MATERIALIZED (VALUES {two}) SELECT count(*) FROM w x, w y WHERE x.a = y.a
        SELECT (VALUES {one})
        UPDATE t SET name = v.b FROM (VALUES {two}) v (a, b) WHERE v.a = t.id AND t.id < 4 RETURNING id, name
        INSERT INTO t (id, name) SELECT a + 100000, b FROM (VALUES {two}) v (a, b) WHERE a < 3 RETURNING id
        DELETE FROM t WHERE id >= 100000 RETURNING name
        CREATE TABLE made AS VALUES {two}
        SELECT count(*), max(column2) FROM made
        DROP TABLE made
    """
    assert unlike(sides, script) == []


@pytest.mark.parametrize("at", PLACES)
def test_rows_that_are_inserted(sides: tuple[Side, Side], at: int) -> None:
    odd = (
        "(1, DEFAULT)", "(1, NULL)", "(500001, 'a', 1)", "(500001)", "('500001', 'a')", "('x', 'a')",
        "(500001, 5)", "(500001, lower('A'))", "(99999999999999999999, 'a')", "(500001, '(''')",
    )  # fmt: skip
    script = []
    for one in odd:
        script += [
            f"INSERT INTO t (id, name) VALUES {rows('({n}000, ' + chr(39) + 'x{n}' + chr(39) + ')', one, at)}"
            " ON CONFLICT DO NOTHING",
            "SELECT count(*), max(id), max(name) FROM t WHERE id > 41 OR id < 1",
            "DELETE FROM t WHERE id > 41 OR id < 1",
        ]
    assert unlike(sides, "\n".join(script)) == []


def test_parameters(sides: tuple[Side, Side]) -> None:
    for side in sides:
        side.connection.execute("SET client_min_messages TO warning")
    pairs = ", ".join(["(%s, %s)"] * COUNT)
    typed = "(%s::bigint, %s::text), " + pairs
    marks = ", ".join(["%s"] * COUNT)
    two = [value for n in range(COUNT) for value in (n, f"n{n}")]
    asked = [
        (f"SELECT id FROM t WHERE id IN ({marks}) ORDER BY id", [*range(7, 7 + COUNT)]),
        (f"SELECT id FROM t WHERE name NOT IN ({marks}) ORDER BY id", [f"n{n}" for n in range(7, 7 + COUNT)]),
        (f"SELECT id FROM t WHERE id NOT IN ({marks}) ORDER BY id", [None, *range(7, 6 + COUNT)]),
        (f"SELECT count(*), max(a), max(b), pg_typeof(max(a))::text FROM (VALUES {typed}) v (a, b)",
         [0, "n0", *two]),
        (f"SELECT count(*), max(b) FROM (VALUES {pairs}) v (a, b)", [str(v) for v in two]),
        (f"INSERT INTO t (id, name) VALUES {pairs} ON CONFLICT DO NOTHING RETURNING id", two),
        ("DELETE FROM t WHERE id > %s OR id < 1 RETURNING id", [41]),
    ]  # fmt: skip
    for text, values in asked:
        got = [
            sorted(side.connection.execute(f"{text} {LONG}", values).fetchall()) for side in sides
        ]
        assert got[0] == got[1]
