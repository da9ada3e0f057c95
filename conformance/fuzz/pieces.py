"""Generated SQL that knows how it can be made smaller.

A piece is text out of parts; in its place a simpler piece may stand, and the statement is still one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

Part: TypeAlias = "str | Piece"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A literal that can be sent as a parameter: its type, and the text that stands for the value."""

    type: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Piece:
    """parts: in order. simpler: what may stand in its place. parameter: what it is, if a literal."""

    parts: tuple[Part, ...]
    simpler: tuple[Part, ...] = ()
    parameter: Parameter | None = None

    def __str__(self) -> str:
        return "".join([str(part) for part in self.parts])


@dataclass(slots=True)
class Rendered:
    """SQL text with its parameters."""

    text: str = ""
    parameters: list[Parameter] = field(default_factory=list)


def piece(*parts: Part, simpler: tuple[Part, ...] = ()) -> Piece:
    """A piece of these parts."""
    return Piece(parts, simpler)


def optional(*parts: Part) -> Piece:
    """What can be left out."""
    return Piece(parts, ("",))


def listed(items: list[Part], between: str = ", ") -> Piece:
    """Items with something between them."""
    parts: list[Part] = []
    for item in items:
        parts += [between, item] if parts else [item]
    return Piece(tuple(parts))


def rendered(part: Part, *, parameters: bool) -> Rendered:
    """The text; with `parameters`, its literals as $n of their types."""
    out = Rendered()

    def write(part: Part) -> None:
        if isinstance(part, str):
            out.text += part
        elif parameters and part.parameter is not None and len(out.parameters) < 50:
            out.parameters.append(part.parameter)
            out.text += f"${len(out.parameters)}::{part.parameter.type}"
        else:
            for inner in part.parts:
                write(inner)

    write(part)
    return out


def smaller(part: Part) -> Iterator[Part]:
    """The part with one of its pieces in a simpler form, the greatest pieces first."""
    if isinstance(part, str):
        return
    waiting: list[tuple[Piece, tuple[int, ...]]] = [(part, ())]
    for node, path in waiting:  # grows while it is read: breadth first
        for simple in node.simpler:
            yield _replaced(part, path, simple)
        waiting += [
            (inner, (*path, at)) for at, inner in enumerate(node.parts) if isinstance(inner, Piece)
        ]


def _replaced(part: Part, path: tuple[int, ...], new: Part) -> Part:
    if not path:
        return new
    assert isinstance(part, Piece)
    parts = list(part.parts)
    parts[path[0]] = _replaced(parts[path[0]], path[1:], new)
    return Piece(tuple(parts), part.simpler)
