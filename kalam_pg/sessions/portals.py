"""Prepared statements and portals: values in and out of the extended protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from catalog.errors import (
    CharacterNotInRepertoireError,
    FeatureNotSupportedError,
    InvalidParameterValueError,
    UndefinedObjectError,
)
from catalog.snapshot import Snapshot
from catalog.types.registry import by_oid
from catalog.types.table import PgType, TypeContext
from kalam_pg.pgwire.encode import row_description
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import Bind, FieldDescription
from kalam_pg.query.execution import Result
from kalam_pg.query.prepare import Planned
from kalam_pg.sql.statements import Statement
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Value


@dataclass(slots=True)
class PreparedStatement:
    """A named (or the unnamed) statement. statement None: the text was empty.

    columns: of its result, () when it returns none. declared: types that Parse gave, None unspecified.
    planned: the plan of a query or data change, good while catalog and settings are those it was made
    with (`made_with`: the snapshot and the settings' version).
    """

    statement: Statement | None
    param_types: tuple[PgType, ...]
    columns: tuple[OutputColumn, ...]
    declared: tuple[PgType | None, ...] = ()
    planned: Planned | None = None
    made_with: tuple[Snapshot, int] | None = None


@dataclass(slots=True)
class Portal:
    """A statement with its parameters, and what is left of its answer.

    formats: one code a column. result: None until the first Execute. sent: rows sent so far.
    """

    prepared: PreparedStatement
    params: tuple[Value, ...]
    formats: tuple[int, ...]
    result: Result | None = None
    sent: int = 0
    done: bool = False


def parameter_types(oids: Sequence[int]) -> tuple[PgType | None, ...]:
    """The types that Parse named, None where it left them open. Raises 0A000 for one not here."""
    found: list[PgType | None] = []
    for oid in oids:
        if oid in (0, 705):  # unspecified, or unknown: the binder infers it
            found.append(None)
            continue
        try:
            found.append(by_oid(oid))
        except UndefinedObjectError:
            raise FeatureNotSupportedError(f"type with OID {oid} is not supported") from None
    return tuple(found)


def bind_parameters(
    message: Bind, types: Sequence[PgType], context: TypeContext
) -> tuple[Value, ...]:
    """Parameter values in stored form. Raises 08P01, 22P02, 22P03, 22021."""
    values = message.parameters
    if len(values) != len(types):
        raise ProtocolViolationError(
            f"bind message supplies {len(values)} parameters, but prepared statement "
            f'"{message.statement}" requires {len(types)}',
            fatal=False,
        )
    formats = message.parameter_formats
    if len(formats) == 1:
        formats = formats * len(values)
    elif not formats:
        formats = (0,) * len(values)
    params: list[Value] = []
    for raw, type_, code in zip(values, types, formats, strict=True):
        if raw is None:
            params.append(None)
        elif code == 0:
            params.append(type_.input(_text(raw), -1, context))
        elif code == 1:
            params.append(type_.receive(raw, -1))
        else:
            raise InvalidParameterValueError(f"unsupported format code: {code}")
    return tuple(params)


def _text(raw: bytes) -> str:
    try:
        value = raw.decode()
    except UnicodeDecodeError as exc:
        bad = " ".join(f"0x{byte:02x}" for byte in raw[exc.start : exc.end])
        raise CharacterNotInRepertoireError(
            f'invalid byte sequence for encoding "UTF8": {bad}'
        ) from None
    if "\0" in value:
        raise CharacterNotInRepertoireError('invalid byte sequence for encoding "UTF8": 0x00')
    return value


def result_formats(message: Bind, width: int) -> tuple[int, ...]:
    """One format code for each of `width` columns. Raises 08P01."""
    codes = message.result_formats
    if not codes:
        return (0,) * width
    if len(codes) == 1:
        return codes * width
    if len(codes) != width:
        raise ProtocolViolationError(
            f"bind message has {len(codes)} result formats but query has {width} columns",
            fatal=False,
        )
    return codes


@lru_cache(maxsize=2048)
def describe(columns: tuple[OutputColumn, ...], formats: tuple[int, ...]) -> bytes:
    """The RowDescription of a result; formats () is all text."""
    codes = formats or (0,) * len(columns)
    return row_description(
        [
            FieldDescription(
                name=column.name,
                type_oid=column.type.oid,
                size=column.type.length,
                modifier=column.typmod,
                format=code,
                table_oid=column.table_id,
                column_number=column.column_id,
            )
            for column, code in zip(columns, codes, strict=True)
        ]
    )
