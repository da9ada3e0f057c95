"""Intervals from text."""

from catalog.errors import InvalidDatetimeFormatError
from catalog.types.table import TypeContext


def read_interval(text: str, _context: TypeContext) -> tuple[int, int, int]:
    """Return (months, days, microseconds)."""
    raise InvalidDatetimeFormatError(f'invalid input syntax for type interval: "{text}"')
