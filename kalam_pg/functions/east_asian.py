"""The East Asian encodings as PostgreSQL has them: Python's codecs, but for some characters.

Importing this module makes Python know them as codecs, `postgresql_euc_jp` and so on, so that whatever takes
the name of a codec (a text, COPY's stream) has PostgreSQL's characters. Each was held against PostgreSQL 15
for every character of Unicode's first plane and every sequence of bytes.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


@dataclass(frozen=True, slots=True)
class _Different:
    """How PostgreSQL's encoding differs from Python's codec `base`.

    read: what it reads where Python reads another character, None: nothing. more: bytes that Python does not
    know. written: the bytes of a character where they are others than Python's, None: it has none.
    whole: what each longer character looks like, where Python has more of them. longer: how many bytes one
    has, by the first. refused: bytes that Python reads and PostgreSQL does not.
    """

    base: str
    read: Mapping[str, str | None] = field(default_factory=dict)
    more: Mapping[bytes, str] = field(default_factory=dict)
    written: Mapping[str, bytes | None] = field(default_factory=dict)
    whole: str = ""
    longer: str = r"[\x80-\xff]."
    refused: bytes = b""


def _run(first: str, characters: str) -> dict[bytes, str]:
    """Characters whose bytes follow each other; first: those of the first, as hexadecimal digits."""
    start = bytes.fromhex(first)
    return {start[:-1] + bytes([start[-1] + at]): c for at, c in enumerate(characters)}


def _written(runs: Mapping[bytes, str]) -> dict[str, bytes]:
    return {character: data for data, character in runs.items()}


_NEC = {
    **_run("ada1", "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ"),
    **_run("adc0", "㍉㌔㌢㍍㌘㌧㌃㌶㍑㍗㌍㌦㌣㌫㍊㌻㎜㎝㎞㎎㎏㏄㎡"),
    **_run("addf", "㍻〝〟№㏍℡㊤㊥㊦㊧㊨㈱㈲㈹㍾㍽㍼"),
    **_run("adf3", "∮∑"),
    **_run("adf8", "∟⊿"),
}


def _extensions() -> dict[str, bytes]:
    """IBM's own characters, which Windows has twice: PostgreSQL writes them where IBM has them."""
    found: dict[str, bytes] = {}
    for lead in (0xFA, 0xFB, 0xFC):
        for trail in (*range(0x40, 0x7F), *range(0x80, 0xFD)):
            if (lead, trail) > (0xFC, 0x4B):
                break
            character = bytes((lead, trail)).decode("cp932")
            if character not in "￢￤∵":
                found[character] = bytes((lead, trail))
    return found


def _ibm() -> dict[bytes, str]:
    """IBM's characters that JIS X 0212 lacks, in IBM's order, from where EUC-JP has room."""
    free = [bytes((0x8F, row, at)) for row in (0xF3, 0xF4) for at in range(0xA1, 0xFF)][82:]
    own = [c for c in _extensions() if c == "№" or not c.encode("euc_jp", "ignore")]
    return dict(zip(free, own, strict=False)) | {b"\x8f\xa2\xc3": "￤"}


_IBM = _ibm()
# Read only: they are written as JIS X 0208 has them.
_NEC_AGAIN = {
    **_run("adf0", "≒≡∫"), **_run("adf5", "√⊥∠"), **_run("adfa", "∵∩∪"),  # noqa: RUF001
}  # fmt: skip
_WAVES, _WIDE_WAVES = "〜‖−¢£¬", "～∥－￠￡￢"  # noqa: RUF001
_EUC_JP = _Different(
    "euc_jp",
    {**dict(zip(_WAVES, _WIDE_WAVES, strict=True)), "¦": "￤"},
    _NEC | _IBM | _NEC_AGAIN,
    {
        **dict.fromkeys((*_WAVES, "¥", "‾")),
        **{wide: plain.encode("euc_jp") for plain, wide in zip(_WAVES, _WIDE_WAVES, strict=True)},
        **_written(_IBM),
        **_written(_NEC),
    },
    longer=r"\x8f..|[\x80-\x8e\x90-\xff].",
    refused=b"\x8f\xa2\xb7",
)


_OWN_USE = (*map(chr, range(0xE000, 0xE758)), *map(chr, range(0xF8F0, 0xF8F4)), "\x80")
_SJIS = _Different(
    "cp932",
    dict.fromkeys(_OWN_USE),
    written={**_extensions(), "￤": b"\xfa\x55", **dict.fromkeys(_OWN_USE), "¥": b"\\", "‾": b"~"},
    longer=r"[\xa1-\xdf]|[\x80\xa0\xe0-\xff].|[\x81-\x9f].",
)

_CIRCLED = {b"\xa2\xe8": "㉾"}
_EUC_KR = _Different("cp949", more=_CIRCLED, written=_written(_CIRCLED), whole=r"[\xa1-\xfe]{2}")
_USERS = {
    bytes((lead, trail)): chr(0xE000 + 94 * row + trail - 0xA1)
    for row, lead in enumerate((0xC9, 0xFE))
    for trail in range(0xA1, 0xFF)
}
_UHC = _Different("cp949", more=_CIRCLED | _USERS, written=_written(_CIRCLED | _USERS))
_GBK = _Different("gbk", written={"€": b"\x80"})

# Python's codec is Windows' code page 950. What Windows has twice (some lines of boxes, 十 and 卅) is read
# from both places, where PostgreSQL knows one.
_BIG5 = _Different(
    "cp950",
    {
        **dict(zip("‧﹑╴¯￣ˍ～⊕⊙／＼∕﹨￥￠￡", "•､\ufffd‾\ufffd\ufffd∼♁☉\ufffd\ufffd／＼¥¢£", strict=True)),  # noqa: RUF001
        **dict.fromkeys("€║╒╓╔╕╖╗╘╙╚╛╜╝╟╠╢╣╤╥╦╧╨╩╫╬▓"),
    },
    written={
        **dict.fromkeys("¯ˍ‧€∕⊕⊙║╒╓╔╕╖╗╘╙╚╛╜╝╟╠╢╣╤╥╦╧╨╩╫╬╴▓﹑﹨～￠￡￣￥"),  # noqa: RUF001
        "／": b"\xa2\x41", "＼": b"\xa2\x42", "\ufffd": b"\xa1\x5a",  # noqa: RUF001
    },
)  # fmt: skip
_JOHAB = _Different("johab", more={b"\xd9\xe8": "㉾"}, written={"㉾": b"\xd9\xe8"})

_DIFFERENT = {
    "postgresql_euc_jp": _EUC_JP, "postgresql_sjis": _SJIS, "postgresql_euc_kr": _EUC_KR,
    "postgresql_uhc": _UHC, "postgresql_gbk": _GBK, "postgresql_big5": _BIG5, "postgresql_johab": _JOHAB,
}  # fmt: skip


class _Codec:
    """Reads and writes one of them, as `codecs.CodecInfo` has it."""

    def __init__(self, name: str, different: _Different) -> None:
        self.name = name
        self._base = codecs.lookup(different.base)
        self._more, self._written = different.more, different.written
        special = "".join(map(re.escape, different.written))
        self._special = re.compile(f"([{special}])").split
        self._whole = re.compile(f"(?:[\0-\x7f]|{different.whole})*".encode("latin-1")).match
        self._checks = bool(different.whole)
        self._refused = different.refused
        self._read = {ord(a): b for a, b in different.read.items() if b is not None}
        never = "".join([re.escape(a) for a, b in different.read.items() if b is None])
        self._never = re.compile(f"[{never}]").search if never else None
        self._character = f"(?s:[\0-\x7f]|{different.longer})".encode("latin-1")
        self._characters = re.compile(self._character + b"*").match
        self._sizes = sorted({len(data) for data in different.more})
        codecs.register_error(self.name, self._another)

    def info(self) -> codecs.CodecInfo:
        """What Python knows of it."""
        codec = self

        class Decoder(codecs.IncrementalDecoder):
            rest = b""

            def decode(self, data: "Buffer", final: bool = False) -> str:
                data = self.rest + bytes(data)
                whole = data if final else codec.whole(data)
                self.rest = data[len(whole) :]
                return codec.decode(whole)[0]

        return codecs.CodecInfo(
            self.encode, self.decode, incrementaldecoder=Decoder, name=self.name
        )

    def encode(self, text: str, errors: str = "strict") -> tuple[bytes, int]:
        """The text's bytes. Raises UnicodeEncodeError at the first character that has none."""
        found: list[bytes] = []
        at = 0
        for number, part in enumerate(self._special(text)):
            data = self._written[part] if number % 2 else self._plain(text, at, part)
            if data is None:
                raise UnicodeEncodeError(self.name, text, at, at + 1, "no such character")
            found.append(data)
            at += len(part)
        return b"".join(found), len(text)

    def _plain(self, text: str, at: int, part: str) -> bytes:
        try:
            data = self._base.encode(part)[0]
        except UnicodeEncodeError as exc:
            start = at + exc.start
            raise UnicodeEncodeError(self.name, text, start, start + 1, exc.reason) from None
        if self._checks:
            found = self._whole(data)
            assert found is not None
            if found.end() < len(data):
                start = at + len(self._base.decode(data[: found.end()])[0])
                raise UnicodeEncodeError(self.name, text, start, start + 1, "no such character")
        return data

    def decode(self, buffer: "Buffer", errors: str = "strict") -> tuple[str, int]:
        """The text of whole characters. Raises UnicodeDecodeError at the first that is none."""
        data = bytes(buffer)
        text = self._base.decode(data, self.name)[0]
        if self._refused and self._refused in data:
            raise self._no_character(data, data.index(self._refused))
        if text.isascii():
            return text, len(data)
        if self._checks:
            found = self._whole(data)
            assert found is not None
            if found.end() < len(data):
                raise self._no_character(data, found.end())
        if self._never is not None and (bad := self._never(text)) is not None:
            before = re.match(self._character + b"{%d}" % bad.start(), data)
            raise self._no_character(data, 0 if before is None else before.end())
        return text.translate(self._read) if self._read else text, len(data)

    def _no_character(self, data: bytes, at: int) -> UnicodeDecodeError:
        return UnicodeDecodeError(self.name, data, at, at + 1, "no such character")

    def whole(self, data: bytes) -> bytes:
        """The bytes without those of a character that has only begun."""
        found = self._characters(data)
        assert found is not None
        return data[: found.end()]

    def _another(self, exc: UnicodeError) -> tuple[str, int]:
        """The handler of Python's codec: what PostgreSQL has where Python has nothing."""
        if isinstance(exc, UnicodeDecodeError):
            for size in self._sizes:
                character = self._more.get(bytes(exc.object[exc.start : exc.start + size]))
                if character is not None:
                    return character, exc.start + size
        raise exc


CODECS = {name: _Codec(name, of).info() for name, of in _DIFFERENT.items()}
"""By the name that Python knows them by."""

codecs.register(CODECS.get)
