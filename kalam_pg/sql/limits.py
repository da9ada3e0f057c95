"""What a message may be before anything recursive reads it (security.md, "Protocol and SQL").

Measured: 20 000 OR terms or UNIONs end the engine with SIGSEGV, and a recursive reader meets Python's
recursion limit at a few hundred nested parentheses. So size, depth and counts are checked on the tokens.
"""

from catalog.errors import StatementTooComplexError
from kalam_pg.sql.lexer import Token
from storage.errors import KeyTooLongError

TEXT_MAX = 1 << 20
"""Bytes of SQL text in one message."""

BRACKETS_MAX = 64
"""Brackets of all kinds (and CASE) inside one another."""

SET_OPERATIONS_MAX = 50
"""UNION, INTERSECT and EXCEPT in one statement."""

DEPTH_MAX = 300
"""Levels of an expression's tree: `a + b + c` has three, of OR and AND any number has one. Far below what
an engine survives."""

TERMS_MAX = 10_000
"""ANDs and ORs in one statement: the engine plans 5000 in some seconds, and ends over 20 000."""

PREFIXES_MAX = 64
"""Operators directly behind one another (NOT NOT …, - - …): each is a level of recursion."""

_CHAINED = frozenset(("and", "or"))
_OPENING = frozenset(("(", "[", "case"))
_CLOSING = frozenset((")", "]", "end"))
_SET_OPERATIONS = frozenset(("union", "intersect", "except"))
_WORDS = frozenset(("not", "is", "like", "ilike", "in", "between", "join", "collate"))
_NEUTRAL = frozenset((",", ";", ".", "(", ")", "[", "]", ":", "*"))


class _Level:
    """How deep the tree of one bracket's expression is: whether it has ORs, and ANDs between them, the
    most other operators between two of those, and the deepest bracket closed in it.
    """

    __slots__ = ("ands", "ands_max", "deepest", "inner", "ops", "ops_max", "ors")

    def __init__(self) -> None:
        self.deepest = 0
        self.ors = self.ands = self.ops = self.ands_max = self.ops_max = self.inner = 0

    def next_item(self) -> None:
        """A comma: what follows is another expression."""
        if not (self.ors or self.ands_max or self.ops_max or self.inner):
            return
        self.deepest = max(self.deepest, self.depth())
        self.ors = self.ands = self.ops = self.ands_max = self.ops_max = self.inner = 0

    def depth(self) -> int:
        """Of the expression so far."""
        return self.ors + self.ands_max + self.ops_max + self.inner

    def count(self, key: str) -> None:
        """Take one more operator."""
        if key == "or":
            self.ors = 1
            self.ands = self.ops = 0
        elif key == "and":
            self.ands = self.ands_max = 1
            self.ops = 0
        else:
            self.ops += 1
            self.ops_max = max(self.ops_max, self.ops)


def check_text(text: str) -> None:
    """Refuse text beyond TEXT_MAX (54000)."""
    if len(text) * 4 > TEXT_MAX:
        check_size(len(text.encode("utf-8", "replace")))


def check_size(size: int) -> None:
    """Refuse text of more bytes than TEXT_MAX (54000)."""
    if size > TEXT_MAX:
        raise KeyTooLongError(
            "query text exceeds the maximum length",
            detail=f"A message may hold at most {TEXT_MAX} bytes of SQL.",
        )


def check_tokens(tokens: list[Token]) -> None:
    """Refuse statements that are nested too deeply or combine too much (54001)."""
    levels = [_Level()]
    below = [0]  # for each level the depth of those around it
    set_operations = prefixes = terms = 0
    for token in tokens:
        key = token.key
        if not key:
            prefixes = 0
            continue
        level = levels[-1]
        if key in ("or", "and") or key in _WORDS or (token.kind == "op" and key not in _NEUTRAL):
            level.count(key)
            prefixes += 1
            terms += key in _CHAINED
            if terms > TERMS_MAX:
                raise _too_complex(f"At most {TERMS_MAX} terms of AND and OR are allowed.", token)
            if below[-1] + level.depth() > DEPTH_MAX or prefixes > PREFIXES_MAX:
                raise _too_complex("Expressions are nested too deeply.", token)
            continue
        prefixes = 0
        if key in _OPENING:
            below.append(below[-1] + level.ors + level.ands + level.ops + 1)
            levels.append(_Level())
            if len(levels) > BRACKETS_MAX + 1:
                raise _too_complex(f"Brackets may be nested {BRACKETS_MAX} levels deep.", token)
        elif key in _CLOSING:
            if len(levels) > 1:
                closed = levels.pop()
                below.pop()
                depth = max(closed.deepest, closed.depth()) + 1
                levels[-1].inner = max(levels[-1].inner, depth)
        elif key == ",":
            level.next_item()
        elif key == ";":
            levels, below, set_operations, terms = [_Level()], [0], 0, 0
        elif key in _SET_OPERATIONS:
            set_operations += 1
            level.next_item()
            if set_operations > SET_OPERATIONS_MAX:
                detail = f"At most {SET_OPERATIONS_MAX} set operations are allowed."
                raise _too_complex(detail, token)


def _too_complex(detail: str, token: Token) -> StatementTooComplexError:
    return StatementTooComplexError(
        "stack depth limit exceeded", detail=detail, position=token.start + 1
    )
