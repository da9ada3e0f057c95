"""ALTER TABLE's actions on constraints, options and the owner."""

from dataclasses import replace

from catalog import changes_alter, changes_table
from catalog.changes_table import NewConstraint
from catalog.errors import (
    DependentObjectsStillExistError,
    FeatureNotSupportedError,
    InvalidTableDefinitionError,
)
from catalog.model import Table
from catalog.options import apply_options
from catalog.pg_catalog.text import quote_identifier
from catalog.privileges import Action, require
from catalog.types.registry import BOOL
from kalam_pg.query.ddl_context import grantee
from kalam_pg.query.ddl_references import with_references
from kalam_pg.query.table_work import TableWork, act
from kalam_pg.sql import statements as st
from kalam_pg.sql import statements_alter as sa
from kalam_pg.sql.parse import column_names
from storage.errors import KalamError


@act.register
def _(action: sa.AddConstraint, work: TableWork) -> None:
    constraint = action.constraint
    if constraint.kind == "c":
        add_check(work, constraint)
        return
    if constraint.kind == "p":
        raise no_primary_key(work.now)
    if constraint.kind == "u":
        snapshot = work.dropped.snapshot
        new = NewConstraint(
            "u", constraint.name, constraint.columns, nulls_distinct=constraint.nulls_distinct
        )
        # Its entries are made when the transaction knows of it (`sessions.definitions`).
        work.now = changes_table.add_unique(snapshot, work.context.ids, work.now, new)
    elif constraint.references is not None:
        work.now = with_references(work.now, (constraint,), work.context)
        if constraint.not_valid:
            made = replace(work.now.constraints[-1], validated=False)
            work.now = replace(work.now, constraints=(*work.now.constraints[:-1], made))
        else:
            work.demand_parent(work.now.constraints[-1])
    else:
        raise no_keys("ADD CONSTRAINT")
    work.done.append(f"ADD CONSTRAINT {quote_identifier(work.now.constraints[-1].name)}")


def add_check(work: TableWork, constraint: st.TableConstraint) -> None:
    """Add a CHECK. Raises what binding it raises, 42710."""
    names = [column.name for column in work.now.columns]
    mentioned = [name for name in column_names(constraint.check) if name in names]
    work.context.check_expression(constraint.check, work.now, BOOL)
    work.now = changes_alter.add_check(
        *(work.now, work.context.ids, constraint.name, constraint.check, mentioned),
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
    for table in work.dropped.snapshot.tables.values():
        for key in table.constraints:
            if key.reference is not None and key.reference.index == found.id:
                if action.cascade:
                    raise FeatureNotSupportedError(
                        "DROP CONSTRAINT … CASCADE of what a FOREIGN KEY refers to is not "
                        "supported yet"
                    )
                raise DependentObjectsStillExistError(
                    f"cannot drop constraint {found.name} on table {work.now.name} "
                    "because other objects depend on it",
                    detail=f"constraint {key.name} on table {table.name} "
                    f"depends on index {found.name}",
                    hint="Use DROP ... CASCADE to drop the dependent objects too.",
                )
    work.now = changes_alter.drop_constraint(work.now, found)


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


def no_primary_key(table: Table) -> KalamError:
    """Why no primary key is added."""
    if table.hidden_key:
        return no_keys("ADD PRIMARY KEY")
    return InvalidTableDefinitionError(
        f'multiple primary keys for table "{table.name}" are not allowed'
    )


def no_keys(what: str) -> KalamError:
    """What cannot be added yet."""
    return FeatureNotSupportedError(f"ALTER TABLE … {what} is not supported yet")
