"""ALTER TABLE's actions on columns."""

from dataclasses import replace

from catalog import changes_alter, changes_drop, changes_index, changes_key, changes_sequence
from catalog.changes_alter import column_named
from catalog.changes_references import check_types
from catalog.changes_sequence import SequenceOptions
from catalog.errors import (
    CannotCoerceError,
    DatatypeMismatchError,
    DependentObjectsStillExistError,
    FeatureNotSupportedError,
    InvalidColumnDefinitionError,
    InvalidParameterValueError,
    ObjectNotInPrerequisiteStateError,
    SqlSyntaxError,
)
from catalog.model import Column, Index, Table
from catalog.pg_catalog.text import quote_identifier
from catalog.types.domain import DomainDefinition
from catalog.types.registry import BOOL, format_type
from catalog.types.table import PgType
from kalam_pg.query import domain_demands
from kalam_pg.query.ddl_alter_constraints import add_check, drop_primary_key
from kalam_pg.query.ddl_alter_identity import numbered
from kalam_pg.query.ddl_objects import new_column
from kalam_pg.query.ddl_sequences import kept_default
from kalam_pg.query.table_work import TableWork, act
from kalam_pg.sql import statements as st
from kalam_pg.sql import statements_alter as sa
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.parse import column_names
from kalam_pg.sql.rename_in import rename_column


@act.register
def _(action: sa.AddColumn, work: TableWork) -> None:
    definition, context = action.definition, work.context
    if action.if_not_exists and any(c.name == definition.name for c in work.now.columns):
        work.notices.append(
            f'column "{definition.name}" of relation "{work.now.name}" already exists, skipping'
        )
        return
    new = replace(new_column(definition, context), position=0)
    table = changes_alter.add_column(work.now, new, None)
    column = table.columns[-1]
    if definition.identity:
        column = numbered(work, table, column, new.sequence)
        table = replace(table, columns=(*table.columns[:-1], column))
    if column.generated:
        new_names = [c.name for c in work.now.columns if c not in work.before.columns]
        text = _generated(work, table, column, definition, new_names)
        column = replace(column, generated=text)
        table = replace(table, columns=(*table.columns[:-1], column))
        work.fill(column, text)
    elif column.domain:
        # Written in every row, which checks what the domain asks of it.
        default = column.default or context.snapshot.domain(column.domain).default
        work.fill(column, default or "NULL")
    elif column.default:
        context.check_expression(column.default, None, column.type)
        value = context.evaluate(column.default, column.type, column.typmod)
        if value is None:
            work.fill(column, column.default)
        else:
            (known,) = value
            column = replace(column, missing=known)
            table = replace(table, columns=(*table.columns[:-1], column))
    if column.not_null and column.missing is None:
        work.demand_value(column)
    work.now = table
    work.done.append(f"ADD COLUMN {quote_identifier(column.name)}")
    for name, check in definition.checks:
        add_check(work, st.TableConstraint("c", name, check=check))
    if definition.primary_key:
        deferrable, deferred = definition.deferral
        key = st.TableConstraint(
            *("p", definition.constraint_name, (column.name,)),
            deferrable=deferrable,
            deferred=deferred,
        )
        act(sa.AddConstraint(key), work)
    for constraint in action.constraints:
        act(sa.AddConstraint(constraint), work)


def _generated(
    work: TableWork, table: Table, column: Column, written: st.ColumnDefinition, new: list[str]
) -> str:
    """A new column's expression as it is kept. Raises as `DdlContext.check_generated`, 0A000."""
    text = work.context.check_generated(table, column)
    if any(name in new for name in column_names(text)):
        raise FeatureNotSupportedError(
            f'column "{written.name}" is generated from a column that is added by the same statement',
            hint="Add them one after the other.",
        )
    return text


@act.register
def _(action: sa.DropColumn, work: TableWork) -> None:
    column = changes_alter.find_column(work.now, action.column)
    if column is None and action.if_exists:
        work.notices.append(
            f'column "{action.column}" of relation "{work.now.name}" does not exist, skipping'
        )
        return
    column = column_named(work.now, action.column)
    referrers = work.referrers(column)
    names = [name for _, name in referrers]
    if referrers and not action.cascade:
        what = f"column {column.name} of table {work.now.name}"
        raise DependentObjectsStillExistError(
            f"cannot drop {what} because other objects depend on it",
            detail="\n".join([f"{name} depends on {what}" for name in names]),
            hint="Use DROP ... CASCADE to drop the dependent objects too.",
        )
    if referrers:
        work.drop_references([key for key, _ in referrers], names)
    _drop_generated(work, column, cascade=action.cascade)
    for key in work.now.constraints:
        if key.kind == "p" and column.id in key.columns:
            drop_primary_key(work, key, cascade=action.cascade)
    gone = changes_drop.drop_with_column(
        *(work.dropped.snapshot, work.before, column, work.readers(column)),
        cascade=action.cascade,
        search_path=work.context.search_path,
    )
    work.dropped = replace(gone, puts=(*work.dropped.puts, *gone.puts))
    work.notices += gone.notices
    work.detail = gone.detail or work.detail
    work.now = changes_alter.drop_column(
        work.now, column, work.checks_of(column.name), work.indexes_of(column)
    )
    work.now = changes_alter.without_defaults(work.now, work.before, gone.snapshot)
    work.done.append(f"DROP COLUMN {quote_identifier(column.name)}")


def _drop_generated(work: TableWork, column: Column, *, cascade: bool) -> None:
    """Drop the columns that are generated from one that goes. Raises 2BP01 unless `cascade`."""
    dependent = work.generated_from(column.name)
    if not dependent:
        return
    of = f"table {work.now.name}"
    if not cascade:
        lines = [
            f"column {c.name} of {of} depends on column {column.name} of {of}" for c in dependent
        ]
        raise DependentObjectsStillExistError(
            f"cannot drop column {column.name} of {of} because other objects depend on it",
            detail="\n".join(lines),
            hint="Use DROP ... CASCADE to drop the dependent objects too.",
        )
    for one in dependent:
        act(sa.DropColumn(one.name, cascade=True), work)
    cascades = [f"drop cascades to column {c.name} of {of}" for c in dependent]
    if len(cascades) > 1:
        work.detail = "\n".join(cascades)
        cascades = [f"drop cascades to {len(cascades)} other objects"]
    work.notices += cascades


@act.register
def _(action: sa.DropExpression, work: TableWork) -> None:
    column = column_named(work.now, action.column)
    if not column.generated:
        text = (
            f'column "{column.name}" of relation "{work.now.name}" is not a stored generated column'
        )
        if not action.if_exists:
            raise ObjectNotInPrerequisiteStateError(text)
        work.notices.append(f"{text}, skipping")
        return
    columns = tuple(replace(c, generated="") if c.id == column.id else c for c in work.now.columns)
    work.now = replace(work.now, columns=columns)
    work.done.append(f"ALTER COLUMN {quote_identifier(column.name)} DROP EXPRESSION")


@act.register
def _(action: sa.RenameColumn, work: TableWork) -> None:
    old, new = action.column, action.new_name
    table = changes_alter.rename_column(work.now, old, new)
    constraints = tuple(
        replace(c, check=rename_column(c.check, old, new)) if c.kind == "c" else c
        for c in table.constraints
    )
    indexes = tuple(_renamed(index, old, new) for index in table.indexes)
    columns = tuple(
        replace(c, generated=rename_column(c.generated, old, new)) if c.generated else c
        for c in table.columns
    )
    work.now = replace(table, columns=columns, constraints=constraints, indexes=indexes)
    work.done.append(f"RENAME COLUMN {quote_identifier(old)} TO {quote_identifier(new)}")


def _renamed(index: Index, old: str, new: str) -> Index:
    keys = tuple(
        replace(key, expression=rename_column(key.expression, old, new)) if key.expression else key
        for key in index.keys
    )
    where = rename_column(index.where, old, new) if index.where else ""
    return replace(index, keys=keys, where=where)


@act.register
def _(action: sa.SetDefault, work: TableWork) -> None:
    column = column_named(work.now, action.column)
    if column.generated:
        instead = "Use ALTER TABLE ... ALTER COLUMN ... DROP EXPRESSION instead."
        raise SqlSyntaxError(
            f'column "{column.name}" of relation "{work.now.name}" is a generated column',
            hint="" if action.default else instead,
        )
    default = kept_default(action.default, work.context)
    if default:
        work.context.check_expression(default, None, column.type)
        if not column.domain:
            default = work.context.spelled(default, column.type)
    work.now = changes_alter.set_default(work.now, column, default)
    verb = "SET" if action.default else "DROP"
    work.done.append(f"ALTER COLUMN {quote_identifier(column.name)} {verb} DEFAULT")


@act.register
def _(action: sa.SetNotNull, work: TableWork) -> None:
    column = column_named(work.now, action.column)
    work.now = changes_alter.set_not_null(work.now, column, not_null=action.not_null)
    if action.not_null and not column.not_null:
        work.demand_value(column)
    verb = "SET" if action.not_null else "DROP"
    work.done.append(f"ALTER COLUMN {quote_identifier(column.name)} {verb} NOT NULL")


@act.register
def _(action: sa.SetType, work: TableWork) -> None:
    column = column_named(work.now, action.column)
    kind, typmod = resolve_type(action.type, work.context.snapshot, work.context.search_path)
    domain = kind.definition if isinstance(kind.definition, DomainDefinition) else None
    if domain is not None:
        kind, typmod = domain.base, domain.typmod
    for generated in work.generated_from(column.name):
        raise FeatureNotSupportedError(
            "cannot alter type of a column used by a generated column",
            detail=f'Column "{column.name}" is used by generated column "{generated.name}".',
        )
    if column.generated and action.using:
        raise InvalidColumnDefinitionError(
            "cannot specify USING when altering type of generated column",
            detail=f'Column "{column.name}" is a generated column.',
        )
    if column.id in work.retyped:
        raise FeatureNotSupportedError(f'cannot alter type of column "{column.name}" twice')
    for view in work.readers(column):
        raise FeatureNotSupportedError(
            "cannot alter type of a column used by a view or rule",
            detail=f'rule _RETURN on view {view.name} depends on column "{column.name}"',
        )
    if column.identity in ("a", "d") and (domain or kind.name not in ("int2", "int4", "int8")):
        raise InvalidParameterValueError(
            "identity column type must be smallint, integer, or bigint"
        )
    default = _default_of_type(work, column, kind)
    of = 0 if domain is None else domain.oid
    named = kind if domain is None else domain.make()
    becomes = replace(column, type=kind, typmod=typmod, default=default, domain=of)
    widened = not action.using and changes_alter.widens(column, kind, typmod)
    _check_references(work, becomes, widened=widened)
    if widened:
        table = changes_alter.set_type(work.now, becomes)
    else:
        _check_using(work, column, action, becomes, format_type(named))
        table = changes_alter.rewritten(work.now, becomes)
        unique = any(index.unique for index in work.indexes_of(column))
        if unique or column.id in work.now.primary_key:
            table = changes_key.rekeyed(work.context.ids, table)
        made = column_named(table, column.name)
        work.fill(made, action.using or quote_identifier(column.name))
        if made.not_null:
            work.demand_value(made)
        for check in work.checks_of(column.name):
            if check.validated:
                work.demand_check(check)
        for constraint in work.references(column):
            if constraint.validated:
                work.demand_parent(constraint)
    table = _with_indexes_typed(work, table, column)
    if domain is not None:
        work.demands += domain_demands.rules_kept(domain, becomes.name)
    if column.identity:
        work.change_sequences(
            lambda s: changes_sequence.altered(s, SequenceOptions(type=kind)), column
        )
    work.retyped.add(column.id)
    for check in work.checks_of(column.name):
        work.context.check_expression(check.check, table, BOOL)
    work.now = table
    shown = format_type(named, typmod if domain is None else -1)
    work.done.append(f"ALTER COLUMN {quote_identifier(column.name)} TYPE {shown}")


def _with_indexes_typed(work: TableWork, table: Table, column: Column) -> Table:
    """The table with what its indexes say of a column's type. Raises what binding them anew raises."""
    used = {index.id for index in work.indexes_of(column)}
    return changes_index.with_types(
        table, used, lambda text, expected: work.context.check_indexed(text, table, expected)
    )


def _check_references(work: TableWork, column: Column, *, widened: bool) -> None:
    """That FOREIGN KEYs of and to a column still can be kept when it is as given. Raises 42804, 0A000."""
    tables = work.dropped.snapshot.tables
    for constraint in work.references(column):
        rule = constraint.reference
        assert rule is not None
        to = rule.columns[constraint.columns.index(column.id)]
        parent = work.now if rule.table == work.now.id else tables[rule.table]
        (referenced,) = (c for c in parent.columns if c.id == to)
        check_types(constraint.name, column, column if to == column.id else referenced)
    for constraint, name in work.referrers(column):
        rule = constraint.reference
        assert rule is not None
        if not widened:
            raise FeatureNotSupportedError(
                f'cannot alter type of column "{column.name}": {name} uses it',
                hint="Drop the constraint, alter the type, and make it again.",
            )
        own = constraint.columns[rule.columns.index(column.id)]
        (table,) = (t for t in tables.values() if constraint in t.constraints)
        (referring,) = (c for c in table.columns if c.id == own)
        check_types(constraint.name, referring, column)


def _default_of_type(work: TableWork, column: Column, kind: PgType) -> str:
    """The column's default, which has to be one of the new type as well. Raises 42804."""
    if column.default and not column.identity:
        try:
            work.context.check_expression(column.default, None, kind)
        except (DatatypeMismatchError, CannotCoerceError) as exc:
            raise DatatypeMismatchError(
                f'default for column "{column.name}" cannot be cast automatically to type '
                f"{format_type(kind)}"
            ) from exc
    return column.default


def _check_using(
    work: TableWork, column: Column, action: sa.SetType, becomes: Column, shown: str
) -> None:
    """Raise 42804 unless the new values can be assigned to the new type, which messages call `shown`."""
    text = action.using or quote_identifier(column.name)
    try:
        work.context.check_expression(text, work.before, becomes.type)
    except DatatypeMismatchError as exc:
        if action.using:
            raise DatatypeMismatchError(
                f'result of USING clause for column "{column.name}" cannot be cast automatically '
                f"to type {shown}",
                hint="You might need to add an explicit cast.",
            ) from exc
        raise DatatypeMismatchError(
            f'column "{column.name}" cannot be cast automatically to type {shown}',
            hint=f'You might need to specify "USING {quote_identifier(column.name)}::{shown}".',
        ) from exc
