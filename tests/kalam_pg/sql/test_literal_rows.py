"""An INSERT of rows of literals has the shape of one with one row; anything else has none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_pg.sql.literal_rows import ROWS_MAX, rows_shape

SHAPES = [
    ("INSERT INTO t (a, b) VALUES (1, 'it''s'), (-2, NULL)",
     "INSERT INTO t (a, b) VALUES ($1, $2)", "is", [("1", "it's"), ("-2", None)]),
    ("insert into \"T 1\".x(\"a b\",c)values(1.5,TRUE) ,( 5000000000,null ) ;",
     "insert into \"T 1\".x(\"a b\",c)values($1, $2) ;", "nb",
     [("1.5", "true"), ("5000000000", None)]),
    ("INSERT INTO t VALUES (NULL), (2147483648), (7)", "INSERT INTO t VALUES ($1)", "I",
     [(None,), ("2147483648",), ("7",)]),
    ("INSERT INTO t VALUES (null),(NULL) ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING *",
     "INSERT INTO t VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING *", "s",
     [(None,), (None,)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "stripped", "classes", "rows"), SHAPES)
def test_rows_of_literals_are_taken_out(text, stripped, classes, rows):
    found = rows_shape(text)
    assert found is not None
    assert (found.shape.text, found.shape.classes, found.rows) == (stripped, classes, rows)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t VALUES (1), (2, 3)",
        "INSERT INTO t VALUES (1, 2), (3)",
        "INSERT INTO t VALUES (1), (DEFAULT)",
        "INSERT INTO t VALUES (1), ('a')",
        "INSERT INTO t VALUES (1), (true)",
        "INSERT INTO t VALUES (1), (2 + 3)",
        "INSERT INTO t VALUES (1), (now())",
        "INSERT INTO t VALUES (1), (- 2)",
        "INSERT INTO t VALUES (1e5), (2e5)",
        "INSERT INTO t VALUES (.5), (1.)",
        "INSERT INTO t VALUES ('a'::text), ('b')",
        "INSERT INTO t VALUES ('a' 'b'), ('c' 'd')",
        "INSERT INTO t VALUES (E'a'), (E'b')",
        "INSERT INTO t VALUES ($1), ($2)",
        'INSERT INTO t VALUES ("a"), ("b")',
        "INSERT INTO t VALUES (1), (2) -- rows",
        "INSERT INTO t VALUES (1), /* two */ (2)",
        "INSERT INTO t VALUES (1), (2); SELECT 1",
        "INSERT INTO t VALUES (1), (2) RETURNING 'a'",
        "INSERT INTO t VALUES (1), (2) RETURNING a; SELECT 1",
        "INSERT INTO t VALUES (1), (2), ",
        "INSERT INTO t VALUES (1), (2))",
        "INSERT INTO t VALUES (1)(2)",
        "INSERT INTO t SELECT 1",
        "SELECT * FROM (VALUES (1), (2)) v",
        "INSERT INTO t VALUES " + ", ".join(["(1)"] * (ROWS_MAX + 1)),
    ],
)
def test_anything_else_has_no_shape(text):
    assert rows_shape(text) is None


COLUMNS = st.lists(
    st.sampled_from(
        [
            st.none() | st.integers(-(10**12), 10**12).map(str),
            st.none() | st.text("ab'(), ;\"nulé\\", max_size=6),
        ]
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_written_is_what_is_read(data):
    columns = data.draw(COLUMNS)
    rows = data.draw(st.lists(st.tuples(*columns), min_size=2, max_size=5))

    def written(value, at):
        if value is None:
            return "NULL"
        text = rows[0][at] if value is None else value
        return text if texts[at] is False else "'" + value.replace("'", "''") + "'"

    texts = [
        any(r[at] is not None and not r[at].lstrip("-").isdigit() for r in rows)
        for at in range(len(columns))
    ]
    lines = ["(" + ", ".join(written(v, at) for at, v in enumerate(row)) + ")" for row in rows]
    found = rows_shape("INSERT INTO t VALUES " + ",\n  ".join(lines))
    assert found is not None
    assert found.rows == rows
