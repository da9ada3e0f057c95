"""jsonpath's grammar (PostgreSQL's manual, 9.16.2; jsonpath_gram.y), read by recursive descent."""

import re
from dataclasses import dataclass

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidTextRepresentationError,
    NumericValueOutOfRangeError,
    SqlSyntaxError,
    UntranslatableCharacterError,
)
from catalog.types.jsonpath_nodes import (
    LAST_LEVEL,
    Accessor,
    AnyElement,
    AnyMember,
    Binary,
    Descend,
    Elements,
    Filter,
    LikeRegex,
    Literal,
    Member,
    Method,
    Node,
    Path,
    Start,
    Steps,
    Unary,
    Variable,
    is_predicate,
)
from catalog.types.numeric import parse_numeric

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\n\r\f]+|/\*(?:[^*]|\*(?!/))*\*/)
    |(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<variable>\$(?:"(?:[^"\\]|\\.)*"|(?:[^\s?%$.\[\]{}()|&!=<>@\#,*:\-+/\\"]|\\u\{[0-9A-Fa-f]+\}|\\.)+))
    |(?P<number>(?:0|[1-9]\d*)?\.\d+(?:[eE][+-]?\d+)?|(?:0|[1-9]\d*)\.?(?:[eE][+-]?\d+)?)
    |(?P<mark>\*\*|&&|\|\||==|!=|<>|<=|>=|[$@?%.\[\]{}()!=<>\#,*:\-+/])
    |(?P<word>(?:[^\s?%$.\[\]{}()|&!=<>@\#,*:\-+/\\"]|\\u\{[0-9A-Fa-f]+\}|\\.)+)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|(.))", re.DOTALL
)
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_COMPARISONS = {
    "==": "==",
    "=": "==",
    "!=": "<>",
    "<>": "<>",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
_METHODS = frozenset(("type", "size", "double", "ceiling", "floor", "abs", "keyvalue", "datetime"))
_DEPTH_MAX = 100
_INT_DIGITS, _INT_MAX = 10, 2**31 - 1


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def parse_path(text: str) -> Path:
    """Return a jsonpath taken apart.

    Raises:
        SqlSyntaxError: 42601.
        InvalidTextRepresentationError: 22P02, it is empty.
        FeatureNotSupportedError: 0A000, nested more deeply than is supported.
    """
    reader = _Reader(_tokens(text))
    if reader.kind == "end":
        raise InvalidTextRepresentationError(f'invalid input syntax for type jsonpath: "{text}"')
    strict = reader.accept_word("strict")
    if not strict:
        reader.accept_word("lax")
    root = reader.disjunction()
    if reader.kind != "end":
        reader.fail()
    return Path(strict, root)


def _tokens(text: str) -> list[_Token]:
    found = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise SqlSyntaxError(f'syntax error at or near "{text[at:]}" of jsonpath input')
        kind = match.lastgroup or ""
        at = match.end()
        if kind == "number" and re.match(r"[A-Za-z_]", text[at : at + 1]):
            raise SqlSyntaxError(
                f'trailing junk after numeric literal at or near "{match[0]}{text[at]}" of '
                "jsonpath input"
            )
        if kind != "blank":
            found.append(_Token(kind, match[0]))
    return [*found, _Token("end", "")]


_LONE = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")
"""Half of a surrogate pair."""

_UNREAD = re.compile(r"\\u(?:\{[0-9A-Fa-f]{0,6}|[0-9A-Fa-f]{0,3})")


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match[4] == "u":
            unread = _UNREAD.match(text, match.start())
            assert unread is not None
            raise SqlSyntaxError(
                f'invalid unicode sequence at or near "{unread[0]}" of jsonpath input'
            )
        code = match[1] or match[2] or match[3]
        return chr(int(code, 16)) if code else _CONTROLS.get(match[4], match[4])

    plain = _ESCAPE.sub(one, text)
    if "\0" in plain:
        raise UntranslatableCharacterError(
            "unsupported Unicode escape sequence", detail="\\u0000 cannot be converted to text."
        )
    if _LONE.search(plain) is not None:
        raise _lone(plain)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16")


def _lone(text: str) -> InvalidTextRepresentationError:
    """What is said of half of a surrogate pair."""
    twice = _LONE.search(text)
    assert twice is not None
    both = (
        "\ud800" <= twice[0] < "\udc00"
        and "\ud800" <= text[twice.end() : twice.end() + 1] < "\udc00"
    )
    return InvalidTextRepresentationError(
        "invalid input syntax for type jsonpath",
        detail="Unicode high surrogate must not follow a high surrogate."
        if both
        else "Unicode low surrogate must follow a high surrogate.",
    )


class _Reader:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.filters = 0
        self.subscripts = 0

    @property
    def kind(self) -> str:
        return self.tokens[self.at].kind

    @property
    def text(self) -> str:
        return self.tokens[self.at].text

    def fail(self) -> "SqlSyntaxError":
        if self.kind == "end":
            raise SqlSyntaxError("syntax error at end of jsonpath input")
        raise SqlSyntaxError(f'syntax error at or near "{self.text}" of jsonpath input')

    def accept(self, mark: str) -> bool:
        if self.kind == "mark" and self.text == mark:
            self.at += 1
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.accept(mark):
            self.fail()

    def accept_word(self, word: str, *, exact: bool = False) -> bool:
        if self.kind == "word" and (self.text if exact else self.text.lower()) == word:
            self.at += 1
            return True
        return False

    # ------------------------------------------------------------------ expressions

    def disjunction(self) -> Node:
        self.depth += 1
        if self.depth > _DEPTH_MAX:
            raise FeatureNotSupportedError("a jsonpath nested so deeply is not supported")
        left = self.conjunction()
        while self.kind == "mark" and self.text == "||":
            self.check(left, predicate=True)
            self.at += 1
            left = Binary("||", left, self.check(self.conjunction(), predicate=True))
        self.depth -= 1
        return left

    def conjunction(self) -> Node:
        left = self.comparison()
        while self.kind == "mark" and self.text == "&&":
            self.check(left, predicate=True)
            self.at += 1
            left = Binary("&&", left, self.check(self.comparison(), predicate=True))
        return left

    def check(self, node: Node, *, predicate: bool) -> Node:
        """Refuse a predicate where a value must stand, and the other way round."""
        if is_predicate(node) is not predicate:
            self.fail()
        return node

    def comparison(self) -> Node:
        if self.accept("!"):
            return Unary("!", self.check(self.delimited(), predicate=True))
        left = self.sum()
        symbol = _COMPARISONS.get(self.text) if self.kind == "mark" else None
        if symbol is not None:
            self.check(left, predicate=False)
            self.at += 1
            return Binary(symbol, left, self.check(self.sum(), predicate=False))
        if self.kind != "word":
            return left
        if self.accept_word("starts"):
            self.check(left, predicate=False)
            if not self.accept_word("with"):
                self.fail()
            if self.kind not in ("string", "variable"):
                self.fail()
            return Binary("starts with", left, self.primary())
        if self.accept_word("like_regex"):
            return self.like_regex(self.check(left, predicate=False))
        return left

    def delimited(self) -> Node:
        if self.accept_word("exists"):
            return self.exists()
        self.expect("(")
        inner = self.disjunction()
        self.expect(")")
        return inner

    def exists(self) -> Node:
        self.expect("(")
        inner = self.check(self.disjunction(), predicate=False)
        self.expect(")")
        return Unary("exists", inner)

    def like_regex(self, operand: Node) -> Node:
        if self.kind != "string":
            self.fail()
        pattern = self.string()
        flags = ""
        if self.accept_word("flag"):
            if self.kind != "string":
                self.fail()
            asked = self.string()
            for flag in asked:
                if flag not in "ismxq":
                    raise SqlSyntaxError(
                        "invalid input syntax for type jsonpath",
                        detail=f'Unrecognized flag character "{flag}" in LIKE_REGEX predicate.',
                    )
            flags = "".join([flag for flag in "ismxq" if flag in asked])
            if "x" in flags and "q" not in flags:
                raise FeatureNotSupportedError(
                    'XQuery "x" flag (expanded regular expressions) is not implemented'
                )
        return LikeRegex(operand, pattern, flags)

    def sum(self) -> Node:
        left = self.product()
        while self.kind == "mark" and self.text in "+-":
            self.check(left, predicate=False)
            symbol = self.text
            self.at += 1
            left = Binary(symbol, left, self.check(self.product(), predicate=False))
        return left

    def product(self) -> Node:
        left = self.signed()
        while self.kind == "mark" and self.text in ("*", "/", "%"):
            self.check(left, predicate=False)
            symbol = self.text
            self.at += 1
            left = Binary(symbol, left, self.check(self.signed(), predicate=False))
        return left

    def signed(self) -> Node:
        for sign in "+-":
            if self.accept(sign):
                operand = self.check(self.signed(), predicate=False)
                if isinstance(operand, Literal) and operand.kind == "numeric":
                    text = str(operand.value)
                    if sign == "+":
                        return operand
                    return Literal("numeric", text[1:] if text[0] == "-" else "-" + text)
                return Unary(sign, operand)
        return self.accessed()

    def accessed(self) -> Node:
        start = self.primary()
        accessors: list[Accessor] = []
        while (accessor := self.accessor()) is not None:
            accessors.append(accessor)
        return Steps(start, tuple(accessors)) if accessors else start

    def primary(self) -> Node:
        kind, text = self.kind, self.text
        if kind == "string":
            return Literal("string", self.string())
        self.at += 1
        if kind == "number":
            return Literal("numeric", parse_numeric(text.removesuffix(".")))
        if kind == "variable":
            name = text[1:]
            return Variable(_unescaped(name[1:-1] if name.startswith('"') else name))
        if kind == "mark" and text == "$":
            return Start("$")
        if kind == "mark" and text == "@":
            if not self.filters:
                raise SqlSyntaxError("@ is not allowed in root expressions")
            return Start("@")
        if kind == "mark" and text == "(":
            return self.parenthesised()
        if kind == "word" and text in ("true", "false"):
            return Literal("bool", text == "true")
        if kind == "word" and text == "null":
            return Literal("null", None)
        if kind == "word" and text.lower() == "exists":
            return self.exists()
        if kind == "word" and text.lower() == "last":
            if not self.subscripts:
                raise SqlSyntaxError("LAST is allowed only in array subscripts")
            return Start("last")
        self.at -= 1
        raise self.fail()

    def parenthesised(self) -> Node:
        inner = self.disjunction()
        self.expect(")")
        if self.accept_word("is"):
            self.check(inner, predicate=True)
            if not self.accept_word("unknown"):
                self.fail()
            return Unary("is unknown", inner)
        return inner

    def string(self) -> str:
        text = self.text[1:-1]
        self.at += 1
        return _unescaped(text)

    # ------------------------------------------------------------------ accessors

    def accessor(self) -> Accessor | None:
        if self.accept("."):
            return self.behind_dot()
        if self.accept("["):
            return self.subscript()
        if self.accept("?"):
            self.expect("(")
            self.filters += 1
            predicate = self.check(self.disjunction(), predicate=True)
            self.filters -= 1
            self.expect(")")
            return Filter(predicate)
        return None

    def behind_dot(self) -> Accessor:
        if self.accept("**"):
            return self.levels()
        if self.accept("*"):
            return AnyMember()
        if self.kind == "string":
            return Member(self.string())
        if self.kind == "variable" or self.kind != "word":
            self.fail()
        word = self.text
        self.at += 1
        if self.kind == "mark" and self.text == "(" and word.lower() in _METHODS:
            self.at += 1
            template = None
            if word.lower() == "datetime" and self.kind == "string":
                template = self.string()
            self.expect(")")
            return Method(word.lower(), template)
        return Member(_unescaped(word))

    def levels(self) -> Descend:
        if not self.accept("{"):
            return Descend(0, LAST_LEVEL)
        first = self.level()
        last = self.level() if self.accept_word("to") else first
        self.expect("}")
        return Descend(first, last)

    def level(self) -> int:
        if self.accept_word("last"):
            return LAST_LEVEL
        if self.kind != "number" or not self.text.isdigit():
            self.fail()
        if len(digits := self.text.lstrip("0") or "0") > _INT_DIGITS or int(digits) > _INT_MAX:
            raise NumericValueOutOfRangeError(
                f'value "{self.text}" is out of range for type integer'
            )
        self.at += 1
        return int(digits)

    def subscript(self) -> Accessor:
        if self.accept("*"):
            self.expect("]")
            return AnyElement()
        self.subscripts += 1
        ranges = []
        while True:
            first = self.check(self.disjunction(), predicate=False)
            last = None
            if self.accept_word("to"):
                last = self.check(self.disjunction(), predicate=False)
            ranges.append((first, last))
            if not self.accept(","):
                break
        self.subscripts -= 1
        self.expect("]")
        return Elements(tuple(ranges))
