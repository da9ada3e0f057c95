"""Names that PostgreSQL makes up for constraints: `t_pkey`, `t_col_key`, `t_col_check`."""

import re
from collections.abc import Callable, Container, Sequence

DATABASES = ("kalam", "postgres")
"""The one database that there is answers to both; a name in front of a schema's may be either."""

NAME_BYTES = 63
"""NAMEDATALEN - 1."""

_LABELS = {"p": "pkey", "u": "key", "c": "check", "f": "fkey"}


def constraint_name(table: str, kind: str, columns: Sequence[str], taken: Container[str]) -> str:
    """A name for a constraint of `kind` ("p" | "u" | "c" | "f") that is not in `taken`.

    The columns of a key all come in the name, of a check only if it mentions exactly one.
    """
    if kind == "p":
        middle = ""
    elif kind == "c":
        middle = columns[0] if len(columns) == 1 else ""
    else:
        middle = "_".join(columns)
    return numbered(
        lambda label: object_name(table, middle, label), _LABELS[kind], lambda name: name in taken
    )


def numbered(make: Callable[[str], str], label: str, taken: Callable[[str], bool]) -> str:
    """The first name that is not taken: with the label, or with label1, label2 …."""
    name, number = make(label), 0
    while taken(name):
        number += 1
        name = make(f"{label}{number}")
    return name


def object_name(first: str, middle: str, label: str) -> str:
    """The parts with underscores between, the longer of the first two cut until 63 bytes suffice."""
    room = NAME_BYTES - len(label.encode()) - 1 - (1 if middle else 0)
    left, right = first.encode(), middle.encode()
    while len(left) + len(right) > room:
        if len(left) > len(right):
            left = left[:-1]
        else:
            right = right[:-1]
    parts = (left.decode(errors="ignore"), right.decode(errors="ignore"), label)
    return "_".join(part for part in parts if part)


def key_name(expression: str) -> str:
    """What an index calls the column of an expression: the function that it calls, or `expr`."""
    call = re.match(r"([a-z_][a-z0-9_]*)\(", expression)
    return call[1] if call else "expr"
