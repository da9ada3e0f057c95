"""Functions that make identifiers: UUIDs, KalamDB's snowflake ids and ULIDs."""

import secrets
import uuid

from catalog.types.registry import INT8, TEXT, UUID
from kalam_pg.functions.define import function
from kalam_pg.functions.table import EvalContext, Overload, Volatility
from storage.wall_clock import now_us

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VOLATILE = Volatility.VOLATILE


def _uuid_v4() -> bytes:
    return uuid.uuid4().bytes


def uuid_v7() -> bytes:
    """48 bits of Unix milliseconds, then random bits (RFC 9562, section 5.7)."""
    value = bytearray((now_us() // 1000).to_bytes(6, "big") + secrets.token_bytes(10))
    value[6] = 0x70 | value[6] & 0x0F
    value[8] = 0x80 | value[8] & 0x3F
    return bytes(value)


def ulid() -> str:
    """48 bits of Unix milliseconds and 80 random bits in Crockford's base 32, 26 characters."""
    number = now_us() // 1000 << 80 | secrets.randbits(80)
    return "".join([_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5)])


def _snowflake(context: EvalContext) -> int:
    return context.next_snowflake()


OVERLOADS: tuple[Overload, ...] = (
    function("gen_random_uuid", (), UUID, _uuid_v4, volatility=_VOLATILE),
    function("uuid_v7", (), UUID, uuid_v7, volatility=_VOLATILE),
    function("uuidv7", (), UUID, uuid_v7, volatility=_VOLATILE),
    function("ulid", (), TEXT, ulid, volatility=_VOLATILE),
    function(
        "snowflake_id",
        (),
        INT8,
        _snowflake,
        volatility=_VOLATILE,
        needs_context=True,
        server_only=True,
    ),
)
