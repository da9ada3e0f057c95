"""Lists of literals and parameters, read at once: a statement may have a hundred thousand of them.

Their nodes are made without sqlglot's constructor, and know no parent: what knows one is freed by a
collection of cyclic garbage only.
"""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

if TYPE_CHECKING:
    from kalam_pg.sql.lexer import Token


def _bare(kind: type[exp.Expr], args: dict[str, Any], start: int) -> exp.Expr:
    node = kind.__new__(kind)
    node.args = args
    node.parent = node.arg_key = node.index = node.comments = None
    node._type = node._hash = None  # noqa: SLF001 -- what the constructor does
    node._meta = {"start": start}  # noqa: SLF001
    return node


def _number(token: "Token") -> exp.Expr:
    return _bare(exp.Literal, {"this": token.value, "is_string": False}, token.start)


def _string(token: "Token") -> exp.Expr:
    return _bare(exp.Literal, {"this": token.value, "is_string": True}, token.start)


def _parameter(token: "Token") -> exp.Expr:
    return _bare(exp.Parameter, {"this": token.value}, token.start)


_OF_KIND: "dict[str, Callable[[Token], exp.Expr]]" = {
    "number": _number,
    "string": _string,
    "param": _parameter,
}
_OF_WORD: "dict[str, Callable[[Token], exp.Expr]]" = {
    "null": lambda token: _bare(exp.Null, {}, token.start),
    "true": lambda token: _bare(exp.Boolean, {"this": True}, token.start),
    "false": lambda token: _bare(exp.Boolean, {"this": False}, token.start),
}


def forget_parents(tree: exp.Expr) -> None:
    """Have no node of a tree that was read know the one above it: nobody here asks.

    A circle is freed by a collection only. That of the tree of a long text held everybody for 0.1 s and more.
    """
    for node in tree.walk():
        node.parent = None


def leaves(tokens: "Sequence[Token]", at: int, closing: str) -> tuple[list[exp.Expr], int] | None:
    """The items from `at` up to the closing symbol, and where that stands; None: there are others."""
    found: list[exp.Expr] = []
    try:
        while True:
            token = tokens[at]
            make = _OF_KIND.get(token.kind)
            if make is not None:
                found.append(make(token))
            elif token.key == "-" and tokens[at + 1].kind == "number":
                at += 1
                found.append(_bare(exp.Neg, {"this": _number(tokens[at])}, token.start))
            elif token.kind == "word" and (make := _OF_WORD.get(token.key)) is not None:
                found.append(make(token))
            else:
                return None
            after = tokens[at + 1].key
            if after == closing:
                return found, at + 1
            if after != ",":
                return None
            at += 2
    except IndexError:
        return None


_ITEM = re.compile(r"(\$?)([0-9]+)")


def row_of(token: "Token") -> exp.Expr:
    """A row token as its node."""
    begin = token.start
    items: list[exp.Expr] = []
    for item in _ITEM.finditer(token.value):
        at = begin + item.start()
        if item[1]:
            items.append(_bare(exp.Parameter, {"this": item[2]}, at))
        else:
            items.append(_bare(exp.Literal, {"this": item[2], "is_string": False}, at))
    return _bare(exp.Tuple, {"expressions": tuple(items)}, begin)


def literal_at(text: str, start: int) -> exp.Expr:
    """A parameter, a number (with a sign perhaps), a string or NULL as a node."""
    if text[0] == "$":
        return _bare(exp.Parameter, {"this": text[1:]}, start)
    if text[0] == "'":
        value = text[1:-1].replace("''", "'")
        return _bare(exp.Literal, {"this": value, "is_string": True}, start)
    if text[0] == "-":
        number = _bare(exp.Literal, {"this": text[1:], "is_string": False}, start + 1)
        return _bare(exp.Neg, {"this": number}, start)
    if text[0] in "nN":
        return _bare(exp.Null, {}, start)
    return _bare(exp.Literal, {"this": text, "is_string": False}, start)


def row(items: tuple[exp.Expr, ...], start: int) -> exp.Expr:
    """A row of leaves."""
    return _bare(exp.Tuple, {"expressions": items}, start)
