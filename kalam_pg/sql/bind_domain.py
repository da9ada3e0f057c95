"""Casts to domains: the value as the base type, and the domain's rules asked of it."""

from catalog.types import registry as types
from catalog.types.domain import DomainDefinition
from kalam_pg.functions import lookup
from kalam_pg.sql.bind_expr import unsupported
from kalam_pg.sql.coerce import explicit_cast
from kalam_pg.sql.constancy import is_volatile
from kalam_pg.sql.scope import Binding
from kalam_pg.sql.tree import (
    Aggregate,
    Call,
    Case,
    CaseOperand,
    ColumnRef,
    Const,
    Expr,
    Query,
    Window,
)
from kalam_pg.sql.walk import Node, map_children, walk


def cast_to_domain(
    state: Binding, arg: Expr, domain: DomainDefinition, at: int, checks: tuple[Expr, ...]
) -> Expr:
    """CAST(arg AS domain). checks: the domain's rules, bound over its `value_table`."""
    value = explicit_cast(state, arg, domain.base, domain.typmod, at)
    if not checks or _is_repeatable(value):
        return _asked(value, domain, checks, at)
    for check in checks:
        if any(isinstance(node, Case) and node.operand is not None for node in walk(check)):
            raise unsupported(f"a cast to domain {domain.name} of what is computed once", at=at)
    once = CaseOperand(value.type, value.typmod, at)
    chain = _asked(once, domain, checks, at)
    last = Const(None, value.type, value.typmod, at)
    whens = ((Const(True, types.BOOL), chain),)
    return Case(whens, last, value.type, value.typmod, at, value)


def _asked(value: Expr, domain: DomainDefinition, checks: tuple[Expr, ...], at: int) -> Expr:
    """The value, of which the domain's rules are asked."""
    names = [_text(domain.namespace), _text(domain.name)]
    if domain.required:
        value = _call("domain not null", [value, *names], value, at)
    plain = value
    for check, bound in zip(domain.rules, checks, strict=True):
        arguments = [value, _over(bound, plain), *names, _text(check.name)]
        value = _call("domain check", arguments, plain, at)
    return value


def _is_repeatable(value: Expr) -> bool:
    """Whether a value can be computed for each rule anew."""
    dear = any(isinstance(node, Query | Aggregate | Window) for node in walk(value))
    return not (dear or is_volatile(value))


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
