"""How long a statement is with the bodies of the functions that it calls: binding it takes as long."""

import re
from collections.abc import Iterable, Mapping

from catalog.functions import Function
from catalog.snapshot import Snapshot

_CALLED = re.compile(r'(\w+)"?\s*\(')
_EACH = 100
"""What a call costs beside the characters of its body."""

_MOST = 1 << 20

_KEPT: list[tuple[Mapping[int, Function], dict[str, int]]] = []
"""The weights of functions by their names, and the functions that they are of."""


def weight(text: str, snapshot: Snapshot) -> int:
    """The characters of a text and of all that is put into it, about."""
    if not snapshot.functions:
        return len(text)
    known = _KEPT[0] if _KEPT else None
    if known is None or known[0] is not snapshot.functions:
        known = (snapshot.functions, _weights(snapshot.functions.values()))
        _KEPT[:] = [known]
    weights = known[1]
    return len(text) + sum([weights.get(name.lower(), 0) for name in _CALLED.findall(text)])


def _weights(functions: Iterable[Function]) -> dict[str, int]:
    bodies: dict[str, list[str]] = {}
    for function in functions:
        bodies.setdefault(function.name.lower(), []).append(function.body)
    found: dict[str, int] = {}

    def of(name: str, inside: frozenset[str]) -> int:
        if name in found:
            return found[name]
        if name in inside or name not in bodies:
            return 0
        deeper = inside | {name}
        heaviest = 0
        for body in bodies[name]:
            inner = sum([of(called.lower(), deeper) for called in _CALLED.findall(body)])
            heaviest = max(heaviest, min(_EACH + len(body) + inner, _MOST))
        found[name] = heaviest
        return heaviest

    for name in bodies:
        of(name, frozenset())
    return found
