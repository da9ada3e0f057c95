"""Acting for another user: who may, whose rows are met then, and what takes it back."""

# ruff: noqa: E501 -- one probe a line

from collections.abc import Iterator

import pytest

from tests.wire.isolation import SCHEMA, House, assert_sees_only_own, canaries, furnished, own_rows
from tests.wire.raw import SYNC, RawClient, bind, execute, parse, query, startup
from tests.wire.server import PASSWORD, KalamServer

pytestmark = pytest.mark.slow

ROWS = f"SELECT secret FROM {SCHEMA}.notes ORDER BY id"
NOT_ALLOWED = "42501"


@pytest.fixture(scope="module")
def house(server: KalamServer) -> Iterator[House]:
    """Everybody's rows, another service and another dba."""
    with server.root() as root:
        root.execute(f"CREATE USER cecil WITH PASSWORD '{PASSWORD}' ROLE 'service'")
        root.execute(f"CREATE USER dennis WITH PASSWORD '{PASSWORD}' ROLE 'dba'")
    with furnished(server) as house:
        yield house
        house.assert_untouched()


def secrets(role: str) -> list[tuple[str]]:
    """What `ROWS` answers for a role."""
    return [(secret,) for _, secret, _ in own_rows(role)]


# Who may act for whom: downwards, and never for one's equals (but oneself).
ALLOWED = {
    "alice": {"alice"},
    "carol": {"carol", "alice", "bob"},
    "dora": {"dora", "alice", "bob", "carol", "cecil"},
    "root": {"root", "alice", "bob", "carol", "cecil", "dora", "dennis"},
}
EVERYBODY = ("alice", "bob", "carol", "cecil", "dora", "dennis", "root")
WAYS = (
    "SET ROLE {user}; {rows}",
    "SET ROLE '{user}'; {rows}",
    "SET SESSION AUTHORIZATION {user}; {rows}",
    "BEGIN; SET LOCAL ROLE {user}; {rows}; COMMIT",
    "EXECUTE AS USER '{user}' ({rows})",
)


@pytest.mark.parametrize("actor", ALLOWED)
@pytest.mark.parametrize("way", WAYS)
def test_one_acts_downwards_only(house: House, actor: str, way: str):
    with house.fresh(actor) as client:
        for user in EVERYBODY:
            answer = client.simple(way.format(user=user, rows=ROWS))
            client.simple("ROLLBACK; RESET SESSION AUTHORIZATION")
            if user in ALLOWED[actor]:
                assert not answer.errors, (user, answer.errors)
                assert answer.rows == (secrets(user) if user in house.clients else [])
            else:
                assert answer.sqlstate == NOT_ALLOWED, (user, answer)
                assert answer.rows == []
        assert client.simple(ROWS).rows == secrets(actor)


def test_who_may_act_for_nobody_does_not_learn_who_exists(house: House):
    with house.fresh("alice") as alice, house.fresh("carol") as carol:
        for text in (
            "SET ROLE {}",
            "SET SESSION AUTHORIZATION {}",
            "EXECUTE AS USER '{}' (SELECT 1)",
        ):
            there = alice.simple(text.format("dennis")).errors[0]
            absent = alice.simple(text.format("nobody")).errors[0]
            assert there["C"] == absent["C"] == NOT_ALLOWED
            assert there["M"].replace("dennis", "nobody") == absent["M"]
            assert carol.simple(text.format("nobody")).sqlstate == "42704"


# (what carol says, then the answer to SELECT current_user, session_user)
ORDERS: list[tuple[tuple[str, ...], tuple[str, str]]] = [
    (("SET ROLE alice",), ("alice", "carol")),
    (("SET ROLE alice", "SET ROLE bob"), ("bob", "carol")),
    (("SET ROLE alice", "RESET ROLE"), ("carol", "carol")),
    (("SET ROLE alice", "SET ROLE NONE"), ("carol", "carol")),
    (("SET ROLE alice", "DISCARD ALL"), ("carol", "carol")),
    (("SET ROLE alice", "RESET ALL"), ("alice", "carol")),
    (("SET SESSION AUTHORIZATION alice",), ("alice", "alice")),
    (("SET SESSION AUTHORIZATION alice", "RESET ROLE"), ("alice", "alice")),
    (("SET SESSION AUTHORIZATION alice", "SET ROLE bob"), ("bob", "alice")),
    (("SET SESSION AUTHORIZATION alice", "SET ROLE bob", "RESET ROLE"), ("alice", "alice")),
    (("SET ROLE bob", "SET SESSION AUTHORIZATION alice"), ("alice", "alice")),
    (("SET ROLE bob", "SET SESSION AUTHORIZATION DEFAULT"), ("carol", "carol")),
    (("SET SESSION AUTHORIZATION alice", "RESET SESSION AUTHORIZATION"), ("carol", "carol")),
    # A transaction takes back what it did.
    (("BEGIN", "SET ROLE alice", "ROLLBACK"), ("carol", "carol")),
    (("BEGIN", "SET ROLE alice", "COMMIT"), ("alice", "carol")),
    (("BEGIN", "SET ROLE alice", "SELECT 1/0", "COMMIT"), ("carol", "carol")),
    (("SET ROLE alice", "BEGIN", "SET ROLE bob", "ROLLBACK"), ("alice", "carol")),
    (("SET ROLE alice", "BEGIN", "RESET ROLE", "ROLLBACK"), ("alice", "carol")),
    (("BEGIN", "SET SESSION AUTHORIZATION alice", "SET ROLE bob", "ROLLBACK"), ("carol", "carol")),
    (("SET ROLE bob", "BEGIN", "SET SESSION AUTHORIZATION alice", "ROLLBACK"), ("bob", "carol")),
    (("SET ROLE alice", "BEGIN", "SELECT 1", "ROLLBACK"), ("alice", "carol")),
    (("SET ROLE alice; SELECT 1/0",), ("carol", "carol")),
    (("SET ROLE alice; SELECT 1",), ("alice", "carol")),
    (("BEGIN", "SAVEPOINT s", "SET ROLE alice", "ROLLBACK TO s", "COMMIT"), ("carol", "carol")),
    (("BEGIN", "SET ROLE bob", "SAVEPOINT s", "SET ROLE alice", "ROLLBACK TO s", "COMMIT"), ("bob", "carol")),
    (("BEGIN", "SAVEPOINT s", "SET ROLE alice", "RELEASE s", "COMMIT"), ("alice", "carol")),
    (("BEGIN", "SAVEPOINT s", "SET ROLE alice", "RELEASE s", "ROLLBACK"), ("carol", "carol")),
    # SET LOCAL lasts until the transaction ends, however it ends.
    (("SET LOCAL ROLE alice",), ("carol", "carol")),
    (("BEGIN", "SET LOCAL ROLE alice", "COMMIT"), ("carol", "carol")),
    (("BEGIN", "SET LOCAL ROLE alice", "ROLLBACK"), ("carol", "carol")),
    (("BEGIN", "SET LOCAL ROLE alice", "SET ROLE bob", "COMMIT"), ("bob", "carol")),
    (("BEGIN", "SET ROLE bob", "SET LOCAL ROLE alice", "COMMIT"), ("bob", "carol")),
    (("SET ROLE bob", "BEGIN", "SET LOCAL ROLE alice", "COMMIT"), ("bob", "carol")),
    (("BEGIN", "SET LOCAL SESSION AUTHORIZATION alice", "COMMIT"), ("carol", "carol")),
    # EXECUTE AS USER is for one statement, well or ill.
    (("EXECUTE AS USER 'alice' (SELECT 1)",), ("carol", "carol")),
    (("EXECUTE AS USER 'alice' (SELECT 1/0)",), ("carol", "carol")),
    (("EXECUTE AS USER 'alice' (SELECT nothing)",), ("carol", "carol")),
    (("SET ROLE bob", "EXECUTE AS USER 'alice' (SELECT 1)"), ("bob", "carol")),
    (("EXECUTE AS USER 'alice' (SET ROLE bob)",), ("carol", "carol")),
    (("EXECUTE AS USER 'alice' (SET SESSION AUTHORIZATION bob)",), ("carol", "carol")),
    (("EXECUTE AS USER 'alice' (ROLLBACK)",), ("carol", "carol")),
    (("BEGIN", "EXECUTE AS USER 'alice' (SELECT 1)", "ROLLBACK"), ("carol", "carol")),
    # What is refused changes nothing.
    (("SET ROLE dora",), ("carol", "carol")),
    (("SET ROLE alice", "SET ROLE dora"), ("alice", "carol")),
    (("SET ROLE alice", "SET SESSION AUTHORIZATION root"), ("alice", "carol")),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "expected"), ORDERS)
def test_who_one_is_after_a_sequence(
    house: House, texts: tuple[str, ...], expected: tuple[str, str]
):
    with house.fresh("carol") as client:
        for text in texts:
            client.simple(text)
        assert client.simple("SELECT current_user, session_user").rows == [expected]
        assert client.simple(ROWS).rows == secrets(expected[0])
        assert client.extended(ROWS).rows == secrets(expected[0])
        allowed = b"".join(b"".join(canaries(role)) for role in {expected[0], "carol"})
        for other in {"alice", "bob", "dora"} - {expected[0]}:
            assert not any(c in client.received for c in canaries(other) if c not in allowed)


def test_acting_gives_the_users_rights_and_no_others(house: House):
    with house.fresh("dora") as client:
        client.simple("SET ROLE alice")
        for text in (
            f"SELECT * FROM {SCHEMA}.closed",
            f"SELECT * FROM {SCHEMA}.peep",
            f"INSERT INTO {SCHEMA}.open VALUES (7, 'x')",
            f"DROP TABLE {SCHEMA}.notes",
            "CREATE NAMESPACE alices",
            "CREATE USER mallory WITH PASSWORD 'x'",
            "SELECT * FROM system.jobs",
            "STORAGE FLUSH ALL",
            "SHOW JOBS",
        ):
            assert client.simple(text).sqlstate == NOT_ALLOWED, text
        assert client.simple("SHOW is_superuser").rows == [("off",)]
        client.simple("RESET ROLE")
        assert client.simple("SHOW is_superuser").rows == [("on",)]


def test_a_prepared_statement_follows_the_role(house: House):
    with house.fresh("carol") as client:
        client.simple(f"PREPARE mine AS {ROWS}")
        for role in ("alice", "bob"):
            client.simple(f"SET ROLE {role}")
            assert client.simple("EXECUTE mine").rows == secrets(role)
            assert client.simple(f"EXECUTE AS USER 'alice' ({ROWS})").rows == secrets("alice")
        client.simple("RESET ROLE")
        assert client.simple("EXECUTE mine").rows == secrets("carol")


def test_what_is_written_for_a_user_is_theirs(house: House):
    with house.fresh("carol") as client:
        text = f"INSERT INTO {SCHEMA}.notes VALUES (50, 'for bob', 1)"
        assert client.simple(f"EXECUTE AS USER 'bob' ({text} RETURNING secret)").rows == [
            ("for bob",)
        ]
        client.simple(
            f"BEGIN; SET LOCAL ROLE bob; UPDATE {SCHEMA}.notes SET amount = 2 WHERE id = 50; COMMIT"
        )
        found = f"SELECT amount FROM {SCHEMA}.notes WHERE id = 50"
        assert client.simple(found).rows == []
        assert house.clients["alice"].simple(found).rows == []
        assert house.clients["bob"].simple(found).rows == [("2",)]
        # One transaction may write for several users, and is all or nothing.
        client.simple(
            f"BEGIN; SET LOCAL ROLE bob; DELETE FROM {SCHEMA}.notes WHERE id = 50;"
            f" SET LOCAL ROLE alice; INSERT INTO {SCHEMA}.notes VALUES (50, 'x', 1); ROLLBACK"
        )
        assert house.clients["bob"].simple(found).rows == [("2",)]
        assert house.clients["alice"].simple(found).rows == []
    house.clients["bob"].simple(f"DELETE FROM {SCHEMA}.notes WHERE id = 50")


SHARED: list[tuple[str, dict[str, str]]] = [
    # (statement, who is refused: every role of these with 42501, the others do it)
    ("SELECT body FROM {n}.open", {}),
    ("SELECT body FROM {n}.closed", dict.fromkeys(("alice", "bob"), NOT_ALLOWED)),
    ("SELECT body FROM {n}.peep", dict.fromkeys(("alice", "bob"), NOT_ALLOWED)),
    ("SELECT body FROM {n}.granted", dict.fromkeys(("alice", "bob", "carol"), NOT_ALLOWED)),
    ("SELECT (SELECT max(body) FROM {n}.granted)", dict.fromkeys(("alice", "bob", "carol"), NOT_ALLOWED)),
    ("SELECT 1 WHERE EXISTS (SELECT 1 FROM {n}.granted)", dict.fromkeys(("alice", "bob", "carol"), NOT_ALLOWED)),
    ("WITH g AS (SELECT * FROM {n}.granted) SELECT count(*) FROM g", dict.fromkeys(("alice", "bob", "carol"), NOT_ALLOWED)),
    ("SELECT id FROM {n}.notes UNION SELECT id FROM {n}.closed", dict.fromkeys(("alice", "bob"), NOT_ALLOWED)),
    ("SELECT 1 FROM {n}.notes n JOIN {n}.closed c USING (id)", dict.fromkeys(("alice", "bob"), NOT_ALLOWED)),
    ("SELECT body FROM {n}.open FOR UPDATE", dict.fromkeys(("alice", "bob"), NOT_ALLOWED)),
    ("INSERT INTO {n}.open VALUES (9, 'x')", dict.fromkeys(("alice", "bob"), NOT_ALLOWED)),
    ("UPDATE {n}.open SET body = body", dict.fromkeys(("alice", "bob"), NOT_ALLOWED)),
    ("DELETE FROM {n}.open WHERE id = 99", dict.fromkeys(("alice", "bob"), NOT_ALLOWED)),
    ("TRUNCATE {n}.open", dict.fromkeys(("alice", "bob"), NOT_ALLOWED)),
    ("UPDATE {n}.closed SET body = body", dict.fromkeys(("alice", "bob"), NOT_ALLOWED)),
    ("UPDATE {n}.granted SET body = body", dict.fromkeys(("alice", "bob", "carol"), NOT_ALLOWED)),
    ("INSERT INTO {n}.notes SELECT id + 90, body, 1 FROM {n}.closed", dict.fromkeys(("alice", "bob"), NOT_ALLOWED)),
    ("UPDATE {n}.notes SET secret = c.body FROM {n}.closed c", dict.fromkeys(("alice", "bob"), NOT_ALLOWED)),
    ("DELETE FROM {n}.notes USING {n}.granted g WHERE g.id = notes.id", dict.fromkeys(("alice", "bob", "carol"), NOT_ALLOWED)),
    ("SHOW STATS FOR TABLE {n}.granted", dict.fromkeys(("alice", "bob", "carol"), NOT_ALLOWED)),
    ("SHOW MANIFEST FOR {n}.granted", dict.fromkeys(("alice", "bob", "carol"), NOT_ALLOWED)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "refused"), SHARED)
def test_a_shared_table_is_read_and_changed_by_its_access_level(
    house: House, text: str, refused: dict[str, str]
):
    for role, client in house.clients.items():
        client.simple("BEGIN")
        for run in (client.simple, client.extended):
            client.simple("SAVEPOINT s")
            answer = run(text.format(n=SCHEMA))
            client.simple("ROLLBACK TO s")
            assert answer.sqlstate == refused.get(role), (role, answer.errors)
            if answer.errors:
                assert b"service-and-up" not in answer.raw
                assert b"by-grant-only" not in answer.raw
        client.simple("ROLLBACK")


GRANTED: list[tuple[str, str, str | None]] = [
    # (what alice is granted, what she tries, SQLSTATE)
    ("SELECT", "SELECT body FROM {n}.granted", None),
    ("SELECT", "UPDATE {n}.granted SET body = body", NOT_ALLOWED),
    ("SELECT", "SELECT body FROM {n}.granted FOR UPDATE", NOT_ALLOWED),
    ("INSERT", "INSERT INTO {n}.granted VALUES (20, 'x')", None),
    ("INSERT", "INSERT INTO {n}.granted VALUES (1, 'x') ON CONFLICT DO NOTHING", None),
    ("INSERT", "INSERT INTO {n}.granted VALUES (20, 'x') RETURNING body", NOT_ALLOWED),
    ("INSERT", "INSERT INTO {n}.granted VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET body = 'y'", NOT_ALLOWED),
    ("INSERT", "INSERT INTO {n}.granted SELECT id + 20, body FROM {n}.granted", NOT_ALLOWED),
    ("INSERT", "INSERT INTO {n}.notes SELECT id + 20, body, 1 FROM {n}.granted", NOT_ALLOWED),
    ("INSERT", "SELECT body FROM {n}.granted", NOT_ALLOWED),
    ("INSERT, UPDATE", "INSERT INTO {n}.granted VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET body = excluded.body", None),
    ("INSERT, UPDATE", "INSERT INTO {n}.granted VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET body = granted.body", NOT_ALLOWED),
    ("UPDATE", "UPDATE {n}.granted SET body = 'y'", None),
    ("UPDATE", "UPDATE {n}.granted SET body = body || 'y'", NOT_ALLOWED),
    ("UPDATE", "UPDATE {n}.granted SET body = 'y' WHERE body LIKE 'by%'", NOT_ALLOWED),
    ("UPDATE", "UPDATE {n}.granted SET body = 'y' RETURNING id", NOT_ALLOWED),
    ("UPDATE", "UPDATE {n}.granted SET body = (SELECT max(body) FROM {n}.granted)", NOT_ALLOWED),
    ("UPDATE", "DELETE FROM {n}.granted", NOT_ALLOWED),
    ("SELECT, UPDATE", "UPDATE {n}.granted SET body = 'y' WHERE id = 1 RETURNING body", None),
    ("SELECT, UPDATE", "SELECT body FROM {n}.granted FOR UPDATE", None),
    ("DELETE", "DELETE FROM {n}.granted", None),
    ("DELETE", "DELETE FROM {n}.granted WHERE id = 1", NOT_ALLOWED),
    ("DELETE", "DELETE FROM {n}.granted RETURNING body", NOT_ALLOWED),
    ("SELECT, DELETE", "DELETE FROM {n}.granted WHERE id = 1 RETURNING body", None),
]  # fmt: skip


@pytest.mark.parametrize(("privileges", "text", "sqlstate"), GRANTED)
def test_a_grant_allows_what_it_names(
    house: House, privileges: str, text: str, sqlstate: str | None
):
    root, alice, bob = (house.clients[role] for role in ("root", "alice", "bob"))
    assert not root.simple(f"GRANT {privileges} ON {SCHEMA}.granted TO alice").errors
    try:
        for client, expected in ((alice, sqlstate), (bob, NOT_ALLOWED)):
            client.simple("BEGIN")
            answer = client.simple(text.format(n=SCHEMA))
            client.simple("ROLLBACK")
            assert answer.sqlstate == expected, answer.errors
    finally:
        root.simple(f"REVOKE {privileges} ON {SCHEMA}.granted FROM alice")
    # What is revoked is gone from a session that had it, prepared or not.
    assert alice.simple(text.format(n=SCHEMA)).sqlstate == NOT_ALLOWED


USERS: list[tuple[str, tuple[str, ...]]] = [
    # A statement, then who is refused it.
    ("CREATE USER mallory WITH PASSWORD 'x'", ("alice", "carol")),
    ("CREATE USER mallory WITH PASSWORD 'x' ROLE 'system'", ("alice", "carol", "dora")),
    ("ALTER USER bob SET PASSWORD 'x'", ("alice", "carol")),
    ("ALTER USER {me} SET ROLE 'system'", ("alice", "carol", "dora")),
    ("ALTER USER root SET PASSWORD 'x'", ("alice", "carol", "dora")),
    ("ALTER USER bob SET ROLE 'dba'", ("alice", "carol")),
    ("ALTER USER nobody SET PASSWORD 'x'", ("alice", "carol")),
    ("DROP USER bob", ("alice", "carol")),
    ("DROP USER IF EXISTS nobody", ("alice", "carol")),
    ("DROP USER root", ("alice", "carol", "dora")),
    (f"GRANT SELECT ON {SCHEMA}.granted TO alice", ("alice", "carol")),
    (f"DROP TABLE {SCHEMA}.notes", ("alice", "carol")),
    (f"DROP NAMESPACE {SCHEMA} CASCADE", ("alice", "carol")),
    (f"CREATE TABLE {SCHEMA}.t (id INT)", ("alice",)),
    (f"CREATE TABLE {SCHEMA}.t (id INT) WITH (TYPE = 'USER')", ("alice",)),
    (f"CREATE VIEW {SCHEMA}.w AS SELECT 1", ("alice",)),
]


@pytest.mark.parametrize(("text", "refused"), USERS)
def test_who_may_define_what(house: House, text: str, refused: tuple[str, ...]):
    for role in ("alice", "carol", "dora"):
        with house.fresh(role) as client:
            client.simple("BEGIN")
            answer = client.simple(text.format(me=role))
            client.simple("ROLLBACK")
            assert (answer.sqlstate == NOT_ALLOWED) == (role in refused), (role, answer.errors)


def test_other_rights_count_in_sessions_that_are_open(house: House):
    root = house.clients["root"]
    root.simple(f"CREATE USER moved WITH PASSWORD '{PASSWORD}' ROLE 'service'")
    with house.fresh("moved") as moved, house.fresh("cecil") as cecil:
        assert moved.simple("SET ROLE alice; RESET ROLE").sqlstate is None
        moved.simple(f"PREPARE closed AS SELECT body FROM {SCHEMA}.closed")
        assert moved.simple("EXECUTE closed").rows == [("service-and-up",)]
        root.simple("ALTER USER moved SET ROLE 'user'")
        assert moved.simple("SET ROLE alice").sqlstate == NOT_ALLOWED
        assert moved.simple("EXECUTE closed").sqlstate == NOT_ALLOWED
        assert moved.simple("SHOW JOBS").sqlstate == NOT_ALLOWED
        # Cecil acts for a user who now becomes more than he is: that session ends.
        assert cecil.simple("SET ROLE moved").sqlstate is None
        root.simple("ALTER USER moved SET ROLE 'dba'")
        kind, body = cecil.receive()
        assert (kind, b"57P01" in body) == ("E", True)
        assert cecil.closed_by_server()
        assert moved.simple("SHOW is_superuser").rows == [("on",)]
    root.simple("DROP USER moved")


def _login(server: KalamServer, user: str, password: str = PASSWORD) -> str | None:
    from tests.wire.raw import startup

    with RawClient(server, user, login=False) as client:
        client.send(startup(user))
        return client.authenticate(password).sqlstate


CHANGES_OF_A_LOGIN = [
    "DROP USER {user}",
    "ALTER USER {user} NOLOGIN",
    "ALTER USER {user} PASSWORD 'Another123!'",
    f"ALTER USER {{user}} PASSWORD '{PASSWORD}'",
    "ALTER USER {user} SET ROLE 'user'",
]


@pytest.mark.parametrize("change", CHANGES_OF_A_LOGIN)
def test_a_login_that_began_before_a_change_ends_as_if_it_had_begun_after(house: House, change):
    root, user = house.clients["root"], f"slow{CHANGES_OF_A_LOGIN.index(change)}"
    root.simple(f"CREATE USER {user} WITH PASSWORD '{PASSWORD}' ROLE 'dba'")
    with RawClient(house.server, user, login=False) as client:
        client.send(startup(user))
        last = client.prove(PASSWORD)
        assert isinstance(last, bytes), last
        assert root.simple(change.format(user=user)).sqlstate is None
        client.send(last)
        answer = client.answer()
        if "SET ROLE" not in change:
            assert answer.sqlstate == "28P01"
            assert client.closed_by_server()
        else:
            assert answer.sqlstate is None
            assert client.simple("SHOW is_superuser").rows == [("off",)]
            assert client.simple("CREATE USER worse").sqlstate == NOT_ALLOWED
            assert client.simple("SET ROLE alice").sqlstate == NOT_ALLOWED
    root.simple(f"DROP USER IF EXISTS {user}")


def test_a_cursor_that_a_higher_rank_opened_shows_nothing_more_when_that_is_taken_back(
    house: House,
):
    with house.fresh("root") as root:
        root.simple(f"CREATE USER daria WITH PASSWORD '{PASSWORD}' ROLE 'dba'")
        with house.fresh("daria") as daria:
            daria.simple("BEGIN; DECLARE c CURSOR FOR SELECT username FROM system.users")
            daria.send(parse("SELECT username FROM system.users") + bind(portal="p") + SYNC)
            daria.send(execute(1, "p") + SYNC)
            assert (len(daria.answer().errors), len(daria.answer().rows)) == (0, 1)
            assert len(daria.simple("FETCH 1 FROM c").rows) == 1
            root.simple("ALTER USER daria SET ROLE 'user'")
            daria.simple("SAVEPOINT s")
            for after in (query("FETCH 1 FROM c"), execute(0, "p") + SYNC):
                daria.send(after)
                answer = daria.answer()
                assert (answer.sqlstate, answer.rows) == (NOT_ALLOWED, [])
                daria.simple("ROLLBACK TO s")
            # What it opens now it may read.
            daria.simple("DECLARE own CURSOR FOR SELECT username FROM system.users")
            assert daria.simple("FETCH ALL FROM own").rows == [("daria",)]
        root.simple("DROP USER daria")


def test_a_dropped_user_is_out_at_once_and_back_with_their_rows(house: House):
    root, server = house.clients["root"], house.server
    root.simple(f"CREATE USER eve WITH PASSWORD '{PASSWORD}'")
    with house.fresh("eve") as eve, house.fresh("carol") as carol:
        assert eve.simple(f"INSERT INTO {SCHEMA}.notes VALUES (1, 'of eve', 1)").tags
        assert carol.simple("SET ROLE eve").sqlstate is None
        eve.simple(f"BEGIN; INSERT INTO {SCHEMA}.notes VALUES (2, 'unfinished', 1)")
        assert root.simple("BEGIN; DROP USER eve; ROLLBACK").sqlstate is None
        assert eve.simple("SELECT 1").rows == [("1",)]
        assert (
            root.simple("BEGIN; SAVEPOINT s; DROP USER eve; ROLLBACK TO s; COMMIT").sqlstate is None
        )
        assert eve.simple("SELECT 1").rows == [("1",)]
        assert root.simple("DROP USER eve").tags == ["DROP ROLE"]
        for client in (eve, carol):
            kind, body = client.receive()
            assert (kind, b"57P01" in body) == ("E", True)
            assert client.closed_by_server()
    # The refusal does not tell a dropped user from a wrong password or an unknown user.
    assert (
        _login(server, "eve")
        == _login(server, "bob", "wrong")
        == _login(server, "nobody")
        == "28P01"
    )
    with house.fresh("carol") as carol:
        for text in ("SET ROLE eve", "EXECUTE AS USER 'eve' (SELECT 1)"):
            assert carol.simple(text).sqlstate == "42704"
    for role in ("alice", "bob"):
        assert b"of eve" not in house.clients[role].received
    assert root.simple("ALTER USER eve RESTORE").sqlstate is None
    with house.fresh("eve") as eve:
        assert eve.simple(f"SELECT id, secret FROM {SCHEMA}.notes").rows == [("1", "of eve")]
        assert_sees_only_own("eve", bytes(eve.received))
    root.simple("DROP USER eve")
