"""Functions that mint identifiers: SNOWFLAKE_ID(), UUID_V7(), ULID(), gen_random_uuid()."""

import secrets
import time
import uuid

from catalog.types.registry import INT8, TEXT, UUID
from kalam_pg.functions.define import function
from kalam_pg.functions.table import EvalContext, Overload, Volatility

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _snowflake(context: EvalContext) -> int:
    return context.next_snowflake()


def uuid_v7() -> bytes:
    """RFC 9562's version 7: 48 bits of Unix milliseconds, then random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return value.to_bytes(16, "big")


def ulid() -> str:
    """48 bits of Unix milliseconds and 80 random ones in Crockford's base 32: 26 characters."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))


OVERLOADS: tuple[Overload, ...] = (
    function(
        "snowflake_id", (), INT8, _snowflake, volatility=Volatility.VOLATILE, needs_context=True
    ),
    function("uuid_v7", (), UUID, uuid_v7, volatility=Volatility.VOLATILE),
    function("ulid", (), TEXT, ulid, volatility=Volatility.VOLATILE),
    function(
        "gen_random_uuid", (), UUID, lambda: uuid.uuid4().bytes, volatility=Volatility.VOLATILE,
        oid=3432,
    ),
)  # fmt: skip
