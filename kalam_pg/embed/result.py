"""Values out of the database and into it: a statement's answer, and parameters."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from buenavista.core import BVType
from buenavista.core import QueryResult as BuenaVistaResult

from catalog.types.table import PgType, TypeContext
from kalam_pg.pgwire.notices import Notice
from kalam_pg.query.execution import Result
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Row, Value

_BUENA_VISTA = {
    "bool": BVType.BOOL,
    "int2": BVType.INTEGER,
    "int4": BVType.INTEGER,
    "int8": BVType.BIGINT,
    "float4": BVType.FLOAT,
    "float8": BVType.FLOAT,
}


class QueryResult(BuenaVistaResult):  # type: ignore[misc]  # it has no types
    """One statement's answer. `notices` are those of the whole text."""

    def __init__(
        self,
        result: Result,
        notices: tuple[Notice, ...],
        context: TypeContext,
        *,
        has_rows: bool,
    ) -> None:
        super().__init__()
        self._result = result
        self._has_rows = has_rows
        self._context = context
        self.notices = notices

    @property
    def columns(self) -> tuple[OutputColumn, ...]:
        """Names and PostgreSQL types of the columns."""
        return self._result.columns

    def has_results(self) -> bool:
        """Whether the statement returns rows, maybe none, maybe without columns."""
        return self._has_rows

    def column_count(self) -> int:
        """How many columns."""
        return len(self._result.columns)

    def column(self, index: int) -> tuple[str, BVType]:
        """Name and Buena Vista type of a column."""
        column = self._result.columns[index]
        return column.name, _BUENA_VISTA.get(column.type.name, BVType.TEXT)

    def rows(self) -> Iterator[list[Any]]:
        """The rows; see the module for what their values are."""
        types = [column.type for column in self._result.columns]
        for row in self._result.rows:
            yield [self._plain(value, of) for value, of in zip(row, types, strict=True)]

    def text_rows(self) -> Iterator[tuple[str | None, ...]]:
        """The rows in PostgreSQL's text form."""
        types = [column.type for column in self._result.columns]
        for row in self._result.rows:
            yield tuple(
                None if value is None else of.output(value, self._context)
                for value, of in zip(row, types, strict=True)
            )

    def stored_rows(self) -> Sequence[Row]:
        """The rows in stored form (`storage.layout`)."""
        return self._result.rows

    def status(self) -> str:
        """The command tag."""
        return self._result.command_tag

    def _plain(self, value: Value, of: PgType) -> Any:  # noqa: ANN401 -- whatever the column holds
        if value is None or of.name in _BUENA_VISTA:
            return value
        return of.output(value, self._context)


def parameter_text(value: object) -> str | None:
    """A Python value in the text form that PostgreSQL reads, as drivers send it.

    None, str, bool, int, float, Decimal, UUID, bytes, date, time, datetime and timedelta; lists and
    tuples become arrays, dicts JSON.
    """
    match value:
        case None | str():
            return value
        case bool():
            return "t" if value else "f"
        case bytes() | bytearray() | memoryview():
            return "\\x" + value.hex()
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
        case dict():
            return json.dumps(value)
        case list() | tuple():
            return "{" + ",".join(_element_text(item) for item in value) + "}"
        case _:
            return str(value)


def _element_text(value: object) -> str:
    text = parameter_text(value)
    if text is None:
        return "NULL"
    if isinstance(value, list | tuple):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
