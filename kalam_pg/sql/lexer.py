"""Text to tokens, by PostgreSQL's lexical rules (manual, "Lexical Structure"), with its error words.

sqlglot's tokenizer is not used: it joins words ("GROUP BY"), swallows the rest of some statements,
knows other dialects' quotes and comments, and reports no PostgreSQL error.
"""

import re
from typing import NamedTuple, NoReturn

from catalog.errors import InvalidEscapeSequenceError, SqlSyntaxError
from catalog.types.text import decode_utf8
from kalam_pg.sql.listings import first_row_end, list_end, rows_end

LONG_CHARS = 16_384
"""In longer texts a list of IN, and a row of VALUES or all of them, may be one token."""

NAME_BYTES = 63
"""Longer names are cut, as PostgreSQL cuts them (NAMEDATALEN - 1)."""


class Token(NamedTuple):
    """One token.

    kind: word | name (quoted) | string | number | junk | param | op | bits | hex | row | list | rows |
        end. Junk is a
        number with letters behind it: KalamDB's durations (`300s`); everywhere else an error.
        A row (numbers and parameters in parentheses), a list and rows (`listings`) come in long texts
        only, behind VALUES and IN.
    value: of a word the folded text, of a name or string what it stands for, of a number its text,
        of a param its number's text, of an op the symbol.
    key: what the grammar compares with: the folded word or the symbol, "" for everything else.
    start, end: 0-based characters, end exclusive.
    """

    kind: str
    value: str
    key: str
    start: int
    end: int


_TOKEN = re.compile(
    r"""
    (?:[ \t\n\r\f\v]+|--[^\n\r]*)*
    (?:(?P<comment>/\*)
  | (?P<quoted>(?:[uU]&)?")
  | (?P<string>(?:[eEbBxXnN]|[uU]&)?')
  | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)
  | (?P<number>(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
  | (?P<param>\$[0-9]+)(?P<junk>[A-Za-z_\x80-\U0010ffff])?
  | (?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$)
  | (?P<mark>::|:=|\.\.|[,()\[\].;:])
  | (?P<operator>[-+*/<>=~!@\#%^&|`?]+)
  | (?P<end>\Z)
    )
    """,
    re.VERBOSE,
)
_ROW = re.compile(
    r"[ \t\n\r]*(\([ \t\n\r]*(?:\$[0-9]+|[0-9]+)(?:[ \t\n\r]*,[ \t\n\r]*(?:\$[0-9]+|[0-9]+))*[ \t\n\r]*\))"
    r"(?:[ \t\n\r]*(,)(?=[ \t\n\r]*\())?"
)
_SPACE = re.compile(r"(?:[ \t\n\r\f\v]+|--[^\n\r]*)*")
_UPPER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
# A comment is taken whole (*+): an apostrophe in one continues no string.
_JOINED = re.compile(r"(?:[ \t\f\v]|--[^\n\r]*+)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*+)*'")
_UESCAPE = re.compile(r"[ \t\n\r\f\v]*uescape[ \t\n\r\f\v]*'(.)'", re.IGNORECASE)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(
    r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([uU])|(.))",
    re.DOTALL,
)
_JUNK = re.compile(r"[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*")


def tokenize(text: str) -> list[Token]:
    """All tokens of `text`, without an end token. Raises 42601 for what is no token."""
    return _Lexer(text).run()


def end_token(at: int) -> Token:
    """The token that stands for the end of a text, `at` its length or where its terminator is."""
    return Token("end", "", "", at, at)


def fold(word: str) -> str:
    """An unquoted name as PostgreSQL folds it: ASCII letters to lower case, cut at 63 bytes."""
    return clip(word.translate(_UPPER))


def clip(name: str) -> str:
    """A name cut at 63 bytes, never inside a character."""
    if len(name) * 4 <= NAME_BYTES or len(name.encode()) <= NAME_BYTES:
        return name
    return name.encode()[:NAME_BYTES].decode(errors="ignore")


def whole_name(text: str, token: Token) -> str:
    """A word or quoted name of `text` as it was before it was cut at 63 bytes."""
    if token.kind == "word":
        return text[token.start : token.end].translate(_UPPER)
    opening = text.index('"', token.start) + 1
    lexer = _Lexer(text)
    lexer.at = opening
    return lexer.quoted_name(token.start, text[token.start : opening])


_new = tuple.__new__  # What a NamedTuple's own constructor calls, at twice the cost.


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tokens: list[Token] = []
        self._second_row: int | None = None

    def run(self) -> list[Token]:
        text, size, tokens = self.text, len(self.text), self.tokens
        long = size > LONG_CHARS
        while self.at < size:
            begun = self.at
            for match in _TOKEN.finditer(text, begun):
                start, end = match.span(match.lastgroup or 0)
                if match.start() != self.at:
                    raise self._no_token()
                self.at = end
                match match.lastgroup:
                    case "mark":
                        symbol = text[start:end]
                        tokens.append(_new(Token, ("op", symbol, symbol, start, end)))
                        if long and symbol == "(" and self._listed():
                            break
                    case "param":
                        value = text[start + 1 : end]
                        tokens.append(_new(Token, ("param", value, "", start, end)))
                    case "word":
                        folded = fold(text[start:end])
                        tokens.append(_new(Token, ("word", folded, folded, start, end)))
                    case kind:
                        if self._other(kind or "", start, end):
                            break
            if self.at == begun:
                raise self._no_token()
        return tokens

    def _listed(self) -> bool:
        """A long list, of IN or the rows of VALUES, as one token. Whether the text goes on elsewhere."""
        tokens = self.tokens
        if len(tokens) < 2:
            return False
        before, at = tokens[-2].key, tokens[-1].start
        if before == "in":
            kind, end = "list", list_end(self.text, at)
        elif before == "values" or at == self._second_row:
            kind, end = "rows", rows_end(self.text, at)
        else:
            return False
        if end is not None:
            tokens[-1] = _new(Token, (kind, self.text[at:end], "", at, end))
            self.at = end
            return True
        if before != "values":
            return False
        self._second_row = first_row_end(self.text, at)
        return self._rows()

    def _rows(self) -> bool:
        """Rows of VALUES that hold nothing but numbers and parameters, as a token each."""
        tokens = self.tokens
        if len(tokens) < 2 or tokens[-2].key != "values":
            return False
        opening = tokens.pop()
        at, text = opening.start, self.text
        while (row := _ROW.match(text, at)) is not None:
            tokens.append(_new(Token, ("row", row[1], "", row.start(1), row.end(1))))
            at = row.end()
            if row[2] is None:
                self.at = row.end(1)
                return True
            comma = row.start(2)
            tokens.append(_new(Token, ("op", ",", ",", comma, comma + 1)))
        self.at = at
        if at == opening.start:
            tokens.append(opening)
            self.at = opening.end
        return True

    def _no_token(self) -> SqlSyntaxError:
        """42601 at what begins no token, behind spaces and comments."""
        match = _SPACE.match(self.text, self.at)
        start = self.at if match is None else match.end()
        return SqlSyntaxError(f'syntax error at or near "{self.text[start]}"', position=start + 1)

    def _other(self, kind: str, start: int, end: int) -> bool:
        """A token of another kind. Whether it ends elsewhere than at `end`."""
        opening = self.text[start:end]
        match kind:
            case "number":
                self._number(start, end)
            case "operator":
                self._operator(start, opening)
            case "comment":
                self._comment(start)
            case "quoted":
                self._name(start, opening)
            case "string":
                self._string(start, opening)
            case "dollar":
                self._dollar(start, opening)
            case "junk":
                raise SqlSyntaxError(
                    f'trailing junk after parameter at or near "{self._parameter(start)}"',
                    position=self.text.rindex("$", 0, start) + 1,
                )
            case _:
                pass  # The end of the text.
        return self.at != end

    def _add(self, kind: str, value: str, start: int) -> None:
        self.tokens.append(Token(kind, value, "", start, self.at))

    def _fail(self, what: str, start: int) -> NoReturn:
        raise SqlSyntaxError(f'{what} at or near "{self.text[start:]}"', position=start + 1)

    def _number(self, start: int, end: int) -> None:
        junk = _JUNK.match(self.text, end)
        if junk is not None:
            self.at = junk.end()
            self._add("junk", self.text[start : self.at], start)
            return
        self.tokens.append(Token("number", self.text[start:end], "", start, end))

    def _parameter(self, junk: int) -> str:
        """A parameter up to the first character of the junk behind it."""
        return self.text[self.text.rindex("$", 0, junk) : junk + 1]

    def _operator(self, start: int, symbol: str) -> None:
        """Cut a run of operator characters where a comment begins, and drop a trailing + or -
        unless another character makes that a legal ending (manual, "Operators").
        """
        for opening in ("--", "/*"):
            cut = symbol.find(opening)
            if cut > 0:
                symbol = symbol[:cut]
        while len(symbol) > 1 and symbol[-1] in "+-" and not re.search(r"[~!@#%^&|`?]", symbol):
            symbol = symbol[:-1]
        self.at = start + len(symbol)
        value = "<>" if symbol == "!=" else symbol
        self.tokens.append(Token("op", value, value, start, self.at))

    def _comment(self, start: int) -> None:
        depth = 1
        mark = re.compile(r"/\*|\*/")
        while depth:
            found = mark.search(self.text, self.at)
            if found is None:
                self._fail("unterminated /* comment", start)
            depth += 1 if found[0] == "/*" else -1
            self.at = found.end()

    def _body(self, quote: str, start: int, what: str) -> str:
        """What stands between quotes, doubled ones still doubled; self.at goes behind it."""
        text, begin, at = self.text, self.at, self.at
        while True:
            at = text.find(quote, at)
            if at < 0:
                self._fail(what, start)
            if text.startswith(quote, at + 1):
                at += 2
                continue
            self.at = at + 1
            return text[begin:at]

    def _name(self, start: int, opening: str) -> None:
        self._add("name", clip(self.quoted_name(start, opening)), start)

    def quoted_name(self, start: int, opening: str) -> str:
        """What stands in "…" from here; `start` is where its opening began."""
        name = self._body('"', start, "unterminated quoted identifier").replace('""', '"')
        if not name:
            raise SqlSyntaxError(
                'zero-length delimited identifier at or near """"', position=start + 1
            )
        if len(opening) > 1:
            name = self._unicode(name, start)
        return name

    def _string(self, start: int, opening: str) -> None:
        prefix = opening[:-1].lower()
        unterminated = {
            "b": "unterminated bit string literal",
            "x": "unterminated hexadecimal string literal",
        }.get(prefix, "unterminated quoted string")
        parts = []
        while True:
            if prefix == "e":
                parts.append(self._escaped(start))
            else:
                parts.append(self._body("'", start, unterminated).replace("''", "'"))
            joined = _JOINED.match(self.text, self.at)
            if joined is None:
                break
            self.at = joined.end()
        value = "".join(parts)
        if prefix == "u&":
            value = self._unicode(value, start)
        self._add({"b": "bits", "x": "hex"}.get(prefix, "string"), value, start)

    def _dollar(self, start: int, tag: str) -> None:
        begin = self.at
        end = self.text.find(tag, begin)
        if end < 0:
            self._fail("unterminated dollar-quoted string", start)
        self.at = end + len(tag)
        self._add("string", self.text[begin:end], start)

    def _escaped(self, start: int) -> str:
        """The body of E'…', decoded."""
        text, at, parts = self.text, self.at, [""]
        while True:
            stop = at
            while stop < len(text) and text[stop] not in "'\\":
                stop += 1
            parts.append(text[at:stop])
            if stop >= len(text):
                self._fail("unterminated quoted string", start)
            if text[stop] == "'":
                if not text.startswith("'", stop + 1):
                    self.at = stop + 1
                    break
                parts.append("'")
                at = stop + 2
                continue
            found = _ESCAPE.match(text, stop)
            if found is None:
                self._fail("unterminated quoted string", start)
            character, at = self._escape(found)
            parts.append(character)
        # Octal and hexadecimal escapes are bytes of UTF-8, kept as lone surrogates until here.
        return decode_utf8("".join(parts).encode("utf-8", "surrogateescape"))

    def _escape(self, found: re.Match[str]) -> tuple[str, int]:
        """The character of an escape, and where the text goes on."""
        octal, hexadecimal, four, eight, incomplete, other = found.groups()
        if incomplete:
            raise InvalidEscapeSequenceError(
                "invalid Unicode escape",
                hint=r"Unicode escapes must be \uXXXX or \UXXXXXXXX.",
                position=found.start() + 1,
            )
        if octal or hexadecimal:
            byte = (int(octal, 8) & 0xFF) if octal else int(hexadecimal, 16)
            return chr(byte) if byte < 0x80 else chr(0xDC00 + byte), found.end()
        if not (four or eight):
            return _ESCAPES.get(other, other), found.end()
        character = _character(found, four or eight)
        if not "\ud800" <= character <= "\udfff":
            return character, found.end()
        low = _ESCAPE.match(self.text, found.end())
        digits = low and (low[3] or low[4])
        if low is None or not digits:
            raise _bad_pair(found.start())
        pair = character + _character(low, digits)
        return _paired(pair, found.start()), low.end()

    def _unicode(self, value: str, start: int) -> str:
        r"""Decode the \XXXX and \+XXXXXX of U&'' and U&"", with UESCAPE's character if given."""
        escape = "\\"
        given = _UESCAPE.match(self.text, self.at)
        if given is not None:
            escape = given[1]
            if escape in "+'\" \t\n" or escape in "0123456789abcdefABCDEF":
                raise SqlSyntaxError(
                    f"invalid Unicode escape character at or near \"'{escape}'\"",
                    position=given.start(1),
                )
            self.at = given.end()
        quoted = re.escape(escape)
        pattern = re.compile(
            rf"{quoted}(?:({quoted})|\+([0-9A-Fa-f]{{6}})|([0-9A-Fa-f]{{4}})|(?=(.?)))", re.DOTALL
        )

        def decode(found: re.Match[str]) -> str:
            if found[1]:
                return escape
            digits = found[2] or found[3]
            if not digits:
                raise SqlSyntaxError(
                    "invalid Unicode escape",
                    hint=r"Unicode escapes must be \XXXX or \+XXXXXX.",
                    position=start + 4 + found.start(),
                )
            code = int(digits, 16)
            if not 0 < code <= _LAST_CHARACTER:
                raise _bad_value(start + 4 + found.start())
            return chr(code)

        return _paired(pattern.sub(decode, value), start)


def _paired(text: str, start: int) -> str:
    """The text with each pair of surrogates as its one character."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise _bad_pair(start) from None


def _bad_pair(start: int) -> SqlSyntaxError:
    return SqlSyntaxError("invalid Unicode surrogate pair", position=start + 1)


_LAST_CHARACTER = 0x10FFFF


def _character(escape: re.Match[str], digits: str) -> str:
    r"""The character of \uXXXX or \UXXXXXXXX in E'…'."""
    code = int(digits, 16)
    if not 0 < code <= _LAST_CHARACTER:
        raise _bad_value(escape.start() + 1, f' at or near "{escape[0]}"')
    return chr(code)


def _bad_value(position: int, place: str = "") -> SqlSyntaxError:
    return SqlSyntaxError(f"invalid Unicode escape value{place}", position=position)
