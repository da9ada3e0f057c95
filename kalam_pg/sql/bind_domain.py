"""Casts to domains: the value as the base type, and the domain's rules asked of it."""

from catalog import codec
from catalog.errors import FeatureNotSupportedError
from catalog.model import Column, Table, TableKind, TableOptions
from catalog.types import registry as types
from catalog.types.domain import DomainDefinition
from kalam_pg.functions import lookup
from kalam_pg.sql.coerce import explicit_cast
from kalam_pg.sql.constancy import is_volatile
from kalam_pg.sql.scope import Binding
from kalam_pg.sql.tree import Aggregate, Call, ColumnRef, Const, Expr, Query, Window
from kalam_pg.sql.walk import Node, map_children, walk

VALUE = "value"
"""What a domain's check calls the value."""


def value_table(domain: DomainDefinition) -> Table:
    """A table whose one column is the value: what a domain's check is bound over."""
    columns = (Column(1, VALUE, domain.base, domain.typmod),)
    layout = codec.layout_of(columns, (1,), 1)
    options = TableOptions()
    kind = TableKind.SHARED
    return Table(0, "", domain.name, kind, columns, (1,), (), options, layout, owner=0)


def cast_to_domain(
    state: Binding, arg: Expr, domain: DomainDefinition, at: int, checks: tuple[Expr, ...]
) -> Expr:
    """CAST(arg AS domain). checks: the domain's, bound over its `value_table`.

    Raises:
        FeatureNotSupportedError: What is cast cannot be asked for twice.
    """
    value = explicit_cast(state, arg, domain.base, domain.typmod, at)
    names = [_text(domain.namespace), _text(domain.name)]
    if domain.not_null:
        value = _call("domain not null", [value, *names], value, at)
    if checks:
        _require_repeatable(value, domain, at)
    plain = value
    for check, bound in zip(domain.checks, checks, strict=True):
        arguments = [value, _over(bound, plain), *names, _text(check.name)]
        value = _call("domain check", arguments, plain, at)
    return value


def _require_repeatable(value: Expr, domain: DomainDefinition, at: int) -> None:
    if is_volatile(value) or any(
        isinstance(node, Query | Aggregate | Window) for node in walk(value)
    ):
        raise FeatureNotSupportedError(
            f"a cast to domain {domain.name} of a subquery, an aggregate or a volatile function is "
            "not supported",
            position=at,
        )


def _over(check: Node, value: Expr) -> Expr:
    """A check with what is checked in the place of VALUE."""

    def put(node: Node) -> Node:
        return value if isinstance(node, ColumnRef) else map_children(node, put)

    found: Expr = put(check)
    return found


def _call(name: str, arguments: list[Expr], like: Expr, at: int) -> Expr:
    (overload,) = lookup.functions(name)
    return Call(overload, tuple(arguments), like.type, like.typmod, at)


def _text(text: str) -> Const:
    return Const(text, types.TEXT, -1, 0)
