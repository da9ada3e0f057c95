"""time with time zone: 12 bytes that sort, the instant within the day in UTC and then the zone.

PostgreSQL orders by the instant, and of equal ones the zone that is further east comes first; so the bytes
have microseconds of UTC since midnight, then seconds west of UTC, both moved to be positive.
"""

from struct import Struct
from typing import cast

import pyarrow as pa

from catalog.errors import DatetimeFieldOverflowError
from catalog.types.calendar import US_PER_DAY, US_PER_SECOND
from catalog.types.common import bad_binary, fixed
from catalog.types.datetime import fit_time
from catalog.types.datetime_input import read_timetz
from catalog.types.datetime_output import offset_text, time_text
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_STORED = Struct(">QI")
_WIRE = Struct(">qi")
_US_ZERO, _ZONE_ZERO = 1 << 62, 1 << 30
ZONE_MAX = 16 * 3600
"""No zone is so many seconds away from UTC (timestamp.h, TZDISP_LIMIT)."""


def pack_timetz(us: int, offset: int) -> bytes:
    """The stored form. us: microseconds since midnight there; offset: seconds east of UTC."""
    return _STORED.pack(us - offset * US_PER_SECOND + _US_ZERO, _ZONE_ZERO - offset)


def unpack_timetz(value: Value) -> tuple[int, int]:
    """Microseconds since midnight there, and seconds east of UTC."""
    utc, west = _STORED.unpack(cast("bytes", value))
    offset = _ZONE_ZERO - west
    return utc - _US_ZERO + offset * US_PER_SECOND, offset


def fit_timetz(value: bytes, typmod: int) -> bytes:
    """The time rounded to so many decimals of a second."""
    us, offset = unpack_timetz(value)
    return pack_timetz(fit_time(us, typmod), offset)


def _read(text: str, typmod: int, context: TypeContext) -> bytes:
    us, offset = read_timetz(text, context)
    return pack_timetz(us if typmod < 0 else fit_time(us, typmod), offset)


def _write(value: Value, _context: TypeContext) -> str:
    us, offset = unpack_timetz(value)
    return time_text(us) + offset_text(offset)


def _receive(data: bytes, typmod: int) -> bytes:
    if len(data) != _WIRE.size:
        raise bad_binary()
    us, west = _WIRE.unpack(data)
    if not 0 <= us <= US_PER_DAY:
        raise DatetimeFieldOverflowError("time out of range")
    if not -ZONE_MAX < west < ZONE_MAX:
        raise DatetimeFieldOverflowError("time zone displacement out of range")
    return pack_timetz(us if typmod < 0 else fit_time(us, typmod), -west)


def _send(value: Value) -> bytes:
    us, offset = unpack_timetz(value)
    return _WIRE.pack(us, -offset)


TIMETZ = PgType(
    oid=1266,
    name="timetz",
    sql_name="time with time zone",
    length=12,
    category="D",
    preferred=False,
    array_oid=1270,
    key_kind="bytes",
    arrow=fixed(pa.binary(12)),
    input=_read,
    output=_write,
    receive=_receive,
    send=_send,
)
