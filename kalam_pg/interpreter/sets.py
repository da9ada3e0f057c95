"""Functions that give sets: in FROM, one or several side by side, and in select lists."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any

from catalog.types.records import Record, Shape
from kalam_pg.functions.cost import pay_call, weight_of
from kalam_pg.functions.define import Datum
from kalam_pg.functions.table import OverloadKind
from kalam_pg.interpreter.expressions import Expressions, QueryCompiler
from kalam_pg.interpreter.level import Level
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import STRIDE, Run
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.datafusion_state import fingerprint
from kalam_pg.sql.tree import Call, Expr, Select, SetOp, ValuesQuery
from kalam_pg.sql.walk import children
from storage.layout import Row

_NO_ROW: Row = ()
_QUERIES = (Select, SetOp, ValuesQuery)


@dataclass(frozen=True, slots=True)
class SetFunction:
    """A call as rows of `width` columns. rows: of the arguments' row and the run."""

    width: int
    rows: Callable[[Row, Run], Iterator[Row]]


def function_of(call: Expr, expressions: Expressions) -> SetFunction:
    """What stands as a function in FROM: one that gives a set, or a value as one row."""
    if isinstance(call, Call) and call.overload.kind is OverloadKind.SET:
        return _set_function(call, expressions)
    value = expressions.compile(call)
    return SetFunction(1, lambda row, run: iter([(value(row, run),)]))


def _set_function(call: Call, expressions: Expressions) -> SetFunction:
    overload = call.overload
    function = overload.row
    assert function is not None
    args: list[Closure] = [expressions.compile(arg) for arg in call.args]
    types = tuple([arg.type for arg in call.args])
    weight = weight_of(overload)
    several = len(overload.out_names) > 1

    def rows(row: Row, run: Run) -> Iterator[Row]:
        given = [arg(row, run) for arg in args]
        if overload.strict and None in given:
            return
        if weight is not None:
            pay_call(run, weight, given)
        before: list[Any] = [run] if overload.needs_context else []
        if overload.needs_types:
            before.append(types)
        source = iter(function(*before, *given))
        while part := list(islice(source, STRIDE)):
            run.budget.check()
            yield from part if several else [(item,) for item in part]

    return SetFunction(len(overload.out_names) if several else 1, rows)


def _as_values(call: Call, function: SetFunction) -> SetFunction:
    """The function's rows of several columns as rows of one, a record."""
    if function.width == 1:
        return function
    shape = Shape(call.overload.out_names, call.overload.out_types)

    def rows(row: Row, run: Run) -> Iterator[Row]:
        for made in function.rows(row, run):
            value: Datum = Record(tuple(made), shape)
            yield (value,)

    return SetFunction(1, rows)


def _side_by_side(functions: Sequence[SetFunction], row: Row, run: Run) -> Iterator[Row]:
    """The functions' rows together: what has fewer is NULL for the rest."""
    if len(functions) == 1:
        yield from functions[0].rows(row, run)
        return
    nulls = [(None,) * function.width for function in functions]
    for parts in zip_longest(*[function.rows(row, run) for function in functions]):
        found: Row = ()
        for part, null in zip(parts, nulls, strict=True):
            found += null if part is None else part
        yield found


@dataclass(frozen=True, slots=True)
class FunctionRows:
    """Functions in FROM, side by side."""

    functions: Sequence[SetFunction]
    ordinality: bool

    def __call__(self, run: Run) -> Relation:
        """Their rows, numbered behind if that is asked for."""
        rows = _side_by_side(self.functions, _NO_ROW, run)
        if self.ordinality:
            return Relation([(*row, number) for number, row in enumerate(rows, 1)])
        return Relation(list(rows))


@dataclass(frozen=True, slots=True)
class Expansion:
    """Functions of a select list that give sets: each row becomes as many as the longest set has.

    stages: those that stand inside others go before them.
    """

    stages: Sequence[Sequence[SetFunction]]

    def __call__(self, rows: Sequence[Row], run: Run) -> list[Row]:
        """The rows with the functions' values behind them."""
        made: Sequence[Row] = rows
        for functions in self.stages:
            made = [row + found for row in made for found in _side_by_side(functions, row, run)]
        return list(made)

    def over(self, source: Callable[[Run], Relation]) -> Callable[[Run], Relation]:
        """The expanded rows of a source."""
        return lambda run: Relation(self(source(run).rows, run))


def set_calls(exprs: Sequence[Expr], known: Collection[Any] = ()) -> list[list[Call]]:
    """The calls of functions that give sets, each once, by how many more stand inside them.

    known: fingerprints of what has been computed already.
    """
    stages: list[dict[Any, Call]] = []

    def collect(node: Any) -> int:  # noqa: ANN401 -- any node
        """How many stages a node needs before it can be evaluated."""
        if isinstance(node, _QUERIES) or (known and fingerprint(node) in known):
            return 0
        inner = max([collect(child) for child in children(node)], default=0)
        if isinstance(node, Call) and node.overload.kind is OverloadKind.SET:
            while len(stages) <= inner:
                stages.append({})
            stages[inner].setdefault(fingerprint(node), node)
            return inner + 1
        return inner

    for expr in exprs:
        collect(expr)
    return [list(stage.values()) for stage in stages]


def compile_expansion(
    stages: Sequence[Sequence[Call]], level: Level, queries: QueryCompiler
) -> tuple[Expansion, Level]:
    """The expansion of a level's rows, and the level with the values of the sets."""
    made: list[list[SetFunction]] = []
    for calls in stages:
        expressions = Expressions(level, queries)
        made.append([_as_values(call, _set_function(call, expressions)) for call in calls])
        nodes: Mapping[Any, int] = dict(level.nodes)
        width = level.width
        for call, function in zip(calls, made[-1], strict=True):
            nodes = {**nodes, fingerprint(call): width}
            width += function.width
        level = Level(level.depth, level.parent, level.offsets, level.columns, nodes, width)
    return Expansion(made), level
