"""Names of tables and views, and what else ALTER may do to a view: who reads them goes on reading them."""

from collections.abc import Sequence
from dataclasses import replace

from catalog import changes, changes_depend
from catalog.changes import CatalogChange, put_relation
from catalog.errors import (
    DuplicateColumnError,
    DuplicateTableError,
    UndefinedColumnError,
    WrongObjectTypeError,
)
from catalog.model import TEMPORARY, Relation, Table, View, as_view, kind_of
from kalam_pg.query.ddl_context import DdlContext, grantee, require_not_moved
from kalam_pg.sql import statements_alter as sa
from kalam_pg.sql.rename_in import rename_table


def alter_view(view: View, action: sa.AlterAction, context: DdlContext) -> CatalogChange:
    """What ALTER VIEW, or ALTER TABLE of a view, may do to one."""
    match action:
        case sa.OwnerTo():
            return put_relation(
                context.snapshot, replace(view, owner=grantee(context, action.role))
            )
        case sa.RenameColumn():
            return _renamed_column(view, action, context)
        case _:
            raise _not_for(view, action)


def check_materialized(view: Table, actions: Sequence[sa.AlterAction]) -> None:
    """Raise 42809 for what is not done to a materialized view."""
    for action in actions:
        if not isinstance(action, sa.OwnerTo | sa.RenameColumn | sa.SetOptions):
            raise _not_for(view, action)


def _not_for(relation: Relation, action: sa.AlterAction) -> WrongObjectTypeError:
    return WrongObjectTypeError(
        f'ALTER action {action_name(action)} cannot be performed on relation "{relation.name}"',
        detail=f"This operation is not supported for {kind_of(relation)}s.",
    )


def action_name(action: sa.AlterAction) -> str:
    """What PostgreSQL calls an action of ALTER TABLE."""
    if isinstance(action, sa.SetNotNull) and not action.not_null:
        return "ALTER COLUMN ... DROP NOT NULL"
    return _COMMANDS.get(type(action), "…")


_COMMANDS: dict[type[object], str] = {
    sa.AddColumn: "ADD COLUMN",
    sa.DropColumn: "DROP COLUMN",
    sa.SetDefault: "ALTER COLUMN ... SET DEFAULT",
    sa.SetNotNull: "ALTER COLUMN ... SET NOT NULL",
    sa.SetType: "ALTER COLUMN ... SET DATA TYPE",
    sa.AddConstraint: "ADD CONSTRAINT",
    sa.DropConstraint: "DROP CONSTRAINT",
    sa.ValidateConstraint: "VALIDATE CONSTRAINT",
    sa.SetOptions: "SET",
}


def _renamed_column(view: View, action: sa.RenameColumn, context: DdlContext) -> CatalogChange:
    names = [column.name for column in view.columns]
    if action.column not in names:
        raise UndefinedColumnError(f'column "{action.column}" does not exist')
    if action.new_name in names:
        raise DuplicateColumnError(
            f'column "{action.new_name}" of relation "{view.name}" already exists'
        )
    told = changes_depend.remember(context.snapshot, [view])
    now = told.snapshot.views[view.id]
    columns = tuple(
        replace(c, name=action.new_name) if c.name == action.column else c for c in now.columns
    )
    made = put_relation(told.snapshot, replace(now, columns=columns))
    return replace(made, puts=(*told.puts, *made.puts))


def moved(
    relation: Relation, action: sa.RenameTo | sa.SetSchema, context: DdlContext
) -> CatalogChange:
    """RENAME TO, SET SCHEMA: rows stay where they are, and views that read it go on reading it."""
    snapshot = context.snapshot
    if isinstance(action, sa.RenameTo):
        namespace, name = relation.namespace, action.new_name
        if snapshot.is_taken(namespace, name):
            raise DuplicateTableError(f'relation "{name}" already exists')
    else:
        if action.schema == TEMPORARY:
            require_not_moved(relation.namespace, action.schema)
        namespace, name = changes.require_namespace(snapshot, action.schema).name, relation.name
        if namespace == relation.namespace:
            return CatalogChange(snapshot)
        if snapshot.is_taken(namespace, name):
            raise DuplicateTableError(f'relation "{name}" already exists in schema "{namespace}"')
        require_not_moved(relation.namespace, namespace)
    query = as_view(relation)
    read = query.reads if query is not None else ()
    found = [snapshot.tables.get(one) or snapshot.views.get(one) for one in read]
    told = changes_depend.remember(snapshot, [relation, *[one for one in found if one is not None]])
    now = told.snapshot.tables.get(relation.id) or told.snapshot.views[relation.id]
    there = replace(now, namespace=namespace, name=name)
    if isinstance(there, Table):
        constraints = tuple(
            replace(c, check=rename_table(c.check, relation.name, name)) if c.kind == "c" else c
            for c in there.constraints
        )
        there = replace(there, constraints=constraints)
        told = _sequences_moved(told, there)
    made = put_relation(told.snapshot, there)
    return replace(made, puts=(*told.puts, *made.puts))


def _sequences_moved(step: CatalogChange, table: Table) -> CatalogChange:
    """The sequences that a table's columns own lie where it does. Raises 42P07."""
    for sequence in step.snapshot.sequences_of(table.id):
        if sequence.namespace == table.namespace:
            continue
        if step.snapshot.is_taken(table.namespace, sequence.name):
            raise DuplicateTableError(
                f'relation "{sequence.name}" already exists in schema "{table.namespace}"'
            )
        made = changes.put_sequence(step.snapshot, replace(sequence, namespace=table.namespace))
        step = replace(step, snapshot=made.snapshot, puts=(*step.puts, *made.puts))
    return step
