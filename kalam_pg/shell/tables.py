"""Rows laid out for a terminal, as psql does: aligned, or one column a line."""

import unicodedata
from collections.abc import Sequence
from typing import Final

Row = Sequence[str | None]

RIGHT: Final = frozenset((20, 21, 23, 26, 700, 701, 790, 1700))
"""Types whose values stand at the right: numbers."""

_WIDE: Final = frozenset("WF")


def width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) or unicodedata.category(c) == "Cf"
        else 2 if unicodedata.east_asian_width(c) in _WIDE
        else 1
        for c in text
    )  # fmt: skip


def shown(value: str | None) -> str:
    """A value on one line: what would move the cursor is written as an escape."""
    if value is None:
        return ""
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() or c == "\n" else _escape(c) for c in value)


def _escape(character: str) -> str:
    names = {"\t": "\\t", "\r": "\\r"}
    if character in names:
        return names[character]
    code = ord(character)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def aligned(names: Sequence[str], types: Sequence[int], rows: Sequence[Row]) -> str:
    """A table with a header and the count of its rows. types: OIDs, by which numbers go to the right."""
    cells = [[shown(value).split("\n") for value in row] for row in rows]
    widths = [
        max(width(name), *(width(line) for row in cells for line in row[at]), 0)
        for at, name in enumerate(names)
    ]
    lines = ["|".join(" " + _center(n, w) + " " for n, w in zip(names, widths, strict=True))]
    lines.append("+".join("-" * (w + 2) for w in widths))
    for row in cells:
        lines += _lines(row, widths, types)
    lines.append(_count(len(rows)))
    return "\n".join(line.rstrip() if line.endswith(" ") else line for line in lines) + "\n\n"


def _lines(row: list[list[str]], widths: list[int], types: Sequence[int]) -> list[str]:
    """The lines of one row: as many as its value with the most lines; a + says that one goes on."""
    height = max((len(lines) for lines in row), default=1)
    made = []
    for number in range(height):
        parts = []
        for lines, columns, type_ in zip(row, widths, types, strict=True):
            text = lines[number] if number < len(lines) else ""
            space = " " * (columns - width(text))
            more = "+" if number < len(lines) - 1 else " "
            parts.append(" " + (space + text if type_ in RIGHT else text + space) + more)
        made.append("|".join(parts))
    return made


def expanded(names: Sequence[str], rows: Sequence[Row]) -> str:
    """One column a line."""
    if not rows:
        return "(0 rows)\n\n"
    widest = max(map(width, names), default=0)
    lines = []
    for number, row in enumerate(rows, 1):
        lines.append(f"-[ RECORD {number} ]".ljust(widest + 1, "-") + "+" + "-" * 20)
        for name, value in zip(names, row, strict=True):
            first, *more = shown(value).split("\n")
            lines.append(f"{name}{' ' * (widest - width(name))} | {first}".rstrip())
            lines += [f"{' ' * widest} | {line}".rstrip() for line in more]
    return "\n".join(lines) + "\n\n"


def _center(text: str, columns: int) -> str:
    space = columns - width(text)
    return " " * (space // 2) + text + " " * (space - space // 2)


def _count(rows: int) -> str:
    return "(1 row)" if rows == 1 else f"({rows} rows)"
