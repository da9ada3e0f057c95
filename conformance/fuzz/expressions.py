"""Random expressions of a given kind over what is in scope."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from conformance.fuzz.pieces import Parameter, Part, Piece, piece
from conformance.fuzz.vocabulary import AGGREGATES, KINDS, SORTED, TEMPLATES

_HOLE = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")


@dataclass(frozen=True, slots=True)
class Leaf:
    """Something in scope that can be named: a column, a grouping key, an aggregate."""

    text: Part
    kind: str


def literal(random: Random, kind: str, *, nulls: float = 0.12) -> Piece:
    """A value of a kind, with its type."""
    sql = KINDS[kind].sql
    if random.random() < nulls:
        return Piece((f"NULL::{sql}",), (), Parameter(sql, None))
    value = random.choice(KINDS[kind].values)
    quoted = value.replace("'", "''")
    simple = piece(f"'{KINDS[kind].values[0]}'::{sql}")
    return Piece((f"'{quoted}'::{sql}",), (simple,), Parameter(sql, value))


@dataclass
class Expressions:
    """Makes expressions.

    leaves: what is in scope. subquery: makes one of a kind, if subqueries are wanted. whole: all
    expressions that the level computes are leaves (after GROUP BY).
    """

    random: Random
    leaves: Sequence[Leaf]
    subquery: "Callable[[str, Sequence[Leaf]], Piece | None] | None" = None
    outer: Sequence[Leaf] = field(default_factory=tuple)

    def of(self, kind: str, depth: int) -> Piece:
        """One of a kind, in brackets where it needs them."""
        random = self.random
        chance = random.random()
        if depth <= 0 or chance < 0.3:
            return self.leaf(kind)
        if self.subquery is not None and chance > 0.93:
            made = self.subquery(kind, self.leaves)
            if made is not None:
                return Piece(made.parts, (self.leaf(kind),))
        return self.filled(random.choice(TEMPLATES[kind]), kind, depth)

    def leaf(self, kind: str) -> Piece:
        """Something in scope of that kind, or a literal."""
        known = [leaf.text for leaf in (*self.leaves, *self.outer) if leaf.kind == kind]
        if known and self.random.random() < 0.85:
            return piece(self.random.choice(known), simpler=(literal(self.random, kind, nulls=0),))
        return literal(self.random, kind)

    def filled(self, template: str, kind: str, depth: int) -> Piece:
        """A template with its holes filled; its arguments of the same kind are its simpler forms."""
        random = self.random
        same = random.choice(self.kinds(SORTED))
        some = random.choice(self.kinds(tuple(KINDS)))
        parts: list[Part] = []
        holes: list[Piece] = []
        simpler: list[Part] = []
        at = 0
        for hole in _HOLE.finditer(template):
            parts.append(_plain(template[at : hole.start()]))
            at = hole.end()
            name = hole[1]
            if name.isdigit():
                parts.append(holes[int(name)])
                continue
            wanted = {"same": same, "sorted": same, "any": some}.get(name, name)
            made = self.of(wanted, depth - 1)
            holes.append(made)
            parts.append(made)
            if wanted == kind:
                simpler.append(made)
        parts.append(_plain(template[at:]))
        if template == f"{{{kind}}}":
            return holes[0]
        return Piece(("(", *parts, ")"), (*simpler, self.leaf(kind)))

    def aggregate(self, kind: str, depth: int = 1) -> Piece:
        """An aggregate with such a result, over the leaves."""
        made = self.filled(self.random.choice(AGGREGATES[kind]), kind, depth)
        call = Piece(made.parts[1:-1])  # no brackets: FILTER comes behind
        if self.random.random() < 0.25:
            condition = self.of("bool", depth)
            return piece(call, piece(" FILTER (WHERE ", condition, ")", simpler=("",)))
        return call

    def kinds(self, among: Sequence[str]) -> Sequence[str]:
        """Kinds that something in scope has, or just any."""
        known = [leaf.kind for leaf in self.leaves if leaf.kind in among]
        return known if known and self.random.random() < 0.9 else among


def _plain(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}")
