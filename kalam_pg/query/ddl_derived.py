"""Tables made of what is there: CREATE TABLE AS, SELECT INTO, and LIKE among the columns of another."""

from collections.abc import Sequence
from dataclasses import replace

from catalog import changes_table
from catalog.changes import CatalogChange
from catalog.changes_index import NewIndex, NewKey
from catalog.changes_table import NewColumn, NewConstraint, NewTable
from catalog.errors import InvalidTableDefinitionError, SqlSyntaxError
from catalog.indexes import deferral, index_of, indexes_of
from catalog.model import Namespace, Table, TableKind, TableOptions, is_temporary
from catalog.options import parse_options, temporary_options
from catalog.privileges import Action, check_table, require
from catalog.types.registry import TEXT
from kalam_pg.query.ddl_context import DdlContext, DdlPlan, creation_namespace, find_relation, plan
from kalam_pg.sql.statements import CreateTable, QueryStatement
from kalam_pg.sql.statements_derived import CreateTableAs, LikeTable
from kalam_pg.sql.tree import OutputColumn


@plan.register
def _(statement: CreateTableAs, context: DdlContext) -> DdlPlan:
    """The table, without its rows. The tag is CREATE TABLE AS where none is made."""
    namespace, kind, options, on_commit = table_to_make(statement, context)
    name = statement.name.name
    if statement.if_not_exists and context.snapshot.is_taken(namespace.name, name):
        notice = f'relation "{name}" already exists, skipping'
        return DdlPlan(CatalogChange(context.snapshot, notices=(notice,)), "CREATE TABLE AS")
    columns = columns_of(statement.query, statement.columns, context)
    new = NewTable(namespace.name, name, kind, columns, (), options, on_commit)
    change = changes_table.create_table(
        context.snapshot, context.ids, new, owner=context.user.id, now_us=context.now_us
    )
    return DdlPlan(told(change, statement), "SELECT" if statement.with_data else "CREATE TABLE AS")


def told(change: CatalogChange, statement: CreateTable | CreateTableAs) -> CatalogChange:
    """The change, with what the client is told of UNLOGGED."""
    if not statement.unlogged:
        return change
    notice = f'table "{statement.name.name}" is logged as every table is: UNLOGGED has no effect'
    return replace(change, notices=(*change.notices, notice))


def table_to_make(
    statement: CreateTable | CreateTableAs, context: DdlContext
) -> tuple[Namespace, TableKind, TableOptions, str]:
    """Where a table goes, its kind and options, and what COMMIT does to its rows.

    Raises 3F000, 42501, 42P16, and what `parse_options` raises.
    """
    namespace = creation_namespace(context, statement.name, temporary=statement.temporary)
    if is_temporary(namespace.name):
        on_commit = statement.on_commit if statement.on_commit != "preserve rows" else ""
        return namespace, *temporary_options(statement.options), on_commit
    if statement.on_commit:
        raise InvalidTableDefinitionError("ON COMMIT can only be used on temporary tables")
    kind, options = parse_options(
        statement.options, storages=context.storages, unsaid=context.kind_unsaid
    )
    shared = kind is TableKind.SHARED or options.scope == "SHARED"
    action = Action.CREATE_SHARED_TABLE if shared else Action.CREATE_USER_TABLE
    require(context.user, action, namespace)
    return namespace, kind, options, ""


def columns_of(
    query: QueryStatement, written: Sequence[str], context: DdlContext
) -> tuple[NewColumn, ...]:
    """The columns of what a query gives, the first ones called as written. Raises 42601."""
    given = context.describe(query)
    if len(written) > len(given):
        raise SqlSyntaxError("too many column names were specified")
    names = [*written, *[column.name for column in given[len(written) :]]]
    return tuple(
        NewColumn(
            name,
            TEXT if column.type.name == "unknown" else column.type,
            column.typmod,
            domain=_domain_of(column, context),
        )
        for name, column in zip(names, given, strict=True)
    )


def _domain_of(column: OutputColumn, context: DdlContext) -> int:
    """The domain of the table's column that a query gives as it is, 0 for none.

    One that is NOT NULL may have NULLs by an outer join, where PostgreSQL does not look.
    """
    table = context.snapshot.tables.get(column.table_id)
    for one in table.columns if table is not None else ():
        if one.id == column.column_id and one.domain:
            return 0 if context.snapshot.domain(one.domain).required else one.domain
    return 0


def copied(like: LikeTable, context: DdlContext) -> tuple[list[NewColumn], list[NewConstraint]]:
    """What LIKE takes of a table or view. Raises 42P01, 42501."""
    relation = find_relation(context, like.name)
    including = like.including
    columns: list[NewColumn] = []
    constraints: list[NewConstraint] = []
    if isinstance(relation, Table):
        check_table(context.user, Action.SELECT, relation)
        constraints = _constraints(relation, including)
    for column in relation.columns:
        if isinstance(relation, Table) and relation.hidden_key and column.name == "_rowid":
            continue
        made = NewColumn(
            *(column.name, column.type, column.typmod, column.not_null),
            domain=column.domain,
            comment=column.comment if "comments" in including else "",
        )
        if column.generated:
            kept = column.generated if "generated" in including else ""
            made = replace(made, generated=kept)
        elif column.identity in ("a", "d") and "identity" in including:
            made = replace(made, identity=column.identity)
        elif "defaults" in including and column.identity not in ("a", "d"):
            made = replace(made, default=column.default)
        columns.append(made)
    return columns, constraints


def _constraints(table: Table, including: frozenset[str]) -> list[NewConstraint]:
    names = {column.id: column.name for column in table.columns}
    found = []
    for constraint in table.constraints:
        columns = tuple([names[column] for column in constraint.columns])
        if constraint.kind == "c" and "constraints" in including:
            comment = constraint.comment if "comments" in including else ""
            found.append(
                NewConstraint("c", constraint.name, columns, constraint.check, comment=comment)
            )
        elif constraint.kind in ("p", "u") and "indexes" in including:
            index = index_of(constraint, table)
            distinct = index is None or index.nulls_distinct
            deferrable, deferred = deferral(table, constraint)
            found.append(
                NewConstraint(
                    # An index gets a name of its own.
                    constraint.kind, "", columns, nulls_distinct=distinct,
                    deferrable=deferrable, deferred=deferred,
                )
            )  # fmt: skip
    return found


def copied_indexes(like: LikeTable, context: DdlContext) -> list[NewIndex]:
    """What LIKE … INCLUDING INDEXES takes beside those of constraints; each gets a name of its own."""
    table = find_relation(context, like.name)
    if not isinstance(table, Table) or "indexes" not in like.including:
        return []
    names = {column.id: column.name for column in table.columns}
    return [
        NewIndex(
            tuple(
                NewKey(
                    names.get(key.column, ""),
                    key.expression,
                    key.type,
                    key.opclass,
                    key.descending,
                    key.nulls_first,
                )
                for key in index.keys
            ),
            "",
            index.unique,
            index.nulls_distinct,
            index.where,
            tuple(names[column] for column in index.include),
            index.method,
            index.parameters,
            index.comment if "comments" in like.including else "",
        )
        for index, kind in indexes_of(table)
        if not kind
    ]
