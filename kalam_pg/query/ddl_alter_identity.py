"""ALTER TABLE … ALTER COLUMN: ADD, SET and DROP of what makes a column an identity column."""

from dataclasses import replace

from catalog import changes_sequence
from catalog.changes_alter import column_named
from catalog.changes_sequence import SequenceOptions
from catalog.errors import InvalidParameterValueError, ObjectNotInPrerequisiteStateError
from catalog.model import Column, Table
from catalog.pg_catalog.text import quote_identifier
from catalog.types.registry import INT2, INT4, INT8
from kalam_pg.query.table_work import TableWork, act
from kalam_pg.sql import statements_alter as sa


@act.register
def _(action: sa.AddIdentity, work: TableWork) -> None:
    column = column_named(work.now, action.column)
    what = f'column "{column.name}" of relation "{work.now.name}"'
    if column.domain or column.type not in (INT2, INT4, INT8):
        raise InvalidParameterValueError(
            "identity column type must be smallint, integer, or bigint"
        )
    if not column.not_null:
        raise ObjectNotInPrerequisiteStateError(
            f"{what} must be declared NOT NULL before identity can be added"
        )
    if column.identity in ("a", "d"):
        raise ObjectNotInPrerequisiteStateError(f"{what} is already an identity column")
    if column.default:
        raise ObjectNotInPrerequisiteStateError(f"{what} already has a default value")
    identity = replace(column, identity=action.identity)
    _put(work, numbered(work, work.now, identity, action.options), "ADD")


@act.register
def _(action: sa.SetIdentity, work: TableWork) -> None:
    column = column_named(work.now, action.column)
    _check_identity(work, column)
    work.change_sequences(lambda s: changes_sequence.altered(s, action.options), column)
    _put(work, replace(column, identity=action.identity or column.identity), "SET")


@act.register
def _(action: sa.DropIdentity, work: TableWork) -> None:
    column = column_named(work.now, action.column)
    if action.if_exists and column.identity not in ("a", "d"):
        work.notices.append(
            f'column "{column.name}" of relation "{work.now.name}" is not an identity column, '
            "skipping"
        )
        return
    _check_identity(work, column)
    work.drop_sequences(column)
    _put(work, replace(column, identity="", default=""), "DROP")


def numbered(work: TableWork, table: Table, column: Column, options: SequenceOptions) -> Column:
    """The column with a new sequence of its own as its default. Raises 42P07, 22023."""
    snapshot = work.dropped.snapshot
    made = changes_sequence.for_column(snapshot, work.context.ids, table, column, options)
    stored = changes_sequence.with_new(snapshot, [made])
    puts = (*work.dropped.puts, *stored.puts)
    work.dropped = replace(work.dropped, snapshot=stored.snapshot, puts=puts)
    return replace(column, default=changes_sequence.next_value(made.id))


def _check_identity(work: TableWork, column: Column) -> None:
    if column.identity not in ("a", "d"):
        raise ObjectNotInPrerequisiteStateError(
            f'column "{column.name}" of relation "{work.now.name}" is not an identity column'
        )


def _put(work: TableWork, changed: Column, verb: str) -> None:
    columns = tuple(changed if c.id == changed.id else c for c in work.now.columns)
    work.now = replace(work.now, columns=columns)
    work.done.append(f"ALTER COLUMN {quote_identifier(changed.name)} {verb} IDENTITY")
