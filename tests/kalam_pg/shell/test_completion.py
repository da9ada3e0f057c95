"""Completion offers what may stand there, and history forgets passwords."""

import pytest

from kalam_pg.shell.completion import Names, candidates
from kalam_pg.shell.history import ENTRIES_MAX, History

NAMES = Names({"chat.messages": ("id", "content"), "chat.models": ("name",), "public.t": ("id",)})


@pytest.mark.parametrize(
    ("before", "first"),
    [
        ("sel", ["SELECT"]),
        ("SELECT * FROM ", ["chat.", "public.", "chat.messages"]),
        ("SELECT * FROM chat.me", ["chat.messages"]),
        ("SELECT * FROM chat.messages WHERE co", ["content", "COMMIT", "COPY"]),
        ("SELECT * FROM messages WHERE con", ["content"]),
        ("SELECT * FROM chat.models WHERE con", []),
        ("\\su", ["\\subscribe"]),
        ("\\subscribe chat.mo", ["chat.models"]),
        ("\\d pub", ["public.", "public.t"]),
        ("SELECT ", []),
        ("SELECT 1 \\d", []),
    ],
)
def test_the_likeliest_words_come_first(before, first):
    assert candidates(before, NAMES)[: len(first) or None] == first


def test_history_is_kept_from_one_shell_to_the_next(tmp_path):
    path = tmp_path / "history"
    history = History(path)
    for entry in ("SELECT 1;", "SELECT 1;", "SELECT\n2;", " ", "CREATE USER a WITH PASSWORD 'x';"):
        history.add(entry)
    history.save()
    assert History(path).entries == ["SELECT 1;", "SELECT\n2;"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["history"]


def test_history_has_its_bound_and_no_errors(tmp_path):
    history = History(tmp_path / "no" / "such" / "directory")
    for number in range(ENTRIES_MAX + 5):
        history.add(str(number))
    history.save()
    (tmp_path / "other").write_text("not ours\n")
    assert History(tmp_path / "other").entries == []
