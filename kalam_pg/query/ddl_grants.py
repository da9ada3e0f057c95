"""GRANT and REVOKE of privileges on objects."""

from collections.abc import Sequence
from dataclasses import replace

from catalog import changes, changes_function
from catalog.changes import CatalogChange
from catalog.errors import InvalidGrantOperationError, WrongObjectTypeError
from catalog.model import Namespace, NumberSequence, Table, UserType, View
from catalog.privileges import Action, require
from kalam_pg.query.ddl_context import DdlContext, DdlPlan, find_relation, grantee_or_role, plan
from kalam_pg.query.ddl_sequences import find_sequence
from kalam_pg.query.ddl_types import find_type
from kalam_pg.sql import statements as st

_TABLE_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")
_PRIVILEGES = {
    "table": _TABLE_PRIVILEGES,
    "namespace": ("CREATE", "USAGE"),
    "type": ("USAGE",),
    "sequence": ("USAGE", "SELECT", "UPDATE"),
    "function": ("EXECUTE",),
}


@plan.register
def _(statement: st.GrantRevoke, context: DdlContext) -> DdlPlan:
    privileges = privileges_of(statement)
    grantees = [grantee_or_role(context, name) for name in statement.grantees]
    if statement.on == "function":
        return _all_functions(statement, grantees, context)
    names, notices = _all_in(statement, context)
    change = CatalogChange(context.snapshot, notices=notices)
    for name in (*statement.names, *names):
        target = _grant_target(name, replace(context, snapshot=change.snapshot), statement.on)
        require(context.user, Action.GRANT, target)
        step = changes.change_grants(
            change.snapshot,
            target,
            privileges=privileges,
            grantees=grantees,
            grantor=context.user.id,
            grant=statement.grant,
        )
        change = replace(step, puts=(*change.puts, *step.puts), notices=notices)
    return DdlPlan(change, "GRANT" if statement.grant else "REVOKE")


def _all_in(
    statement: st.GrantRevoke, context: DdlContext
) -> tuple[Sequence[st.TableName], tuple[str, ...]]:
    """ALL TABLES or SEQUENCES of schemas that rights can be granted on; NOTICEs of what is left out."""
    snapshot = context.snapshot
    schemas = {changes.require_namespace(snapshot, n.name).name for n in statement.schemas}
    if statement.on == "sequence":
        every = [s for s in snapshot.sequences.values() if s.namespace in schemas]
        return [st.TableName(s.namespace, s.name) for s in every], ()
    tables = [t for t in snapshot.tables.values() if t.namespace in schemas]
    shared = [st.TableName(t.namespace, t.name) for t in tables if not t.per_user]
    own = sorted(t.name for t in tables if t.per_user)
    notices = [f'everyone has all rights on their own rows of table "{name}"' for name in own]
    return shared, tuple(notices)


def _all_functions(
    statement: st.GrantRevoke, grantees: Sequence[int | str], context: DdlContext
) -> DdlPlan:
    """ALL FUNCTIONS IN SCHEMA …."""
    change = CatalogChange(context.snapshot)
    for name in statement.schemas:
        schema = changes.require_namespace(context.snapshot, name.name).name
        for function in context.snapshot.functions_in(schema):
            require(context.user, Action.GRANT, function)
            step = changes_function.grant_execute(
                change.snapshot, function, grantees, context.user.id, grant=statement.grant
            )
            change = replace(step, puts=(*change.puts, *step.puts))
    return DdlPlan(change, "GRANT" if statement.grant else "REVOKE")


def privileges_of(statement: st.GrantRevoke) -> Sequence[str]:
    """What is granted or revoked. Raises 0LP01 for what an object of the kind does not have."""
    written, on = statement.privileges, statement.on
    known = _PRIVILEGES[on]
    if "ALL" in written:
        return known
    for privilege in written:
        if privilege not in known:
            kind = {"namespace": "schema"}.get(on, on)
            if on == "table" and not statement.schemas:
                kind = "relation"
            raise InvalidGrantOperationError(f"invalid privilege type {privilege} for {kind}")
    return written


def _grant_target(
    name: st.TableName, context: DdlContext, on: str
) -> Table | NumberSequence | Namespace | UserType:
    if on == "type":
        return find_type(context, name)
    if on == "namespace":
        return changes.require_namespace(context.snapshot, name.name)
    if on == "sequence":
        return find_sequence(context, name)
    relation = find_relation(context, name)
    if isinstance(relation, View):
        raise WrongObjectTypeError(
            f'"{relation.name}" is not a table',
            detail="A view is read with the rights of who reads it.",
        )
    if relation.per_user:
        raise WrongObjectTypeError(
            f'"{relation.name}" is not a SHARED table',
            detail="Everyone has their own rows of a USER table, and all rights on them.",
        )
    return relation
