# ruff: noqa: E501 - tables
"""What random SQL is made of: types with values of each, functions and operators by result type.

A template names the kinds of its arguments in braces. Nothing in it fails for a value that it can be
given, but for `UNSOUND`: which row an error is met at first is nobody's promise.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A type as columns have it: its SQL name, and values in text form.

    No two values of a kind are equal: which of two spellings a group shows is nobody's promise.
    """

    sql: str
    values: tuple[str, ...]
    sorts: bool = True


def _kind(sql: str, values: str, *, sorts: bool = True) -> Kind:
    return Kind(sql, tuple(value.strip() for value in values.split("|")), sorts)


KINDS = {
    "bool": _kind("boolean", "true|false"),
    "int2": _kind("smallint", "0|1|-1|2|3|30"),
    "int4": _kind("integer", "0|1|-1|2|3|4|5|7|40"),
    "int8": _kind("bigint", "0|1|-1|2|3|5000000000|-7"),
    "numeric": _kind("numeric", "0|1|-1|2.5|3|100.125|-0.001|NaN|12345678901234567890"),
    "num2": _kind("numeric(8,2)", "0.00|1.00|-1.00|2.50|3.25|1000.01"),
    "float4": _kind("real", "0|1|-1|2.5|3|NaN|Infinity"),
    "float8": _kind("double precision", "0|1|-1|2.5|3|NaN|Infinity|-Infinity|1e20"),
    "text": _kind("text", "a|b|ab|B|A b||zz|é|100%|a_b"),
    "varchar": _kind("varchar(6)", "a|b|ab|abc||Zz"),
    "bpchar": _kind("char(4)", "a|b|ab|abcd|"),
    "bytea": _kind("bytea", r"\x|\x00|\x61|\x6162|\xff"),
    "uuid": _kind("uuid", "|".join(f"00000000-0000-0000-0000-{n:012d}" for n in range(1, 5))),
    "date": _kind("date", "2024-01-01|2024-02-29|2023-12-31|1999-06-15|infinity|0044-03-15 BC"),
    "time": _kind("time", "00:00:00|12:30:00|23:59:59.5|08:00:00"),
    "timestamp": _kind(
        "timestamp", "2024-01-01 00:00:00|2024-02-29 12:00:00.25|1969-12-31 23:59:59|-infinity"
    ),
    "timestamptz": _kind(
        "timestamptz", "2024-01-01 00:00:00+00|2024-03-31 01:30:00+02|1999-06-15 12:00:00+00|infinity"
    ),
    "interval": _kind("interval", "1 day|2 hours|1 mon 3 days|-1 day|00:00:00|1 year"),
    "jsonb": _kind("jsonb", '{}|{"a": 1}|{"a": "x", "b": [1, 2]}|[1, 2, "x"]|"s"|1|null|[]|true'),
    "json": _kind("json", '{"a": 1, "a": 2}|[1, {"b": null}]|"s"|{}', sorts=False),
    "inet": _kind("inet", "10.0.0.1|10.0.0.0/8|10.0.0.1/24|192.168.1.5|::1|2001:db8::/32"),
    "cidr": _kind("cidr", "10.0.0.0/8|10.0.0.0/16|192.168.1.0/24|::/0"),
    "macaddr": _kind("macaddr", "08:00:2b:01:02:03|00:00:00:00:00:00|ff:ff:ff:ff:ff:ff"),
    "timetz": _kind("timetz", "10:00:00+00|11:00:00+01|09:00:00-01|23:59:59.5-12|00:00:00+14"),
    "money": _kind("money", "0|1.00|-1.00|2.50|1000.01|-0.05"),
    "bit4": _kind("bit(4)", "0000|0001|1010|1111|0100"),
    "varbit": _kind("bit varying(9)", "|0|1|01|10|101010101|11"),
    "pair": _kind("pair", '(1,a)|(1,b)|(2,)|(,a)|(,)|(-1,"x y")'),
    "mood": _kind("mood", "sad|ok|happy|very happy"),
    "posint": _kind("posint", "1|2|3|7|40"),
    "span": _kind("span", "empty|[1,5)|[3,8)|(,4)|[5,)|(,)|[2,3)"),
    "ints": _kind("integer[]", "{}|{1}|{1,2,3}|{NULL,2}|{3,1}"),
    "texts": _kind("text[]", "{}|{a}|{a,b}|{NULL}|{b,a,b}"),
}  # fmt: skip

DEFINITIONS = (
    "CREATE TYPE pair AS (a integer, b text)",
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'very happy')",
    "CREATE DOMAIN posint AS integer CHECK (VALUE > 0) CHECK (VALUE < 1000000)",
    "CREATE TYPE span AS RANGE (subtype = integer)",
    "CREATE FUNCTION larger_of(anyelement, anyelement) RETURNS anyelement LANGUAGE sql STRICT IMMUTABLE AS 'SELECT greatest($1, $2)'",
    "CREATE FUNCTION listed(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce($1 || ',', '') || coalesce($2, '-') $$",
    "CREATE FUNCTION told(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce('<' || $1 || '>', 'none') $$",
    "CREATE AGGREGATE own_max (anyelement) (sfunc = larger_of, stype = anyelement)",
    "CREATE AGGREGATE own_list (text) (sfunc = listed, stype = text, finalfunc = told)",
    "CREATE AGGREGATE own_avg (int) (sfunc = int4_avg_accum, stype = int8[], finalfunc = int8_avg, initcond = '{0,0}')",
    "CREATE AGGREGATE own_sum (int) (sfunc = int4_sum, stype = int8)",
    "CREATE AGGREGATE own_count (\"any\") (sfunc = int8inc_any, stype = int8, initcond = '0')",
    "CREATE AGGREGATE own_count (*) (sfunc = int8inc, stype = int8, initcond = '0')",
)
"""What a database needs before tables have these kinds."""

SORTED = tuple(name for name, kind in KINDS.items() if kind.sorts)

_TEMPLATES = r"""
bool:     {int4} = {int4} | {int4} < {int4} | {int4} <> {int4} | {int4} >= {int2} | {int8} > {int4} | {int2} <= {int8}
bool:     {same} = {same} | {same} <> {same} | {same} < {same} | {same} >= {same} | {same} IS DISTINCT FROM {same}
bool:     {same} IS NOT DISTINCT FROM {same} | {same} BETWEEN {same} AND {same} | {same} IN ({same}, {same})
bool:     {same} NOT IN ({same}, {same}, {same}) | {same} IS NULL | {any} IS NOT NULL | NOT {bool}
bool:     {bool} AND {bool} | {bool} OR {bool} | {bool} AND {bool} AND {bool} | {bool} OR {bool} OR {bool}
bool:     {bool} IS TRUE | {bool} IS NOT TRUE | {bool} IS FALSE | {bool} IS UNKNOWN | {bool} IS NOT UNKNOWN
bool:     {text} LIKE 'a%' | {text} NOT LIKE '%b' | {text} ILIKE 'A%' | {text} ~ '^[a-z]+$' | {text} LIKE '_'
bool:     {varchar} = {text} | {float8} > {int4} | {numeric} < {int4} | {num2} >= {numeric} | {float4} < {float8}
bool:     ({int4}, {text}) = ({int4}, {text}) | ({int4}, {text}) < ({int4}, {text}) | ({int4}, {int4}) >= ({int4}, {int4})
bool:     ({int4}, {text}) IN (({int4}, {text}), ({int4}, {text})) | {int4} = ANY ({ints}) | {int4} <> ALL ({ints})
bool:     {text} = ANY ({texts}) | {ints} @> {ints} | {ints} && {ints} | {jsonb} @> {jsonb} | {jsonb} ? 'a'
bool:     {text} SIMILAR TO '(a|b)%' | {text} NOT SIMILAR TO '_[a-c]+' | {text} ~* 'B$' | {text} !~ 'a.?b' | {varchar} LIKE 'a#_b' ESCAPE '#'
bool:     ({interval} > interval '1 day') | isfinite({date}) | ({date}, {int4}) IS DISTINCT FROM ({date}, {int4}) | ROW({int4}, {text}) IS NULL | ROW({int4}, {text}) IS NOT NULL
bool:     {text}::varchar(2) = {varchar} | {int4}::boolean | jsonb_typeof({jsonb}) IN ('array', 'object') | {texts} <@ {texts} | {ints} < {ints} | 2 > ANY ({ints})
bool:     starts_with({text}, 'a') | {date} < {timestamp} | {timestamptz} = {timestamptz} | {date} = {date}
bool:     {inet} << {inet} | {inet} >>= {cidr} | {inet} && {inet} | {jsonb} @? '$.a' | {jsonb} @@ '$.a == 1' | jsonb_path_exists({jsonb}, '$[*] ? (@ > 1)', '{{}}', true)
bool:     regexp_like({text}, '^A', 'i') | {inet} = {cidr} | {macaddr} < {macaddr}
bool:     {int4} IN (1, 2, NULL) | {int4} NOT IN (3, NULL) | COALESCE({bool}, false) | {text} > 'a' COLLATE "C"
bool:     CASE WHEN {bool} THEN {bool} ELSE {bool} END | CASE WHEN {int4} = 0 THEN false ELSE true END
int4:     array_position({ints}, {int4}) | strpos({text}, 'b') | bit_length({text}) | num_nulls({any}, {any}) | extract(day from {interval})::int | coalesce(array_upper({texts}, 1), 0)
int4:     regexp_count({text}, '[ab]') | regexp_instr({text}, 'b') | masklen({inet}) | family({inet}) | width_bucket({int4}, ARRAY[1, 3, 5]) | gcd({int4}, 6)
inet:     {inet} | COALESCE({inet}, {inet}) | broadcast({inet}) | netmask({inet}) | ~{inet} | CASE WHEN {bool} THEN {inet} ELSE {cidr} END | GREATEST({inet}, {inet})
cidr:     {cidr} | network({inet}) | COALESCE({cidr}, {cidr})
macaddr:  {macaddr} | trunc({macaddr}) | NULLIF({macaddr}, {macaddr})
int2:     {int2} | COALESCE({int2}, {int2}) | GREATEST({int2}, {int2}) | CASE WHEN {bool} THEN {int2} END
int4:     {int4} + {int4} | {int4} - {int4} | {int4} * {int2} | {int4} / 3 | {int4} % 5 | - {int4} | abs({int4})
int4:     length({text}) | char_length({varchar}) | octet_length({bytea}) | position('b' in {text}) | {int2} + {int2}::int
int4:     COALESCE({int4}, {int4}) | COALESCE({int4}, 0) | NULLIF({int4}, {int4}) | GREATEST({int4}, {int4})
int4:     LEAST({int4}, {int4}, {int4}) | CASE WHEN {bool} THEN {int4} ELSE {int4} END | CASE {int4} WHEN 1 THEN {int4} WHEN 2 THEN {int4} END
int4:     array_length({ints}, 1) | cardinality({ints}) | ({ints})[1] | ({ints})[{int4}] | {bool}::int
int4:     CASE WHEN {int4} <> 0 THEN 10 / {0} END | ascii({text}) | sign({int4})::int | {int4} # {int4} | {int4} & 3
int8:     {int8} + {int4} | {int8} - {int8} | {int4}::bigint | COALESCE({int8}, {int8}) | NULLIF({int8}, {int8}) | {int8} % 7
int8:     CASE WHEN {bool} THEN {int8} ELSE {int8} END | GREATEST({int8}, {int8})
numeric:  {numeric} + {numeric} | {numeric} - {numeric} | {numeric} * {num2} | {num2} + {int4} | {int4}::numeric | {numeric} * 1.5
numeric:  {num2} / 3 | {numeric} / 7 | round({numeric}, 1) | round({num2}) | trunc({numeric}, 1) | floor({num2}) | ceil({numeric})
numeric:  abs({numeric}) | -{num2} | COALESCE({numeric}, {numeric}) | NULLIF({num2}, {num2}) | {num2} % 2.5 | sign({numeric})
numeric:  CASE WHEN {bool} THEN {numeric} ELSE {num2} END | GREATEST({num2}, {numeric}) | extract(year from {timestamp})
num2:     COALESCE({num2}, {num2}) | CASE WHEN {bool} THEN {num2} END
float8:   {float8} + {int4} | {float8} * 2 | -{float8} | abs({float8}) | {int4}::float8 | COALESCE({float8}, {float8}) | {float4} + {float8}
float8:   CASE WHEN {bool} THEN {float8} ELSE {float4} END | floor({float8}) | GREATEST({float8}, {float8}) | NULLIF({float8}, 1) | {int4} / 2.0::float8
float4:   {float4} | COALESCE({float4}, {float4}) | -{float4}
text:     {text} || {text} | upper({text}) | lower({text}) | {text} || {int4} | {int4}::text | substr({text}, 1, 1) | left({text}, 1)
text:     COALESCE({text}, {text}) | NULLIF({text}, {text}) | replace({text}, 'a', 'x') | trim({text}) | {bool}::text | {date}::text
text:     CASE WHEN {bool} THEN {text} ELSE {text} END | concat({text}, {int4}, {bool}) | repeat({text}, 2) | reverse({text}) | md5({text})
text:     {numeric}::text | {num2}::text | {float8}::text | {uuid}::text | {timestamp}::text | {interval}::text | {jsonb}::text | {ints}::text
text:     justify_interval({interval})::text | {date}::timestamp::text | {text}::varchar(2)::text | {text}::char(3)::text | {float4}::text | {time}::text
text:     substring({text} from '[a-z]') | substring({text} similar '#"_#"%' escape '#') | overlay({text} placing 'x' from 1 for 1) | translate({text}, 'ab', 'xy') | quote_literal({text}) | quote_ident({text}) | {timestamptz}::text | chr(64 + abs({int2}))
text:     lpad({text}, 4, '*') | split_part({text}, 'b', 1) | {jsonb} ->> 'a' | {jsonb} #>> '{{b,0}}' | {json} ->> 'a' | GREATEST({text}, {text})
text:     to_char({numeric}, 'S9G999D99') | to_char({int4}, 'FM000th') | to_char({timestamp}, 'Dy DD Mon YYYY HH12:MI:SS am') | to_char({interval}, 'HH24:MI:SS') | {inet}::text | host({inet}) | abbrev({cidr}) | {macaddr}::text
text:     regexp_substr({text}, '[ab]+') | regexp_replace({text}, '[ab]', 'x', 1, 2) | json_extract_path_text({json}, 'a') | concat_ws('-', VARIADIC {texts})
text:     initcap({text}) | regexp_replace({text}, '[ab]', '<&>') | to_char({int4}, 'FM999') | to_char({date}, 'YYYY-MM-DD') | array_to_string({texts}, ',')
text:     {varchar}::text | {bpchar}::text | encode({bytea}, 'hex') | ({texts})[1] | format('%s-%s', {text}, {int4}) | jsonb_typeof({jsonb}) | {jsonb} ->> 0
varchar:  {varchar} | COALESCE({varchar}, {varchar})
bpchar:   {bpchar} | COALESCE({bpchar}, {bpchar})
bytea:    {bytea} | {bytea} || {bytea} | COALESCE({bytea}, {bytea}) | substr({bytea}, 1, 1)
uuid:     {uuid} | COALESCE({uuid}, {uuid}) | CASE WHEN {bool} THEN {uuid} END | NULLIF({uuid}, {uuid})
date:     {date} | {date} + {int2} | COALESCE({date}, {date}) | {timestamp}::date | GREATEST({date}, {date}) | CASE WHEN {bool} THEN {date} ELSE {date} END
bool:     {money} > {money} | {timetz} < {timetz} | {bit4} = {bit4} | {varbit} >= {varbit} | {varbit} = {bit4}
bool:     {mood} > {mood} | {mood} IN ('ok', {mood}) | {span} && {span} | {span} @> {int4} | {span} <@ {span} | isempty({span}) | {posint} = {int4} | {span} < {span} | {span} -|- {span} | {mood} = ANY (ARRAY[{mood}, 'sad'])
int4:     {posint} | {posint} + {int4} | lower({span}) | upper({span}) | array_position(enum_range({mood}), {mood}) | COALESCE({posint}, {int4})
mood:     {mood} | COALESCE({mood}, 'ok') | CASE WHEN {bool} THEN {mood} ELSE {mood} END | GREATEST({mood}, {mood}) | NULLIF({mood}, {mood}) | enum_first({mood}) | 'sad'::text::mood
posint:   {posint} | (abs({posint}) + 1)::posint | COALESCE({posint}, 3::posint) | CASE WHEN {bool} THEN {posint} END
span:     {span} | {span} * {span} | COALESCE({span}, {span}) | span(1, 4) | CASE WHEN {bool} THEN {span} ELSE {span} END
text:     {mood}::text | {span}::text | {posint}::text | {mood} || '-' || {text} | lower({mood}::text) | to_json({span})::text
jsonb:    to_jsonb({mood}) | to_jsonb({span}) | jsonb_build_object({mood}::text, {posint})
pair:     {pair} | ROW({int4}, {text})::pair | COALESCE({pair}, {pair}) | CASE WHEN {bool} THEN {pair} END | NULLIF({pair}, {pair}) | GREATEST({pair}, {pair}) | (ARRAY[{pair}, {pair}])[2]
int4:     ({pair}).a
text:     ({pair}).b | {pair}::text
bool:     {pair} = {pair} | {pair} >= {pair} | {pair} IS NULL | {pair} IS NOT NULL | ROW({int4}, {text})::pair < {pair} | {pair} = ANY (ARRAY[{pair}, ROW(1, 'a')::pair])
jsonb:    to_jsonb({pair})
timetz:   {timetz} | {timetz} + interval '90 minutes' | {timetz} - {interval} | COALESCE({timetz}, {timetz}) | {timetz} AT TIME ZONE '-05:30' | {timetz}::timetz(0)
money:    {money} | {money} + {money} | {money} - {money} | {money} * 2 | {money} / 2 | {money} * 1.5::float8 | {int4}::money | {num2}::money | COALESCE({money}, {money}) | GREATEST({money}, {money})
bit4:     {bit4} | ~{bit4} | {bit4} & {bit4} | {bit4} # {bit4} | {bit4} << 1 | {bit4} >> 2 | {int4}::bit(4) | COALESCE({bit4}, {bit4}) | set_bit({bit4}, 1, 1)
varbit:   {varbit} | {varbit} || {varbit} | {bit4}::varbit | {bit4} || {varbit} | COALESCE({varbit}, {varbit})
int4:     length({varbit}) | octet_length({bit4}) | position(B'1' in {varbit}) | {bit4}::int4 | get_bit({bit4}, 2) | bit_length({varbit})
numeric:  {money}::numeric | extract(epoch FROM {timetz}) | extract(timezone FROM {timetz})
text:     {money}::text | {timetz}::text | {varbit}::text | cash_words({money}) | substring({varbit}, 2, 3)::text
timestamptz: {date} + {timetz}
time:     {timetz}::time
time:     {time} | {timestamp}::time | COALESCE({time}, {time})
timestamp: {date} + interval '1 month' | {timestamp} - interval '1 year 1 day' | LEAST({timestamp}, {date}) | {timestamp}::timestamp(0) | {timestamptz} AT TIME ZONE 'America/New_York' | {timestamp} | {timestamp} + {interval} | {date} + {time} | COALESCE({timestamp}, {timestamp}) | date_trunc('month', {timestamp}) | {timestamptz} AT TIME ZONE 'UTC' | {date}::timestamp
timestamptz: {timestamptz} | {timestamptz} - {interval} | {timestamptz} + interval '1 day' | date_trunc('day', {timestamptz}) | {timestamp} AT TIME ZONE 'Europe/Berlin' | COALESCE({timestamptz}, {timestamptz})
interval: date_trunc('hour', {interval}) | - {interval} | {interval} - interval '1 day' | {time} - time '01:00' | {interval} / 2
interval: make_interval(days => {int4}, hours => {int2}) | {interval} | {interval} + {interval} | {interval} * 2 | COALESCE({interval}, {interval}) | {time} - {time}
jsonb:    jsonb_path_query_array({jsonb}, '$.**') | jsonb_path_query_first({jsonb}, '$.b[*]') | jsonb_strip_nulls({jsonb}) | {jsonb} | {jsonb} -> 'a' | {jsonb} -> 0 | {jsonb} -> 'b' | to_jsonb({int4}) | to_jsonb({text}) | jsonb_build_object('k', {int4}, 'v', {text}) | jsonb_build_array({int4}, {jsonb}) | COALESCE({jsonb}, {jsonb}) | to_jsonb({ints}) | {jsonb} #> '{{b}}'
json:     json_strip_nulls({json}) | {json} | {json} -> 'a' | row_to_json(ROW({int4}, {text})) | json_build_array({int4}, {date})
ints:     {ints} | {ints} || {int4} | ARRAY[{int4}, {int4}] | array_append({ints}, {int4}) | COALESCE({ints}, {ints}) | array_remove({ints}, {int4}) | {ints} || {ints}
texts:    {texts} | ARRAY[{text}] | string_to_array({text}, 'b') | COALESCE({texts}, {texts}) | {texts} || {text}
"""

_AGGREGATES = r"""
int8:     count(*) | count({any}) | count(DISTINCT {sorted}) | sum({int4}) | sum({int2}) | sum(DISTINCT {int4})
numeric:  sum({int8}) | avg({int4}) | sum({num2}) | sum({numeric}) | avg({numeric}) | avg({num2}) | avg({int8}) | stddev({int4}) | var_pop({int4}) | variance({num2})
float8:   corr({int4}, {int2}) | regr_slope({int4}, {int2}) | covar_pop({int4}, {int2}) | percentile_cont(0.3) WITHIN GROUP (ORDER BY {int4})
int4:     percentile_disc(0.4) WITHIN GROUP (ORDER BY {int4}) | mode() WITHIN GROUP (ORDER BY {int4})
inet:     max({inet}) | min({inet})
timetz:   max({timetz}) | min({timetz})
money:    sum({money}) | max({money}) | min({money})
bit4:     bit_and({bit4}) | bit_or({bit4}) | bit_xor({bit4})
int8:     regr_count({int4}, {int8})
float8:   max({float8}) | min({float8}) | avg({float4}) | sum({int4}::float8)
bool:     bool_and({bool}) | bool_or({bool}) | every({bool})
mood:     min({mood}) | max({mood})
posint:   max({posint})
int4:     min({int4}) | max({int4}) | bit_or({int4}) | bit_and({int4})
text:     min({text}) | max({text}) | string_agg({text}, ',' ORDER BY {0}) | string_agg(DISTINCT {text}, '' ORDER BY {0}) | string_agg({text}, '-' ORDER BY {0} DESC)
date:     min({date}) | max({date})
timestamp: max({timestamp}) | min({timestamp})
timestamptz: max({timestamptz})
numeric:  min({numeric}) | max({num2})
interval: sum({interval}) | max({interval})
ints:     array_agg({int4} ORDER BY {0}) | array_agg(DISTINCT {int4} ORDER BY {0} DESC) | array_agg({int4} ORDER BY {0} NULLS FIRST) | max({ints})
texts:    array_agg({text} ORDER BY {0}) | array_agg(DISTINCT {text})
jsonb:    jsonb_agg({int4} ORDER BY {0}) | jsonb_agg({text} ORDER BY {0} DESC)
bpchar:   max({bpchar})
time:     min({time})
int4:     own_max({int4})
text:     own_max({text}) | own_list({text} ORDER BY {0}) | own_list(DISTINCT {text})
numeric:  own_avg({int4}) | own_avg(DISTINCT {int4})
int8:     own_sum({int4}) | own_count({any}) | own_count(*) | own_sum(DISTINCT {int4})
"""

UNSOUND = (
    "1 + 'x'", "'a'::int", "nosuch(1)", "nosuch", "1 = true", "sum(1)", "a.b.c", "ARRAY[1, 'x']", "1::nosuch", "'x' + 1::int",
    "CASE WHEN 1 THEN 2 END", "COALESCE(1, 'x')", "row_number() OVER ()", "length(1)", "1 IN ('x')", "NOT 1", "upper(1, 2)",
    "now() + 1", "(SELECT 1, 2)", "'2024-13-01'::date", "1/0", "substr('a', 1, -1)", "'{'::jsonb", "(1, 2) = (1, 2, 3)", "$$a$$::uuid",
)  # fmt: skip
"""Expressions that are errors, of one SQLSTATE each."""

_SPLIT = re.compile(r"\s\|\s")


def _table(text: str) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for line in text.strip().splitlines():
        kind, _, templates = line.partition(":")
        table.setdefault(kind.strip(), []).extend(t.strip() for t in _SPLIT.split(templates))
    return table


TEMPLATES = _table(_TEMPLATES)
AGGREGATES = _table(_AGGREGATES)
