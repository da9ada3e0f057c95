"""convert_from and convert_to: text in PostgreSQL's encodings other than the database's own, UTF8."""

import re

from catalog.errors import (
    CharacterNotInRepertoireError,
    InvalidParameterValueError,
    UntranslatableCharacterError,
)

_CODECS = {
    "utf8": ("UTF8", "utf-8"), "unicode": ("UTF8", "utf-8"), "sqlascii": ("SQL_ASCII", "utf-8"),
    "eucjp": ("EUC_JP", "euc_jp"), "euckr": ("EUC_KR", "euc_kr"), "euccn": ("EUC_CN", "gb2312"),
    "sjis": ("SJIS", "cp932"), "big5": ("BIG5", "cp950"), "gbk": ("GBK", "gbk"), "johab": ("JOHAB", "johab"),
    "uhc": ("UHC", "cp949"), "gb18030": ("GB18030", "gb18030"), "shiftjis": ("SJIS", "cp932"),
    "koi8r": ("KOI8R", "koi8_r"), "koi8": ("KOI8R", "koi8_r"), "koi8u": ("KOI8U", "koi8_u"),
    "win866": ("WIN866", "cp866"), "win874": ("WIN874", "cp874"), "alt": ("WIN866", "cp866"),
    **{f"win{n}": (f"WIN{n}", f"cp{n}") for n in range(1250, 1259)},
    **{f"windows{n}": (f"WIN{n}", f"cp{n}") for n in range(1250, 1259)},
    **{
        name: (f"LATIN{latin}", f"iso8859_{part}")
        for latin, part in zip(range(1, 11), (1, 2, 3, 4, 9, 10, 13, 14, 15, 16), strict=True)
        for name in (f"latin{latin}", f"iso8859{part}")
    },
    **{f"iso8859{part}": (f"ISO_8859_{part}", f"iso8859_{part}") for part in (5, 6, 7, 8)},
}  # fmt: skip
"""By name in small letters without signs: PostgreSQL's name, and Python's codec."""
_SINGLE_BYTE = ("LATIN", "WIN", "KOI8", "ISO")
"""Every byte is a character of these, though perhaps none that UTF8 has."""


def convert_from(data: bytes, encoding: str) -> str:
    """The text that the bytes are in an encoding.

    Raises:
        InvalidParameterValueError: There is no such encoding.
        CharacterNotInRepertoireError: The bytes are no text in it, or have a zero byte.
    """
    return _decoded(data, *_codec(encoding, "source"))


def _decoded(data: bytes, name: str, codec: str) -> str:
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        bad = data[error.start : _end(error, codec)]
        if not name.startswith(_SINGLE_BYTE):
            raise _invalid("UTF8" if codec == "utf-8" else name, bad) from None
        raise UntranslatableCharacterError(
            f'character with byte sequence {_shown(bad)} in encoding "{name}" '
            'has no equivalent in encoding "UTF8"'
        ) from None
    if "\0" in text:
        raise _invalid(name, b"\0")
    return text


def convert_to(text: str, encoding: str) -> bytes:
    """The text's bytes in an encoding.

    Raises:
        InvalidParameterValueError: There is no such encoding.
        UntranslatableCharacterError: It lacks a character.
    """
    name, codec = _codec(encoding, "destination")
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        raise UntranslatableCharacterError(
            f"character with byte sequence {_shown(text[error.start].encode())} in encoding "
            f'"UTF8" has no equivalent in encoding "{name}"'
        ) from None


def convert(data: bytes, source: str, target: str) -> bytes:
    """The bytes of a text in another encoding.

    Raises:
        As `convert_from` and `convert_to`.
    """
    _codec(source, "source")
    _codec(target, "destination")
    return convert_to(convert_from(data, source), target)


def length_in(data: bytes, encoding: str) -> int:
    """How many characters the bytes are in an encoding. Raises as `convert_from`."""
    name, codec = _codec(encoding, "")
    return len(_decoded(data, name, codec))


def _codec(encoding: str, which: str) -> tuple[str, str]:
    found = _CODECS.get(re.sub(r"[^a-z0-9]", "", encoding.lower()))
    if found is None:
        shown = f"{which} encoding name".lstrip()
        raise InvalidParameterValueError(f'invalid {shown} "{encoding}"')
    return found


def _end(error: UnicodeDecodeError, codec: str) -> int:
    """Where the character ends that is none: PostgreSQL shows all its bytes."""
    if codec != "utf-8":
        return error.end
    first = error.object[error.start]
    length = 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    return error.start + (length if first < 0xF8 else 1)


def _invalid(name: str, data: bytes) -> CharacterNotInRepertoireError:
    return CharacterNotInRepertoireError(
        f'invalid byte sequence for encoding "{name}": {_shown(data)}'
    )


def _shown(data: bytes) -> str:
    return " ".join([f"0x{byte:02x}" for byte in data])
