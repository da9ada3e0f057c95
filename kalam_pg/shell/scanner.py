"""Where the statements of a text end, as psql sees it: at semicolons outside of quotes and parentheses."""

import re
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"""
      (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*(?P<escaped_end>')?)
    | (?P<string>'(?:[^']|'')*(?P<string_end>')?)
    | (?P<name>"(?:[^"]|"")*(?P<name_end>")?)
    | (?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?\$)
    | (?P<line>--[^\n]*)
    | (?P<comment>/\*)
    | (?P<word>[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")


class Scanned(NamedTuple):
    """statements: those that have ended, each with its semicolon. rest: what begins another, or nothing.

    within: what the rest is in the middle of, as psql's prompt shows it: one of ' " $ * ( - or "".
    """

    statements: list[str]
    rest: str
    within: str


def scan(text: str) -> Scanned:
    """Part a text into its statements."""
    statements: list[str] = []
    start = at = depth = 0
    has_words = False
    while at < len(text):
        end, within, is_word = _token(text, at)
        if within:
            return Scanned(statements, text[start:].strip(), within)
        piece = text[at:end]
        has_words |= is_word
        at = end
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif piece == ";" and not depth:
            statements.append(text[start:at].strip())
            start, has_words = at, False
    if not has_words:  # Spaces and comments begin nothing.
        return Scanned(statements, "", "")
    return Scanned(statements, text[start:].strip(), "(" if depth else "-")


def _token(text: str, at: int) -> tuple[int, str, bool]:
    """Where the next token ends; what it is when it has no end; and whether it is more than space."""
    found = _TOKEN.match(text, at)
    assert found is not None
    kind = found.lastgroup or ""
    for quoted, mark in (("escaped", "'"), ("string", "'"), ("name", '"')):
        if found[quoted] is not None:
            is_closed = found[quoted + "_end"] is not None
            return found.end(), "" if is_closed else mark, True
    if kind == "dollar":
        end = text.find(found[0], found.end())
        return (len(text), "$", True) if end < 0 else (end + len(found[0]), "", True)
    if kind == "comment":
        end = _comment_end(text, found.end())
        return (len(text), "*", False) if end < 0 else (end, "", False)
    return found.end(), "", kind != "line" and not found[0].isspace()


def _comment_end(text: str, at: int) -> int:
    """Where a comment (they nest) that began before `at` has ended, -1 when it has not."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(text, at):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return -1
