"""Statements that would hold the server's loop if it ran them: by the place where an expression can stand.

Each is run three times: as it is, with a statement_timeout, and cancelled from another connection.
"""

# ruff: noqa: E501 -- one statement a line

from random import Random
from typing import Final

SETUP: Final = (
    "CREATE NAMESPACE kin",
    "CREATE TABLE kin.own (id INT PRIMARY KEY, v TEXT) WITH (TYPE = 'USER')",
    "CREATE TABLE kin.hot (id INT PRIMARY KEY, g INT, n NUMERIC, v TEXT, j JSONB) WITH (TYPE = 'USER')",
    "CREATE TABLE kin.big (id INT PRIMARY KEY, v TEXT) WITH (TYPE = 'USER')",
    "CREATE TABLE kin.checked (id INT PRIMARY KEY, v TEXT CHECK (length(replace(v, 'a', 'bb')) > 0), n INT DEFAULT length(replace(repeat('ab', 3000000), 'a', 'bb'))) WITH (TYPE = 'USER')",
)

FILL: Final = (
    "INSERT INTO kin.own VALUES (1, 'own row')",
    "INSERT INTO kin.hot SELECT g, g % 97, g * 1.5, 'text number ' || g, ('{\"a\": ' || g || '}')::jsonb FROM generate_series(1, 20000) g",
    "INSERT INTO kin.big SELECT g, repeat(md5(g::text), 30000) FROM generate_series(1, 20) g",
)
"""As the attacker: some rows, and a few large ones."""

_MD5 = "md5(repeat('x', 60000000))"
_REPLACE = "length(replace(repeat('a', 3000000), 'a', 'bcdefgh'))"
_NINES = "repeat('9', 100000)::numeric"

HEAVY: Final = {
    "power": "2.5 ^ 6000.5",
    "power of large": f"length(({_NINES} ^ 1.5)::text)",
    "numeric product": f"length(({_NINES} * {_NINES})::text)",
    "numeric quotient": f"length(({_NINES} / repeat('7', 50000)::numeric)::text)",
    "numeric remainder": f"length(mod({_NINES}, repeat('7', 50000)::numeric)::text)",
    "numeric gcd": "gcd(repeat('9', 120000)::numeric, repeat('8', 119999)::numeric)",
    "numeric sqrt": f"length(sqrt({_NINES})::text)",
    "numeric ln": "length(ln(repeat('9', 20000)::numeric)::text)",
    "numeric log": "length(log(2.0, repeat('9', 20000)::numeric)::text)",
    "numeric exp": "length(exp(5999.9)::text)",
    "numeric to float": f"{_NINES}::float8 IS NULL",
    "numeric round": f"length(round({_NINES} / 7, 16000)::text)",
    "factorial": "factorial(30000)",
    "md5": _MD5,
    "sha": "sha512(repeat('x', 60000000)::bytea)",
    "repeat": "length(repeat('x', 67000000))",
    "repeat of wide": "length(repeat('ä', 30000000))",
    "lpad": "length(lpad('', 60000000, 'xyz'))",
    "replace": _REPLACE,
    "translate": "length(translate(repeat('ab', 30000000), 'ab', 'ba'))",
    "reverse": "length(reverse(repeat('ab', 30000000)))",
    "upper": "length(upper(repeat('aß', 20000000)))",
    "initcap": "length(initcap(repeat('ab ', 20000000)))",
    "trim": "length(btrim(repeat('ab', 30000000), 'ab'))",
    "concat": "length(concat(repeat('a', 60000000), repeat('b', 60000000)))",
    "format": "length(format('%60000000s|%60000000s', 'x', 'y'))",
    "quote": "length(quote_literal(repeat('''', 20000000)))",
    "split_part": "split_part(repeat('a,', 30000000), ',', 29999999)",
    "position": "position(repeat('a', 50000) || 'b' IN repeat('a', 10000000))",
    "substring": "length(substring(repeat('ä', 30000000) FROM 2))",
    "overlay": "length(overlay(repeat('a', 60000000) placing 'b' from 5))",
    "like": "repeat('a', 5000000) LIKE '" + "%a" * 200 + "b'",
    "like underscores": "repeat('a', 3000000) LIKE '%" + "_" * 500 + "b%'",
    "ilike": "repeat('a', 300000) ILIKE '%" + "a" * 3000 + "b%'",
    "similar": "repeat('a', 20000) ~ '^(?:(a|b)*c)$'",
    "regexp": "repeat('a', 1000000) ~ 'a*b'",
    "regexp_count": "regexp_count(repeat('a', 1000000), 'a')",
    "regexp_replace": "length(regexp_replace(repeat('ab', 20000), '(a)(b)', '\\2\\1', 'g'))",
    "regexp_split": "array_length(regexp_split_to_array(repeat('a,', 20000), ','), 1)",
    "to_char of a number": "length(to_char(1, repeat('9', 1000000)))",
    "to_char of a time": "length(to_char(timestamp '2024-01-01', repeat('Month', 200000)))",
    "to_number": "to_number(repeat('1,', 50000), repeat('9,', 50000)) IS NULL",
    "to_date": "to_date(repeat(' ', 1000000) || '2024', repeat(' ', 1000000) || 'YYYY')",
    "array_fill": "array_length(array_fill(1, ARRAY[1000000]) || array_fill(1, ARRAY[1000000]), 1)",
    "array_to_string": "length(array_to_string(array_fill(repeat('x', 1000), ARRAY[50000]), ','))",
    "array text": "length(array_fill(repeat('x\"', 100), ARRAY[100000])::text)",
    "array from text": "array_length(('{' || repeat('1,', 1000000) || '1}')::int[], 1)",
    "array_position": "array_position(array_fill(1, ARRAY[1000000]), 2)",
    "array_remove": "array_length(array_remove(array_fill(1, ARRAY[1000000]), 1), 1)",
    "array contains": "array_fill(1, ARRAY[20000]) <@ array_fill(2, ARRAY[20000])",
    "array equality": "array_fill(1.5, ARRAY[1000000]) = array_fill(1.5, ARRAY[1000000])",
    "string_to_array": "array_length(string_to_array(repeat('a,', 3000000), ','), 1)",
    "any of array": "5 = ANY (array_fill(1, ARRAY[1000000]))",
    "any of like": "'b' LIKE ANY (array_fill('%a%'::text, ARRAY[500000]))",
    "json text": "length(('[' || repeat('1,', 2000000) || '1]')::jsonb::text)",
    "json parse": "jsonb_array_length(('[' || repeat('{\"a\":1},', 500000) || '1]')::jsonb)",
    "json check": "(('[' || repeat('1,', 5000000) || '1]')::json IS NULL)",
    "json deep": "(repeat('[', 900) || repeat(']', 900))::jsonb IS NULL",
    "json concat": "jsonb_array_length(('[' || repeat('1,', 1000000) || '1]')::jsonb || '2')",
    "json path": "jsonb_path_exists(('[' || repeat('1,', 500000) || '1]')::jsonb, '$[*] ? (@ > 5)')",
    "json pretty": "length(jsonb_pretty(('[' || repeat('1,', 500000) || '1]')::jsonb))",
    "json get": "(('[' || repeat('1,', 2000000) || '1]')::json -> 7)::text",
    "to_json": "length(to_jsonb(array_fill(1, ARRAY[1000000]))::text)",
    "json of text": "length(to_json(repeat('\"', 20000000))::text)",
    "encode": "length(encode(repeat('x', 40000000)::bytea, 'base64'))",
    "hex": "length(encode(repeat('x', 30000000)::bytea, 'hex'))",
    "decode": "length(decode(repeat('ab', 30000000), 'hex'))",
    "convert": "length(convert_to(repeat('ä', 30000000), 'LATIN1'))",
    "text to integer": "length(trim(repeat(' ', 30000000) || '1')::int::text)",
    "text to date": "(repeat(' ', 3000000) || '2024-01-01')::date",
    "text to interval": "(repeat('1 day ', 100000))::interval",
    "text to bytea": "length(('\\x' || repeat('ab', 20000000))::bytea)",
    "bytea text": "length(repeat('x', 30000000)::bytea::text)",
    "text comparison": "repeat('ä', 30000000) > repeat('ä', 29999999)",
    "many": " + ".join(["length(replace(repeat('a', 200000), 'a', 'bc'))"] * 40),
    "nested case": "CASE WHEN length(replace(repeat('a', 9000000), 'a', 'bc')) > 1 THEN md5(repeat('x', 30000000)) ELSE 'b' END",
    "concatenation": " || ".join(["repeat('abc', 3000000)"] * 7),
    "extract": "extract(day FROM (repeat('1 day ', 50000))::interval)",
    "tsquery-like words": "array_length(regexp_split_to_array(repeat('word ', 100000), ' +'), 1)",
    "ascii art": "repeat(repeat('ab', 1000), 30000) = repeat(repeat('ab', 1000), 30000)",
    "least": "length(least(repeat('a', 60000000), repeat('b', 60000000)))",
    "hashing": "hashtext(repeat('a', 50000000)) IS NULL",
    "row comparison": "(repeat('a', 50000000), 1) = (repeat('a', 50000000), 2)",
    "string reader": "starts_with(repeat('a', 60000000), repeat('a', 59999999))",
    "generate_series": "(SELECT count(*) FROM generate_series(1, 2000000))",
    "unnest": "(SELECT count(*) FROM unnest(array_fill(1, ARRAY[1000000])))",
}  # fmt: skip
"""Expressions that take long, or make much, for few characters of text."""

PLACES: Final = {
    "select": "SELECT {}",
    "values": "VALUES ({0}), ({0}), ({0})",
    "where": "SELECT 1 WHERE ({})::text <> 'x'",
    "insert": "INSERT INTO kin.own VALUES (1000, ({})::text)",
    "conflict": "INSERT INTO kin.own VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET v = left(({})::text, 9)",
    "update": "UPDATE kin.own SET v = left(({})::text, 10) WHERE id = 1",
    "delete": "DELETE FROM kin.own WHERE id = 3 AND ({})::text <> ''",
    "returning": "UPDATE kin.own SET v = v WHERE id = 1 RETURNING left(({})::text, 10)",
    "point": "SELECT left(({})::text, 10) FROM kin.own WHERE id = 1",
    "point filter": "SELECT 1 FROM kin.own WHERE id = 1 AND ({})::text <> ''",
    "hot filter": "SELECT id FROM kin.own WHERE ({})::text <> v",
    "hot order": "SELECT id FROM kin.own ORDER BY left(({})::text, 10) || v LIMIT 3",
    "limit": "SELECT 1 LIMIT length(({})::text)",
    "catalogue": "SELECT typname FROM pg_type WHERE ({})::text <> typname LIMIT 5",
    "cursor": "BEGIN; DECLARE c CURSOR FOR SELECT {}; FETCH c; COMMIT",
    "prepare": "PREPARE p AS SELECT {}; EXECUTE p; DEALLOCATE p",
    "explain": "EXPLAIN SELECT {}",
    "execute as": "EXECUTE AS USER 'mallory' (SELECT left(({})::text, 10))",
    "notify": "SELECT pg_notify('c', left(({})::text, 10))",
    "setting": "SELECT set_config('my.x', left(({})::text, 10), false)",
    "subquery": "SELECT (SELECT left(({})::text, 10))",
    "default": "CREATE TABLE IF NOT EXISTS kin.def (id INT PRIMARY KEY, v TEXT DEFAULT left(({})::text, 10))",
    "array": "SELECT ARRAY[left(({0})::text, 5), left(({0})::text, 6)]",
}  # fmt: skip
"""Where an expression can stand."""


def _parameters(count: int) -> str:
    return ",".join(f"({i * 7919})" for i in range(count))


OTHERS: Final = {
    "twenty md5": "SELECT " + ", ".join([_MD5] * 20),
    "twenty large columns": "SELECT " + ", ".join(["repeat('x', 67000000)"] * 20),
    "hundred replaces": "VALUES " + ",".join([f"({_REPLACE})"] * 100),
    "rows of large values": "INSERT INTO kin.own VALUES " + ",".join(f"({i}, repeat('x', 60000000))" for i in range(2000, 2040)),
    "one large value": "INSERT INTO kin.own VALUES (3000, repeat('x', 67000000))",
    "default and check": "INSERT INTO kin.checked (id, v) VALUES (1, 'a'), (2, repeat('a', 3000000))",
    "check of many": "INSERT INTO kin.checked (id, v, n) SELECT g, repeat('a', 100000), 1 FROM generate_series(1, 300) g",
    "update all": "UPDATE kin.hot SET v = replace(repeat(v, 200), 'e', 'xyz') WHERE g = 5",
    "update by filter": "UPDATE kin.hot SET n = n * 1.5 WHERE v LIKE '%7%'",
    "returning many": "UPDATE kin.hot SET g = g WHERE g < 30 RETURNING repeat(v, 1000)",
    "order by of hot": "SELECT id FROM kin.hot ORDER BY md5(v), n LIMIT 5",
    "order by large": "SELECT id FROM kin.big ORDER BY v DESC",
    "filter large": "SELECT id FROM kin.big WHERE replace(v, 'a', 'bcd') LIKE '%x%'",
    "compare large": "SELECT count(*) FROM kin.big a, kin.big b WHERE a.v > b.v",
    "aggregate large": "SELECT length(string_agg(v, '')) FROM kin.big",
    "read large": "SELECT v FROM kin.big",
    "read all": "SELECT * FROM kin.hot",
    "distinct large": "SELECT count(DISTINCT v) FROM kin.big",
    "join hot": "SELECT count(*) FROM kin.hot a JOIN kin.hot b ON a.g = b.g",
    "window hot": "SELECT sum(n) OVER (PARTITION BY g ORDER BY id) FROM kin.hot",
    "local regexp": "SELECT count(*) FROM kin.own WHERE repeat(v, 100000) ~ '(o|w)+x'",
    "cross of series": "SELECT count(*) FROM generate_series(1,100000) a, generate_series(1,100000) b",
    "endless recursion": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "growing recursion": "WITH RECURSIVE r(t) AS (SELECT 'x' UNION ALL SELECT t || t FROM r) SELECT max(length(t)) FROM r",
    "string_agg of large": "SELECT length(string_agg(repeat('x', 1000000), '')) FROM generate_series(1, 5000)",
    "array_agg of series": "SELECT array_length(array_agg(g), 1) FROM generate_series(1, 30000000) g",
    "sort of series": "SELECT * FROM generate_series(1, 5000000) g ORDER BY md5(g::text) LIMIT 5",
    "group of series": "SELECT count(*) FROM (SELECT g, count(*) FROM generate_series(1, 10000000) g GROUP BY g) q",
    "numeric series": "SELECT count(*) FROM generate_series(1::numeric, 1e12::numeric)",
    "times series": "SELECT count(*) FROM generate_series(timestamp '2000-01-01', '2024-01-01', '1 second')",
    "ten thousand columns": "SELECT " + ",".join(["1"] * 10000),
    "wide rows": "SELECT " + ",".join(f"g+{i}" for i in range(1600)) + " FROM generate_series(1, 1000) g",
    "many rows": "SELECT g, md5(g::text) FROM generate_series(1, 1000000) g",
    "cursor of many": "BEGIN; DECLARE c CURSOR FOR SELECT g, md5(g::text) FROM generate_series(1, 3000000) g; FETCH 5 FROM c; COMMIT",
    "insert of many": "INSERT INTO kin.own SELECT g, 'x' FROM generate_series(100000, 700000) g",
    "catalogue recursion": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r, (SELECT count(*) FROM pg_class) q",
    "catalogue cross": "SELECT count(*) FROM pg_proc a, pg_proc b, pg_proc c",
    "catalogue function": "SELECT max(regexp_count(repeat(proname, 20000), 'a')) FROM pg_proc",
    "catalogue aggregate": "SELECT length(string_agg(repeat(typname, 1000000), '')) FROM pg_type",
    "catalogue arrays": "SELECT array_length(array_agg(repeat(proname::text, 100000)), 1) FROM pg_proc",
    "catalogue rows": "SELECT a.proname, b.proname FROM pg_proc a, pg_proc b LIMIT 900000",
    "catalogue large": "SELECT repeat(proname::text, 200000) FROM pg_proc",
    "catalogue order": "SELECT repeat(a.typname::text, 1000) x FROM pg_type a, pg_type b ORDER BY x LIMIT 3",
    "catalogue beside table": "SELECT count(*) FROM pg_proc p, kin.hot h WHERE repeat(p.proname, 1000) LIKE '%' || h.v",
    "catalogue whole": "SELECT * FROM pg_proc a LEFT JOIN pg_type t ON t.oid = a.prorettype ORDER BY a.proname",
    "information schema": "SELECT * FROM information_schema.columns",
    "psql types": "SELECT t.typname, pg_catalog.format_type(t.oid, NULL), pg_catalog.obj_description(t.oid, 'pg_type') FROM pg_type t ORDER BY 1",
    "long values": "VALUES " + _parameters(40000),
    "long list": "SELECT 1 WHERE 5 IN (" + ",".join(map(str, range(100000))) + ")",
    "long insert": "INSERT INTO kin.own VALUES " + ",".join(f"({i}, 'value')" for i in range(10000, 40000)),
    "long or": "SELECT id FROM kin.hot WHERE " + " OR ".join(f"v = 'a{i}'" for i in range(1500)),
    "long case": "SELECT CASE " + " ".join(f"WHEN {i} = 0 THEN 'a{i}'" for i in range(4000)) + " END",
    "long concat": "SELECT concat(" + ",".join(f"'a{i}'" for i in range(20000)) + ")",
    "long literal": "SELECT '" + "x" * 900_000 + "'",
    "long array": "SELECT ARRAY[" + ",".join(map(str, range(60000))) + "]",
    "long json": "SELECT '[" + ",".join(map(str, range(100000))) + "]'::jsonb",
    "many statements": ";".join(f"SELECT {i}+1" for i in range(30000)),
    "many folds": "SELECT " + ",".join(f"length(replace(repeat('a', {20000 + i}), 'a', 'bc'))" for i in range(2000)),
    "joins": "SELECT count(*) FROM " + ", ".join(f"kin.hot t{i}" for i in range(12)),
    "nested subqueries": "SELECT * FROM " + "(SELECT * FROM " * 40 + "kin.hot" + ") x" * 40 + " LIMIT 1",
    "sleep": "SELECT pg_sleep(3)",
    "flush": "STORAGE FLUSH TABLE kin.hot",
}  # fmt: skip
"""Statements of other forms."""

PARAMETERS: Final[dict[str, tuple[str, tuple[bytes, ...]]]] = {
    "repeat of": ("SELECT repeat($1, 67000000)", (b"x",)),
    "replace of": ("SELECT length(replace($1, 'a', $2))", (b"a" * 3_000_000, b"bcdefgh")),
    "json of": ("SELECT jsonb_array_length($1::jsonb)", (b"[" + b"1," * 5_000_000 + b"1]",)),
    "array of": ("SELECT array_length($1::int[], 1)", (b"{" + b"1," * 5_000_000 + b"1}",)),
    "numeric of": ("SELECT length(($1::numeric ^ 1.5)::text)", (b"9" * 60_000,)),
    "md5 of": ("SELECT md5($1)", (b"x" * 100_000_000,)),
    "text of": ("SELECT $1::text", (b"x" * 100_000_000,)),
    "point by": ("SELECT v FROM kin.own WHERE id = $1 AND v <> replace($2, 'a', 'bb')", (b"1", b"a" * 20_000_000)),
    "any of": ("SELECT count(*) FROM kin.hot WHERE id = ANY ($1::int[])", (b"{" + b",".join(b"%d" % i for i in range(500_000)) + b"}",)),
    "insert of": ("INSERT INTO kin.own VALUES ($1, $2)", (b"900000", b"y" * 100_000_000)),
    "update of": ("UPDATE kin.own SET v = replace($1, 'y', 'zz') WHERE id = 1", (b"y" * 10_000_000,)),
    "regexp of": ("SELECT regexp_replace($1, $2, $3, 'g') IS NULL", (b"a" * 2_000_000, b"a", b"bb")),
    "like of": ("SELECT $1 LIKE $2", (b"a" * 5_000_000, b"%a" * 200 + b"b")),
    "time of": ("SELECT $1::interval", (b"1 day " * 500_000,)),
    "bytes of": ("SELECT encode($1::bytea, 'base64')", (b"\\x" + b"ab" * 20_000_000,)),
    "catalogue by": ("SELECT count(*) FROM pg_type WHERE typname <> replace($1, 'a', 'bb')", (b"a" * 5_000_000,)),
}  # fmt: skip
"""Texts whose parameters are large: (statement, parameters in text)."""


def statements() -> dict[str, str]:
    """Every text of its own, by name."""
    found = {name: f"SELECT {text}" for name, text in HEAVY.items()}
    for place, form in PLACES.items():
        for name in ("replace", "power", "json text"):
            found[f"{place}: {name}"] = form.format(HEAVY[name])
    return found | OTHERS


def drawn(seed: int, count: int) -> dict[str, str]:
    """Any expressions at any places, by chance."""
    random = Random(seed)
    found = {}
    for number in range(count):
        place, name = random.choice(list(PLACES)), random.choice(list(HEAVY))
        found[f"{seed}.{number} {place}: {name}"] = PLACES[place].format(HEAVY[name])
    return found
