"""Two users, every kind of change, each trying to change, remove or run into the other's rows."""

# ruff: noqa: E501 -- one probe a line

from collections.abc import Callable, Iterator

import pytest

from tests.wire.isolation import (
    COUNTS,
    PROTOCOLS,
    ROLES,
    SCHEMA,
    House,
    Own,
    assert_sees_only_own,
    furnished,
    own_rows,
)
from tests.wire.raw import Answer, RawClient
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

Rows = list[tuple[str | None, ...]]


@pytest.fixture(scope="module")
def house(server: KalamServer) -> Iterator[House]:
    """Everybody's rows; every test leaves them as they were."""
    with furnished(server) as house:
        yield house
        house.assert_untouched()
        for role, client in house.clients.items():
            assert_sees_only_own(role, bytes(client.received))


def _secrets(own: Own) -> Rows:
    return [(secret,) for _, secret, _ in own]


def _no_rows(_own: Own) -> Rows:
    return []


CHANGES: list[tuple[str, str, Callable[[Own], int], Callable[[Own], Rows]]] = [
    # (statement, tag without its count, count, rows returned)
    ("UPDATE {n}.notes SET amount = amount + 1", "UPDATE", len, _no_rows),
    ("UPDATE {n}.notes SET amount = 1 WHERE id = 3", "UPDATE", lambda own: len(own[2:3]), _no_rows),
    ("UPDATE {n}.notes SET amount = 1 RETURNING secret", "UPDATE", len, _secrets),
    ("UPDATE {n}.notes SET amount = 1 WHERE id = 4 RETURNING secret", "UPDATE", lambda own: len(own[3:]), lambda own: _secrets(own[3:])),
    ("UPDATE {n}.notes SET secret = 'x' WHERE secret LIKE 'canary%'", "UPDATE", len, _no_rows),
    ("UPDATE {n}.notes n SET amount = p.a FROM {n}.pairs p WHERE p.a = n.id RETURNING p.v", "UPDATE", len, _secrets),
    ("UPDATE {n}.notes SET amount = (SELECT count(*) + 1 FROM {n}.notes) RETURNING amount", "UPDATE", len, lambda own: [(str(len(own) + 1),) for _ in own]),
    ("UPDATE {n}.notes SET id = id + 1000", "UPDATE", len, _no_rows),
    ("UPDATE {n}.events SET secret = 'x'", "UPDATE", len, _no_rows),
    ("DELETE FROM {n}.notes", "DELETE", len, _no_rows),
    ("DELETE FROM {n}.notes RETURNING secret", "DELETE", len, _secrets),
    ("DELETE FROM {n}.notes WHERE id = 1 RETURNING secret", "DELETE", lambda own: len(own[:1]), lambda own: _secrets(own[:1])),
    ("DELETE FROM {n}.notes WHERE id = 3 RETURNING secret", "DELETE", lambda own: len(own[2:3]), lambda own: _secrets(own[2:3])),
    ("DELETE FROM {n}.notes USING {n}.events e WHERE e.id = notes.id RETURNING e.secret", "DELETE", len, _secrets),
    ("DELETE FROM {n}.notes WHERE id IN (SELECT a FROM {n}.pairs) RETURNING secret", "DELETE", len, _secrets),
    ("DELETE FROM {n}.pairs WHERE b = 'k' RETURNING v", "DELETE", len, _secrets),
    ("DELETE FROM {n}.events RETURNING secret", "DELETE", len, _secrets),
    # Keys that another has are free; one's own are not.
    ("INSERT INTO {n}.notes VALUES (9, 'x', 1)", "INSERT 0", lambda _: 1, _no_rows),
    ("INSERT INTO {n}.notes VALUES (5, 'x', 1), (6, 'x', 1) RETURNING id", "INSERT 0", lambda _: 2, lambda _: [("5",), ("6",)]),
    ("INSERT INTO {n}.notes SELECT id + 10, secret, amount FROM {n}.notes RETURNING secret", "INSERT 0", len, _secrets),
    ("INSERT INTO {n}.notes SELECT g, 'x', 1 FROM generate_series(1, 4) g ON CONFLICT DO NOTHING", "INSERT 0", lambda own: 4 - len(own), _no_rows),
    ("INSERT INTO {n}.notes VALUES (4, 'x', 1) ON CONFLICT (id) DO NOTHING RETURNING id", "INSERT 0", lambda own: int(len(own) < 4), lambda own: [("4",)] if len(own) < 4 else []),
    ("INSERT INTO {n}.notes VALUES (3, 'x', 1) ON CONFLICT (id) DO UPDATE SET amount = 2 RETURNING secret", "INSERT 0", lambda _: 1, lambda own: _secrets(own[2:3]) or [("x",)]),
    ("INSERT INTO {n}.pairs SELECT id, 'k', secret FROM {n}.notes ON CONFLICT (a, b) DO UPDATE SET v = excluded.v RETURNING v", "INSERT 0", len, _secrets),
    ("INSERT INTO {n}.events SELECT id + 50, secret FROM {n}.notes RETURNING secret", "INSERT 0", len, _secrets),
    ("TRUNCATE {n}.notes", "TRUNCATE TABLE", lambda _: -1, _no_rows),
]  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("flushed", [False, True], ids=["hot", "cold"])
def test_a_change_finds_the_callers_own_rows(house: House, protocol: str, flushed: bool):
    if flushed:
        for table in ("notes", "pairs"):
            answer = house.clients["root"].simple(f"STORAGE FLUSH TABLE {SCHEMA}.{table}")
            assert answer.tags == ["STORAGE FLUSH"]
    run, wrong = PROTOCOLS[protocol], []
    for text, tag, count, expected in CHANGES:
        for role in ROLES:
            own, client = own_rows(role), house.clients[role]
            client.simple("BEGIN")
            answer = run(client, text.format(n=SCHEMA))
            client.simple("ROLLBACK")
            assert_sees_only_own(role, answer.raw)
            changed = count(own)
            wanted = [tag if changed < 0 else f"{tag} {changed}"]
            if answer.tags != wanted or sorted(answer.rows) != sorted(expected(own)):
                wrong.append((role, text, answer))
    assert not wrong
    house.assert_untouched()


def _ok(client: RawClient, text: str) -> Answer:
    answer = client.simple(text.format(n=SCHEMA))
    assert not answer.errors, answer.errors
    return answer


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE {n}.notes SET secret = 'gone', amount = 1",
        "DELETE FROM {n}.notes",
        "TRUNCATE {n}.notes",
        "UPDATE {n}.notes SET id = id + 100",
        "INSERT INTO {n}.notes SELECT g, 'mine', 1 FROM generate_series(1, 9) g"
        " ON CONFLICT (id) DO UPDATE SET secret = excluded.secret",
    ],
)
def test_what_one_commits_leaves_the_others_rows_alone(house: House, text: str):
    actor = house.clients["dora"]
    _ok(actor, text)
    _ok(actor, "STORAGE FLUSH TABLE {n}.notes")
    for role, client in house.clients.items():
        if role != "dora":
            assert _ok(client, "SELECT * FROM {n}.notes ORDER BY id").rows == own_rows(role)
    _ok(actor, "DELETE FROM {n}.notes")
    for id_, secret, amount in own_rows("dora"):
        _ok(actor, f"INSERT INTO {{n}}.notes VALUES ({id_}, '{secret}', {amount})")


def test_writers_of_the_same_key_do_not_wait_for_each_other(house: House):
    alice, bob = house.clients["alice"], house.clients["bob"]
    _ok(bob, "SET lock_timeout = '1ms'")
    _ok(alice, "BEGIN")
    _ok(alice, "UPDATE {n}.notes SET amount = 1 WHERE id = 1")
    _ok(alice, "INSERT INTO {n}.notes VALUES (70, 'x', 1)")
    _ok(alice, "DELETE FROM {n}.notes WHERE id = 2")
    _ok(bob, "BEGIN")
    assert _ok(bob, "UPDATE {n}.notes SET amount = 2 WHERE id = 1").tags == ["UPDATE 1"]
    assert _ok(bob, "SELECT id FROM {n}.notes WHERE id = 2 FOR UPDATE").rows == [("2",)]
    _ok(bob, "INSERT INTO {n}.notes VALUES (70, 'y', 1)")
    assert _ok(bob, "SELECT secret FROM {n}.notes WHERE id = 70").rows == [("y",)]
    _ok(alice, "ROLLBACK")
    _ok(bob, "ROLLBACK")
    _ok(bob, "RESET lock_timeout")
    house.assert_untouched()


def test_generated_keys_of_two_users_never_meet(house: House):
    root = house.clients["root"]
    _ok(
        root,
        "CREATE TABLE {n}.generated (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), v TEXT)"
        " WITH (TYPE = 'USER')",
    )
    for role in ROLES:
        _ok(house.clients[role], f"INSERT INTO {{n}}.generated (v) VALUES ('{role}'), ('{role}')")
    for role in ROLES:
        rows = _ok(house.clients[role], "SELECT v, count(*) FROM {n}.generated GROUP BY v").rows
        assert rows == [(role, "2")]


def test_a_flush_by_role_user_is_of_their_own_rows(house: House):
    stats = "SHOW STATS FOR TABLE {n}.pairs"
    for role in ROLES:
        _ok(house.clients[role], "UPDATE {n}.pairs SET v = v")
    before = {role: _ok(house.clients[role], stats).rows[0] for role in ROLES}
    _ok(house.clients["alice"], "STORAGE FLUSH TABLE {n}.pairs")
    after = {role: _ok(house.clients[role], stats).rows[0] for role in ROLES}
    assert after["alice"][0] == "0"
    assert after["alice"][2] == str(COUNTS["alice"])
    for role in ("bob", "carol", "dora"):
        assert after[role] == before[role]
        assert before[role][0] == str(COUNTS[role])
    # A service's covers everybody.
    _ok(house.clients["carol"], "STORAGE FLUSH TABLE {n}.pairs")
    for role in ROLES:
        assert _ok(house.clients[role], stats).rows[0][0] == "0"
        assert _ok(house.clients[role], stats).rows[0][2] == str(COUNTS[role])
