"""SUBSCRIBE, LISTEN, NOTIFY and their like: what is read, and where errors point."""

import pytest

from catalog.errors import InvalidParameterValueError, SqlSyntaxError
from kalam_pg.sql import statements_live as s
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import QueryStatement
from kalam_pg.sql.subscribe_options import NAMES, OptionReader
from storage.errors import KalamError

LONG = "x" * 5000


def one(text: str) -> object:
    (statement,) = parse(text)
    return statement


CHANNELS = [
    ("LISTEN a", s.Listen("a")),
    ("LISTEN Abc", s.Listen("abc")),
    ('LISTEN "Abc ""d"', s.Listen('Abc "d')),
    (r'LISTEN U&"d\0061t"', s.Listen("dat")),
    ("""LISTEN U&"d!0061t" UESCAPE '!'""", s.Listen("dat")),
    (f"LISTEN {LONG}", s.Listen(LONG)),
    (f'LISTEN "{LONG}"', s.Listen(LONG)),
    ('LISTEN "chat.messages" SINCE 7123', s.Listen("chat.messages", "7123")),
    ("LISTEN \"chat.messages\" SINCE '7123.10'", s.Listen("chat.messages", "7123.10")),
    ("LISTEN since", s.Listen("since")),
    ("UNLISTEN a", s.Unlisten("a")),
    ("UNLISTEN *", s.Unlisten(None)),
    ("NOTIFY a", s.Notify("a")),
    ("NOTIFY a, 'it''s'", s.Notify("a", "it's")),
    ("NOTIFY a, E'\\n'", s.Notify("a", "\n")),
    ("UNSUBSCRIBE a", s.Unsubscribe("a")),
    ("KILL LIVE QUERY 'q'", s.KillLiveQuery("q")),
]


@pytest.mark.parametrize(("text", "statement"), CHANNELS, ids=lambda value: str(value)[:40])
def test_a_statement_says_what_was_written(text, statement):
    assert one(text) == statement


@pytest.mark.parametrize(
    ("text", "near", "at"),
    [
        ("LISTEN", None, 7),
        ("LISTEN *", "*", 8),
        ("LISTEN a.b", ".", 9),
        ("LISTEN 'a'", "'a'", 8),
        ("LISTEN select", "select", 8),
        ("LISTEN a SINCE", None, 15),
        ("LISTEN a SINCE b", "b", 16),
        ("UNLISTEN", None, 9),
        ("UNLISTEN a, b", ",", 11),
        ("NOTIFY", None, 7),
        ("NOTIFY a,", None, 10),
        ("NOTIFY a, b", "b", 11),
        ("NOTIFY a 'b'", "'b'", 10),
        ("NOTIFY a, 'b' || 'c'", "||", 15),
        ("NOTIFY a, $1", "$1", 11),
        ("SUBSCRIBE", None, 10),
        ("SUBSCRIBE TO", None, 13),
        ("SUBSCRIBE t", "t", 11),
        ("SUBSCRIBE TO t, u", ",", 15),
        ("SUBSCRIBE TO t ORDER BY a", "ORDER", 16),
        ("SUBSCRIBE TO t WHERE", None, 21),
        ("SUBSCRIBE TO t WHERE OPTIONS (last_rows = 1)", "OPTIONS", 22),
        ("SUBSCRIBE TO t WHERE a = = 1", "=", 26),
        ("SUBSCRIBE TO t OPTIONS", "OPTIONS", 16),
        ("SUBSCRIBE TO t OPTIONS ()", ")", 25),
        ("SUBSCRIBE TO t OPTIONS (last_rows)", ")", 34),
        ("SUBSCRIBE TO t OPTIONS (last_rows = )", ")", 37),
        ("SUBSCRIBE TO t OPTIONS (last_rows = 1) x", "OPTIONS", 16),
        ("SUBSCRIBE TO DELETE FROM t", "FROM", 21),
        ("SUBSCRIBE TO (DELETE FROM t)", "DELETE", 15),
        ("UNSUBSCRIBE", None, 12),
        ("UNSUBSCRIBE *", "*", 13),
        ("KILL LIVE QUERY", None, 16),
        ("KILL LIVE 'q'", "'q'", 11),
    ],
)
def test_half_a_statement_is_a_syntax_error_where_it_ends(text, near, at):
    with pytest.raises(SqlSyntaxError) as raised:
        parse(text)
    message = f'syntax error at or near "{near}"' if near else "syntax error at end of input"
    assert (raised.value.message, raised.value.position) == (message, at)


@pytest.mark.parametrize(
    ("text", "query", "options"),
    [
        ("SUBSCRIBE TO chat.messages", "SELECT * FROM chat.messages", {}),
        (
            "SUBSCRIBE TO t WHERE a IN ('x', 'y') OPTIONS (last_rows = 50)",
            "SELECT * FROM t WHERE a IN ('x', 'y')",
            {"last_rows": 50},
        ),
        ("SUBSCRIBE SELECT a FROM t WHERE b > NOW()", "SELECT a FROM t WHERE b > NOW()", {}),
        ("SUBSCRIBE TO SELECT a FROM t", "SELECT a FROM t", {}),
        ("SUBSCRIBE TO (SELECT a FROM t)", "(SELECT a FROM t)", {}),
        (
            "SUBSCRIBE TO SELECT id FROM t OPTIONS (from_seq = 7123456789)",
            "SELECT id FROM t",
            {"from_seq": "7123456789"},
        ),
        (
            "SUBSCRIBE TO t OPTIONS (from_seq='7.2', channel='x', progress='5s', old=false, "
            "bigint='number', flush=true, batch_size=10)",
            "SELECT * FROM t",
            {
                "from_seq": "7.2",
                "channel": "x",
                "progress_ms": 5000,
                "old": False,
                "bigint": "number",
                "flush": True,
                "batch_size": 10,
            },
        ),
        (
            "SUBSCRIBE TO t WHERE options = (1) OPTIONS (snapshot = off, stream = on)",
            "SELECT * FROM t WHERE options = (1)",
            {"snapshot": False, "stream": True},
        ),
        ("SUBSCRIBE TO options", "SELECT * FROM options", {}),
    ],
)
def test_a_subscription_is_a_query_and_options(text, query, options):
    statement = one(text)
    assert isinstance(statement, s.Subscribe)
    assert isinstance(statement.query, QueryStatement)
    assert statement.query.text.strip() == query
    assert statement.options == s.SubscribeOptions(**options)


def test_positions_in_a_subscription_count_in_the_message():
    text = "SELECT 1; SUBSCRIBE TO t WHERE nope = 1 OPTIONS (old = off)"
    _, statement = parse(text)
    assert isinstance(statement, s.Subscribe)
    inner = statement.query
    at = inner.text.index("nope")
    assert text[inner.offset + at :].startswith("nope")


@pytest.mark.parametrize(
    ("options", "state", "message", "at"),
    [
        ("lastrows = 1", "42601", 'unrecognized SUBSCRIBE option "lastrows"', 25),
        ("old = true, nope = 1", "42601", 'unrecognized SUBSCRIBE option "nope"', 37),
        ("old = true, old = true", "42601", "conflicting or redundant options", 37),
        ("last_rows = x", "22023", 'invalid value for SUBSCRIBE option "last_rows": "x"', 25),
        ("last_rows = 1.5", "22023", 'invalid value for SUBSCRIBE option "last_rows": "1.5"', 25),
        ("from_seq = 'x'", "22023", 'invalid value for SUBSCRIBE option "from_seq": "x"', 25),
        ("snapshot = 2", "22023", 'invalid value for SUBSCRIBE option "snapshot": "2"', 25),
        ("progress = '5 days'", "22023", 'invalid value for SUBSCRIBE option "progress": "5 days"', 25),
        ("progress = '1ms'", "22023", 'invalid value for SUBSCRIBE option "progress": "1ms"', 25),
        ("bigint = 'text'", "22023", 'invalid value for SUBSCRIBE option "bigint": "text"', 25),
        ("batch_size = 0", "22023", 'invalid value for SUBSCRIBE option "batch_size": "0"', 25),
        ("channel = ''", "22023", 'invalid value for SUBSCRIBE option "channel": ""', 25),
        (
            "from_seq = 1, last_rows = 2",
            "42601",
            "SUBSCRIBE options from_seq and last_rows cannot be used together",
            0,
        ),
        (
            "from_seq = 1, snapshot = true",
            "42601",
            "SUBSCRIBE options from_seq and snapshot cannot be used together",
            0,
        ),
        (
            "stream = true, channel = 'x'",
            "42601",
            "SUBSCRIBE options stream and channel cannot be used together",
            0,
        ),
        (
            "snapshot = false, last_rows = 1",
            "42601",
            "SUBSCRIBE option last_rows needs a snapshot",
            0,
        ),
    ],
)  # fmt: skip
def test_an_option_that_is_not_understood_is_an_error_and_never_ignored(
    options, state, message, at
):
    with pytest.raises(KalamError) as raised:
        parse(f"SUBSCRIBE TO t OPTIONS ({options})")
    assert (raised.value.sqlstate, raised.value.message) == (state, message)
    assert raised.value.position == at


@pytest.mark.parametrize(
    ("since", "at"), [("'x'", 16), ("1.5.5", 16), ("''", 16), ("99999999999999999999", 16)]
)
def test_a_position_is_a_seq_or_a_token(since, at):
    with pytest.raises(KalamError) as raised:
        parse(f"LISTEN a SINCE {since}")
    assert raised.value.sqlstate in ("22023", "42601")
    assert raised.value.position >= at


def test_every_option_of_a_subscription_can_be_given():
    values = {"channel": "c", "bigint": "string", "progress": "1s"}
    for name in NAMES:
        reader = OptionReader()
        reader.add(name, values.get(name, "1"))
        assert isinstance(reader.options(), s.SubscribeOptions)
    with pytest.raises(InvalidParameterValueError):
        OptionReader().add("from_seq", "-1")
