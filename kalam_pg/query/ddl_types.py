"""CREATE, ALTER and DROP TYPE: each statement to its catalog change."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from catalog import changes, changes_drop, changes_type
from catalog.changes import CatalogChange
from catalog.errors import FeatureNotSupportedError, UndefinedObjectError
from catalog.model import Table, UserType
from catalog.privileges import Action, require
from catalog.snapshot import Snapshot
from catalog.types.definitions import quoted, user_types_of
from catalog.types.registry import BOOL
from kalam_pg.query.ddl_context import DdlContext, DdlPlan, creation_namespace, grantee, plan
from kalam_pg.sql.deparse import quote_literal
from kalam_pg.sql.statements import TableName
from kalam_pg.sql.statements_types import (
    AddLabel,
    AlterType,
    CreateType,
    DropType,
    MoveType,
    OwnType,
    RenameLabel,
)
from storage.errors import KalamError


@plan.register
def _(statement: CreateType, context: DdlContext) -> DdlPlan:
    namespace = creation_namespace(context, statement.name)
    require(context.user, Action.CREATE_TYPE, namespace)
    change = changes_type.create_enum(
        context.snapshot,
        context.ids,
        namespace.name,
        statement.name.name,
        statement.labels,
        owner=context.user.id,
        now_us=context.now_us,
    )
    return DdlPlan(change, "CREATE TYPE")


@plan.register
def _(statement: AlterType, context: DdlContext) -> DdlPlan:
    made = find_type(context, statement.name)
    require(context.user, Action.ALTER_TYPE, made)
    snapshot = context.snapshot
    match statement.action:
        case AddLabel() as add:
            change = changes_type.add_label(
                snapshot,
                context.ids,
                made,
                add.label,
                neighbour=add.neighbour,
                after=add.after,
                if_not_exists=add.if_not_exists,
            )
        case RenameLabel(old, new):
            change = changes_type.rename_label(snapshot, made, old, new)
            change = _with_texts_changed(change, context, made, old, new)
        case MoveType(new_name, schema):
            change = changes_type.move_type(
                snapshot, made, schema or made.namespace, new_name or made.name
            )
            change = _with_texts_changed(change, context, made, "", "")
        case OwnType(owner):
            owned = replace(made, owner=grantee(context, owner))
            change = changes.put_type(snapshot, owned)
        case _:
            assert_never(statement.action)
    return DdlPlan(change, "ALTER TYPE")


@plan.register
def _(statement: DropType, context: DdlContext) -> DdlPlan:
    found: dict[int, UserType] = {}
    notices: list[str] = []
    for name in statement.names:
        changes.require_not_system(name.schema)
        made = context.snapshot.find_type(name.schema, name.name, context.search_path)
        if made is not None:
            require(context.user, Action.DROP_TYPE, made)
            found[made.id] = made
        elif not statement.if_exists:
            raise changes_type.undefined_type(str(name))
        elif name.schema and context.snapshot.namespace(name.schema) is None:
            notices.append(f'schema "{name.schema}" does not exist, skipping')
        else:
            notices.append(f'type "{name}" does not exist, skipping')
    change = changes_drop.drop_types(
        context.snapshot,
        list(found.values()),
        notices,
        cascade=statement.cascade,
        search_path=context.search_path,
    )
    return DdlPlan(change, "DROP TYPE")


def find_type(context: DdlContext, name: TableName) -> UserType:
    """The type of that name that somebody made. Raises 42704."""
    changes.require_not_system(name.schema)
    made = context.snapshot.find_type(name.schema, name.name, context.search_path)
    if made is None:
        raise UndefinedObjectError(f'type "{name}" does not exist', position=name.position)
    return made


# ------------------------------------------------------------------ texts that name labels and types


def _with_texts_changed(
    change: CatalogChange, context: DdlContext, made: UserType, old: str, new: str
) -> CatalogChange:
    """The change, with the defaults that are the renamed label renamed too.

    Defaults, checks and views are kept as text. Raises FeatureNotSupportedError: one of them names the
    type or the label in another way, and would mean nothing, or something else, afterwards.
    """
    for table in _users_of(change.snapshot, made):
        renamed = _defaults_renamed(table, made, old, new)
        if renamed is not table:
            step = changes.put_relation(change.snapshot, renamed)
            change = replace(step, puts=(*change.puts, *step.puts))
        _check_texts(renamed, replace(context, snapshot=change.snapshot), made)
    for view in change.snapshot.views.values():
        if made.id in view.reads:
            raise FeatureNotSupportedError(
                f"renaming what view {view.name} uses of type {quoted(made.name)} is not supported",
                hint="Drop the view, and create it anew afterwards.",
            )
    return change


def _users_of(snapshot: Snapshot, made: UserType) -> Sequence[Table]:
    return [
        table
        for table in snapshot.tables.values()
        if any(made.id in user_types_of(column.type) for column in table.columns)
    ]


def _defaults_renamed(table: Table, made: UserType, old: str, new: str) -> Table:
    """The table, its columns of the type having the label by its new name as default where they had it.

    The default may be written as 'label' alone, or with a cast to the type.
    """
    if not old:
        return table
    was = quote_literal(old)
    names = (quoted(made.name), f"{quoted(made.namespace)}.{quoted(made.name)}")
    texts = {was: quote_literal(new)}
    texts |= {f"{was}::{name}": f"{quote_literal(new)}::{name}" for name in names}
    columns = tuple(
        replace(c, default=texts[c.default])
        if c.type.definition is not None and c.type.oid == made.id and c.default in texts
        else c
        for c in table.columns
    )
    return table if columns == table.columns else replace(table, columns=columns)


def _check_texts(table: Table, context: DdlContext, made: UserType) -> None:
    try:
        for column in table.columns:
            if column.default:
                context.check_expression(column.default, None, column.type)
        for constraint in table.constraints:
            if constraint.kind == "c":
                context.check_expression(constraint.check, table, BOOL)
    except KalamError as error:
        raise FeatureNotSupportedError(
            f"renaming what a default or constraint of table {table.name} uses of type "
            f"{quoted(made.name)} is not supported",
            detail=error.message,
        ) from error
