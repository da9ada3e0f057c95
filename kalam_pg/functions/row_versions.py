"""What tells one version of a row from another: `xmin`."""

from hashlib import blake2b
from typing import Final

from catalog.types.registry import ANY, XID
from catalog.types.table import PgType
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.table import Overload

_FIRST_NORMAL: Final = 3
"""Numbers below mean no transaction (PostgreSQL's FirstNormalTransactionId)."""

_XIDS: Final = (1 << 32) - _FIRST_NORMAL
_NULL: Final = b"\xff\xff\xff\xff"
"""Where a value's length would stand; none is so long."""


def _version(kinds: tuple[PgType, ...], *values: Datum) -> int:
    """A number of the values as a client in binary is sent them, whatever its settings and their layout."""
    digest = blake2b(digest_size=8)
    for kind, value in zip(kinds, values, strict=True):
        if value is None:
            digest.update(_NULL)
        else:
            sent = kind.send(value)
            digest.update(len(sent).to_bytes(4, "big"))
            digest.update(sent)
    return _FIRST_NORMAL + int.from_bytes(digest.digest(), "big") % _XIDS


ROW_VERSION: Final = function(
    "~row version", (ANY,), XID, _version, variadic=True, strict=False, needs_types=True
)
"""Of a row's columns, in their order."""

OVERLOADS: tuple[Overload, ...] = (ROW_VERSION,)
