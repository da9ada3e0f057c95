"""Binding of function calls, and of the few functions that have a node of their own."""

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from catalog.errors import (
    AmbiguousFunctionError,
    DatatypeMismatchError,
    FeatureNotSupportedError,
    GroupingError,
    SqlSyntaxError,
    UndefinedFunctionError,
    WrongObjectTypeError,
)
from catalog.extensions import IN_PUBLIC
from catalog.model import UserType
from catalog.pg_catalog.text import OURS
from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from catalog.types.user_ranges import defined_range
from kalam_pg.functions import lookup
from kalam_pg.functions.comparison import comparable
from kalam_pg.functions.table import Overload, OverloadKind, Volatility
from kalam_pg.sql.bind_arguments import in_order, is_named
from kalam_pg.sql.bind_expr import apply_operator, bind_expr, handles, unsupported
from kalam_pg.sql.bind_populate import NAMES as POPULATE
from kalam_pg.sql.bind_populate import populated
from kalam_pg.sql.bind_true_type import TRUE_TYPES
from kalam_pg.sql.coerce import argument, coerce, note_call, unify
from kalam_pg.sql.overloads import (
    Ambiguous,
    NotBuilt,
    find_cast,
    resolve_function,
    resolve_operator,
    resolve_range,
    resolve_variadic,
)
from kalam_pg.sql.positions import position
from kalam_pg.sql.row_values import field, fields_of
from kalam_pg.sql.scope import Level
from kalam_pg.sql.support_functions import behind_operators, is_behind_operators
from kalam_pg.sql.tree import (
    ArrayExpr,
    Call,
    Coalesce,
    Const,
    Expr,
    Grouping,
    MinMax,
    NullIf,
    OuterAggregate,
    Param,
)
from kalam_pg.sql.walk import column_refs, location

# Clauses in which a set-returning function may stand.
_SETS_ALLOWED = frozenset(("SELECT", "ORDER BY", "GROUP BY", "DISTINCT ON", "FROM"))

# Filled by `bind_aggregate`.
AGGREGATE: list[Callable[[Level, exp.Anonymous], Expr]] = []

# Filled by `bind_aggregate` too: a call that may be of an aggregate that somebody made, None where it is not.
USER_AGGREGATE: list[Callable[[Level, exp.Anonymous], Expr | None]] = []

# Filled by `bind_function`: a call that may be of a function that somebody made, None where it is not; and
# such a call by its name and arguments alone.
USER_CALL: list[Callable[[Level, exp.Anonymous], Expr | None]] = []
USER_CALL_OF: list[Callable[[Level, str, tuple[Expr, ...], int], Expr | None]] = []


@handles(exp.Anonymous)
def _call(level: Level, node: exp.Anonymous) -> Expr:
    if (made := _qualified_range_call(level, node)) is not None:
        return made
    if (made := USER_AGGREGATE[0](level, node)) is not None:
        return made
    if (called := USER_CALL[0](level, node)) is not None:
        return called
    name, schema = call_name(node)
    if not schema:
        special = _SPECIAL.get(name)
        if special is not None:
            return special(level, node)
        path = level.state.scope.search_path
        if name in _ELSEWHERE["information_schema"] and "information_schema" not in path:
            raise no_function(name, arguments(level, node), position(node))
    if name in TRUE_TYPES:
        return TRUE_TYPES[name](level, node)
    if lookup.aggregates(name):
        return AGGREGATE[0](level, node)
    at = position(node)
    if lookup.windows(name) and not lookup.functions(name):
        raise WrongObjectTypeError(f"window function {name} requires an OVER clause", position=at)
    if is_named(node):
        call = call_function(level, name, in_order(level, name, node), at)
        plain_call_only(name, node)
        return call
    if node.args.get("variadic"):
        call = _call_spread(level, name, node)
        plain_call_only(name, node)
        return call
    operands = _without_void(arguments(level, node))
    call = call_function(level, name, operands, at, own=bool(schema))
    plain_call_only(name, node)
    if operands and node.meta.get("keyword") and isinstance(operands[0], Const):
        # CURRENT_TIMESTAMP(3) has the typmod of timestamptz(3).
        digits = operands[0].value
        assert isinstance(digits, int)
        return replace(call, typmod=min(digits, 6))
    return call


_ELSEWHERE = {
    "system": OURS,
    "public": IN_PUBLIC,
    "information_schema": frozenset(
        (
            *("_pg_expandarray", "_pg_index_position", "_pg_truetypid", "_pg_truetypmod"),
            *("_pg_char_max_length", "_pg_char_octet_length", "_pg_datetime_precision"),
            *("_pg_numeric_precision", "_pg_numeric_precision_radix", "_pg_numeric_scale"),
            "_pg_interval_type",
        )
    ),
}
"""Functions of other schemas than pg_catalog."""


def call_name(node: exp.Anonymous) -> tuple[str, str]:
    """Function name and schema ("" when none, or pg_catalog, was written; that of our own is `system`).

    A call in any other schema is answered 42883: functions cannot be created here.
    """
    name, schema = node.args["this"], node.args.get("schema")
    if type(name) is not str:
        name = name.name
    if not schema:
        return name, ""
    schema = schema if type(schema) is str else schema.name
    if schema != "pg_catalog" and name not in _ELSEWHERE.get(schema, ()):
        raise UndefinedFunctionError(
            f"function {schema}.{name} does not exist",
            hint="No function matches the given name and argument types. You might need to add "
            "explicit type casts.",
            position=position(node),
        )
    return name, "pg_catalog"


def arguments(level: Level, node: exp.Anonymous) -> tuple[Expr, ...]:
    """The bound arguments; VARIADIC ARRAY[…] is spread out."""
    bound = []
    for item in node.expressions:
        if type(item) is exp.Star:
            break
        if type(item) is exp.Kwarg:
            raise unsupported("a named argument here", item)
        bound.append(bind_expr(level, item))
    if node.args.get("variadic"):
        last = bound.pop()
        if isinstance(last, ArrayExpr):
            bound.extend(last.items)
        elif isinstance(last, Const) and isinstance(last.value, tuple) and last.type.element:
            element = last.type.element
            bound.extend(Const(v, element, -1, last.position) for v in last.value)
        else:
            raise unsupported("VARIADIC of an array that is not written out", node)
    return tuple(bound)


def _call_spread(level: Level, name: str, node: exp.Anonymous) -> Expr:
    """f(…, VARIADIC array): the elements are the last arguments, however many there are."""
    operands = tuple([bind_expr(level, item) for item in node.expressions])
    at = position(node)
    array = operands[-1].type
    if array is types.UNKNOWN and not _takes_any(name):
        array = types.array_of(types.TEXT) or types.TEXT
    if array.element is None:
        raise DatatypeMismatchError(
            "VARIADIC argument must be an array", position=location(operands[-1]) or at
        )
    kinds = (*[e.type for e in operands[:-1]], array.element)
    try:
        found = resolve_variadic(name, kinds)
    except (Ambiguous, NotBuilt):
        found = None
    if found is None or len(found.overload.args) != len(kinds):
        raise no_function(name, operands, at)
    item = found.args[-1]
    wanted = array if item is types.ANY else types.array_of(item) or array
    cast = [argument(level.state, e, d) for e, d in zip(operands, found.args[:-1], strict=False)]
    last = coerce(level.state, operands[-1], wanted, "i")
    assert last is not None  # an array of what resolution took its elements for
    cast.append(last)
    call = Call(lookup.spread(found.overload), tuple(cast), found.result, -1, at)
    return note_call(level.state, call)


def _takes_any(name: str) -> bool:
    return any(o.variadic and o.args[-1] is types.ANY for o in lookup.functions(name))


def _without_void(operands: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The arguments but for parameters declared `void`: with these JDBC marks what a call gives back."""
    return tuple([e for e in operands if not (isinstance(e, Param) and e.type is types.VOID)])


def plain_call_only(name: str, node: exp.Anonymous) -> None:
    """Refuse what only an aggregate may have: DISTINCT, ORDER BY."""
    at = position(node)
    if node.args.get("distinct"):
        what = f"DISTINCT specified, but {name} is not an aggregate function"
    elif node.args.get("order"):
        what = f"ORDER BY specified, but {name} is not an aggregate function"
    else:
        return
    raise WrongObjectTypeError(what, position=at)


def call_function(
    level: Level, name: str, operands: tuple[Expr, ...], at: int, *, own: bool = False
) -> Expr:
    """The call of the function these arguments select; 42883 or 42725 when none is.

    own: it is one of PostgreSQL's or our own, and no other.
    """
    made = None if own else USER_CALL_OF[0](level, name, operands, at)
    if made is not None:
        return made
    kinds = tuple(e.type for e in operands)
    try:
        found = resolve_function(name, kinds)
    except Ambiguous:
        raise ambiguous_call(name, operands, at) from None
    except NotBuilt as missing:
        raise unsupported(f"function {missing}", at=at) from None
    if found is None and lookup.known_elsewhere(name):
        found = behind_operators(name, kinds)
    if found is None:
        scope = level.state.scope
        user_type = scope.snapshot.find_type("", name, scope.search_path)
        if (value := _range_call(level, user_type, operands, at)) is not None:
            return value
        if (as_cast := _type_call(level, name, operands)) is not None:
            return as_cast
        if (of_row := _attribute_call(level, name, operands, at)) is not None:
            return of_row
        raise no_function(name, operands, at)
    overload = found.overload
    if overload.volatility is Volatility.VOLATILE:
        level.state.volatile = True
    if overload.kind is OverloadKind.SET:
        check_set(level, at)
    state = level.state
    cast = tuple(argument(state, e, d) for e, d in zip(operands, found.args, strict=True))
    call = note_call(state, Call(overload, cast, found.result, -1, at))
    return populated(level, call) if name in POPULATE else call


def no_sets(level: Level, before: int, construct: str) -> None:
    """0A000 for a function that gives a set in what may not be computed at all.

    before: how many such calls there were when its binding began (`Level.sets`).
    """
    sets = level.sets
    if len(sets) > before:
        raise FeatureNotSupportedError(
            f"set-returning functions are not allowed in {construct}",
            hint="You might be able to move the set-returning function into a LATERAL FROM item.",
            position=sets[before],
        )


def check_set(level: Level, at: int) -> None:
    """Note a call that gives a set. Raises 0A000 where none may stand."""
    if level.inside:
        what = "aggregate" if level.inside == "aggregate" else "window"
        raise FeatureNotSupportedError(
            f"{what} function calls cannot contain set-returning function calls",
            hint="You might be able to move the set-returning function into a LATERAL FROM item.",
            position=at,
        )
    if level.clause not in _SETS_ALLOWED:
        places = {"JOIN/ON": "JOIN conditions", "WHEN": "MERGE WHEN conditions"}
        place = places.get(level.clause, level.clause)
        raise FeatureNotSupportedError(
            f"set-returning functions are not allowed in {place}", position=at
        )
    level.sets.append(at)


def _qualified_range_call(level: Level, node: exp.Anonymous) -> Expr | None:
    """`shop.price_span(1, 2)`; None for a call of anything else."""
    name, schema = node.args["this"], node.args.get("schema")
    if not schema:
        return None
    name, schema = (word if type(word) is str else word.name for word in (name, schema))
    made = level.state.scope.snapshot.find_type(schema, name, ())
    if made is None or defined_range(made.pg_type) is None:
        return None
    operands, at = arguments(level, node), position(node)
    call = _range_call(level, made, operands, at)
    if call is None:
        raise no_function(f"{schema}.{name}", operands, at)
    return call


def _range_call(
    level: Level, made: UserType | None, operands: tuple[Expr, ...], at: int
) -> Expr | None:
    """`price_span(1, 2)`: a value of a range or multirange type that somebody made."""
    definition = None if made is None else defined_range(made.pg_type)
    if made is None or definition is None:
        return None
    kind = made.pg_type
    found = resolve_range(definition, kind, tuple([e.type for e in operands]))
    if found is None:
        return None
    cast = [argument(level.state, e, d) for e, d in zip(operands, found.args, strict=True)]
    call = Call(found.overload, (Const(None, kind, -1, at), *cast), kind, -1, at)
    return note_call(level.state, call)


def _type_call(level: Level, name: str, operands: tuple[Expr, ...]) -> Expr | None:
    """`int4(x)`: a type's name called like a function is a cast."""
    if len(operands) != 1:
        return None
    target = types.by_name(name)
    if target is None:
        scope = level.state.scope
        made = scope.snapshot.find_type("", name, scope.search_path)
        target = None if made is None else made.pg_type
        if target is not None and isinstance(target.definition, DomainDefinition):
            raise FeatureNotSupportedError(f"{name}(value) is not supported, but CAST is")
    if target is None or target.pseudo:
        return None
    source = operands[0].type
    if target.category == "S" and (source is types.RECORD or composite_of(source) is not None):
        return None  # PostgreSQL has that as a cast alone: a field may be called text.
    if source is types.UNKNOWN or find_cast(source, target, "e") is not None:
        return coerce(level.state, operands[0], target, "e")
    return None


def _attribute_call(level: Level, name: str, operands: tuple[Expr, ...], at: int) -> Expr | None:
    """`field(row)`: a field that is called like a function."""
    if len(operands) != 1:
        return None
    for index, column in enumerate(fields_of(level.state, operands[0])):
        if column.name == name:
            return field(operands[0], index, column, at)
    return None


def no_function(name: str, operands: tuple[Expr, ...], at: int) -> Exception:
    """42883 `function f(integer) does not exist`, or 0A000 when PostgreSQL has it."""
    described = f"{name}({', '.join(e.type.sql_name for e in operands)})"
    several_arrays = name == "unnest" and len(operands) > 1
    if several_arrays or (lookup.known_elsewhere(name) and not _known_here(name)):
        return FeatureNotSupportedError(f"function {described} is not supported", position=at)
    return UndefinedFunctionError(
        f"function {described} does not exist",
        hint="No function matches the given name and argument types. You might need to add "
        "explicit type casts.",
        position=at,
    )


def _known_here(name: str) -> bool:
    here = lookup.functions(name) or lookup.aggregates(name) or lookup.windows(name)
    return bool(here) or is_behind_operators(name)


def ambiguous_call(name: str, operands: tuple[Expr, ...], at: int) -> AmbiguousFunctionError:
    """42725 in PostgreSQL's words."""
    described = f"{name}({', '.join(e.type.sql_name for e in operands)})"
    return AmbiguousFunctionError(
        f"function {described} is not unique",
        hint="Could not choose a best candidate function. You might need to add explicit type "
        "casts.",
        position=at,
    )


# --------------------------------------------------------------- calls with a node of their own


def _coalesce(level: Level, node: exp.Anonymous) -> Expr:
    before = len(level.sets)
    operands = _some(level, node, "COALESCE")
    no_sets(level, before, "COALESCE")
    kind, typmod, cast = unify(level.state, operands, "COALESCE")
    return Coalesce(cast, kind, typmod, position(node))


def _nullif(level: Level, node: exp.Anonymous) -> Expr:
    operands = arguments(level, node)
    if len(operands) != 2:
        raise SqlSyntaxError("NULLIF takes two arguments", position=position(node))
    call = apply_operator(level, "=", operands, position(node))
    assert isinstance(call, Call)
    left, right = call.args
    return NullIf(left, right, call.overload, left.type, left.typmod, position(node))


def _min_max(level: Level, node: exp.Anonymous) -> Expr:
    name = node.args["this"].upper()
    operands = _some(level, node, name)
    kind, typmod, cast = unify(level.state, operands, name)
    less = ordering(kind, position(node))
    return MinMax(name == "GREATEST", cast, less, kind, typmod, position(node))


def _some(level: Level, node: exp.Anonymous, name: str) -> tuple[Expr, ...]:
    operands = arguments(level, node)
    if not operands:
        raise SqlSyntaxError(f"{name} takes at least one argument", position=position(node))
    return operands


def ordering(kind: PgType, at: int) -> Overload:
    """The `<` operator of a type; 42883 when its values have no order."""
    found = resolve_operator("<", (kind, kind))
    if found is None or not comparable(kind):
        raise UndefinedFunctionError(
            f"could not identify an ordering operator for type {kind.sql_name}",
            hint="Use an explicit ordering operator or modify the query.",
            position=at,
        )
    return found.overload


def equality(kind: PgType, at: int) -> Overload:
    """The `=` operator of a type; 42883 when its values cannot be told apart."""
    found = resolve_operator("=", (kind, kind))
    if found is None or not comparable(kind):
        raise UndefinedFunctionError(
            f"could not identify an equality operator for type {kind.sql_name}", position=at
        )
    return found.overload


def _grouping(level: Level, node: exp.Anonymous) -> Expr:
    """GROUPING(…), of the query whose columns it names."""
    at = position(node)
    made = Grouping(arguments(level, node), types.INT4, -1, at)
    up = min([up for up, _ in column_refs(made) if up >= 0], default=0)
    owner = next(found for n, found in level.levels() if n == up)
    if owner.clause not in ("SELECT", "HAVING", "ORDER BY", "window definitions"):
        raise GroupingError(f"grouping operations are not allowed in {owner.clause}", position=at)
    owner.has_aggregates = True
    return OuterAggregate(made, up, made.type, -1, at) if up else made


_SPECIAL: dict[str, Callable[[Level, exp.Anonymous], Expr]] = {
    "coalesce": _coalesce,
    "nullif": _nullif,
    "greatest": _min_max,
    "least": _min_max,
    "grouping": _grouping,
}
