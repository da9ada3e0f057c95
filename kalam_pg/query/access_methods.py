"""What an index of each access method may have, in PostgreSQL's words: columns, orders, WITH parameters.

A hash index finds equal values, a BRIN index ranges of them: an index of ours does both, whatever it was
declared as. What it was declared as is kept and shown, with its parameters.
"""

from collections.abc import Sequence

from catalog import options
from catalog.errors import (
    FeatureNotSupportedError,
    InvalidParameterValueError,
    UndefinedObjectError,
)
from kalam_pg.sql.statements_indexes import CreateIndex

_NUMBERS = {
    "btree": {"fillfactor": (10, 100)},
    "hash": {"fillfactor": (10, 100)},
    "brin": {"pages_per_range": (1, 131_072)},
}
"""Parameters that are whole numbers, with the least and the greatest."""

_SWITCHES = {"btree": ("deduplicate_items",), "hash": (), "brin": ("autosummarize",)}
_ON_OFF = ("true", "false", "on", "off", "yes", "no", "1", "0")


def check_method(statement: CreateIndex) -> None:
    """Raises 0A000 for what the access method has no room for, 42704 for another tablespace."""
    method = statement.method
    if statement.tablespace not in ("", "pg_default"):
        raise UndefinedObjectError(f'tablespace "{statement.tablespace}" does not exist')
    if method == "btree":
        return
    if statement.unique:
        raise _refused(method, "unique indexes")
    if statement.include:
        raise _refused(method, "included columns")
    if method == "hash" and len(statement.elements) > 1:
        raise _refused(method, "multicolumn indexes")
    for element in statement.elements:
        if element.descending or element.ascending:
            raise _refused(method, "ASC/DESC options")
        if element.nulls_first is not None:
            raise _refused(method, "NULLS FIRST/LAST options")


def _refused(method: str, what: str) -> FeatureNotSupportedError:
    return FeatureNotSupportedError(f'access method "{method}" does not support {what}')


def parameters_of(method: str, given: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The parameters as they are kept. Raises 22023."""
    seen: set[str] = set()
    for name, value in given:
        if name in seen:
            raise InvalidParameterValueError(f'parameter "{name}" specified more than once')
        seen.add(name)
        if name in _SWITCHES[method]:
            _check_switch(name, value)
        elif name in _NUMBERS[method]:
            options.integer(name, value, *_NUMBERS[method][name])
        else:
            raise InvalidParameterValueError(f'unrecognized parameter "{name}"')
    return tuple(given)


def _check_switch(name: str, value: str) -> None:
    if value.lower() not in _ON_OFF:
        raise InvalidParameterValueError(f'invalid value for boolean option "{name}": {value}')
