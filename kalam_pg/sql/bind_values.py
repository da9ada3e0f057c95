"""Binding of casts, CASE, rows, arrays, subscripts and fields."""

from collections.abc import Callable, Sequence

from sqlglot import exp

from catalog.errors import (
    DatatypeMismatchError,
    IndeterminateDatatypeError,
    UndefinedColumnError,
    UndefinedObjectError,
    WrongObjectTypeError,
)
from catalog.types import registry as types
from catalog.types.array_input import DIMENSIONS_MAX, too_many_dimensions
from catalog.types.bits import read_bits
from catalog.types.composite import composite_of
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from kalam_pg.sql.bind_call import call_function, no_sets
from kalam_pg.sql.bind_domain import cast_to_domain, checks_of
from kalam_pg.sql.bind_expr import apply_operator, bind_expr, consumed, handles, unsupported
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.coerce import coerce, explicit_cast, to_boolean, unify
from kalam_pg.sql.constancy import is_constant
from kalam_pg.sql.dialect import type_name
from kalam_pg.sql.positions import position
from kalam_pg.sql.row_values import field as field_of
from kalam_pg.sql.row_values import fields_of
from kalam_pg.sql.scope import (
    Level,
    find_item,
    resolve_column,
    resolve_item,
    resolve_qualified,
)
from kalam_pg.sql.tree import (
    ArrayExpr,
    Case,
    CaseOperand,
    ColumnRef,
    Const,
    Expr,
    RowExpr,
    Slice,
    Subscript,
)
from storage.errors import KalamError

# ------------------------------------------------------------------------------------- casts


@handles(exp.Cast)
def _cast(level: Level, node: exp.Cast) -> Expr:
    scope = level.state.scope
    target, typmod = resolve_type(type_name(node.args["to"]), scope.snapshot, scope.search_path)
    inner = node.args["this"]
    at = position(node)
    domain = target.definition if isinstance(target.definition, DomainDefinition) else None
    base = target if domain is None else domain.base
    if type(inner) is exp.Array and base.element is not None and not _is_subquery(inner):
        arg = _array(level, inner, base)
    else:
        arg = bind_expr(level, inner)
    if domain is not None:
        return cast_to_domain(level.state, arg, domain, at, checks_of(level.state, domain))
    return explicit_cast(level.state, arg, target, typmod, at)


@handles(exp.BitString, exp.HexString)
def _bit_string(_level: Level, node: exp.Expr) -> Expr:
    mark = "x" if type(node) is exp.HexString else "b"
    try:
        bits = read_bits(mark + node.args["this"])
    except KalamError as error:
        error.position = position(node)
        raise
    return Const(bits, types.BIT, -1, position(node))


@handles(exp.Collate)
def _collate(level: Level, node: exp.Collate) -> Expr:
    column = node.args["expression"]
    name = column.name
    if name not in ("C", "POSIX", "default", "ucs_basic"):
        raise UndefinedObjectError(
            f'collation "{name}" for encoding "UTF8" does not exist', position=position(node)
        )
    arg = bind_expr(level, node.args["this"])
    if arg.type is types.UNKNOWN:
        arg = coerce(level.state, arg, types.TEXT) or arg
    if not arg.type.collatable:
        raise DatatypeMismatchError(
            f"collations are not supported by type {arg.type.sql_name}", position=position(node)
        )
    # There is one collation, "C": the clause changes nothing.
    return arg


@handles(exp.AtTimeZone)
def _at_time_zone(level: Level, node: exp.AtTimeZone) -> Expr:
    operands = (bind_expr(level, node.args["zone"]), bind_expr(level, node.args["this"]))
    return call_function(level, "timezone", operands, position(node))


# ---------------------------------------------------------------------------- CASE, rows, arrays


@handles(exp.Case)
def _case(level: Level, node: exp.Case) -> Expr:
    state, args = level.state, node.args
    operand = args.get("this")
    before = len(level.sets)
    once, kept = _operand_of_all(level, operand, args["ifs"])
    conditions: list[Expr] = []
    results: list[Expr] = []
    for branch in args["ifs"]:
        test = branch.args["this"]
        if operand is None:
            bound = to_boolean(state, bind_expr(level, test), "CASE/WHEN")
        else:
            sides = (once or _case_operand(level, operand), bind_expr(level, test))
            bound = apply_operator(level, "=", sides, position(branch) or position(test))
        conditions.append(bound)
        results.append(bind_expr(level, branch.args["true"]))
    default = args.get("default")
    last = Const(None, types.UNKNOWN) if default is None else bind_expr(level, default)
    no_sets(level, before, "CASE")
    # PostgreSQL looks at ELSE first when it chooses the common type.
    kind, typmod, cast = unify(state, [last, *results], "CASE")
    whens = tuple(zip(conditions, cast[1:], strict=True))
    return Case(whens, cast[0], kind, typmod, position(node), kept)


def _operand_of_all(
    level: Level, node: exp.Expr | None, branches: Sequence[exp.Expr]
) -> tuple[Expr | None, Expr | None]:
    """What stands for the operand in all conditions, None: each has one of its own; and what to compute once.

    A parameter or a literal may have its type from each condition.
    """
    if node is None or isinstance(node, _BOUND_AFRESH):
        return None, None
    if any(branch.args["this"].find(exp.Query) for branch in branches):
        return None, None
    operand = _case_operand(level, node)
    if isinstance(operand, ColumnRef | RowExpr) or is_constant(operand):
        return operand, None
    return CaseOperand(operand.type, operand.typmod, operand.position), operand


_BOUND_AFRESH = (exp.Column, exp.Literal, exp.Null, exp.Parameter, exp.Placeholder, exp.Tuple)


def _case_operand(level: Level, node: exp.Expr) -> Expr:
    operand = bind_expr(level, node)
    if operand.type is types.UNKNOWN:
        return coerce(level.state, operand, types.TEXT) or operand
    return operand


@handles(exp.Tuple)
def _row(level: Level, node: exp.Tuple) -> Expr:
    items: list[Expr] = []
    for inner in node.expressions:
        bound = bind_expr(level, inner)
        if type(inner) is exp.Column and type(inner.args["this"]) is exp.Star:
            # Of a relation, so what it is bound to is its row; of a function's value, one value.
            items += bound.items if type(bound) is RowExpr else (bound,)
        else:
            items.append(bound)
    names = tuple([f"f{i + 1}" for i in range(len(items))])
    return RowExpr(tuple(items), types.RECORD, -1, position(node), names)


@handles(exp.Array)
def _array_node(level: Level, node: exp.Array) -> Expr:
    if _is_subquery(node):
        return ARRAY_SUBQUERY[0](level, node.expressions[0], position(node))
    return _array(level, node, None)


# Filled by `bind_subquery`: ARRAY(query).
ARRAY_SUBQUERY: list[Callable[[Level, exp.Subquery, int], Expr]] = []


def _is_subquery(node: exp.Array) -> bool:
    return bool(node.meta.get("query"))


def _array(level: Level, node: exp.Array, target: PgType | None) -> Expr:
    """ARRAY[…]; with a target (from a cast around it) the items are cast to its element type."""
    state, at = level.state, position(node)
    nested = [type(e) is exp.Array and not _is_subquery(e) for e in node.expressions]
    items = [
        _array(level, e, target) if n else bind_expr(level, e)
        for e, n in zip(node.expressions, nested, strict=True)
    ]
    if target is not None:
        assert target.element is not None
        cast = tuple(
            e if e.type is target else explicit_cast(state, e, target.element) for e in items
        )
        return _folded_array(cast, target, at)
    if not items:
        raise IndeterminateDatatypeError(
            "cannot determine type of empty array",
            hint="Explicitly cast to the desired type, for example ARRAY[]::integer[].",
            position=at,
        )
    kind, _, unified = unify(state, items, "ARRAY")
    array = kind if kind.element is not None else types.array_of(kind)
    if array is None:
        raise UndefinedObjectError(
            f"could not find array type for data type {kind.sql_name}", position=at
        )
    return _folded_array(unified, array, at)


def _folded_array(items: tuple[Expr, ...], kind: PgType, at: int) -> Expr:
    """An array of constants is a constant, unless its dimensions need checking at run time."""
    if items and all(type(e) is Const and e.type is kind.element for e in items):
        return Const(tuple(e.value for e in items if isinstance(e, Const)), kind, -1, at)
    return ArrayExpr(items, kind, -1, at) if items else Const((), kind, -1, at)


@handles(exp.Bracket)
def _subscript(level: Level, node: exp.Bracket) -> Expr:
    consumed(node, "this", "expressions")
    written: list[exp.Expr] = []
    base: exp.Expr = node
    while type(base) is exp.Bracket:
        written = [*base.expressions, *written]
        base = base.args["this"]
    arg = bind_expr(level, base)
    if arg.type is types.JSONB:
        texts = types.array_of(types.TEXT)
        assert texts is not None
        path = tuple(json_step(level, step) for step in written)
        at = position(node)
        return apply_operator(level, "#>", (arg, _folded_array(path, texts, at)), at)
    if arg.type is types.NAME and type(written[0]) is not exp.Slice:
        at = position(node)
        byte = apply_operator(level, "[]", (arg, array_index(level, written[0])), at)
        return byte if len(written) == 1 else Const(None, types.CHAR, -1, at)
    element = arg.type.element
    if element is None:
        raise DatatypeMismatchError(
            f"cannot subscript type {arg.type.sql_name} because it does not support subscripting",
            position=_beginning(base),
        )
    if element is types.VECTOR:
        raise unsupported(f"an element of {arg.type.sql_name}", node)
    if len(written) > DIMENSIONS_MAX:
        raise too_many_dimensions(len(written))
    if any(type(index) is exp.Slice for index in written):
        if arg.type.is_vector:
            raise unsupported(f"a slice of {arg.type.sql_name}", node)
        arg = _as_array(level, arg)
        bounds = tuple([_slice(level, index) for index in written])
        return Slice(arg, bounds, arg.type, arg.typmod, position(node))
    indexes = tuple(array_index(level, index) for index in written)
    if arg.type in (types.INT2VECTOR, types.OIDVECTOR):  # They count from 0.
        one = Const(1, types.INT4)
        indexes = tuple(apply_operator(level, "+", (at, one), position(node)) for at in indexes)
    return Subscript(arg, indexes, element, arg.typmod, position(node))


def _as_array(level: Level, arg: Expr) -> Expr:
    """An int2vector or oidvector as the array that it is, with its bounds."""
    if arg.type not in (types.INT2VECTOR, types.OIDVECTOR):
        return arg
    assert arg.type.element is not None
    array = types.array_of(arg.type.element)
    assert array is not None
    return explicit_cast(level.state, arg, array)


def _beginning(node: exp.Expr) -> int:
    """Where an expression begins, which a cast does with what is cast."""
    while type(node) is exp.Cast:
        node = node.args["this"]
    return position(node)


def _slice(level: Level, index: exp.Expr) -> tuple[Expr | None, Expr | None]:
    """The bounds of one dimension; a single index beside slices is an upper one, from 1 on."""
    if type(index) is not exp.Slice:
        return Const(1, types.INT4), array_index(level, index)
    lower, upper = index.args.get("this"), index.args.get("expression")
    return (
        None if lower is None else array_index(level, lower),
        None if upper is None else array_index(level, upper),
    )


def array_index(level: Level, index: exp.Expr) -> Expr:
    """A subscript of an array as integer."""
    cast = coerce(level.state, bind_expr(level, index), types.INT4, "a")
    if cast is None:
        raise DatatypeMismatchError(
            "array subscript must have type integer", position=position(index)
        )
    return cast


def json_step(level: Level, step: exp.Expr) -> Expr:
    """A key or a position as text, the way a path has it."""
    if type(step) is exp.Slice:
        raise DatatypeMismatchError(
            "jsonb subscript does not support slices", position=_slice_position(step)
        )
    bound = bind_expr(level, step)
    if bound.type is types.UNKNOWN:
        text = coerce(level.state, bound, types.TEXT)
    else:
        number = coerce(level.state, bound, types.INT4)
        text = (
            coerce(level.state, bound, types.TEXT)
            if number is None
            else (coerce(level.state, number, types.TEXT, "e"))
        )
    if text is None:
        raise DatatypeMismatchError(
            f"subscript type {bound.type.sql_name} is not supported",
            hint="jsonb subscript must be coercible to either integer or text.",
            position=position(step),
        )
    return text


def _slice_position(node: exp.Slice) -> int:
    bound = node.args.get("expression") or node.args.get("this")
    return position(bound) if bound is not None else 0


@handles(exp.Dot)
def _field(level: Level, node: exp.Dot) -> Expr:
    field = node.args["expression"]
    inner = node.args["this"]
    if type(inner) is exp.Column and type(field) is exp.Identifier:
        path = tuple(p.name for p in inner.parts)
        plain = resolve_column(level, path[0], 0) if len(path) == 1 else None
        if plain is None and find_item(level, path, 0) is not None:
            up, item = resolve_item(level, path, position(inner))
            found = resolve_qualified(level, path, field.name, position(field))
            assert up >= 0 and item is not None  # noqa: PT018
            return found
    arg = bind_expr(level, inner)
    fields = fields_of(level.state, arg)
    for index, column in enumerate(fields):
        if type(field) is exp.Identifier and field.name == column.name:
            return field_of(arg, index, column, position(node))
    if composite_of(arg.type) is not None and type(field) is exp.Identifier:
        raise UndefinedColumnError(
            f'column "{field.name}" not found in data type {arg.type.sql_name}',
            position=_beginning(inner),
        )
    if fields and type(field) is exp.Identifier:
        raise UndefinedColumnError(
            f'could not identify column "{field.name}" in record data type',
            position=position(inner),
        )
    if arg.type is not types.RECORD:
        raise WrongObjectTypeError(
            f"column notation .{field.name} applied to type {arg.type.sql_name}, which is not a "
            "composite type",
            position=position(inner),
        )
    raise unsupported("field selection from a row value", node)
