"""What is wrong with a text that is not JSON, in PostgreSQL's words.

A second, slow reading of a text that a fast parser has refused (or that has escapes jsonb must decode).
Source: PostgreSQL's json_lex, its recursive descent and json_errdetail.
"""

import re

ZERO_ESCAPE = "\\u0000 cannot be converted to text."

_SPACES = " \t\n\r"
_WORD = re.compile(r"[A-Za-z0-9_\u0080-\U0010ffff]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
# As far as PostgreSQL reads a number before it finds that it is none.
_BAD_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)?(?:\.[0-9]*)?(?:[eE][+-]?[0-9]*)?")
_HEX = "0123456789abcdefABCDEF"


class _Found(Exception):  # noqa: N818  # carries the detail out of the recursion
    pass


def explain(text: str, *, decode: bool = False) -> str:
    """Return the DETAIL of PostgreSQL's error, "" if the text is JSON.

    decode: also refuse what jsonb refuses, escapes of zero bytes and lone surrogates.

    Raises:
        RecursionError: nested too deeply.
    """
    try:
        _Parser(text, decode).parse()
    except _Found as found:
        return str(found)
    return ""


class _Parser:
    def __init__(self, text: str, decode: bool) -> None:
        self.text = text
        self.decode = decode
        self.at = 0  # behind the token
        self.kind = ""  # "" at the end; else a bracket, comma or colon, or string, number, word
        self.token = ""

    def parse(self) -> None:
        self.advance()
        self.value()
        if self.kind:
            self.fail("Expected end of input")

    def fail(self, expected: str) -> None:
        if not self.kind:
            raise _Found("The input string ended unexpectedly.")
        raise _Found(f'{expected}, but found "{self.token}".')

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
        if at == len(text):
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
            raise _Found(f'Token "{self.text[at : trailing.end()]}" is invalid.')
        return good

    def word(self, at: int) -> int:
        match = _WORD.match(self.text, at)
        assert match is not None
        if match[0] in {"true", "false", "null"}:
            return match.end()
        raise _Found(f'Token "{match[0] or self.text[at]}" is invalid.')

    def string(self, start: int) -> int:
        """Return the end of the string that begins at `start`."""
        text = self.text
        at = start + 1
        high = False  # a high surrogate waits for its low one
        while True:
            if at == len(text):
                raise _Found(f'Token "{text[start:]}" is invalid.')
            char = text[at]
            if char == "\\" and text[at + 1 : at + 2] == "u":
                high = self.unicode_escape(start, at, high=high)
                at += 6
                continue
            if char < " ":
                raise _Found(f"Character with value 0x{ord(char):02x} must be escaped.")
            if char == "\\":
                at += 1
                if at == len(text):
                    raise _Found(f'Token "{text[start:]}" is invalid.')
                if text[at] not in '"\\/bfnrt':
                    raise _Found(f'Escape sequence "\\{text[at]}" is invalid.')
            if high:
                raise _Found("Unicode low surrogate must follow a high surrogate.")
            at += 1
            if char == '"':
                return at

    def unicode_escape(self, start: int, at: int, *, high: bool) -> bool:
        digits = self.text[at + 2 : at + 6]
        for digit in digits:
            if digit not in _HEX:
                raise _Found('"\\u" must be followed by four hexadecimal digits.')
        if len(digits) < 4:
            raise _Found(f'Token "{self.text[start:]}" is invalid.')
        if not self.decode:
            return False
        code = int(digits, 16)
        if 0xD800 <= code <= 0xDBFF:
            if high:
                raise _Found("Unicode high surrogate must not follow a high surrogate.")
            return True
        if (0xDC00 <= code <= 0xDFFF) != high:
            raise _Found("Unicode low surrogate must follow a high surrogate.")
        if code == 0:
            raise _Found(ZERO_ESCAPE)
        return False
