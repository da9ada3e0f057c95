"""DO: a block of many statements does not keep the others waiting while it is read."""

import pytest

from catalog.errors import FeatureNotSupportedError
from catalog.snapshot import Snapshot
from kalam_pg.memory import Account, Accounts
from kalam_pg.sessions import blocks, long_texts
from kalam_pg.sessions.reading_time import ReadingTime
from kalam_pg.sql.statements_do import Block, BlockStatement, Do, If, Perform


class NoSession:
    """Nothing runs in it."""

    settings = {"statement_timeout": "0"}  # noqa: RUF012 -- nobody changes it
    snapshot = Snapshot(1, {}, {}, {})
    reading = ReadingTime()
    account = Account(Accounts(), 7)

    def begin_implicit(self) -> None:
        pass


def turns_of(monkeypatch: pytest.MonkeyPatch, *body: BlockStatement) -> int:
    """How often the others may go on before the last statement is refused."""
    monkeypatch.setattr(long_texts, "ALONE_S", -1.0)
    statement = Do(Block((*body, Perform("LOAD 'x'", 9))))
    steps = blocks.run(NoSession(), statement)  # type: ignore[arg-type]  # see above
    count = 0
    try:
        for _ in steps:
            count += 1
    except FeatureNotSupportedError:
        return count
    pytest.fail("it was not refused")


def test_others_have_a_turn_between_two_statements_that_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Perform("SELECT 1", 2, query=True)
    nested = Block((one, one), ((("22012",), (one,)),))
    branches = If((("true", (one, one)),), 3)
    assert turns_of(monkeypatch, *[one] * 20) >= 20
    assert turns_of(monkeypatch, nested, branches) >= 7


def test_a_long_statement_is_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = blocks.run(
        NoSession(),  # type: ignore[arg-type]  # see above
        Do(Block((Perform("SELECT " + "+".join(["1"] * 5000), 2, query=True),))),
    )
    monkeypatch.setattr(blocks, "parse", lambda _text: pytest.fail("read where it stands"))
    next(steps)  # A wait: whoever runs the steps begins the thread.
    steps.close()
