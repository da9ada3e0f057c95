"""What ALTER DOMAIN asks of the rows that have values of the domain."""

from collections.abc import Callable

from catalog.changes_domain import columns_of, require_domain
from catalog.errors import CheckViolationError, NotNullViolationError
from catalog.model import Column, Table, UserType
from catalog.snapshot import Snapshot
from kalam_pg.query.table_change import Demand, TableChange
from kalam_pg.sql.bind_domain import VALUE
from kalam_pg.sql.deparse import quote_identifier
from storage.errors import KalamError


def satisfied(snapshot: Snapshot, made: UserType, check: str) -> tuple[TableChange, ...]:
    """That no value breaks a check: where it is unknown it does not."""
    base = require_domain(made).base.sql_name

    def broken_by(column: str) -> str:
        values = f"(SELECT {quote_identifier(column)}::{base}) AS d({VALUE})"
        return f"EXISTS (SELECT 1 FROM {values} WHERE NOT ({check}))"  # noqa: S608 -- bound before

    return _of_all(snapshot, made, broken_by, _violated)


def not_null(snapshot: Snapshot, made: UserType) -> tuple[TableChange, ...]:
    """That no value is NULL."""
    return _of_all(snapshot, made, lambda name: f"{quote_identifier(name)} IS NULL", _missing)


def _of_all(
    snapshot: Snapshot,
    made: UserType,
    broken_by: Callable[[str], str],
    error: Callable[[Table, Column], KalamError],
) -> tuple[TableChange, ...]:
    return tuple(
        TableChange(table, table, table, demands=(Demand(broken_by(c.name), error(table, c)),))
        for table, c in columns_of(snapshot, made)
    )


def _violated(table: Table, column: Column) -> KalamError:
    return CheckViolationError(
        f'column "{column.name}" of table "{table.name}" contains values that violate the new '
        "constraint",
        schema=table.namespace,
        table=table.name,
        column=column.name,
    )


def _missing(table: Table, column: Column) -> KalamError:
    return NotNullViolationError(
        f'column "{column.name}" of table "{table.name}" contains null values',
        schema=table.namespace,
        table=table.name,
        column=column.name,
    )
