"""What the type modules share: fixed Arrow types and the errors that every input function raises."""

from collections.abc import Callable
from typing import NoReturn

import pyarrow as pa

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidBinaryRepresentationError,
    InvalidTextRepresentationError,
    NumericValueOutOfRangeError,
)
from catalog.types.table import TypeContext
from storage.layout import Value

SPACES = " \t\n\v\f\r"
"""What C's isspace() knows; PostgreSQL skips these around most values, and no other Unicode space."""


def fixed(arrow: pa.DataType) -> Callable[[int], pa.DataType]:
    """Return the `PgType.arrow` of a type whose Arrow type does not depend on its typmod."""
    return lambda _typmod: arrow


def bad_text(sql_name: str, text: str, detail: str = "") -> InvalidTextRepresentationError:
    """Return the 22P02 error that input functions raise."""
    message = f'invalid input syntax for type {sql_name}: "{text}"'
    return InvalidTextRepresentationError(message, detail=detail)


def out_of_range(sql_name: str, text: str) -> NumericValueOutOfRangeError:
    """Return the 22003 error of integer input."""
    return NumericValueOutOfRangeError(f'value "{text}" is out of range for type {sql_name}')


def bad_binary(message: str = "incorrect binary data format") -> InvalidBinaryRepresentationError:
    """Return the 22P03 error that receive functions raise."""
    return InvalidBinaryRepresentationError(message)


def no_input(name: str) -> Callable[[str, int, TypeContext], Value]:
    """Return an input function for a type that has no text of its own (pseudo-types)."""

    def refuse(_text: str, _typmod: int, _context: TypeContext) -> NoReturn:
        raise FeatureNotSupportedError(f"cannot accept a value of type {name}")

    return refuse


def no_receive(name: str) -> Callable[[bytes, int], Value]:
    """Return a receive function for a type that has no binary input."""

    def refuse(_data: bytes, _typmod: int) -> NoReturn:
        raise FeatureNotSupportedError(f"cannot accept a value of type {name}")

    return refuse
