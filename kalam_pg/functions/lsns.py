"""pg_lsn: what is between two places in a log, and the functions that a server which follows none has."""

from decimal import ROUND_HALF_UP, Decimal

from catalog.errors import FeatureNotSupportedError, InvalidParameterValueError
from catalog.types.registry import NUMERIC, PG_LSN
from kalam_pg.functions.define import function, operator, stable
from kalam_pg.functions.table import Overload

_SIZE = 8
_MAX = (1 << 64) - 1


def _between(a: bytes, b: bytes) -> str:
    return str(int.from_bytes(a) - int.from_bytes(b))


def _place(number: Decimal) -> bytes:
    rounded = int(number.to_integral_value(ROUND_HALF_UP))
    if not 0 <= rounded <= _MAX:
        raise InvalidParameterValueError("pg_lsn out of range")
    return rounded.to_bytes(_SIZE)


def _from_numeric(text: str) -> bytes:
    number = Decimal(text)
    if not number.is_finite():
        what = "NaN" if number.is_nan() else "infinity"
        raise FeatureNotSupportedError(f"cannot convert {what} to pg_lsn")
    return _place(number)


def _moved(lsn: bytes, text: str, sign: int) -> bytes:
    number = Decimal(text)
    if number.is_nan():
        what = "add NaN to" if sign > 0 else "subtract NaN from"
        raise FeatureNotSupportedError(f"cannot {what} pg_lsn")
    if not number.is_finite():
        raise FeatureNotSupportedError("cannot convert infinity to pg_lsn")
    return _place(int.from_bytes(lsn) + sign * number)


OVERLOADS: tuple[Overload, ...] = (
    operator("-", (PG_LSN, PG_LSN), NUMERIC, _between),
    operator("+", (PG_LSN, NUMERIC), PG_LSN, lambda a, b: _moved(a, b, 1)),
    operator("+", (NUMERIC, PG_LSN), PG_LSN, lambda a, b: _moved(b, a, 1)),
    operator("-", (PG_LSN, NUMERIC), PG_LSN, lambda a, b: _moved(a, b, -1)),
    function("pg_lsn", (NUMERIC,), PG_LSN, _from_numeric),
    function("pg_wal_lsn_diff", (PG_LSN, PG_LSN), NUMERIC, _between),
    # This server follows no other: what it has received and replayed is nothing.
    *(
        stable(name, (), PG_LSN, lambda _c: None)
        for name in ("pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn")
    ),
)
