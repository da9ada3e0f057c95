"""Settings that sessions begin with: ALTER ROLE … SET, IN DATABASE, ALTER ROLE ALL, ALTER DATABASE … SET.

S | "setting" | database | user id  -> [[name, value], …]

database: 1 of this server's only one, 0 for all. user id: 0 for everybody. Values are as they were written; a
session reads them when it begins.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from catalog import codec
from catalog.changes import CatalogChange
from catalog.errors import ConfigurationLimitExceededError
from catalog.snapshot import Snapshot
from storage.keys import system_key

Get = Callable[[bytes], bytes | None]

EVERYBODY = 0
ANY_DATABASE, THIS_DATABASE = 0, 1
CHARS_MAX = 64 << 10
"""Of names and values together that are set for one role, or for all, in one place: each login reads them."""

PREFIX = system_key("setting")


def setting_key(database: int, user: int) -> bytes:
    """Where the settings of a user, or everybody, in a database, or all, lie."""
    return system_key("setting", database, user)


def keys_of(user: int) -> tuple[bytes, bytes]:
    """Where all lies that was set for a user."""
    return setting_key(ANY_DATABASE, user), setting_key(THIS_DATABASE, user)


def read(get: Get, database: int, user: int) -> dict[str, str]:
    """What is set there, in the order in which it was first."""
    data = get(setting_key(database, user))
    return {} if data is None else dict(codec.decode(data))


def at_login(get: Get, user: int) -> Iterator[tuple[str, str]]:
    """What a session of a user begins with: of two values of one setting the later one counts."""
    for one in EVERYBODY, user:
        for database in ANY_DATABASE, THIS_DATABASE:
            yield from read(get, database, one).items()


def change(
    snapshot: Snapshot, get: Get, database: int, user: int, values: Mapping[str, str | None]
) -> CatalogChange:
    """Settings have these values from now on; None: no more. Raises 53400 when they become too many."""
    now = read(get, database, user)
    for name, value in values.items():
        if value is None:
            now.pop(name, None)
        else:
            now[name] = value
    sets = any(value is not None for value in values.values())
    if sets and sum([len(n) + len(v) for n, v in now.items()]) > CHARS_MAX:
        raise ConfigurationLimitExceededError(
            "too much is set for sessions to begin with",
            hint="Use RESET for settings that are not needed.",
        )
    stored = codec.encode([list(pair) for pair in now.items()]) if now else None
    return CatalogChange(snapshot, ((setting_key(database, user), stored),))


def listed(
    entries: Iterable[tuple[bytes, bytes]], users: Iterable[int]
) -> Iterator[tuple[int, int, list[str]]]:
    """(database, user id, "name=value" of each) of what is set for everybody and these users."""
    stored = dict(entries)
    for user in (EVERYBODY, *users):
        for database in ANY_DATABASE, THIS_DATABASE:
            data = stored.get(setting_key(database, user))
            if data is not None:
                yield database, user, [f"{name}={value}" for name, value in codec.decode(data)]
