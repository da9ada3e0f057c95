"""The newest version of each key among segments: vectorised, and only where keys meet.

Pure functions over Arrow tables, also run by engine workers in another process. Segments rarely
share keys, so most rows are passed through: rows are compared only when another segment (or the
hot part) has their key.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from storage.arrow import DELETED, SEQ


def merge_segments(
    tables: Sequence[pa.Table], key_columns: Sequence[str], superseded: pa.RecordBatch | None = None
) -> pa.Table:
    """The live rows of some segments: newest `_seq` wins, a tombstone hides what is under it.

    Args:
        tables: At least one; each holds a key at most once, the columns of `key_columns`, `_seq`,
            `_deleted` and any others. In any order, and so may be their rows. A column that some
            tables lack is null there.
        key_columns: Names of the primary key's columns.
        superseded: Keys (a column for each of `key_columns`) of which no row may be given.

    Returns:
        Rows of all tables, at most one for each key, none deleted; in no promised order.
    """
    return _merge(tables, key_columns, superseded, tombstones=False)


def newest_versions(tables: Sequence[pa.Table], key_columns: Sequence[str]) -> pa.Table:
    """As `merge_segments`, tombstones kept: what a compaction writes."""
    return _merge(tables, key_columns, None, tombstones=True)


def _merge(
    tables: Sequence[pa.Table],
    key_columns: Sequence[str],
    superseded: pa.RecordBatch | None,
    *,
    tombstones: bool,
) -> pa.Table:
    hidden = [] if superseded is None else [pa.Table.from_batches([superseded])]
    codes = _key_codes([*tables, *hidden], key_columns)
    contested = _contested(codes[: len(tables)])
    kept = []
    winners = _winners(tables, codes, contested)
    for number, table in enumerate(tables):
        keep = winners[number]
        if hidden:
            keep = pc.and_not(keep, pc.is_in(codes[number], codes[-1]))
        if not tombstones:
            keep = pc.and_not(keep, table.column(DELETED).combine_chunks())
        kept.append(table if keep.false_count == 0 else table.filter(keep))
    return pa.concat_tables(kept, promote_options="default")


def _key_codes(tables: Sequence[pa.Table], key_columns: Sequence[str]) -> list[pa.Int64Array]:
    """One int64 for each row of each table, equal exactly where the keys are equal."""
    rows = [table.num_rows for table in tables]
    codes: pa.Array | None = None
    for name in key_columns:
        chunks = [chunk for table in tables for chunk in table.column(name).chunks]
        column = pa.chunked_array(chunks, type=tables[0].column(name).type).combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # An older pyarrow, or nothing to combine.
            column = pa.concat_arrays(column.chunks)
        if pa.types.is_floating(column.type):
            column = pc.add(column, pa.scalar(0, column.type))  # -0 is 0.
        if len(key_columns) == 1 and pa.types.is_int64(column.type):
            codes = column
            break
        encoded = column.dictionary_encode()
        numbers = encoded.indices.cast(pa.int64())
        if codes is not None:
            # Numbering the pairs anew keeps them below the number of rows.
            pairs = pc.add(pc.multiply(codes, max(1, len(encoded.dictionary))), numbers)
            numbers = pairs.dictionary_encode().indices.cast(pa.int64())
        codes = numbers
    assert codes is not None, "a tablet has a primary key"
    starts = [sum(rows[:number]) for number in range(len(rows))]
    return [codes.slice(start, count) for start, count in zip(starts, rows, strict=True)]


def _contested(codes: Sequence[pa.Int64Array]) -> pa.Int64Array:
    """The keys that stand in two tables or more.

    From the smallest table to the largest, so that hash sets are made of the small ones.
    """
    found: list[pa.Array] = []
    pool: list[pa.Array] = []
    for code in sorted(codes, key=len):
        if pool:
            found.append(code.filter(pc.is_in(code, pa.concat_arrays(pool))))
        pool.append(code)
    return pa.concat_arrays(found).unique() if found else pa.array([], pa.int64())


def _winners(
    tables: Sequence[pa.Table], codes: Sequence[pa.Int64Array], contested: pa.Int64Array
) -> list[pa.BooleanArray]:
    """For each table, which of its rows are the newest version of their key."""
    if not len(contested):
        return [pa.repeat(pa.scalar(True), table.num_rows) for table in tables]
    masks = [pc.is_in(codes[number], contested) for number in range(len(tables))]
    rivals = pa.concat_tables(
        pa.table(
            {
                "code": codes[number].filter(mask),
                "seq": table.column(SEQ).filter(mask),
                "table": pa.repeat(pa.scalar(number, pa.int32()), mask.true_count),
                "row": pc.indices_nonzero(mask).cast(pa.int64()),
            }
        )
        for number, (table, mask) in enumerate(zip(tables, masks, strict=True))
    )
    rivals = rivals.sort_by([("code", "ascending"), ("seq", "descending")])
    order = rivals.column("code").combine_chunks()
    losers = rivals.slice(1).filter(pc.equal(order.slice(1), order.slice(0, len(order) - 1)))
    winners = []
    for number, table in enumerate(tables):
        lost = losers.column("row").filter(pc.equal(losers.column("table"), number))
        every = pa.arange(0, table.num_rows) if len(lost) else None
        winners.append(
            pa.repeat(pa.scalar(True), table.num_rows)
            if every is None
            else pc.invert(pc.is_in(every, lost.combine_chunks()))
        )
    return winners
