"""Snapshots that equal subscriptions share: each client has what it would have alone, and nothing of others.

Many clients ask at once, with one text and different rights, rows, settings and times; what is shared must
be what each of them may see, as of a commit that its changes follow.
"""

import json
import threading
from contextlib import ExitStack

import pytest

from tests.wire.followers import ByCopy, ByFetch, ByResult, Follower
from tests.wire.raw import SYNC, RawClient, bind, execute, parse, query
from tests.wire.test_lock_faults import cancel

ROWS = 800
"""So many that a worker reads them."""


class ByListen(Follower):
    """Form 4, with a snapshot; its objects as the rows of the others."""

    def read(self, statement):
        table = statement.split()[2]
        self.client.send(query(f'LISTEN "{table}?snapshot=true"'))
        self.answered("CZ")
        while True:
            kind, body = self.client.receive()
            assert kind == "A"
            one = json.loads(body[4:].split(b"\0")[1])
            if one["op"] in ("insert", "delete"):
                row = one.get("row") or one["old"]
                yield one.get("seq"), one["op"], None, *one["key"], row["room"], row["body"]


@pytest.fixture
def everybodys(server, chat):
    """A SHARED table that alice and bob may read."""
    with server.root() as root:
        root.execute(
            f"CREATE TABLE {chat}.news (id int PRIMARY KEY, at timestamptz, body text, raw bytea"
            " DEFAULT 'ab') WITH (TYPE = 'SHARED', ACCESS_LEVEL = 'RESTRICTED')"
        )
        root.execute(f"GRANT SELECT ON {chat}.news TO alice, bob")
        fill(root, f"{chat}.news", "now(), 'x', 'ab'")
    return f"{chat}.news"


def fill(connection, table, values, count=ROWS):
    connection.execute(
        f"INSERT INTO {table} SELECT i, {values} FROM generate_series(0, {count - 1}) AS s(i)"
    )


@pytest.fixture
def clients(server):
    """Makes sessions of users."""
    with ExitStack() as stack:
        yield lambda *users: [stack.enter_context(RawClient(server, user)) for user in users]


def all_at_once(sessions, text):
    """The text is sent by all before any answer is read."""
    for session in sessions:
        session.send(query(text))
    return [session.answer() for session in sessions]


def test_many_who_ask_at_once_while_it_changes_have_all_of_it(server, clients, table):
    sessions = clients(*["alice"] * 12)
    writer = clients("alice")[0]
    fill_text = f"SELECT i, 0, 'old' FROM generate_series(0, {ROWS - 1}) AS s(i)"
    assert writer.simple(f"INSERT INTO {table} {fill_text}").sqlstate is None
    stop = threading.Event()
    written = []

    def write():
        with server.connect("alice") as connection:
            while not stop.is_set():
                number = len(written)
                with connection.transaction():
                    connection.execute(f"INSERT INTO {table} VALUES ({ROWS + number}, 1, 'new')")
                    connection.execute(f"UPDATE {table} SET body = '{number}' WHERE id = {number}")
                    connection.execute(f"DELETE FROM {table} WHERE id = {ROWS - 1 - number}")
                written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        found = []
        for begin in range(0, len(sessions), 4):
            found += all_at_once(sessions[begin : begin + 4], f"SUBSCRIBE TO {table}")
    finally:
        stop.set()
        thread.join()
    writer.simple(f"INSERT INTO {table} VALUES (-1, 0, 'the end')")
    with server.connect("alice") as connection:
        right = {str(k): b for k, b in connection.execute(f"SELECT id, body FROM {table}")}
    assert written
    for session, answer in zip(sessions, found, strict=True):
        rows = {row[0]: row[2] for row in answer.rows}
        assert len(rows) == len(answer.rows) == int(answer.tags[0].split()[1])
        seqs = [int(row[3]) for row in answer.rows]
        assert seqs == sorted(seqs)
        told_seq = seqs[-1]
        while "-1" not in rows:
            kind, body = session.receive()
            assert kind == "A"
            one = json.loads(body[4:].split(b"\0")[1])
            assert int(one["seq"]) >= told_seq
            told_seq = int(one["seq"])
            key = one["key"][0]
            assert (key in rows) == (one["op"] != "insert")
            if one["op"] == "delete":
                del rows[key]
            else:
                rows[key] = one["row"]["body"]
        assert rows == right


@pytest.mark.parametrize("form", [ByCopy, ByFetch, ByResult, ByListen])
def test_every_form_has_all_of_it_too(server, writer, table, form):
    fill(writer, table, "0, 'old'")
    with ExitStack() as stack:
        followers = []
        for number in range(6):
            follower = stack.enter_context(form(server, "alice", table))
            followers.append((follower, follower.next(1)))
            if number % 2:
                # What comes now is in a later snapshot, and a change for those before.
                writer.execute(f"INSERT INTO {table} VALUES ({ROWS + number}, 1, 'new')")
                writer.execute(f"DELETE FROM {table} WHERE id = {number}")
        writer.execute(f"INSERT INTO {table} VALUES (-1, 0, 'the end')")
        right = {str(k): b for k, b in writer.execute(f"SELECT id, body FROM {table}")}
        for follower, first in followers:
            rows, told = {}, [*first]
            while "-1" not in rows:
                _, op, _, key, _, body = told.pop() if told else follower.next(1)[0]
                assert (key in rows) == (op != "insert")
                if op == "delete":
                    del rows[key]
                else:
                    rows[key] = body
            assert rows == right


def test_one_text_shows_each_user_their_own_rows(server, clients, table):
    for user in ("alice", "bob"):
        with server.connect(user) as connection:
            fill(connection, table, f"0, '{user}'")
    sessions = clients(*["alice", "bob"] * 4)
    for session, answer in zip(
        sessions, all_at_once(sessions, f"SUBSCRIBE TO {table}"), strict=True
    ):
        assert len(answer.rows) == ROWS
        assert {row[2] for row in answer.rows} == {session.user}
    acting = clients("carol")[0]
    text = f"EXECUTE AS USER 'bob' (SELECT count(*) FROM {table})"
    assert acting.simple(text).rows == [(str(ROWS),)]
    answer = acting.simple(f"SUBSCRIBE TO {table}")
    assert (answer.sqlstate, answer.rows) == (None, [])


def test_one_text_is_refused_to_who_may_not_read_it(server, clients, everybodys):
    text = f"SUBSCRIBE TO {everybodys}"
    may, was, never = clients("alice", "bob", "bob")
    with server.root() as root:
        assert len(may.simple(text).rows) == ROWS
        assert len(was.simple(text).rows) == ROWS
        root.execute(f"REVOKE SELECT ON {everybodys} FROM bob")
        assert [answer.sqlstate for answer in all_at_once([may, never], text)] == [None, "42501"]
        kind, body = was.receive()
        assert (kind, b'"code":"42501"' in body) == ("A", True)
        root.execute(f"GRANT SELECT ON {everybodys} TO bob")
        assert [len(answer.rows) for answer in all_at_once([may, never], text)] == [ROWS, ROWS]


def test_who_has_taken_another_role_reads_as_that(server, clients, table):
    with server.connect("bob") as connection:
        fill(connection, table, "0, 'bob'")
    root, bob = clients("root", "bob")
    text = f"SUBSCRIBE TO {table}"
    assert len(bob.simple(text).rows) == ROWS
    assert root.simple(text).rows == []
    assert root.simple("SET ROLE bob").sqlstate is None
    assert len(root.simple(text).rows) == ROWS
    assert root.simple("RESET ROLE").sqlstate is None
    assert root.simple(text).rows == []


def test_what_depends_on_who_asks_is_each_one_s_own(server, clients, everybodys):
    text = f"SUBSCRIBE TO SELECT id, current_user AS me FROM {everybodys} WHERE id < 300"
    sessions = clients("alice", "bob", "alice")
    for session, answer in zip(sessions, all_at_once(sessions, text), strict=True):
        assert {row[1] for row in answer.rows} == {session.user}


def test_settings_and_formats_are_each_one_s_own(server, clients, everybodys):
    utc, tokyo, escaped, binary = clients("alice", "alice", "bob", "bob")
    tokyo.simple("SET TIME ZONE 'Asia/Tokyo'")
    escaped.simple("SET bytea_output = 'escape'")
    text = f"SUBSCRIBE TO {everybodys}"
    for session in (utc, tokyo, escaped):
        session.send(query(text))
    binary.send(parse(text) + bind(results=(1, 1, 1, 1, 1)) + execute() + SYNC)
    answers = [session.answer() for session in (utc, tokyo, escaped, binary)]
    assert {row[1][-3:] for row in answers[0].rows} == {"+00"}
    assert {row[1][-3:] for row in answers[1].rows} == {"+09"}
    assert [{row[3] for row in answer.rows} for answer in answers[1:3]] == [{"\\x6162"}, {"ab"}]
    assert answers[3].raw.count(b"\0\0\0\4") >= ROWS  # id, four bytes each


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO {} VALUES (-1, now(), 'x', 'ab')",
        "UPDATE {} SET body = 'y' WHERE id = 7",
        "DELETE FROM {} WHERE id = 7",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "STORAGE FLUSH TABLE {}",
    ],
)
def test_a_snapshot_has_what_was_committed_before_it(server, clients, everybodys, change):
    first, second = clients("alice", "bob")
    text = f"SUBSCRIBE TO {everybodys}"
    assert len(first.simple(text).rows) == ROWS
    with server.root() as root:
        root.execute("SET synchronous_commit = off")
        root.execute(change.format(everybodys))
        right = root.execute(f"SELECT id::text AS k, body FROM {everybodys} ORDER BY id").fetchall()
    found = sorted([(row[0], row[2]) for row in second.simple(text).rows], key=lambda r: int(r[0]))
    assert found == right


def test_a_table_of_the_same_name_is_another_table(server, clients, everybodys):
    alice = clients("alice")[0]
    text = f"SUBSCRIBE TO {everybodys}"
    assert len(alice.simple(text).rows) == ROWS
    with server.root() as root:
        root.execute(f"DROP TABLE {everybodys}")
        root.execute(f"CREATE TABLE {everybodys} (id int PRIMARY KEY) WITH (TYPE = 'SHARED')")
        root.execute(f"GRANT SELECT ON {everybodys} TO alice")
    assert alice.receive()[0] == "A"  # The reason why the first one has ended.
    answer = alice.simple(text)
    assert (answer.sqlstate, answer.rows) == (None, [])


def test_limits_and_parameters_tell_snapshots_apart(server, clients, everybodys):
    alice = clients("alice")[0]

    def count(text, *parameters):
        return len(alice.extended(text, *parameters).rows)

    where = f"SUBSCRIBE TO {everybodys} WHERE id < $1"
    assert [count(where, b"600"), count(where, b"601"), count(where, b"600")] == [
        600,
        601,
        600,
    ]
    newest = f"SUBSCRIBE TO {everybodys} OPTIONS (last_rows = {{}})"
    assert [count(newest.format(n)) for n in (500, 5, 500)] == [500, 5, 500]
    assert count(f"SUBSCRIBE TO {everybodys}") == ROWS


def test_a_transaction_sees_what_it_saw_and_tells_its_own_at_the_end(server, clients, everybodys):
    repeatable, other = clients("alice", "bob")
    text = f"SUBSCRIBE TO {everybodys}"
    repeatable.simple(f"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM {everybodys}")
    with server.root() as root:
        root.execute(f"INSERT INTO {everybodys} VALUES (-5, now(), 'x', 'ab')")
    assert len(other.simple(text).rows) == ROWS + 1
    assert len(repeatable.simple(text).rows) == ROWS
    assert repeatable.simple("COMMIT").sqlstate is None
    kind, body = repeatable.receive()
    assert (kind, b'"key":["-5"]' in body) == ("A", True)


def test_one_that_is_gone_or_cancelled_takes_nothing_from_the_others(server, clients, everybodys):
    first, second, third = clients("alice", "bob", "alice")
    text = f"SUBSCRIBE TO {everybodys}"
    with server.root() as root:
        root.execute(f"UPDATE {everybodys} SET body = 'z' WHERE id = 0")  # Nothing is kept.
    for session in (first, second, third):
        session.send(query(text))
    first.socket.close()
    cancel(server, second)
    assert len(third.answer().rows) == ROWS
    answer = second.answer()
    assert answer.sqlstate == "57014" or len(answer.rows) == ROWS
    assert len(second.simple(text).rows) == ROWS


def test_one_that_does_not_read_keeps_nobody_waiting(server, clients, chat):
    with server.root() as root:
        root.execute(f"CREATE TABLE {chat}.long (id int PRIMARY KEY, body text)")
        root.execute(f"GRANT SELECT ON {chat}.long TO alice")
        for n in range(40):
            root.execute(
                f"INSERT INTO {chat}.long SELECT {n} * 20 + i, repeat('x', 20000)"
                " FROM generate_series(0, 19) AS t(i)"
            )
    stopped, reading = clients("alice", "alice")
    text = f"SUBSCRIBE TO {chat}.long"
    stopped.send(query(text))
    for _ in range(2):
        assert len(reading.simple(text).rows) == 800
    assert len(stopped.answer().rows) == 800


def test_rows_in_commit_order_are_those_that_a_sort_would_give(server, alice, table):
    fill(alice, table, "0, 'a'")
    alice.execute(f"UPDATE {table} SET body = 'b' WHERE id % 7 = 0")
    alice.execute(f"DELETE FROM {table} WHERE id % 11 = 0")

    def rows(order):
        return alice.execute(f"SELECT id, body, _seq FROM {table} ORDER BY {order}").fetchall()

    assert sorted(rows("_seq")) == sorted(rows("_seq + 0"))
    assert [row[2] for row in rows("_seq")] == [row[2] for row in rows("_seq + 0")]
    with alice.transaction():
        alice.execute(f"INSERT INTO {table} VALUES (-1, 0, 'mine')")
        alice.execute(f"UPDATE {table} SET body = 'mine' WHERE id = 1")
        assert {row[1] for row in rows("_seq")[:2]} == {"mine"}
        assert [row[2] for row in rows("_seq")] == [row[2] for row in rows("_seq + 0")]
