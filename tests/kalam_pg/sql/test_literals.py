"""A shape is the statement without its values, and only of what surely is a value."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_pg.sql.lexer import Token, tokenize
from kalam_pg.sql.literals import VALUES_MAX, Shape, literal_shape

SHAPES = [
    ("INSERT INTO t (a, b) VALUES (1, 'it''s')", "INSERT INTO t (a, b) VALUES ($1, $2)",
     ("1", "it's"), "is"),
    ("insert into t values (1,-2),(3,4.5) ;", "insert into t values ($1,$2),($3,$4) ;",
     ("1", "-2", "3", "4.5"), "iiin"),
    ("INSERT INTO \"T 1\" VALUES (NULL, 2, now(), f(3), 1e5)",
     "INSERT INTO \"T 1\" VALUES (NULL, $1, now(), f(3), 1e5)", ("2",), "i"),
    ("INSERT INTO t VALUES (2147483648, 9223372036854775808)", "INSERT INTO t VALUES ($1, $2)",
     ("2147483648", "9223372036854775808"), "In"),
    ("INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 'x' RETURNING a",
     "INSERT INTO t VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = $2 RETURNING a", ("1", "x"), "is"),
    ("SELECT a FROM t WHERE b = 5 AND c<>'x' ORDER BY a LIMIT 50",
     "SELECT a FROM t WHERE b = $1 AND c<>$2 ORDER BY a LIMIT 50", ("5", "x"), "is"),
    ("UPDATE t SET a=1, b = 'x' WHERE id >= 7;", "UPDATE t SET a=$1, b = $2 WHERE id >= $3;",
     ("1", "x", "7"), "isi"),
    ("DELETE FROM t WHERE a = 1 or (b < 2)", "DELETE FROM t WHERE a = $1 or (b < $2)",
     ("1", "2"), "ii"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "stripped", "values", "classes"), SHAPES)
def test_values_are_taken_out_of_value_positions(text, stripped, values, classes):
    shape = literal_shape(text)
    assert shape is not None
    assert (shape.text, shape.values, shape.classes) == (stripped, values, classes)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT 'a' AS x FROM t LIMIT 5 OFFSET 3",
        "SELECT a FROM t ORDER BY a = 1",
        "SELECT date '2020-01-01', interval '1 day', 'x'::text, j -> 'a', j ->> 'b'",
        "SELECT a FROM t WHERE b = 1::int8 AND c = 2 + 3 AND d = f(4)",
        "SELECT a FROM t WHERE b LIKE 'x%' AND c IN (1, 2) AND d BETWEEN 3 AND 4",
        "SELECT a FROM t WHERE j @> '{}' AND k =~ 5 AND l => 6",
        "INSERT INTO t SELECT 1, 'a'",
        "INSERT INTO t VALUES ('a' 'b', 1 + 2, (3), ARRAY[4, 5])",
        'SELECT "a = 1" FROM t1 WHERE "it\'s" IS NULL',
    ],
)
def test_literals_elsewhere_stay_in_the_key(text):
    shape = literal_shape(text)
    assert shape == Shape(text, (), "")


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (a int)",
        " SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT a FROM t -- x\nWHERE b = 1",
        "SELECT a /* x */ FROM t WHERE b = 1",
        "SELECT a FROM t WHERE b = E'x'",
        "SELECT a FROM t WHERE b = U&'x'",
        "SELECT a FROM t WHERE b = $$x$$",
        "SELECT a FROM t WHERE b = $1",
        "SELECT a FROM t WHERE b = .5",
        "SELECT a = 1 FROM t GROUP BY a = 1",
        "SELECT DISTINCT a = 1 FROM t",
        "SELECT a FROM t WHERE b = 'x",
        'SELECT a FROM t WHERE b = "x',
        "INSERT INTO t VALUES " + ",".join(["(1)"] * (VALUES_MAX + 1)),
        "SELECT a FROM t WHERE b = 1 \0",
    ],
)
def test_in_doubt_there_is_no_shape(text):
    assert literal_shape(text) is None


def test_texts_that_differ_in_values_alone_share_a_key():
    one = literal_shape("INSERT INTO t VALUES (1, 'a')")
    two = literal_shape("INSERT INTO t VALUES (-77, 'it''s $1 -- long;')")
    assert one is not None
    assert two is not None
    assert one.key == two.key
    for other in (
        "INSERT INTO t VALUES (1, 2)",
        "INSERT INTO t VALUES (1.0, 'a')",
        "INSERT INTO t VALUES (99999999999, 'a')",
        "INSERT INTO u VALUES (1, 'a')",
        "insert into t VALUES (1, 'a')",
    ):
        shape = literal_shape(other)
        assert shape is not None
        assert shape.key != one.key


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


LITERALS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(-1000, 1000, places=3, allow_nan=False).map(lambda d: format(d, "f")),
    st.text(max_size=8).filter(lambda s: "\0" not in s).map(_quoted),
    st.sampled_from(["NULL", "now()", "1e5", "'a'::text", '"q 1"', "x + 1", "(2)", "b'1'", "$$1$$"]),
)  # fmt: skip


def _meaning(text: str, values: tuple[str, ...]) -> list[tuple[str, str]]:
    """Tokens with the parameters put back, signs joined to their numbers."""
    found: list[tuple[str, str]] = []

    def put(token: Token) -> None:
        kind, value = token.kind, token.value
        if kind == "param":
            value = values[int(value) - 1]
            kind = "value"
        elif kind in ("string", "number"):
            kind = "value"
            before = found[-2:]
            if token.kind == "number" and before[1:] == [("op", "-")] and before[0][1] in "(,":
                found.pop()
                value = "-" + value
        found.append((kind, value))

    for token in tokenize(text):
        put(token)
    return found


@given(st.lists(LITERALS, min_size=1, max_size=5))
@settings(max_examples=200)
def test_a_shape_with_its_values_means_what_the_text_means(literals):
    text = f"INSERT INTO t VALUES ({', '.join(literals)})"
    shape = literal_shape(text)
    if shape is not None:
        assert len(shape.values) == len(shape.classes)
        assert _meaning(shape.text, shape.values) == _meaning(text, ())
