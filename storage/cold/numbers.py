"""Rows of numbers as they lie in files: little-endian, each of as many bytes as its code says (`array`)."""

import sys
from array import array


def to_bytes(numbers: "array[int]") -> bytes:
    """The bytes of a file."""
    return _turned(numbers).tobytes()


def of_bytes(code: str, data: bytes | memoryview) -> "array[int]":
    """The numbers in bytes of a file. Raises ValueError where these are no whole number of them."""
    found = array(code)
    found.frombytes(data)
    return _turned(found)


def _turned(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers
