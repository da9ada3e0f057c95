"""Logs: structlog to standard error, one line an event.

Never SQL text, values or passwords. An exception's text may quote any of them, so of an exception only
its class and the lines of code it came through are written (`kalam_pg.failures.report`).
"""

import logging
import os
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Final

import structlog

from kalam_pg.failures import describe

LEVELS: Final = ("debug", "info", "warning", "error")


def configure(level: str) -> None:
    """Send every log from `level` on to standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _tell_exception,
            structlog.processors.LogfmtRenderer(
                key_order=("timestamp", "level", "event"), bool_as_flag=False
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=lambda *_: StandardError(),
        cache_logger_on_first_use=True,
    )


class StandardError:
    """Writes lines to standard error, if they can be written.

    It is often a file on the disk that has just become full, or a pipe whose reader has gone: a line
    less must cost nobody anything.
    """

    def msg(self, line: str) -> None:
        """Write a line, at once."""
        with suppress(OSError):
            os.write(2, line.encode(errors="backslashreplace") + b"\n")

    debug = info = warning = error = critical = exception = msg


def _tell_exception(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Also what a library logs with `exc_info` (an exception, or True for the one being handled)."""
    given = event.pop("exc_info", None)
    exc = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if exc is not None:
        event.update(describe(exc))
    return event
