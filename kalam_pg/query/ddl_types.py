"""CREATE, ALTER and DROP TYPE and DOMAIN: each statement to its catalog change."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import assert_never

from catalog import changes, changes_domain, changes_drop, changes_type
from catalog.changes import CatalogChange
from catalog.domain_values import value_table
from catalog.dropped_names import described
from catalog.errors import (
    DatatypeMismatchError,
    DependentObjectsStillExistError,
    FeatureNotSupportedError,
    UndefinedObjectError,
    WrongObjectTypeError,
)
from catalog.model import Table, UserType
from catalog.privileges import Action, require
from catalog.snapshot import Snapshot
from catalog.types.composite import composite_of
from catalog.types.definitions import quoted, user_types_of
from catalog.types.domain import DomainDefinition
from catalog.types.registry import BOOL
from catalog.types.user_ranges import MultirangeDefinition
from kalam_pg.query import ddl_composites, ddl_ranges, domain_demands  # noqa: F401 -- a plan
from kalam_pg.query.ddl_context import (
    DdlContext,
    DdlPlan,
    grantee,
    kept_expression,
    plan,
    type_namespace,
)
from kalam_pg.query.table_change import TableChange
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.deparse import quote_literal
from kalam_pg.sql.statements import TableName
from kalam_pg.sql.statements_types import (
    AddDomainCheck,
    AddLabel,
    AlterAttributes,
    AlterDomain,
    AlterType,
    CreateDomain,
    CreateType,
    DomainDefault,
    DomainNotNull,
    DropDomain,
    DropDomainCheck,
    DropType,
    MoveType,
    OwnType,
    RenameAttribute,
    RenameDomainCheck,
    RenameLabel,
    ValidateDomainCheck,
)
from storage.errors import KalamError


@plan.register
def _(statement: CreateType, context: DdlContext) -> DdlPlan:
    namespace = type_namespace(context, statement.name)
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
    if isinstance(statement.action, AlterAttributes | RenameAttribute):
        made = ddl_composites.find_composite(context, statement.name)
    else:
        made = find_type(context, statement.name)
    require(context.user, Action.ALTER_TYPE, made)
    snapshot = context.snapshot
    match statement.action:
        case AlterAttributes() | RenameAttribute():
            change = ddl_composites.altered(statement.action, made, context)
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
        case MoveType() | OwnType():
            change = _moved(statement.action, made, context)
        case _:
            assert_never(statement.action)
    return DdlPlan(change, "ALTER TYPE")


@plan.register
def _(statement: CreateDomain, context: DdlContext) -> DdlPlan:
    namespace = type_namespace(context, statement.name)
    require(context.user, Action.CREATE_TYPE, namespace)
    written = replace(statement.type, position=0)  # Nothing is pointed at here, in PostgreSQL.
    base, typmod = resolve_type(written, context.snapshot, context.search_path)
    if base.pseudo:
        raise DatatypeMismatchError(f'"{base.sql_name}" is not a valid base type for a domain')
    if base.element and user_types_of(base):
        raise FeatureNotSupportedError("domains over arrays of made types are not supported")
    made_type = composite_of(base)
    if made_type is not None and made_type.of_table:
        raise FeatureNotSupportedError("a domain over the row type of a table is not supported")
    change = changes_domain.create_domain(
        context.snapshot,
        context.ids,
        namespace.name,
        statement.name.name,
        base,
        typmod,
        not_null=statement.not_null,
        default=kept_expression(statement.default, context),
        checks=[(n, kept_expression(check, context)) for n, check in statement.checks],
        owner=context.user.id,
        now_us=context.now_us,
    )
    made = change.snapshot.find_type(namespace.name, statement.name.name, ())
    assert made is not None
    _check_domain(changes_domain.require_domain(made), context)
    return DdlPlan(change, "CREATE DOMAIN")


def _check_domain(domain: DomainDefinition, context: DdlContext) -> None:
    with _positions_elsewhere():
        if domain.default:
            context.check_expression(domain.default, None, domain.base)
        for check in domain.checks:
            context.check_expression(check.check, value_table(domain), BOOL)


@contextmanager
def _positions_elsewhere() -> Iterator[None]:
    """Errors in here have no position: it would count in an expression's text."""
    try:
        yield
    except KalamError as error:
        error.position = 0
        raise


@plan.register
def _(statement: AlterDomain, context: DdlContext) -> DdlPlan:
    made = find_type(context, statement.name)
    domain = changes_domain.require_domain(made)
    require(context.user, Action.ALTER_TYPE, made)
    snapshot = context.snapshot
    asked: tuple[TableChange, ...] = ()
    match statement.action:
        case DomainDefault(default):
            if default:
                context.check_expression(default, None, domain.base)
            kept = kept_expression(default, context)
            change = changes_domain.set_default(snapshot, made, kept)
        case DomainNotNull(not_null):
            change = changes_domain.set_not_null(snapshot, made, not_null=not_null)
            if not_null and not domain.not_null:
                asked = domain_demands.not_null(snapshot, made)
        case AddDomainCheck(name, check, not_valid):
            with _positions_elsewhere():
                context.check_expression(check, value_table(domain), BOOL)
            change = changes_domain.add_check(
                *(snapshot, context.ids, made, name, kept_expression(check, context)),
                not_valid=not_valid,
            )
            if not not_valid:
                asked = domain_demands.satisfied(snapshot, made, check)
        case ValidateDomainCheck(name):
            change = changes_domain.validate_check(snapshot, made, name)
            for one in domain.checks:
                if one.name == name and not one.valid:
                    asked = domain_demands.satisfied(snapshot, made, one.check)
        case DropDomainCheck(name, if_exists):
            change = changes_domain.drop_check(snapshot, made, name, if_exists=if_exists)
        case RenameDomainCheck(name, new_name):
            change = changes_domain.rename_check(snapshot, made, name, new_name)
        case MoveType() | OwnType():
            change = _moved(statement.action, made, context)
        case _:
            assert_never(statement.action)
    return DdlPlan(change, "ALTER DOMAIN", asked=asked)


def _moved(action: MoveType | OwnType, made: UserType, context: DdlContext) -> CatalogChange:
    if isinstance(action, OwnType):
        owned = replace(made, owner=grantee(context, action.owner))
        return changes.put_type(context.snapshot, owned)
    namespace, name = action.schema or made.namespace, action.new_name or made.name
    change = changes_type.move_type(context.snapshot, made, namespace, name)
    return _with_texts_changed(change, context, made, "", "")


@plan.register
def _(statement: DropDomain, context: DdlContext) -> DdlPlan:
    for name in statement.names:
        made = context.snapshot.find_type(name.schema, name.name, context.search_path)
        if made is not None and not isinstance(made.definition, DomainDefinition):
            raise WrongObjectTypeError(f'"{made.name}" is not a domain')
    drop = DropType(statement.names, statement.if_exists, statement.cascade)
    return replace(plan(drop, context), tag="DROP DOMAIN")


@plan.register
def _(statement: DropType, context: DdlContext) -> DdlPlan:
    found: dict[int, UserType] = {}
    notices: list[str] = []
    for name in statement.names:
        changes.require_not_system(name.schema)
        made = context.snapshot.find_type(name.schema, name.name, context.search_path)
        relation = context.snapshot.find(name.schema, name.name, context.search_path)
        if made is not None and isinstance(made.definition, MultirangeDefinition):
            of = quoted(made.definition.of.name)
            raise DependentObjectsStillExistError(
                f"cannot drop type {quoted(made.name)} because type {of} requires it",
                hint=f"You can drop type {of} instead.",
            )
        if made is not None:
            require(context.user, Action.DROP_TYPE, made)
            found[made.id] = made
        elif relation is not None:
            what = described(relation, context.snapshot, context.search_path)
            raise DependentObjectsStillExistError(
                f"cannot drop type {quoted(relation.name)} because {what} requires it",
                hint=f"You can drop {what} instead.",
            )
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
        if context.snapshot.find(name.schema, name.name, context.search_path) is not None:
            raise WrongObjectTypeError(
                f"{quoted(name.name)} is a table's row type", hint="Use ALTER TABLE instead."
            )
        raise UndefinedObjectError(f'type "{name}" does not exist', position=name.position)
    if isinstance(made.definition, MultirangeDefinition):
        raise FeatureNotSupportedError(
            f"changes of multirange type {quoted(made.name)} are not supported"
        )
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
    for view in change.snapshot.stored_queries():
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
        if any(made.id in (*user_types_of(c.type), c.domain) for c in table.columns)
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
            if column.generated:
                context.check_expression(column.generated, table, column.type)
        for constraint in table.constraints:
            if constraint.kind == "c":
                context.check_expression(constraint.check, table, BOOL)
    except KalamError as error:
        raise FeatureNotSupportedError(
            f"renaming what a default or constraint of table {table.name} uses of type "
            f"{quoted(made.name)} is not supported",
            detail=error.message,
        ) from error
