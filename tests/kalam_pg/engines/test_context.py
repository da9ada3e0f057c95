"""A session is kept for the next query, and nothing of one query is there for another."""

import pyarrow as pa
import pytest
from datafusion import udaf, udf
from datafusion.user_defined import Accumulator

from kalam_pg.engines.context import (
    SMALL_ROWS,
    EngineSettings,
    Sessions,
    plan,
    register_batches,
)

BATCH = pa.record_batch({"a": [1, 2, 3]})


class Total(Accumulator):
    """A sum."""

    def __init__(self):
        self._sum = 0

    def update(self, values):
        self._sum += sum(values.to_pylist())

    def merge(self, states):
        self._sum += sum(states[0].to_pylist())

    def state(self):
        return [pa.scalar(self._sum, pa.int64())]

    def evaluate(self):
        return pa.scalar(self._sum, pa.int64())


def fill(session, *, function="twice", aggregate="total"):
    register_batches(session, "secret", BATCH.schema, [BATCH])
    session.register_view("view", plan(session, "SELECT a + 1 AS b FROM secret"))
    twice = udf(
        lambda a: pa.array([2 * one for one in a.to_pylist()]),
        [pa.int64()],
        pa.int64(),
        "immutable",
        function,
    )
    session.register_udf(twice)
    kinds = ([pa.int64()], pa.int64(), [pa.int64()])
    session.register_udaf(udaf(Total, *kinds, "immutable", aggregate))


def answer(session, sql):
    (batch,) = [item.to_pyarrow() for item in plan(session, sql).execute_stream()]
    return batch.to_pylist()


USES = [
    "SELECT * FROM secret",
    "SELECT * FROM view",
    "SELECT twice(1)",
    "SELECT total(a) FROM (VALUES (1)) v(a)",
]


@pytest.mark.parametrize("rows", [10, SMALL_ROWS + 1])
def test_nothing_that_a_query_has_registered_is_there_for_the_next(tmp_path, rows):
    sessions = Sessions(EngineSettings(2, 1 << 30, tmp_path))
    with sessions.session(rows) as first:
        fill(first)
        assert answer(first, "SELECT total(twice(b)) AS t FROM view") == [{"t": 18}]
    with sessions.session(rows) as second:
        assert second is first
        assert second.partitions == (1 if rows == 10 else 2)
        for use in USES:
            with pytest.raises(Exception, match=r"not found|Invalid function|No function"):
                answer(second, use)
        fill(second)
        assert answer(second, "SELECT total(twice(b)) AS t FROM view") == [{"t": 18}]
    assert len(list(tmp_path.iterdir())) == 1  # One directory to spill into, however many queries.


def test_a_session_is_not_used_again_after_an_error_or_a_query_that_was_given_up(tmp_path):
    sessions = Sessions(EngineSettings(1, 1 << 30, tmp_path))
    with pytest.raises(ZeroDivisionError), sessions.session(1) as first:
        raise ZeroDivisionError

    def chunks():
        with sessions.session(1) as session:
            yield session
            yield session

    reading = chunks()
    second = next(reading)
    reading.close()
    with sessions.session(1) as third:
        assert len({id(first), id(second), id(third)}) == 3


def test_a_session_whose_own_functions_were_replaced_is_not_used_again():
    sessions = Sessions(EngineSettings(1))
    for names in ({"function": "abs"}, {"aggregate": "sum"}):
        with sessions.session(1) as first:
            fill(first, **names)
        with sessions.session(1) as second:
            assert second is not first
            assert answer(second, "SELECT abs(-1) AS a, sum(1) AS s") == [{"a": 1, "s": 1}]


def test_a_second_session_beside_the_first_is_another():
    sessions = Sessions(EngineSettings(1))
    with sessions.session(1) as first, sessions.session(1) as second:
        assert first is not second
        fill(first)
        with pytest.raises(Exception, match="not found"):
            answer(second, USES[0])


UNION = """
    SELECT * FROM (
        SELECT 2.5 AS a, 0 AS b FROM t
        UNION ALL SELECT y.a, -1 FROM t LEFT JOIN (SELECT 0.5 AS a FROM t LIMIT 1) y ON true
    ) ORDER BY b DESC, a LIMIT 1
"""


def test_a_sort_is_not_done_by_parts_of_a_union():
    """Each would sort by `a` alone and leave out what is behind the other's best: now and then."""
    with Sessions(EngineSettings(1)).session(1) as session:
        register_batches(session, "t", BATCH.schema, [BATCH])
        for _ in range(50):
            ((row,),) = [answer(session, UNION)]
            assert row["b"] == 0
