"""Logs: structlog to standard error, one line an event.

Never SQL text, values or passwords. An exception's text may quote any of them, so of an unexpected
one only its class and the lines of code it came through are written.
"""

import logging
import secrets
import sys
import traceback
from typing import Any, Final

import structlog

LEVELS: Final = ("debug", "info", "warning", "error")


def configure(level: str) -> None:
    """Send every log from `level` on to standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(
                key_order=("timestamp", "level", "event"), bool_as_flag=False
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def failure(exc: BaseException) -> dict[str, Any]:
    """What to log of an exception that is a bug: a reference for the client, class and place."""
    frames = traceback.extract_tb(exc.__traceback__)
    return {
        "reference": secrets.token_hex(4),
        "error": _class_names(exc),
        "at": " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames)),
    }


def _class_names(exc: BaseException) -> str:
    names = [type(exc).__qualname__]
    while (cause := exc.__cause__ or exc.__context__) is not None and len(names) < 5:
        exc = cause
        names.append(type(exc).__qualname__)
    return " from ".join(names)
