"""Short constructors for `Overload`s, so that the subject modules read as tables."""

from collections.abc import Callable
from typing import Any, TypeAlias

from catalog.types.table import PgType
from kalam_pg.functions.table import Overload, OverloadKind, Volatility

Datum: TypeAlias = Any
"""A stored value (or several) whose type the overload says, not Python."""

Row = Callable[..., Any]


def function(
    name: str, args: tuple[PgType, ...], result: PgType, row: Row, **more: Datum
) -> Overload:
    """A plain function; `more` are further fields of `Overload`."""
    return Overload(name, OverloadKind.FUNCTION, args, result, row, **more)


def stable(
    name: str, args: tuple[PgType, ...], result: PgType, row: Row, **more: Datum
) -> Overload:
    """A function of the statement's surroundings: its `row` takes the EvalContext first."""
    return Overload(
        name, OverloadKind.FUNCTION, args, result, row,
        volatility=Volatility.STABLE, needs_context=True, **more,
    )  # fmt: skip


def operator(
    symbol: str, args: tuple[PgType, ...], result: PgType, row: Row, **more: Datum
) -> Overload:
    """A prefix (one argument) or infix operator."""
    return Overload(symbol, OverloadKind.OPERATOR, args, result, row, **more)


def cast(source: PgType, target: PgType, context: str, row: Row, **more: Datum) -> Overload:
    """A cast; context is 'i', 'a' or 'e'."""
    return Overload(
        cast_name(source, target),
        OverloadKind.CAST,
        (source,),
        target,
        row,
        cast_context=context,
        **more,
    )


def cast_name(source: PgType, target: PgType) -> str:
    """The name under which a cast is registered."""
    return f"{source.name}->{target.name}"


def aggregate(
    name: str, args: tuple[PgType, ...], result: PgType, row: Row, **more: Datum
) -> Overload:
    """An aggregate: `row` takes the list of argument tuples of one group."""
    more.setdefault("strict", False)
    return Overload(name, OverloadKind.AGGREGATE, args, result, row, **more)


def returns_set(
    name: str, args: tuple[PgType, ...], result: PgType, row: Row, **more: Datum
) -> Overload:
    """A set-returning function: `row` gives an iterable of values, or of tuples with out_names."""
    return Overload(name, OverloadKind.SET, args, result, row, **more)


def same(value: Datum) -> Datum:
    """The row implementation of a cast that changes nothing (binary coercible)."""
    return value
