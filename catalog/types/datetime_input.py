"""Dates and times from text, every form that PostgreSQL reads."""

from catalog.errors import InvalidDatetimeFormatError
from catalog.types.table import TypeContext


def _bad(sql_name: str, text: str) -> InvalidDatetimeFormatError:
    return InvalidDatetimeFormatError(f'invalid input syntax for type {sql_name}: "{text}"')


def read_date(text: str, context: TypeContext) -> int:
    """Return a day number."""
    raise _bad("date", text)


def read_time(text: str, context: TypeContext) -> int:
    """Return microseconds since midnight."""
    raise _bad("time", text)


def read_timestamp(text: str, context: TypeContext, *, zoned: bool) -> int:
    """Return microseconds since 1970."""
    raise _bad("timestamp with time zone" if zoned else "timestamp", text)
