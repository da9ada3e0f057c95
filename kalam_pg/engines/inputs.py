"""A tablet as a DataFusion table: live hot rows, and those cold rows that nothing newer replaces.

Most segments are scanned as they are. One of which a newer segment or the log hides rows is scanned
with a filter on its key, which looks each key up among the hidden ones (`merging` finds these). Rows
of small files are in memory beside the hot ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
from datafusion import udf

from kalam_pg.engines.context import Session, register_batches
from kalam_pg.engines.merging import DELETED, SEQ, Large, Merged, Merges
from kalam_pg.engines.request import DeletedRows, SegmentRef
from kalam_pg.engines.segments import Footer, VerifiedSegments
from kalam_pg.engines.tombstones import Wanted, deleted_rows
from storage.arrow import to_array
from storage.cold.keysets import Keys, KeySet
from storage.cold.superseding import Hidden
from storage.layout import Value
from storage.shaped import in_form, is_shaped


@dataclass(frozen=True, slots=True)
class Input:
    """`request.TableInput` with its batches at hand. hot: pieces of batches; hot_ids: for each piece
    the id of the batch that it is of, 0 when the batch came without one; or empty.
    """

    name: str
    schema: pa.Schema
    hot: tuple[pa.RecordBatch, ...]
    segments: tuple[SegmentRef, ...]
    key_columns: tuple[str, ...]
    key_kinds: tuple[str, ...]
    superseded: pa.RecordBatch | None
    overlapping: bool
    missing: dict[str, object]
    hot_ids: tuple[int, ...] = ()
    prefix: str = ""
    deleted: DeletedRows | None = None

    def rows(self) -> int:
        """How many rows a scan reads at most."""
        hot = sum(int(batch.num_rows) for batch in self.hot)
        return hot + sum(segment.rows for segment in self.segments)


def register(
    session: Session,
    table: Input,
    verified: VerifiedSegments,
    merges: Merges,
    partitions: int = 1,
) -> None:
    """Make `table.name` known in `session`, its columns with the table's prefix.

    Raises:
        DataCorruptedError, IoError: A segment is damaged or gone.
    """
    if not table.segments:
        named = {column: table.prefix + column for column in table.schema.names}
        hot = table.hot if table.deleted is None else (*table.hot, *table.deleted.hot)
        register_batches(session, table.name, table.schema, hot, partitions, named)
        return
    read = {*table.schema.names, *table.key_columns, SEQ, DELETED}
    footers = {segment.path: verified.open(segment, read) for segment in table.segments}
    merged = merges.merged(
        table.segments,
        footers,
        table.key_columns,
        table.key_kinds,
        overlapping=table.overlapping,
    )
    sql = " UNION ALL ".join(_Parts(session, table, footers, partitions).build(merged))
    columns = [f"{quote(c)} AS {quote(table.prefix + c)}" for c in table.schema.names]
    sql = f"SELECT {', '.join(columns) or '*'} FROM ({sql})"  # noqa: S608
    session.register_view(table.name, session.sql(sql))


class _Parts:
    """The SELECTs whose union is the tablet, over helper tables named after it."""

    def __init__(
        self, session: Session, table: Input, footers: dict[str, Footer], partitions: int
    ) -> None:
        self._session = session
        self._table = table
        self._footers = footers
        self._partitions = partitions
        self._helpers = 0
        self._superseded: KeySet | None = None
        if table.superseded is not None and table.superseded.num_rows:
            keys = Keys.of(table.superseded.columns, table.key_kinds)
            self._superseded = KeySet.of(keys)

    def build(self, merged: Merged) -> list[str]:
        """At least one: a tablet of which nothing is left is an empty table."""
        table = self._table
        parts = [self._select(large) for large in merged.large]
        if merged.small:
            small = [self._small(*rows) for rows in merged.small]
            parts.insert(0, self._in_memory("small", small))
        if table.hot or not parts:
            parts.insert(0, self._in_memory("hot", table.hot))
        if table.deleted is not None:
            parts += self._deleted(table.deleted)
        return parts

    def _deleted(self, deleted: DeletedRows) -> list[str]:
        """The deleted rows that were asked for, of memory and of segments."""
        table = self._table
        wanted = Wanted(
            *(table.schema, table.key_columns, table.key_kinds),
            since=deleted.since,
            hot_keys=(*table.hot, *deleted.hot),
        )

        def fill(name: str, rows: int) -> pa.Array:
            value = _array(table.missing.get(name), table.schema.field(name).type)
            return value.take(pa.repeat(0, rows))

        cold = deleted_rows(wanted, table.segments, fill)
        parts = [("gone", deleted.hot), ("cold gone", cold)]
        return [self._in_memory(what, rows) for what, rows in parts if rows]

    def _in_memory(self, what: str, batches: Sequence[pa.RecordBatch]) -> str:
        name = f"{self._table.name}#{what}"
        schema = self._table.schema
        register_batches(self._session, name, schema, batches, self._partitions)
        columns = ", ".join(quote(column) for column in schema.names) or "1"
        return f"SELECT {columns} FROM {quote(name)}"  # noqa: S608

    def _small(self, batch: pa.RecordBatch, keys: Keys) -> pa.RecordBatch:
        """Rows of small files that are not superseded, with the columns asked for."""
        found = self._superseded.has(keys) if self._superseded is not None else None
        if found is not None:
            batch = batch.filter(pc.invert(found))
        schema = self._table.schema
        if not schema.names:
            return batch
        first = pa.repeat(0, batch.num_rows)
        return pa.RecordBatch.from_arrays(
            [
                in_form(batch.column(field.name), field.type)
                if field.name in batch.schema.names
                else _array(self._table.missing.get(field.name), field.type).take(first)
                for field in schema
            ],
            schema=pa.schema([field.with_nullable(True) for field in schema]),
        )

    def _select(self, large: Large) -> str:
        segment = large.segment
        absent: list[KeySet | Hidden] = [] if large.hidden is None else [large.hidden]
        if self._superseded is not None and self._is_superseded(segment):
            absent.append(self._superseded)
        where = [] if segment.deleted == 0 else [f"NOT t.{quote(DELETED)}"]
        if absent:
            where.append(self._absent_from(segment, absent))
        condition = f" WHERE {' AND '.join(where)}" if where else ""
        return f"SELECT {self._columns(segment)} FROM {self._file(segment)} t{condition}"  # noqa: S608

    def _absent_from(self, segment: SegmentRef, sets: Sequence[KeySet | Hidden]) -> str:
        """A condition: the row's key is in none of the sets.

        A function, not an anti-join: a join might be built on the segment with all its contents.
        """
        kinds = self._table.key_kinds

        def is_seen(*columns: pa.Array) -> pa.Array:
            keys = Keys.of(columns, kinds)
            seen = pa.repeat(True, len(keys.codes))
            for hidden in sets:
                if (found := hidden.has(keys)) is not None:
                    seen = pc.and_not(seen, found)
            return seen

        name = self._helper()
        types = [self._footers[segment.path].types[key] for key in self._table.key_columns]
        self._session.register_udf(udf(is_seen, types, pa.bool_(), "immutable", name))
        keys = ", ".join(f"t.{quote(key)}" for key in self._table.key_columns)
        return f"{quote(name)}({keys})"

    def _helper(self) -> str:
        self._helpers += 1
        return f"{self._table.name}#{self._helpers}"

    def _columns(self, segment: SegmentRef) -> str:
        """The columns asked for; what the segment was written without is filled in."""
        have = self._footers[segment.path].types
        columns = []
        for field in self._table.schema:
            name = quote(field.name)
            if field.name not in have:
                columns.append(f"{self._fill(field.name)} AS {name}")
            elif have[field.name] == field.type:
                columns.append(f"t.{name}")
            elif is_shaped(field.type):
                columns.append(f"{self._in_form(have[field.name], field.type)}(t.{name}) AS {name}")
            else:  # The column's type is a wider one since.
                columns.append(f"arrow_cast(t.{name}, '{_arrow_name(field.type)}') AS {name}")
        return ", ".join(columns) or "1"

    def _in_form(self, have: pa.DataType, wanted: pa.DataType) -> str:
        """The quoted name of a function that gives lists room for shapes."""
        name = self._helper()
        convert = partial(in_form, kind=wanted)
        self._session.register_udf(udf(convert, [have], wanted, "immutable", name))
        return quote(name)

    def _fill(self, name: str) -> str:
        """The missing value: read from a table of one row, so that any Arrow type goes."""
        fill = f"{self._table.name}#missing"
        if not self._session.table_exist(fill):
            fields = list(self._table.schema)
            row = pa.RecordBatch.from_arrays(
                [_array(self._table.missing.get(f.name), f.type) for f in fields],
                schema=pa.schema([f.with_nullable(True) for f in fields]),
            )
            self._session.register_record_batches(fill, [[row]])
        return f"(SELECT {quote(name)} FROM {quote(fill)})"  # noqa: S608

    def _file(self, segment: SegmentRef) -> str:
        """The quoted name under which the segment's file is registered."""
        name = self._helper()
        self._session.register_file(name, segment.path)
        return quote(name)

    def _is_superseded(self, segment: SegmentRef) -> bool:
        """Whether any superseded key may lie in the segment, by its first key column's range."""
        superseded = self._table.superseded
        if superseded is None or superseded.num_rows == 0:
            return False
        found = self._footers[segment.path].ranges.get(self._table.key_columns[0])
        kind = self._table.key_kinds[0] if self._table.key_kinds else ""
        if found is None or (kind == "numeric" and not pa.types.is_decimal(found[0].type)):
            return True
        low, high = found
        keys = superseded.column(0)
        inside = pc.and_(pc.greater_equal(keys, low), pc.less_equal(keys, high))
        return bool(pc.any(inside).as_py())


def _array(value: object, of: pa.DataType) -> pa.Array:
    """One stored value (`catalog.types.table`) as an Arrow array."""
    return to_array([cast("Value", value)], of)


def quote(name: str) -> str:
    """An identifier for DataFusion."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _arrow_name(of: pa.DataType) -> str:
    """What DataFusion's arrow_cast calls a type that others are widened to."""
    if pa.types.is_decimal(of):
        return f"Decimal128({of.precision}, {of.scale})"
    return {"int32": "Int32", "int64": "Int64", "double": "Float64"}.get(str(of), str(of))
