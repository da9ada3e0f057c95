"""Identifiers: fixed-width integers, so that keys sort and never need escaping."""

from typing import NamedTuple

NO_USER = 0
"""Owner of a SHARED table's one tablet. User ids begin at 1."""

NO_TABLE = 0
"""What stands for a table where there is none: sequences on their own count there."""


class TabletId(NamedTuple):
    """One user's slice of one table: the unit of isolation, flush, erasure and subscription.

    user: id of the owning user (unsigned, 64 bits), `NO_USER` for a SHARED table.
    table: id of the table (unsigned, 32 bits), never reused.
    """

    user: int
    table: int
