"""Helpers of the translation that take and give a whole Arrow column."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from kalam_pg.functions.define import Datum

_BELOW_THE_SIGN = pa.scalar((1 << 63) - 1, pa.int64())


def _float_code(floats: Datum) -> Datum:
    """float8 as bigints that have SQL's order: NaN is above all numbers."""
    plain = pc.if_else(pc.is_nan(floats), float("nan"), floats)
    return _folded(plain.view(pa.int64()))


def _float_of_code(codes: Datum) -> Datum:
    return _folded(codes).view(pa.float64())


def _folded(bits: Datum) -> Datum:
    """The bits of negative numbers turned round, but for the sign; its own inverse."""
    return pc.if_else(pc.less(bits, 0), pc.bit_wise_xor(bits, _BELOW_THE_SIGN), bits)


def _same(column: Datum, *_: Datum) -> Datum:
    """The column itself, which DataFusion no longer knows to be a constant, unique, or another's."""
    return column


BY_COLUMN: dict[str, Callable[..., Datum]] = {
    "same": _same,
    "anew": _same,
    "fcode": _float_code,
    "fofcode": _float_of_code,
}
