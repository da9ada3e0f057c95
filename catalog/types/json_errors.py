"""What is wrong with a text that is not JSON, in PostgreSQL's words.

A second, slow reading of a text that a fast parser has refused (or that has escapes jsonb must decode).
Source: PostgreSQL's json_lex, its recursive descent and json_errdetail.
"""

import re
from typing import NamedTuple

ZERO_ESCAPE = "\\u0000 cannot be converted to text."

_SPACES = " \t\n\r"
_WORD = re.compile(r"[A-Za-z0-9_\u0080-\U0010ffff]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
# As far as PostgreSQL reads a number before it finds that it is none.
_BAD_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)?(?:\.[0-9]*)?(?:[eE][+-]?[0-9]*)?")
_HEX = "0123456789abcdefABCDEF"


class Fault(NamedTuple):
    """An error's DETAIL and CONTEXT: the line, as far as it was read."""

    detail: str
    context: str


class _Found(Exception):  # noqa: N818  # carries the detail, and how far it had read, out of the recursion
    def __init__(self, detail: str, end: int) -> None:
        super().__init__(detail)
        self.end = end


def explain(text: str, *, decode: bool = False) -> Fault | None:
    """Return what PostgreSQL says is wrong, None if the text is JSON.

    decode: also refuse what jsonb refuses, escapes of zero bytes and lone surrogates.

    Raises:
        RecursionError: nested too deeply.
    """
    parser = _Parser(text, decode)
    try:
        parser.parse()
    except _Found as found:
        return Fault(str(found), _context(parser, found.end))
    return None


def _context(parser: "_Parser", end: int) -> str:
    """At most 50 bytes of the line, up to where it is wrong."""
    line = parser.text[parser.line_start : end].encode("utf-8", "surrogatepass")
    cut = max(0, len(line) - 49)
    while cut < len(line) and line[cut] & 0xC0 == 0x80:
        cut += 1
    if cut <= 3:
        cut = 0
    follows = not parser.ended and parser.text[end : end + 1] not in {"", "\n", "\r"}
    shown = line[cut:].decode("utf-8", "replace")
    start, rest = "..." if cut else "", "..." if follows else ""
    return f"JSON data, line {parser.line}: {start}{shown}{rest}"


class _Parser:
    def __init__(self, text: str, decode: bool) -> None:
        self.text = text
        self.decode = decode
        self.at = 0  # behind the token
        self.kind = ""  # "" at the end; else a bracket, comma or colon, or string, number, word
        self.token = ""
        self.ended = False
        self.line = 1
        self.line_start = 0

    def parse(self) -> None:
        self.advance()
        self.value()
        if self.kind:
            self.fail("Expected end of input")

    def fail(self, expected: str) -> None:
        if not self.kind:
            raise _Found("The input string ended unexpectedly.", self.at)
        raise _Found(f'{expected}, but found "{self.token}".', self.at)

    def value(self) -> None:
        if self.kind == "{":
            self.object()
        elif self.kind == "[":
            self.list()
        elif self.kind in {"string", "number", "word"}:
            self.advance()
        else:
            self.fail("Expected JSON value")

    def object(self) -> None:
        self.advance()
        if self.kind == "string":
            self.member()
            while self.kind == ",":
                self.advance()
                if self.kind != "string":
                    self.fail("Expected string")
                self.member()
        elif self.kind != "}":
            self.fail('Expected string or "}"')
        if self.kind != "}":
            self.fail('Expected "," or "}"')
        self.advance()

    def member(self) -> None:
        self.advance()
        if self.kind != ":":
            self.fail('Expected ":"')
        self.advance()
        self.value()

    def list(self) -> None:
        self.advance()
        if self.kind != "]":
            self.value()
            while self.kind == ",":
                self.advance()
                self.value()
        if self.kind != "]":
            self.fail('Expected "," or "]"')
        self.advance()

    # ----------------------------------------------------------------------------------- tokens

    def advance(self) -> None:
        text, at = self.text, self.at
        while at < len(text) and text[at] in _SPACES:
            at += 1
            if text[at - 1] == "\n":
                self.line += 1
                self.line_start = at
        if at == len(text):
            self.ended = True
            self.kind, self.token, self.at = "", "", at
            return
        first = text[at]
        if first in "{}[],:":
            self.kind = first
            end = at + 1
        elif first == '"':
            self.kind = "string"
            end = self.string(at)
        elif first == "-" or "0" <= first <= "9":
            self.kind = "number"
            end = self.number(at)
        else:
            self.kind = "word"
            end = self.word(at)
        self.token, self.at = text[at:end], end

    def number(self, at: int) -> int:
        match = _NUMBER.match(self.text, at)
        good = match.end() if match else at
        read = _BAD_NUMBER.match(self.text, at)
        assert read is not None  # it may be empty
        trailing = _WORD.match(self.text, max(read.end(), good))
        assert trailing is not None
        if match is None or trailing.end() > good:
            end = trailing.end()
            raise _Found(f'Token "{self.text[at:end]}" is invalid.', end)
        return good

    def word(self, at: int) -> int:
        match = _WORD.match(self.text, at)
        assert match is not None
        if match[0] in {"true", "false", "null"}:
            return match.end()
        word = match[0] or self.text[at]
        raise _Found(f'Token "{word}" is invalid.', at + len(word))

    def string(self, start: int) -> int:
        """Return the end of the string that begins at `start`."""
        text = self.text
        at = start + 1
        high = False  # a high surrogate waits for its low one
        while True:
            if at == len(text):
                raise _Found(f'Token "{text[start:]}" is invalid.', at)
            char = text[at]
            if char == "\\" and text[at + 1 : at + 2] == "u":
                high = self.unicode_escape(start, at, high=high)
                at += 6
                continue
            if char < " ":
                raise _Found(f"Character with value 0x{ord(char):02x} must be escaped.", at)
            if char == "\\":
                at += 1
                if at == len(text):
                    raise _Found(f'Token "{text[start:]}" is invalid.', at)
                if text[at] not in '"\\/bfnrt':
                    raise _Found(f'Escape sequence "\\{text[at]}" is invalid.', at + 1)
            if high:
                raise _Found("Unicode low surrogate must follow a high surrogate.", at + 1)
            at += 1
            if char == '"':
                return at

    def unicode_escape(self, start: int, at: int, *, high: bool) -> bool:
        digits = self.text[at + 2 : at + 6]
        for place, digit in enumerate(digits):
            if digit not in _HEX:
                raise _Found('"\\u" must be followed by four hexadecimal digits.', at + place + 3)
        if len(digits) < 4:
            raise _Found(f'Token "{self.text[start:]}" is invalid.', len(self.text))
        if not self.decode:
            return False
        code = int(digits, 16)
        if 0xD800 <= code <= 0xDBFF:
            if high:
                raise _Found("Unicode high surrogate must not follow a high surrogate.", at + 6)
            return True
        if (0xDC00 <= code <= 0xDFFF) != high:
            raise _Found("Unicode low surrogate must follow a high surrogate.", at + 6)
        if code == 0:
            raise _Found(ZERO_ESCAPE, at + 6)
        return False
