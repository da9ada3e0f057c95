"""CREATE, ALTER and DROP USER: users as values, and what of them is written."""

from collections.abc import Callable
from dataclasses import replace

from catalog import codec, default_privileges, erasing, role_settings
from catalog.changes import CatalogChange
from catalog.errors import (
    DuplicateObjectError,
    InvalidParameterValueError,
    ReservedNameError,
    UndefinedObjectError,
)
from catalog.ids import Ids
from catalog.model import Role, User
from catalog.snapshot import Snapshot

Get = Callable[[bytes], bytes | None]
"""Reads a system key: as committed, with the transaction's own puts over it."""

ROOT_ID = 10
"""Root's id and its OID, which is that of PostgreSQL's bootstrap superuser."""

ROOT_NAME = "root"

_ALIASES = {
    "admin": Role.DBA,
    "developer": Role.SERVICE,
    "analyst": Role.SERVICE,
    "viewer": Role.USER,
    "readonly": Role.USER,
}


def parse_role(text: str) -> Role:
    """A role by its name or one of KalamDB's older names. Raises 22023."""
    word = text.lower()
    if word in _ALIASES:
        return _ALIASES[word]
    try:
        return Role(word)
    except ValueError:
        raise InvalidParameterValueError(
            f'unrecognized role "{text}"', hint="Roles are user, service, dba and system."
        ) from None


def find_user(get: Get, name: str) -> User | None:
    """The user of that name, a deleted one too; None if there is none."""
    user_id = get(codec.user_name_key(name))
    if user_id is None:
        return None
    data = get(codec.user_key(int(codec.decode(user_id))))
    return None if data is None else codec.decode_user(data)


def require_user(get: Get, name: str) -> User:
    """The living user of that name. Raises 42704."""
    user = find_user(get, name)
    if user is None or user.deleted_at_us is not None:
        raise UndefinedObjectError(f'role "{name}" does not exist')
    return user


def create_user(
    snapshot: Snapshot, ids: Ids, get: Get, user: User, *, now_us: int, if_not_exists: bool = False
) -> CatalogChange:
    """CREATE USER; `user.id` and `user.oid` are set here.

    The name of a dropped user is free: whoever gets it is somebody else, with an id of their own.

    Raises 42939 for a reserved name, 42710 when it exists.
    """
    name = user.name
    if name.startswith("pg_"):
        raise ReservedNameError(
            f'role name "{name}" is reserved',
            detail='Role names starting with "pg_" are reserved.',
        )
    if name in ("public", "none", ""):
        raise ReservedNameError(f'role name "{name}" is reserved')
    existing = find_user(get, name)
    if existing is not None and existing.deleted_at_us is None:
        if if_not_exists:
            return CatalogChange(snapshot, notices=(f'role "{name}" already exists, skipping',))
        raise DuplicateObjectError(f'role "{name}" already exists')
    made = replace(user, id=ids.user(), oid=ids.oids(), created_at_us=now_us)
    puts = user_puts(made)
    if existing is not None:
        puts = (*puts, (erasing.former_key(made.id), codec.encode(existing.id)))
    return CatalogChange(snapshot, puts, users=(made,))


def change_user(snapshot: Snapshot, user: User) -> CatalogChange:
    """ALTER USER: store the user as it is now."""
    return CatalogChange(
        snapshot, ((codec.user_key(user.id), codec.encode_user(user)),), users=(user,)
    )


def delete_user(snapshot: Snapshot, user: User, *, now_us: int) -> CatalogChange:
    """DROP USER: mark it, it may no longer log in and can be restored."""
    change = change_user(snapshot, replace(user, deleted_at_us=now_us))
    noted = (erasing.dropped_key(user.id), codec.encode(user.id))
    return replace(change, puts=(*change.puts, noted))


def restore_user(snapshot: Snapshot, user: User) -> CatalogChange:
    """ALTER USER … RESTORE: it was never dropped."""
    change = change_user(snapshot, replace(user, deleted_at_us=None))
    return replace(change, puts=(*change.puts, (erasing.dropped_key(user.id), None)))


def same_named(get: Get, user: User) -> list[User]:
    """A user, and the dropped ones who had the name before, the newest first."""
    found = [user]
    while (data := get(erasing.former_key(found[-1].id))) is not None:
        record = get(codec.user_key(int(codec.decode(data))))
        if record is None:
            break  # That one is erased, and those before were dropped earlier.
        found.append(codec.decode_user(record))
    return found


def purge_user(snapshot: Snapshot, get: Get, user: User) -> CatalogChange:
    """DROP USER … PURGE: forget it, and have its rows erased (`jobs.erasing`)."""
    keys = [codec.user_key(user.id), codec.role_key(user.oid), erasing.former_key(user.id)]
    keys += (*role_settings.keys_of(user.id), default_privileges.acl_key(user.id))
    holder = get(codec.user_name_key(user.name))
    if holder is not None and codec.decode(holder) == user.id:
        keys.append(codec.user_name_key(user.name))
    gone = [(key, None) for key in (*keys, erasing.dropped_key(user.id))]
    begun = erasing.encode_erasing(erasing.Erasing(user.id, tuple(keys)))
    puts = (*gone, (erasing.erasing_key(user.id), begun))
    return CatalogChange(snapshot, puts, purged=(user,))


def user_puts(user: User) -> tuple[tuple[bytes, bytes | None], ...]:
    """What is stored of a new user."""
    return (
        (codec.user_key(user.id), codec.encode_user(user)),
        (codec.user_name_key(user.name), codec.encode(user.id)),
        (codec.role_key(user.oid), codec.encode(user.id)),
    )
