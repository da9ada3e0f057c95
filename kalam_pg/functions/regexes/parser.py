"""Patterns become trees.

Source: PostgreSQL's manual, 9.7.3.5, and what PostgreSQL 15 was seen to do where that says nothing.
"""

from dataclasses import dataclass
from math import inf

from kalam_pg.functions.regexes.characters import (
    ANY,
    CLASSES,
    COLLATING,
    CharacterSet,
    named,
    single,
    span,
    union,
)
from kalam_pg.functions.regexes.faults import Fault, invalid
from kalam_pg.functions.regexes.language import (
    At,
    Characters,
    Choice,
    Expression,
    Look,
    Place,
    repeat,
    sequence,
    size,
    unconstrained,
)
from kalam_pg.functions.regexes.lexer import Kind, Lexer, Options, Syntax, Token
from kalam_pg.functions.regexes.tree import Node, Shape, Traits

REPEATED_MAX = 255
SIZE_MAX = 100_000
"""States of a pattern's automaton."""

_PLACES = {
    "A": Place.START, "Z": Place.END, "m": Place.WORD_START, "M": Place.WORD_END,
    "y": Place.BOUNDARY, "Y": Place.NO_BOUNDARY,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Quantifier:
    """How many times. prefers: NONE where it leaves that to what it repeats."""

    least: int = 1
    most: float = 1
    prefers: Traits = Traits.NONE


def parsed(pattern: str, options: Options) -> tuple[Node, int, Options]:
    """A pattern's tree, how many groups it has, and the options with those that it gives itself.

    Raises:
        InvalidRegularExpressionError: 2201B, it is none, or it is too complex.
    """
    parser = _Parser(pattern, options)
    try:
        node = parser.whole()
        states = size(node.takes)
    except RecursionError:
        raise invalid(Fault.COMPLEX) from None
    if states > SIZE_MAX:
        raise invalid(Fault.COMPLEX)
    return node, parser.groups, parser.options


class _Parser:
    """Recursive descent. A group of which `_groups` has None has been opened and not closed."""

    def __init__(self, pattern: str, options: Options) -> None:
        self._lexer = Lexer(pattern, options)
        self.options = self._lexer.options
        self._groups: list[Node | None] = []

    @property
    def groups(self) -> int:
        return len(self._groups)

    def whole(self) -> Node:
        self._lexer.advance()
        return self._choice(inner=False, looking=False)

    def _sees(self, kind: Kind) -> bool:
        return self._lexer.token.kind is kind

    def _choice(self, *, inner: bool, looking: bool) -> Node:
        """Branches with | between them, up to the end or to a parenthesis, which is left."""
        branches = [self._branch(inner=inner, looking=looking)]
        while self._sees(Kind.OR):
            self._lexer.advance()
            branches.append(self._branch(inner=inner, looking=looking))
        if inner and not self._sees(Kind.CLOSE):
            raise invalid(Fault.PARENTHESES)
        if len(branches) == 1:
            return branches[0]
        traits = Traits.LONGER
        for branch in branches:
            traits |= (traits | branch.traits).upward
        takes = Choice(tuple([branch.takes for branch in branches]))
        if traits.is_messy:
            return Node(Shape.CHOICE, traits, takes, tuple(branches))
        return Node(Shape.LEAF, traits, takes)

    def _is_over(self, *, inner: bool) -> bool:
        return self._sees(Kind.OR) or self._sees(Kind.END) or (inner and self._sees(Kind.CLOSE))

    def _branch(self, *, inner: bool, looking: bool) -> Node:
        """A branch, or what is left of one."""
        plain: list[Expression] = []
        traits = Traits.NONE
        seen = False
        while not self._is_over(inner=inner):
            constraint = self._constraint(looking=looking)
            if constraint is not None:
                plain.append(constraint)
                seen = True
                continue
            refers = self._sees(Kind.REFERENCE)
            atom = self._atom(inner=inner, looking=looking)
            times = self._quantifier()
            if times.most == 0:
                seen = True  # Its groups may be referred to, but never take part.
                continue
            together = traits | times.prefers | atom.traits
            if not atom.group and not together.upward.is_messy:
                plain.append(repeat(atom.takes, times.least, times.most))
                traits = together
                seen = True
                continue
            before = Node(Shape.LEAF, traits, sequence(*plain)) if seen else None
            middle = times.prefers.combined(atom.traits)
            part = _counted(atom, times) if refers else _repeated(atom, times)
            return self._messy(before, part, middle, inner=inner, looking=looking)
        return Node(Shape.LEAF, traits, sequence(*plain))

    def _messy(
        self, before: Node | None, part: Node, middle: Traits, *, inner: bool, looking: bool
    ) -> Node:
        """A branch with a part that has to be taken apart; `middle` is of that part and what follows."""
        traits = before.traits if before else Traits.NONE
        if self._is_over(inner=inner):
            if before is None:
                return part
            return _pair(traits | traits.combined(part.traits), before, part)
        rest = self._branch(inner=inner, looking=looking)
        middle |= middle.combined(rest.traits)
        traits |= traits.combined(middle)
        if before is None:
            return _pair(traits, part, rest)
        leaves = part.shape is rest.shape is Shape.LEAF
        if leaves and not (part.traits | rest.traits).upward.is_messy:
            both = part.traits.combined(rest.traits)
            later = Node(Shape.LEAF, both, sequence(part.takes, rest.takes))
        else:
            later = _pair(middle, part, rest)
        return _pair(traits, before, later)

    def _constraint(self, *, looking: bool) -> Expression | None:
        token = self._lexer.token
        match token.kind:
            case Kind.LINE_START:
                taken: Expression = At(Place.LINE_START if self.options.anchors else Place.START)
            case Kind.LINE_END:
                taken = At(Place.LINE_END if self.options.anchors else Place.END)
            case Kind.PLACE:
                taken = At(_PLACES[token.value])
            case Kind.LOOK:
                self._lexer.advance()
                part = self._choice(inner=True, looking=True).takes
                taken = Look(part, ahead="<" not in token.value, negative="!" in token.value)
            case _:
                return None
        self._lexer.advance()
        return taken

    def _atom(self, *, inner: bool, looking: bool) -> Node:
        token = self._lexer.token
        match token.kind:
            case Kind.OPEN:
                return self._group(captures=token.value == "(" and not looking, looking=looking)
            case Kind.REFERENCE:
                return self._reference(int(token.value), looking=looking)
            case Kind.CLOSE if self.options.syntax is Syntax.EXTENDED and not inner:
                members = single(")", any_case=False)
            case Kind.CLOSE:
                raise invalid(Fault.PARENTHESES)
            case Kind.CHARACTER:
                members = single(token.value, any_case=self.options.any_case)
            case Kind.ANY:
                members = ANY.without("\n") if self.options.stops else ANY
            case Kind.CLASS | Kind.NO_CLASS:
                members = self._class(token.value, negated=token.kind is Kind.NO_CLASS)
            case Kind.BRACKET:
                members = self._brackets(negated=bool(token.value))
            case _:
                raise invalid(Fault.OPERAND)
        self._lexer.advance()
        return Node(Shape.LEAF, Traits.NONE, Characters(members))

    def _group(self, *, captures: bool, looking: bool) -> Node:
        number = 0
        if captures:
            self._groups.append(None)
            number = self._lexer.groups = len(self._groups)
        self._lexer.advance()
        node = self._choice(inner=True, looking=looking)
        self._lexer.advance()
        if not number:
            return node
        if node.group:
            node = Node(Shape.WRAPPER, node.traits | Traits.CAPTURES, node.takes, (node,))
        node.group = number
        node.traits |= Traits.CAPTURES
        self._groups[number - 1] = node
        return node

    def _reference(self, number: int, *, looking: bool) -> Node:
        referred = self._groups[number - 1] if 0 < number <= len(self._groups) else None
        if looking or referred is None:
            raise invalid(Fault.REFERENCE)
        self._lexer.advance()
        takes = unconstrained(referred.takes)
        return Node(Shape.REFERENCE, Traits.REFERS, takes, refers=number)

    def _quantifier(self) -> _Quantifier:
        token = self._lexer.token
        if token.kind is Kind.TIMES:
            self._lexer.advance()
            least, most = {"*": (0, inf), "+": (1, inf), "?": (0, 1)}[token.value[0]]
            lazy = len(token.value) > 1
            return _Quantifier(int(least), most, Traits.SHORTER if lazy else Traits.LONGER)
        if token.kind is not Kind.BOUND:
            return _Quantifier()
        self._lexer.advance()
        low = self._number()
        high: float = low
        exactly = not self._sees(Kind.COMMA)
        if not exactly:
            self._lexer.advance()
            high = self._number() if self._sees(Kind.DIGIT) else inf
        end = self._lexer.token
        if low > high or end.kind is not Kind.BOUND_END:
            raise invalid(Fault.COUNTS)
        self._lexer.advance()
        prefers = Traits.SHORTER if end.value else Traits.LONGER
        return _Quantifier(low, high, Traits.NONE if exactly else prefers)

    def _number(self) -> int:
        number = 0
        while self._sees(Kind.DIGIT) and number < REPEATED_MAX:
            number = number * 10 + int(self._lexer.token.value)
            self._lexer.advance()
        if self._sees(Kind.DIGIT) or number > REPEATED_MAX:
            raise invalid(Fault.COUNTS)
        return number

    def _class(self, name: str, *, negated: bool = False) -> CharacterSet:
        if name not in CLASSES:
            raise invalid(Fault.CLASS)
        members = named(name, any_case=self.options.any_case)
        return members.complement() if negated else members

    def _brackets(self, *, negated: bool) -> CharacterSet:
        """From after the bracket to its end, which is left."""
        self._lexer.advance()
        sets: list[CharacterSet] = []
        while not self._sees(Kind.BRACKET_END):
            sets.append(self._bracketed())
        members = union(sets)
        if not negated:
            return members
        members = members.complement()
        return members.without("\n") if self.options.stops else members

    def _bracketed(self) -> CharacterSet:
        token = self._lexer.token
        if token.kind in {Kind.CLASS, Kind.NO_CLASS}:
            self._lexer.advance()
            return self._class(token.value, negated=token.kind is Kind.NO_CLASS)
        if token.kind is Kind.RANGE:
            raise invalid(Fault.RANGE)
        self._lexer.advance()
        any_case = self.options.any_case
        first = _character(token)
        if token.kind is Kind.EQUIVALENT:
            return single(first, any_case=any_case)
        if not self._sees(Kind.RANGE):
            if token.kind is Kind.NAMED:
                return span(first, first, any_case=any_case)
            return single(first, any_case=any_case)
        self._lexer.advance()
        end = self._lexer.token
        if end.kind not in {Kind.CHARACTER, Kind.RANGE, Kind.NAMED}:
            raise invalid(Fault.RANGE)
        self._lexer.advance()
        last = _character(end)
        if first > last:
            raise invalid(Fault.RANGE)
        return span(first, last, any_case=any_case)


def _character(token: Token) -> str:
    """The character of a token in brackets."""
    if token.kind in {Kind.CHARACTER, Kind.RANGE} or len(token.value) == 1:
        return token.value
    if token.value not in COLLATING:
        raise invalid(Fault.COLLATING)
    return COLLATING[token.value]


def _pair(traits: Traits, first: Node, second: Node) -> Node:
    return Node(Shape.PAIR, traits, sequence(first.takes, second.takes), (first, second))


def _counted(reference: Node, times: _Quantifier) -> Node:
    """A back-reference, which counts by itself."""
    reference.traits |= times.prefers.combined(reference.traits)
    reference.takes = repeat(reference.takes, times.least, times.most)
    reference.least, reference.most = times.least, times.most
    return reference


def _repeated(atom: Node, times: _Quantifier) -> Node:
    """A part that has to be taken apart, so many times."""
    least, most, prefers = times.least, times.most, times.prefers
    takes = repeat(atom.takes, least, most)
    traits = prefers.combined(atom.traits)
    own = atom.traits & (Traits.LONGER | Traits.SHORTER | Traits.MIXED)
    if least == most == 1 and (not prefers or not own or prefers == own):
        return atom
    if not atom.traits & (Traits.CAPTURES | Traits.REFERS):
        return Node(Shape.LEAF, traits, takes)
    if least > 0 and not atom.traits & Traits.REFERS:
        # Only what the last time captures counts, so the times before are a leaf.
        before = repeat(atom.takes, least - 1, most - 1)
        return _pair(traits, Node(Shape.LEAF, traits.preference, before), atom)
    return Node(Shape.TIMES, traits, takes, (atom,), least=least, most=most)
