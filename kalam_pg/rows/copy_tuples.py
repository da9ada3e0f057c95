"""The binary format that COPY FROM reads, cut into the fields of rows ("Binary Format" in COPY's page)."""

from collections.abc import Iterator
from struct import Struct
from typing import Final

from catalog.errors import BadCopyFileFormatError

Fields = list[bytes | None]

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
_HEADER_BYTES = len(_SIGNATURE) + 8
_HAS_OIDS = 1 << 16
_int16 = Struct("!h").unpack_from
_int32 = Struct("!i").unpack_from


class Tuples:
    """Cuts bytes that come in pieces into rows of fields; NULL is None.

    number: of the row that was given last, from 1; 0: the header has not been read. field: the one that is
    not whole, -1: none is known to be. over: the trailer was read.
    """

    __slots__ = ("_begun", "_needed", "_rest", "_width", "field", "number", "over")

    def __init__(self, width: int) -> None:
        """width: how many fields a row must have."""
        self.number = 0
        self.field = -1
        self.over = False
        self._width = width
        self._begun = False
        self._rest = bytearray()
        self._needed = 0

    def feed(self, data: bytes, *, final: bool = False) -> Iterator[Fields]:
        """The rows that are whole with these bytes; `final`: there are no more. Raises 22P04."""
        rest = self._rest
        rest += data
        if self.over:
            self._check_nothing()
            return
        if len(rest) < self._needed and not final:
            return
        at = 0
        if not self._begun:
            at = self._header(final=final)
            if not self._begun:
                return
        while (found := self._row(at)) is not None:
            fields, at = found
            if fields is None:
                self.over = True
                break
            yield fields
        del rest[:at]
        if self.over:
            self._check_nothing()
        if final and rest:
            self.number += 1
            raise BadCopyFileFormatError("unexpected EOF in COPY data")

    def _check_nothing(self) -> None:
        if self._rest:
            self.number += 1
            raise BadCopyFileFormatError("received copy data after EOF marker")

    def _header(self, *, final: bool) -> int:
        """Where the rows begin; 0 while the header is not whole."""
        rest = self._rest
        begun = _SIGNATURE if final else _SIGNATURE[: len(rest)]
        if rest[: len(_SIGNATURE)] != begun:
            raise BadCopyFileFormatError("COPY file signature not recognized")
        if len(rest) < _HEADER_BYTES:
            if final:
                missing = "flags" if len(rest) < _HEADER_BYTES - 4 else "length"
                raise BadCopyFileFormatError(f"invalid COPY file header (missing {missing})")
            return 0
        (flags,) = _int32(rest, len(_SIGNATURE))
        length: int = _int32(rest, len(_SIGNATURE) + 4)[0]
        if flags & _HAS_OIDS:
            raise BadCopyFileFormatError("invalid COPY file header (WITH OIDS)")
        if flags & 0xFFFF0000:
            raise BadCopyFileFormatError("unrecognized critical flags in COPY file header")
        if length < 0:
            raise BadCopyFileFormatError("invalid COPY file header (missing length)")
        if len(rest) < _HEADER_BYTES + length:
            if final:
                raise BadCopyFileFormatError("invalid COPY file header (wrong length)")
            self._needed = _HEADER_BYTES + length
            return 0
        self._begun = True
        return _HEADER_BYTES + length

    def _row(self, at: int) -> tuple[Fields | None, int] | None:
        """The row that begins there (None: the trailer) and where it ends; None while it is not whole."""
        rest = self._rest
        size, begin = len(rest), at
        self.field = -1
        if size < at + 2:
            self._needed = 2
            return None
        (count,) = _int16(rest, at)
        at += 2
        if count == -1:
            return None, at
        if count != self._width:
            self.number += 1
            raise BadCopyFileFormatError(f"row field count is {count}, expected {self._width}")
        fields: Fields = []
        for field in range(count):
            self.field = field
            if size < at + 4:
                self._needed = at + 4 - begin
                return None
            (length,) = _int32(rest, at)
            at += 4
            if length == -1:
                fields.append(None)
                continue
            if length < 0:
                self.number += 1
                raise BadCopyFileFormatError("invalid field size")
            if size < at + length:
                self._needed = at + length - begin
                return None
            fields.append(bytes(rest[at : at + length]))
            at += length
        self.number += 1
        self.field = -1
        return fields, at
