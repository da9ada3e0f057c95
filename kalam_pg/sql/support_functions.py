"""The functions that an aggregate is made of: which one a name means, and the call of one.

They are those that people made in SQL, and PostgreSQL's own, the ones behind its operators too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from catalog.errors import (
    DatatypeMismatchError,
    FeatureNotSupportedError,
    InvalidSchemaNameError,
    UndefinedFunctionError,
)
from catalog.functions import Function
from catalog.pg_catalog.fixed import column, fixed_rows
from catalog.pg_catalog.routines import Routine, operator_of, routines, routines_named
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions import lookup
from kalam_pg.functions.table import Overload, OverloadKind
from kalam_pg.sql.coerce import argument, note_call
from kalam_pg.sql.function_body import type_of
from kalam_pg.sql.function_choice import Given, choose_function
from kalam_pg.sql.overloads import POLYMORPHIC, Candidate, Resolved, choose
from kalam_pg.sql.relation_source import RelationSource
from kalam_pg.sql.scope import Binding
from kalam_pg.sql.statements import TableName
from kalam_pg.sql.tree import Call, Expr


@dataclass(frozen=True, slots=True)
class Support:
    """A function that an aggregate may be made of. function: as somebody made it; None: PostgreSQL's."""

    oid: int
    name: str
    inputs: tuple[PgType, ...]
    result: PgType
    strict: bool
    function: Function | None = None


# ------------------------------------------------------------------ which function


def find_support(
    name: TableName, given: Sequence[PgType], snapshot: RelationSource, path: Sequence[str]
) -> Support:
    """PostgreSQL's `lookup_agg_function`: the function of a name that takes these types as they are.

    Raises 42883, 42804, 42725, 3F000.
    """
    kinds = tuple(given)
    found = _made(name, kinds, snapshot, path)
    if found is None and name.schema in ("", "pg_catalog"):
        found = _of_postgresql(name.name, kinds)
    if found is None:
        if name.schema and name.schema != "pg_catalog" and not snapshot.has_schema(name.schema):
            raise InvalidSchemaNameError(f'schema "{name.schema}" does not exist')
        raise UndefinedFunctionError(f"function {_shown(str(name), kinds)} does not exist")
    for kind, wanted in zip(kinds, found.inputs, strict=True):
        if not is_same_in_binary(kind, wanted):
            raise DatatypeMismatchError(
                f"function {_shown(str(name), kinds)} requires run-time type coercion"
            )
    return found


def _shown(name: str, kinds: Sequence[PgType]) -> str:
    return f"{name}({', '.join([_type_name(kind) for kind in kinds])})"


def _type_name(kind: PgType) -> str:
    return '"any"' if kind is types.ANY else kind.sql_name


def _made(
    name: TableName, kinds: tuple[PgType, ...], snapshot: RelationSource, path: Sequence[str]
) -> Support | None:
    """The function that somebody made and that is meant."""
    functions = [f for f in snapshot.functions_named(name.schema, name.name, path) if f.kind == "f"]
    if not functions:
        return None
    if any(kind.name in POLYMORPHIC or kind is types.ANY for kind in kinds):
        signature = tuple([kind.oid for kind in kinds])
        function = next((f for f in functions if f.signature == signature), None)
        if function is None:
            return None
        result = type_of(snapshot, function.result)
        inputs = tuple([type_of(snapshot, oid) for oid in signature])
    else:
        chosen = choose_function(
            functions, snapshot, Given(kinds), "" if name.schema else name.name
        )
        if chosen is None:
            return None
        function, result, inputs = chosen.function, chosen.result, chosen.types
    if function.returns_set:
        raise DatatypeMismatchError(f"function {_shown(str(name), kinds)} returns a set")
    return Support(function.id, function.name, inputs, result, function.strict, function)


def _of_postgresql(name: str, kinds: tuple[PgType, ...]) -> Support | None:
    """The function of PostgreSQL's that is meant."""
    candidates = [
        Candidate(made, made.args)
        for routine in routines_named(name)
        if len(routine.inputs) == len(kinds) and routine["prokind"] == "f"
        for made in [_signature(routine)]
    ]
    if any(kind.name in POLYMORPHIC or kind is types.ANY for kind in kinds):
        exact = next((c for c in candidates if c.args == kinds), None)
        if exact is None:
            return None
        return _support(exact.overload, Resolved(exact.overload, kinds, exact.overload.result))
    found = choose(candidates, kinds)
    return None if found is None else _support(found.overload, found)


def _support(made: Overload, found: Resolved) -> Support:
    if made.kind is OverloadKind.SET:
        raise DatatypeMismatchError(f"function {_shown(made.name, found.args)} returns a set")
    return Support(made.oid, made.name, found.args, found.result, made.strict)


def _signature(routine: Routine) -> Overload:
    kind = OverloadKind.SET if routine["proretset"] else OverloadKind.FUNCTION
    inputs = tuple([_type(oid) for oid in routine.inputs])
    result = _type(routine["prorettype"])
    strict = bool(routine["proisstrict"])
    return Overload(routine.name, kind, inputs, result, strict=strict, oid=routine.oid)


def _type(oid: object) -> PgType:
    assert isinstance(oid, int)
    found = types.find_oid(oid)
    assert found is not None, oid  # Rows of types that do not exist here are left out.
    return found


def is_same_in_binary(source: PgType, target: PgType) -> bool:
    """PostgreSQL's `IsBinaryCoercible`."""
    if source is target or target is types.ANY or target is types.ANYELEMENT:
        return True
    if target is types.ANYARRAY:
        return source.element is not None
    return (source.oid, target.oid) in _binary_casts()


@cache
def _binary_casts() -> frozenset[tuple[object, object]]:
    at = [column("pg_cast", n) for n in ("castsource", "casttarget", "castmethod", "castcontext")]
    rows = [[row[n] for n in at] for row in fixed_rows("pg_cast")]
    return frozenset([(row[0], row[1]) for row in rows if row[2] == "b" and row[3] == "i"])


# ------------------------------------------------------------------ the call of one


def built_in_call(state: Binding, oid: int, args: Sequence[Expr]) -> Expr:
    """A call of one of PostgreSQL's functions by its OID. Raises 0A000 where it is not here."""
    routine = routines()[oid]
    declared = tuple([_type(kind) for kind in routine.inputs])
    found = _here(routine.name, declared) or _behind_operator(oid)
    if found is None:
        raise FeatureNotSupportedError(f"function {routine.signature} is not supported")
    resolved = choose([Candidate(found, declared)], tuple([arg.type for arg in args]))
    if resolved is None:
        raise FeatureNotSupportedError(f"function {routine.signature} is not supported here")
    cast = tuple([argument(state, e, d) for e, d in zip(args, resolved.args, strict=True)])
    return note_call(state, Call(found, cast, resolved.result))


def built_in_is_strict(oid: int) -> bool:
    """Whether PostgreSQL has a function as STRICT."""
    return bool(routines()[oid]["proisstrict"])


def behind_operators(name: str, kinds: tuple[PgType, ...]) -> Resolved | None:
    """What a call of one of the functions behind PostgreSQL's operators means (`int4pl`, `texteq`).

    Those behind `#>` and `jsonb - text[]` are VARIADIC: by their names an array alone does not call them.
    """
    candidates = []
    many = {o.args for o in lookup.functions(name) if o.variadic}
    for routine in routines_named(name):
        found = _behind_operator(routine.oid)
        if found is not None and len(found.args) == len(kinds) and found.args not in many:
            candidates.append(Candidate(found, found.args))
    return choose(candidates, kinds) if candidates else None


def is_behind_operators(name: str) -> bool:
    """Whether every function of a name is what an operator does that is here."""
    found = routines_named(name)
    return bool(found) and all(_behind_operator(routine.oid) is not None for routine in found)


def _here(name: str, declared: tuple[PgType, ...]) -> Overload | None:
    return next(
        (
            made
            for made in lookup.functions(name)
            if made.args == declared and made.kind is OverloadKind.FUNCTION
        ),
        None,
    )


def _behind_operator(oid: int) -> Overload | None:
    """What an operator does, whose function it is."""
    found = operator_of(oid)
    if found is None:
        return None
    symbol, operands = found
    declared = tuple([_type(kind) for kind in operands if kind])
    return next((made for made in lookup.operators(symbol) if made.args == declared), None)
