"""Calls of aggregates that people made: their functions are bound over the state and the arguments of a row.

So an aggregate's steps are expressions, as calls of functions are (decisions 0100, 0117).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlglot import exp

from catalog.errors import (
    FeatureNotSupportedError,
    StatementTooComplexError,
    UndefinedFunctionError,
    WrongObjectTypeError,
)
from catalog.functions import Accumulation, Function
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions import lookup
from kalam_pg.functions.table import OverloadKind, Volatility
from kalam_pg.sql.bind_call import ambiguous_call, no_function
from kalam_pg.sql.bind_expr import bind_expr
from kalam_pg.sql.bind_function import value_of
from kalam_pg.sql.coerce import coerce
from kalam_pg.sql.function_call import (
    FUNCTION,
    Called,
    input_values,
    name_called,
    overload_call,
)
from kalam_pg.sql.function_choice import Chosen, Given, choose_function, type_in_call
from kalam_pg.sql.function_runs import is_run
from kalam_pg.sql.overloads import Ambiguous
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Binding, Item, Level
from kalam_pg.sql.support_functions import built_in_call, built_in_is_strict
from kalam_pg.sql.tree import Call, Const, Expr, OutputColumn, Param, TableScan, VirtualScan
from kalam_pg.sql.user_aggregates import UserAggregate
from kalam_pg.sql.walk import walk

_MADE_MAX = 100
"""So many aggregates of one statement are made: each has its functions' bodies."""


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """A call of an aggregate. operands: its arguments as written; values: as it takes them.

    moves: it has functions for frames whose rows go out again. keeps_state: its final function leaves the
    state as it is, so that more rows may come.
    """

    aggregate: UserAggregate
    operands: tuple[Expr, ...]
    values: tuple[Expr, ...]
    name: str
    moves: bool
    keeps_state: bool


def user_aggregate(level: Level, node: exp.Anonymous, inside: str) -> AggregateCall | None:
    """What a call means; None where it is of no aggregate that somebody made.

    inside: what the arguments are of, "aggregate" or "window".
    """
    name, schema = name_called(node)
    scope = level.state.scope
    functions = scope.snapshot.functions_named(schema, name, scope.search_path)
    if not any(f.kind == "a" for f in functions):
        return None
    at = position(node)
    only = all(f.kind == "a" for f in functions) and not (
        not schema and (lookup.functions(name) or lookup.windows(name))
    )
    before = _Before(level)
    values = _arguments(level, node, inside if only else level.inside)
    given = Given(tuple([e.type for e in values]), (), bool(node.args.get("variadic")))
    try:
        chosen = choose_function(functions, scope.snapshot, given, "" if schema else name)
    except Ambiguous:
        raise ambiguous_call(name, values, at) from None
    if chosen is None or chosen.function.kind != "a":
        if schema and chosen is None:
            raise no_function(f"{schema}.{name}", values, at)
        before.restore()
        return None
    if not only:
        before.restore()
        values = _arguments(level, node, inside)
    _check_star(chosen, node, at)
    call = Called(chosen, input_values(level, chosen, values), at)
    made, function = made_aggregate(level.state, call), chosen.function
    assert function.aggregation is not None
    written = call.values if chosen.packed else values
    moves = function.aggregation.moving is not None
    keeps = function.aggregation.plain.modify == "r"
    return AggregateCall(made, written, call.values, function.name, moves, keeps)


class _Before:
    """What binding arguments adds to, that may have to be bound once more."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self._flags = level.has_aggregates, level.has_windows
        self._sets, self._runs = len(level.sets), len(level.state.runs)

    def restore(self) -> None:
        """As if they had not been bound."""
        level = self._level
        level.has_aggregates, level.has_windows = self._flags
        del level.sets[self._sets :]
        del level.state.runs[self._runs :]


def _arguments(level: Level, node: exp.Anonymous, inside: str) -> tuple[Expr, ...]:
    before, level.inside = level.inside, inside
    found = []
    for item in node.expressions:
        if type(item) is exp.Star:
            break
        if type(item) is exp.Kwarg:
            raise UndefinedFunctionError(
                f"no aggregate {node.name} has arguments by name", position=position(node)
            )
        found.append(bind_expr(level, item))
    level.inside = before
    return tuple(found)


def _check_star(chosen: Chosen, node: exp.Anonymous, at: int) -> None:
    """A star stands for no arguments, of an aggregate that has none; such a one has a star."""
    function = chosen.function
    star = bool(node.expressions) and type(node.expressions[0]) is exp.Star
    if function.inputs or star:
        return
    raise WrongObjectTypeError(
        f"{function.name}(*) must be used to call a parameterless aggregate function", position=at
    )


# ------------------------------------------------------------------ its steps


def made_aggregate(state: Binding, call: Called) -> UserAggregate:
    """The aggregate for arguments of these types; one of a statement, however often it is called."""
    function = call.function
    kinds = tuple([e.type for e in call.values])
    state.functions[function.id] = function
    if not state.views:
        state.relations[function.id] = None
    known = state.aggregates.get((function.id, kinds))
    if isinstance(known, UserAggregate):
        return known
    if function.id in state.inside:
        raise FeatureNotSupportedError(
            f"recursive function {function.name} is not supported", position=call.at
        )
    if len(state.aggregates) >= _MADE_MAX:
        raise StatementTooComplexError(
            "stack depth limit exceeded", detail="Too many aggregates of one's own."
        )
    with _steps_scope(state, function):
        made = state.aggregates[function.id, kinds] = _bound(state, call, kinds)
    return made


@contextmanager
def _steps_scope(state: Binding, function: Function) -> Iterator[None]:
    """Its functions are called for each row, with the rights of whose it is, and not by the text."""
    before = (state.views, state.inside, state.over_rows, state.early, dict(state.functions))
    state.views = (*state.views, f"{function.namespace}.{function.name}{FUNCTION}")
    state.inside = (*state.inside, function.id)
    state.over_rows = True
    try:
        yield
    finally:
        state.views, state.inside, state.over_rows, state.early, functions = before
        for oid in function.reads:
            if oid not in functions:
                state.functions.pop(oid, None)


def _bound(state: Binding, call: Called, kinds: tuple[PgType, ...]) -> UserAggregate:
    function, snapshot = call.function, state.scope.snapshot
    assert function.aggregation is not None
    plain = function.aggregation.plain
    kind = type_in_call(function, snapshot, plain.state, call.chosen)
    columns = (OutputColumn("", kind), *[OutputColumn("", of) for of in kinds])
    relation, step = _step(state, function, plain.transition, columns, call.at)
    ends, final = 0, None
    if plain.final:
        taken = columns if plain.extra else columns[:1]
        ends, final = _step(state, function, plain.final, taken, call.at)
    made = UserAggregate(
        f"{function.namespace}.{function.name}",
        OverloadKind.AGGREGATE,
        kinds,
        call.chosen.result if final is None else final.type,
        strict=False,
        oid=function.id,
        relation=relation,
        initial=_initial(state, plain, kind),
        step=step,
        skips_nulls=_is_strict(state, plain.transition),
        ends=ends,
        final=final,
        ends_null=bool(plain.final) and _is_strict(state, plain.final),
    )
    _check_steps(made, function, call.at)
    return made


def _initial(state: Binding, plain: Accumulation, kind: PgType) -> Expr:
    if plain.initial is None:
        return Const(None, kind)
    found = coerce(state, Const(plain.initial, types.UNKNOWN), kind, "e")
    assert found is not None  # CREATE AGGREGATE has read it.
    return found


def _is_strict(state: Binding, oid: int) -> bool:
    function = state.scope.snapshot.function(oid)
    return function.strict if function is not None else built_in_is_strict(oid)


def _step(
    state: Binding, function: Function, oid: int, columns: Sequence[OutputColumn], at: int
) -> tuple[int, Expr]:
    """The call of one of its functions, over the columns of a relation of its own."""
    columns = tuple(columns)
    relation = state.relation(columns)
    state.arguments.add(relation)
    item = Item(function.name, relation, columns, {})
    level = Level(state, None, [item], clause="SELECT", arguments=item)
    refs = tuple([item.ref(index, 0) for index in range(len(columns))])
    support = state.scope.snapshot.function(oid)
    if support is None:
        return relation, built_in_call(state, oid, refs)
    given = Given(tuple([ref.type for ref in refs]), (), support.variadic)
    call = overload_call(level, [support], "", refs, given, at)
    if call is None:
        raise UndefinedFunctionError(f"function {support.name} does not exist", position=at)
    if is_run(call, level):
        raise FeatureNotSupportedError(
            f"aggregate {function.name} of function {support.name} is not supported",
            detail="Its body is not a single query.",
            position=at,
        )
    return relation, value_of(level, call)


def _check_steps(made: UserAggregate, function: Function, at: int) -> None:
    """Raise 0A000 for steps that ask more than the state and a row."""
    for expr in made.steps:
        for node in walk(expr):
            what = ""
            if isinstance(node, TableScan | VirtualScan):
                what = "reads rows of relations"
            elif isinstance(node, Param):
                what = "has parameters"
            elif isinstance(node, Call) and node.overload.volatility is Volatility.VOLATILE:
                what = "is volatile"
            elif isinstance(node, Call) and node.overload.server_only:
                what = "asks the session"
            if what:
                raise FeatureNotSupportedError(
                    f"aggregate {function.name} is not supported",
                    detail=f"One of its functions {what}.",
                    position=at,
                )
