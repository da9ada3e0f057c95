"""CREATE INDEX, DROP INDEX."""

from dataclasses import replace

from catalog import changes, changes_alter, changes_index
from catalog.changes import CatalogChange
from catalog.changes_index import NewIndex, NewKey
from catalog.errors import (
    DuplicateTableError,
    FeatureNotSupportedError,
    UndefinedObjectError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.model import Table, View
from catalog.privileges import Action, require
from catalog.types.registry import BOOL
from catalog.types.table import PgType
from kalam_pg.query.access_methods import check_method, parameters_of
from kalam_pg.query.ddl_context import DdlContext, DdlPlan, find_relation, plan
from kalam_pg.sql import statements_alter as sa
from kalam_pg.sql.statements import TableName
from kalam_pg.sql.statements_indexes import CreateIndex, DropIndex, IndexElement, RenameIndex
from storage.errors import KalamError


@plan.register
def _(statement: CreateIndex, context: DdlContext) -> DdlPlan:
    relation = find_relation(context, statement.table)
    if isinstance(relation, View):
        raise WrongObjectTypeError(
            f'cannot create index on relation "{relation.name}"',
            detail="This operation is not supported for views.",
        )
    require(context.user, Action.ALTER_TABLE, relation)
    check_method(statement)
    where = ""
    if statement.where:
        _, where = _checked(statement.where, statement.where_at, relation, BOOL, context)
    new = NewIndex(
        tuple(_key(element, relation, context) for element in statement.elements),
        statement.name,
        statement.unique,
        statement.nulls_distinct,
        where,
        statement.include,
        statement.method,
        parameters_of(statement.method, statement.parameters),
    )
    change = changes_index.create_index(
        context.snapshot, context.ids, relation, new, if_not_exists=statement.if_not_exists
    )
    return DdlPlan(change, "CREATE INDEX")


def _key(element: IndexElement, table: Table, context: DdlContext) -> NewKey:
    of, text = None, ""
    if element.expression:
        of, text = _checked(element.expression, element.position, table, None, context)
    return NewKey(
        element.column,
        text,
        of,
        element.opclass,
        element.descending,
        element.nulls_first,
    )


def _checked(
    text: str, at: int, table: Table, expected: PgType | None, context: DdlContext
) -> tuple[PgType, str]:
    """What an expression is, its errors placed in the message."""
    try:
        return context.check_indexed(text, table, expected)
    except KalamError as exc:
        if exc.position:
            exc.position += at - 1
        raise


@plan.register
def _(statement: DropIndex, context: DdlContext) -> DdlPlan:
    if statement.concurrently and len(statement.names) > 1:
        raise FeatureNotSupportedError(
            "DROP INDEX CONCURRENTLY does not support dropping multiple objects"
        )
    change = CatalogChange(context.snapshot)
    notices: list[str] = []
    for name in statement.names:
        changes.require_not_system(name.schema)
        table = changes_index.find_index(
            change.snapshot, name.schema, name.name, context.search_path
        )
        if table is None:
            if not statement.if_exists:
                raise UndefinedObjectError(f'index "{name}" does not exist')
            notices.append(f'index "{name.name}" does not exist, skipping')
            continue
        require(context.user, Action.ALTER_TABLE, table)
        step = changes_index.drop_index(change.snapshot, table, name.name)
        change = replace(step, puts=(*change.puts, *step.puts))
    return DdlPlan(replace(change, notices=tuple(notices)), "DROP INDEX")


@plan.register
def _(statement: RenameIndex, context: DdlContext) -> DdlPlan:
    name, new_name = statement.name, statement.new_name
    changes.require_not_system(name.schema)
    snapshot, path = context.snapshot, context.search_path
    if snapshot.find(name.schema, name.name, path) or snapshot.find_sequence(
        name.schema, name.name, path
    ):
        # As in PostgreSQL any relation may be called an index here.
        alter = sa.AlterTable(name, (sa.RenameTo(new_name),), kind="table")
        return replace(plan(alter, context), tag="ALTER INDEX")
    table = changes_index.find_index(snapshot, name.schema, name.name, path)
    if table is None:
        if not statement.if_exists:
            raise UndefinedTableError(f'relation "{name}" does not exist')
        notice = f'relation "{name.name}" does not exist, skipping'
        return DdlPlan(CatalogChange(snapshot, notices=(notice,)), "ALTER INDEX")
    require(context.user, Action.ALTER_TABLE, table)
    if snapshot.is_taken(table.namespace, new_name):
        raise DuplicateTableError(f'relation "{new_name}" already exists')
    if any(constraint.name == name.name for constraint in table.constraints):
        table = changes_alter.rename_constraint(table, name.name, new_name)
    else:
        indexes = [replace(i, name=new_name) if i.name == name.name else i for i in table.indexes]
        table = replace(table, indexes=tuple(indexes))
    return DdlPlan(changes.put_relation(snapshot, table), "ALTER INDEX")


def comment_on_index(name: TableName, comment: str, context: DdlContext) -> DdlPlan:
    """COMMENT ON INDEX. Raises 42P01, 42809, 42501; 0A000 for that of a primary key."""
    table = indexed_table(name, context)
    require(context.user, Action.COMMENT, table)
    if all(index.name != name.name for index in table.indexes):
        raise FeatureNotSupportedError(
            "COMMENT ON INDEX of a primary key is not supported",
            hint="COMMENT ON CONSTRAINT is.",
        )
    indexes = [replace(i, comment=comment) if i.name == name.name else i for i in table.indexes]
    change = changes.put_relation(context.snapshot, replace(table, indexes=tuple(indexes)))
    return DdlPlan(change, "COMMENT")


def indexed_table(name: TableName, context: DdlContext) -> Table:
    """The table of an index that there is. Raises 42P01, 42809."""
    snapshot, path = context.snapshot, context.search_path
    for namespace in (name.schema,) if name.schema else path:
        table = snapshot.indexed_by(namespace, name.name)
        if table is not None:
            return table
        if snapshot.is_taken(namespace, name.name):
            raise WrongObjectTypeError(f'"{name.name}" is not an index')
    raise UndefinedTableError(f'relation "{name}" does not exist')
