# ruff: noqa: E501 - a table
"""Values at the edges of each type, as literals of it, for `conformance.fuzz.calls`."""

from random import Random
from typing import Final

_VALUES: Final = {
    "boolean": "true|false",
    "smallint": "0|1|-1|2|7|32767|-32768",
    "integer": "0|1|-1|2|3|10|31|2147483647|-2147483648",
    "bigint": "0|1|-1|3|63|10000000000|9223372036854775807|-9223372036854775808",
    "real": "0|-0|1.5|-1|3|NaN|Infinity|-Infinity|1e-40|3.4e38|16777217|0.1",
    "double precision": "0|-0|1|-1|1.5|-2.5|0.5|-0.5|3|1e15|1e16|123456.789|NaN|Infinity|-Infinity|1e-310|1.7e308|0.1|1e-5",
    "numeric": "0|1|-1|2.5|-2.5|0.5|-0.0010|99.99|1e30|1e-20|12345678901234567890.123|NaN|Infinity|-Infinity|3|0.00",
    "text": "|a|abc|Hello World|äÖß€|  x  |%a_b\\|a,b,,c|12|-1.5e3|2024-02-29|\n\t|it's|AbC|\\x41|{\"a\":1}|true|abcabcabc|YYYY-MM-DD|FM999.9|zebra|é|{1,2}|[1,5)|$.a|10.0.0.1|^b.",
    "character varying": "|a|abc|Äb |12|abcabc",
    "character": "|a|ab|é",
    "name": "|a|pg_class|Name|äö",
    '"char"': "|a|b|\\201",
    "bytea": "\\x|\\x00|\\x616263|\\xff00ff|\\xdeadbeef01020304|\\x31",
    "date": "2024-02-29|2000-01-01|0044-03-15 BC|infinity|-infinity|1969-12-31|5874897-12-31|4713-11-24 BC|2024-12-30",
    "time": "00:00|12:30:15.123456|24:00|23:59:59.999999|01:02:03",
    "time with time zone": "00:00+00|12:30:15.123456+05:30|24:00-12|23:59:59.999999+15:59|01:02:03-08",
    "timestamp": "2024-02-29 12:34:56.789|infinity|-infinity|1999-12-31 23:59:59.999999|0001-01-01 00:00:00 BC|290000-12-31 23:59:59|1970-01-01|2024-03-31 02:30:00",
    "timestamptz": "2024-02-29 12:34:56.789+00|infinity|-infinity|1999-12-31 23:59:59.999999+02|0001-01-01 00:00:00+00 BC|290000-12-31 23:59:59+00|1970-01-01+00|2024-03-31 02:30:00+01",
    "interval": "1 day|-1 mon 3 days 04:05:06.789|00:00|1 year|-00:00:00.000001|178000000 years|25:00|2 years -3 mons|-5 days 10:00",
    "uuid": "00000000-0000-0000-0000-000000000000|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|ffffffff-ffff-ffff-ffff-ffffffffffff",
    "inet": "10.0.0.1|10.0.0.0/8|192.168.1.5/24|::1|2001:db8::/32|255.255.255.255|::ffff:1.2.3.4/96|0.0.0.0/0",
    "cidr": "10.0.0.0/8|192.168.1.0/24|::/0|2001:db8::/32|10.0.0.1/32",
    "macaddr": "08:00:2b:01:02:03|00:00:00:00:00:00|ff:ff:ff:ff:ff:ff",
    "macaddr8": "08:00:2b:01:02:03:04:05|00:00:00:00:00:00:00:00|ff:ff:ff:ff:ff:ff:ff:ff",
    "bit": "0|1",
    "bit varying": "|0|1|0101|11111111|100000000000000000000000000000001",
    "money": "0|1.00|-1.05|92233720368547758.07|-92233720368547758.08|1000.01",
    "json": "{\"a\": 1, \"a\": 2}|[1, {\"b\": null}, \"x\"]|\"s\"|1.50|null|true|{}|[]|{\"a\": {\"b\": [1, 2]}, \"c\": \"1\"}|  [ 1 , 2 ]  ",
    "jsonb": "{\"a\": 1}|[1, {\"b\": null}, \"x\"]|\"s\"|1.50|null|true|{}|[]|{\"a\": {\"b\": [1, 2]}, \"c\": \"1\"}|[[1, 2], [3]]|-1e2",
    "jsonpath": "$|$.a|$[*]|strict $.a.b|$.** ? (@ > 1)|$.c.double()|lax $[0]|$.a.size()|-$[0] + 2",
    "oid": "0|1|23|25|4294967295",
    "xid": "0|3|4294967295",
    "pg_lsn": "0/0|16/B374D848|FFFFFFFF/FFFFFFFF",
    "int4range": "empty|[1,5)|[3,8)|(,4)|[5,)|(,)|[2147483646,)|(-2147483648,0]",
    "int8range": "empty|[1,5)|(,4)|[5,)|(,)|[9223372036854775806,)",
    "numrange": "empty|[1.5,5)|(1.5,5]|(,4)|[5,)|(,)|[NaN,)|[1,1]",
    "daterange": "empty|[2024-01-01,2024-03-01)|(,2024-02-29]|[2024-02-29,infinity)|(,)",
    "tsrange": "empty|[2024-01-01,2024-03-01)|(2024-01-01,2024-03-01]|(,infinity)|(,)",
    "tstzrange": "empty|[2024-01-01+00,2024-03-01+00)|(,2024-02-29+02]|(,)",
    "int4multirange": "{}|{[1,5)}|{[1,3),[5,8)}|{(,4),[6,)}|{(,)}",
    "int8multirange": "{}|{[1,5)}|{[1,3),[5,8)}|{(,)}",
    "nummultirange": "{}|{[1.5,5)}|{(1,3),(3,8]}|{(,)}",
    "datemultirange": "{}|{[2024-01-01,2024-03-01)}|{(,2023-01-01),[2024-01-01,)}",
    "tsmultirange": "{}|{[2024-01-01,2024-03-01)}",
    "tstzmultirange": "{}|{[2024-01-01+00,2024-03-01+00)}",
    "int2vector": "|1|1 2 3",
    "oidvector": "|23|23 25",
    "regtype": "integer|text|jsonb",
    "regclass": "pg_class|pg_type",
}  # fmt: skip

VALUES: Final = {name: tuple(values.split("|")) for name, values in _VALUES.items()}
"""By type, spelled as format_type has it, each value as text."""

ARRAYS: Final = tuple(
    name
    for name in VALUES
    if name not in {"int2vector", "oidvector", "jsonpath", "regtype", "regclass", "xid"}
)
"""The types of which arrays are made, too."""

NULLS: Final = 0.1


def literal(random: Random, of: str, nulls: float = NULLS) -> str:
    """An expression of that type: a literal, or an array of some."""
    if random.random() < nulls:
        return f"NULL::{of}"
    if of.endswith("[]"):
        return _array(random, of.removesuffix("[]"))
    return _quoted(random.choice(VALUES[of]), of)


def _quoted(value: str, of: str) -> str:
    escaped = value.replace("'", "''").replace("\\", "\\\\")
    prefix = "E" if "\\" in value else ""
    return f"{prefix}'{escaped}'::{of}"


def _array(random: Random, element: str) -> str:
    def some() -> str:
        return literal(random, element, 0.15)

    form = random.choice(("empty", "one", "three", "three", "square", "elsewhere"))
    match form:
        case "empty":
            return f"'{{}}'::{element}[]"
        case "one":
            return f"ARRAY[{some()}]::{element}[]"
        case "three":
            return f"ARRAY[{some()}, {some()}, {some()}]::{element}[]"
        case "square":
            return f"ARRAY[[{some()}, {some()}], [{some()}, {some()}]]::{element}[]"
        case _:
            return f"array_fill({some()}, ARRAY[2], ARRAY[{random.choice((-1, 0, 3))}])"
