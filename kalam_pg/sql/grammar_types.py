"""The grammar of type names (gram.y's Typename), to `TypeName`."""

from dataclasses import replace
from typing import NoReturn

from catalog.errors import FeatureNotSupportedError, InvalidParameterValueError
from kalam_pg.sql.keywords import NOT_A_FUNCTION
from kalam_pg.sql.statements import TypeName
from kalam_pg.sql.token_reader import TokenReader

_PLAIN = {
    "int": "int4",
    "integer": "int4",
    "smallint": "int2",
    "bigint": "int8",
    "real": "float4",
    "boolean": "bool",
}
_NUMERIC = ("decimal", "dec", "numeric")
_CHARACTER = ("character", "char", "nchar", "national", "varchar")
TYPE_KEYWORDS = frozenset(
    (*_PLAIN, *_NUMERIC, *_CHARACTER, "float", "bit", "time", "timestamp", "interval")
)
"""Words that begin a type by the grammar itself; all of them may name a column too."""

FULL_RANGE = 0x7FFF
"""An interval without restricted fields (datetime.h, INTERVAL_FULL_RANGE)."""

_FIELDS = {"year": 4, "month": 2, "day": 8, "hour": 1 << 10, "minute": 1 << 11, "second": 1 << 12}
_SPANS = {
    "year": ("month",),
    "day": ("hour", "minute", "second"),
    "hour": ("minute", "second"),
    "minute": ("second",),
}
_ORDER = tuple(_FIELDS)


class TypeGrammar(TokenReader):
    """Reads type names."""

    def type_name(self) -> TypeName:
        """Typename: a type with its modifiers and array bounds."""
        if self.at("setof"):
            self.unsupported("SETOF")
        written = self.simple_type()
        dimensions = 0
        if self.accept("array"):
            dimensions = 1
            if self.accept("["):
                self.integer()
                self.expect("]")
        while self.at("["):
            self.advance()
            if not self.at("]"):
                self.integer()
            self.expect("]")
            dimensions += 1
        return replace(written, dimensions=dimensions) if dimensions else written

    def simple_type(self) -> TypeName:
        """SimpleTypename: without array bounds."""
        position = self.token.start + 1
        word = self.token.key
        if word in TYPE_KEYWORDS:
            self.advance()
            return self._keyword_type(word, position)
        if word == "double" and self.peek().key == "precision":
            self.advance()
            self.advance()
            return TypeName("float8", position=position)
        return self._generic_type(position)

    def _keyword_type(self, word: str, position: int) -> TypeName:
        if word in _PLAIN:
            return TypeName(_PLAIN[word], position=position)
        if word in _NUMERIC:
            return TypeName("numeric", self._modifiers(), position=position)
        if word in _CHARACTER:
            return self._character(word, position)
        if word == "float":
            return TypeName(self._float(), position=position)
        if word == "bit":
            name = "varbit" if self.accept("varying") else "bit"
            modifiers = self._modifiers()
            return TypeName(name, modifiers or ((1,) if name == "bit" else ()), position=position)
        if word == "interval":
            return TypeName("interval", self.interval_fields(), position=position)
        modifiers = self._modifiers()
        zone = self._time_zone()
        return TypeName(f"{word}tz" if zone else word, modifiers, position=position)

    def _character(self, word: str, position: int) -> TypeName:
        if word == "national" and not (self.accept("character") or self.accept("char")):
            self.fail()
        varying = word == "varchar" or self.accept("varying")
        modifiers = self._modifiers()
        if varying:
            return TypeName("varchar", modifiers, position=position)
        return TypeName("bpchar", modifiers or (1,), position=position)

    def _float(self) -> str:
        if not self.at("("):
            return "float8"
        token = self.advance()
        bits = self.integer()
        self.expect(")")
        if bits < 1:
            raise InvalidParameterValueError(
                "precision for type float must be at least 1 bit", position=self.position(token)
            )
        if bits > 53:
            raise InvalidParameterValueError(
                "precision for type float must be less than 54 bits",
                position=self.position(token),
            )
        return "float4" if bits <= 24 else "float8"

    def _time_zone(self) -> bool:
        if self.accept("with", "time", "zone"):
            return True
        self.accept("without", "time", "zone")
        return False

    def interval_fields(self) -> tuple[int, ...]:
        """What may follow INTERVAL: (p), or fields with SECOND(p). () when nothing does."""
        if self.at("("):
            return (FULL_RANGE, *self._modifiers())
        if not self.at(*_FIELDS):
            return ()
        first = self.advance().key
        last = first
        if self.accept("to"):
            last = self.token.key
            if last not in _SPANS.get(first, ()):
                self.fail()
            self.advance()
        low, high = _ORDER.index(first), _ORDER.index(last)
        mask = sum(_FIELDS[name] for name in _ORDER[low : high + 1])
        if last == "second" and self.at("("):
            return (mask, *self._modifiers())
        return (mask,)

    def _generic_type(self, position: int) -> TypeName:
        first = self.name_except(NOT_A_FUNCTION)
        schema = ""
        while self.accept("."):
            schema, first = first, self.label()
        return TypeName(first, self._modifiers(), position=position, schema=schema)

    def _modifiers(self) -> tuple[int, ...]:
        """( integer, … ), or nothing."""
        if not self.at("("):
            return ()
        return tuple(self.parenthesised(self._modifier))

    def _modifier(self) -> int:
        if self.token.kind in ("string", "word", "name"):
            self._no_type_argument()
        return self.signed_integer()

    def _no_type_argument(self) -> NoReturn:
        raise FeatureNotSupportedError(
            "type modifiers must be integers", position=self.position(self.token)
        )
