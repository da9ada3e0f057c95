"""Every function, operator, cast, aggregate and set that can grow its result, or may take long, with huge values.

What is called is read from the function table, so a new row of it is attacked too. Its arguments come in four
ways: made by the statement itself (`repeat('ab,', 3000000)`), read from rows in memory, many of middling size or
few of megabytes, or given as parameters. Where the call stands is one of the places where an expression can.
"""

# ruff: noqa: E501 -- one statement a line; these are sent as they are

from collections.abc import Iterator
from random import Random
from typing import Final

from catalog.types.table import PgType
from kalam_pg.functions import lookup
from kalam_pg.functions.table import Overload, OverloadKind

SETUP: Final = (
    "CREATE TABLE kin.sized (id INT PRIMARY KEY, t TEXT, b BYTEA, n NUMERIC, j JSONB, k JSON, a INT[], w TEXT[], d NUMERIC[], i INT, r INT4MULTIRANGE, s BIT VARYING) WITH (TYPE = 'USER')",
)
"""By root: rows of values, many of some kilobytes and few of megabytes."""

FILL: Final = (
    "INSERT INTO kin.sized SELECT g, repeat('ab, ', 700), repeat('x', 3000)::bytea, repeat('9', 900)::numeric,"
    " ('[' || repeat('1,', 900) || '{\"a\": [1, \"b\"]}]')::jsonb, ('{\"a\":[' || repeat('\"b\",', 500) || '1]}')::json,"
    " array_fill(g, ARRAY[900]), string_to_array(repeat('a,', 700), ','), array_fill(g * 1.5, ARRAY[500]), g * 1000,"
    " NULL, repeat('01', 900)::bit varying FROM generate_series(1, 600) g",
    "INSERT INTO kin.sized SELECT 1000 + g, repeat('ab, ', 700000), repeat('x', 3000000)::bytea, repeat('9', 60000)::numeric,"
    " ('[' || repeat('1,', 400000) || '{\"a\": [1, \"b\"]}]')::jsonb, ('{\"a\":[' || repeat('\"b\",', 300000) || '1]}')::json,"
    " array_fill(g, ARRAY[400000]), string_to_array(repeat('a,', 400000), ','), array_fill(g * 1.5, ARRAY[300000]), 50000000,"
    " NULL, repeat('01', 400000)::bit varying FROM generate_series(1, 3) g",
)
"""As the attacker."""

_MADE: Final[dict[str, tuple[str, ...]]] = {
    "text": ("repeat('ab,', 3000000)", "repeat('ä_% ', 1500000)", "repeat('x', 60000000)", "repeat('1 ', 400000)", "'%a_b'", "repeat('YYYY ', 100000)"),
    "bytea": ("repeat('ab', 15000000)::bytea", "repeat('\\001', 500000)::bytea"),
    "numeric": ("repeat('9', 100000)::numeric", "(repeat('9', 100)::numeric * 1e-16000)", "7.5", "99999.5", "1e100000"),
    "jsonb": ("('[' || repeat('1,', 600000) || '1]')::jsonb", "('{\"a\":[' || repeat('{\"b\": [1]},', 100000) || '1]}')::jsonb", "to_jsonb(repeat('\"', 10000000))"),
    "json": ("('[' || repeat('1,', 2000000) || '1]')::json", "('{\"a\":[' || repeat('{\"b\": [1]},', 300000) || '1]}')::json"),
    "jsonpath": ("'$.**'::jsonpath", "'$[*] ? (@ > 0)'::jsonpath", "'strict $.a[*].b[*]'::jsonpath"),
    "int4": ("60000000", "3", "-1", "2000000000"), "int8": ("60000000", "3", "30000"), "int2": ("3::smallint", "30000::smallint"),
    "bool": ("true",), "float8": ("1e300::float8", "3.7::float8"), "float4": ("3.5::float4",),
    "interval": ("interval '1 second'", "interval '100 years'"), "uuid": ("'00000000-0000-0000-0000-000000000000'::uuid",),
    "date": ("date '2024-01-01'",), "time": ("time '10:00'",), "timetz": ("timetz '10:00+00'",), "name": ("'kin'::name",),
    "timestamp": ("timestamp '2024-01-01'", "timestamp '9999-01-01'"), "timestamptz": ("timestamptz '2024-01-01+00'",),
    "oid": ("'kin.hot'::regclass::oid",), "regclass": ("'kin.hot'::regclass",), "inet": ("'10.0.0.0/8'::inet",), "cidr": ("'10.0.0.0/8'::cidr",),
    "varbit": ("repeat('01', 3000000)::bit varying",), "bit": ("repeat('01', 3000000)::bit(6000000)",), "char": ("'a'::\"char\"",),
    "int4range": ("int4range(1, 50000000)",), "int8range": ("int8range(1, 5000000000)",), "numrange": ("numrange(1, repeat('9', 100000)::numeric)",),
    "int4multirange": ("('{' || (SELECT string_agg('[' || g || ',' || g + 1 || ')', ',') FROM generate_series(1, 400000, 3) g) || '}')::int4multirange",),
    "nummultirange": ("('{' || (SELECT string_agg('[' || g || ',' || g + 1 || ')', ',') FROM generate_series(1, 200000, 3) g) || '}')::nummultirange",),
    "record": ("ROW(repeat('a', 5000000), 1)", "ROW(1, array_fill(1, ARRAY[500000]))"), "money": ("'12.5'::money",),
}  # fmt: skip
"""Values of a type that few characters ask for, the largest first."""

_ARRAYS: Final = {
    "int4": "array_fill(7, ARRAY[1000000])", "text": "string_to_array(repeat('ab,', 700000), ',')", "numeric": "array_fill(1.5, ARRAY[700000])",
    "jsonb": "array_fill('{\"a\": 1}'::jsonb, ARRAY[300000])", "float8": "array_fill(1.5::float8, ARRAY[1000000])", "int8": "array_fill(7::bigint, ARRAY[1000000])",
}  # fmt: skip

_STORED: Final = {
    "text": "t", "varchar": "t::varchar", "bytea": "b", "numeric": "n", "jsonb": "j", "json": "k", "int4": "i",
    "varbit": "s", "int4[]": "a", "text[]": "w", "numeric[]": "d", "int8": "i::bigint", "record": "sized",
}  # fmt: skip
"""Columns of kin.sized."""

_GIVEN: Final = {
    "text": (b"ab, " * 1_500_000, b"x" * 20_000_000, "ä_% ".encode() * 500_000, b"ab" * 1500),
    "bytea": (b"\\x" + b"ab" * 5_000_000,), "numeric": (b"9" * 60_000, b"1e-12000", b"7" * 3000),
    "jsonb": (b"[" + b"1," * 1_000_000 + b"1]", b'{"a": "' + b"x" * 9_000_000 + b'"}'),
    "json": (b"[" + b'{"a": 1},' * 500_000 + b"1]",),
    "varbit": (b"01" * 2_000_000,), "_int4": (b"{" + b"1," * 1_000_000 + b"1}",),
    "_text": (b"{" + b"ab," * 500_000 + b"1}",),
}  # fmt: skip
"""Parameters in text, by type."""

_ALIKE: Final = {"varchar": "text", "bpchar": "text"}
_ANY: Final = frozenset(
    {"any", "anyelement", "anynonarray", "anycompatible", "anycompatiblenonarray"}
)
_ANY_ARRAY: Final = frozenset({"anyarray", "anycompatiblearray"})
_GROWS: Final = frozenset({"text", "bytea", "numeric", "jsonb", "json", "varbit", "bit", "record", "int4multirange", "nummultirange", *_ALIKE, *_ANY, *_ANY_ARRAY})  # fmt: skip
_LEFT_OUT: Final = frozenset({"pg_sleep", "pg_sleep_for", "pg_sleep_until", "[]"})

PLACES: Final = {
    "select": "SELECT ({}) IS NULL",
    "select itself": "SELECT {}",
    "values": "VALUES (({0}) IS NULL), (({0}) IS NOT NULL)",
    "point": "SELECT ({}) IS NULL FROM kin.own WHERE id = 1",
    "point filter": "SELECT 1 FROM kin.own WHERE id = 1 AND ({}) IS NOT NULL",
    "update": "UPDATE kin.own SET v = left(({})::text, 10) WHERE id = 1",
    "insert": "INSERT INTO kin.own VALUES (5, left(({})::text, 10)) ON CONFLICT (id) DO UPDATE SET v = excluded.v",
    "returning": "UPDATE kin.own SET v = v WHERE id = 1 RETURNING ({}) IS NULL",
    "hot order": "SELECT id FROM kin.own ORDER BY (({}) IS NULL), id LIMIT 3",
    "do": "DO $$ BEGIN UPDATE kin.own SET v = v WHERE id = 1 AND ({}) IS NOT NULL; END $$",
    "in from": "SELECT x IS NULL FROM (SELECT {} AS x) q",
    "case": "SELECT CASE WHEN ({}) IS NULL THEN 1 ELSE 2 END",
    "cursor": "BEGIN; DECLARE c CURSOR FOR SELECT {}; FETCH c; COMMIT",
    "condition": "SELECT 1 WHERE ({}) IS NOT NULL",
}  # fmt: skip
"""Where a call of made values stands."""

OVER_ROWS: Final = {
    "filter": "SELECT id FROM kin.sized WHERE id {1} AND ({0}) IS NULL",
    "target": "SELECT ({0}) IS NULL FROM kin.sized WHERE id {1}",
    "target itself": "SELECT {0} FROM kin.sized WHERE id {1}",
    "order": "SELECT id FROM kin.sized WHERE id {1} ORDER BY (({0}) IS NULL), id LIMIT 3",
    "update set": "BEGIN; UPDATE kin.sized SET i = CASE WHEN ({0}) IS NULL THEN 1 ELSE 2 END WHERE id {1}; ROLLBACK",
    "update where": "BEGIN; UPDATE kin.sized SET i = 1 WHERE id {1} AND ({0}) IS NULL; ROLLBACK",
    "returning": "BEGIN; UPDATE kin.sized SET i = i WHERE id {1} RETURNING ({0}) IS NULL; ROLLBACK",
    "delete": "BEGIN; DELETE FROM kin.sized WHERE id {1} AND ({0}) IS NULL; ROLLBACK",
    "aggregated": "SELECT count({0}) FROM kin.sized WHERE id {1}",
    "for update": "BEGIN; SELECT id FROM kin.sized WHERE id {1} AND ({0}) IS NULL FOR UPDATE; ROLLBACK",
    "copy": "COPY (SELECT ({0}) IS NULL FROM kin.sized WHERE id {1}) TO STDOUT",
}  # fmt: skip
"""Where a call over rows in memory stands, and which rows."""

_ROWS: Final = {"many": "< 1000", "large": "> 1000", "one large": "= 1001"}


def statements(seed: int, count: int) -> dict[str, str]:
    """So many calls at places, by chance, by name; every overload comes before one comes twice."""
    random = Random(seed)
    found: dict[str, str] = {}
    chosen = list(overloads())
    while len(found) < count:
        random.shuffle(chosen)
        for overload in chosen[: count - len(found)]:
            name, text = _drawn(overload, random)
            found[f"{len(found)} {name}"] = text
    return found


def given(seed: int, count: int) -> dict[str, tuple[str, tuple[bytes, ...]]]:
    """So many calls whose large arguments are parameters, in text: (statement, parameters) by name."""
    random = Random(seed)
    chosen = [one for one in overloads() if any(of.name in _GIVEN for of in one.args)]
    found = {}
    for number in range(count):
        overload = random.choice(chosen)
        parameters: list[bytes] = []
        args = []
        for of in _args(overload, random):
            forms = _GIVEN.get(of.name)
            if forms is None:
                args.append(_made(of, random))
            else:
                parameters.append(random.choice(forms))
                args.append(f"${len(parameters)}::{of.name}")
        place = random.choice(("select", "point", "point filter", "update", "returning", "insert"))
        call = _call(overload, args)
        found[f"given {number} {overload} {place}"] = (
            PLACES[place].format(call),
            tuple(parameters),
        )
    return found


def overloads() -> Iterator[Overload]:
    """Those with an argument that has no size of its own."""
    for overload in lookup.everything():
        plain = overload.name[0] != "~" and " " not in overload.name.replace(" assignment", "")
        wide = any(_is_wide(of) for of in overload.args) or overload.name == "factorial"
        match overload.kind:
            case OverloadKind.FUNCTION:
                chosen = plain and wide and overload.row is not None
            case OverloadKind.WINDOW:
                chosen = False
            case OverloadKind.SET:
                chosen = plain
            case _:
                chosen = wide
        if chosen and overload.name not in _LEFT_OUT:
            yield overload


def _is_wide(of: PgType) -> bool:
    return of.name in _GROWS or of.element is not None


def _drawn(overload: Overload, random: Random) -> tuple[str, str]:
    if overload.kind in (OverloadKind.SET, OverloadKind.AGGREGATE):
        return _of_rows(overload, random)
    types = _args(overload, random)
    stored = [_stored(of, random) for of in types]
    if random.random() < 0.5 and any(stored):
        rows, place = random.choice(list(_ROWS)), random.choice(list(OVER_ROWS))
        args = [column or _made(of, random) for column, of in zip(stored, types, strict=True)]
        text = OVER_ROWS[place].format(_call(overload, args), _ROWS[rows])
        return f"{overload} {place} {rows}", text
    place = random.choice(list(PLACES))
    text = PLACES[place].format(_call(overload, [_made(of, random) for of in types]))
    return f"{overload} {place}", text


def _of_rows(overload: Overload, random: Random) -> tuple[str, str]:
    """A set, or an aggregate: in FROM, in a list, over rows in memory."""
    if overload.kind is OverloadKind.SET:
        call = _call(overload, [_made(of, random) for of in _args(overload, random)])
        form = random.choice(
            ("SELECT count(*) FROM {} q", "SELECT {}", "SELECT {} LIMIT 3", "SELECT 1 FROM kin.own, LATERAL {} q WHERE id = 1",
             "SELECT array_length(ARRAY(SELECT {}), 1)", "SELECT EXISTS (SELECT * FROM {} q)")
        )  # fmt: skip
        return f"{overload} {form}", form.format(call)
    args = [_stored(of, random) or _made(of, random) for of in _args(overload, random)]
    call = _call(overload, args)
    rows = random.choice(list(_ROWS))
    form = random.choice(
        ("SELECT ({0}) IS NULL FROM kin.sized WHERE id {1}", "SELECT {0} FROM kin.sized WHERE id {1}",
         "SELECT i, ({0}) IS NULL FROM kin.sized WHERE id {1} GROUP BY i",
         "SELECT ({0}) OVER (ORDER BY id) IS NULL FROM kin.sized WHERE id {1}",
         "SELECT ({0}) IS NULL FROM kin.sized, generate_series(1, 300) WHERE id {1}")
    )  # fmt: skip
    return f"{overload} {form}", form.format(call, _ROWS[rows])


def _args(overload: Overload, random: Random) -> tuple[PgType, ...]:
    if not overload.variadic:
        return overload.args[: len(overload.args) - random.randint(0, overload.defaults)]
    last = overload.args[-1]
    return (*overload.args[:-1], *[last.element or last] * random.randint(1, 3))


def _made(of: PgType, random: Random) -> str:
    name = _ALIKE.get(of.name, of.name)
    if name in _ANY:
        name = random.choice(("text", "jsonb", "numeric", "int4"))
    if name in _ANY_ARRAY or of.element is not None:
        element = "int4" if of.element is None else of.element.name
        return _ARRAYS.get(element, f"array_fill(({_made_of(element, random)}), ARRAY[200000])")
    return _made_of(name, random)


def _made_of(name: str, random: Random) -> str:
    forms = _MADE.get(name)
    if forms is None:
        return f"NULL::{name}" if not name.startswith("any") else "repeat('a', 3000000)"
    # The largest as often as all others.
    return forms[0] if random.random() < 0.5 else random.choice(forms)


def _stored(of: PgType, random: Random) -> str:
    name = of.name
    if name in _ANY:
        name = random.choice(("text", "jsonb", "numeric", "int4"))
    if of.element is not None:
        name = f"{of.element.name}[]"
    elif name in _ANY_ARRAY:
        name = "int4[]"
    return _STORED.get(name, "")


def _call(overload: Overload, args: list[str]) -> str:
    if overload.kind is OverloadKind.OPERATOR:
        operands = [f"({arg})" for arg in args]
        return f" {overload.name} ".join(operands if len(args) == 2 else ["", *operands]).strip()
    if overload.kind is OverloadKind.CAST:
        return f"({args[0]})::{overload.result.name}"
    return f"{overload.name}({', '.join(args)})"
