"""Rows of a query, until all of them are there, in a form that another process can read."""

import pickle
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import pyarrow as pa
import trio

from catalog.types.table import PgType
from kalam_pg.query.portion import ArrowPortion, Portion, RowPortion, unpack_rows
from kalam_pg.query.row_source import RowSource
from kalam_pg.query.row_store import LARGE_BYTES, Spills
from kalam_pg.query.spool import Spool
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.rows.copy_columns import Field

_STREAM = b"\xff\xff\xff\xff"
"""With what an IPC stream begins, and neither marshal nor pickle."""


class SentRows(NamedTuple):
    """How a query's rows are read elsewhere. It travels to another process.

    fields: for each of their columns what it is to be put into; None: nothing.
    """

    fields: tuple[Field | None, ...]

    def read(self, pieces: Iterable[bytes]) -> Iterator[list[pa.Array]]:
        """The columns of some rows each. Raises RefusedError: a column does not hold a value."""
        for piece in pieces:
            portion = _unpacked(piece)
            if isinstance(portion, ArrowPortion):
                yield portion.stored(self.fields)
                continue
            columns = zip(*portion.rows(), strict=True)
            yield [
                pa.nulls(len(portion)) if field is None else field.stored(values)
                for field, values in zip(self.fields, columns, strict=True)
            ]


class RowSpool:
    """Portions in the order in which they come. lines: how many rows they have."""

    def __init__(self, spills: Spills) -> None:
        self.lines = 0
        self._spool = Spool(spills)
        self._sizes: list[int] = []

    def add(self, portion: Portion) -> Steps[None]:
        """Keep what comes next. Raises 53100, 53400, 58030."""
        packing = partial(_packed, portion)
        if portion.size > LARGE_BYTES:
            data = yield from run_async(partial(trio.to_thread.run_sync, packing))
        else:
            data = packing()
        self._sizes.append(len(data))
        self.lines += len(portion)
        yield from self._spool.add(data)

    def write(self) -> Steps[None]:
        """Have all of it in the file. Raises as `add`."""
        yield from self._spool.write()

    def pieces(self) -> Iterator[bytes]:
        """Each portion, when they were written; in a thread."""
        at = 0
        for size in self._sizes:
            yield self._spool.cut(at, size)
            at += size

    def source(self) -> RowSource:
        """The rows, as often as they are wanted."""
        return _Spooled(self._spool, self._sizes)

    def close(self) -> None:
        """Forget them. Again is no error."""
        self._spool.close()


class _Spooled(RowSource):
    __slots__ = ("_next", "_offset", "_sizes", "_spool")

    def __init__(self, spool: Spool, sizes: Sequence[int]) -> None:
        super().__init__()
        self._spool = spool
        self._sizes = sizes
        self._next = self._offset = 0

    def next_portion(self) -> Steps[Portion | None]:
        if self._next == len(self._sizes):
            return None
        size = self._sizes[self._next]
        data = yield from self._spool.read(self._offset, size)
        self._offset += size
        self._next += 1
        return _unpacked(data)


class Portions(RowSource):
    """Rows that are all there, in portions."""

    __slots__ = ("_portions",)

    def __init__(self, portions: Sequence[Portion]) -> None:
        super().__init__()
        self._portions = iter(portions)

    def next_portion(self) -> Steps[Portion | None]:
        return next(self._portions, None)
        yield


def _packed(portion: Portion) -> bytes:
    if not isinstance(portion, ArrowPortion):
        return bytes(portion.pack())
    batch, types = portion.parts
    named = batch.schema.with_metadata({b"types": pickle.dumps(tuple(types))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, named) as stream:
        stream.write_batch(batch.replace_schema_metadata(named.metadata))
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _unpacked(data: bytes) -> ArrowPortion | RowPortion:
    """What `_packed` made, in a process of the server's."""
    if data[:4] != _STREAM:
        return unpack_rows(data)
    with pa.ipc.open_stream(data) as stream:
        batch = stream.read_next_batch()
    types: Sequence[PgType] = pickle.loads(batch.schema.metadata[b"types"])  # noqa: S301 -- see above
    return ArrowPortion(batch, types)
