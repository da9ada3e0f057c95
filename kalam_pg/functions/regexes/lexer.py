r"""A pattern's tokens: in advanced, extended and basic syntax, or as plain characters.

Which token a character is depends on where it stands (in brackets, in a bound), on the options, and for \12
on how many groups have been opened; so tokens are made one at a time, as the parser asks for them.

Source: PostgreSQL's manual, 9.7.3, and what PostgreSQL 15 was seen to do.
"""

import sys
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from kalam_pg.functions.regexes.faults import Fault, invalid


class Syntax(Enum):
    """Of what kind a pattern is."""

    ADVANCED = auto()
    EXTENDED = auto()
    BASIC = auto()
    PLAIN = auto()


@dataclass(frozen=True, slots=True)
class Options:
    """How a pattern is read. stops: a newline is not taken by . and [^…]; anchors: ^ and $ know lines."""

    syntax: Syntax = Syntax.ADVANCED
    any_case: bool = False
    expanded: bool = False
    stops: bool = False
    anchors: bool = False

    def given(self, letter: str) -> "Options":
        """With one more option. Raises KeyError: there is none of that letter."""
        return replace(self, **_LETTERS[letter])


_LETTERS: dict[str, dict[str, Any]] = {
    "b": {"syntax": Syntax.BASIC},
    "c": {"any_case": False},
    "e": {"syntax": Syntax.EXTENDED},
    "i": {"any_case": True},
    "m": {"stops": True, "anchors": True},
    "n": {"stops": True, "anchors": True},
    "p": {"stops": True, "anchors": False},
    "q": {"syntax": Syntax.PLAIN},
    "s": {"stops": False, "anchors": False},
    "t": {"expanded": False},
    "w": {"stops": False, "anchors": True},
    "x": {"expanded": True},
}


class Kind(Enum):
    """What a token is; `value` of a Token is in brackets."""

    START = auto()  # before the first
    END = auto()
    CHARACTER = auto()  # (it)
    ANY = auto()
    CLASS = auto()  # \w [:alpha:] (its name)
    NO_CLASS = auto()  # \W (the class's name)
    PLACE = auto()  # a constraint (its letter)
    LINE_START = auto()
    LINE_END = auto()
    OPEN = auto()  # ("(" captures, "(?:" does not)
    LOOK = auto()  # ("=", "!", "<=" or "<!")
    CLOSE = auto()
    OR = auto()
    TIMES = auto()  # * + ? (it, with a ? where it is not greedy)
    BOUND = auto()  # {
    DIGIT = auto()  # in a bound (it)
    COMMA = auto()
    BOUND_END = auto()  # ("?" where it is not greedy)
    REFERENCE = auto()  # (the group's number as text)
    BRACKET = auto()  # ("^" where it is negated)
    RANGE = auto()  # - in brackets
    NAMED = auto()  # [.x.] in brackets (the name)
    EQUIVALENT = auto()  # [=x=] in brackets (the name)
    BRACKET_END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    value: str = ""


class _In(Enum):
    """Where the next token stands."""

    PATTERN = auto()
    BOUND = auto()
    BRACKETS = auto()


_SPACE = " \t\n\r\v\f"
_DIGITS = "0123456789"
_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_HEXADECIMAL = "0123456789abcdefABCDEF"
_CODE_MAX = 0x7FFFFFFE
_NONE = "\udfff"
"""Stands for a code that is no character's: no text has it."""

_ESCAPES = {
    "a": "\a", "b": "\b", "B": "\\", "e": "\033", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_CLASSES = {"d": "digit", "s": "space", "w": "word"}


class Lexer:
    """Gives one token after the other. groups: how many have been opened, as the parser tells it."""

    def __init__(self, pattern: str, options: Options) -> None:
        """Raises 2201B: the options at its start are none."""
        self.options = options
        self.groups = 0
        self.token = Token(Kind.START)
        self._last = Kind.START
        self._text = pattern
        self._at = 0
        self._in = _In.PATTERN
        if options.syntax is Syntax.PLAIN:
            if options.expanded or options.stops or options.anchors:
                raise invalid(Fault.ARGUMENT)
        else:
            self._read_directors()

    def _read_directors(self) -> None:
        """***: and ***=, and (?options)."""
        if self._next_is("***") and len(self._text) > 3:
            self._at = 4
            match self._text[3]:
                case "=":
                    self.options = Options(Syntax.PLAIN, any_case=self.options.any_case)
                    return
                case ":":
                    self.options = replace(self.options, syntax=Syntax.ADVANCED)
                case "?":
                    raise invalid(Fault.PATTERN)
                case _:
                    raise invalid(Fault.OPERAND)
        if self.options.syntax is not Syntax.ADVANCED or not self._next_is("(?"):
            return
        end = start = self._at + 2
        while end < len(self._text) and self._text[end] in _ALPHABET and self._text[end] > "9":
            end += 1
        if end == start:
            return
        for letter in self._text[start:end]:
            if letter not in _LETTERS:
                raise invalid(Fault.OPTION)
            self.options = self.options.given(letter)
        if self._text[end : end + 1] != ")":
            raise invalid(Fault.OPTION)
        self._at = end + 1
        if self.options.syntax is Syntax.PLAIN:
            self.options = Options(Syntax.PLAIN, any_case=self.options.any_case)

    def _next_is(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _take(self) -> str:
        character = self._text[self._at]
        self._at += 1
        return character

    def advance(self) -> None:
        """Go on to the next token. Raises 2201B."""
        self._last = self.token.kind
        self.token = self._following()

    def _following(self) -> Token:
        if self.options.syntax is Syntax.PLAIN:
            return Token(Kind.CHARACTER, self._take()) if self._more() else Token(Kind.END)
        if self.options.expanded and self._in is not _In.BRACKETS:
            self._skip()
        if not self._more():
            if self._in is _In.PATTERN:
                return Token(Kind.END)
            raise invalid(Fault.BRACES if self._in is _In.BOUND else Fault.BRACKETS)
        if self._in is _In.BOUND:
            return self._in_bound()
        if self._in is _In.BRACKETS:
            return self._in_brackets()
        if self.options.syntax is Syntax.BASIC:
            return self._basic()
        while self.options.syntax is Syntax.ADVANCED and self._next_is("(?#"):
            end = self._text.find(")", self._at)
            self._at = len(self._text) if end < 0 else end + 1
            if self.options.expanded:
                self._skip()
            if not self._more():
                return Token(Kind.END)
        return self._extended()

    def _more(self) -> bool:
        return self._at < len(self._text)

    def _skip(self) -> None:
        """White space and comments of the expanded syntax."""
        while self._more():
            if self._text[self._at] == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            elif self._text[self._at] in _SPACE:
                self._at += 1
            else:
                return

    def _in_bound(self) -> Token:
        character = self._take()
        basic = self.options.syntax is Syntax.BASIC
        if character in _DIGITS:
            return Token(Kind.DIGIT, character)
        if character == ",":
            return Token(Kind.COMMA)
        if basic and character == "\\" and self._next_is("}"):
            self._at += 1
        elif basic or character != "}":
            raise invalid(Fault.COUNTS)
        self._in = _In.PATTERN
        return Token(Kind.BOUND_END, "" if basic else self._lazily())

    def _lazily(self) -> str:
        """A "?" that makes what is before it not greedy."""
        if self.options.syntax is Syntax.ADVANCED and self._next_is("?"):
            return self._take()
        return ""

    def _in_brackets(self) -> Token:
        character = self._take()
        first = self._last_was(Kind.BRACKET)
        match character:
            case "]" if not first:
                self._in = _In.PATTERN
                return Token(Kind.BRACKET_END)
            case "\\" if self.options.syntax is Syntax.ADVANCED:
                token = self._escape()
                if token.kind not in {Kind.CHARACTER, Kind.CLASS, Kind.NO_CLASS}:
                    raise invalid(Fault.ESCAPE)
                return token
            case "-" if not first and not self._next_is("]"):
                return Token(Kind.RANGE, "-")
            case "[":
                if not self._more():
                    raise invalid(Fault.BRACKETS)
                if self._text[self._at] in ".=:":
                    return self._named(self._take())
            case _:
                pass
        return Token(Kind.CHARACTER, character)

    def _last_was(self, kind: Kind) -> bool:
        return self._last is kind

    def _named(self, mark: str) -> Token:
        """[.x.] [=x=] or [:x:], whose first two characters have been read."""
        end = self._text.find(mark + "]", self._at)
        if end < 0:
            raise invalid(Fault.BRACKETS)
        name = self._text[self._at : end]
        self._at = end + 2
        return Token({":": Kind.CLASS, ".": Kind.NAMED, "=": Kind.EQUIVALENT}[mark], name)

    def _extended(self) -> Token:
        character = self._take()
        match character:
            case "|":
                return Token(Kind.OR)
            case "*" | "+" | "?":
                return Token(Kind.TIMES, character + self._lazily())
            case "{":
                if self.options.expanded:
                    self._skip()
                if self._more() and self._text[self._at] in _DIGITS:
                    self._in = _In.BOUND
                    return Token(Kind.BOUND)
            case "(":
                if self.options.syntax is Syntax.ADVANCED and self._next_is("?"):
                    return self._group()
                return Token(Kind.OPEN, "(")
            case ")":
                return Token(Kind.CLOSE)
            case "[":
                return self._bracket()
            case ".":
                return Token(Kind.ANY)
            case "^":
                return Token(Kind.LINE_START)
            case "$":
                return Token(Kind.LINE_END)
            case "\\":
                if not self._more():
                    raise invalid(Fault.ESCAPE)
                if self.options.syntax is Syntax.EXTENDED:
                    return Token(Kind.CHARACTER, self._take())
                return self._escape()
            case _:
                pass
        return Token(Kind.CHARACTER, character)

    def _bracket(self) -> Token:
        for word, letter in (("[:<:]]", "m"), ("[:>:]]", "M")):
            if self._next_is(word):
                self._at += len(word)
                return Token(Kind.PLACE, letter)
        self._in = _In.BRACKETS
        return Token(Kind.BRACKET, self._take() if self._next_is("^") else "")

    def _group(self) -> Token:
        self._at += 1
        for mark in (":", "=", "!", "<=", "<!"):
            if self._next_is(mark):
                self._at += len(mark)
                return Token(Kind.OPEN, "(?:") if mark == ":" else Token(Kind.LOOK, mark)
        raise invalid(Fault.OPERAND)

    def _escape(self) -> Token:
        """What a backslash begins in the advanced syntax."""
        if not self._more():
            raise invalid(Fault.ESCAPE)
        letter = self._take()
        if letter not in _ALPHABET:
            return Token(Kind.CHARACTER, letter)
        if letter in _ESCAPES:
            return Token(Kind.CHARACTER, _ESCAPES[letter])
        if letter.lower() in _CLASSES:
            kind = Kind.CLASS if letter.islower() else Kind.NO_CLASS
            return Token(kind, _CLASSES[letter.lower()])
        if letter in "AZmMyY":
            return Token(Kind.PLACE, letter)
        if letter in _DIGITS:
            return self._number(letter)
        return Token(Kind.CHARACTER, self._coded(letter))

    def _coded(self, letter: str) -> str:
        match letter:
            case "c" if self._more():
                return chr(ord(self._take()) & 0x1F)
            case "u":
                return self._hexadecimal(4, 4)
            case "U":
                return self._hexadecimal(8, 8)
            case "x":
                return self._hexadecimal(1, 255)
            case _:
                raise invalid(Fault.ESCAPE)

    def _hexadecimal(self, least: int, most: int) -> str:
        digits = self._digits(_HEXADECIMAL, most)
        code = int(digits, 16) % 2**32 if len(digits) >= least else _CODE_MAX + 1
        if code > _CODE_MAX:
            raise invalid(Fault.ESCAPE)
        return chr(code) if code <= sys.maxunicode else _NONE

    def _digits(self, alphabet: str, most: int) -> str:
        start = self._at
        while self._more() and self._at < start + most and self._text[self._at] in alphabet:
            self._at += 1
        return self._text[start : self._at]

    def _number(self, first: str) -> Token:
        """A back-reference where there is such a group or one digit alone; else octal."""
        start = self._at
        number = first + self._digits(_DIGITS, 254)
        if first != "0" and (len(number) == 1 or int(number) <= self.groups):
            return Token(Kind.REFERENCE, number)
        self._at = start - 1
        octal = self._digits("01234567", 3)
        if not octal:
            raise invalid(Fault.ESCAPE)
        if int(octal, 8) > 0xFF:
            self._at -= 1
            octal = octal[:-1]
        return Token(Kind.CHARACTER, chr(int(octal, 8)))

    def _basic(self) -> Token:
        character = self._take()
        at_start = self._last_was(Kind.START) or self._last_was(Kind.OPEN)
        match character:
            case "*" if not at_start and not self._last_was(Kind.LINE_START):
                return Token(Kind.TIMES, "*")
            case "[":
                return self._bracket()
            case ".":
                return Token(Kind.ANY)
            case "^" if at_start:
                return Token(Kind.LINE_START)
            case "$":
                if self.options.expanded:
                    self._skip()
                if not self._more() or self._next_is("\\)"):
                    return Token(Kind.LINE_END)
            case "\\":
                return self._basic_escape()
            case _:
                pass
        return Token(Kind.CHARACTER, character)

    def _basic_escape(self) -> Token:
        if not self._more():
            raise invalid(Fault.ESCAPE)
        character = self._take()
        match character:
            case "{":
                self._in = _In.BOUND
                return Token(Kind.BOUND)
            case "(":
                return Token(Kind.OPEN, "(")
            case ")":
                return Token(Kind.CLOSE)
            case "<" | ">":
                return Token(Kind.PLACE, "m" if character == "<" else "M")
            case _:
                pass
        if character in _DIGITS and character != "0":
            return Token(Kind.REFERENCE, character)
        return Token(Kind.CHARACTER, character)
