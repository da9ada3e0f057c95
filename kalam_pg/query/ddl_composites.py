"""CREATE TYPE … AS (…), and what ALTER TYPE does to attributes: each statement to its catalog change."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from catalog import changes, changes_composite
from catalog.changes import CatalogChange
from catalog.changes_composite import NewAttribute, made_of
from catalog.errors import FeatureNotSupportedError, UndefinedTableError, WrongObjectTypeError
from catalog.model import Table, UserType
from catalog.privileges import Action, check_usage, require
from catalog.types.definitions import quoted, user_types_of
from catalog.types.domain import DomainDefinition
from kalam_pg.query.ddl_context import DdlContext, DdlPlan, plan, type_namespace
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.statements import TableName, TypeName
from kalam_pg.sql.statements_types import (
    AddAttribute,
    AlterAttribute,
    AlterAttributes,
    CreateComposite,
    DropAttribute,
    RenameAttribute,
)


@plan.register
def _(statement: CreateComposite, context: DdlContext) -> DdlPlan:
    namespace = type_namespace(context, statement.name)
    require(context.user, Action.CREATE_TYPE, namespace)
    change = changes_composite.create_composite(
        context.snapshot,
        context.ids,
        namespace.name,
        statement.name.name,
        [_attribute(name, kind, context) for name, kind in statement.attributes],
        owner=context.user.id,
        now_us=context.now_us,
    )
    return DdlPlan(change, "CREATE TYPE")


def _attribute(name: str, written: TypeName, context: DdlContext) -> NewAttribute:
    written = replace(written, position=0)  # Nothing is pointed at here, in PostgreSQL.
    kind, typmod = resolve_type(written, context.snapshot, context.search_path)
    for made in user_types_of(kind):
        there = context.snapshot.types.get(made)
        if there is not None:
            check_usage(context.user, there)
    return NewAttribute(name, kind, typmod)


def find_composite(context: DdlContext, name: TableName) -> UserType:
    """The composite type of that name. Raises 42P01, and 42809 for a table or view."""
    changes.require_not_system(name.schema)
    made = context.snapshot.find_type(name.schema, name.name, context.search_path)
    if made is None:
        if context.snapshot.find(name.schema, name.name, context.search_path) is not None:
            raise WrongObjectTypeError(f'"{name.name}" is not a composite type')
        raise UndefinedTableError(f'relation "{name}" does not exist')
    changes_composite.require_composite(made)
    return made


def altered(
    action: AlterAttributes | RenameAttribute, made: UserType, context: DdlContext
) -> CatalogChange:
    """ALTER TYPE … ADD, DROP, ALTER, RENAME ATTRIBUTE."""
    _refuse_views(made, context)
    if isinstance(action, RenameAttribute):
        _refuse_texts(made, action.name, context)
        return changes_composite.rename_attribute(
            context.snapshot, made, action.name, action.new_name
        )
    change = CatalogChange(context.snapshot)
    for one in action.actions:
        step = _step(
            one, change.snapshot.types[made.id], replace(context, snapshot=change.snapshot)
        )
        change = replace(
            step, puts=(*change.puts, *step.puts), notices=(*change.notices, *step.notices)
        )
    return change


def _step(
    action: AddAttribute | DropAttribute | AlterAttribute, made: UserType, context: DdlContext
) -> CatalogChange:
    snapshot = context.snapshot
    match action:
        case AddAttribute(name, kind):
            return changes_composite.add_attribute(snapshot, made, _attribute(name, kind, context))
        case DropAttribute(name, if_exists):
            _refuse_texts(made, name, context)
            return changes_composite.drop_attribute(snapshot, made, name, if_exists=if_exists)
        case AlterAttribute(name, kind):
            return changes_composite.alter_attribute(
                snapshot, made, _attribute(name, kind, context)
            )
        case _:
            assert_never(action)


# ------------------------------------------------------------------ texts that name attributes


def _refuse_views(made: UserType, context: DdlContext) -> None:
    """Raise 0A000 where a view uses the type: its text would mean other columns afterwards."""
    for view in context.snapshot.stored_queries():
        reads = made.id in view.reads
        for table in _tables_with(made, context):
            used = {c.id for c in table.columns if made_of(c.type, made.id)}
            if reads or used & context.columns_read(view, table.id):
                reads = True
                break
        if reads:
            raise FeatureNotSupportedError(
                f"altering attributes of type {quoted(made.name)} is not supported while view "
                f"{view.name} uses it",
                hint="Drop the view, and create it anew afterwards.",
            )


def _tables_with(made: UserType, context: DdlContext) -> list[Table]:
    return [
        table
        for table in context.snapshot.tables.values()
        if any(made_of(c.type, made.id) for c in table.columns)
    ]


def _refuse_texts(made: UserType, attribute: str, context: DdlContext) -> None:
    """Raise 0A000 where a default, CHECK, index or domain may name the attribute: they are kept as text."""
    word = re.compile(rf"\b{re.escape(attribute)}\b", re.IGNORECASE)
    for where, text in _texts(made, context):
        if word.search(text):
            raise FeatureNotSupportedError(
                f"attribute {quoted(attribute)} of type {quoted(made.name)} cannot be renamed or "
                f"dropped while {where} may use it"
            )


def _texts(made: UserType, context: DdlContext) -> Iterator[tuple[str, str]]:
    for table in _tables_with(made, context):
        of = f"of table {table.name}"
        for constraint in table.constraints:
            if constraint.kind == "c":
                yield f"constraint {constraint.name} {of}", constraint.check
        for column in table.columns:
            yield f"the default of column {column.name} {of}", column.default
            yield f"generated column {column.name} {of}", column.generated
        for index in table.indexes:
            texts = (index.where, *[key.expression for key in index.keys])
            yield f"index {index.name}", " ".join(texts)
    for other in context.snapshot.types.values():
        domain = other.definition
        if isinstance(domain, DomainDefinition) and made_of(domain.base, made.id):
            for check in domain.checks:
                yield f"domain {other.name}", check.check
