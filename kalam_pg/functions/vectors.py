"""Arrow implementations: whole columns at once, with the same answers and errors as the rows'."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import DivisionByZeroError, NumericValueOutOfRangeError
from kalam_pg.functions.define import Datum

_NAMES = {pa.int16(): "smallint", pa.int32(): "integer", pa.int64(): "bigint"}
_INTEGERS = {21: pa.int16(), 23: pa.int32(), 20: pa.int64()}  # int2, int4, int8 by OID


def integer(kernel: str, result_oid: int) -> Callable[..., Datum]:
    """An overflow-checked arithmetic kernel ("add", "subtract" …) on one integer type."""
    compute = getattr(pc, f"{kernel}_checked")
    target = _INTEGERS[result_oid]

    def run(*args: Datum) -> Datum:
        try:
            return compute(*[a if a.type == target else a.cast(target) for a in args])
        except pa.ArrowInvalid as error:
            if "divide by zero" in str(error):
                raise DivisionByZeroError("division by zero") from None
            raise NumericValueOutOfRangeError(f"{_NAMES[target]} out of range") from None

    return run
