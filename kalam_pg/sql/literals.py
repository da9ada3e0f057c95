"""The shape of a simple-protocol statement: its text with the literals in value positions taken out.

Drivers that bind on the client send a new text for every row; parsing each costs some 100 us, its shape
under 10. Two texts of one shape differ only in values that could as well be parameters, so they share a
plan. Only what surely is such a value is taken out: an item of VALUES, or the right side of a comparison
or of SET x =, with nothing attached to it. Everything else stays in the key; anything that this
scanner does not fully understand (comments, dollar quotes, E'', several statements) has no shape.
"""

import re
from dataclasses import dataclass

from catalog.memo import kept


@dataclass(frozen=True, slots=True)
class Shape:
    """A statement without its values.

    key: the text, with a mark for each value that tells its lexical class: equal keys, equal plans.
    values: what was taken out, in order: numbers as written (with sign), strings decoded.
    classes: one letter a value: "i" int4, "I" int8, "n" numeric (as PostgreSQL types the literal),
        "s" string (of unknown type). `text` is the statement with `$1`, `$2` … for the values.
    """

    key: str
    values: tuple[str, ...]
    classes: str

    @property
    def text(self) -> str:
        """The statement with parameters for the values."""
        parts = self.key.split("\0")
        numbered = (f"${at}{part[1:]}" for at, part in enumerate(parts[1:], 1))
        return parts[0] + "".join(numbered)


VALUES_MAX = 100
"""More literals than this are a bulk load: keys of that length would only fill the cache."""

TEXT_MAX = 16384
"""Characters; for longer texts parsing is not what costs."""

# Quoted names (kept), strings, numbers. A number inside a word, or with an exponent, is none.
_SPLIT = re.compile(r"""("[^"]*"|'[^']*(?:''[^']*)*'|-?\b\d+(?:\.\d+)?\b)""")
# In the skeleton a string is \1, a number \2, a quoted name \3. Comments, dollars, escapes, a prefix at
# a quote (E'', U&''), a number with a dot before it, a second statement:
_UNKNOWN = re.compile(r"--|/\*|[$\\]|[A-Za-z0-9_&.][\1]|[A-Za-z0-9_.][\2]|;\s*[^\s]|[\0'\"]")
_REFUSED = ("group", "distinct", "over", "union", "intersect", "except", "window")
_REFUSED_WORD = re.compile(rf"\b(?:{'|'.join(_REFUSED)})\b")
_VALUES = re.compile(r"\bvalues\s*\(")
_ROW = r"\(\s*[\1\2]\s*(?:,\s*[\1\2]\s*)*\)"
_PLAIN_ROWS = re.compile(rf"\bvalues\s*{_ROW}(?:\s*,\s*{_ROW})*\s*;?\s*\Z")
_COMPARISON = re.compile(r"(?:^|[^-+*/<>=~!@#%^&|`?:])(?:=|<>|!=|<=|>=|<|>)\s*$")
_AFTER_COMPARISON = re.compile(
    r"\s*(?:[,);]|$|and\b|or\b|order\b|limit\b|where\b|returning\b|from\b|for\b)", re.IGNORECASE
)
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)
_KINDS = frozenset(("insert", "select", "update", "delete"))
_MARK = re.compile("([\1\2\3])")
_MARKS = {"'": "\1", '"': "\3"}


def literal_shape(text: str) -> Shape | None:
    """The shape of one INSERT, SELECT, UPDATE or DELETE; None when in doubt."""
    if len(text) > TEXT_MAX or text[:6].lower() not in _KINDS:
        return None
    pieces = _SPLIT.split(text)
    if len(pieces) > 2 * VALUES_MAX or _MARK.search(text) is not None:
        return None
    literals = pieces[1::2]
    pieces[1::2] = [_MARKS.get(literal[0], "\2") for literal in literals]
    taken = _values_in("".join(pieces))
    return None if taken is None else _shape(pieces, literals, taken)


@kept(1024, 4096)
def _values_in(text: str) -> tuple[bool, ...] | None:
    """For each mark in a text whether it stands for a value; None if the text has no shape.

    Texts of one shape ask for the same again and again, and this is most of the work.
    """
    skeleton = text.lower()
    if _UNKNOWN.search(skeleton) is not None:
        return None
    if any(word in skeleton for word in _REFUSED) and _REFUSED_WORD.search(skeleton) is not None:
        return None
    pieces = _MARK.split(text)
    rows = _PLAIN_ROWS.search(skeleton)
    if rows is not None:
        kept = skeleton.count("\1", 0, rows.start()) + skeleton.count("\2", 0, rows.start())
        names = skeleton.count("\3", 0, rows.start())
        return tuple([kept == 0 and at >= names for at in range(len(pieces) // 2)])
    return tuple(_taken(pieces))


def _shape(pieces: list[str], literals: list[str], taken: tuple[bool, ...]) -> Shape:
    values: list[str] = []
    classes: list[str] = []
    for at, literal in enumerate(literals):
        if not taken[at]:
            pieces[2 * at + 1] = literal
        else:
            letter, value = classified(literal)
            pieces[2 * at + 1] = "\0" + letter
            classes.append(letter)
            values.append(value)
    return Shape("".join(pieces), tuple(values), "".join(classes))


def _taken(pieces: list[str]) -> list[bool]:
    """For each literal whether it is a value: what stands before and behind it tells."""
    taken = []
    depth = -1  # parentheses since VALUES; -1 before it
    ordered = False
    for at in range(1, len(pieces), 2):
        before = pieces[at - 1]
        if depth >= 0:
            depth += before.count("(") - before.count(")")
        elif (found := _VALUES.search(before.lower())) is not None:
            depth = before.count("(", found.start()) - before.count(")", found.start())
        ordered = ordered or _ORDER.search(before) is not None
        value = pieces[at] != "\3" and not ordered
        taken.append(value and _is_value(before, pieces[at + 1], depth))
    return taken


def _is_value(before: str, after: str, depth: int) -> bool:
    """Whether a literal between these is an item of VALUES, or alone on the right of a comparison."""
    left = before.rstrip()
    if depth == 1 and left and left[-1] in "(,":
        return after.lstrip()[:1] in (",", ")")
    return _COMPARISON.search(before) is not None and _AFTER_COMPARISON.match(after) is not None


def classified(literal: str) -> tuple[str, str]:
    """The class of a literal, as `Shape.classes` has it, and its value."""
    if literal[0] == "'":
        return "s", literal[1:-1].replace("''", "'")
    digits = literal.lstrip("-")
    if "." in digits:
        return "n", literal
    if len(digits) < 10:
        return "i", literal
    number = int(digits)
    # PostgreSQL types the digits before it applies the sign.
    return ("i" if number < 1 << 31 else "I" if number < 1 << 63 else "n"), literal
