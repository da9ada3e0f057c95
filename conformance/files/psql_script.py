"""A psql script as the statements that psql would send.

What only changes how psql shows things is left out; `\\set`, `\\if`, `\\gset`, `\\c` and the data behind
COPY … FROM STDIN are kept, since they change what is sent.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<escaped>\b[eE]'(?:[^'\\]|''|\\.)*'?)
    | (?P<quoted>'(?:[^']|'')*'?)
    | (?P<name>"(?:[^"]|"")*"?)
    | (?P<dollar>(?<![\w$])\$(?P<tag>[A-Za-z_]\w*)\$.*?(?:\$(?P=tag)\$|\Z))
    | (?P<bare>(?<![\w$])\$\$.*?(?:\$\$|\Z))
    | (?P<line>--[^\n]*)
    | (?P<block>/\*)
    | (?P<command>\\(?:;|[^\s\\;]+[^\n\\]*(?:\\\\)?))
    | (?P<variable>(?<![:\w]):(?::(?=:)|['"]?[A-Za-z_]\w*['"]?))
    | (?P<end>;)
    | (?P<bracket>[()])
    | (?P<word>\w+)
    """,
    re.VERBOSE | re.DOTALL,
)
_DEFINES_ROUTINE = re.compile(
    r"\s*CREATE\s+(OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE)\b", re.IGNORECASE
)
_READS_STDIN = re.compile(r"\s*COPY\b.*\bFROM\s+STDIN\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Statement:
    """What is sent. ends_by: `;` or the backslash command; data: of COPY … FROM STDIN."""

    text: str
    line: int
    ends_by: str = ";"
    data: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A backslash command of its own, such as `c` or `set`, with its arguments as written."""

    name: str
    arguments: str
    line: int


class Reader:
    """Reads a script. `variables` may be changed between two steps: text is substituted when it is read."""

    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self._text = text
        self._variables = variables
        self._at = 0

    def steps(self) -> Iterator[Statement | Command]:
        """The statements and commands in order."""
        buffer: list[str] = []
        depth = blocks = 0
        start = 0
        while self._at < len(self._text):
            found = _TOKEN.search(self._text, self._at)
            if found is None:
                break
            buffer.append(self._text[self._at : found.start()])
            self._at = found.end()
            kind, token = found.lastgroup, found.group()
            if kind == "tag":
                kind = "dollar"
            if not "".join(buffer).strip():
                start = found.start()
            if kind == "line":
                continue
            if kind == "block":
                self._skip_comment()
                buffer.append(" ")
            elif kind == "variable":
                buffer.append(self._value(token))
            elif kind == "command":
                if token == "\\;":
                    buffer.append(";")
                    continue
                name, _, arguments = token[1:].partition(" ")
                waiting = "".join(buffer).strip()
                if waiting and name[0] == "g":
                    yield Statement(waiting, self._line(start), token[1:].strip())
                    buffer, depth, blocks = [], 0, 0
                else:
                    yield Command(name.strip(), arguments.strip(), self._line(found.start()))
            elif kind == "end" and depth == 0 and blocks == 0:
                waiting = "".join(buffer).strip()
                buffer = []
                if waiting:
                    data = self._data() if _READS_STDIN.match(waiting) else None
                    yield Statement(waiting, self._line(start), data=data)
            else:
                depth += {"(": 1, ")": -1}.get(token, 0)
                if kind == "word" and _DEFINES_ROUTINE.match("".join(buffer)):
                    blocks += _opened(token, blocks, "".join(buffer))
                buffer.append(token)
        waiting = "".join([*buffer, self._text[self._at :]]).strip()
        if waiting:
            yield Statement(waiting, self._line(start))

    def _skip_comment(self) -> None:
        depth = 1
        while depth and self._at < len(self._text):
            if self._text.startswith("/*", self._at):
                depth, self._at = depth + 1, self._at + 2
            elif self._text.startswith("*/", self._at):
                depth, self._at = depth - 1, self._at + 2
            else:
                self._at += 1

    def _value(self, token: str) -> str:
        """A variable's value as it is asked for: `:name`, `:'name'`, `:"name"`."""
        name = token[1:].strip("'\"")
        value = self._variables.get(name)
        if value is None or token == "::":
            return token
        quote = token[1]
        if quote in "'\"":
            return quote + value.replace(quote, quote * 2) + quote
        return value

    def _data(self) -> str:
        """The lines up to `\\.`."""
        newline = self._text.find("\n", self._at) + 1
        end = re.compile(r"^\\\.[ \t\r]*$", re.MULTILINE).search(self._text, newline)
        if end is None:
            return ""
        self._at = end.end()
        return self._text[newline : end.start()]

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1


def _opened(word: str, blocks: int, before: str) -> int:
    """How a word of a routine's body nests: BEGIN ATOMIC … END, with CASE … END inside."""
    upper = word.upper()
    if upper == "ATOMIC" and before.rstrip().upper().endswith("BEGIN"):
        return 1
    if blocks and upper == "CASE":
        return 1
    if blocks and upper == "END":
        return -1
    return 0
