"""json_populate_record and its kin where a domain has a say: of the row, or of a field of it.

A document's values are read as the base types, and then the domains' rules are asked (decision 0037). Domains
deeper inside, in fields of fields and in arrays of rows, are refused where one of their values is read.
"""

from dataclasses import replace

from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.bind_domain import asked_of_field, cast_to_domain, checks_of, domain_named_by
from kalam_pg.sql.bind_expr import unsupported
from kalam_pg.sql.overloads import resolve_function
from kalam_pg.sql.row_values import as_base, field
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import (
    ArraySubquery,
    Call,
    Case,
    CaseOperand,
    ColumnRef,
    Const,
    Expr,
    FunctionScan,
    OutputColumn,
    Select,
    Target,
)
from kalam_pg.sql.walk import raise_levels

NAMES = frozenset(
    f"{of}_populate_{what}" for of in ("json", "jsonb") for what in ("record", "recordset")
)


def populated(level: Level, call: Call) -> Expr:
    """A call of one of these, with the rules of the domains that it makes values of. Raises 0A000."""
    if composite_of(call.type) is None:
        return call  # Of records no more is known, and others are an error when it runs.
    row = call.args[0]
    domain = _domain_of(level, row, call)
    if domain is None:
        if call.overload.kind is OverloadKind.SET:
            return call
        return _with_fields(level, call)
    checks = checks_of(level.state, domain)
    if call.overload.kind is not OverloadKind.SET:
        return cast_to_domain(level.state, call, domain, call.position, checks)
    column = OutputColumn(call.overload.name, call.type)
    relation = level.state.relation((column,))
    inner = raise_levels(call, 1)
    scan = FunctionScan(relation, inner, (column,), column.name)
    value = cast_to_domain(
        level.state,
        ColumnRef(relation, 0, column.name, call.type),
        domain,
        call.position,
        checks,
    )
    query = Select((Target(value, column.name),), (column,), (scan,))
    array = types.array_of(call.type)
    unnest = None if array is None else resolve_function("unnest", (array,))
    assert array is not None
    assert unnest is not None
    level.state.nested = True
    rows = ArraySubquery(query, array, -1, call.position)
    return Call(unnest.overload, (rows,), call.type, -1, call.position)


def _domain_of(level: Level, row: Expr, call: Call) -> DomainDefinition | None:
    """The domain that a row is cast to; 0A000 for a column of one, of which nothing more is known."""
    named = domain_named_by(row)
    if named is not None:
        made = level.state.scope.snapshot.find_type(*named, ())
        definition = None if made is None else made.pg_type.definition
        return definition if isinstance(definition, DomainDefinition) else None
    if isinstance(row, ColumnRef):
        scope = next(found for up, found in level.levels() if up == row.outer)
        for item in scope.items:
            if item.relation == row.relation and item.table is not None:
                column_id = item.columns[row.column].column_id
                if any(c.id == column_id and c.domain for c in item.table.columns):
                    raise unsupported(f"{call.overload.name} of a domain", at=call.position)
    return None


def _with_fields(level: Level, call: Call) -> Expr:
    """The row that a call makes, of whose fields the rules of their domains are asked."""
    kind = call.type
    definition = composite_of(kind)
    if definition is None:
        return call
    ruled = {
        at: a.type.definition
        for at, a in enumerate(definition.attributes)
        if isinstance(a.type.definition, DomainDefinition)
        and (a.type.definition.rules or a.type.definition.required)
    }
    if not ruled:
        return call
    bare = replace(
        definition,
        attributes=tuple([replace(a, type=as_base(a.type)) for a in definition.attributes]),
    ).make()
    made = replace(call, args=(_as(call.args[0], bare), *call.args[1:]), type=bare)
    once = CaseOperand(bare, -1, call.position)
    chain: Expr = once
    for at, domain in ruled.items():
        column = OutputColumn(definition.attributes[at].name, domain.base, domain.typmod)
        checks = checks_of(level.state, domain)
        chain = asked_of_field(chain, field(once, at, column), domain, checks, call.position)
    whens = ((Const(True, types.BOOL), chain),)
    none = Const(None, kind, -1, call.position)
    return Case(whens, none, kind, -1, call.position, made)


def _as(expr: Expr, kind: PgType) -> Expr:
    """An expression whose values are also those of another type."""
    return replace(expr, type=kind)
