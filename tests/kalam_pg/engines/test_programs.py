"""Rows that a program in a worker answers come as plain values, and the server reads no pickle."""

import pickle

import msgspec
import pyarrow as pa
import pytest

from catalog.types import registry
from catalog.types.bounded import BoundedArray
from catalog.types.records import Record, Shape
from kalam_pg.engines.programs import ROWS_SCHEMA, _packed, rows_of


def sent(data: bytes) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([data], pa.binary())], schema=ROWS_SCHEMA)


def test_rows_and_arrays_come_as_they_went():
    of_int4 = registry.array_of(registry.INT4)
    assert of_int4 is not None
    inner = Record(
        (1, None, ((1, 2), (3, 4))), Shape(("a", "b", "c"), (registry.INT4, registry.TEXT, of_int4))
    )
    outer = Record(
        (inner, BoundedArray((7, 8), (0,)), b"\x01"),
        Shape(("f1", "f2", "f3"), (registry.RECORD, of_int4, registry.BYTEA)),
    )
    rows = [
        (outer, 1, "x", None),
        (BoundedArray(((1, 2), (3, 4)), (0, 5)), BoundedArray((inner,), (2,)), (inner, None), 1.5),
    ]
    assert rows_of(_packed(rows), registry.find_oid) == rows


class Made:
    """What a pickle can have whoever reads it call."""

    calls = 0

    def __reduce__(self):
        return Made.made, ()

    @staticmethod
    def made() -> int:
        Made.calls += 1
        return 1


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Made()),
        msgspec.msgpack.encode((("a",), (1_000_000,), (1,))),  # of no type that there is
        msgspec.msgpack.encode((("a",), (23,), (1, 2))),
        msgspec.msgpack.encode((("a", "b"), (23,), (1,))),
    ],
)
@pytest.mark.parametrize("code", [1, 2, 3])
def test_anything_else_is_refused(code: int, data: bytes):
    batch = sent(msgspec.msgpack.encode([[msgspec.msgpack.Ext(code, data)]]))
    with pytest.raises((ValueError, msgspec.DecodeError)):
        rows_of(batch, registry.find_oid)
    assert Made.calls == 0
