"""What constraints ask for at the end of a transaction."""

from typing import TYPE_CHECKING, NamedTuple

from catalog.model import ForeignKey, Index

if TYPE_CHECKING:
    from kalam_pg.query.execution import Event


class Deferred(NamedTuple):
    """A question, and by which constraint, or unique index, it is asked, and what that is."""

    event: "Event"
    constraint: int
    rule: ForeignKey | Index
