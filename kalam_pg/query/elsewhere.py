"""Expressions that would take long here, evaluated in a worker (`functions.cost`).

A plan evaluates its closures on the event loop. Where one is refused there, because a call costs more than
the loop may be held, the tree that it was compiled of goes to a worker, the row's values in the places of its
columns: right for everything but what only the server's process knows.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from kalam_pg.functions.cost import BUDGET_US, TakesLongError, volume
from kalam_pg.interpreter.program import compiled
from kalam_pg.interpreter.shipping import at_home
from kalam_pg.query.aside import LARGE_NODES, are_large, aside
from kalam_pg.query.execution import Execution
from kalam_pg.query.program_plan import ProgramPlan
from kalam_pg.query.row_source import RowSource
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.unique import UniqueRule
from kalam_pg.query.waits import Pace, Steps, breathe
from kalam_pg.sql.closures import Origin, origin
from kalam_pg.sql.to_python import evaluate
from kalam_pg.sql.tree import Call, ColumnRef, Const, Expr, OutputColumn, Query, Select, Target
from kalam_pg.sql.walk import Node, extent, location, map_children, walk
from storage.layout import Row, Value

NO_ROW: Row = ()


def renew(x: Execution) -> None:
    """The others had a turn: expressions may spend anew."""
    x.context.left_us = BUDGET_US


def rest(x: Execution, pace: Pace) -> Steps[None]:
    """In a loop over rows: let the others have a turn, in the statement's time. Raises 57014."""
    yield from pace.rest(x.statement_timeout_s)
    renew(x)


def evaluated(x: Execution, closure: Closure | None, row: Row) -> Steps[Value]:
    """The value of an expression, here if that takes no time; None is NULL."""
    if closure is None:
        return None
    try:
        return closure(row, x.context)
    except TakesLongError:
        return (yield from value(x, closure, row))


def generated(x: Execution, rules: RowRules, row: Row) -> Steps[Row]:
    """A row with what is generated of it computed."""
    made = list(row)
    for at, closure in rules.generated:
        made[at] = yield from evaluated(x, closure, row)
    return tuple(made)


def checked(x: Execution, rules: RowRules, row: Row) -> Steps[None]:
    """Raise unless a row satisfies its table."""
    try:
        rules.check(row, x.context)
    except TakesLongError:
        yield from check(x, rules, row)


def entry(x: Execution, rule: UniqueRule, row: Row) -> Steps[Row | None]:
    """The entry of a row in a unique index; None: it has none."""
    try:
        return rule.entry(row, x.context)
    except TakesLongError:
        pass
    if rule.where is not None and (yield from value(x, rule.where, row)) is not True:
        return None
    return rule.entry_of((yield from values(x, rule.values, row)), row)


def values(x: Execution, closures: Sequence[Closure | None], row: Row) -> Steps[list[Value]]:
    """The values of expressions of which one was refused here, for its own cost or that of others before it.

    None is NULL. Raises what the expressions raise, and 0A000 for what can be computed neither here nor in a
    worker.
    """
    yield from breathe()
    found: list[Value] = []
    rest: dict[int, Origin] = {}
    for at, closure in enumerate(closures):
        renew(x)
        try:
            found.append(None if closure is None else closure(row, x.context))
        except TakesLongError:
            source = None if closure is None else origin(closure)
            if source is None:
                raise
            found.append(None)
            rest[at] = source
    if rest:
        made = yield from _computed(x, [_settled(source, row) for source in rest.values()])
        for at, value_ in zip(rest, made, strict=True):
            found[at] = value_
    renew(x)
    return found


def value(x: Execution, closure: Closure, row: Row) -> Steps[Value]:
    """The same of one."""
    (found,) = yield from values(x, (closure,), row)
    return found


def check(x: Execution, rules: RowRules, row: Row) -> Steps[None]:
    """`RowRules.check` where a CHECK was refused here."""
    for domain in rules.domains:
        given = row[domain.at]
        domain.check_null(given)
        for name, closure in domain.checks:
            if (yield from value(x, closure, (given,))) is False:
                raise domain.violation(name)
    rules.check_columns(row, x.context)
    for name, closure in rules.checks:
        if (yield from value(x, closure, row)) is False:
            raise rules.violation(name, row, x.context)


def _settled(source: Origin, row: Row) -> Expr:
    """The tree with the row's values in it."""

    def put(node: Node) -> Node:
        if isinstance(node, ColumnRef):
            return Const(row[source.slots(node)], node.type, node.typmod, node.position)
        return map_children(node, put)

    found: Expr = put(source.tree)
    return found


def _computed(x: Execution, trees: Sequence[Expr]) -> Steps[list[Value]]:
    """The values of expressions without columns: in a worker, but for calls that only the server can make."""
    home = {at: tree for at, tree in enumerate(trees) if _stays(tree)}
    away = [tree for at, tree in enumerate(trees) if at not in home]
    found: list[Value] = list((yield from _asked(x, away)) if away else ())
    for at, tree in home.items():
        if not isinstance(tree, Call):
            raise TakesLongError
        # A call's arguments are computed before it in any case.
        given = yield from _computed(x, tree.args)
        args = [_const(arg, one) for arg, one in zip(tree.args, given, strict=True)]
        renew(x)
        found.insert(at, evaluate(replace(tree, args=tuple(args)), x.context))
    return found


def _stays(tree: Expr) -> bool:
    return any(isinstance(node, Call) and at_home(node) for node in walk(tree))


def _const(expr: Expr, value_: Value) -> Const:
    """The value of an expression, in its place."""
    return Const(value_, expr.type, expr.typmod, location(expr))


def _asked(x: Execution, trees: Sequence[Expr]) -> Steps[Row]:
    columns = tuple([OutputColumn(f"c{at}", t.type, t.typmod) for at, t in enumerate(trees)])
    targets = tuple([Target(tree, c.name) for tree, c in zip(trees, columns, strict=True)])
    query = Select(targets, columns, ())
    large = extent(query) > LARGE_NODES
    compiling = partial(compiled, query)
    program = (yield from aside(compiling, user=x.payer)) if large else compiling()
    if program is None:
        raise TakesLongError
    values_ = [node.value for tree in trees for node in walk(tree) if isinstance(node, Const)]
    large = large or are_large(values_)
    size = int(volume(tuple(values_))) if large else 0
    plan = ProgramPlan(columns, query, program, _no_catalogue, large=large, constant_bytes=size)
    source = yield from plan.source(x)
    try:
        (row,) = yield from source.every()
    finally:
        source.close()
    return row


def _no_catalogue(query: Query, x: Execution) -> Steps[RowSource]:
    raise AssertionError("expressions read no relations")
    yield
