"""What a SERIALIZABLE transaction is said to read of a table: a key, rows that meet a condition, or any."""

import pytest

from kalam_pg.functions.table import EvalContext
from kalam_pg.query.reading import Reading, TableRead
from tests.kalam_pg.sql.bind_fixtures import bound

ROW = (7, "seven", "odd", None, None, None, None, None, None, None, None, None, None)
"""A row of t: id, name, grp, and nothing else."""


def shown(read: TableRead) -> str:
    """`t: key 1`, `t: not seven` (a condition that ROW does not meet), `t: seven`, or `t: any`."""
    context = EvalContext(params=(7, "x"))
    if read.key is not None:
        return f"{read.table.name}: key {[closure((), context) for closure in read.key]}"
    if read.condition is None:
        return f"{read.table.name}: any"
    meets = read.condition(ROW, context) is True
    return f"{read.table.name}: {'seven' if meets else 'not seven'}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM t WHERE id = 1", ["t: key [1]"]),
        ("SELECT * FROM t WHERE 1 = id AND name = 'x'", ["t: key [1]"]),
        ("SELECT * FROM t WHERE id = $1", ["t: key [7]"]),
        ("SELECT * FROM t", ["t: any"]),
        ("SELECT * FROM t WHERE id = 1 OR id = 2", ["t: not seven"]),
        ("SELECT * FROM t WHERE id > 3 ORDER BY id LIMIT 1", ["t: seven"]),
        ("SELECT count(*) FROM t WHERE grp = 'even'", ["t: not seven"]),
        ("SELECT grp, count(*) FROM t WHERE id < 3 GROUP BY grp HAVING count(*) > 1", ["t: not seven"]),
        ("SELECT * FROM t WHERE id + random() > 0", ["t: any"]),
        ("SELECT * FROM t WHERE id < 3 AND random() < 2", ["t: not seven"]),
        ("SELECT * FROM t WHERE _seq > 3", ["t: any"]),
        ("SELECT * FROM t WHERE _deleted AND id < 3", ["t: any"]),
        ("SELECT * FROM t JOIN u ON u.id = t.id WHERE t.id < 3", ["t: not seven", "u: any"]),
        ("SELECT * FROM t, u WHERE u.id = 4 AND t.id > 4", ["t: seven", "u: key [4]"]),
        ("SELECT * FROM t LEFT JOIN u ON u.id = 4 WHERE t.id > 4", ["t: seven", "u: key [4]"]),
        ("SELECT * FROM t LEFT JOIN u ON u.id > t.id WHERE u.id = 4", ["t: any", "u: any"]),
        ("SELECT * FROM u RIGHT JOIN t ON t.id < 3 WHERE u.id = 4", ["u: any", "t: any"]),
        ("SELECT * FROM u RIGHT JOIN t ON u.id = 4 WHERE t.id < 3", ["u: key [4]", "t: not seven"]),
        ("SELECT * FROM t FULL JOIN u ON u.id = t.id WHERE t.id < 3 AND u.id = 1", ["t: any", "u: any"]),
        ("SELECT * FROM t WHERE EXISTS (SELECT FROM u WHERE u.id = t.id)", ["t: any", "u: any"]),
        ("SELECT * FROM t WHERE id IN (SELECT id FROM u WHERE id = 5)", ["t: any", "u: key [5]"]),
        ("SELECT (SELECT name FROM t WHERE id = 3)", ["t: key [3]"]),
        ("TABLE t", ["t: any"]),
        ("SELECT * FROM t WHERE false", ["t: not seven"]),
        ("SELECT id FROM t WHERE id = 1 UNION SELECT id FROM t WHERE id < 3", ["t: key [1]", "t: not seven"]),
        ("WITH w AS (SELECT * FROM t WHERE id < 3) SELECT * FROM w WHERE id = 1", ["t: not seven"]),
        ("SELECT * FROM (SELECT * FROM t WHERE id < 3) s WHERE name = 'x'", ["t: not seven"]),
        ("UPDATE t SET name = 'x' WHERE id = 1", ["t: key [1]"]),
        ("UPDATE t SET name = 'x'", ["t: any"]),
        ("UPDATE t SET name = u.y FROM u WHERE u.id = 1 AND t.id > 3", ["t: seven", "u: key [1]"]),
        ("UPDATE t SET name = (SELECT y FROM u WHERE id = 2) WHERE id = 1", ["t: key [1]", "u: key [2]"]),
        ("DELETE FROM t WHERE grp = 'even' RETURNING id", ["t: not seven"]),
        ("DELETE FROM t USING u WHERE u.id = 2 AND t.id = 3", ["t: key [3]", "u: key [2]"]),
        ("INSERT INTO t (id) VALUES (1)", []),
        ("INSERT INTO t (id) SELECT id FROM u WHERE id = 1", ["u: key [1]"]),
        ("INSERT INTO t (id) VALUES ((SELECT max(id) FROM u)) ON CONFLICT DO NOTHING", ["u: any"]),
        ("WITH d AS (DELETE FROM u WHERE id = 1) SELECT * FROM t WHERE id = 2", ["t: key [2]", "u: key [1]"]),
        ("SELECT * FROM t WHERE id = 1 FOR UPDATE", ["t: key [1]"]),
        ("SELECT 1", []),
    ],
)  # fmt: skip
def test_a_scan_reads_what_its_query_asks_for(text: str, expected: list[str]):
    assert [shown(read) for read in Reading(bound(text)).tables] == expected


@pytest.mark.parametrize(
    ("text", "timed"),
    [("SELECT * FROM t WHERE name = 'x'", False), ("SELECT * FROM t WHERE tstz < now()", True)],
)
def test_a_condition_that_asks_for_more_than_parameters_is_another_one_each_time(
    text: str, timed: bool
):
    assert [read.timed for read in Reading(bound(text)).tables] == [timed]
