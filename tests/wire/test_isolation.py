"""Two users, every kind of query, each trying to see the other's rows.

A probe is one statement by one role over one protocol. What it must answer is written as a function of
that role's own rows; that no other role's canary is in any byte of the answer is checked each time, and
once more over the whole conversation.
"""

# ruff: noqa: E501 -- one probe a line

from collections.abc import Callable, Iterator

import pytest

from tests.wire.isolation import (
    PROTOCOLS,
    ROLES,
    SCHEMA,
    House,
    Own,
    assert_sees_only_own,
    furnished,
    own_rows,
)
from tests.wire.raw import bind, execute, message, parse
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

Rows = list[tuple[str | None, ...]]


@pytest.fixture(scope="module")
def house(server: KalamServer) -> Iterator[House]:
    """Everybody's rows; the whole conversation of each is looked through at the end."""
    with furnished(server) as house:
        yield house
        house.assert_untouched()
        for role, client in house.clients.items():
            assert_sees_only_own(role, bytes(client.received))


def _sum(own: Own) -> str | None:
    return str(sum(int(amount) for _, _, amount in own)) if own else None


def _none(_own: Own) -> Rows:
    return []


READS: list[tuple[str, Callable[[Own], Rows]]] = [
    # Plain and filtered, by key and by scan.
    ("SELECT * FROM {n}.notes ORDER BY id", list),
    ("TABLE {n}.notes ORDER BY id", list),
    ("SELECT secret FROM {n}.notes WHERE id = 1", lambda own: [(r[1],) for r in own[:1]]),
    ("SELECT secret FROM {n}.notes WHERE id = 3", lambda own: [(r[1],) for r in own[2:3]]),
    ("SELECT secret FROM {n}.notes WHERE id IN (1, 4)", lambda own: [(r[1],) for r in own if r[0] in "14"]),
    ("SELECT secret FROM {n}.notes WHERE id = 4 OR true ORDER BY id", lambda own: [(r[1],) for r in own]),
    ("SELECT id FROM {n}.notes WHERE secret LIKE 'canary%' ORDER BY id", lambda own: [(r[0],) for r in own]),
    ("SELECT secret FROM {n}.notes ORDER BY id DESC LIMIT 1", lambda own: [(r[1],) for r in own[-1:]]),
    ("SELECT secret FROM {n}.notes ORDER BY amount OFFSET 1", lambda own: [(r[1],) for r in own[1:]]),
    ("SELECT id FROM {n}.notes WHERE _seq > 0 ORDER BY id", lambda own: [(r[0],) for r in own]),
    ("SELECT v FROM {n}.pairs WHERE a = 1 AND b = 'k'", lambda own: [(r[1],) for r in own[:1]]),
    ("SELECT v FROM {n}.pairs WHERE (a, b) >= (0, '') ORDER BY a", lambda own: [(r[1],) for r in own]),
    # Aggregates and windows: a count is as much as a row.
    ("SELECT count(*) FROM {n}.notes", lambda own: [(str(len(own)),)]),
    ("SELECT count(*), sum(amount) FROM {n}.notes", lambda own: [(str(len(own)), _sum(own))]),
    ("SELECT max(secret) FROM {n}.notes", lambda own: [(own[-1][1] if own else None,)]),
    ("SELECT min(id), max(id) FROM {n}.notes", lambda own: [(own[0][0], own[-1][0]) if own else (None, None)]),
    ("SELECT string_agg(secret, ',' ORDER BY id) FROM {n}.notes", lambda own: [(",".join(r[1] for r in own) or None,)]),
    ("SELECT secret, count(*) FROM {n}.notes GROUP BY secret ORDER BY secret", lambda own: [(r[1], "1") for r in own]),
    ("SELECT id, row_number() OVER (ORDER BY id) FROM {n}.notes ORDER BY id", lambda own: [(r[0], r[0]) for r in own]),
    ("SELECT id, lag(secret) OVER (ORDER BY id) FROM {n}.notes ORDER BY id",
     lambda own: [(r[0], own[i - 1][1] if i else None) for i, r in enumerate(own)]),
    ("SELECT count(DISTINCT secret) FROM {n}.notes HAVING count(*) > 2", lambda own: [(str(len(own)),)] if len(own) > 2 else []),
    # Joins, with itself and with what everybody sees.
    ("SELECT a.secret, b.amount FROM {n}.notes a JOIN {n}.notes b ON a.id = b.id ORDER BY a.id", lambda own: [(r[1], r[2]) for r in own]),
    ("SELECT count(*) FROM {n}.notes a, {n}.notes b", lambda own: [(str(len(own) ** 2),)]),
    ("SELECT n.secret, o.body FROM {n}.open o LEFT JOIN {n}.notes n ON n.id = o.id", lambda own: [(own[0][1] if own else None, "for all")]),
    ("SELECT n.secret FROM {n}.notes n FULL JOIN {n}.open o USING (id) ORDER BY n.id NULLS LAST", lambda own: [(r[1],) for r in own] or [(None,)]),
    ("SELECT n.secret, e.secret FROM {n}.notes n JOIN {n}.events e USING (id) ORDER BY id", lambda own: [(r[1], r[1]) for r in own]),
    ("SELECT id, (SELECT v FROM {n}.pairs WHERE a = n.id) FROM {n}.notes n ORDER BY 1", lambda own: [(r[0], r[1]) for r in own]),
    # Subqueries, CTEs, set operations.
    ("SELECT (SELECT max(amount) FROM {n}.notes)", lambda own: [(own[-1][2] if own else None,)]),
    ("SELECT EXISTS (SELECT 1 FROM {n}.notes WHERE id = 4)", lambda own: [("t" if len(own) > 3 else "f",)]),
    ("SELECT secret FROM {n}.notes WHERE id IN (SELECT a FROM {n}.pairs) ORDER BY id", lambda own: [(r[1],) for r in own]),
    ("SELECT secret FROM {n}.notes n WHERE EXISTS (SELECT 1 FROM {n}.events e WHERE e.id = n.id) ORDER BY id", lambda own: [(r[1],) for r in own]),
    ("SELECT secret FROM {n}.notes WHERE amount = (SELECT max(amount) FROM {n}.notes)", lambda own: [(r[1],) for r in own[-1:]]),
    ("WITH mine AS (SELECT * FROM {n}.notes) SELECT secret FROM mine ORDER BY id", lambda own: [(r[1],) for r in own]),
    ("WITH a AS (SELECT count(*) c FROM {n}.notes), b AS (SELECT count(*) c FROM {n}.pairs) SELECT a.c + b.c FROM a, b", lambda own: [(str(2 * len(own)),)]),
    ("WITH RECURSIVE r AS (SELECT id, secret FROM {n}.notes WHERE id = 1 UNION ALL SELECT n.id, n.secret FROM {n}.notes n JOIN r ON n.id = r.id + 1)"
     " SELECT secret FROM r ORDER BY id", lambda own: [(r[1],) for r in own]),
    ("SELECT secret FROM {n}.notes UNION SELECT v FROM {n}.pairs UNION SELECT secret FROM {n}.events ORDER BY 1", lambda own: [(r[1],) for r in own]),
    ("SELECT id, secret FROM {n}.notes EXCEPT SELECT a, v FROM {n}.pairs", _none),
    ("SELECT secret FROM {n}.notes INTERSECT SELECT v FROM {n}.pairs ORDER BY 1", lambda own: [(r[1],) for r in own]),
    ("SELECT count(*) FROM (SELECT 1 FROM {n}.notes UNION ALL SELECT 1 FROM {n}.events) x", lambda own: [(str(2 * len(own)),)]),
    ("SELECT DISTINCT secret FROM {n}.notes ORDER BY 1", lambda own: [(r[1],) for r in own]),
    # Views run as their caller.
    ("SELECT secret FROM {n}.secrets ORDER BY id", lambda own: [(r[1],) for r in own]),
    ("SELECT count(*) FROM {n}.secrets s JOIN {n}.notes n ON n.secret = s.secret", lambda own: [(str(len(own)),)]),
    # STREAM tables live in memory, and are as much one's own.
    ("SELECT secret FROM {n}.events ORDER BY id", lambda own: [(r[1],) for r in own]),
    ("SELECT count(*) FROM {n}.events", lambda own: [(str(len(own)),)]),
    ("SELECT secret FROM {n}.events WHERE id = 4", lambda own: [(r[1],) for r in own[3:4]]),
    # Another's row is not there to be locked.
    ("SELECT secret FROM {n}.notes WHERE id = 3 FOR UPDATE", lambda own: [(r[1],) for r in own[2:3]]),
    # The user's own table under a name that looks like another's.
    ("SELECT current_user, count(*) FROM {n}.notes WHERE secret LIKE 'canary-of-' || current_user || '%'", lambda own: [("{me}", str(len(own)))]),
]  # fmt: skip


def _expected(answer: Rows, role: str) -> Rows:
    return [tuple(role if value == "{me}" else value for value in row) for row in answer]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("flushed", [False, True], ids=["hot", "cold"])
def test_a_query_answers_from_the_callers_own_rows(house: House, protocol: str, flushed: bool):
    if flushed:
        for table in ("notes", "pairs"):
            answer = house.clients["root"].simple(f"STORAGE FLUSH TABLE {SCHEMA}.{table}")
            assert answer.tags == ["STORAGE FLUSH"]
    run, wrong = PROTOCOLS[protocol], []
    for text, expected in READS:
        # The same text by one after another: whatever is kept between them has a chance to mix.
        for role in ROLES:
            answer = run(house.clients[role], text.format(n=SCHEMA))
            assert_sees_only_own(role, answer.raw)
            wanted = _expected(expected(own_rows(role)), role)
            if answer.rows != wanted or answer.errors:
                wrong.append((role, text, answer.rows, answer.errors))
    assert not wrong


@pytest.mark.parametrize(
    "text",
    [
        # What holds only for another's row must not raise for me, nor tell its value.
        "SELECT 1 / (CASE WHEN secret LIKE 'canary-of-{other}%' THEN 0 ELSE 1 END) FROM {n}.notes",
        "SELECT secret::int FROM {n}.notes WHERE secret LIKE '%{other}%'",
        "SELECT id FROM {n}.notes WHERE secret LIKE '%{other}%' AND 1 / (id - id) = 1",
        "SELECT (SELECT secret FROM {n}.notes WHERE secret LIKE '%{other}%')::int",
        "UPDATE {n}.notes SET amount = 0 WHERE secret LIKE '%{other}%'",
        "UPDATE {n}.notes SET amount = 1 / (amount - amount) WHERE secret LIKE '%{other}%'",
        "UPDATE {n}.notes SET secret = NULL WHERE secret LIKE '%{other}%'",
        "DELETE FROM {n}.notes WHERE secret LIKE '%{other}%' RETURNING secret::int",
        "INSERT INTO {n}.notes SELECT id, NULL, 0 FROM {n}.notes WHERE secret LIKE '%{other}%'",
    ],
)
def test_no_error_tells_of_anothers_row(house: House, text: str):
    for role, other in (("alice", "bob"), ("bob", "alice"), ("carol", "dora"), ("root", "dora")):
        for run in PROTOCOLS.values():
            answer = run(house.clients[role], text.format(n=SCHEMA, other=other))
            assert answer.sqlstate is None, (role, answer.errors)
            assert {row[0] for row in answer.rows} <= {"1", None}


def test_an_error_shows_the_callers_own_value_only(house: House):
    for role in ("alice", "bob", "dora"):
        for text, sqlstate in (
            ("SELECT secret::int FROM {n}.notes WHERE id = 1", "22P02"),
            ("UPDATE {n}.notes SET amount = -1 WHERE id = 1", "23514"),
            ("UPDATE {n}.notes SET secret = NULL WHERE id = 1", "23502"),
            ("INSERT INTO {n}.notes VALUES (1, 'again', 1)", "23505"),
        ):
            for run in PROTOCOLS.values():
                answer = run(house.clients[role], text.format(n=SCHEMA))
                assert answer.sqlstate == sqlstate, (text, answer.errors)
                assert_sees_only_own(role, answer.raw)


def test_prepared_statements_and_portals_are_a_sessions_own(house: House):
    alice, bob = house.clients["alice"], house.clients["bob"]
    text = f"SELECT secret FROM {SCHEMA}.notes WHERE id = $1"
    alice.send(parse(text, "mine", [20]) + bind([b"1"], statement="mine", portal="open"))
    alice.send(message(b"H"))
    assert [alice.receive()[0] for _ in range(2)] == ["1", "2"]
    # Bob knows the names, and gets nothing by them.
    for data, sqlstate in (
        (execute(portal="open"), "34000"),
        (message(b"D", b"Popen\0"), "34000"),
        (message(b"D", b"Smine\0"), "26000"),
        (bind([b"1"], statement="mine"), "26000"),
    ):
        bob.send(data + message(b"S"))
        assert bob.answer().sqlstate == sqlstate
    assert bob.simple("EXECUTE mine(1)").sqlstate == "26000"
    assert bob.simple("DEALLOCATE mine").sqlstate == "26000"
    assert bob.simple("SELECT * FROM pg_prepared_statements").rows == []
    # Under the same name he has a statement of his own, over his own rows.
    bob.send(parse(text, "mine", [20]) + bind([b"1"], statement="mine") + execute() + message(b"S"))
    assert bob.answer().rows == [("canary-of-bob-1",)]
    alice.send(execute(portal="open") + message(b"S"))
    assert alice.answer().rows == [("canary-of-alice-1",)]
    for client in (alice, bob):
        client.simple("DEALLOCATE ALL")


def test_binary_results_hold_the_callers_own_numbers(house: House):
    for role, client in house.clients.items():
        text = f"SELECT id, amount FROM {SCHEMA}.notes ORDER BY id"
        client.send(parse(text) + bind(results=[1]) + execute() + message(b"S"))
        answer = client.answer()
        assert len(answer.rows) == len(own_rows(role))
        assert all(int(r[2]).to_bytes(8, "big") in answer.raw for r in own_rows(role))
        assert_sees_only_own(role, answer.raw)


def test_a_transcript_does_not_change_when_anothers_rows_do(house: House):
    """Noninterference: what alice receives is the same byte for byte, whatever bob has."""
    texts = [
        text.format(n=SCHEMA)
        for text, _ in READS
        if "_seq" not in text
    ] + [
        "SELECT reltuples, relpages FROM pg_class WHERE relname = 'notes'",
        f"SHOW STATS FOR TABLE {SCHEMA}.notes",
        f"SHOW STATS FOR TABLE {SCHEMA}.events",
        f"SHOW MANIFEST FOR {SCHEMA}.notes",
        "SHOW USERS",
        "SELECT * FROM pg_roles",
        "SELECT datname, usename, state FROM pg_stat_activity ORDER BY pid",
        f"UPDATE {SCHEMA}.notes SET amount = amount WHERE id = 3 RETURNING *",
        f"DELETE FROM {SCHEMA}.notes WHERE id = 4 RETURNING *",
    ]  # fmt: skip
    alice, bob = house.clients["alice"], house.clients["bob"]

    def transcript() -> list[bytes]:
        return [run(alice, text).raw for text in texts for run in PROTOCOLS.values()]

    before = transcript()
    assert (
        bob.simple(
            f"INSERT INTO {SCHEMA}.notes SELECT g, 'more', 1 FROM generate_series(10, 400) g"
        ).sqlstate
        is None
    )
    assert bob.simple(f"UPDATE {SCHEMA}.notes SET secret = secret || '!'").sqlstate is None
    assert bob.simple(f"DELETE FROM {SCHEMA}.events").sqlstate is None
    with house.fresh("bob") as more:
        more.simple(f"BEGIN; UPDATE {SCHEMA}.notes SET amount = 5 WHERE id = 1")
        during = transcript()
    after = transcript()
    for wanted, *got in zip(before, during, after, strict=True):
        assert got == [wanted, wanted]
    # Back to how it was, for the tests that follow.
    bob.simple(f"DELETE FROM {SCHEMA}.notes WHERE id > 9")
    bob.simple(f"UPDATE {SCHEMA}.notes SET secret = replace(secret, '!', '')")
    for id_, secret, _ in own_rows("bob"):
        bob.simple(f"INSERT INTO {SCHEMA}.events VALUES ({id_}, '{secret}')")
    house.assert_untouched()
