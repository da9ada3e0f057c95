"""Four ways into the same engine, and PostgreSQL, each answering with `cases.Answer`.

    simple      the server's own wire, simple query protocol, text
    extended    the same, extended protocol; results in text
    binary      the same; results in binary, read with our own `PgType.receive`
    embed       `kalam_pg.embed`, in process
    buenavista  `kalam_pg.embed` behind Buena Vista's PostgreSQL front end, simple protocol

What is wrong in all of them is wrong in the engine; what only the first three have wrong is wrong in our
wire. What Buena Vista cannot say is left out of the comparison by `comparable` (README.md).
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import psycopg
from psycopg import pq

from catalog.pg_catalog.oids import FIRST_NORMAL
from catalog.types import registry
from catalog.types.records import Record, Shape
from catalog.types.table import DEFAULT_CONTEXT
from conformance.sql.cases import Answer, Case
from kalam_pg.embed import Session
from storage.errors import KalamError

_NOT_ROWS = {
    pq.ExecStatus.COMMAND_OK,
    pq.ExecStatus.EMPTY_QUERY,
}
_BUENA_VISTA_TYPES = {
    "bool": "bool", "int2": "int4", "int4": "int4", "int8": "int8",
    "float4": "float8", "float8": "float8",
}  # fmt: skip


class FrontEnd(Protocol):
    """A session somewhere."""

    name: str

    def ask(self, sql: str) -> Answer:
        """Run one statement."""

    def in_block(self) -> bool:
        """Whether a transaction block is open."""


class Wire:
    """A libpq connection to whatever speaks the protocol."""

    def __init__(self, name: str, connection: psycopg.Connection[Any]) -> None:
        self.name = name
        self._connection = connection
        self._execute: Callable[[bytes], pq.abc.PGresult] = {
            "extended": lambda sql: connection.pgconn.exec_params(sql, None),
            "binary": lambda sql: connection.pgconn.exec_params(sql, None, result_format=1),
        }.get(name, connection.pgconn.exec_)

    def ask(self, sql: str) -> Answer:
        result = self._execute(sql.encode())
        if result.status == pq.ExecStatus.FATAL_ERROR:
            return Answer(error=(_field(result, "SQLSTATE"), _field(result, "MESSAGE_PRIMARY")))
        if result.status in _NOT_ROWS:
            return Answer(tag=(result.command_status or b"").decode())
        columns = [
            ((result.fname(at) or b"").decode(), _type_name(result.ftype(at)))
            for at in range(result.nfields)
        ]
        rows = [
            tuple(self._text(result, row, at) for at in range(result.nfields))
            for row in range(result.ntuples)
        ]
        return Answer(tuple(columns), tuple(rows), (result.command_status or b"").decode())

    def in_block(self) -> bool:
        return self._connection.info.transaction_status != pq.TransactionStatus.IDLE

    @staticmethod
    def _text(result: pq.abc.PGresult, row: int, at: int) -> str | None:
        data = result.get_value(row, at)
        if data is None:
            return None
        if result.fformat(at) == 0:
            return data.decode()
        oid = result.ftype(at)
        type_ = registry.RECORD if oid >= FIRST_NORMAL else registry.by_oid(oid)
        if type_.name.startswith("reg"):
            return "a number"  # whose name is the catalogue's
        if type_ is registry.RECORD:
            return type_.output(_row(data), DEFAULT_CONTEXT)
        return type_.output(type_.receive(data, result.fmod(at)), DEFAULT_CONTEXT)


def _row(data: bytes) -> Record:
    """A row in binary, which no type reads: the number of fields, then each with its type's OID."""
    (count,) = struct.unpack_from("!i", data)
    at, values, types = 4, [], []
    for _ in range(count):
        oid, length = struct.unpack_from("!Ii", data, at)
        at += 8
        types.append(registry.by_oid(oid))
        values.append(None if length < 0 else types[-1].receive(data[at : at + length], -1))
        at += max(length, 0)
    assert at == len(data)
    return Record(tuple(values), Shape(("",) * count, tuple(types)))


class InProcess:
    """A session of `kalam_pg.embed`."""

    name = "embed"

    def __init__(self, session: Session) -> None:
        self._session = session

    def ask(self, sql: str) -> Answer:
        try:
            result = self._session.execute_sql(sql)
        except KalamError as error:
            return Answer(error=(error.sqlstate, error.message))
        if not result.has_results():
            return Answer(tag=result.status())
        columns = tuple((column.name, _type_name(column.type.oid)) for column in result.columns)
        return Answer(columns, tuple(result.text_rows()), result.status())

    def in_block(self) -> bool:
        return self._session.in_transaction()


def comparable(case: Case, front_end: str) -> Case:
    """The case with what a front end can say of its answer."""
    answer = case.answer
    if answer is None or front_end not in {"binary", "buenavista"}:
        return case
    if front_end == "binary":
        types = [type_ for _, type_ in answer.columns or ()]
        rows = tuple(
            tuple(
                "a number" if type_.startswith("reg") and value is not None else value
                for value, type_ in zip(row, types, strict=True)
            )
            for row in answer.rows
        )
        return replace(case, answer=replace(answer, rows=rows))
    if answer.error is not None:
        return replace(case, answer=replace(answer, error=("", answer.error[1])))
    if answer.columns is None:
        return case
    types = [type_ for _, type_ in answer.columns]
    columns = tuple((n, _BUENA_VISTA_TYPES.get(t, "text")) for n, t in answer.columns)
    rows = tuple(
        tuple(_as_buena_vista(value, type_) for value, type_ in zip(row, types, strict=True))
        for row in answer.rows
    )
    return replace(case, answer=replace(answer, columns=columns, rows=rows))


def _as_buena_vista(value: str | None, type_: str) -> str | None:
    if value is None:
        return None
    if type_ == "bool":
        return "true" if value == "t" else "false"
    if type_ == "float8":
        return str(float(value))
    if type_ == "float4":
        return str(struct.unpack("f", struct.pack("f", float(value)))[0])
    return value


def _field(result: pq.abc.PGresult, name: str) -> str:
    value = result.error_field(getattr(pq.DiagnosticField, name))
    return "" if value is None else value.decode()


def _type_name(oid: int) -> str:
    if oid >= FIRST_NORMAL:
        return "record"  # of the rows of a table: the cases have no other types of their own
    try:
        return registry.by_oid(oid).name
    except KalamError:
        return str(oid)  # of PostgreSQL, and not built here
