"""Range types that people define: side by side with PostgreSQL 15, hot and cold, through psycopg."""

# ruff: noqa: E501 -- one statement a line

import psycopg
import pytest
from psycopg.types.multirange import Multirange, MultirangeInfo, register_multirange
from psycopg.types.range import Range, RangeInfo, register_range

from tests.wire import postgresql
from tests.wire.server import KalamServer
from tests.wire.side_by_side import Side, differences

DEFINITIONS = """
    CREATE TYPE span AS RANGE (subtype = float8)
    CREATE TYPE words AS RANGE (subtype = text, collation = "C")
    CREATE TYPE amounts AS RANGE (subtype = numeric, multirange_type_name = many_amounts)
    CREATE TYPE irange AS RANGE (subtype = int4, subtype_opclass = int4_ops)
    CREATE TYPE span AS RANGE (subtype = float8)
    CREATE TYPE other AS RANGE (subtype = float8, multirange_type_name = span_multirange)
    CREATE TYPE period_multirange AS ENUM ('x')
    CREATE TYPE period AS RANGE (subtype = date)
    CREATE TYPE b AS RANGE ()
    CREATE TYPE b AS RANGE (collation = "C")
    CREATE TYPE b AS RANGE (subtype = json)
    CREATE TYPE b AS RANGE (subtype = int4, collation = "C")
    CREATE TYPE b AS RANGE (subtype = text, collation = "nowhere")
    CREATE TYPE b AS RANGE (subtype = int4, subtype = int8)
    CREATE TYPE b AS RANGE (subtype = int4, colour = int8)
    CREATE TYPE b AS RANGE (subtype = anyelement)
    CREATE TYPE b AS RANGE (subtype = nosuch)
    CREATE TYPE b AS RANGE (subtype = int4, subtype_diff = nosuch)
    DROP TYPE span_multirange
    SELECT typname, typtype, typcategory, typlen, typarray <> 0 FROM pg_type WHERE typname IN ('irange', 'imultirange', '_irange', '_imultirange') ORDER BY 1
    SELECT r.rngtypid::regtype, r.rngsubtype::regtype, r.rngmultitypid::regtype, r.rngcollation, o.opcname FROM pg_range r JOIN pg_opclass o ON o.oid = r.rngsubopc JOIN pg_type t ON t.oid = r.rngtypid WHERE t.typname IN ('irange', 'words', 'amounts') ORDER BY t.typname
    SELECT 'imultirange'::regtype, 'irange[]'::regtype, to_regtype('nosuchrange')
    """

VALUES = """
    SELECT '[1,5)'::span, '(1,5]'::irange, 'empty'::words, '["a b",c)'::words, '[1.10,2.0)'::amounts, '(,)'::span
    SELECT '[5,1)'::span
    SELECT daterange('-infinity', '2000-01-01', '()')::text, daterange('-infinity', 'infinity', '[]')::text, daterange('2000-01-01', 'infinity', '(]')::text
    SELECT '[a,b'::words
    SELECT '{[1,2),[2,4),[9,)}'::span_multirange, '{}'::many_amounts
    SELECT span(1.0, 2), span(1, 2, '[]'), irange(1, NULL), words('a', 'b', '()'), amounts(1.50, 2.5), span(NULL, NULL)
    SELECT span(NULL, NULL, NULL)
    SELECT span(1, 2, 'x')
    SELECT span(3, 1)
    SELECT span('a', 'b')
    SELECT span(1)
    SELECT many_amounts(amounts(1, 2), amounts(2, 3), amounts(7.0, 8)), many_amounts(), many_amounts(amounts(1, 2)), many_amounts(NULL::amounts)
    SELECT span_multirange(span(1, 2), NULL)
    SELECT pg_typeof(span(1, 2)), pg_typeof(many_amounts()), pg_typeof(span(1, 2) * span(1, 3)), pg_typeof(range_agg(irange(1, 2))), pg_typeof(lower(irange(1, 2)))
    SELECT span(1, 5) @> 3.0::float8, span(1, 5) @> span(2, 3), 3.0::float8 <@ span(1, 5), span(1, 5) && '[4,9]', span(1, 2) << span(3, 4), span(1, 2) -|- span(2, 4)
    SELECT span(1, 2) + span(2, 4), span(1, 5) - span(2, 9), span(1, 3) * '[2,9)'
    SELECT span(1, 5) @> 3
    SELECT span(1, 2) + span(3, 4)
    SELECT irange(1, 5) @> 3, irange(1, 5) = '[1,5)', irange(1, 5, '[]') = irange(1, 6), irange(1, 5) < irange(1, 6), amounts(1.0, 2) = amounts(1.00, 2.0), amounts(1, 2) <> 'empty'
    SELECT lower(span(1, 2)), upper(words('a', 'b')), isempty(irange(1, 1)), lower_inc(irange(1, 2)), upper_inc(irange(1, 2)), lower_inf(irange(NULL, 2)), upper_inf(irange(1, 2))
    SELECT range_merge(irange(1, 2), irange(5, 7)), multirange(irange(1, 2)), irange(1, 2)::imultirange, range_merge('{[1,2),[5,6)}'::imultirange)
    SELECT many_amounts(amounts(1, 2)) + many_amounts(amounts(3, 4)), many_amounts(amounts(1, 9)) - many_amounts(amounts(3, 4)), many_amounts(amounts(1, 9)) @> 3.0, many_amounts(amounts(1, 9)) && amounts(2, 3)
    SELECT * FROM unnest(many_amounts(amounts(1, 2), amounts(5, 6)))
    SELECT range_agg(r), range_intersect_agg(r) FROM (VALUES (irange(1, 5)), (irange(4, 9)), (NULL)) v(r)
    SELECT irange(1, 2) = span(1, 2)
    SELECT irange(1, 2) = int4range(1, 2)
    SELECT int4range(1, 2)::irange
    SELECT int4range(1, 2)::text::irange, irange(1, 2)::text
    SELECT array[irange(1, 2), '[3,4)'], '{"[1,2)","[3,4)"}'::irange[]
    CREATE DOMAIN filled AS span CHECK (NOT isempty(VALUE))
    SELECT 'empty'::filled
    CREATE TYPE both_of AS (r irange, m imultirange)
    SELECT row('[1,2)', '{}')::both_of, '("[1,2)",{})'::both_of
    """

ROWS = """
    CREATE TABLE rr (id int PRIMARY KEY, f span, t words, n amounts, m many_amounts, a irange[], d span DEFAULT '[1,2)')
    INSERT INTO rr VALUES (1, '[1,2)', '[a,c]', '[1.0,2.50)', '{[1.0,2)}', '{"[1,2)"}'), (2, 'empty', NULL, '[1.00,2.5)', '{}', NULL), (3, '(,5]', '(,)', '[0,1]', '{[1.0,2),[3,4)}', '{}')
    INSERT INTO rr (id, f, d) VALUES (4, span(2, 3), NULL)
    UPDATE rr SET f = f + span(2, 3) WHERE id IN (1, 4)
    CREATE TABLE rk (f span PRIMARY KEY, v int)
    INSERT INTO rk VALUES ('[1,2)', 1), ('[1.0,2.0)', 2) ON CONFLICT DO NOTHING
    CREATE VIEW shown AS SELECT id, f, lower(f) AS l FROM rr WHERE f && '[1,2)'
    PREPARE p(span) AS SELECT $1, lower($1), count(*) FROM rr WHERE f @> $1
    """

QUESTIONS = """
    SELECT * FROM rr ORDER BY id
    SELECT id FROM rr WHERE f @> 1.5::float8 ORDER BY id
    SELECT id, f FROM rr ORDER BY f, id
    SELECT id, n FROM rr ORDER BY n DESC, id
    SELECT n = '[1,2.5)', count(*) FROM rr GROUP BY n ORDER BY n
    SELECT count(DISTINCT n), count(DISTINCT f), count(DISTINCT m) FROM rr
    SELECT a.id, b.id FROM rr a JOIN rr b ON a.n = b.n ORDER BY 1, 2
    SELECT a.id, b.id FROM rr a LEFT JOIN rr b ON a.f && b.f AND a.id < b.id ORDER BY 1, 2
    SELECT m FROM rr GROUP BY m ORDER BY m
    SELECT range_agg(f), range_intersect_agg(f) FROM rr WHERE id <> 2
    SELECT id, lower(f), upper(n), f::text, f::varchar(3) FROM rr ORDER BY id
    SELECT id, f, rank() OVER (ORDER BY f) FROM rr ORDER BY id
    SELECT f FROM rr UNION SELECT span(1, 3) ORDER BY 1
    SELECT id, f = '[1,3)', n < '[1,2)', span(id, NULL), many_amounts(n), multirange(f) FROM rr ORDER BY id
    SELECT id, r FROM rr, unnest(m) r ORDER BY 1, 2
    SELECT id FROM rr WHERE f IN ('[1,3)', 'empty') ORDER BY id
    SELECT to_json(f), row(f, n), to_jsonb(a) FROM rr ORDER BY id
    SELECT * FROM shown ORDER BY id
    EXECUTE p('[2,3)')
    INSERT INTO rk VALUES ('[1,2)', 3)
    SELECT * FROM rk WHERE f = '[1,2)'
    """


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    directory = tmp_path_factory.mktemp("range_types")
    server = KalamServer(directory / "kalam").start()
    try:
        with postgresql.running(directory) as theirs:
            yield server, theirs
    finally:
        server.stop()


@pytest.mark.slow
@pytest.mark.skipif(not postgresql.installed(), reason="needs Debian's package postgresql-15")
def test_the_answers_are_postgresqls_hot_and_cold_and_after_a_kill(servers):
    server, dsn = servers
    with psycopg.connect(dsn, autocommit=True) as other:
        with server.root() as root:
            sides = Side(root), Side(other)
            assert differences(sides, DEFINITIONS + VALUES + ROWS) == []
            assert differences(sides, QUESTIONS) == []
            for table in ("rr", "rk"):
                sides[0].ask(f"STORAGE FLUSH TABLE {table}")
            assert differences(sides, QUESTIONS) == []
        server.kill()
        server.start()
        with server.root() as root:
            sides = Side(root), Side(other)
            assert differences(sides, VALUES.replace("CREATE", "--")) == []
            asked = QUESTIONS.replace("EXECUTE", "--")
            assert differences(sides, asked) == []


@pytest.mark.slow
@pytest.mark.parametrize("form", ["%t", "%b"])
def test_psycopg_registers_a_range_type_and_reads_what_it_wrote(servers, form):
    server, _ = servers
    with server.root() as root:
        root.execute("CREATE SCHEMA IF NOT EXISTS apart")
        root.execute("DROP TABLE IF EXISTS kept")
        root.execute("DROP TYPE IF EXISTS apart.reals")
        root.execute("CREATE TYPE apart.reals AS RANGE (subtype = float8)")
        info, many = (
            RangeInfo.fetch(root, "apart.reals"),
            MultirangeInfo.fetch(root, "apart.reals_multirange"),
        )
        assert info is not None
        assert many is not None
        assert many.range_oid == info.oid
        assert info.subtype_oid == root.adapters.types["float8"].oid
        register_range(info, root)
        register_multirange(many, root)
        root.execute(
            "CREATE TABLE kept (id int PRIMARY KEY, r apart.reals, m apart.reals_multirange)"
        )
        ranges = [Range(1.5, 2.0), Range(empty=True), Range(None, 3.0, "(]"), None]
        several = Multirange([Range(1.0, 2.0), Range(5.0, None)])
        for number, value in enumerate(ranges):
            root.execute(f"INSERT INTO kept VALUES (%s, {form}, {form})", (number, value, several))
        cursor = root.cursor(binary=form == "%b")
        rows = cursor.execute("SELECT r, m FROM kept ORDER BY id").fetchall()
        assert [row[0] for row in rows] == ranges
        assert all(row[1] == several for row in rows)


@pytest.mark.slow
def test_what_uses_a_range_type_keeps_it_and_its_schema_takes_it_along(servers):
    server, _ = servers
    with server.root() as root:
        root.execute("CREATE SCHEMA leaving")
        root.execute("CREATE TYPE leaving.days AS RANGE (subtype = date)")
        root.execute("CREATE TABLE using_it (id int PRIMARY KEY, m leaving.days_multirange)")
        with pytest.raises(psycopg.errors.DependentObjectsStillExist):
            root.execute("DROP TYPE leaving.days")
        root.execute("DROP TABLE using_it")
        root.execute("ALTER SCHEMA leaving RENAME TO gone")
        shown = root.execute("SELECT '{[2000-01-01,2000-01-02)}'::gone.days_multirange::text")
        assert shown.fetchone() == ("{[2000-01-01,2000-01-02)}",)
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            root.execute("ALTER TYPE gone.days_multirange RENAME TO x")
        root.execute("DROP SCHEMA gone CASCADE")
        with pytest.raises(psycopg.errors.UndefinedObject):
            root.execute("SELECT '{}'::gone.days_multirange")
