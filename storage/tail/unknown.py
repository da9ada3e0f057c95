"""What a tail says of a key of which it cannot tell the row."""

from enum import Enum

from storage.log.view import Version


class Unknown(Enum):
    """Why a tail has no answer: others may have versions of the key, or others alone."""

    UNKNOWN = 1
    ABSENT = 2


UNKNOWN, ABSENT = Unknown.UNKNOWN, Unknown.ABSENT

Known = Version | Unknown | None
"""What a tail says of a key; see `Tail.get`."""
