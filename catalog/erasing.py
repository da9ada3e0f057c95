"""Users who are no more: what is noted of them until their rows are erased, and what keeps one from it.

S | "dropped" | id    DROP USER: the user's id; the user is kept for `KEPT_DAYS`, then goes as by PURGE
S | "former" | id     the dropped user who had the name of this one before: that one's id
S | "erasing" | id    the user is gone, and what there is of their rows goes: [id, keys]
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from catalog import codec
from catalog.dropped_names import described
from catalog.errors import DependentObjectsStillExistError
from catalog.functions import Function
from catalog.model import Namespace, NumberSequence, Table, User, UserType, View
from catalog.snapshot import Snapshot
from storage.keys import system_key

KEPT_DAYS = 30
"""For so long a dropped user can be restored."""

KEPT_US = KEPT_DAYS * 86_400_000_000

DROPPED, ERASING = system_key("dropped"), system_key("erasing")


class Erasing(NamedTuple):
    """A user whose rows are being erased. keys: where the user's own records lay."""

    user: int
    keys: tuple[bytes, ...]


def dropped_key(user_id: int) -> bytes:
    """Where is noted that a user was dropped."""
    return system_key("dropped", user_id)


def former_key(user_id: int) -> bytes:
    """Where is noted who had a user's name before."""
    return system_key("former", user_id)


def erasing_key(user_id: int) -> bytes:
    """Where is noted that a user's rows are being erased."""
    return system_key("erasing", user_id)


def encode_erasing(erasing: Erasing) -> bytes:
    """As it is stored."""
    return codec.encode([erasing.user, list(erasing.keys)])


def decode_erasing(data: bytes) -> Erasing:
    """The inverse of `encode_erasing`. Raises DataCorruptedError."""
    user, keys = codec.decode(data)
    return Erasing(user, tuple(keys))


def erased_by(puts: Iterable[tuple[bytes, bytes | None]]) -> frozenset[int]:
    """The ids of the users whose erasing begins with some puts."""
    begun = [value for key, value in puts if value is not None and key.startswith(ERASING)]
    return frozenset([decode_erasing(value).user for value in begun])


Owned = Namespace | Table | View | NumberSequence | UserType | Function


def owned(snapshot: Snapshot, user: User) -> list[Owned]:
    """What belongs to a user of what there is for others: not their rows."""
    sequences = [one for one in snapshot.sequences.values() if one.owned_by is None]
    kinds: tuple[Iterable[Owned], ...] = (
        snapshot.namespaces.values(),
        snapshot.tables.values(),
        snapshot.views.values(),
        sequences,
        snapshot.types.values(),
        snapshot.functions.values(),
    )
    return [one for kind in kinds for one in kind if one.owner == user.id]


def check_owns_nothing(snapshot: Snapshot, user: User, search_path: Sequence[str]) -> None:
    """Raise 2BP01 when there is something that belongs to a user."""
    theirs = owned(snapshot, user)
    if theirs:
        lines = [f"owner of {described(one, snapshot, search_path)}" for one in theirs]
        raise DependentObjectsStillExistError(
            f'role "{user.name}" cannot be dropped because some objects depend on it',
            detail="\n".join(lines),
            hint="ALTER ... OWNER TO gives them to somebody else.",
        )
