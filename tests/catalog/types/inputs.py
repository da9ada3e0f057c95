"""Texts for each type, whose values and errors PostgreSQL itself has given (`answers.json`).

`conformance/oracle/types.py` asks a running PostgreSQL 15 and writes the answers; run it again after a
change here. Texts are separated by `|`.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Inputs:
    """Texts for a column of type `sql`, read and written under `settings`."""

    sql: str
    texts: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)


_MOMENTS = (
    "2024-01-15 10:30:00|2024-01-15T10:30:00Z|2024-01-15 10:30:00+05:30|Jan 15, 2024|"
    "January 15 2024 3pm|15 Jan 2024|15-Jan-2024|Jan-15-2024|2024-Jan-15|1/15/2024|15/1/2024|"
    "01/15/24|20240115|240115|20240115 103000|20240115T103000|20240115T103000Z|"
    "20240115T103000-0500|2024.015|2024015|J2460325|J2460325.5|2024-02-29|2023-02-29|"
    "2024-02-30|2024-13-01|2024-00-10|2024-01-32|0000-01-01|0001-01-01|0044-03-15 BC|"
    "44-03-15 BC|4714-11-24 BC|4714-11-23 BC|294246-12-31 23:59:59.999999|294278-01-01|"
    "5874897-12-31|5874898-01-01|infinity|-infinity|epoch|allballs|2024-01-15 24:00:00|"
    "2024-01-15 24:00:01|2024-01-15 23:59:60|2024-01-15 25:00|2024-01-15 10:60|"
    "2024-01-15 10:30:61|10:30|2024-01-15 10:30:00.1234567|2024-01-15 10:30:00.9999999|"
    "2024-01-15 23:59:59.9999999|2024-01-15 10:30 PST|2024-01-15 10:30 America/Los_Angeles|"
    "2024-01-15 10:30 america/los_angeles|2024-01-15 10:30 Foo/Bar|2024-01-15 10:30 foo|"
    "2024-01-15 10:30 EST5EDT|2024-07-15 10:30 MET DST|2024-07-15 10:30 MSK|"
    "2024-01-15 10:30+16|2024-01-15 10:30+15:59:59|2024-01-15 10:30-1530|"
    "2024-01-15 10:30 UTC+3|2024-03-10 02:30|2024-11-03 01:30|Mon Jan 15 10:30:00 2024|"
    "Mon Jan 15 10:30:00 2024 EST|Mon Jan 15 10:30:00 EST 2024|Thu, 15 Jan 2024 10:30:00 GMT|"
    "2024-01-15 10:30 AM|2024-01-15 12:30 AM|2024-01-15 12:30 PM|2024-01-15 13:30 PM|"
    "2024-01-15 13:30 AM|99-01-15|1999 Jan 15|Jan 15 99|jan 99 15|12-31-1999 11:59:59 pm|"
    "   2024-01-15   ||x|-|2024-|2024-01|2024-1-5|2024-1-5 1:2:3|2024-01-15 1:2|2024/01/15|"
    "2024.01.15|15.01.2024|2024-01-15 at 10:30|on 2024-01-15|2024-01-15 10:30:00 +0|"
    "2024-01-15 10:30:00 -08|2024-01-15 10:30:00z|2024-01-15 10:30:00 zulu|2024-01-15t10:30|"
    "2024-01-15 T 10:30|T10:30|2024-01-15 j|2024-01-15 y|99999999999-01-01|"
    "2024-99999999999-01|10000-01-01|123456-01-01|2024-01-15 10:30:00,5|2024_01_15|"
    "2024-01-15 10.30|2024-01-15 103000.5|2024-01-15 1030|2024-01-15 10|366 2024|2024 366|"
    "2023 366|2024-01-15 BC AD|2024-01-15 é|2024-01-15 10:30:00 +05:30:15|"
    "2024-01-15 10:30:00.5.5|2024-01-15 10:30:.5|2024-01-15 10::30|1 Jan 2024 BC|Jan 1 0|"
    "0 Jan 1|00-01-01|1-1-1|1/1/1 BC|2024-01-15 10:30:00 BST|2024-01-15 10:30:00 IST|"
    "1883-11-18 12:00:00|1800-01-01 00:00:00|3000-07-01 00:00|20000-07-01 00:00:00|"
    "2024-12-31T23:59:59.999999999Z|Sat 2024-01-15|saturday|2024-01-15 noon|dst 2024-01-15|"
    "2024-01-15 10:30 dst|2024-06-15 10:30 EST dst"
)
_TIMES = (
    "10:30|10:30:15.5|103015|1030|10|24:00|24:00:01|10:30 pm|22:30 pm|12:00 am|allballs|"
    "10:30:60|23:59:60|2024-01-15 10:30|10:30 EST|10:30 America/New_York|"
    "2024-01-15 10:30 America/New_York|10:30+05|10:30 Z|T10:30|t 1030|1:2:3|-1:00|"
    "10:30:00.9999999|23:59:59.9999999|10:30:00 BC|040506.789|040506-08|04:05:06.789-8|"
    "J2460325 10:30|15 Jan 10:30|Jan 15 2024 10:30|10.5|1030.5|99:00||x|1:2:3:4|10:30 10:30|"
    "4:5:6 PST|04:05:06 PM|16:05 PM|infinity|epoch"
)
_INTERVALS = (
    "1 day|1 day 2 hours|1 mon|1.5 mons|1.5 years|-1 day|1 day ago|1-2|1-2 3 4:05:06|"
    "-1-2 +3 -4:05:06|4:05:06|4:05|4:05.5|1:2:3.4567891|P1Y2M3DT4H5M6S|P1Y|PT1.5S|"
    "P0001-02-03T04:05:06|P00010203T040506|P1W|P-1Y|P|PT|P1|P1.5|P1.5M|P1DT|"
    "1 year 2 mons -3 days +04:05:06|1 12:59:10|2 days 3|3|3.5|1 week|1.5 weeks|1 decade|"
    "1 century|1 millennium|1 c|0.1 millennium|@ 1 minute|@ 1 day ago|1 us|1.5 us|1 ms|1.5 ms|"
    "100 msec|1 microsecond|1 microseconds|1 milliseconds|day|1 days days|1 day 1 day|"
    "1 hour 1:00|1 sec 1.5|2147483647 years|178956970 years|178956971 years|2147483648 months|"
    "2147483647 days|2147483648 days|9223372036854775807 us|9223372036854775808 us|"
    "2562047788 hours|2562047789 hours|1e3 days|1.1.1 days|- 1 day|+1 day|1 day -1|1 -2:00|"
    "infinity|now|x||1 timezone|-1.5 days|0.5 days|-0.5 mons|1.75 mons|0.3 years|-1.13 mons|"
    "1 y 2 mon 3 d 4 h 5 m 6 s|1y2mon3d|1d2h|100:00:00|-100:00:00.5|23:59:60|1:60|1:61:00|"
    "838:59:59|2562047788:00:54.775807|2562047789:00:00|P1Y2M3W|P1Y2M3D4H|P1YT1H-1M|P2024-01|"
    "P2024|P20240101|P20240101T|PT040506|PT04:05|PT04:05:06.5|PT0405|P1e2D|P1Y1Y|p1y|P 1Y|"
    "P1 Y|1 day 00:00:01.1234567|1-13|1-11|1-11-1|-1-11|1 -1-2|1 month -1 day|"
    "1 year ago 2 days|ago|1 quarter|1 dec 1 decade|5 dec|6.6666666 secs|0.0000005 secs|"
    "0.0000015 secs|1 fortnight|é"
)
_INTEGERS = (
    "0|1|-1|+1| 12 |007|32767|32768|-32768|-32769|32768x|99999x|2147483647|2147483648|"
    "-2147483648|2147483648 x|9223372036854775807|9223372036854775808|-9223372036854775808|"
    "99999999999999999999x||-|+|1.0|1e3|0x10|1_000|abc| |1 2|--1|\t5\n"
)
_FLOATS = (
    "0|-0|1|1.1|.5|5.|1e3|1E-3|1e23|1e22|1e15|1e14|123456789012345|1234567890123456|1e-4|1e-5|"
    "123456|1234567|1e6|1e5|16777216|16777217|9007199254740993|0.1|0.3|3.4028235e38|3.4028236e38|"
    "1.17549435e-38|1e-45|7e-46|1e-50|1e38|1e39|1.7976931348623157e308|1e308|1e309|-1e309|5e-324|"
    "2e-324|1e-400|NaN|nan|-nan|Infinity|inf|+Infinity|-INFINITY|-inf|0x1p3|0x1.8|x||.|e1|1e|1 2|"
    "1.5 |  2.5|1e400x|infinityx|1_0"
)
_NUMERICS = (
    "0|-0|-0.00|1|.5|5.|1e3|1.50e1|1.200e2|1e-3| 1 |007.50|1e-16383|1e-16384|1e131071|1e131072|"
    "0e500|1e999999999999|NaN|nan|-NaN|inf|-Infinity|+infinity|.|e1|1e|1e+|1 2|x||--1|1e 2|"
    "12345678901234567890.12345678901234567890|0x10|1_0"
)
_SCALED = (
    "0|1.005|-1.005|2.675|999.994|999.995|-999.995|1000|0.001|-0.001|5e-3|4e-3|1e2|1e3|NaN|Infinity"
)
_BYTEAS = (
    "\\x|\\x00ff|\\x 00 11|\\x0|\\xzz|\\x0 0|abc|a\\\\b|\\101\\000\\377|\\400|a\\b|\\1|é|\\xé||\\"
)
_UUIDS = (
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11|"
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}|a0eebc999c0b4ef8bb6d6bb9bd380a11|"
    "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11|{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}|"
    "a0eebc999-c0b4ef8bb6d6bb9bd380a11|{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|"
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1|g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11| |"
)
_BOOLEANS = "t|true|TRUE| tr |tru|f|false|fals|y|yes|ye|n|no|on|of|off|o|1|0|11|10| |x||truee|On"
_JSONS = (
    'null|true|1|-1.50|1e3|1E+2|1.5e-7|-0|-0.0|"a"|""|[]|{}|[1, 2]| [ 1 ,2 ] |{"b":1,"a":2,"b":3}|'
    '{"bb":1,"a":2,"c":3}|{"a":{"b":[1,{"c":null}]}}|"\\u00e9"|"\\ud83d\\ude00"|"\\ud83d"|"\\ude00"|'
    '"\\ud83d\\ud83d"|"\\u0000"|"\\u12"|"\\u12g4"|"\\x"|"a|"\t"|"\\/\\b\\f\\n\\r\\t\\\\"|'
    '01|1.|.5|-|+1|1a|-a|1.e1|1e|1e+|NaN|Infinity|tru|nulll|x|é||[|[1|[1,|[1,]|[,1]|[1 2]|{|{"a"|{"a":|'
    '{"a":1|{"a":1,|{"a":1,}|{1:2}|{"a" 1}|{"a":1 "b"}|{"a":}|1 2|]|}|:|,|"\x7f"|'
    '123456789012345678901234567890.123|{"a":1}}|[[[[[[]]]]]]|1.10|100e-2|0e10'
)
_ARRAYS = (
    "{}|{1}|{1,2,3}| { 1 , 2 } |{1,NULL,null}|{{1,2},{3,4}}|{{1},{2},{3}}|[1:2]={1,2}|[2]={1,2}|"
    "[1:1][1:2]={{1,2}}|[1:3]={1,2}|[1:0]={}|[1:2]|[1:2={1}|[1:]={1}|[|[a]={1}|{1|{1,|{1,}|{,1}|{,}|1|"
    '{1}x|{1} |}{|{{1},2}|{1,{2}}|{{1,2},{3}}|{{}}|{{},{}}|{{{{{{{1}}}}}}}|{"1"2}|{1"2"}|{"1"}|{x}||'
    "{1;2}|{{1,2},{3,4}"
)
_TEXT_ARRAYS = (
    '{a,b c, d }|{" a "}|{""}|{"a\\"b"}|{a\\"b}|{a\\ }|{\\n}|{NULL,"NULL",nUlL,nul\\l}|{"{}","a,b"}|'
    '{"a|{"a\\|{a\\|{"a"b}|{é,"\t"}|{"" }|{{"a","b"},{c,NULL}}|{a"b"}|{"a" "b"}'
)


_BITS = "0|1010|b1010|B10|xA|XaF|x|b||10102|1 0| 1010|xG|101010101|0xA|é"
_MONEYS = (
    "0|1|-1|$1|-$1|$-1|(1)|(1.5)|($2)|+3|1.005|1.004|1.0049999|-1.005|1,234.56|12,34|1.2.3|.5|.|-|$|"
    "| 7 | $ 7 |7 -|7-|- 7|1e5|x|5x|(5|5)|1 2|92233720368547758.07|92233720368547758.08|"
    "-92233720368547758.08|-92233720368547758.09|99999999999999999999|$1$|é"
)


def _inputs(sql: str, texts: str, **settings: str) -> Inputs:
    return Inputs(sql, tuple(texts.split("|")), settings)


INPUTS = (
    _inputs("boolean", _BOOLEANS),
    _inputs("smallint", _INTEGERS),
    _inputs("integer", _INTEGERS),
    _inputs("bigint", _INTEGERS),
    _inputs("oid", _INTEGERS + "|4294967295|4294967296"),
    _inputs("xid", _INTEGERS),
    # The last three: powers of two, above which reals lie farther apart than below.
    _inputs(
        "real", _FLOATS + "|1.262177448353619e-29|-1.262177448353619e-29|1.2379400392853803e+27"
    ),
    _inputs("double precision", _FLOATS),
    _inputs("double precision", "0.1|1e20|123456789.123456789|NaN", extra_float_digits="0"),
    _inputs("numeric", _NUMERICS),
    _inputs("numeric(5,2)", _SCALED.replace("NaN|", "")),
    _inputs("numeric(3,0)", _SCALED.replace("NaN|", "")),
    _inputs("numeric(40,2)", _SCALED),
    _inputs("numeric(3,-2)", "0|49|50|150|-150|99949|99950|100000|NaN"),
    _inputs("numeric(3,5)", "0.00123|0.009994|0.009995|0.01|0"),
    _inputs("text", "a|  a  ||é"),
    _inputs("varchar(3)", "|abc|abcd|abc   |ab |ééé|éééé"),
    _inputs("char(3)", "|abc|abcd|abc   |a|éé"),
    _inputs("char", "a|ab|"),
    _inputs('"char"', "a|abc|"),
    _inputs("name", "a|" + "x" * 63 + "|" + "x" * 64 + "|" + "é" * 32),
    _inputs("bytea", _BYTEAS),
    _inputs("bytea", _BYTEAS, bytea_output="escape"),
    _inputs("uuid", _UUIDS),
    _inputs("json", _JSONS),
    _inputs("jsonb", _JSONS),
    _inputs("integer[]", _ARRAYS),
    _inputs("numeric(5,2)[]", "{1,1.005,NULL}|{1000}"),
    _inputs("text[]", _TEXT_ARRAYS + "|" + _ARRAYS),
    _inputs(
        "timestamptz[]", '{2024-01-15 10:00:00+02,infinity}|{"2024-07-01 00:00 America/New_York"}'
    ),
    _inputs("tid", "(0,1)|(1,65535)|(1,65536)|x|"),
    _inputs("int2vector", "1 2 3|| 1|40000"),
    _inputs("date", _MOMENTS),
    _inputs("date", _MOMENTS, datestyle="ISO, DMY"),
    _inputs("date", _MOMENTS, datestyle="ISO, YMD"),
    _inputs("date", "2024-01-15|0044-03-15 BC|infinity", datestyle="German"),
    _inputs("date", "2024-01-15|0044-03-15 BC|infinity", datestyle="SQL, DMY"),
    _inputs("date", "2024-01-15|0044-03-15 BC|infinity", datestyle="Postgres, MDY"),
    _inputs("date", "2024-01-15|0044-03-15 BC|infinity", datestyle="Postgres, DMY"),
    _inputs("time", _MOMENTS + "|" + _TIMES),
    _inputs("time(2)", "10:30:15.125|10:30:15.124999|23:59:59.999"),
    _inputs("time with time zone", _MOMENTS + "|" + _TIMES),
    _inputs("timetz", _MOMENTS + "|" + _TIMES, timezone="Asia/Kolkata"),
    _inputs("timetz(2)", "10:30:15.125+00|10:30:15.124999-05:30|23:59:59.999+14"),
    _inputs("bit(4)", _BITS),
    _inputs("bit(1)", "0|1|x1|11|"),
    _inputs("varbit(6)", _BITS),
    _inputs("bit varying", _BITS),
    _inputs("money", _MONEYS),
    _inputs("timestamp", _MOMENTS, timezone="America/New_York"),
    _inputs(
        "timestamp(0)", "2024-01-15 10:30:00.5|2024-01-15 10:30:01.5|1999-01-01 00:00:00.5|infinity"
    ),
    _inputs("timestamp(3)", "2024-01-15 10:30:00.1235|1969-12-31 23:59:59.0005"),
    *(
        _inputs("timestamptz", _MOMENTS, timezone=zone)
        for zone in ("UTC", "America/New_York", "Asia/Kolkata", "Europe/Berlin")
    ),
    *(
        _inputs(
            sql,
            "2024-01-15 10:30:00.25|2024-07-15 00:00:00|0044-03-15 12:00:00 BC|infinity|12024-01-01",
            timezone="Europe/Berlin",
            datestyle=style,
        )
        for sql in ("timestamp", "timestamptz")
        for style in ("SQL, MDY", "SQL, DMY", "Postgres, MDY", "Postgres, DMY", "German")
    ),
    *(
        _inputs("interval", _INTERVALS, intervalstyle=style)
        for style in ("postgres", "postgres_verbose", "sql_standard", "iso_8601")
    ),
)
