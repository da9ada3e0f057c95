"""Hash joins: which rows go together, whether keys of the right side come once or more often."""

from hypothesis import given
from hypothesis import strategies as st

from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter.joins import HashJoin, JoinKey
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import Budget, Run
from kalam_pg.sql.closures import Slot

KEY = st.none() | st.integers(0, 5)
LEFT = st.lists(st.tuples(KEY, st.integers(0, 99)), max_size=12)
RIGHT = LEFT | st.lists(
    st.tuples(KEY, st.integers(0, 99)), max_size=8, unique_by=lambda row: row[0]
)


def joined(left, right, keep_left):
    """What SQL says: the rows of the left side in their order, those of one in that of the right."""
    rows = []
    for row in left:
        matches = [row + other for other in right if row[0] is not None and row[0] == other[0]]
        rows += matches or ([(*row, None, None)] if keep_left else [])
    return rows


@given(LEFT, RIGHT, st.booleans())
def test_rows_go_together_by_their_keys(left, right, keep_left):
    join = HashJoin(
        lambda _run: Relation(left),
        lambda _run: Relation(right),
        [JoinKey(Slot(0), Slot(0), None)],
        None,
        *(2, 2),
        keep_left=keep_left,
    )
    found = join(Run(EvalContext(), {}, Budget(10.0), 1))
    expected = joined(left, right, keep_left)
    assert [tuple(row) for row in found.rows] == expected
    assert len(found) == len(expected)
    if expected:
        for at in range(4):
            assert list(found.column(at)) == [row[at] for row in expected]
            assert not found.is_full(at) or None not in found.column(at)
