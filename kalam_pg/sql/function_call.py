"""Calls of functions that people made: which one is meant, its arguments, and where its body is bound."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlglot import exp

from catalog.changes_depend import Then
from catalog.errors import (
    DatatypeMismatchError,
    FeatureNotSupportedError,
    GroupingError,
    InvalidSchemaNameError,
    StatementTooComplexError,
    WrongObjectTypeError,
)
from catalog.functions import Function
from catalog.snapshot import Snapshot
from catalog.types import registry as types
from kalam_pg.sql.bind_call import (
    ambiguous_call,
    no_function,
    plain_call_only,
)
from kalam_pg.sql.bind_expr import bind_expr
from kalam_pg.sql.coerce import argument, coerce
from kalam_pg.sql.function_body import single_query
from kalam_pg.sql.function_choice import Chosen, Given, choose_function
from kalam_pg.sql.overloads import Ambiguous
from kalam_pg.sql.parse import parse_expression
from kalam_pg.sql.positions import position
from kalam_pg.sql.relation_source import RelationSource
from kalam_pg.sql.row_values import field, fields_of
from kalam_pg.sql.scope import Binding, BindScope, Item, Level, names_of
from kalam_pg.sql.tree import (
    ArrayExpr,
    Const,
    Expr,
    OutputColumn,
)
from storage.errors import KalamError

FUNCTION = "()"
"""What a function's name ends with among those of the views around it (`Binding.views`)."""

_DEEP_MAX = 64
_CALLS_MAX = 500
"""So many calls of one statement are bound: each is a copy of a body."""


@dataclass(frozen=True, slots=True)
class Called:
    """A call that is of `chosen`, with a value for each of its inputs, in their order."""

    chosen: Chosen
    values: tuple[Expr, ...]
    at: int

    @property
    def function(self) -> Function:
        """The one that is called."""
        return self.chosen.function


# ------------------------------------------------------------------ which function


def called(level: Level, node: exp.Anonymous) -> Called | None:
    """What a call in a text means; None where it is of no function that somebody made.

    Only where there are functions of that name are its arguments bound.
    """
    name, schema = name_called(node)
    scope = level.state.scope
    functions = scope.snapshot.functions_named(schema, name, scope.search_path)
    if not functions:
        if schema and not scope.snapshot.has_schema(schema):
            raise InvalidSchemaNameError(
                f'schema "{schema}" does not exist', position=position(node)
            )
        return None
    at = position(node)
    names: list[str] = []
    values: list[Expr] = []
    for item in node.expressions:
        if type(item) is exp.Star:
            return None
        named = type(item) is exp.Kwarg
        if named:
            names.append(item.args["this"].name)
        values.append(bind_expr(level, item.args["expression"] if named else item))
    given = Given(tuple([e.type for e in values]), tuple(names), bool(node.args.get("variadic")))
    found = overload_call(level, functions, name if not schema else "", tuple(values), given, at)
    if found is None:
        raise no_function(f"{schema}.{name}" if schema else name, tuple(values), at)
    plain_call_only(name, node)
    return found


def name_called(node: exp.Anonymous) -> tuple[str, str]:
    """The name, and the schema, "" without one."""
    name, schema = node.args["this"], node.args.get("schema")
    name = name if type(name) is str else name.name
    if not schema:
        return name, ""
    return name, schema if type(schema) is str else schema.name


def overload_call(
    level: Level,
    functions: Sequence[Function],
    beside: str,
    values: tuple[Expr, ...],
    given: Given,
    at: int,
) -> Called | None:
    """The call of one of these functions, or None. Raises 42725, 42809 for a procedure.

    beside: see `choose_function`.
    """
    snapshot = level.state.scope.snapshot
    try:
        chosen = choose_function(functions, snapshot, given, beside)
    except Ambiguous:
        raise ambiguous_call(functions[0].name, values, at) from None
    if chosen is None:
        return None
    function = chosen.function
    if function.kind == "a":  # Where one may stand, `bind_user_aggregate` has found it before.
        raise GroupingError("aggregate functions are not allowed in functions in FROM", position=at)
    if function.kind == "p" and not level.state.scope.calling:
        raise WrongObjectTypeError(
            f"{_shown(chosen)} is a procedure", hint="To call a procedure, use CALL.", position=at
        )
    made = Called(chosen, input_values(level, chosen, values), at)
    if level.state.trace is not None:
        level.state.trace.calls[at] = made
    return made


def _shown(chosen: Chosen) -> str:
    return f"{chosen.function.name}({', '.join([t.sql_name for t in chosen.inputs])})"


def input_values(level: Level, chosen: Chosen, values: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """A value for each input: those given as its type, the last ones of VARIADIC as an array, defaults."""
    state, function = level.state, chosen.function
    values = tuple([argument(state, e, d) for e, d in zip(values, chosen.types, strict=True)])
    found: dict[int, Expr] = {}
    packed: list[Expr] = []
    last = len(function.inputs) - 1
    for place, value in zip(chosen.places, values, strict=True):
        if chosen.packed and place == last:
            packed.append(value)
        else:
            found[place] = value
    if packed:
        kind = types.array_of(packed[0].type)
        if kind is None:
            raise DatatypeMismatchError(
                f"could not find array type for data type {packed[0].type.sql_name}"
            )
        found[last] = ArrayExpr(tuple(packed), kind, -1, packed[0].position)
    return tuple(
        [
            found[at] if at in found else _default(level, chosen, at)
            for at in range(len(function.inputs))
        ]
    )


def _default(level: Level, chosen: Chosen, at: int) -> Expr:
    function, kind = chosen.function, chosen.inputs[at]
    with body_scope(level.state, function):
        value = bind_expr(
            Level(level.state, clause="DEFAULT expressions"),
            parse_expression(function.inputs[at].default),
        )
        found = coerce(level.state, value, kind, "a")
    if found is None:
        raise DatatypeMismatchError(
            f"argument of DEFAULT must be type {kind.sql_name}, not type {value.type.sql_name}"
        )
    return _without_places(found)


def _without_places(expr: Expr) -> Expr:
    return replace(expr, position=0)


# ------------------------------------------------------------------ where a body is bound


def path_of(function: Function, search_path: Sequence[str]) -> tuple[str, ...]:
    """Where a function's names are looked up that is called where there is a search path."""
    for name, value in function.settings:
        if name == "search_path":
            return tuple([part.strip().strip('"') for part in value.split(",")])
    return function.search_path if function.standard else tuple(search_path)


@contextmanager
def body_scope(state: Binding, function: Function) -> Iterator[None]:
    """Names mean what they mean in a function's body; errors have no place in the client's text."""
    before = (state.scope, state.text, state.views, state.inside, state.trace)
    scope = state.scope
    path = path_of(function, scope.search_path)
    snapshot: RelationSource = scope.snapshot
    if isinstance(snapshot, Then):
        snapshot = snapshot.now
    if function.standard and isinstance(snapshot, Snapshot):
        snapshot = Then(snapshot, (), function.reads)
    state.scope = BindScope(snapshot, path, scope.virtual, (), scope.types)
    state.text = function.body
    state.views = (*state.views, f"{function.namespace}.{function.name}{FUNCTION}")
    state.inside = (*state.inside, function.id)
    state.trace = None
    try:
        yield
    except KalamError as error:
        error.position = 0
        if "SQL function" not in error.context:
            error.context = f'SQL function "{function.name}" during inlining'
        raise
    finally:
        state.scope, state.text, state.views, state.inside, state.trace = before


def enter(level: Level, call: Called) -> None:
    """Note a call. Raises 0A000 for one inside of itself, 54001 for too many, or too deep ones."""
    state, function = level.state, call.function
    state.functions[function.id] = function
    if not state.views:
        state.relations[function.id] = None
    if function.id in state.inside:
        raise FeatureNotSupportedError(
            f"recursive function {function.name} is not supported", position=call.at
        )
    state.calls += 1
    state.early = state.early or any(type(value) is Const for value in call.values)
    if len(state.inside) >= _DEEP_MAX or state.calls > _CALLS_MAX:
        raise StatementTooComplexError(
            "stack depth limit exceeded",
            detail="Functions call each other too often, or too deep.",
        )
    state.views_characters += len(function.body)


def arguments_level(state: Binding, call: Called) -> Level:
    """The level around a body: what its names and $n mean if nothing in the body has the name."""
    function = call.function
    columns = tuple(
        [
            OutputColumn(p.name, e.type, e.typmod)
            for p, e in zip(function.inputs, call.values, strict=True)
        ]
    )
    relation = state.relation(columns)
    state.arguments.add(relation)
    names = {name: at for name, at in names_of(columns).items() if name}
    item = Item(function.name, relation, columns, names)
    level = Level(state, None, [item], clause="SELECT", arguments=item)
    for at, value in enumerate(call.values):
        fields = fields_of(state, value)
        if fields and columns[at].name and columns[at].name != function.name:
            ref = item.ref(at, 0)
            exprs = tuple([field(ref, place, one) for place, one in enumerate(fields)])
            row = Item(columns[at].name, relation, fields, names_of(fields), exprs=exprs)
            row.cols_visible = False
            level.items.append(row)
    return level


def body_of(call: Called) -> exp.Expr:
    """The query of a function that is one. Raises 0A000 for others."""
    function = call.function
    found = single_query(function)
    if found is None:
        raise FeatureNotSupportedError(
            f"calling function {function.name} here is not supported",
            detail="Its body is not a single query.",
            position=call.at,
        )
    return found
