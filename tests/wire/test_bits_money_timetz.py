"""bit, bit varying, money and time with time zone: side by side with PostgreSQL 15, hot and cold."""

# ruff: noqa: E501 -- one statement a line

import psycopg
import pytest
from psycopg.types.string import TextLoader

from tests.wire.side_by_side import Side, differences

BITS = r"""
    SELECT B'101', X'1F', b'', x'aF', pg_typeof(B'1')
    SELECT B'102'
    SELECT X'1G'
    SELECT '101'::bit(3), '101'::bit(5), '10101'::bit(3), '101'::varbit(2), '101'::varbit, '101'::bit
    SELECT 'b101'::bit(3), 'x1F'::bit(8), 'B1'::varbit
    SELECT '12'::bit(2)
    SELECT 'xZ'::bit(2)
    SELECT ''::bit, ''::varbit, ''::bit(3)
    CREATE TABLE bt (id int PRIMARY KEY, b bit(8), v varbit(10), u bit varying, one bit)
    INSERT INTO bt VALUES (1, B'10101010', B'101', B'111', B'1'), (2, X'0F', '', '', '0'), (3, null, null, null, null)
    INSERT INTO bt VALUES (4, B'1', B'1', B'1', B'1')
    INSERT INTO bt VALUES (4, '1', B'1', B'1', B'1')
    INSERT INTO bt VALUES (4, X'FF', B'10101010101', B'1', B'1')
    INSERT INTO bt VALUES (4, 5, B'1', B'1', B'1')
    INSERT INTO bt VALUES (4, 5::bit(8), 3::bit(4), (-2)::bit(70), 1::bit)
    SELECT * FROM bt ORDER BY id
    SELECT b & X'F0', b | X'F0', b # X'FF', ~b, b << 2, b >> 2, b << -2, b >> 9, b << 100 FROM bt ORDER BY id
    SELECT b & B'1' FROM bt
    SELECT b | B'1' FROM bt
    SELECT b # B'1' FROM bt
    SELECT length(b), bit_length(b), octet_length(v), length(v), bit_count(b), bit_length(u) FROM bt ORDER BY id
    SELECT v || b, b || B'1', pg_typeof(b || v) FROM bt ORDER BY id
    SELECT substring(b, 2), substring(b, 2, 3), substring(b from 3 for 2), substring(b from -1 for 4), substring(v, 20) FROM bt ORDER BY id
    SELECT substring(b, 2, -3) FROM bt
    SELECT overlay(b placing B'000' from 2), overlay(b placing B'000' from 2 for 1) FROM bt ORDER BY id
    SELECT position(B'01' in b), position(B'' in b), position(B'' in B''), position(B'1' in B'') FROM bt ORDER BY id
    SELECT get_bit(b, 0), get_bit(b, 7), set_bit(b, 0, 0) FROM bt ORDER BY id
    SELECT get_bit(b, 8) FROM bt
    SELECT set_bit(b, 1, 2) FROM bt
    SELECT b::int, b::bigint, v::int, u::bigint FROM bt WHERE id < 3 ORDER BY id
    SELECT u::int, 1 FROM bt WHERE id = 4
    SELECT X'FFFFFFFF'::int, X'7FFFFFFF'::int, X'FFFFFFFFFFFFFFFF'::bigint, B''::int
    SELECT 5::bit(3), 5::bit(2), 5::bit(40), (-5)::bit(40), (-5)::bit(4), 5::bigint::bit(70), (-5)::bigint::bit(70), 5::smallint::bit(3)
    SELECT b = B'10101010', b < X'FF', b > v, v <= u, b <> X'00' FROM bt ORDER BY id
    SELECT v FROM bt ORDER BY v
    SELECT u FROM (VALUES (B'1'::varbit),('0'),('10'),('01'),(''),('11'),('101'),('000000001'),('00000000')) t(u) ORDER BY u
    SELECT b, count(*) FROM bt GROUP BY b ORDER BY b DESC
    SELECT bit_and(b), bit_or(b), bit_xor(b) FROM bt
    SELECT max(b) FROM bt
    SELECT b::text, b::varchar, '101'::text::bit(3), '101'::text::varbit FROM bt ORDER BY id
    SELECT b::bit(4), b::bit(12), b::varbit(3), v::bit(4) FROM bt ORDER BY id
    SELECT array[b, X'00'], array[v] FROM bt ORDER BY id
    CREATE TABLE bk (k bit varying(20) PRIMARY KEY, n int)
    INSERT INTO bk VALUES (B'1', 1), (B'10', 2), (B'01', 3)
    INSERT INTO bk VALUES (B'1', 1)
    SELECT * FROM bk WHERE k = B'10'
    SELECT * FROM bk ORDER BY k
    UPDATE bk SET n = 5 WHERE k > B'1' RETURNING *
    SELECT to_json(b), row_to_json(bt) FROM bt ORDER BY id LIMIT 1
    SELECT '101'::bit(0)
    SELECT '101'::bit(83886081)
    SELECT '101'::bit(1,2)
    SELECT format_type('bit'::regtype, 3), format_type(1562, 4), 'bit varying'::regtype, 'bit'::regtype
    SELECT data_type, character_maximum_length, udt_name FROM information_schema.columns WHERE table_name = 'bt' ORDER BY ordinal_position
    SELECT bit(4) '1010', varbit '11'
    SELECT B'10' IN (B'10', B'11'), B'1' BETWEEN B'0' AND B'11'
    SELECT (B'1010')::"bit"
    SELECT cast(44 as bit(10)), cast(-44 as bit(12))
    """

MONEY = r"""
    SELECT '$1,234.56'::money, '-1'::money, '(5.00)'::money, '1.005'::money, '1.004'::money, ' $ 7 '::money, '+3'::money, '12,345,678.9'::money, '$-5'::money, '5-'::money, '(12)'::money
    SELECT ''::money
    SELECT 'x'::money
    SELECT '1.2.3'::money
    SELECT '92233720368547758.07'::money, '-92233720368547758.08'::money
    SELECT '92233720368547758.08'::money
    SELECT '1e5'::money
    SELECT '$'::money, '-'::money, '.5'::money, '.'::money
    CREATE TABLE mt (id int PRIMARY KEY, m money)
    INSERT INTO mt VALUES (1, 12.345), (2, 1000), (3, '-$0.05'), (4, null), (5, 100000000000)
    INSERT INTO mt VALUES (6, 1.5::float8)
    SELECT * FROM mt ORDER BY m
    SELECT m + m, m - '1'::money, m * 2, 2 * m, m * 1.5::float8, 1.5::float4 * m, m / 3, m / 2.5::float8, m / '2.00'::money FROM mt ORDER BY id
    SELECT m * 2::bigint, m * 2::smallint, m / 2::smallint, 2::bigint * m FROM mt ORDER BY id
    SELECT m / 0 FROM mt
    SELECT m / 0.0::float8 FROM mt
    SELECT m / '0'::money FROM mt
    SELECT m * 1.5 FROM mt
    SELECT -m FROM mt
    SELECT m::numeric, m::text, m::numeric(10,1) FROM mt ORDER BY id
    SELECT m::int FROM mt
    SELECT m::float8 FROM mt
    SELECT 5::money, 5::bigint::money, 5.555::money, (-5.555)::money, 9223372036854775807::money
    SELECT 'NaN'::numeric::money
    SELECT '1e30'::numeric::money
    SELECT sum(m), min(m), max(m), count(distinct m) FROM mt
    SELECT avg(m) FROM mt
    SELECT m, count(*) FROM mt GROUP BY m ORDER BY m DESC NULLS LAST
    SELECT id FROM mt WHERE m > '$5' ORDER BY id
    SELECT id FROM mt WHERE m = 1000::money
    SELECT id FROM mt WHERE m = 1000
    SELECT cash_words('1234.56'), cash_words('1'), cash_words('-0.01'), cash_words('20'), cash_words('21.30'), cash_words('1000000.00'), cash_words('110'), cash_words('115.02'), cash_words('92233720368547758.07'), cash_words('121')
    SELECT to_json(m), array[m] FROM mt WHERE id = 1
    CREATE TABLE mk (m money PRIMARY KEY)
    INSERT INTO mk VALUES ('5'), ('-7'), ('6')
    SELECT * FROM mk ORDER BY m
    SELECT * FROM mk WHERE m = '6.00'
    INSERT INTO mk VALUES (5.00)
    SELECT pg_typeof(m * 2), pg_typeof(m / m) FROM mk LIMIT 1
    SELECT money(5.5), m::money FROM mk LIMIT 1
    SELECT sum(m) OVER (ORDER BY m) FROM mk ORDER BY m
    SELECT abs(m) FROM mk
    SELECT greatest(m, '1'::money) FROM mk ORDER BY m
    SELECT data_type, numeric_precision FROM information_schema.columns WHERE table_name = 'mt' ORDER BY ordinal_position
    """

TIMETZ = r"""
    SET timezone = 'America/New_York'
    SELECT '10:30+02'::timetz, '10:30:15.123456-05:30'::timetz, '24:00:00+00'::timetz, '10:30 PST'::timetz, '2024-07-01 10:30 America/New_York'::timetz, '2024-01-01 10:30 America/New_York'::timetz, '10:30Z'::timetz, '10:30 am +01'::timetz, 'allballs'::timetz
    SELECT '10:30 America/New_York'::timetz
    SELECT '25:00+00'::timetz
    SELECT 'x'::timetz
    SELECT '10:30+16'::timetz
    SELECT '10:30:00.1234567+00'::timetz, '10:30:00.129+00'::timetz(2), '10:30:00.129+00'::time(1) with time zone, time with time zone '10:00+01'
    CREATE TABLE tz (id int PRIMARY KEY, t timetz, p timetz(0))
    INSERT INTO tz VALUES (1, '10:00+00', '10:00:00.6+00'), (2, '11:00+01', '1:00-11'), (3, '09:00-01', null), (4, '23:59:59.999999-12', '0:00+14'), (5, null, null), (6, '0:00+14', null), (7, '10:00+00', null)
    SELECT * FROM tz ORDER BY t, id
    SELECT t, count(*) FROM tz GROUP BY t ORDER BY t DESC
    SELECT DISTINCT t FROM tz ORDER BY t
    SELECT a.id, b.id FROM tz a JOIN tz b ON a.t = b.t WHERE a.id < b.id
    SELECT id FROM tz WHERE t = '10:00+00' ORDER BY id
    SELECT id FROM tz WHERE t > '10:00+00' ORDER BY id
    SELECT t + interval '1 hour 30 minutes', t - interval '11 hours', interval '1 day 2 hours' + t FROM tz ORDER BY id
    SELECT date '2024-02-03' + t, t + date '2024-02-03' FROM tz ORDER BY id
    SELECT t - t FROM tz
    SELECT t::time, t::text, t::timetz(0) FROM tz ORDER BY id
    SELECT time '10:00'::timetz = (current_date + time '10:00')::timestamptz::timetz
    SELECT timestamptz '2024-07-01 10:00+00'::timetz, timestamptz '2024-01-01 10:00+00'::timetz, 'infinity'::timestamptz::timetz
    SELECT '10:00'::timestamp::timetz
    SELECT t::timestamptz FROM tz
    SELECT extract(hour from t), extract(minute from t), extract(second from t), extract(timezone from t), extract(timezone_hour from t), extract(timezone_minute from t), extract(epoch from t), extract(microseconds from t), extract(milliseconds from t) FROM tz ORDER BY id
    SELECT date_part('hour', t), date_part('epoch', t), date_part('timezone', t) FROM tz ORDER BY id
    SELECT extract(timezone_minute from '10:00-05:30'::timetz), extract(timezone_hour from '10:00-05:30'::timetz)
    SELECT extract(day from t) FROM tz
    SELECT extract(foo from t) FROM tz
    SELECT t AT TIME ZONE 'UTC', t AT TIME ZONE interval '-5 hours', timezone('Asia/Kolkata', t) FROM tz ORDER BY id
    SELECT t AT TIME ZONE 'Nowhere' FROM tz
    SELECT min(t), max(t) FROM tz
    SELECT array[t], array_agg(t) FROM tz WHERE id < 3 GROUP BY t, id ORDER BY id
    SELECT to_json(t), json_build_object('t', t) FROM tz WHERE id = 1
    SELECT (t, t) OVERLAPS (timetz '09:00+00', timetz '11:00+00') FROM tz WHERE id = 1
    CREATE TABLE tzk (t timetz PRIMARY KEY)
    INSERT INTO tzk VALUES ('10:00+00'), ('11:00+01'), ('9:00+00')
    INSERT INTO tzk VALUES ('10:00+00')
    SELECT * FROM tzk ORDER BY t
    SELECT * FROM tzk WHERE t = '11:00+01'
    SELECT pg_typeof(current_time), pg_typeof(current_time(2)), current_time = now()::timetz
    SELECT format_type(1266, 3), 'timetz'::regtype, 'time with time zone'::regtype
    SELECT data_type, datetime_precision, udt_name FROM information_schema.columns WHERE table_name = 'tz' ORDER BY ordinal_position
    SELECT t IN ('10:00+00', '9:00+00'), t BETWEEN '9:00+00' AND '10:00+00' FROM tzk ORDER BY t
    SELECT date_trunc('hour', t) FROM tzk
    SELECT to_char(t, 'HH24') FROM tzk
    SELECT '2024-03-10 02:30 America/New_York'::timetz, 'J2460325 10:30 EST'::timetz, 'T10:30-08'::timetz, '040506-08'::timetz, '04:05:06.789-8'::timetz
    SET datestyle = 'SQL'
    SELECT t FROM tzk ORDER BY t
    RESET datestyle
    """

MADE = """
    CREATE TABLE z (id int PRIMARY KEY, b bit(6), v varbit, m money, t timetz, ts timetz[], bs varbit[])
    INSERT INTO z SELECT g, g::bit(6), repeat('10', g % 3)::varbit, g % 11, ('10:00+' || g % 4)::timetz, ARRAY['10:00+0', NULL]::timetz[], ARRAY[g::bit(3)]::varbit[] FROM generate_series(1, 600) g
    INSERT INTO z VALUES (1001, NULL, NULL, NULL, NULL, NULL, NULL)
    """

QUESTIONS = """
    SELECT b, count(*) FROM z GROUP BY b ORDER BY b
    SELECT v, m, count(*), min(t), max(m), sum(m) FROM z GROUP BY v, m ORDER BY v, m LIMIT 12
    SELECT t, count(*) FROM z GROUP BY t ORDER BY t DESC
    SELECT DISTINCT t, v FROM z ORDER BY t, v
    SELECT a.id, b.id FROM z a JOIN z b ON a.b = b.b AND a.m = b.m AND a.t = b.t WHERE a.id < 6 ORDER BY 1, 2
    SELECT count(*) FROM z WHERE m > '5' AND b < B'100000'
    SELECT count(*) FROM z WHERE t >= '10:00+02' AND v = B'10'
    SELECT id, m * 2, b || v, t + interval '1 hour', ts[1], bs FROM z WHERE id < 5 ORDER BY id
    SELECT id, rank() OVER (PARTITION BY t ORDER BY m, v) FROM z WHERE id < 20 ORDER BY id
    SELECT bit_or(b), bit_and(b), bit_xor(b) FROM z
    SELECT m FROM z WHERE id < 5 UNION SELECT '3'::money ORDER BY 1
    SELECT id FROM z WHERE m IN (SELECT m FROM z WHERE id = 3) ORDER BY id LIMIT 3
    SELECT id, b FROM z ORDER BY b DESC NULLS LAST, id LIMIT 4
    SELECT to_jsonb(z) FROM z WHERE id IN (3, 1001) ORDER BY id
    """


@pytest.fixture
def sides(servers):
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as other:
        for connection in (ours, other):
            # Python's time has no 24:00 and no zone of +15:59:59.
            connection.adapters.register_loader("timetz", TextLoader)
        yield Side(ours), Side(other)


@pytest.mark.slow
@pytest.mark.parametrize("script", [BITS, MONEY, TIMETZ], ids=["bits", "money", "timetz"])
def test_the_types_are_postgresqls(sides, script):
    assert differences(sides, script) == []


@pytest.mark.slow
def test_questions_are_answered_alike_hot_and_cold(sides):
    ours, _ = sides
    assert differences(sides, MADE) == []
    assert differences(sides, QUESTIONS) == []
    ours.ask("STORAGE FLUSH TABLE z")
    assert differences(sides, QUESTIONS) == []
