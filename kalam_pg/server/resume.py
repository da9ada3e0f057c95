"""What Work is given to say that it has ended."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalam_pg.server.connection import Connection


class Resume:
    """What one start of Work was given; only the first call counts, and only while it is due."""

    __slots__ = ("connection",)

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection

    def __call__(self) -> None:
        connection = self.connection
        if connection.waiting_for is self:
            connection.waiting_for = None
            connection.work = None
            if not connection.in_turn:
                connection.want_turn()
