"""Text in PostgreSQL's encodings other than the database's own, UTF8: of clients, COPY, and convert_from."""

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from catalog.errors import (
    CharacterNotInRepertoireError,
    FeatureNotSupportedError,
    InvalidParameterValueError,
    UntranslatableCharacterError,
)
from kalam_pg.functions.east_asian import CODECS
from kalam_pg.pgwire.byte_reader import bad_bytes
from storage.lazy import lazy

PIECE = 1 << 15
"""Bytes, or characters, of text in longer characters that Python converts at once, for some milliseconds:
in a thread, too, nobody else runs meanwhile."""

_OWN = {name.removeprefix("postgresql_").upper(): name for name in CODECS}


@dataclass(frozen=True)
class Encoding:
    """One of PostgreSQL's encodings.

    name: PostgreSQL's. codec: Python's; "" where there is none, so that only ASCII can be converted. valid,
    shown: patterns of a longer character, and of what errors show of one; "": every byte is a character.
    """

    name: str
    codec: str
    valid: str = ""
    shown: str = "."

    @property
    def is_plain(self) -> bool:
        """Whether nothing is converted: it is UTF8, or said to be bytes as they are."""
        return self.name in ("UTF8", "SQL_ASCII")

    @lazy
    def _is_valid(self) -> re.Pattern[bytes]:
        return re.compile(f"(?s:{self.valid or '.'})".encode("latin-1"))

    @lazy
    def _bad(self) -> re.Pattern[bytes]:
        return re.compile(f"(?s:{self.shown}|.)".encode("latin-1"))

    def decode(self, data: bytes) -> str:
        """The text that the bytes are.

        Raises:
            CharacterNotInRepertoireError: They are no text in it, or have a zero byte.
            UntranslatableCharacterError: One of its characters is none of Unicode's.
        """
        try:
            text = self._decoded(data)
        except UnicodeDecodeError as exc:
            raise self.undecodable(exc.object, exc.start) from None
        if "\0" in text:
            raise _invalid("UTF8" if self.is_plain else self.name, b"\0")
        return text

    def _decoded(self, data: bytes) -> str:
        if len(data) <= PIECE or not self.valid:
            return data.decode(self.codec or "ascii")
        read = self.reader()
        try:
            pieces = [read(data[at : at + PIECE], False) for at in range(0, len(data), PIECE)]
            return "".join([*pieces, read(b"", True)])
        except UnicodeDecodeError:
            return data.decode(self.codec or "ascii")  # It tells where in the whole it is.

    def reader(self) -> Callable[[bytes, bool], str]:
        """What reads a stream, cut anywhere: the next bytes, and whether they are the last ones.

        Raises UnicodeDecodeError, of which `undecodable` makes what is told.
        """
        return codecs.getincrementaldecoder(self.codec or "ascii")().decode

    def encode(self, text: str) -> bytes:
        """The text's bytes. Raises UntranslatableCharacterError where it lacks a character."""
        try:
            if len(text) <= PIECE or not self.valid:
                return text.encode(self.codec or "ascii")
            pieces = range(0, len(text), PIECE)
            return b"".join([text[at : at + PIECE].encode(self.codec or "ascii") for at in pieces])
        except UnicodeEncodeError as exc:
            if not self.codec:
                raise self._unsupported() from None
            raise UntranslatableCharacterError(
                f"character with byte sequence {_shown(exc.object[exc.start].encode())} in encoding "
                f'"UTF8" has no equivalent in encoding "{self.name}"'
            ) from None

    def encode_nearest(self, text: str) -> bytes:
        """The text's bytes; of a character that it lacks a "?". For text of any length, on the event loop."""
        codec = self.codec or "ascii"
        if codec not in CODECS:
            return text.encode(codec, "replace")
        lacking = {ord(one): "?" for one in set(text) if not self._has(one)}
        return text.translate(lacking).encode(codec)

    def _has(self, character: str) -> bool:
        if character > "\uffff":
            return False  # None of `CODECS` goes beyond the first plane.
        try:
            character.encode(self.codec)
        except UnicodeEncodeError:
            return False
        return True

    def undecodable(
        self, data: bytes, at: int
    ) -> CharacterNotInRepertoireError | UntranslatableCharacterError:
        """What is wrong with the character that begins at `at` of what cannot be decoded."""
        if self.is_plain:
            return _invalid("UTF8", bad_bytes(data, at))
        if not self.codec:
            raise self._unsupported()
        whole = self._is_valid.match(data, at)
        if whole is None:
            shown = self._bad.match(data, at)
            return _invalid(self.name, data[at:] if shown is None else shown[0])
        return UntranslatableCharacterError(
            f'character with byte sequence {_shown(whole[0])} in encoding "{self.name}" '
            'has no equivalent in encoding "UTF8"'
        )

    def _unsupported(self) -> FeatureNotSupportedError:
        return FeatureNotSupportedError(
            f'characters beyond ASCII are not supported in encoding "{self.name}"'
        )


_EUC = r"[\xa1-\xfe]{2}"
_PAIR = r"[\x80-\xff][^\0]"
_TWO = r"[\x80-\xff]."
_SJIS = r"[\xa1-\xdf]|[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]"
_FOUR = r"[\x81-\xfe][\x30-\x39][\x81-\xfe][\x30-\x39]"

UTF8: Final = Encoding("UTF8", "utf-8")

ENCODINGS: Final = {
    encoding.name: encoding
    for encoding in (
        UTF8,
        Encoding("SQL_ASCII", "utf-8"),
        Encoding(
            "EUC_JP",
            "postgresql_euc_jp",
            rf"\x8e[\xa1-\xdf]|\x8f{_EUC}|{_EUC}",
            r"\x8f..|[\x80-\xff].",
        ),
        Encoding("EUC_CN", "gb2312", _EUC, _TWO),
        Encoding("EUC_KR", _OWN["EUC_KR"], _EUC, _TWO),
        Encoding("JOHAB", _OWN["JOHAB"], _PAIR, _TWO),
        Encoding("SJIS", _OWN["SJIS"], _SJIS, _TWO),
        Encoding("BIG5", _OWN["BIG5"], _PAIR, _TWO),
        Encoding("GBK", _OWN["GBK"], _PAIR, _TWO),
        Encoding("UHC", _OWN["UHC"], _PAIR, _TWO),
        Encoding(
            "GB18030", "gb18030", rf"{_FOUR}|[\x81-\xfe][\x40-\x7e\x80-\xfe]", rf"{_FOUR}|{_TWO}"
        ),
        *(Encoding(name, "", _PAIR, _TWO) for name in ("EUC_TW", "EUC_JIS_2004", "SHIFT_JIS_2004")),
        Encoding("KOI8R", "koi8_r"),
        Encoding("KOI8U", "koi8_u"),
        *(Encoding(f"WIN{page}", f"cp{page}") for page in (866, 874, *range(1250, 1259))),
        *(
            Encoding(f"LATIN{latin}", f"iso8859_{part}")
            for latin, part in zip(range(1, 11), (1, 2, 3, 4, 9, 10, 13, 14, 15, 16), strict=True)
        ),
        *(Encoding(f"ISO_8859_{part}", f"iso8859_{part}") for part in (5, 6, 7, 8)),
    )
}
"""By PostgreSQL's name."""

_NAMES = {
    **{re.sub(r"[^a-z0-9]", "", name.lower()): encoding for name, encoding in ENCODINGS.items()},
    **{
        other: ENCODINGS[name]
        for name, others in {
            "UTF8": "unicode", "SJIS": "shiftjis mskanji win932 windows932", "KOI8R": "koi8",
            "BIG5": "win950 windows950", "GBK": "win936 windows936", "UHC": "win949 windows949",
            "WIN866": "alt windows866", "WIN874": "windows874", "WIN1251": "win",
            "WIN1258": "abc tcvn tcvn5712 vscii",
            **{f"WIN{page}": f"windows{page}" for page in (1250, *range(1252, 1258))},
            **{
                f"LATIN{latin}": f"iso8859{part}"
                for latin, part in zip(range(1, 11), (1, 2, 3, 4, 9, 10, 13, 14, 15, 16), strict=True)
            },
        }.items()
        for other in others.split()
    },
    "windows1251": ENCODINGS["WIN1251"],
    "windows1258": ENCODINGS["WIN1258"],
}  # fmt: skip
"""By name in small letters without signs."""


def find_encoding(name: str) -> Encoding | None:
    """The encoding of that name, as PostgreSQL reads names: case and signs do not matter."""
    return _NAMES.get(re.sub(r"[^a-z0-9]", "", name.lower()))


def convert_from(data: bytes, encoding: str) -> str:
    """The text that the bytes are in an encoding.

    Raises:
        InvalidParameterValueError: There is no such encoding.
        Else as `Encoding.decode`.
    """
    return _named(encoding, "source").decode(data)


def convert_to(text: str, encoding: str) -> bytes:
    """The text's bytes in an encoding. Raises 22023 where there is none, and as `Encoding.encode`."""
    return _named(encoding, "destination").encode(text)


def convert(data: bytes, source: str, target: str) -> bytes:
    """The bytes of a text in another encoding.

    Raises:
        As `convert_from` and `convert_to`.
    """
    first = _named(source, "source")
    return _named(target, "destination").encode(first.decode(data))


def length_in(data: bytes, encoding: str) -> int:
    """How many characters the bytes are in an encoding. Raises as `convert_from`."""
    return len(_named(encoding, "").decode(data))


def _named(encoding: str, which: str) -> Encoding:
    found = find_encoding(encoding)
    if found is None:
        shown = f"{which} encoding name".lstrip()
        raise InvalidParameterValueError(f'invalid {shown} "{encoding}"')
    return found


def _invalid(name: str, data: bytes) -> CharacterNotInRepertoireError:
    return CharacterNotInRepertoireError(
        f'invalid byte sequence for encoding "{name}": {_shown(data)}'
    )


def _shown(data: bytes) -> str:
    return " ".join([f"0x{byte:02x}" for byte in data])
