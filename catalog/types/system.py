"""The types of PostgreSQL's own catalogues: reg*, tid, int2vector, oidvector, aclitem, pg_node_tree."""

import re
from struct import Struct
from typing import cast

import pyarrow as pa

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidSchemaNameError,
    UndefinedFunctionError,
    UndefinedObjectError,
    UndefinedTableError,
)
from catalog.types.array import receive_array, send_array
from catalog.types.common import SPACES, bad_binary, bad_text, fixed, no_input, no_receive
from catalog.types.integer import INT2, OID, integer_output, parse_oid, unsigned
from catalog.types.table import PgType, TypeContext
from catalog.types.text import text_like
from storage.errors import KalamError
from storage.layout import Value

_TID = re.compile(r"\(([0-9]+),([0-9]+)\)")
_TID_DIGITS = 10
_TID_WIRE = Struct("!IH")


def _missing(kind: str, text: str) -> KalamError:
    if kind == "regclass":
        return UndefinedTableError(f'relation "{text}" does not exist')
    if kind in {"regproc", "regprocedure"}:
        return UndefinedFunctionError(f'function "{text}" does not exist')
    if kind in {"regoper", "regoperator"}:
        return UndefinedFunctionError(f"operator does not exist: {text}")
    if kind == "regnamespace":
        return InvalidSchemaNameError(f'schema "{text}" does not exist')
    return UndefinedObjectError(f'{kind.removeprefix("reg")} "{text}" does not exist')


def _reg(name: str, oid: int, array_oid: int) -> PgType:
    """Return a type that is an OID, written as the name of what has it."""
    nothing = "0" if name in {"regoper", "regoperator"} else "-"

    def read(text: str, _typmod: int, context: TypeContext) -> int:
        if text == "-":
            return 0
        if text.isdigit() and text.isascii():
            return parse_oid(text)
        found = None if context.objects is None else context.objects.object_oid(name, text)
        if found is None:
            raise _missing(name, text.strip(SPACES))
        return found

    def output(value: Value, context: TypeContext) -> str:
        if value == 0:
            return nothing
        known = context.objects
        shown = None if known is None else known.object_name(name, cast("int", value))
        return integer_output(value, context) if shown is None else shown

    return unsigned(name, oid, array_oid, "N", read, output, names_objects=True)


def _parse_tid(text: str, _typmod: int, _context: TypeContext) -> str:
    match = _TID.fullmatch(text.strip(SPACES))
    if match is None:
        raise bad_text("tid", text)
    block, offset = (part.lstrip("0") or "0" for part in match.groups())
    if len(block) > _TID_DIGITS or int(block) >= 1 << 32:
        raise bad_text("tid", text)
    if len(offset) > _TID_DIGITS or int(offset) >= 1 << 16:
        raise bad_text("tid", text)
    return f"({block},{offset})"


def _receive_tid(data: bytes, _typmod: int) -> str:
    if len(data) != 6:
        raise bad_binary()
    block, offset = _TID_WIRE.unpack(data)
    return f"({block},{offset})"


def _send_tid(value: Value) -> bytes:
    block, offset = cast("str", value)[1:-1].split(",")
    return _TID_WIRE.pack(int(block), int(offset))


def _oid_list(name: str, oid: int, array_oid: int, element: PgType) -> PgType:
    """Return int2vector or oidvector: a one-dimensional array from 0, written with spaces."""

    def read(text: str, _typmod: int, context: TypeContext) -> Value:
        return tuple([element.input(word, -1, context) for word in text.split()])

    def output(value: Value, _context: TypeContext) -> str:
        return " ".join([str(item) for item in cast("tuple[int, ...]", value)])

    def receive(data: bytes, _typmod: int) -> Value:
        return receive_array(data, -1, element, lower_bound=0)

    def send(value: Value) -> bytes:
        return send_array(value, element, lower_bound=0)

    return PgType(
        oid=oid,
        name=name,
        sql_name=name,
        length=-1,
        category="A",
        preferred=False,
        array_oid=array_oid,
        key_kind="none",
        arrow=fixed(pa.list_(element.arrow(-1))),
        input=read,
        output=output,
        receive=receive,
        send=send,
        element=element,
    )


def _receive_aclitem(_data: bytes, _typmod: int) -> Value:
    raise FeatureNotSupportedError("no binary input function available for type aclitem")


REGPROC = _reg("regproc", 24, 1008)
REGPROCEDURE = _reg("regprocedure", 2202, 2207)
REGOPER = _reg("regoper", 2203, 2208)
REGOPERATOR = _reg("regoperator", 2204, 2209)
REGCLASS = _reg("regclass", 2205, 2210)
REGTYPE = _reg("regtype", 2206, 2211)
REGROLE = _reg("regrole", 4096, 4097)
REGNAMESPACE = _reg("regnamespace", 4089, 4090)
TID = text_like(
    "tid",
    "tid",
    27,
    1010,
    "U",
    6,
    read=_parse_tid,
    receive=_receive_tid,
    send=_send_tid,
    key_kind="none",
)
INT2VECTOR = _oid_list("int2vector", 22, 1006, INT2)
OIDVECTOR = _oid_list("oidvector", 30, 1013, OID)
ACLITEM = text_like(
    "aclitem", "aclitem", 1033, 1034, "U", 12, receive=_receive_aclitem, key_kind="none"
)
PG_NODE_TREE = text_like(
    "pg_node_tree",
    "pg_node_tree",
    194,
    0,
    "Z",
    read=no_input("pg_node_tree"),
    receive=no_receive("pg_node_tree"),
    key_kind="none",
)
