"""Running totals say of each first rows what the aggregate says of them all at once, to the last bit."""

from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.types import registry as types
from kalam_pg.functions import lookup
from kalam_pg.functions.clock import pack_interval
from kalam_pg.functions.table import EvalContext, Overload
from kalam_pg.interpreter.running_totals import _MADE, Total, running_total
from storage.errors import KalamError

NUMBERS = (
    "0",
    "1",
    "1.0",
    "-2.50",
    "1e3",
    "0.0001",
    "NaN",
    "Infinity",
    "-Infinity",
    "12345678901234567890.5",
)
VALUES: dict[types.PgType, st.SearchStrategy[Any]] = {
    types.BOOL: st.booleans(),
    types.INT2: st.integers(-(2**15), 2**15 - 1),
    types.INT4: st.integers(-(2**31), 2**31 - 1),
    types.INT8: st.integers(-(2**63), 2**63 - 1),
    types.FLOAT4: st.floats(width=32),
    types.FLOAT8: st.floats(),
    types.NUMERIC: st.sampled_from([n for n in NUMBERS if n != "1e3"]),
    types.TEXT: st.text(max_size=4),
    types.INTERVAL: st.builds(pack_interval, *[st.integers(-40, 40)] * 3),
    types.ANY: st.integers(0, 3),
}
TOTALS = [o for o in _MADE if all(kind in VALUES for kind in o.args)]


def shown(value: Any) -> str:
    return repr(value)


def outcome(compute: Any) -> str:
    try:
        return shown(compute())
    except KalamError as error:
        return error.sqlstate


def whole(overload: Overload, rows: list[tuple[Any, ...]]) -> Any:
    assert overload.row is not None
    before: list[Any] = [EvalContext()] if overload.needs_context else []
    if overload.needs_types:
        before.append(overload.args)
    return overload.row(*before, rows)


def gone_on(total: Total, piece: list[tuple[Any, ...]]) -> Any:
    total.add(piece)
    return total.value()


@pytest.mark.parametrize("overload", TOTALS, ids=repr)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_each_first_rows_have_the_value_that_they_have_at_once(overload, data):
    row = st.tuples(*[st.none() | VALUES[kind] for kind in overload.args])
    pieces = data.draw(st.lists(st.lists(row, max_size=3), max_size=6))
    make = running_total(overload)
    assert make is not None
    total, rows = make(), []
    for piece in pieces:
        rows += piece
        expected = outcome(partial(whole, overload, list(rows)))

        found = outcome(partial(gone_on, total, piece))
        assert found == expected
        if len(found) == 5 and found.isdigit():
            return


def test_there_are_totals_of_the_common_aggregates():
    made = {o.name for o in _MADE}
    assert made >= {"count", "sum", "avg", "min", "max", "bool_and", "string_agg", "bit_or"}
    assert set(_MADE) <= set(lookup.everything())
