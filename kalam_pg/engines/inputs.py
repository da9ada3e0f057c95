"""A tablet as a DataFusion table: live hot rows, and those cold rows that nothing newer replaces.

Segments are of three kinds (storage.md, "Reading hot + cold"), each read in the cheapest right way:
most are scanned as they are; one whose keys may stand in the log too loses those by an anti-join with
the few superseded keys; segments that overlap first lose the keys of the newer among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
from datafusion import SessionContext

from kalam_pg.engines.context import register_batches
from kalam_pg.engines.request import SegmentRef
from kalam_pg.engines.segments import Footer, VerifiedSegments

SEQ = "_seq"
DELETED = "_deleted"


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

    def rows(self) -> int:
        """How many rows a scan reads at most."""
        hot = sum(int(batch.num_rows) for batch in self.hot)
        return hot + sum(segment.rows for segment in self.segments)


def register(
    session: SessionContext, table: Input, verified: VerifiedSegments, partitions: int = 1
) -> None:
    """Make `table.name` known in `session`.

    Raises:
        DataCorruptedError, IoError: A segment is damaged or gone.
    """
    if not table.segments:
        register_batches(session, table.name, table.schema, table.hot, partitions)
        return
    footers = {segment.path: verified.open(segment) for segment in table.segments}
    sql = " UNION ALL ".join(_Parts(session, table, footers).build())
    session.register_view(table.name, session.sql(sql))


class _Parts:
    """The SELECTs whose union is the tablet, over helper tables named after it."""

    def __init__(self, session: SessionContext, table: Input, footers: dict[str, Footer]) -> None:
        self._session = session
        self._table = table
        self._footers = footers
        self._keys = [quote(name) for name in table.key_columns]
        self._files: dict[str, str] = {}

    def build(self) -> list[str]:
        table = self._table
        parts = []
        if table.hot:
            register_batches(self._session, f"{table.name}#hot", table.schema, table.hot)
            columns = ", ".join(quote(name) for name in table.schema.names) or "1"
            parts.append(f"SELECT {columns} FROM {quote(f'{table.name}#hot')}")  # noqa: S608
        superseded = table.superseded
        if superseded is not None and superseded.num_rows:
            self._session.register_record_batches(f"{table.name}#superseded", [[superseded]])
        for group in _groups(table):
            parts += self._group(group)
        return parts

    def _group(self, group: Sequence[SegmentRef]) -> list[str]:
        """One segment alone, or several that overlap each other, oldest first."""
        if len(group) == 1 or _in_order(group):
            return [self._select(s, _meeting(s, group[i + 1 :])) for i, s in enumerate(group)]
        return [self._newest(group)]

    def _select(self, segment: SegmentRef, newer: Sequence[SegmentRef]) -> str:
        where = [f"NOT t.{quote(DELETED)}"]
        if self._is_superseded(segment):
            where.append(self._absent_from(quote(f"{self._table.name}#superseded")))
        where += [self._absent_from(self._file(other)) for other in newer]
        return (
            f"SELECT {self._columns(segment)} FROM {self._file(segment)} t"  # noqa: S608
            f" WHERE {' AND '.join(where)}"
        )

    def _newest(self, group: Sequence[SegmentRef]) -> str:
        """Segments whose commits interleave: the newest `_seq` of each key, by sorting."""
        names = sorted({*self._table.schema.names, *self._table.key_columns, SEQ, DELETED})
        union = " UNION ALL ".join(
            f"SELECT {self._columns(s, names)} FROM {self._file(s)} t"  # noqa: S608
            for s in group
        )
        keys = ", ".join(self._normal("u", i) for i in range(len(self._keys)))
        columns = ", ".join(quote(name) for name in self._table.schema.names) or "1"
        where = [f"t.n = 1 AND NOT t.{quote(DELETED)}"]
        if any(self._is_superseded(s) for s in group):
            where.append(self._absent_from(quote(f"{self._table.name}#superseded")))
        ranked = (
            f"SELECT u.*, row_number() OVER (PARTITION BY {keys} "  # noqa: S608
            f"ORDER BY u.{quote(SEQ)} DESC) n FROM ({union}) u"
        )
        return f"SELECT {columns} FROM ({ranked}) t WHERE {' AND '.join(where)}"  # noqa: S608

    def _absent_from(self, other: str) -> str:
        same = " AND ".join(
            f"{self._normal('o', i)} = {self._normal('t', i)}" for i in range(len(self._keys))
        )
        return f"NOT EXISTS (SELECT 1 FROM {other} o WHERE {same})"  # noqa: S608

    def _normal(self, alias: str, index: int) -> str:
        """A key column in a form whose equality is SQL's: -0 is 0, and 1.50 is 1.5."""
        column = f"{alias}.{self._keys[index]}"
        kind = self._table.key_kinds[index] if self._table.key_kinds else ""
        if kind == "float":
            return f"({column} + 0.0)"
        if kind == "numeric" and not self._is_decimal(self._table.key_columns[index]):
            return (
                f"CASE WHEN strpos({column}, '.') > 0 "
                f"THEN rtrim(rtrim({column}, '0'), '.') ELSE {column} END"
            )
        return column

    def _is_decimal(self, column: str) -> bool:
        # The key need not be among the columns that are read.
        return any(column in footer.decimals for footer in self._footers.values())

    def _columns(self, segment: SegmentRef, names: Sequence[str] | None = None) -> str:
        """The columns asked for; what the segment was written without is filled in."""
        have = self._footers[segment.path].names
        wanted = self._table.schema.names if names is None else names
        return ", ".join(
            f"t.{quote(n)}" if n in have else f"{self._fill(n)} AS {quote(n)}" for n in wanted
        ) or "1"  # fmt: skip

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
        name = self._files.get(segment.path)
        if name is None:
            name = self._files[segment.path] = f"{self._table.name}#{len(self._files)}"
            self._session.register_parquet(name, segment.path)
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
    if isinstance(value, str) and pa.types.is_decimal(of):
        return pa.array([Decimal(value)], of)
    return pa.array([list(value) if isinstance(value, tuple) else value], of)


def _groups(table: Input) -> list[list[SegmentRef]]:
    """Segments by overlap of their key ranges; each group oldest first."""
    if not table.overlapping:
        return [[segment] for segment in table.segments]
    groups: list[list[SegmentRef]] = []
    end = b""
    for segment in sorted(table.segments, key=lambda s: s.min_key):
        if groups and segment.min_key <= end:
            groups[-1].append(segment)
            end = max(end, segment.max_key)
        else:
            groups.append([segment])
            end = segment.max_key
    return [sorted(group, key=lambda s: (s.min_seq, s.max_seq)) for group in groups]


def _meeting(segment: SegmentRef, others: Sequence[SegmentRef]) -> list[SegmentRef]:
    """Those of `others` that may hold a key of `segment`."""
    return [o for o in others if o.min_key <= segment.max_key and segment.min_key <= o.max_key]


def _in_order(group: Sequence[SegmentRef]) -> bool:
    """Whether every row of a segment is older than every row of the next."""
    return all(a.max_seq < b.min_seq for a, b in pairwise(group))


def quote(name: str) -> str:
    """An identifier for DataFusion."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
