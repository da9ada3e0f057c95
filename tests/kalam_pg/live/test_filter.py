"""A subscription's filter: what a change of a row is to it, and that it agrees with the query engine."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import DuplicateColumnError, FeatureNotSupportedError
from kalam_pg import embed
from kalam_pg.functions.table import EvalContext
from kalam_pg.live.filter import LiveQuery, Seen, compile_query
from kalam_pg.sql.bind import bind
from storage.errors import KalamError
from storage.log.clock import seq_at
from storage.log.log_entry import Op
from tests.kalam_pg.sql.bind_fixtures import bound

INSERT, UPDATE, DELETE = Op.INSERT, Op.UPDATE, Op.DELETE
HOUR_US = 3_600_000_000
SEQ = seq_at(1_800_000_000_000_000)


def live(sql: str) -> LiveQuery:
    return compile_query(bound(sql).statement)


# Of table u: x int8, y text, id int4, the key.
ROW, OTHER = (1, "a", 5), (2, "b", 5)
MATCHING = "SELECT x, y FROM u WHERE x = 1"


def seen(query: str, op: Op, row, old=None) -> Seen | None:
    return live(query).see(op, row, old, SEQ, EvalContext())


@pytest.mark.parametrize(
    ("op", "row", "old", "expected"),
    [
        (INSERT, ROW, None, Seen("insert", "", (5,), (1, "a"), None)),
        (INSERT, OTHER, None, None),
        (UPDATE, ROW, ROW, Seen("update", "", (5,), (1, "a"), (1, "a"))),
        (UPDATE, ROW, OTHER, Seen("insert", "filter", (5,), (1, "a"), None)),
        (UPDATE, OTHER, ROW, Seen("delete", "filter", (5,), None, (1, "a"))),
        (UPDATE, OTHER, OTHER, None),
        (DELETE, ROW, ROW, Seen("delete", "", (5,), None, (1, "a"))),
        (DELETE, OTHER, OTHER, None),
    ],
)
def test_rows_enter_stay_and_leave(op, row, old, expected):
    assert seen(MATCHING, op, row, old) == expected


@pytest.mark.parametrize(
    ("where", "row", "shown"),
    [
        ("x > 0", (None, "a", 5), False),
        ("NOT x > 0", (None, "a", 5), False),
        ("x IS NULL", (None, "a", 5), True),
        ("x > 0 OR y = 'a'", (None, "a", 5), True),
        ("x > 0 AND y = 'a'", (None, "a", 5), False),
        ("x NOT IN (1, NULL)", (2, "a", 5), False),
        ("NULL", (2, "a", 5), False),
        ("true", (None, None, 5), True),
    ],
)
def test_a_condition_that_is_unknown_shows_nothing(where, row, shown):
    assert live(f"SELECT * FROM u WHERE {where}").matches(row, EvalContext()) is shown


def test_without_a_condition_every_row_is_shown_with_the_columns_asked_for():
    found = seen("SELECT id, upper(y) AS loud, x IS NULL AS none FROM u", INSERT, (None, "a", 5))
    assert found == Seen("insert", "", (5,), (5, "A", True), None)


def test_now_is_the_time_of_the_change():
    query = live("SELECT id FROM t WHERE tstz > NOW() - INTERVAL '1 hour'")
    at = 1_800_000_000_000_000

    def row(tstz):
        return (1, *[None] * 5, tstz, *[None] * 6)

    context = EvalContext()
    for late_us, shown in ((0, True), (HOUR_US - 1000, True), (HOUR_US, False)):
        found = query.see(INSERT, row(at), None, seq_at(at + late_us), context)
        assert (found is not None) is shown
    # A row with the transaction's own NOW() is never of the future.
    assert live("SELECT id FROM t WHERE tstz <= NOW()").see(
        INSERT, row(at + 700), None, seq_at(at + 700), context
    )


def test_a_row_that_may_have_aged_out_is_told_to_have_left():
    query = live("SELECT id FROM t WHERE tstz > NOW() - INTERVAL '1 hour'")
    old = (1, *[None] * 5, 1_800_000_000_000_000 - 2 * HOUR_US, *[None] * 6)
    gone = Seen("delete", "filter", (1,), None, None)
    assert query.see(DELETE, old, old, SEQ, EvalContext()) == gone
    assert query.see(UPDATE, old, old, SEQ, EvalContext()) == gone
    assert query.see(INSERT, old, None, SEQ, EvalContext()) is None


def test_what_a_filter_raises_is_raised():
    query = live("SELECT * FROM u WHERE 1 / x > 0")
    with pytest.raises(KalamError) as raised:
        query.see(INSERT, (0, "a", 5), None, SEQ, EvalContext())
    assert raised.value.sqlstate == "22012"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM u, t",
        "SELECT u.id FROM u JOIN t ON t.id = u.id",
        "SELECT 1",
        "VALUES (1)",
        "SELECT id FROM u UNION SELECT id FROM t",
        "SELECT * FROM (SELECT * FROM u) s",
        "SELECT * FROM vw",
        "SELECT oid FROM pg_class",
        "SELECT count(*) FROM u",
        "SELECT x FROM u GROUP BY x",
        "SELECT DISTINCT x FROM u",
        "SELECT DISTINCT ON (x) x FROM u",
        "SELECT x FROM u ORDER BY x",
        "SELECT x FROM u LIMIT 1",
        "SELECT x FROM u OFFSET 1",
        "SELECT x FROM u FOR UPDATE",
        "WITH w AS (SELECT 1) SELECT x FROM u",
        "SELECT x, row_number() OVER () FROM u",
        "SELECT x FROM u WHERE x IN (SELECT id FROM t)",
        "SELECT x, (SELECT 1) FROM u",
        "SELECT x FROM u WHERE EXISTS (SELECT 1 FROM t WHERE t.id = u.id)",
        "SELECT x FROM u WHERE random() > 0.5",
        "SELECT x, clock_timestamp() FROM u",
        "SELECT x FROM u WHERE current_setting('a.b') = y",
        "SELECT x, pg_notify('a', y) FROM u",
        "SELECT x FROM u WHERE _seq > 5",
        "SELECT _seq, x FROM u",
        "SELECT x FROM u WHERE _deleted",
        "SELECT unnest(tags) FROM t",
    ],
)
def test_what_one_row_cannot_tell_is_refused_when_it_begins(sql):
    with pytest.raises(FeatureNotSupportedError):
        live(sql)


def test_an_object_has_no_two_columns_of_one_name():
    with pytest.raises(DuplicateColumnError):
        live("SELECT x, y AS x FROM u")


# ------------------------------------------------------------------ against the query engine

COLUMNS = {
    "s": ("text", ["'a'", "'ab'", "'B'", "''", "'é%_'"]),
    "i": ("int", ["-1", "0", "1", "7"]),
    "big": ("bigint", ["-1", "0", "9007199254740993"]),
    "n": ("numeric(10, 2)", ["0", "1.50", "-2.25"]),
    "f": ("double precision", ["0", "1.5", "'NaN'", "'-Infinity'"]),
    "b": ("boolean", ["true", "false"]),
    "d": ("date", ["'2024-01-01'", "'2024-02-29'"]),
    "at": ("timestamptz", ["'2024-01-01 00:00+00'", "'2024-01-01 10:30:00.5+00'"]),
    "u": ("uuid", ["'00000000-0000-0000-0000-000000000001'"]),
    "j": ("jsonb", ["""'{"k": 1, "t": "x"}'""", "'[1, 2]'", "'null'"]),
    "tags": ("text[]", ["'{a,b}'", "'{}'", "'{NULL,b}'"]),
}
ROWS = 250
"""More than are filtered without an engine."""


def column(name: str) -> st.SearchStrategy[str]:
    literals = st.sampled_from([*COLUMNS[name][1], "NULL"])
    compared = st.builds(
        "{} {} {}".format, st.just(name), st.sampled_from(["=", "<>", "<", ">="]), literals
    )
    return st.one_of(
        compared,
        st.builds("{} IS {}NULL".format, st.just(name), st.sampled_from(["", "NOT "])),
        st.builds("{} IN ({}, {})".format, st.just(name), literals, literals),
        st.builds("{} NOT IN ({}, {})".format, st.just(name), literals, literals),
        st.builds("{} BETWEEN {} AND {}".format, st.just(name), literals, literals),
        st.builds("{} IS DISTINCT FROM {}".format, st.just(name), literals),
        st.builds("coalesce({0} = {1}, b)".format, st.just(name), literals),
    )


ORDERED = [name for name in COLUMNS if name not in ("j", "tags")]
OWN = st.sampled_from(
    [
        "s LIKE 'a%'", "s ILIKE '_b'", "s NOT LIKE '%b'", "length(s) > 1", "upper(s) = 'AB'",
        "i + 1 > 1", "i % 2 = 0", "i * 2 < big", "abs(n) > 1", "n::int = 2", "round(n) = 2",
        "f = 'NaN'", "f > i", "b", "NOT b", "b IS TRUE", "b IS NOT FALSE", "b IS UNKNOWN",
        "d + 1 > '2024-01-01'", "extract(day FROM d) = 29", "at > d", "at + interval '1 day' > at",
        "j ->> 't' = 'x'", "(j -> 'k')::text = '1'", "j ? 'k'", "j @> '{\"k\": 1}'", "j = 'null'",
        "tags @> ARRAY['b']", "'a' = ANY (tags)", "tags[1] = 'a'", "cardinality(tags) = 0",
        "tags IS NULL", "CASE WHEN i > 0 THEN b ELSE s = 'a' END", "nullif(i, 0) = 1",
        "i::text = s", "coalesce(i, 0) = 0", "greatest(i, big) = 1", "(i, s) = (1, 'a')",
        "NULL", "true", "i = ALL (ARRAY[1, NULL])", "s || 'x' = 'ax'", "d = at::date",
    ]
)  # fmt: skip
LEAVES = st.one_of(OWN, st.sampled_from(ORDERED).flatmap(column))
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
        st.builds("({}) IS NULL".format, inner),
    ),
    max_leaves=4,
)


class Everything:
    """A session, and the stored rows of a table with a column of many types."""

    def __init__(self, root, database, rows):
        self.root = root
        self.rows = rows
        self._database = database

    def selected(self, where):
        # GROUP BY keeps the fast path out of it, which has the same closures.
        text = f"SELECT id FROM e WHERE {where} GROUP BY id"
        return {row[0] for row in self.root.execute_sql(text).rows()}

    def matching(self, where):
        query, context = self._database.call(lambda: self._compiled(where))
        return {row[0] for row in self.rows if query.matches(row, context)}

    def _compiled(self, where):
        sql = self.root._sql
        (statement,) = sql.cache.statements(f"SELECT * FROM e WHERE {where}")
        scope = sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
        return compile_query(bind(statement, scope).statement), sql.context()


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    chosen = random.Random(15)
    lines = []
    for number in range(ROWS):
        values = [chosen.choice([*literals, "NULL"]) for _, literals in COLUMNS.values()]
        lines.append(f"({number}, {', '.join(values)})")
    columns = ", ".join(f"{name} {type_}" for name, (type_, _) in COLUMNS.items())
    with (
        embed.open(tmp_path_factory.mktemp("filter") / "data", workers=1) as database,
        database.connect().create_session() as root,
    ):
        root.execute_sql(f"CREATE TABLE e (id int PRIMARY KEY, {columns}) WITH (TYPE = 'SHARED')")
        root.execute_sql(f"INSERT INTO e VALUES {', '.join(lines)}")
        rows = []
        for low in range(0, ROWS, 100):
            # So few that they come as they are stored.
            found = root.execute_sql(f"SELECT * FROM e WHERE id >= {low} AND id < {low + 100}")
            rows += found._result.rows
        assert len(rows) == ROWS
        yield Everything(root, database, rows)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(where=CONDITIONS)
def test_a_filter_shows_what_the_query_engine_selects(everything, where):
    assert everything.matching(where) == everything.selected(where)
