"""What ALTER DOMAIN asks of the rows that have values of the domain."""

from collections.abc import Callable

from catalog.changes_domain import columns_of, require_domain
from catalog.domain_values import VALUE
from catalog.errors import CheckViolationError, NotNullViolationError
from catalog.model import Column, Table, UserType
from catalog.snapshot import Snapshot
from catalog.types.domain import DomainDefinition
from kalam_pg.functions.domains import refuse_null, refuse_value
from kalam_pg.query.table_change import Demand, TableChange, is_missing
from kalam_pg.sql.deparse import quote_identifier
from storage.errors import KalamError


def satisfied(snapshot: Snapshot, made: UserType, check: str) -> tuple[TableChange, ...]:
    """That no value breaks a check: where it is unknown it does not."""
    domain = require_domain(made)
    return _of_all(snapshot, made, lambda name: _broken_by(domain, check, name), _violated)


def _broken_by(domain: DomainDefinition, check: str, column: str) -> str:
    """The condition of rows whose column breaks a check."""
    values = f"(SELECT {quote_identifier(column)}::{domain.base.sql_name}) AS d({VALUE})"
    return f"EXISTS (SELECT 1 FROM {values} WHERE NOT ({check}))"  # noqa: S608 -- bound before


def rules_kept(domain: DomainDefinition, column: str) -> list[Demand]:
    """That the values of a column that becomes one of the domain are the domain's."""
    where, name = domain.namespace, domain.name
    demands = [
        Demand(_broken_by(domain, rule.check, column), refuse_value(where, name, rule.name))
        for rule in domain.rules
    ]
    if domain.required:
        demands.insert(0, Demand(is_missing(column), refuse_null(where, name)))
    return demands


def not_null(snapshot: Snapshot, made: UserType) -> tuple[TableChange, ...]:
    """That no value is NULL."""
    return _of_all(snapshot, made, is_missing, _missing)


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
