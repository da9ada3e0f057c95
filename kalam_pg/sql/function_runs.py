"""Calls of functions that are more than one query: they are run before the statement that calls them.

What such a function does must happen once, and whatever else the statement does: so it may stand in a select
list without FROM, in the one row of VALUES, or alone in FROM, and never where it may not be computed.
"""

from dataclasses import replace

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.sql.constancy import is_constant
from kalam_pg.sql.function_body import single_query, statements
from kalam_pg.sql.function_call import Called, enter
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import (
    ArrayExpr,
    Bound,
    Call,
    Dml,
    Expr,
    FunctionRun,
    Insert,
    IsNull,
    Param,
    Query,
    RowExpr,
    Select,
)
from kalam_pg.sql.walk import Node, map_children, walk

_FIRST = 1 << 20
"""The first number of a parameter for what a run gives, before it is known how many others there are."""


def is_run(call: Called, level: Level) -> bool:
    """Whether a call is run before its statement."""
    function = call.function
    if level.state.scope.calling and function.kind == "p":
        return True
    if not statements(function):
        return call.chosen.result is not types.VOID
    return single_query(function) is None


def run_before(level: Level, call: Called) -> Param:
    """Have a call run before the statement: the parameter that is what it gives back, of a set an array."""
    enter(level, call)
    state, chosen = level.state, call.chosen
    kind: PgType | None = chosen.result
    if chosen.function.returns_set:
        kind = types.array_of(chosen.result)
    record = chosen.result is types.RECORD
    if state.views or state.over_rows or kind is None or (record and not state.scope.calling):
        raise _refused(call.function.name, call.at)
    if not all(is_constant(value, once=True) for value in call.values):
        raise _refused(call.function.name, call.at)
    state.volatile = True
    number = _FIRST + len(state.runs)
    state.runs.append(FunctionRun(chosen.function, call.values, chosen.result, number))
    return Param(number, kind, -1, call.at)


_WHERE = (
    "Its body is more than one query, so that it can be called where it is called once: in a SELECT without "
    "FROM, in VALUES, alone in FROM, by CALL."
)


def _refused(name: str, at: int) -> FeatureNotSupportedError:
    return FeatureNotSupportedError(
        f"calling function {name} here is not supported", detail=_WHERE, position=at
    )


def with_runs(bound: Bound, runs: list[FunctionRun]) -> Bound:
    """A statement with its runs, their parameters behind its own. Raises 0A000 where one may be left out."""
    if not runs:
        return bound
    changes = [item.change for item in bound.changes]
    everywhere = [number for part in (bound.statement, *changes) for number in _runs(part)]
    if sorted(everywhere) != sorted(_always(bound.statement)):
        raise _refused(runs[0].function.name, 0)
    behind = len(bound.param_types)

    def numbered(node: Node) -> Node:
        if isinstance(node, Param) and node.index >= _FIRST:
            return replace(node, index=node.index - _FIRST + behind)
        return map_children(node, numbered)

    made = tuple(
        [
            replace(
                run,
                args=tuple([numbered(arg) for arg in run.args]),
                parameter=run.parameter - _FIRST + behind,
            )
            for run in runs
        ]
    )
    return replace(
        bound,
        statement=numbered(bound.statement),
        changes=tuple([replace(item, change=numbered(item.change)) for item in bound.changes]),
        runs=made,
    )


def _runs(node: Node) -> list[int]:
    return [n.index for n in walk(node) if isinstance(n, Param) and n.index >= _FIRST]


def _always(statement: Query | Dml) -> list[int]:
    """What is computed whatever there is."""
    if isinstance(statement, Insert):
        if isinstance(statement.source, tuple):
            rows = statement.source
            return _in(list(rows[0])) if len(rows) == 1 else []
        return _always(statement.source)
    if (
        not isinstance(statement, Select)
        or statement.where is not None
        or statement.limit is not None
    ):
        return []
    if len(statement.from_) == 1 and not statement.grouped:
        return _alone(statement)
    if statement.from_ or statement.grouped:
        return []
    return _in([target.expr for target in statement.targets])


def _alone(statement: Select) -> list[int]:
    """What stands alone in FROM."""
    return _runs(statement.from_[0]) if not _runs(replace(statement, from_=())) else []


def _in(exprs: "list[Expr | None]") -> list[int]:
    """What is computed with expressions in any case."""
    found: list[int] = []
    for expr in exprs:
        match expr:
            case Param(index) if index >= _FIRST:
                found.append(index)
            case Call(_, args):
                found += _in(list(args))
            case ArrayExpr(items) | RowExpr(items):
                found += _in(list(items))
            case IsNull(arg):
                found += _in([arg])
            case _:
                pass
    return found
