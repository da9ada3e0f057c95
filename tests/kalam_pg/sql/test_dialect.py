"""Queries become the nodes that `dialect` promises, with PostgreSQL's precedence and positions."""

import pytest
from sqlglot import exp

from catalog.errors import FeatureNotSupportedError, SqlSyntaxError
from kalam_pg.sql.dialect import type_name
from kalam_pg.sql.parse import parse, parse_expression
from kalam_pg.sql.positions import position
from kalam_pg.sql.statements import QueryStatement, TypeName


def tree(text: str) -> exp.Expr:
    (statement,) = parse(text)
    assert isinstance(statement, QueryStatement)
    return statement.tree


def shown(node) -> str:  # noqa: C901 -- one case a node
    """An expression with every operator in parentheses, to see what binds what."""
    match node:
        case exp.Literal():
            return f"'{node.this}'" if node.is_string else node.this
        case exp.Column():
            return ".".join("*" if isinstance(p, exp.Star) else p.name for p in node.parts)
        case exp.Null() | exp.Boolean():
            return node.sql()
        case exp.Parameter():
            return f"${node.this}"
        case exp.And() | exp.Or():
            return f"({shown(node.this)} {node.key.upper()} {shown(node.expression)})"
        case exp.Not():
            return f"(NOT {shown(node.this)})"
        case exp.Neg():
            return f"(-{shown(node.this)})"
        case exp.Cast():
            return f"{shown(node.this)}::{type_name(node.args['to']).name}"
        case exp.Is():
            word = node.expression.this if isinstance(node.expression, exp.Var) else None
            not_ = "NOT " if node.args.get("negate") else ""
            return f"({shown(node.this)} IS {not_}{word or node.expression.sql()})"
        case exp.Between():
            parts = (shown(node.args[key]) for key in ("this", "low", "high"))
            return "({} BETWEEN {} AND {})".format(*parts)
        case exp.Escape():
            return f"({shown(node.this)} ESCAPE {shown(node.expression)})"
        case exp.Like() | exp.ILike() | exp.SimilarTo():
            not_ = "NOT " if node.args.get("negate") else ""
            word = {"like": "LIKE", "ilike": "ILIKE"}.get(node.key, "SIMILAR TO")
            return f"({shown(node.this)} {not_}{word} {shown(node.expression)})"
        case exp.In():
            not_ = "NOT " if node.args.get("negate") else ""
            return f"({shown(node.this)} {not_}IN {', '.join(map(shown, node.expressions))})"
        case exp.NullSafeEQ() | exp.NullSafeNEQ():
            word = "SAME" if isinstance(node, exp.NullSafeEQ) else "DISTINCT"
            return f"({shown(node.this)} {word} {shown(node.expression)})"
        case exp.AtTimeZone():
            return f"({shown(node.this)} AT {shown(node.args['zone'])})"
        case exp.Collate():
            return f"({shown(node.this)} COLLATE {shown(node.expression)})"
        case exp.Anonymous():
            return f"{node.this}({', '.join(map(shown, node.expressions))})"
        case exp.Tuple():
            return f"[{', '.join(map(shown, node.expressions))}]"
        case exp.Bracket():
            return f"{shown(node.this)}[{', '.join(map(shown, node.expressions))}]"
        case exp.Dot():
            return f"{shown(node.this)}.{shown(node.expression)}"
        case exp.Identifier():
            return node.name
        case exp.Star():
            return "*"
        case exp.Any() | exp.All():
            return f"{node.key}({shown(node.this)})"
        case exp.Array():
            return f"ARRAY[{', '.join(map(shown, node.expressions))}]"
        case _ if "operator" in node.meta:
            left = shown(node.this) + " " if node.this is not None else ""
            return f"({left}{node.meta['operator']} {shown(node.expression)})"
        case _:
            raise AssertionError(f"no form for {node!r}")


PRECEDENCE = [
    ("1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"),
    ("-2 ^ 2", "((-2) ^ 2)"),
    ("2 ^ 3 ^ 2", "((2 ^ 3) ^ 2)"),
    ("- a::int", "(-a::int4)"),
    ("a || b + c || d", "((a || (b + c)) || d)"),
    ("a -> 'b' = c ->> 'd'", "((a -> 'b') = (c ->> 'd'))"),
    ("a @> b AND NOT c OR d", "(((a @> b) AND (NOT c)) OR d)"),
    ("NOT a = b", "(NOT (a = b))"),
    ("a = b IS NULL", "((a = b) IS NULL)"),
    ("a IS NULL = b", "((a IS NULL) = b)"),
    ("a IS NOT DISTINCT FROM b AND c", "((a SAME b) AND c)"),
    ("a LIKE b || 'x' AND c", "((a LIKE (b || 'x')) AND c)"),
    ("a NOT LIKE b ESCAPE '!'", "((a NOT LIKE b) ESCAPE '!')"),
    ("a = b LIKE c", "(a = (b LIKE c))"),
    ("a SIMILAR TO b", "(a SIMILAR TO b)"),
    ("a BETWEEN 1 AND 2 AND b", "((a BETWEEN 1 AND 2) AND b)"),
    ("a BETWEEN 1 + 2 AND 3 + 4 OR b", "((a BETWEEN (1 + 2) AND (3 + 4)) OR b)"),
    ("NOT a IN (1, 2)", "(NOT (a IN 1, 2))"),
    ("a NOT IN (1)", "(a NOT IN 1)"),
    ("a AT TIME ZONE 'x' + b", "((a AT 'x') + b)"),
    ("a AT TIME ZONE 'x' AT TIME ZONE 'y'", "((a AT 'x') AT 'y')"),
    ("a < b COLLATE \"C\"", "(a < (b COLLATE C))"),
    ("@ a + b", "(@ (a + b))"),
    ("~ a # b", "((~ a) # b)"),
    ("a OPERATOR(pg_catalog.~) 'x' || 'y'", "((a ~ 'x') || 'y')"),
    ("a != b", "(a <> b)"),
    ("a !~ b", "(a !~ b)"),
    ("a::text::int[1]", "a::text::int4"),
    ("(a, b) = (1, 2)", "([a, b] = [1, 2])"),
    ("ROW(1, a)", "[1, a]"),
    ("a = ANY ($1)", "(a = any($1))"),
    ("a <> ALL (ARRAY[1, 2])", "(a <> all(ARRAY[1, 2]))"),
    ("a LIKE ANY (b)", "(a LIKE any(b))"),
    ("a[1][2].c", "a[1, 2].c"),
    ("(a.b).c", "a.b.c"),
    ("(f(x)).*", "f(x).*"),
    ("ARRAY[[1, 2], [3, 4]]", "ARRAY[ARRAY[1, 2], ARRAY[3, 4]]"),
    ("a ISNULL AND b NOTNULL", "((a IS NULL) AND (b IS NOT NULL))"),
    ("a IS NOT UNKNOWN", "(a IS NOT UNKNOWN)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "form"), PRECEDENCE)
def test_operators_bind_as_postgresqls(text, form):
    assert shown(parse_expression(text)) == form


@pytest.mark.parametrize(
    "text",
    ["a < b < c", "a = b = c", "a LIKE b LIKE c", "a LIKE b IN (c)", "a BETWEEN 1 AND 2 LIKE b"],
)
def test_comparisons_do_not_associate(text):
    with pytest.raises(SqlSyntaxError):
        parse_expression(text)


CALLS = [
    ("extract(year FROM a)", "extract('year', a)"),
    ("EXTRACT('epoch' FROM a)", "extract('epoch', a)"),
    ("position('a' IN b)", "position(b, 'a')"),
    ("substring(a FROM 2 FOR 3)", "substring(a, 2, 3)"),
    ("substring(a FOR 3)", "substring(a, 1, 3)"),
    ("substring(a, 2)", "substring(a, 2)"),
    ("substring(a SIMILAR b ESCAPE '#')", "substring(a, b, '#')"),
    ("overlay(a PLACING b FROM 2 FOR 3)", "overlay(a, b, 2, 3)"),
    ("trim(a)", "btrim(a)"),
    ("trim(LEADING 'x' FROM a)", "ltrim(a, 'x')"),
    ("trim(TRAILING FROM a)", "rtrim(a)"),
    ("trim(BOTH 'x' FROM a)", "btrim(a, 'x')"),
    ("trim(a, 'x')", "btrim(a, 'x')"),
    ("normalize(a, nfc)", "normalize(a, 'NFC')"),
    ("collation for (a)", "pg_collation_for(a)"),
    ("coalesce(a, b)", "coalesce(a, b)"),
    ("nullif(a, b)", "nullif(a, b)"),
    ("Now()", "now()"),
    ("current_date", "current_date()"),
    ("current_timestamp(3)", "current_timestamp(3)"),
    ("CURRENT_USER()", "current_user()"),
    ("left(a, 1)", "left(a, 1)"),
    ("pg_catalog.lower(a)", "lower(a)"),
]


@pytest.mark.parametrize(("text", "form"), CALLS)
def test_functions_with_a_syntax_of_their_own_become_plain_calls(text, form):
    assert shown(parse_expression(text)) == form


def test_what_a_call_says_beside_its_arguments_is_kept():
    call = parse_expression("pg_catalog.string_agg(DISTINCT a, ',' ORDER BY b DESC)")
    assert (call.this, call.args["schema"], call.args["distinct"]) == (
        "string_agg",
        "pg_catalog",
        True,
    )
    (key,) = call.args["order"].expressions
    assert (key.args["desc"], key.args["nulls_first"]) == (True, True)
    assert parse_expression("f(VARIADIC a)").args["variadic"]
    assert isinstance(parse_expression("f(a => 1)").expressions[0], exp.Kwarg)
    assert isinstance(parse_expression("count(*)").expressions[0], exp.Star)
    assert parse_expression("current_user").meta["keyword"]
    assert "keyword" not in parse_expression("current_user()").meta


def test_filter_within_group_and_over_wrap_the_call():
    frame = "ROWS BETWEEN 2 PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES"
    window = parse_expression(f"sum(a) FILTER (WHERE b) OVER (w PARTITION BY c ORDER BY d {frame})")
    assert isinstance(window, exp.Window)
    assert isinstance(window.this, exp.Filter)
    assert window.args["alias"].name == "w"
    spec = window.args["spec"]
    assert (spec.args["kind"], spec.args["start"].this, spec.args["start_side"]) == (
        "ROWS", "2", "PRECEDING",
    )  # fmt: skip
    assert (spec.args["end"], spec.args["end_side"], spec.args["exclude"].name) == (
        "UNBOUNDED", "FOLLOWING", "TIES",
    )  # fmt: skip
    median = parse_expression("percentile_cont(0.5) WITHIN GROUP (ORDER BY a)")
    assert isinstance(median, exp.WithinGroup)
    assert parse_expression("rank() OVER w").args["alias"].name == "w"


TYPES = [
    ("int", TypeName("int4")),
    ("DOUBLE PRECISION", TypeName("float8")),
    ("double", TypeName("double")),
    ("float(24)", TypeName("float4")),
    ("float(25)", TypeName("float8")),
    ("numeric(10, -2)", TypeName("numeric", (10, -2))),
    ("char", TypeName("bpchar", (1,))),
    ("character varying(5)", TypeName("varchar", (5,))),
    ('"char"', TypeName("char")),
    ("timestamp(3) with time zone", TypeName("timestamptz", (3,))),
    ("time without time zone", TypeName("time")),
    ("interval day to second(2)", TypeName("interval", (7176, 2))),
    ("interval(3)", TypeName("interval", (0x7FFF, 3))),
    ("interval year", TypeName("interval", (4,))),
    ("pg_catalog.int4[]", TypeName("int4", (), 1, schema="pg_catalog")),
    ("text[3][]", TypeName("text", (), 2)),
    ("int ARRAY[4]", TypeName("int4", (), 1)),
    ("vector(3)", TypeName("vector", (3,))),
]


@pytest.mark.parametrize(("text", "expected"), TYPES)
def test_type_names_are_read(text, expected):
    found = type_name(parse_expression(f"CAST(a AS {text})").args["to"])
    assert (found.name, found.modifiers, found.dimensions, found.schema) == (
        expected.name, expected.modifiers, expected.dimensions, expected.schema,
    )  # fmt: skip
    assert found.position == 11


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("DATE '2020-01-01'", "date", "2020-01-01"),
        ("timestamp with time zone 'x'", "timestamptz", "x"),
        ("interval '1' day", "interval", "1"),
        ("numeric(3, 1) '1.5'", "numeric", "1.5"),
        ("vector(3) '[1,2,3]'", "vector", "[1,2,3]"),
        ("pg_catalog.jsonb '{}'", "jsonb", "{}"),
        ("double precision '1'", "float8", "1"),
    ],
)
def test_a_type_before_a_string_makes_a_literal_of_that_type(text, name, value):
    cast = parse_expression(text)
    assert isinstance(cast, exp.Cast)
    assert cast.meta["literal"]
    assert (type_name(cast.args["to"]).name, cast.this.this) == (name, value)


WORDS = "timestamp time date interval int char text double name year value count position"


@pytest.mark.parametrize("word", WORDS.split())
def test_words_of_types_and_functions_may_be_columns(word):
    select = tree(f"SELECT {word}, t.{word} FROM t WHERE {word} > 1 ORDER BY {word} DESC")
    assert [shown(node) for node in select.expressions] == [word, f"t.{word}"]


# ------------------------------------------------------------------ queries


def test_commas_bind_looser_than_joins():
    select = tree("SELECT * FROM a, b LEFT JOIN c ON true, d CROSS JOIN e")
    assert select.args["from_"].this.name == "a"
    joins = [(j.this.name, bool(j.meta.get("comma")), j.args.get("side") or j.args.get("kind"))
             for j in select.args["joins"]]  # fmt: skip
    assert joins == [
        ("b", True, None),
        ("c", False, "LEFT"),
        ("d", True, None),
        ("e", False, "CROSS"),
    ]


def test_joins_in_parentheses_and_nested_ones_keep_their_shape():
    select = tree(
        "SELECT * FROM a JOIN (b JOIN c USING (x)) AS j ON true JOIN d JOIN e ON 1=1 ON 2=2"
    )
    inner, nested = select.args["joins"]
    assert isinstance(inner.this, exp.Paren)
    assert inner.this.args["alias"].name == "j"
    assert [i.name for i in inner.this.args["joins"][0].args["using"]] == ["x"]
    assert isinstance(nested.this, exp.Paren)
    assert nested.this.args["joins"][0].this.name == "e"


def test_from_items_of_every_kind_are_read():
    select = tree("SELECT * FROM ONLY s.t AS x (a, b), LATERAL (SELECT 1) l, "
                  "generate_series(1, 2) WITH ORDINALITY AS g (v, n), "
                  "json_to_record('{}') AS r (a int, b text), (VALUES (1), (2)) v (x)")  # fmt: skip
    first = select.args["from_"].this
    assert (first.name, first.args["db"].name, first.args["only"]) == ("t", "s", True)
    assert [c.name for c in first.args["alias"].columns] == ["a", "b"]
    lateral, series, record, values = (j.this for j in select.args["joins"])
    assert isinstance(lateral, exp.Lateral)
    assert isinstance(series.this, exp.Anonymous)
    assert series.args["ordinality"]
    kinds = [type_name(c.args["kind"]).name for c in record.args["alias"].columns]
    assert kinds == ["int4", "text"]
    assert isinstance(values.this, exp.Values)


def test_set_operations_and_their_clauses_nest_as_written():
    union = tree(
        "SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 3 EXCEPT (SELECT 4 LIMIT 1) ORDER BY 1"
    )
    assert isinstance(union, exp.Except)
    assert isinstance(union.this, exp.Union)
    assert not union.this.args["distinct"]
    assert isinstance(union.this.expression, exp.Intersect)
    assert union.expression.args["limit"] is not None
    assert union.args["order"] is not None


def test_a_query_in_parentheses_is_told_from_an_expression():
    assert isinstance(parse_expression("(SELECT 1)"), exp.Subquery)
    assert isinstance(parse_expression("((SELECT 1))"), exp.Subquery)
    assert isinstance(parse_expression("((SELECT 1) + 1)"), exp.Add)
    assert isinstance(parse_expression("((SELECT 1), 2)"), exp.Tuple)
    assert isinstance(parse_expression("((SELECT 1) UNION (SELECT 2))").this, exp.Union)
    nested = "(" * 30 + "SELECT 1" + ")" * 29 + " + 1)"
    assert isinstance(parse_expression(nested), exp.Add)


def test_clauses_behind_a_query_are_read_in_any_order():
    select = tree(
        "SELECT a FROM t OFFSET 2 ROWS FETCH FIRST 3 ROWS ONLY FOR UPDATE OF t SKIP LOCKED"
    )
    assert select.args["limit"].expression.this == "3"
    assert select.args["offset"].expression.this == "2"
    (lock,) = select.args["locks"]
    assert lock.meta["strength"] == "FOR UPDATE"
    assert lock.args["wait"] is False
    assert tree("SELECT 1 LIMIT ALL").args.get("limit") is None
    assert tree("TABLE t").args["from_"].this.name == "t"
    assert tree("SELECT FROM t").expressions == []


def test_group_by_knows_sets_cubes_and_rollups():
    group = tree("SELECT 1 GROUP BY a, GROUPING SETS ((b), (), ROLLUP (c, d)), CUBE (e)").args[
        "group"
    ]
    kinds = [type(item) for item in group.expressions]
    assert kinds == [exp.Column, exp.GroupingSets, exp.Cube]
    assert [type(s) for s in group.expressions[1].expressions] == [
        exp.Column,
        exp.Tuple,
        exp.Rollup,
    ]


def test_data_changes_are_read():
    insert = tree("WITH x AS MATERIALIZED (SELECT 1) INSERT INTO s.t AS z (a, b) OVERRIDING SYSTEM VALUE "
                  "VALUES (1, DEFAULT) ON CONFLICT (a) WHERE a > 0 DO UPDATE SET b = excluded.b, "
                  "(c, d) = (1, DEFAULT) WHERE z.a > 1 RETURNING *, a AS x")  # fmt: skip
    assert insert.args["with_"].expressions[0].args["materialized"] is True
    assert insert.this.this.args["alias"].name == "z"
    assert [c.name for c in insert.this.expressions] == ["a", "b"]
    assert insert.args["overriding"] == "SYSTEM"
    conflict = insert.args["conflict"]
    assert conflict.args["action"].name == "DO UPDATE"
    assert isinstance(conflict.expressions[1].this, exp.Tuple)
    assert len(insert.args["returning"].expressions) == 2
    assert tree("INSERT INTO t DEFAULT VALUES").args["default"]
    assert tree("INSERT INTO t (SELECT 1)").expression.key == "select"
    update = tree("UPDATE t SET set = 1, a = DEFAULT FROM u JOIN v ON true WHERE t.a = u.a")
    assert update.args["from_"].this.name == "u"
    assert len(update.args["joins"]) == 1
    delete = tree("DELETE FROM t AS x USING u WHERE x.a = u.a")
    assert delete.args["from_"].this.name == "u"


def test_with_may_change_data_and_may_recurse():
    select = tree("WITH RECURSIVE a (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a), "
                  "b AS NOT MATERIALIZED (DELETE FROM t RETURNING *) SELECT * FROM a, b")  # fmt: skip
    with_ = select.args["with_"]
    assert with_.args["recursive"]
    assert [type(cte.this) for cte in with_.expressions] == [exp.Union, exp.Delete]
    (change,) = parse("WITH x AS (SELECT 1) DELETE FROM t")
    assert change.kind == "delete"


ERRORS = [
    ("SELECT 1 FROM", "syntax error at end of input", 14),
    ("SELECT * FORM t", 'syntax error at or near "FORM"', 10),
    ("SELECT a FROM t WHERE", "syntax error at end of input", 22),
    ("SELECT a b c FROM t", 'syntax error at or near "c"', 12),
    ("INSERT INTO t (a, from) VALUES (1)", 'syntax error at or near "from"', 19),
    ("SELECT 1 ORDER BY 1 ORDER BY 2", 'syntax error at or near "ORDER"', 21),
    ("(SELECT 1 LIMIT 1) LIMIT 2", "multiple LIMIT clauses not allowed", 20),
    ("SELECT 1 LIMIT 1, 2", "LIMIT #,# syntax is not supported", 10),
    ("SELECT 123abc", 'trailing junk after numeric literal at or near "123a"', 8),
    ("SELECT 'a' 'b'", "syntax error at or near \"'b'\"", 12),
    ("SELECT 1,", "syntax error at end of input", 10),
    ("SELECT (1", "syntax error at end of input", 10),
    ("SELECT 1)", 'syntax error at or near ")"', 9),
    ("UPDATE t SET a", "syntax error at end of input", 15),
    ("SELECT CASE END", 'syntax error at or near "END"', 13),
    ("SELECT left FROM t", 'syntax error at or near "FROM"', 13),
    ("SELECT a FROM t; SELECT 2 FROM  ; SELECT 3", 'syntax error at or near ";"', 33),
]


@pytest.mark.parametrize(("text", "message", "at"), ERRORS)
def test_syntax_errors_are_postgresqls(text, message, at):
    with pytest.raises(SqlSyntaxError) as raised:
        parse(text)
    assert (raised.value.message, raised.value.position) == (message, at)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT xmlelement(name a)",
        "SELECT a IS DOCUMENT",
    ],
)
def test_what_postgresql_has_and_this_server_has_not_is_said_so(text):
    with pytest.raises(FeatureNotSupportedError):
        parse(text)


# ------------------------------------------------------------------ positions


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("a  +  b", 4),
        ("foo.bar(1)", 1),
        ("x::int", 2),
        ("CAST(x AS int)", 1),
        ("a IN (1)", 3),
        ("a NOT IN (1)", 3),
        ("a NOT LIKE 'x'", 3),
        ("a BETWEEN 1 AND 2", 3),
        ("a IS NULL", 3),
        ("- 5", 1),
        ("NOT a", 1),
        ("a AND b", 3),
        (" 'x'", 2),
        ("EXISTS (SELECT 1)", 1),
        ("a = ANY ($1)", 3),
        ("CASE WHEN a THEN 1 END", 1),
        ("date '2020-01-01'", 1),
        ("count(*) OVER ()", 1),
    ],
)
def test_a_node_stands_where_postgresql_would_point(text, at):
    assert position(parse_expression(text)) == at


def test_positions_count_from_the_statement_and_errors_from_the_message():
    first, second = parse("SELECT 1; /* c */ SELECT  nope")
    assert (second.text, second.offset) == ("SELECT  nope", 18)
    assert position(second.tree.expressions[0]) == 9
    assert first.offset == 0
