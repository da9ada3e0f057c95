"""ALTER TABLE: a statement to its change of the catalogue, and to what it asks of the rows that are there.

All actions of a statement make one new version of the table. They are taken in PostgreSQL's passes: what
is dropped first, then types, then what is added (tablecmds.c, `AT_PASS_…`).
"""

from dataclasses import replace

from catalog import changes
from catalog.changes import CatalogChange
from catalog.errors import (
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.model import Relation, View, kind_of
from catalog.privileges import Action, require
from kalam_pg.query import (
    ddl_alter_columns,
    ddl_alter_constraints,
    ddl_alter_identity,
    ddl_column_options,
)
from kalam_pg.query.ddl_context import DdlContext, DdlPlan, plan
from kalam_pg.query.ddl_objects import new_column
from kalam_pg.query.ddl_rename import action_name, alter_view, check_materialized, moved
from kalam_pg.query.table_work import TableWork, act
from kalam_pg.sql import statements_alter as sa
from kalam_pg.sql.statements_sequence import MoveSequence
from storage.errors import KalamError

_REGISTERED = (
    ddl_alter_columns,
    ddl_alter_constraints,
    ddl_alter_identity,
    ddl_column_options,
)
"""The modules whose functions `act` chooses from."""


@plan.register
def _(statement: sa.AlterTable, context: DdlContext) -> DdlPlan:
    tag = f"ALTER {statement.kind.upper()}"
    of_sequence = _of_sequence(statement, context)
    if of_sequence is not None:
        return replace(plan(of_sequence, context), tag=tag)
    relation = _found(statement, context)
    if relation is None:
        notice = f'relation "{statement.name.name}" does not exist, skipping'
        return DdlPlan(CatalogChange(context.snapshot, notices=(notice,)), tag)
    require(context.user, Action.ALTER_TABLE, relation)
    (first, *_) = statement.actions
    if isinstance(first, sa.RenameTo | sa.SetSchema):
        return DdlPlan(moved(relation, first, context), tag)
    if isinstance(relation, View):
        return DdlPlan(alter_view(relation, first, context), tag)
    if relation.materialized is not None:
        check_materialized(relation, statement.actions)
    work = TableWork(context, relation, relation, CatalogChange(context.snapshot))
    for action in statement.actions:
        if isinstance(action, sa.AddColumn):
            new_column(action.definition, context)  # Its type's place is told.
    try:
        for action in sorted(statement.actions, key=_pass):
            act(action, work)
    except KalamError as error:
        error.position = 0  # It counts in an expression, of which PostgreSQL tells no place.
        raise
    change = work.change()
    return DdlPlan(change, tag, work.table_change(change))


def _of_sequence(statement: sa.AlterTable, context: DdlContext) -> MoveSequence | None:
    """What ALTER TABLE may do to a sequence, too, if the name is one's. Raises 42809 for the rest."""
    name = statement.name
    if statement.kind != "table":
        return None
    if context.snapshot.find(name.schema, name.name, context.search_path) is not None:
        return None
    found = context.snapshot.find_sequence(name.schema, name.name, context.search_path)
    if found is None:
        return None
    (first, *_) = statement.actions
    match first:
        case sa.RenameTo(new_name):
            return MoveSequence(name, new_name=new_name)
        case sa.SetSchema(schema):
            return MoveSequence(name, schema=schema)
        case sa.OwnerTo(role):
            return MoveSequence(name, owner=role)
        case _:
            raise WrongObjectTypeError(
                f'ALTER action {action_name(first)} cannot be performed on relation "{found.name}"',
                detail="This operation is not supported for sequences.",
            )


def _found(statement: sa.AlterTable, context: DdlContext) -> Relation | None:
    """Raises 42P01, 42809; None where it need not exist."""
    name = statement.name
    changes.require_not_system(name.schema)
    relation = context.snapshot.find(name.schema, name.name, context.search_path)
    if relation is None:
        if statement.if_exists:
            return None
        raise UndefinedTableError(f'relation "{name}" does not exist')
    if statement.kind in ("view", "materialized view") and kind_of(relation) != statement.kind:
        raise WrongObjectTypeError(f'"{relation.name}" is not a {statement.kind}')
    return relation


_PASSES: dict[type[object], int] = {
    sa.DropColumn: 0,
    sa.DropConstraint: 0,
    sa.DropIdentity: 0,
    sa.DropExpression: 0,
    sa.SetType: 1,
    sa.AddColumn: 4,
    sa.SetNotNull: 6,
    sa.AddConstraint: 8,
    sa.SetDefault: 8,
    sa.AddIdentity: 7,
    sa.SetIdentity: 9,
}


def _pass(action: sa.AlterAction) -> int:
    if isinstance(action, sa.SetDefault) and not action.default:
        return 0
    if isinstance(action, sa.SetNotNull) and not action.not_null:
        return 0
    return _PASSES.get(type(action), 9)
