"""The functions of the extensions that are always here (`catalog.extensions`): uuid-ossp and pgcrypto."""

import hashlib
import hmac
import secrets
import uuid

from catalog.errors import ExternalRoutineInvocationError, InvalidParameterValueError
from catalog.extensions import EXTENSIONS, ExtensionFunction
from kalam_pg.functions.define import Row, function
from kalam_pg.functions.table import Overload, Volatility

_BYTES_MAX = 1024
"""What pgcrypto gives at once (pgcrypto.c, pg_random_bytes)."""

_DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")


def _digest(data: bytes, name: str) -> bytes:
    return hashlib.new(_known(name), data, usedforsecurity=False).digest()


def _hmac(data: bytes, key: bytes, name: str) -> bytes:
    return hmac.digest(key, data, _known(name))


def _known(name: str) -> str:
    lowered = name.lower()
    if lowered not in _DIGESTS:
        raise InvalidParameterValueError(f'Cannot use "{name}": No such hash algorithm')
    return lowered


def _random(count: int) -> bytes:
    if not 1 <= count <= _BYTES_MAX:
        raise ExternalRoutineInvocationError("Length not in range")
    return secrets.token_bytes(count)


def _with_random_node() -> bytes:
    """A version 1 UUID whose address is random and says so by its multicast bit."""
    return uuid.uuid1(node=secrets.randbits(48) | 1 << 40).bytes


_ROWS: dict[str, Row] = {
    "uuid_nil": lambda: bytes(16),
    "uuid_ns_dns": lambda: uuid.NAMESPACE_DNS.bytes,
    "uuid_ns_url": lambda: uuid.NAMESPACE_URL.bytes,
    "uuid_ns_oid": lambda: uuid.NAMESPACE_OID.bytes,
    "uuid_ns_x500": lambda: uuid.NAMESPACE_X500.bytes,
    # Not the machine's address, which a version 1 UUID would tell everybody.
    "uuid_generate_v1": _with_random_node,
    "uuid_generate_v1mc": _with_random_node,
    "uuid_generate_v4": lambda: uuid.uuid4().bytes,
    "uuid_generate_v3": lambda of, name: uuid.uuid3(uuid.UUID(bytes=of), name).bytes,
    "uuid_generate_v5": lambda of, name: uuid.uuid5(uuid.UUID(bytes=of), name).bytes,
    "gen_random_bytes": _random,
}


def _row(made: ExtensionFunction) -> Row:
    if made.name not in ("digest", "hmac"):
        return _ROWS[made.name]
    if made.arguments[0].name == "bytea":
        return _digest if made.name == "digest" else _hmac
    if made.name == "digest":
        return lambda data, name: _digest(data.encode(), name)
    return lambda data, key, name: _hmac(data.encode(), key.encode(), name)


OVERLOADS: tuple[Overload, ...] = tuple(
    function(
        *(made.name, made.arguments, made.result, _row(made)),
        volatility=Volatility.VOLATILE if made.volatile else Volatility.IMMUTABLE,
    )
    for extension in EXTENSIONS
    for made in extension.functions
)
