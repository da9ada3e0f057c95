"""What CREATE FUNCTION and AGGREGATE ask of bodies: that they can be bound, and give what was declared."""

from catalog.errors import FeatureNotSupportedError
from catalog.functions import Function
from catalog.types import registry as types
from kalam_pg.sql.bind import BindScope, bind
from kalam_pg.sql.bind_user_aggregate import made_aggregate
from kalam_pg.sql.function_body import type_of, whole_statements
from kalam_pg.sql.function_call import Called, path_of
from kalam_pg.sql.function_choice import Chosen
from kalam_pg.sql.function_result import fitted, mismatch
from kalam_pg.sql.overloads import POLYMORPHIC
from kalam_pg.sql.scope import Binding
from kalam_pg.sql.statements import QueryStatement, Statement, Unsupported, command_name
from kalam_pg.sql.tree import Bound, Const, OutputColumn, Query, ValuesQuery


def declared(function: Function, scope: BindScope) -> Chosen:
    """A function as if it were called with what it is declared to take."""
    inputs = tuple([type_of(scope.snapshot, p.type) for p in function.inputs])
    outputs = tuple([type_of(scope.snapshot, p.type) for p in function.outputs])
    result = type_of(scope.snapshot, function.result)
    return Chosen(function, (), (), result, inputs, outputs, packed=False)


def check_body(function: Function, scope: BindScope, allowed: tuple[type, ...]) -> tuple[int, ...]:
    """Bind a body's statements. Returns the ids of what they name, if it can be bound at all by now.

    allowed: the kinds of statements that a body may have.

    Raises what parsing and binding raise, 42P13, 0A000.
    """
    found = whole_statements(function)
    for statement in found:
        _check_kind(statement, allowed)
    chosen = declared(function, scope)
    if any(kind.name in POLYMORPHIC for kind in chosen.inputs):
        return ()
    names = tuple([p.name for p in function.inputs])
    inner = BindScope(
        *(scope.snapshot, path_of(function, scope.search_path), scope.virtual, chosen.inputs),
        *(scope.types, names, function.name),
    )
    reads: dict[int, None] = {}
    bound: Bound | None = None
    for statement in found:
        bound = None
        if isinstance(statement, QueryStatement):
            bound = bind(statement, inner)
            reads.update(dict.fromkeys([*bound.relations, *[f.id for f in bound.functions]]))
            reads.update(dict.fromkeys([t.id for t in bound.tables]))
    _check_result(chosen, bound, inner)
    return tuple(reads)


def check_aggregate(function: Function, scope: BindScope) -> None:
    """Bind what an aggregate does with each row, as far as its types are known. Raises 0A000."""
    chosen = declared(function, scope)
    if any(kind.name in POLYMORPHIC for kind in chosen.inputs):
        return
    state = Binding(scope)
    values = tuple([Const(None, kind) for kind in chosen.inputs])
    made_aggregate(state, Called(chosen, values, 0))


def _check_kind(statement: Statement, allowed: tuple[type, ...]) -> None:
    if isinstance(statement, Unsupported):
        raise FeatureNotSupportedError(f"{statement.what} is not supported yet")
    if not isinstance(statement, allowed):
        raise FeatureNotSupportedError(
            f"{command_name(statement)} is not allowed in an SQL function"
        )


def _check_result(chosen: Chosen, last: Bound | None, scope: BindScope) -> None:
    """Raise 42P13 unless the last statement gives what the function is declared to give back."""
    if chosen.result is types.VOID:
        return
    if last is None or not (isinstance(last.statement, Query) or last.columns):
        raise mismatch(
            chosen, "Function's final statement must be SELECT or INSERT/UPDATE/DELETE RETURNING."
        )
    state = Binding(scope)
    state.columns = [()]
    shown: tuple[OutputColumn, ...] = last.columns
    fitted(state, chosen, ValuesQuery(0, (), shown))
