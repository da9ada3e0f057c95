"""CREATE and DROP MATERIALIZED VIEW: a table that keeps the query of its rows (decision 0066)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from catalog import changes, changes_table
from catalog.changes import CatalogChange
from catalog.changes_table import NewTable
from catalog.errors import FeatureNotSupportedError, InvalidTableDefinitionError
from catalog.model import Materialized, Table, TableKind, TableOptions, is_temporary
from catalog.options import parse_options
from catalog.privileges import Action, require
from catalog.snapshot import Snapshot
from kalam_pg.query.ddl_context import DdlContext, DdlPlan, creation_namespace, plan
from kalam_pg.query.ddl_derived import columns_of
from kalam_pg.query.ddl_objects import dropped
from kalam_pg.sql.statements_derived import CreateMaterializedView, DropMaterializedView


@plan.register
def _(statement: CreateMaterializedView, context: DdlContext) -> DdlPlan:
    """The view without its rows. The tag is CREATE MATERIALIZED VIEW where it gets none."""
    reads = context.reads(statement.query)
    below = list(dict.fromkeys(_tables_below(context.snapshot, reads)))
    if any(table.temporary for table in below):
        raise FeatureNotSupportedError("materialized views must not use temporary tables or views")
    namespace = creation_namespace(context, statement.name)
    if is_temporary(namespace.name):
        raise InvalidTableDefinitionError("cannot create materialized views in temporary schemas")
    kind, options = _kind_and_options(statement, below, context)
    shared = kind is TableKind.SHARED
    action = Action.CREATE_SHARED_TABLE if shared else Action.CREATE_USER_TABLE
    require(context.user, action, namespace)
    name = statement.name.name
    if statement.if_not_exists and context.snapshot.is_taken(namespace.name, name):
        notice = f'relation "{name}" already exists, skipping'
        change = CatalogChange(context.snapshot, notices=(notice,))
        return DdlPlan(change, "CREATE MATERIALIZED VIEW")
    columns = columns_of(statement.query, statement.columns, context)
    new = NewTable(namespace.name, name, kind, columns, (), options)
    made = changes_table.create_table(
        context.snapshot, context.ids, new, owner=context.user.id, now_us=context.now_us
    )
    (table,) = made.created
    query = Materialized(statement.query.text, tuple(context.search_path), reads)
    table = replace(table, materialized=query)
    change = replace(changes.put_relation(made.snapshot, table), created=(table,))
    return DdlPlan(change, "SELECT" if statement.with_data else "CREATE MATERIALIZED VIEW")


def _tables_below(snapshot: Snapshot, reads: Sequence[int]) -> Iterator[Table]:
    """The tables whose rows a query reads, those of the views in it too."""
    for one in reads:
        table = snapshot.tables.get(one)
        if table is not None:
            yield table
        elif (view := snapshot.views.get(one)) is not None:
            yield from _tables_below(snapshot, view.reads)


_LEVELS = ("PUBLIC", "PRIVATE", "RESTRICTED")


def _kind_and_options(
    statement: CreateMaterializedView, below: Sequence[Table], context: DdlContext
) -> tuple[TableKind, TableOptions]:
    """USER if anything that it reads is each user's own; readable by no more than what it reads.

    Raises 42P16 for another TYPE, and what `parse_options` raises.
    """
    kind = TableKind.USER if any(table.per_user for table in below) else TableKind.SHARED
    given = [(name, value) for name, value in statement.options if name not in _KIND_OPTIONS]
    written = [value.upper() for name, value in statement.options if name in _KIND_OPTIONS]
    if any(value != kind.value for value in written):
        raise InvalidTableDefinitionError(
            f'materialized view "{statement.name.name}" must be of TYPE {kind.value}',
            detail="It reads rows that are each user's own."
            if kind is TableKind.USER
            else "It reads no rows that are each user's own.",
        )
    _, options = parse_options([("TYPE", kind.value), *given], storages=context.storages)
    if kind is TableKind.SHARED and "ACCESS_LEVEL" not in dict(given):
        level = max([_LEVELS.index(table.options.access_level) for table in below], default=0)
        options = replace(options, access_level=_LEVELS[level])
    return kind, options


_KIND_OPTIONS = ("TYPE", "TABLE_TYPE")


@plan.register
def _(statement: DropMaterializedView, context: DdlContext) -> DdlPlan:
    return dropped(statement, "materialized view", context, Action.DROP_VIEW)
