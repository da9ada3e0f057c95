"""Namespaces, tables, views, comments and grants: each statement to its catalog change."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from catalog import changes, changes_depend, changes_drop, changes_table
from catalog.changes import CatalogChange
from catalog.changes_index import build_index
from catalog.changes_table import NewColumn, NewConstraint, NewTable
from catalog.errors import (
    DuplicateColumnError,
    FeatureNotSupportedError,
    SqlSyntaxError,
    WrongObjectTypeError,
)
from catalog.model import (
    Column,
    Relation,
    Table,
    View,
    is_temporary,
    kind_of,
)
from catalog.privileges import Action, check_usage, require
from catalog.snapshot import Snapshot
from catalog.types.definitions import user_types_of
from catalog.types.domain import DomainDefinition
from catalog.types.registry import BOOL, TEXT
from kalam_pg.query.ddl_context import (
    DdlContext,
    DdlPlan,
    creation_namespace,
    find_relation,
    grantee,
    kept_expression,
    plan,
)
from kalam_pg.query.ddl_derived import copied, copied_indexes, table_to_make, told
from kalam_pg.query.ddl_indexes import comment_on_index
from kalam_pg.query.ddl_references import with_references
from kalam_pg.query.ddl_sequences import find_sequence, kept_default
from kalam_pg.query.ddl_types import find_type
from kalam_pg.query.ddl_users import comment_on_database, comment_on_role
from kalam_pg.sql import statements as st
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.parse import column_names
from kalam_pg.sql.statements_derived import DropMaterializedView
from kalam_pg.sql.statements_views import CreateView, DropView
from kalam_pg.sql.tree import OutputColumn
from storage.errors import KalamError

# ------------------------------------------------------------------ namespaces


@plan.register
def _(statement: st.CreateNamespace, context: DdlContext) -> DdlPlan:
    require(context.user, Action.CREATE_NAMESPACE)
    owner = context.user.id
    if statement.authorization:
        owner = grantee(context, statement.authorization)
    change = changes.create_namespace(
        context.snapshot,
        context.ids,
        statement.name,
        owner=owner,
        now_us=context.now_us,
        if_not_exists=statement.if_not_exists,
    )
    return DdlPlan(change, "CREATE SCHEMA")


@plan.register
def _(statement: st.DropNamespace, context: DdlContext) -> DdlPlan:
    for name in statement.names:
        require(context.user, Action.DROP_NAMESPACE, context.snapshot.namespace(name))
    change = changes_drop.drop_namespaces(
        context.snapshot,
        statement.names,
        if_exists=statement.if_exists,
        cascade=statement.cascade,
        search_path=context.search_path,
    )
    return DdlPlan(change, "DROP SCHEMA")


@plan.register
def _(statement: st.RenameNamespace, context: DdlContext) -> DdlPlan:
    require(context.user, Action.ALTER_NAMESPACE, context.snapshot.namespace(statement.name))
    change = changes.rename_namespace(context.snapshot, statement.name, statement.new_name)
    return DdlPlan(change, "ALTER SCHEMA")


@plan.register
def _(statement: st.NamespaceOwner, context: DdlContext) -> DdlPlan:
    namespace = changes.require_namespace(context.snapshot, statement.name)
    require(context.user, Action.ALTER_NAMESPACE, namespace)
    owner = grantee(context, statement.role)
    change = changes.put_namespace(context.snapshot, replace(namespace, owner=owner))
    return DdlPlan(change, "ALTER SCHEMA")


# ------------------------------------------------------------------ tables


@plan.register
def _(statement: st.CreateTable, context: DdlContext) -> DdlPlan:
    namespace, kind, options, on_commit = table_to_make(statement, context)
    name = statement.name.name
    if statement.if_not_exists and context.snapshot.is_taken(namespace.name, name):
        return DdlPlan(_skipped(context, name), "CREATE TABLE")
    columns, constraints = _elements(statement, context)
    new = NewTable(namespace.name, name, kind, columns, constraints, options, on_commit)
    change = changes_table.create_table(
        context.snapshot, context.ids, new, owner=context.user.id, now_us=context.now_us
    )
    table = change.snapshot.find(namespace.name, name, ())
    assert isinstance(table, Table)
    _check_expressions(table, context)
    whole = _with_generated(table, statement, context)
    whole = with_references(whole, statement.constraints, context)
    for made in (made for like in statement.likes for made in copied_indexes(like, context)):
        index = build_index(change.snapshot, context.ids, whole, made)
        whole = replace(whole, indexes=(*whole.indexes, index))
        change = replace(change, snapshot=changes.put_relation(change.snapshot, whole).snapshot)
    if whole is not table:
        stored = changes.put_relation(change.snapshot, whole)  # Its sequences are there.
        puts = (*change.puts, *stored.puts)
        change = replace(stored, puts=puts, notices=change.notices, created=(whole,))
    return DdlPlan(told(change, statement), "CREATE TABLE")


def _with_generated(table: Table, statement: st.CreateTable, context: DdlContext) -> Table:
    """The table with its generation expressions as they are kept; errors placed in the statement."""
    if not any(column.generated for column in table.columns):
        return table
    places = {column.name: column.generated_at for column in statement.columns}
    columns = []
    for column in table.columns:
        if column.generated:
            with placed(places.get(column.name, 0)):
                text = context.check_generated(table, column)
            column = replace(column, generated=text)  # noqa: PLW2901
        columns.append(column)
    return replace(table, columns=tuple(columns))


@contextmanager
def placed(at: int) -> Iterator[None]:
    """Positions of errors in an expression count in its statement, where it begins at `at`; 0: nowhere."""
    try:
        yield
    except KalamError as error:
        error.position = error.position + at - 1 if error.position and at else 0
        raise


def _elements(
    statement: st.CreateTable, context: DdlContext
) -> tuple[tuple[NewColumn, ...], tuple[NewConstraint, ...]]:
    """The columns and constraints that are written, and those of LIKE among them."""
    columns = [new_column(column, context) for column in statement.columns]
    constraints = [*_constraints(statement, context)]
    for like in reversed(statement.likes):
        more, of_it = copied(like, context)
        columns[like.place : like.place] = more
        constraints[:0] = of_it
    return tuple(columns), tuple(constraints)


def _skipped(context: DdlContext, name: str) -> CatalogChange:
    return CatalogChange(context.snapshot, notices=(f'relation "{name}" already exists, skipping',))


def new_column(column: st.ColumnDefinition, context: DdlContext) -> NewColumn:
    """A column definition with its type, and the sequences in its default, resolved."""
    kind, typmod = resolve_type(column.type, context.snapshot, context.search_path)
    for made in user_types_of(kind):
        if (there := context.snapshot.types.get(made)) is not None:
            check_usage(context.user, there)
    domain = 0
    if isinstance(kind.definition, DomainDefinition):
        domain, typmod, kind = kind.oid, kind.definition.typmod, kind.definition.base
    default = kept_default(column.default, context)
    return NewColumn(
        column.name,
        kind,
        typmod,
        column.not_null,
        context.spelled(default, kind) if default and not domain else default,
        column.identity,
        column.generated,
        column.position,
        domain,
        column.sequence,
    )


def _constraints(statement: st.CreateTable, context: DdlContext) -> tuple[NewConstraint, ...]:
    """Those of the columns first, each kind as the table's own."""
    names = [column.name for column in statement.columns]
    found: list[NewConstraint] = []
    for column in statement.columns:
        if column.primary_key:
            deferrable, deferred = column.deferral
            found.append(
                NewConstraint(
                    *("p", column.constraint_name, (column.name,)),
                    deferrable=deferrable,
                    deferred=deferred,
                )
            )
        for name, check in column.checks:
            kept = kept_expression(check, context)
            found.append(NewConstraint("c", name, _mentioned(check, names), kept))
    for constraint in statement.constraints:
        if constraint.references is not None:
            continue  # It comes when the table is there (`ddl_references`).
        columns = constraint.columns
        if constraint.kind == "c":
            columns = _mentioned(constraint.check, names)
        found.append(
            NewConstraint(
                constraint.kind,
                constraint.name,
                columns,
                kept_expression(constraint.check, context),
                constraint.nulls_distinct,
                constraint.position,
                constraint.deferrable,
                constraint.deferred,
            )
        )
    return tuple(found)


def _mentioned(check: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that a CHECK mentions, each once."""
    return tuple(name for name in column_names(check) if name in columns)


def _check_expressions(table: Table, context: DdlContext) -> None:
    for column in table.columns:
        if column.default:
            context.check_expression(column.default, None, column.type)
    for constraint in table.constraints:
        if constraint.kind == "c":
            context.check_expression(constraint.check, table, BOOL)


@plan.register
def _(statement: st.DropTable, context: DdlContext) -> DdlPlan:
    return dropped(statement, "table", context, Action.DROP_TABLE)


@plan.register
def _(statement: DropView, context: DdlContext) -> DdlPlan:
    return dropped(statement, "view", context, Action.DROP_VIEW)


def dropped(
    statement: st.DropTable | DropView | DropMaterializedView,
    kind: str,
    context: DdlContext,
    action: Action,
) -> DdlPlan:
    """DROP of relations of a kind (`kind_of`), which `action` allows."""
    relations, notices = to_drop(
        statement.names, kind, context, action, if_exists=statement.if_exists
    )
    change = changes_drop.drop_relations(
        context.snapshot,
        relations,
        kind,
        notices,
        cascade=statement.cascade,
        search_path=context.search_path,
    )
    return DdlPlan(change, f"DROP {kind.upper()}")


def to_drop(
    names: Sequence[st.TableName],
    kind: str,
    context: DdlContext,
    action: Action,
    *,
    if_exists: bool,
) -> tuple[list[Relation], list[str]]:
    """The relations that are there, each once; and a notice for each that is not."""
    found: dict[int, Relation] = {}
    notices: list[str] = []
    for name in names:
        changes.require_not_system(name.schema)
        relation = context.snapshot.find(name.schema, name.name, context.search_path)
        if relation is not None:
            require(context.user, action, relation)
            found[relation.id] = relation
        elif context.snapshot.find_sequence(name.schema, name.name, context.search_path):
            raise WrongObjectTypeError(
                f'"{name.name}" is not a {kind}', hint="Use DROP SEQUENCE to remove a sequence."
            )
        elif not if_exists:
            raise changes.undefined_relation(kind, str(name))
        elif name.schema and context.snapshot.namespace(name.schema) is None:
            notices.append(f'schema "{name.schema}" does not exist, skipping')
        else:
            notices.append(f'{kind} "{name.name}" does not exist, skipping')
    return list(found.values()), notices


# ------------------------------------------------------------------ views


@plan.register
def _(statement: CreateView, context: DdlContext) -> DdlPlan:
    reads = context.reads(statement.query)
    temporary = statement.temporary or _is_temporary(reads, context.snapshot)
    unplaced = replace(statement.name, position=0)
    namespace = creation_namespace(context, unplaced, temporary=temporary)
    if not is_temporary(namespace.name):
        require(context.user, Action.CREATE_VIEW, namespace)
    existing = context.snapshot.find(namespace.name, statement.name.name, ())
    if isinstance(existing, View) and statement.or_replace:
        require(context.user, Action.DROP_VIEW, existing)
        # It may get columns, which `*` of the views that read it does not mean.
        told = changes_depend.remember(context.snapshot, [existing])
    else:
        told = CatalogChange(context.snapshot)
    change = changes.create_view(
        told.snapshot,
        context.ids,
        namespace.name,
        statement.name.name,
        query=statement.query.text,
        columns=_view_columns(statement, context.describe(statement.query)),
        search_path=tuple(context.search_path),
        reads=reads,
        owner=context.user.id,
        now_us=context.now_us,
        or_replace=statement.or_replace,
        check_option=statement.check_option,
    )
    if statement.check_option:
        made = change.snapshot.find(namespace.name, statement.name.name, ())
        assert isinstance(made, View)
        why = context.not_updatable(made, statement.query)
        if why:
            raise FeatureNotSupportedError(
                "WITH CHECK OPTION is supported only on automatically updatable views", hint=why
            )
    change = replace(change, puts=(*told.puts, *change.puts))
    if temporary and not statement.temporary:
        notice = f'view "{statement.name.name}" will be a temporary view'
        change = replace(change, notices=(notice, *change.notices))
    return DdlPlan(change, "CREATE VIEW")


def _is_temporary(reads: Sequence[int], snapshot: Snapshot) -> bool:
    """Whether what a view reads is temporary, so that the view is too."""
    found = [snapshot.tables.get(one) or snapshot.views.get(one) for one in reads]
    return any(relation is not None and relation.temporary for relation in found)


def _view_columns(statement: CreateView, output: Sequence[OutputColumn]) -> list[Column]:
    shown = [column for column in output if not column.hidden]
    names = [column.name for column in shown]
    if len(statement.columns) > len(names):
        raise SqlSyntaxError("CREATE VIEW specifies more column names than columns")
    names[: len(statement.columns)] = statement.columns
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DuplicateColumnError(f'column "{twice}" specified more than once')
    # A bare string literal is text in a view, as in PostgreSQL.
    types = [TEXT if c.type.name == "unknown" else c.type for c in shown]
    for name, kind in zip(names, types, strict=True):
        changes_table.refuse_pseudo_type(name, kind)
    return [
        Column(at, name, kind, c.typmod)
        for at, (name, kind, c) in enumerate(zip(names, types, shown, strict=True), 1)
    ]


# ------------------------------------------------------------------ comments


@plan.register
def _(statement: st.CommentOn, context: DdlContext) -> DdlPlan:
    comment = statement.comment or ""
    if statement.kind == "schema":
        namespace = changes.require_namespace(context.snapshot, statement.name.name)
        require(context.user, Action.ALTER_NAMESPACE, namespace)
        return DdlPlan(
            changes.comment_on_namespace(context.snapshot, namespace.name, comment), "COMMENT"
        )
    if statement.kind in ("type", "domain"):
        made = find_type(context, statement.name)
        require(context.user, Action.COMMENT, made)
        change = changes.put_type(context.snapshot, replace(made, comment=comment))
        return DdlPlan(change, "COMMENT")
    if statement.kind == "sequence":
        sequence = find_sequence(context, statement.name)
        require(context.user, Action.COMMENT, sequence)
        commented = replace(sequence, comment=comment)
        return DdlPlan(changes.put_sequence(context.snapshot, commented), "COMMENT")
    if statement.kind == "database":
        return comment_on_database(statement.name.name, comment, context)
    if statement.kind == "role":
        return comment_on_role(statement.name.name, comment, context)
    if statement.kind == "index":
        return comment_on_index(statement.name, comment, context)
    relation = find_relation(context, statement.name)
    if statement.kind not in ("column", "constraint", kind_of(relation)):
        raise WrongObjectTypeError(f'"{relation.name}" is not a {statement.kind}')
    require(context.user, Action.COMMENT, relation)
    if statement.kind == "constraint":
        if not isinstance(relation, Table):
            raise WrongObjectTypeError(f'"{relation.name}" is not a table')
        change = changes.comment_on_constraint(
            context.snapshot, relation, statement.column, comment
        )
        return DdlPlan(change, "COMMENT")
    change = changes.comment_on_relation(context.snapshot, relation, comment, statement.column)
    return DdlPlan(change, "COMMENT")
