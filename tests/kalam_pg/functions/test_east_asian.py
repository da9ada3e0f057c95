"""The codecs that follow PostgreSQL: whole characters, streams cut anywhere, and what nobody has."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_pg.functions import encodings
from kalam_pg.functions.encodings import ENCODINGS, find_encoding
from storage.errors import KalamError

NAMES = sorted(name for name, encoding in ENCODINGS.items() if encoding.codec)

WRITTEN = [
    ("EUC_JP", "～①ⅰ￤髙№", "a1c1ada18ff3f38fa2c38ff4fbade2"),  # noqa: RUF001
    ("SJIS", "№髙¥‾", "fa59fbfc5c7e"),
    ("EUC_KR", "가㉾", "b0a1a2e8"),
    ("UHC", "갂\ue000\ue05e", "8141c9a1fea1"),
    ("GBK", "€你", "80c4e3"),
    ("BIG5", "／＼", "a241a242"),  # noqa: RUF001
    ("GB18030", "😀", "9439fc36"),
]
LACKING = [("EUC_JP", "〜"), ("EUC_JP", "¥"), ("SJIS", "\ue000"), ("EUC_KR", "갂"), ("BIG5", "€")]
READ = [
    ("EUC_JP", "adf0", "≒"),
    ("EUC_JP", "8ff3fd", "Ⅰ"),  # noqa: RUF001
    ("EUC_JP", "a1dd", "－"),  # noqa: RUF001
    ("SJIS", "8754", "Ⅰ"),  # noqa: RUF001
    ("SJIS", "b1", "ｱ"),
    ("EUC_KR", "a4d4", "\u3164"),
    ("BIG5", "a145", "•"),
]
UNREAD = [
    ("EUC_JP", "8fa2b7"),
    ("SJIS", "41f040"),
    ("SJIS", "80"),
    ("BIG5", "a3e1"),
    ("EUC_KR", "8141"),
]


@pytest.mark.parametrize(("name", "text", "data"), WRITTEN)
def test_characters_are_written_as_postgresql_writes_them(name: str, text: str, data: str) -> None:
    assert ENCODINGS[name].encode(text).hex() == data


@pytest.mark.parametrize(("name", "text"), LACKING)
def test_what_postgresql_lacks_is_not_written(name: str, text: str) -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        ("ab" + text).encode(ENCODINGS[name].codec)
    assert caught.value.start == 2


@pytest.mark.parametrize(("name", "data", "text"), READ)
def test_bytes_are_read_as_postgresql_reads_them(name: str, data: str, text: str) -> None:
    assert ENCODINGS[name].decode(bytes.fromhex(data)) == text


@pytest.mark.parametrize(("name", "data"), UNREAD)
def test_what_postgresql_does_not_know_is_not_read(name: str, data: str) -> None:
    raw = bytes.fromhex(data)
    with pytest.raises(UnicodeDecodeError) as caught:
        raw.decode(ENCODINGS[name].codec)
    assert caught.value.start == (1 if raw.startswith(b"A") else 0)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_a_stream_may_be_cut_anywhere(name: str, data: st.DataObject) -> None:
    encoding = ENCODINGS[name]
    text = data.draw(st.text(st.sampled_from("aé§Ж中あ가ｱ①髙\n"), max_size=12))
    text = "".join([c for c in text if _has(name, c)])
    raw = encoding.encode(text)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=4)))
    read = encoding.reader()
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert "".join([read(piece, False) for piece in pieces]) + read(b"", True) == encoding.decode(
        raw
    )


def _has(name: str, character: str) -> bool:
    try:
        character.encode(ENCODINGS[name].codec)
    except UnicodeEncodeError:
        return False
    return True


def test_names_are_read_without_case_and_signs() -> None:
    assert find_encoding("Iso-8859_15") is ENCODINGS["LATIN9"]
    assert find_encoding("shift_jis") is ENCODINGS["SJIS"]
    assert find_encoding("latin11") is None


@pytest.mark.parametrize(
    "name", ["LATIN1", "EUC_JP", "EUC_CN", "GB18030", "JOHAB", "UHC", "EUC_TW"]
)
def test_what_an_encoding_lacks_is_a_question_mark_whatever_there_is_of_it(name: str) -> None:
    encoding = ENCODINGS[name]

    def nearest(character: str) -> bytes:
        try:
            return encoding.encode(character)
        except KalamError:
            return b"?"

    text = "a?é€あ한" + "".join(map(chr, range(1, 0xD800, 23))) + "\uffff\U0001f600b"
    assert encoding.encode_nearest(text) == b"".join(map(nearest, text))
    began_s = time.process_time()
    assert encoding.encode_nearest("\U0001f600" * 1_000_000).count(b"?") in (0, 1_000_000)
    assert time.process_time() - began_s < 1.0  # One by one: two or three.


@pytest.mark.parametrize("name", ["EUC_JP", "SJIS", "EUC_CN", "GB18030", "BIG5", "JOHAB"])
@given(data=st.data())
def test_what_is_converted_by_pieces_is_what_it_is_at_once(name: str, data: st.DataObject) -> None:
    encoding = ENCODINGS[name]
    text = data.draw(st.text("aé、啊아😀", max_size=12))
    raw = data.draw(st.binary(max_size=12) | st.just(encoding.encode_nearest(text)))
    whole = [_told(encoding.encode, text), _told(encoding.decode, raw)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "PIECE", data.draw(st.integers(1, 5)))
        assert [_told(encoding.encode, text), _told(encoding.decode, raw)] == whole


def _told(convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except KalamError as exc:
        return exc.sqlstate, exc.message
