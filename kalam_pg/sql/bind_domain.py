"""Casts to domains: the value as the base type, and the domain's rules asked of it."""

from collections.abc import Callable

from catalog.types import registry as types
from catalog.types.domain import DomainDefinition
from kalam_pg.functions import lookup
from kalam_pg.sql.bind_expr import unsupported
from kalam_pg.sql.coerce import explicit_cast
from kalam_pg.sql.constancy import is_volatile
from kalam_pg.sql.scope import Binding, BindScope
from kalam_pg.sql.tree import (
    Aggregate,
    Call,
    Case,
    CaseOperand,
    ColumnRef,
    Const,
    Expr,
    IsNull,
    Query,
    Window,
)
from kalam_pg.sql.walk import Node, map_children, walk

_NOT_NULL, _CHECK = "domain not null", "domain check"

BIND_CHECK: list[Callable[[BindScope, DomainDefinition, str], Expr]] = []
"""Binds a check of a domain over its `value_table`: `bind.bind_expression`, which is above this module."""


def checks_of(state: Binding, domain: DomainDefinition) -> tuple[Expr, ...]:
    """The rules of a domain, bound over its `value_table`."""
    return tuple([BIND_CHECK[0](state.scope, domain, rule.check) for rule in domain.rules])


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
        value = _call(_NOT_NULL, [value, *names], value, at)
    plain = value
    for check, bound in zip(domain.rules, checks, strict=True):
        arguments = [value, _over(bound, plain), *names, _text(check.name)]
        value = _call(_CHECK, arguments, plain, at)
    return value


def domain_named_by(value: Expr) -> tuple[str, str] | None:
    """Schema and name of the domain that a value is cast to, if its rules are asked."""
    if not isinstance(value, Call) or value.overload.name not in (_NOT_NULL, _CHECK):
        return None
    named = value.args[-2:] if value.overload.name == _NOT_NULL else value.args[-3:-1]
    schema, name = [str(part.value) for part in named if isinstance(part, Const)]
    return schema, name


def asked_of_field(
    row: Expr, value: Expr, domain: DomainDefinition, checks: tuple[Expr, ...], at: int
) -> Expr:
    """A row, of one of whose fields the domain's rules are asked."""
    names = [_text(domain.namespace), _text(domain.name)]
    for check, bound in zip(domain.rules, checks, strict=True):
        row = _call(_CHECK, [row, _over(bound, value), *names, _text(check.name)], row, at)
    if not domain.required:
        return row
    # It raises, or is never NULL.
    missing = IsNull(_call(_NOT_NULL, [value, *names], value, at), False, types.BOOL, whole=True)
    return Case(((missing, Const(None, row.type)),), row, row.type, -1, at)


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
