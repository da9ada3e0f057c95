"""Every type's edge values go in by INSERT, through a flush and a restart, and come out as they were.

What no segment can hold is refused by the INSERT; no flush fails for a value.
"""

import re

import psycopg
import pytest

from tests.catalog.types.test_storable import EXTREMES
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

NO_ARRAY = {"int2vector", "oidvector"}
COLUMNS = [
    *(name for name in EXTREMES if name not in {"bpchar", "char", "aclitem"}),
    *('"char"', "char(3)", "varchar(3)", "numeric(10,2)", "numeric(38,38)", "numeric(5,-2)"),
    *("vector(3)", "time(0)", "timestamp(0)", "interval(0)", "aclitem", "regtype"),
]
REFUSALS = {
    "0A000",
    "22000",
    "22001",
    "22003",
    "22007",
    "22008",
    "22021",
    "22026",
    "22P02",
    "22P05",
}


def texts_of(column: str) -> tuple[str, ...]:
    base = column.partition("(")[0]
    name = {'"char"': "char", "char": "bpchar", "regtype": "regclass"}.get(base, base)
    return EXTREMES[name]


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def inputs_of(column: str) -> list[str]:
    """Texts for a column: of an array type each alone, and together with NULL."""
    texts = list(texts_of(column.removesuffix("[]")))
    if not column.endswith("[]"):
        return texts
    several = "{" + ",".join([*map(quoted, texts[:3]), "NULL"]) + "}"
    nested = f"{{{{{quoted(texts[-1])}}},{{{quoted(texts[-1])}}}}}"
    bounds = f"[0:0]={{{quoted(texts[-1])}}}"
    return ["{}", "{NULL}", several, nested, bounds, *(f"{{{quoted(text)}}}" for text in texts)]


@pytest.fixture
def own_server(tmp_path):
    """A server that is stopped and started again."""
    server = KalamServer(tmp_path / "data").start()
    yield server
    server.stop()


def test_what_goes_in_comes_out_hot_cold_and_after_a_restart(own_server):
    server = own_server
    columns = [*COLUMNS, *(f"{name}[]" for name in COLUMNS if name not in NO_ARRAY)]
    kept = {}
    with server.root() as root:
        for number, column in enumerate(columns):
            table = f"t{number}"
            root.execute(
                f"CREATE TABLE {table} (id INT PRIMARY KEY, v {column}) WITH (TYPE = 'USER')"
            )
            for at, text in enumerate(inputs_of(column)):
                insert = [
                    (f"INSERT INTO {table} VALUES ({at * 3}, %s)", (text,)),
                    (f"INSERT INTO {table} SELECT {at * 3 + 1}, %s::{column}", (text,)),
                    (f"INSERT INTO {table} VALUES ({at * 3 + 2}, NULL)", ()),
                    (f"UPDATE {table} SET v = %s WHERE id = {at * 3 + 2}", (text,)),
                ]
                for statement, arguments in insert:
                    try:
                        root.execute(statement, arguments)
                    except psycopg.Error as exc:
                        assert exc.sqlstate in REFUSALS, (column, text[:60], exc)  # noqa: PT017
            kept[table] = shown(root, table)
            assert len(kept[table]) >= 3, column
        root.execute("STORAGE FLUSH ALL")
        assert (
            root.execute("SELECT error FROM system.jobs WHERE status <> 'completed'").fetchall()
            == []
        )
        for table, rows in kept.items():
            assert shown(root, table) == rows
    server.stop()
    server.start()
    with server.root() as root:
        for table, rows in kept.items():
            assert shown(root, table) == rows
        stats = root.execute("SELECT sum(hot_rows) FROM system.stats").fetchone()
        assert stats == (0,)
    assert not [line for line in server.errors if "internal error" in line]


def shown(root: psycopg.Connection, table: str) -> list[tuple]:
    """The rows as the server writes them in text, by a scan and one by one."""
    rows = written(root, f"SELECT id, v FROM {table} ORDER BY id")
    for row in rows[:3]:
        assert written(root, f"SELECT id, v FROM {table} WHERE id = {row[0].decode()}") == [row]
    return rows


def written(root: psycopg.Connection, query: str) -> list[tuple]:
    """A query's rows as they came over the wire."""
    result = root.pgconn.exec_(query.encode())
    assert result.status == psycopg.pq.ExecStatus.TUPLES_OK, (query, result.error_message)
    return [
        tuple(result.get_value(row, column) for column in range(result.nfields))
        for row in range(result.ntuples)
    ]


MADE = [
    ("numeric(10,2)[]", "ARRAY[1.239, 2]", "{1.24,2.00}"),
    (
        "numeric(10,2)[]",
        "array_agg(x) FROM (VALUES (1.2345), (2.5)) AS s(x)",
        "{1.23,2.50}",
    ),
    ("numeric(10,2)[]", "ARRAY['NaN'::numeric]", "0A000"),
    ("numeric(10,2)[]", "string_to_array('1,NaN', ',')::numeric[]", "0A000"),
    ("numeric(10,2)[]", "ARRAY[123456789]", "22003"),
    ("numeric(10,2)[]", "ARRAY[[1, 2], [3, 4]]", "{{1.00,2.00},{3.00,4.00}}"),
    ("numeric(10,2)", "(SELECT 'NaN'::numeric)", "0A000"),
    ("numeric(10,2)", "'Infinity'::float8::numeric", "22003"),
    ("numeric(5,-2)", "12345", "12300"),
    ("varchar(3)[]", "ARRAY['abcd']", "22001"),
    ("char(3)[]", "ARRAY['a']", '{"a  "}'),
    ("vector(3)", "'[1,2]'::vector", "22000"),
    ("vector(3)[]", "ARRAY['[1,2]'::vector]", "22000"),
    ("text", r"E'\ud800'", "42601"),
    ("text", r"E'\ud83d\ude42'", "🙂"),
    ("text", r"U&'\d83d\de42'", "🙂"),
    ("text", r"U&'\D800'", "42601"),
    ("text", "chr(55296)", "54000"),
    ("text", """'["\\ud800"]'::json ->> 0""", "22P02"),
    ("text[]", """ARRAY['["\\ud800"]'::json ->> 0]""", "22P02"),
]


@pytest.mark.parametrize(("column", "expression", "expected"), MADE)
def test_what_an_expression_makes_is_shaped_or_refused(server, column, expression, expected):
    with server.root() as root:
        root.execute(f"CREATE TABLE made (id INT PRIMARY KEY, v {column}) WITH (TYPE = 'USER')")
        try:
            root.execute(f"INSERT INTO made SELECT 1, {expression}")
        except psycopg.Error as exc:
            assert exc.sqlstate == expected  # noqa: PT017 -- or the row is there
            assert root.execute("SELECT count(*) FROM made").fetchone() == (0,)
        else:
            root.execute("STORAGE FLUSH TABLE made")
            assert root.execute("SELECT v::text FROM made").fetchone() == (expected,)
            assert not re.fullmatch("[0-9A-Z]{5}", expected) or expected == "12300"
        finally:
            root.execute("DROP TABLE made")


def test_one_clients_bad_text_fails_no_others_commit(server):
    with server.root() as root, server.root() as other:
        root.execute("CREATE TABLE made (id INT PRIMARY KEY, v text) WITH (TYPE = 'USER')")
        root.execute("BEGIN")
        root.execute("INSERT INTO made VALUES (1, 'good')")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            root.execute("""INSERT INTO made SELECT 2, '["\\ud800"]'::json ->> 0""")
        other.execute("INSERT INTO made VALUES (3, 'good')")
        root.execute("COMMIT")
        assert root.execute("SELECT id FROM made").fetchall() == [(3,)]
        root.execute("DROP TABLE made")


@pytest.mark.parametrize("column", ["int2vector[]", "oidvector[]"])
def test_arrays_of_arrays_are_refused_where_the_column_is_made(server, column):
    with server.root() as root, pytest.raises(psycopg.errors.FeatureNotSupported):
        root.execute(f"CREATE TABLE made (id INT PRIMARY KEY, v {column})")


def test_arrays_of_vectors_are_kept_whole_and_nobody_looks_into_them(server):
    with server.root() as root:
        root.execute("CREATE TABLE made (id INT PRIMARY KEY, a vector(2)[])")
        root.execute("""INSERT INTO made VALUES (1, '{"[1,2]","[3,4]"}'), (2, NULL)""")
        rows = root.execute("SELECT a, a::text FROM made ORDER BY id").fetchall()
        assert rows == [('{"[1,2]","[3,4]"}', '{"[1,2]","[3,4]"}'), (None, None)]
        # What takes arrays of any kind would see two dimensions of reals.
        for refused, sqlstate in (
            ("SELECT a[1] FROM made", "0A000"),
            ("SELECT a[1:1] FROM made", "0A000"),
            ("UPDATE made SET a[1] = '[9,9]'", "0A000"),
            ("SELECT unnest(a) FROM made", "42883"),
            ("SELECT cardinality(a) FROM made", "42883"),
            ("SELECT id FROM made ORDER BY a", "42883"),
            ("SELECT DISTINCT a FROM made", "42883"),
            ("SELECT ROW(a) FROM made ORDER BY 1", "42883"),
        ):
            with pytest.raises(psycopg.Error) as told:
                root.execute(refused)
            assert told.value.sqlstate == sqlstate
        document = root.execute("SELECT row_to_json(made) FROM made WHERE id = 1").fetchone()
        assert document == ({"id": 1, "a": ["[1,2]", "[3,4]"]},)
        root.execute("DROP TABLE made")
