"""The one root of errors, and the errors that storage itself raises.

Every error that a client may see is a `KalamError`: it carries PostgreSQL's SQLSTATE on its class and
goes to the client as it is. Anything else that reaches a session is a bug (`XX000`).
"""

from typing import ClassVar


class KalamError(Exception):
    """An error for the client: its text, and where PostgreSQL has them, detail, hint and names.

    `position` is the 1-based character of the statement at fault, 0 when there is none. The names
    (`schema` … `constraint`) are ErrorResponse's fields of the same name, "" when they do not apply.
    `context`: where in what was read it happened (a line of COPY's). `source`: file, line and routine of
    PostgreSQL's that raise it, where clients decide by them.
    """

    sqlstate: ClassVar[str] = "XX000"
    severity: ClassVar[str] = "ERROR"

    def __init__(
        self,
        message: str,
        *,
        detail: str = "",
        hint: str = "",
        position: int = 0,
        schema: str = "",
        table: str = "",
        column: str = "",
        datatype: str = "",
        constraint: str = "",
        context: str = "",
        source: tuple[str, str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        self.position = position
        self.schema = schema
        self.table = table
        self.column = column
        self.datatype = datatype
        self.constraint = constraint
        self.context = context
        self.source = source


class InternalError(KalamError):
    """internal_error: a bug; the message has a reference, and the log under it what happened."""

    sqlstate = "XX000"

    def __init__(self, reference: str) -> None:
        super().__init__(f"internal error (reference {reference})")
        self.reference = reference


class IoError(KalamError):
    """io_error: the disk or the operating system refused a read or a write."""

    sqlstate = "58030"


class DiskFullError(KalamError):
    """disk_full: there is no room; writes fail, reads go on."""

    sqlstate = "53100"


class DataCorruptedError(KalamError):
    """data_corrupted: bytes on disk are not what was written."""

    sqlstate = "XX001"


class SnapshotTooOldError(KalamError):
    """snapshot_too_old: the view, cursor or resume token is older than what is kept."""

    sqlstate = "72000"

    retained_from = 0
    """The first commit from which on everything is there, 0 where that is not known."""

    @classmethod
    def behind(cls, seq: int, retained_from: int) -> "SnapshotTooOldError":
        """For what should go on behind commit `seq`, when the changes are kept from a later one on."""
        made = cls(
            "snapshot too old",
            detail=f"The changes after {seq} are not kept any more, only those from {retained_from} on.",
            hint="Subscribe anew, with a snapshot.",
        )
        made.retained_from = retained_from
        return made


class OutcomeUnknownError(KalamError):
    """transaction_resolution_unknown: the write may or may not have happened."""

    sqlstate = "08007"


class SerializationError(KalamError):
    """serialization_failure: another transaction changed what this one relied on; retry it."""

    sqlstate = "40001"


class KeyTooLongError(KalamError):
    """program_limit_exceeded: a key or value is larger than the store takes."""

    sqlstate = "54000"


class FeatureNotSupportedError(KalamError):
    """feature_not_supported: PostgreSQL or KalamDB has it, this server does not yet."""

    sqlstate = "0A000"


class CharacterNotInRepertoireError(KalamError):
    """character_not_in_repertoire: a character that UTF-8 does not have, or a zero byte."""

    sqlstate = "22021"


class DirectoryInUseError(KalamError):
    """lock_file_exists: another server holds the data directory."""

    sqlstate = "F0001"
