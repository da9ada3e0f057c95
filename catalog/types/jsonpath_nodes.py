"""The nodes of a jsonpath, and how PostgreSQL prints them (printJsonPathItem)."""

from dataclasses import dataclass
from json.encoder import encode_basestring as _quote
from typing import TypeAlias

LAST_LEVEL = -1
"""`last` in `.**{…}`, and the end of `.**` without braces."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number (its text), true, false or null. kind: string | numeric | bool | null."""

    kind: str
    value: str | bool | None


@dataclass(frozen=True, slots=True)
class Start:
    """`$`, `@` or `last`."""

    what: str


@dataclass(frozen=True, slots=True)
class Variable:
    """`$"name"`."""

    name: str


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, a comparison, && or ||, `starts with`."""

    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Unary:
    """`+`, `-`, `!`, `exists`, `is unknown`."""

    operator: str
    operand: "Node"


@dataclass(frozen=True, slots=True)
class LikeRegex:
    """`like_regex`. flags: letters of ismxq."""

    operand: "Node"
    pattern: str
    flags: str


@dataclass(frozen=True, slots=True)
class Steps:
    """A start and the accessors behind it, at least one."""

    start: "Node"
    accessors: tuple["Accessor", ...]


@dataclass(frozen=True, slots=True)
class Member:
    """`."key"`."""

    key: str


@dataclass(frozen=True, slots=True)
class AnyMember:
    """`.*`."""


@dataclass(frozen=True, slots=True)
class Elements:
    """`[1, 2 to last]`: pairs of a place and the last one of a range, None for a single place."""

    ranges: tuple[tuple["Node", "Node | None"], ...]


@dataclass(frozen=True, slots=True)
class AnyElement:
    """`[*]`."""


@dataclass(frozen=True, slots=True)
class Descend:
    """`.**{first to last}`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Method:
    """`.size()` and its like. template: of datetime()."""

    name: str
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """`?(predicate)`."""

    predicate: "Node"


Node: TypeAlias = Literal | Start | Variable | Binary | Unary | LikeRegex | Steps
Accessor: TypeAlias = Member | AnyMember | Elements | AnyElement | Descend | Method | Filter

PREDICATES = frozenset(("&&", "||", "==", "<>", "<", "<=", ">", ">=", "starts with"))


@dataclass(frozen=True, slots=True)
class Path:
    """A whole path. strict: its mode; lax otherwise."""

    strict: bool
    root: Node


def is_predicate(node: Node) -> bool:
    """Whether a node's value is true, false or unknown."""
    match node:
        case Binary(operator):
            return operator in PREDICATES
        case Unary(operator):
            return operator in ("!", "exists", "is unknown")
        case _:
            return isinstance(node, LikeRegex)


_PRIORITY = {
    "||": 0, "&&": 1, "==": 2, "<>": 2, "<": 2, ">": 2, "<=": 2, ">=": 2, "starts with": 2,
    "+": 3, "-": 3, "*": 4, "/": 4, "%": 4,
}  # fmt: skip


def _priority(node: Node) -> int:
    match node:
        case Binary(operator):
            return _PRIORITY[operator]
        case Unary("+" | "-"):
            return 5
        case _:
            return 6


def shown(path: Path) -> str:
    """The canonical text."""
    return ("strict " if path.strict else "") + _text(path.root, brackets=True)


def _text(node: Node, *, brackets: bool) -> str:
    match node:
        case Literal(kind, value):
            if kind == "string":
                return _quote(str(value))
            if isinstance(value, str):
                return value
            return "null" if value is None else "true" if value else "false"
        case Start(what):
            return what
        case Variable(name):
            return "$" + _quote(name)
        case Binary(operator, left, right):
            text = (
                _text(left, brackets=_priority(left) <= _priority(node))
                + f" {operator} ".replace("<>", "!=")
                + _text(right, brackets=_priority(right) <= _priority(node))
            )
            return f"({text})" if brackets else text
        case Unary("!", operand):
            return f"!({_text(operand, brackets=False)})"
        case Unary("exists", operand):
            return f"exists ({_text(operand, brackets=False)})"
        case Unary("is unknown", operand):
            return f"({_text(operand, brackets=False)}) is unknown"
        case Unary(sign, operand):
            text = sign + _text(operand, brackets=_priority(operand) <= _priority(node))
            return f"({text})" if brackets else text
        case LikeRegex(operand, pattern, flags):
            text = _text(operand, brackets=_priority(operand) <= _priority(node))
            text += " like_regex " + _quote(pattern) + (f' flag "{flags}"' if flags else "")
            return f"({text})" if brackets else text
        case Steps(start, accessors):
            text = _text(start, brackets=True)
            if isinstance(start, Literal) and start.kind == "numeric":
                text = f"({text})"
            return text + "".join([_accessor(a) for a in accessors])


def _accessor(accessor: Accessor) -> str:
    match accessor:
        case Member(key):
            return "." + _quote(key)
        case AnyMember():
            return ".*"
        case AnyElement():
            return "[*]"
        case Elements(ranges):
            return "[" + ",".join([_range(*pair) for pair in ranges]) + "]"
        case Descend(first, last):
            return "." + _levels(first, last)
        case Method(name, template):
            return f".{name}({'' if template is None else _quote(template)})"
        case Filter(predicate):
            return f"?({_text(predicate, brackets=False)})"


def _range(first: Node, last: Node | None) -> str:
    text = _text(first, brackets=False)
    return text if last is None else f"{text} to {_text(last, brackets=False)}"


def _levels(first: int, last: int) -> str:
    if (first, last) == (0, LAST_LEVEL):
        return "**"
    names = ["last" if level == LAST_LEVEL else str(level) for level in (first, last)]
    return f"**{{{names[0]}}}" if first == last else f"**{{{names[0]} to {names[1]}}}"
