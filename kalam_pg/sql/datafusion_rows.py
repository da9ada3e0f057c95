"""Rows that are known before the query runs: few as VALUES in its SQL, more as a table that it is given.

DataFusion takes 0.2 to 1 ms to read and plan a row of VALUES, an array nothing.
"""

from collections.abc import Sequence

import pyarrow as pa

from kalam_pg.sql.datafusion_state import Relation, Rendering
from kalam_pg.sql.physical import arrow_cast, literal
from kalam_pg.sql.tree import OutputColumn
from storage.arrow import to_array
from storage.layout import Value

SPELLED_ROWS_MAX = 16
"""Most rows that the SQL text spells out."""


def computed_rows(
    state: Rendering,
    rows: Sequence[tuple[Value, ...]],
    columns: Sequence[OutputColumn],
    physical: tuple[pa.DataType, ...],
) -> Relation:
    """Rows of stored values as a relation, each column in its physical form."""
    if not rows:
        nulls = [f"{arrow_cast('NULL', kind)} AS c{at}" for at, kind in enumerate(physical)]
        return Relation(f"SELECT {', '.join(nulls)} WHERE false", physical)
    if len(rows) > SPELLED_ROWS_MAX:
        arrays = [to_array(v, k) for v, k in zip(zip(*rows, strict=True), physical, strict=True)]
        names = [f"c{at}" for at in range(len(physical))]
        name = state.given(pa.record_batch(arrays, names=names))
        listed = ", ".join([f"{name}_{column} AS {column}" for column in names])
        return Relation(f"SELECT {listed} FROM {name}", physical)  # noqa: S608 - names of ours
    spelled = [
        ", ".join([_spelled(v, c, k) for v, c, k in zip(row, columns, physical, strict=True)])
        for row in rows
    ]
    listed = ", ".join([f"c{at}" for at in range(len(physical))])
    text = f"SELECT {listed} FROM (VALUES ({'), ('.join(spelled)})) AS v({listed})"  # noqa: S608
    return Relation(text, physical)


def _spelled(value: Value, output: OutputColumn, physical: pa.DataType) -> str:
    sql = literal(value, output.type)
    return sql.text if sql.physical == physical else arrow_cast(sql.text, physical)
