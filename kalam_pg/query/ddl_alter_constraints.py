"""ALTER TABLE's actions on constraints, options and the owner."""

from dataclasses import replace

from catalog import changes_alter, changes_key, changes_table
from catalog.changes import with_tables
from catalog.changes_table import NewConstraint
from catalog.droppable import Referring
from catalog.dropped_names import described
from catalog.errors import (
    DependentObjectsStillExistError,
    DuplicateTableError,
    FeatureNotSupportedError,
    ObjectNotInPrerequisiteStateError,
    UndefinedColumnError,
    UndefinedObjectError,
    WrongObjectTypeError,
)
from catalog.indexes import index_of
from catalog.model import Constraint, Index, Table
from catalog.options import apply_options
from catalog.pg_catalog.text import quote_identifier
from catalog.privileges import Action, require
from catalog.types.registry import BOOL
from kalam_pg.query.ddl_context import grantee, kept_expression
from kalam_pg.query.ddl_references import with_references
from kalam_pg.query.table_work import TableWork, act
from kalam_pg.sql import statements as st
from kalam_pg.sql import statements_alter as sa
from kalam_pg.sql.parse import column_names


@act.register
def _(action: sa.AddConstraint, work: TableWork) -> None:
    constraint = action.constraint
    if constraint.kind == "c":
        add_check(work, constraint)
        return
    if constraint.index:
        constraint = _of_index(constraint, work)
        if constraint.kind == "u":
            return
    # Names that it has given up in this statement are free.
    snapshot = with_tables(work.dropped.snapshot, {work.now.id: work.now})
    ids = work.context.ids
    if constraint.kind in ("u", "p"):
        new = NewConstraint(
            constraint.kind,
            constraint.name,
            constraint.columns,
            nulls_distinct=constraint.nulls_distinct,
            deferrable=constraint.deferrable,
            deferred=constraint.deferred,
        )
        # Rows and entries are written when the transaction is to know of it (`sessions.definitions`).
        if constraint.kind == "p":
            _check_columns(work.now, new)
            before = {column.id for column in work.now.columns if column.not_null}
            work.now = changes_key.add_primary_key(snapshot, ids, work.now, new)
            for column in work.now.columns if new.is_indexed else ():
                if column.not_null and column.id not in before:
                    work.demand_value(column)
        else:
            work.now = changes_table.add_key(snapshot, ids, work.now, new)
    elif constraint.references is not None:
        work.now = with_references(work.now, (constraint,), work.context)
        if constraint.not_valid:
            made = replace(work.now.constraints[-1], validated=False)
            work.now = replace(work.now, constraints=(*work.now.constraints[:-1], made))
        else:
            work.demand_parent(work.now.constraints[-1])
    else:
        raise FeatureNotSupportedError("ALTER TABLE … ADD CONSTRAINT is not supported yet")
    work.done.append(f"ADD CONSTRAINT {quote_identifier(work.now.constraints[-1].name)}")


def _of_index(constraint: st.TableConstraint, work: TableWork) -> st.TableConstraint:
    """A key USING INDEX: a unique constraint is made of the index; of a primary key what it is over.

    Raises 42704, 55000, 42809, 42710.
    """
    table = work.now
    index = next((one for one in table.indexes if one.name == constraint.index), None)
    snapshot, name = with_tables(work.dropped.snapshot, {table.id: table}), constraint.index
    of = table if index is not None else snapshot.indexed_by(table.namespace, name)
    if of is None:
        raise UndefinedObjectError(f'index "{name}" does not exist')
    if any(one.name == name and one.kind in "pu" for one in of.constraints):
        raise ObjectNotInPrerequisiteStateError(
            f'index "{name}" is already associated with a constraint'
        )
    if index is None:
        raise ObjectNotInPrerequisiteStateError(
            f'index "{name}" does not belong to table "{table.name}"'
        )
    _check_key_index(index)
    name = constraint.name or index.name
    if name != index.name:
        work.notices.append(
            f'ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index "{index.name}" to "{name}"'
        )
        if snapshot.is_taken(table.namespace, name):
            raise DuplicateTableError(f'relation "{name}" already exists')
    columns = tuple([key.column for key in index.keys])
    left = tuple([one for one in table.indexes if one.id != index.id])
    if constraint.kind == "p":
        # The rows' own place is what keeps a primary key: the index goes.
        work.now = replace(table, indexes=left)
        named = {column.id: column.name for column in table.columns}
        return replace(constraint, name=name, columns=tuple([named[one] for one in columns]))
    made = Constraint(index.id, name, "u", columns)
    renamed = replace(
        index, name=name, deferrable=constraint.deferrable, deferred=constraint.deferred
    )
    work.now = replace(
        table,
        indexes=(*left, renamed),
        constraints=(*table.constraints, made),
    )
    work.done.append(f"ADD CONSTRAINT {quote_identifier(name)}")
    return constraint


def _check_key_index(index: Index) -> None:
    """Raise 42809 for an index that no constraint would have made."""
    sorts = [key.descending or key.nulls_first or key.opclass for key in index.keys]
    odd = next((number for number, is_odd in enumerate(sorts, 1) if is_odd), 0)
    for wrong, what in (
        (not index.unique, f'"{index.name}" is not a unique index'),
        (any(key.expression for key in index.keys), f'index "{index.name}" contains expressions'),
        (index.where, f'"{index.name}" is a partial index'),
        (odd, f'index "{index.name}" column number {odd} does not have default sorting behavior'),
    ):
        if wrong:
            raise WrongObjectTypeError(
                what,
                detail="Cannot create a primary key or unique constraint using such an index.",
            )


def _check_columns(table: Table, key: NewConstraint) -> None:
    """Raise 42703 as PostgreSQL does, which has them NOT NULL first."""
    there = {column.name for column in table.columns}
    for name in () if table.declared_key else key.columns:
        if name not in there or name == changes_table.ROW_ID:
            raise UndefinedColumnError(f'column "{name}" of relation "{table.name}" does not exist')


def add_check(work: TableWork, constraint: st.TableConstraint) -> None:
    """Add a CHECK. Raises what binding it raises, 42710."""
    check = kept_expression(constraint.check, work.context)
    names = [column.name for column in work.now.columns]
    mentioned = [name for name in column_names(constraint.check) if name in names]
    work.context.check_expression(constraint.check, work.now, BOOL)
    work.now = changes_alter.add_check(
        *(work.now, work.context.ids, constraint.name, check, mentioned),
        validated=not constraint.not_valid,
    )
    made = work.now.constraints[-1]
    if made.validated:
        work.demand_check(made)
    work.done.append(f"ADD CONSTRAINT {quote_identifier(made.name)}")


@act.register
def _(action: sa.DropConstraint, work: TableWork) -> None:
    if action.if_exists and all(c.name != action.name for c in work.now.constraints):
        work.notices.append(
            f'constraint "{action.name}" of relation "{work.now.name}" does not exist, skipping'
        )
        return
    found = changes_alter.constraint_named(work.now, action.name)
    if found.kind == "p":
        drop_primary_key(work, found, cascade=action.cascade)
        return
    _drop_referring(work, found, found.id, cascade=action.cascade)
    work.now = changes_alter.drop_constraint(work.now, found)
    work.done.append(f"DROP CONSTRAINT {quote_identifier(found.name)}")


def drop_primary_key(work: TableWork, key: Constraint, *, cascade: bool) -> None:
    """The table has the hidden key in its place. Raises 2BP01 for FOREIGN KEYs that refer to it."""
    if index_of(key, work.now) is not None:
        work.now = changes_alter.drop_constraint(
            work.now, key
        )  # Nothing can refer to a deferrable one.
    else:
        _drop_referring(work, key, 0, cascade=cascade)
        work.now = changes_key.drop_primary_key(work.context.ids, work.now, key)
    work.done.append(f"DROP CONSTRAINT {quote_identifier(key.name)}")


def _drop_referring(work: TableWork, key: Constraint, index: int, *, cascade: bool) -> None:
    """Drop the FOREIGN KEYs that refer to a key; index: by which number. Raises 2BP01 unless `cascade`."""
    referring = [
        (table, one)
        for table, one in work.dropped.snapshot.referring_to(work.before.id)
        if one.reference is not None and one.reference.index == index
    ]
    if not referring:
        return
    path, snapshot = work.context.search_path, work.dropped.snapshot
    names = [described(Referring(table, one), snapshot, path) for table, one in referring]
    if not cascade:
        of = described(work.before, snapshot, path)
        raise DependentObjectsStillExistError(
            f"cannot drop constraint {key.name} on {of} because other objects depend on it",
            detail="\n".join([f"{name} depends on index {key.name}" for name in names]),
            hint="Use DROP ... CASCADE to drop the dependent objects too.",
        )
    work.drop_references([one for _, one in referring], names)


@act.register
def _(action: sa.ValidateConstraint, work: TableWork) -> None:
    found = changes_alter.constraint_named(work.now, action.name)
    work.now = changes_alter.validated(work.now, found)
    if not found.validated:
        (work.demand_check if found.kind == "c" else work.demand_parent)(found)


@act.register
def _(action: sa.RenameConstraint, work: TableWork) -> None:
    work.now = changes_alter.rename_constraint(work.now, action.name, action.new_name)


# ------------------------------------------------------------------ options, owner, names


@act.register
def _(action: sa.SetOptions, work: TableWork) -> None:
    table = work.now
    fixed = [name for name, _ in action.options if name in _FIXED]
    if fixed:
        raise FeatureNotSupportedError(
            f'parameter "{fixed[0].lower()}" of table "{table.name}" cannot be changed'
        )
    options = table.options
    if action.reset:
        plain = type(options)()
        for name, _ in action.options:
            apply_options(plain, table.kind, [(name, _SAMPLE.get(name, "1"))])  # It must be one.
            attribute = _ATTRIBUTES.get(name, (name.lower(),))
            options = replace(options, **{each: getattr(plain, each) for each in attribute})
    else:
        options = apply_options(options, table.kind, action.options, storages=work.context.storages)
    work.now = replace(table, options=options)


_FIXED = ("TYPE", "TABLE_TYPE", "SCOPE", "STORAGE", "STORAGE_ID")
"""Where rows lie, and whose they are."""

_ATTRIBUTES = {
    "FLUSH_POLICY": ("flush_rows", "flush_interval_s"),
    "TTL_SECONDS": ("ttl_s",),
    "DELETED_RETENTION_HOURS": ("deleted_retention_h",),
    "CHANGE_RETENTION_HOURS": ("change_retention_h",),
}
_SAMPLE = {"FLUSH_POLICY": "rows:1", "ACCESS_LEVEL": "PUBLIC"}


@act.register
def _(action: sa.OwnerTo, work: TableWork) -> None:
    require(work.context.user, Action.GRANT, work.before)
    owner = grantee(work.context, action.role)
    work.now = replace(work.now, owner=owner)
    work.change_sequences(lambda sequence: replace(sequence, owner=owner))
