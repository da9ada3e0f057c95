"""The text that COPY FROM reads, cut into lines and fields as PostgreSQL's CopyReadLine cuts it."""

import re
from collections.abc import Callable, Generator, Iterator
from typing import Final

from catalog.errors import (
    BadCopyFileFormatError,
)
from kalam_pg.functions.encodings import UTF8
from kalam_pg.sql.copy_options import CopyFormat
from storage.errors import CharacterNotInRepertoireError, KalamError, KeyTooLongError

LINE_CHARACTERS_MAX: Final = 128 << 20
"""Of one line: a row that could be stored is shorter."""

_SMALL = 64 << 10
"""A line that is longer than this and not whole is looked at again only when it has doubled, and then only
where what has come may end it."""

_STRETCH = 256 << 10
"""So much is searched for the end of a line at a time: nobody else gets the interpreter meanwhile."""

LARGE: Final = 1 << 20
"""The rest of a longer line is for a thread."""

_LINE_END = re.compile(r"\r\n|\n|\r")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|([\s\S]?))")

Fields = list[str | None]


class Lines:
    """Cuts bytes that come in pieces into lines without their ends.

    number: of the line that was given last, from 1; a line of csv may be several. over: the mark of
    the end was read, and nothing behind it counts.
    """

    __slots__ = (
        "_csv", "_decode", "_due", "_encoding", "_end", "_form", "_pieces", "_record", "_scanned", "_size",
        "_special", "_whole", "number", "over",
    )  # fmt: skip

    def __init__(self, form: CopyFormat) -> None:
        self.number = 0
        self.over = False
        self._form = form
        self._csv = form.format == "csv"
        self._special = form.quote if self._csv else "\\"
        self._record = re.compile(
            rf"(?:[^{re.escape(form.quote)}\r\n]+|{_quoted(form)})*"
            if self._csv
            else r"(?:[^\\\r\n]+|\\[\s\S])*"
        ).match
        self._encoding = form.encoding or UTF8
        self._decode = self._encoding.reader()
        self._end = ""
        """How the first line ended; all others must end so."""
        self._pieces: list[str] = []
        self._size = self._due = 0
        self._scanned = 0
        """So much of the rest belongs to one line."""
        self._whole = False
        """Whether there is something in the rest that may end a line."""

    @property
    def waiting(self) -> int:
        """Characters that are in no line yet."""
        return self._size

    @property
    def is_between(self) -> bool:
        """Whether what was fed ends with a line that ends with a newline, as the next one is to."""
        return not self.over and not self._size and self._end == "\n"

    def expect_newlines(self) -> None:
        """Lines before these, which others have read, ended with a newline."""
        self._end = "\n"

    def feed(self, data: bytes, *, final: bool = False) -> Iterator[str]:
        """The lines that are whole with these bytes; with the `final` ones, all that are left.

        Raises 22021, 22P05, 22P04 and 54000, each after the lines before it were given.
        """
        if self.over:
            return
        text, error = self._decoded(data, final=final)
        self._pieces.append(text)
        self._size += len(text)
        if final or error is not None or self._is_due(text):
            yield from self._cut("".join(self._pieces), final=final and error is None)
        if error is not None and not self.over:
            self.number += 1
            raise error

    def _is_due(self, text: str) -> bool:
        """Whether a line may be whole with this text. Raises 54000: it is too long."""
        self._whole = self._whole or "\n" in text or "\r" in text
        if self._size > LINE_CHARACTERS_MAX and not self._whole:
            raise self._too_long()  # Nobody puts together what is refused.
        return self._size >= self._due and (self._whole or self._size <= _SMALL)

    def _decoded(self, data: bytes, *, final: bool) -> tuple[str, KalamError | None]:
        """The text of some bytes, as far as they are one, and what is wrong behind it."""
        try:
            text = self._decode(data, final)
        except UnicodeDecodeError as exc:
            before = exc.object[: exc.start].decode(self._encoding.codec)
            return before, self._encoding.undecodable(exc.object, exc.start)
        if "\0" in text:
            message = 'invalid byte sequence for encoding "UTF8": 0x00'
            return text[: text.index("\0")], CharacterNotInRepertoireError(message)
        return text, None

    def _cut(self, text: str, *, final: bool) -> Iterator[str]:
        at = 0
        if self._end in {"", "\n"} and self._special not in text and "\r" not in text:
            at, self._scanned = text.rfind("\n") + 1, 0
            self._end = "\n" if at else self._end
            for line in text[: at - 1].split("\n") if at else ():
                self.number += 1
                if self._csv and line == "\\.":
                    self.over = True
                    return
                yield line
        else:
            at = yield from self._cut_slowly(text, final=final)
            if self.over:
                return
        rest = text[at:]
        self._whole = rest.endswith("\r")
        if final:
            if rest:
                yield from self._line(rest, self._end)
            return
        self._pieces, self._size = [rest], len(rest)
        self._due = 2 * len(rest) if len(rest) > _SMALL else 0
        if self._size > LINE_CHARACTERS_MAX:
            raise self._too_long()

    def _too_long(self) -> KalamError:
        self.number += 1
        return KeyTooLongError(f"a line of COPY may have at most {LINE_CHARACTERS_MAX} characters")

    def _cut_slowly(self, text: str, *, final: bool) -> Generator[str, None, int]:
        """The whole lines; returns where the rest begins."""
        at = 0
        while True:
            stop = self._record_end(text, at + self._scanned)
            end = _LINE_END.match(text, stop)
            if end is None or (end[0] == "\r" and end.end() == len(text) and not final):
                self._scanned = 0 if self._csv else stop - at
                return at
            self._scanned = 0
            ended = end[0]
            if self._end == "\r" and ended == "\r\n":
                ended = "\r"  # What follows it is the beginning of another line.
            before = self._end
            self._check_end(ended)
            yield from self._line(text[at:stop], before)
            if self.over:
                return at
            at = end.start() + len(ended)

    def _record_end(self, text: str, at: int) -> int:
        """Where what belongs to one line ends, which begins there or before."""
        while True:
            stop = len(text) if self._csv else min(at + _STRETCH, len(text))
            record = self._record(text, at, stop)
            assert record is not None
            at = record.end()
            # A backslash at the end of a stretch belongs to what is behind it.
            if at < stop - 1 or stop == len(text):
                return at

    def _line(self, line: str, end: str) -> Iterator[str]:
        """One line, up to the mark of the end if that is in it. end: of those before it, "" of none."""
        self.number += 1
        if self._csv:
            self.over = line == "\\."
            # As PostgreSQL counts, who does not know before the first end what one looks like.
            self.number += line.count("\n" if end == "\n" else "\r")
        elif "\\." in line:
            line = self._up_to_mark(line)
            if self.over and not line:
                return
        if not (self._csv and self.over):
            yield line

    def _up_to_mark(self, line: str) -> str:
        for escape in re.finditer(r"\\[\s\S]", line):
            if escape[0] == "\\.":
                if escape.end() < len(line):
                    raise BadCopyFileFormatError("end-of-copy marker corrupt")
                self.over = True
                return line[: escape.start()]
        return line

    def _check_end(self, end: str) -> None:
        """Raise 22P04 unless a line ends as the first one did."""
        if not self._end:
            self._end = end
        if end == self._end:
            return
        self.number += 1
        newline = self._end == "\r" or end == "\n"
        what, letter = ("newline", "n") if newline else ("carriage return", "r")
        if self._csv:
            hint = f"Use quoted CSV field to represent {what}."
            raise BadCopyFileFormatError(f"unquoted {what} found in data", hint=hint)
        raise BadCopyFileFormatError(
            f"literal {what} found in data", hint=f'Use "\\{letter}" to represent {what}.'
        )


def field_splitter(form: CopyFormat) -> Callable[[str], Fields]:
    """From a line to its fields; NULL is None."""
    return _csv_splitter(form) if form.format == "csv" else _text_splitter(form)


def _text_splitter(form: CopyFormat) -> Callable[[str], Fields]:
    delimiter, null = form.delimiter, form.null
    escaped = "\\" + delimiter
    fields = re.compile(
        rf"((?:[^\\{re.escape(delimiter)}]+|\\[\s\S]|\\\Z)*)(?:{re.escape(delimiter)}|\Z)"
    )
    plain_null = "\\" not in null

    def split(line: str) -> Fields:
        if "\\" not in line:
            cells = line.split(delimiter)
            return [None if cell == null else cell for cell in cells] if plain_null else list(cells)
        # `\` before a delimiter, or a backslash of its own before it, is for the slow way to tell.
        raw = line.split(delimiter) if escaped not in line else _pieces(fields, line)
        return [
            None if cell == null else (unescaped(cell) if "\\" in cell else cell) for cell in raw
        ]

    return split


def _pieces(fields: re.Pattern[str], line: str) -> list[str]:
    """The fields of a line as they are written; `fields` matches one and what ends it. Raises 22P04."""
    found, at = [], 0
    while True:
        field = fields.match(line, at)
        if field is None:
            raise BadCopyFileFormatError("unterminated CSV quoted field")
        found.append(field[1])
        if field.end() == field.end(1):
            return found
        at = field.end()


def unescaped(cell: str) -> str:
    """What backslashes in it mean. Raises 22021 when bytes that it names are no UTF-8."""
    text = _ESCAPE.sub(_meant, cell)
    if text.isascii() and "\0" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    try:
        text = raw.decode()
    except UnicodeDecodeError as exc:
        bad = " ".join(f"0x{byte:02x}" for byte in exc.object[exc.start : exc.end])
        raise CharacterNotInRepertoireError(
            f'invalid byte sequence for encoding "UTF8": {bad}'
        ) from None
    if "\0" in text:
        raise CharacterNotInRepertoireError('invalid byte sequence for encoding "UTF8": 0x00')
    return text


def _meant(escape: re.Match[str]) -> str:
    octal, hexadecimal, other = escape.groups()
    if other is not None:
        return _LETTERS.get(other, other)
    byte = int(octal, 8) & 0xFF if octal else int(hexadecimal, 16)
    # Bytes of a longer character are put together when all of them are there.
    return chr(byte) if byte < 0x80 else chr(0xDC00 + byte)


def _quoted(form: CopyFormat) -> str:
    """A pattern of what stands in quotes, and these."""
    quote, escape = re.escape(form.quote), re.escape(form.escape)
    if quote == escape:
        return rf"{quote}[^{quote}]*{quote}"
    return rf"{quote}(?:[^{quote}{escape}]+|{escape}[\s\S])*{quote}"


def _csv_splitter(form: CopyFormat) -> Callable[[str], Fields]:
    delimiter, null, quote = form.delimiter, form.null, form.quote
    d, q, e = re.escape(delimiter), re.escape(quote), re.escape(form.escape)
    inside = rf"(?:[^{q}]+|{q}{q})*" if q == e else rf"(?:[^{q}{e}]+|{e}[\s\S])*"
    fields = re.compile(rf"((?:[^{q}{d}]+|{q}{inside}{q})*)(?:{d}|\Z)")
    quoted = re.compile(rf"{q}({inside}){q}")
    escapes = re.compile(rf"{e}([{q}{e}])")

    def unquoted(cell: str) -> str:
        return quoted.sub(lambda found: escapes.sub(r"\1", found[1]), cell)

    def split(line: str) -> Fields:
        if quote not in line:
            return [None if cell == null else cell for cell in line.split(delimiter)]
        return [
            unquoted(cell) if quote in cell else (None if cell == null else cell)
            for cell in _pieces(fields, line)
        ]

    return split
