"""Where a session finds what runs the functions that a statement calls before it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kalam_pg.query.waits import Steps
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.query.prepare import Planned
    from kalam_pg.sessions.sql_session import SqlSession

# Filled by `function_runs`: the parameters with what the functions gave behind them.
RUN_FUNCTIONS: "list[Callable[[SqlSession, Planned, Sequence[Value]], Steps[Sequence[Value]]]]" = []
