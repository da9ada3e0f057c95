"""Bytes of one width for every row, made of constants and columns, as 64-bit words in Arrow.

Copying a column into rows byte by byte costs Python 4 ns a byte. A word of eight is made by shifts
and ORs over whole columns instead, and one `take` lays the words of each row side by side: together
about 0.3 ns a byte.
"""

import sys
from array import array as numbers
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

assert sys.byteorder == "little", "a word's lowest byte is taken for its first"

_U64 = pa.uint64()
_WORD = 8
_OFFSETS_MAX = 1 << 24
"""Bytes of blocks whose offsets are remembered, by width: many more than a slice has."""
_UNSIGNED = {1: pa.uint8(), 2: pa.uint16(), 4: pa.uint32(), 8: _U64}


class Block:
    """The bytes that stand between two varying cells, in every row alike in number."""

    __slots__ = ("_columns", "_constant", "_only", "width")

    def __init__(self) -> None:
        self.width = 0
        self._constant = bytearray()
        # (word, what of it, as an array of uint64), any number for a word.
        self._columns: list[tuple[int, pa.Array]] = []
        # The buffer of the one column that the block is, if it is that.
        self._only: pa.Buffer | None = None

    def constant(self, data: bytes) -> None:
        """Append the same bytes to every row."""
        if not data:
            return
        self._only = None
        self._constant += data
        self.width += len(data)

    def column(self, data: bytes | memoryview, width: int) -> None:
        """Append a cell of `width` bytes (1, 2, 4, 8 or 16) to each row; `data` has all of them."""
        buffer = pa.py_buffer(data)
        self._only = buffer if self.width == 0 else None
        if width == 2 * _WORD:
            rows = len(data) // width
            wide = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), rows, [None, buffer])
            for start in (0, _WORD):
                half = pc.binary_slice(wide, start, start + _WORD)
                self._append(pa.Array.from_buffers(_U64, rows, [None, half.buffers()[1]]), _WORD)
            return
        cells = pa.Array.from_buffers(_UNSIGNED[width], len(data) // width, [None, buffer])
        self._append(cells if width == _WORD else cells.cast(_U64), width)

    def length_words(self, sizes: pa.Array) -> None:
        """Append a column of int32 without nulls, big-endian."""
        words = numbers("i")
        buffer = sizes.buffers()[1]
        words.frombytes(memoryview(buffer)[4 * sizes.offset : 4 * (sizes.offset + len(sizes))])
        words.byteswap()
        self.column(memoryview(words).cast("B"), 4)

    def data(self, rows: int) -> memoryview:
        """The block of every row, one after the other."""
        return memoryview(self._fixed(rows).buffers()[1]).cast("B")[: rows * self.width]

    def array(self, rows: int) -> pa.Array:
        """The block of every row as Arrow binary."""
        fixed = self._fixed(rows)
        if rows * self.width > _OFFSETS_MAX:
            return fixed.cast(pa.binary())
        # Made without a cast, which would cost more than all else here when rows are few.
        offsets = _offsets(self.width, 1 << rows.bit_length())
        return pa.Array.from_buffers(pa.binary(), rows, [None, offsets, fixed.buffers()[1]])

    def _append(self, cells: pa.Array, width: int) -> None:
        word, at = divmod(self.width, _WORD)
        self._constant += bytes(width)
        self.width += width
        if at == 0:
            self._columns.append((word, cells))
            return
        self._columns.append((word, pc.shift_left(cells, pa.scalar(8 * at, _U64))))
        if at + width > _WORD:
            rest = pc.shift_right(cells, pa.scalar(8 * (_WORD - at), _U64))
            self._columns.append((word + 1, rest))

    def _fixed(self, rows: int) -> pa.Array:
        """As fixed-size binary of exactly `width` bytes, with an offset of 0."""
        if self._only is not None:
            kind = pa.binary(self.width)
            return pa.FixedSizeBinaryArray.from_buffers(kind, rows, [None, self._only])
        count = -(-self.width // _WORD)
        words = [self._word(number, rows) for number in range(count)]
        laid = words[0] if count == 1 else _interleave(words, rows)
        kind = pa.binary(count * _WORD)
        fixed = pa.FixedSizeBinaryArray.from_buffers(kind, rows, [None, laid.buffers()[1]])
        return fixed if self.width == count * _WORD else pc.binary_slice(fixed, 0, self.width)

    def _word(self, number: int, rows: int) -> pa.Array:
        constant = self._constant[number * _WORD : (number + 1) * _WORD]
        value = pa.scalar(int.from_bytes(constant, "little"), _U64)
        found: pa.Array | None = None
        for word, cells in self._columns:
            if word == number:
                found = cells if found is None else pc.bit_wise_or(found, cells)
        if found is None:
            return pa.repeat(value, rows)
        return pc.bit_wise_or(found, value) if any(constant) else found


def _interleave(words: list[pa.Array], rows: int) -> pa.Array:
    """The first word of each column, then the second of each, and so on."""
    count = len(words)
    # Rounded up, so that batches of many sizes share what is remembered.
    columns, numbered = _positions(count, 1 << (rows - 1).bit_length())
    size = rows * count
    at = pc.add(
        pc.multiply(columns.slice(0, size), pa.scalar(rows, pa.int32())), numbered.slice(0, size)
    )
    return pc.take(pa.concat_arrays(words), at, boundscheck=False)


@lru_cache(maxsize=32)
def _offsets(width: int, rows: int) -> pa.Buffer:
    """Where each of `rows` cells of one width begins, as Arrow binary has it."""
    each = pa.scalar(width, pa.int32())
    return pc.subtract(pc.cumulative_sum(pa.repeat(each, rows + 1)), each).buffers()[1]


@lru_cache(maxsize=16)
def _positions(count: int, rows: int) -> tuple[pa.Array, pa.Array]:
    """For `rows` rows of `count` words: the column and the row of each word, row by row."""
    one, each = pa.scalar(1, pa.int32()), pa.scalar(count, pa.int32())
    all_of = pc.subtract(pc.cumulative_sum(pa.repeat(one, rows * count)), one)
    numbered = pc.divide(all_of, each)
    columns = pc.subtract(all_of, pc.multiply(numbered, each))
    return columns, numbered
