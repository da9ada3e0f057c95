"""The one error that the protocol itself raises."""

from storage.errors import KalamError


class ProtocolViolationError(KalamError):
    """protocol_violation: the peer sent bytes that are not a legal message, or not here.

    `fatal` says whether the place in the byte stream is lost (a bad length, an unknown type): then
    nothing more can be read and the connection ends. Otherwise one well framed message was bad
    inside, and the session may go on after it as after any error: `message_type` is that message's
    type byte, which says whether Sync is to be waited for ("" when there is none). `sqlstate`: where
    PostgreSQL has a better one for what is wrong inside.
    """

    sqlstate = "08P01"

    def __init__(
        self, message: str, *, detail: str = "", fatal: bool = True, sqlstate: str = ""
    ) -> None:
        super().__init__(message, detail=detail)
        if sqlstate:
            self.sqlstate = sqlstate  # type: ignore[misc]  # Of this one error.
        self.fatal = fatal
        self.message_type = ""
