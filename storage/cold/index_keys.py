"""What rows sort by in an index file: one string of bytes for all of an index's keys.

Each key is a byte that says whether it is NULL and where NULLs are, and behind it the value's code (as in
`storage.keys`), turned round for DESC. So strings compare as the index's order does, whatever the types, and
a part of the index is what lies between two strings. Read backwards the order is that of the opposite
directions: `turned` gives the strings that sort so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.keycodes import DECODERS, ENCODERS
from storage.layout import Value

_NULL_FIRST, _VALUE, _NULL_LAST, _BEHIND = b"\x00", b"\x01", b"\x02", b"\x03"
_FLIPPED = bytes(range(255, -1, -1))
_TURNED = {0: _NULL_LAST, 2: _NULL_FIRST}
_INT_BYTES = 10


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One key of an index. kind: as `storage.keys` has it."""

    kind: str
    descending: bool
    nulls_first: bool

    def rank(self, value: Value) -> bytes:
        """The bytes of a value: none is the beginning of another."""
        if value is None:
            return _NULL_FIRST if self.nulls_first else _NULL_LAST
        code = ENCODERS[self.kind](value)
        return _VALUE + (code.translate(_FLIPPED) if self.descending else code)

    def end(self, data: bytes, at: int) -> int:
        """Where the bytes of a value end that begin at a place."""
        if data[at] != _VALUE[0]:
            return at + 1
        if self.kind == "int":
            return at + _INT_BYTES
        code = data[at + 2 :]
        found: int = DECODERS[self.kind](code.translate(_FLIPPED) if self.descending else code, 0)[
            1
        ]
        return at + 2 + found


def key_of(parts: Sequence[KeyPart], values: Sequence[Value]) -> bytes:
    """What a row with these values sorts by."""
    return b"".join([part.rank(value) for part, value in zip(parts, values, strict=True)])


def first_parts(
    data: bytes, at: int, parts: Sequence[KeyPart], *, every: bool, backward: bool
) -> bytes:
    """The bytes of some parts from a place on, turned round if they are read `backward`.

    every: nothing comes behind them.
    """
    if not backward and every:
        return data[at:]
    found: list[bytes] = []
    for part in parts:
        end = part.end(data, at)
        if not backward:
            found.append(data[at:end])
        elif data[at] == _VALUE[0]:
            found.append(_VALUE + data[at + 1 : end].translate(_FLIPPED))
        else:
            found.append(_TURNED[data[at]])
        at = end
    return b"".join(found)


@dataclass(frozen=True, slots=True)
class Bound:
    """A value that the key behind the equal ones is compared with: `<`, `<=`, `>` or `>=`."""

    operator: str
    value: Value


def between(
    parts: Sequence[KeyPart], equal: Sequence[Value], bounds: Sequence[Bound]
) -> tuple[bytes, bytes]:
    """From which string on, and before which, the entries are that have these values.

    equal: of the first parts. bounds: of the part behind them; none of its values is NULL then.
    """
    prefix = key_of(parts[: len(equal)], equal)
    if not bounds:
        return prefix, prefix + _BEHIND
    part = parts[len(equal)]
    low, high = prefix + _VALUE, prefix + _NULL_LAST
    for bound in bounds:
        edge = prefix + part.rank(bound.value)
        if (bound.operator[0] == ">") != part.descending:
            # What is behind a value in the order: the value itself too, with a `=`.
            low = max(low, edge if bound.operator.endswith("=") else edge + _BEHIND)
        else:
            high = min(high, edge + _BEHIND if bound.operator.endswith("=") else edge)
    return low, high
