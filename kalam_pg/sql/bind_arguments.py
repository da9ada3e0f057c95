"""The arguments of a call as they were written: by position, by name, or VARIADIC array."""

from sqlglot import exp

from catalog.errors import SqlSyntaxError, UndefinedFunctionError
from catalog.types import registry as types
from kalam_pg.functions.argument_names import Argument, argument_names
from kalam_pg.sql.bind_expr import bind_expr, number
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import Const, Expr


def is_named(node: exp.Anonymous) -> bool:
    """Whether any argument is given by name."""
    return any(type(item) is exp.Kwarg for item in node.expressions)


def in_order(level: Level, name: str, node: exp.Anonymous) -> tuple[Expr, ...]:
    """The arguments of a call with names, in the function's order, defaults where they were left out.

    Raises:
        SqlSyntaxError: 42601, a name twice, or an argument without a name behind one that has one.
        UndefinedFunctionError: 42883, there is no function with such arguments.
    """
    by_position, by_name = _as_written(level, node)
    declared = argument_names(name)
    known = {argument.name: place for place, argument in enumerate(declared)}
    if any(known.get(given, -1) < len(by_position) for given in by_name):
        raise _no_such(name, by_position, by_name, position(node))
    ordered = list(by_position)
    last = max(known[given] for given in by_name)
    for argument in declared[len(by_position) : last + 1]:
        if argument.name in by_name:
            ordered.append(by_name[argument.name])
        elif argument.default is not None:
            ordered.append(_default(argument))
        else:
            raise _no_such(name, by_position, by_name, position(node))
    return tuple(ordered)


def _as_written(level: Level, node: exp.Anonymous) -> tuple[tuple[Expr, ...], dict[str, Expr]]:
    by_position: list[Expr] = []
    by_name: dict[str, Expr] = {}
    for item in node.expressions:
        if type(item) is not exp.Kwarg:
            if by_name:
                raise SqlSyntaxError(
                    "positional argument cannot follow named argument", position=position(item)
                )
            by_position.append(bind_expr(level, item))
            continue
        given = item.args["this"].name
        if given in by_name:
            raise SqlSyntaxError(
                f'argument name "{given}" used more than once', position=position(item)
            )
        by_name[given] = bind_expr(level, item.args["expression"])
    return tuple(by_position), by_name


def _default(argument: Argument) -> Expr:
    text = argument.default
    assert text is not None
    if text in ("true", "false"):
        return Const(text == "true", types.BOOL)
    if text.startswith("'"):
        return Const(text.strip("'"), types.UNKNOWN)
    return number(text, 0)


def _no_such(
    name: str, by_position: tuple[Expr, ...], by_name: dict[str, Expr], at: int
) -> UndefinedFunctionError:
    shown = [e.type.sql_name for e in by_position]
    shown += [f"{given} => {e.type.sql_name}" for given, e in by_name.items()]
    return UndefinedFunctionError(
        f"function {name}({', '.join(shown)}) does not exist",
        hint="No function matches the given name and argument types. You might need to add "
        "explicit type casts.",
        position=at,
    )
