"""COPY's text in lines: the same whichever way it comes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kalam_pg.rows import copy_lines
from kalam_pg.rows.copy_lines import Lines
from kalam_pg.sql.copy_options import CopyFormat
from storage.errors import KalamError

FORMS = {"text": CopyFormat(), "csv": CopyFormat(format="csv", delimiter=",", null="")}


def cut(form: CopyFormat, pieces: list[bytes]) -> tuple[list[str], str, int]:
    """The lines, the error behind them, and the number of the last."""
    lines, found, error = Lines(form), [], ""
    try:
        for at, piece in enumerate(pieces):
            found += lines.feed(piece, final=at == len(pieces) - 1)
    except KalamError as exc:
        error = f"{exc.sqlstate} {exc}"
    return found, error, lines.number


@pytest.mark.parametrize("name", FORMS)
@given(
    pieces=st.lists(st.text('ab\\.\n\r"', max_size=12), min_size=1, max_size=8),
    small=st.sampled_from((0, 3, 1 << 16)),
    stretch=st.sampled_from((2, 3, 1 << 18)),
)
@example(["a\\", "\nb\r", "\nc"], 0, 2)
@example(["aaaa", "\r", "b"], 0, 2)
def test_lines_are_the_same_in_pieces_and_whole(name, pieces, small, stretch):
    form, data = FORMS[name], [piece.encode() for piece in pieces]
    whole = cut(form, [b"".join(data)])
    before = copy_lines._SMALL, copy_lines._STRETCH
    try:
        copy_lines._SMALL, copy_lines._STRETCH = small, stretch
        found = cut(form, [*data, b""])
    finally:
        copy_lines._SMALL, copy_lines._STRETCH = before
    # The lines before an error are given as far as they had come when it was met.
    assert found == whole or (whole[1] and found[1] and found[0][: len(whole[0])] == whole[0])


def test_a_line_without_an_end_is_refused_before_it_is_put_together(monkeypatch):
    monkeypatch.setattr(copy_lines, "LINE_CHARACTERS_MAX", 100)
    monkeypatch.setattr(copy_lines, "_SMALL", 10)
    found, error, number = cut(FORMS["text"], [b"first\n", *[b"x" * 30] * 4, b"\n"])
    assert (found, number) == (["first"], 2)
    assert error == "54000 a line of COPY may have at most 100 characters"
