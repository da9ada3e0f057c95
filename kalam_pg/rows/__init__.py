"""Rows as DataRow messages, row by row for small results and column by column for large ones; and
stored values out of an engine's Arrow arrays.
"""

from kalam_pg.rows.arrow_values import arrow_to_values
from kalam_pg.rows.columnwise import WireForm, encode_batch
from kalam_pg.rows.rowwise import encode_rows, row_encoder

__all__ = [
    "WireForm",
    "arrow_to_values",
    "encode_batch",
    "encode_rows",
    "row_encoder",
]
