"""ALTER COLUMN … SET STATISTICS, STORAGE, COMPRESSION and options: looked at, and then as it was.

They say how PostgreSQL plans with a column and keeps it on its pages. Here rows are counted as they are
written and columns compressed as they compress best, so what is right in PostgreSQL changes nothing.
"""

from sys import float_info

from catalog.changes_alter import column_named
from catalog.errors import FeatureNotSupportedError, InvalidParameterValueError
from catalog.model import Column
from catalog.pg_catalog.types import storage_of
from catalog.types.registry import format_type
from kalam_pg.query.table_work import TableWork, act
from kalam_pg.sql import statements_alter as sa

_STORAGES = ("plain", "external", "extended", "main")
_COMPRESSIONS = ("pglz", "lz4", "default")
_OPTIONS = ("n_distinct", "n_distinct_inherited")
_TARGET_MAX = 10_000


@act.register
def _(action: sa.SetColumnOption, work: TableWork) -> None:
    column = column_named(work.now, action.column)
    value = action.values[0][1] if action.values else ""
    match action.what:
        case "statistics":
            _check_target(value, work)
        case "storage":
            _check_storage(column, value.lower())
        case "compression":
            _check_compression(column, value.lower())
        case _:
            for name, number in action.values:
                _check_option(name.lower(), number)


def _check_target(value: str, work: TableWork) -> None:
    target = int(value)
    if target < -1:
        raise InvalidParameterValueError(f"statistics target {target} is too low")
    if target > _TARGET_MAX:
        work.notices.append(f"lowering statistics target to {_TARGET_MAX}")


def _check_storage(column: Column, storage: str) -> None:
    if storage not in _STORAGES:
        raise InvalidParameterValueError(f'invalid storage type "{storage}"')
    if storage != "plain" and storage_of(column.type) == "p":
        raise FeatureNotSupportedError(
            f"column data type {format_type(column.type)} can only have storage PLAIN"
        )


def _check_compression(column: Column, method: str) -> None:
    if storage_of(column.type) == "p":
        raise FeatureNotSupportedError(
            f"column data type {format_type(column.type)} does not support compression"
        )
    if method not in _COMPRESSIONS:
        raise InvalidParameterValueError(f'invalid compression method "{method}"')


def _check_option(name: str, value: str) -> None:
    if name not in _OPTIONS:
        raise InvalidParameterValueError(f'unrecognized parameter "{name}"')
    try:
        number = float(value)
    except ValueError:
        raise InvalidParameterValueError(
            f'invalid value for floating point option "{name}": {value}'
        ) from None
    if number < -1:
        raise InvalidParameterValueError(
            f'value {value} out of bounds for option "{name}"',
            detail=f'Valid values are between "-1.000000" and "{float_info.max:f}".',
        )
