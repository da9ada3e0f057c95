"""Corners of the language, side by side with PostgreSQL 15: each was once answered otherwise.

The statements are in `corners`, a file a chapter, one a line; a comment begins what belongs together.
"""

from pathlib import Path

import pytest

from tests.wire import postgresql
from tests.wire.raw import RawClient, message
from tests.wire.side_by_side import both, differences

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not postgresql.installed(), reason="needs Debian's package postgresql-15"),
]

SCRIPTS = {
    title: statements
    for chapter in sorted((Path(__file__).parent / "corners").glob("*.sql"))
    for part in chapter.read_text(encoding="utf-8").removeprefix("-- ").split("\n-- ")
    for title, _, statements in [part.partition("\n")]
}


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    with both(tmp_path_factory.mktemp("corners")) as found:
        yield found


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_answers_are_postgresqls(sides, name):
    assert differences(sides, SCRIPTS[name]) == []


@pytest.mark.parametrize(
    "sent",
    [
        message(b"Q", b"SELECT '\xff'\0"),
        message(b"P", b"\0SELECT '\xff'\0\0\0") + message(b"S"),
    ],
    ids=["simple", "extended"],
)
def test_text_that_is_not_utf8_is_an_error_of_the_statement(server, sent):
    with RawClient(server) as client:
        client.send(sent)
        answer = client.answer()
        assert answer.sqlstate == "22021"
        assert answer.errors[0]["M"] == 'invalid byte sequence for encoding "UTF8": 0xff'
        assert client.simple("SELECT 1").rows == [("1",)]


def test_what_the_server_says_of_its_version_is_one_story(server):
    with server.root() as root:
        (number,) = root.execute("SHOW server_version").fetchone()
        (words,) = root.execute("SELECT version()").fetchone()
        assert words.split()[1] == number.split()[0]
        assert root.info.server_version == int(
            root.execute("SHOW server_version_num").fetchone()[0]
        )
        assert root.info.parameter_status("server_version") == number
