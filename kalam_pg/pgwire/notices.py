"""Errors and notices as the fields a client reads ("Error and Notice Message Fields")."""

from dataclasses import dataclass

from kalam_pg.pgwire import encode
from storage.errors import KalamError


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a client should know although nothing failed. severity: PostgreSQL's; context, source: see
    `KalamError`.
    """

    message: str
    severity: str = "NOTICE"
    sqlstate: str = "00000"
    detail: str = ""
    hint: str = ""
    context: str = ""
    source: tuple[str, str, str] | None = None


_LEVELS = ("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error")


def is_told(severity: str, least: str) -> bool:
    """Whether a client whose client_min_messages is `least` is told of such: of INFO always."""
    level = severity.lower()
    if level == "info":
        return True
    return _LEVELS.index("debug1" if level == "debug" else level) >= _LEVELS.index(least)


def error_fields(error: KalamError, severity: str = "") -> list[tuple[str, str]]:
    """S V C M always, then D H P W s t c d n F L R where the error has them.

    severity: "FATAL" when the connection ends with it; "" takes the error's own.
    """
    level = severity or ("FATAL" if getattr(error, "fatal", False) else error.severity)
    fields = [("S", level), ("V", level), ("C", error.sqlstate), ("M", error.message)]
    optional = (
        ("D", error.detail),
        ("H", error.hint),
        ("P", str(error.position) if error.position else ""),
        ("W", error.context),
        ("s", error.schema),
        ("t", error.table),
        ("c", error.column),
        ("d", error.datatype),
        ("n", error.constraint),
    )
    fields.extend(pair for pair in optional if pair[1])
    if error.source is not None:
        fields.extend(zip("FLR", error.source, strict=True))
    return fields


def error_bytes(error: KalamError, severity: str = "") -> bytes:
    """The ErrorResponse of an error; `severity` as for `error_fields`."""
    return encode.error_response(error_fields(error, severity))


def notice_bytes(notice: Notice) -> bytes:
    """The NoticeResponse of a notice."""
    fields = [
        ("S", notice.severity),
        ("V", notice.severity),
        ("C", notice.sqlstate),
        ("M", notice.message),
    ]
    optional = (("D", notice.detail), ("H", notice.hint), ("W", notice.context))
    fields.extend(pair for pair in optional if pair[1])
    if notice.source is not None:
        fields.extend(zip("FLR", notice.source, strict=True))
    return encode.notice_response(fields)
