"""How long a statement is with the bodies of the functions that it calls: binding it takes as long."""

import re
from collections.abc import Iterable, Mapping

from catalog.functions import Function
from catalog.snapshot import Snapshot

_CALLED = re.compile(r'\b(\w++)"?+\s*+\(')
"""Each character is looked at once: a long word, as base64 has them, is no reason to look at it again."""

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
    calls = {
        name: [[called.lower() for called in _CALLED.findall(body)] for body in texts]
        for name, texts in bodies.items()
    }
    found: dict[str, int] = {}
    entered: set[str] = set()
    # Not by recursion: what looks like calls in bodies may be as deep as there are functions.
    path = list(bodies)
    while path:
        name = path[-1]
        if name not in entered:
            entered.add(name)
            inside = {called for one in calls[name] for called in one}
            path += [called for called in inside if called in bodies and called not in entered]
            continue
        path.pop()
        if name not in found:
            found[name] = max(
                min(_EACH + len(body) + sum([found.get(called, 0) for called in one]), _MOST)
                for body, one in zip(bodies[name], calls[name], strict=True)
            )
    return found
