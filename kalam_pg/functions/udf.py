"""What a worker is told of a function that the SQL calls and DataFusion does not have."""

from dataclasses import dataclass

import pyarrow as pa

from catalog.types.table import PgType


@dataclass(frozen=True, slots=True)
class UdfSpec:
    """One function, for one signature. Values only: it crosses a process boundary.

    name: as the SQL calls it. key: what `functions.arrow_udf` makes it from. arg_types, result:
    Arrow types of this use. pg_types, pg_result: the resolved PostgreSQL types.
    """

    name: str
    key: str
    arg_types: tuple[pa.DataType, ...]
    result: pa.DataType
    pg_types: tuple[PgType, ...]
    pg_result: PgType
    aggregate: bool = False
