"""TABLESAMPLE: whether a row is among those of a sample, which its key and a seed tell."""

import math
from hashlib import blake2b

from catalog.errors import InvalidTablesampleArgumentError, InvalidTablesampleRepeatError
from catalog.types.registry import ANY, BOOL, FLOAT4
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.table import Overload

_BITS = 32


def _sampled(percent: float | None, seed: Datum, *key: Datum) -> bool:
    """Rows of other keys are in it or not independently of this one, and again so with the same seed."""
    if percent is None:
        raise InvalidTablesampleArgumentError("TABLESAMPLE parameter cannot be null")
    if math.isnan(percent) or not 0 <= percent <= 100:
        raise InvalidTablesampleArgumentError("sample percentage must be between 0 and 100")
    if seed is None:
        raise InvalidTablesampleRepeatError("TABLESAMPLE REPEATABLE parameter cannot be null")
    digest = blake2b(repr((seed, key)).encode(), digest_size=_BITS // 8).digest()
    return bool(int.from_bytes(digest) < percent / 100 * 2**_BITS)


SAMPLED = function("~sampled", (FLOAT4, ANY), BOOL, _sampled, variadic=True, strict=False)
"""Of a percentage, a seed, and the row's key."""

OVERLOADS: tuple[Overload, ...] = (SAMPLED,)
