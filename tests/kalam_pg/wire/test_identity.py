"""A number is given once: what rolls back, fails or is lost leaves nothing to whoever comes next."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalam_pg.pgwire.messages import Query
from storage.ids import TabletId
from tests.kalam_pg.wire.clients import Client, Server, serving, tags
from tests.kalam_pg.wire.test_outcomes import in_order

DEAD = "CREATE TABLE r (a text, id text PRIMARY KEY, b text); INSERT INTO r VALUES ('a', 'x', 'b')"
STREAM = (
    "CREATE TABLE r (id text PRIMARY KEY) WITH (TYPE = 'STREAM', TTL_SECONDS = 60);"
    "INSERT INTO r VALUES ('x')"
)
WAYS = {
    "rollback": ["BEGIN", DEAD, "ROLLBACK"],
    "rollback to": ["BEGIN", "SAVEPOINT s", DEAD, "ROLLBACK TO s", "COMMIT"],
    "rollback to and on": [
        "BEGIN",
        "SAVEPOINT s",
        DEAD,
        "ROLLBACK TO s",
        "CREATE TABLE q (id int)",
        "COMMIT",
    ],
    "one text that fails": [DEAD + "; SELECT 1/0"],
    "a failed block": ["BEGIN", DEAD, "SELECT 1/0", "COMMIT"],
    "dropped in the same transaction": ["BEGIN", DEAD, "DROP TABLE r", "COMMIT"],
    "dropped": [DEAD, "DROP TABLE r"],
    "a stream": ["BEGIN", STREAM, "ROLLBACK"],
    "a stream, rollback to": ["BEGIN", "SAVEPOINT s", STREAM, "ROLLBACK TO s", "COMMIT"],
    "read before": [
        "BEGIN",
        DEAD,
        "SELECT * FROM r WHERE id = 'x'",
        "DELETE FROM r WHERE id = 'x'",
        "ROLLBACK",
    ],
}


def tables_in_memory(server: Server) -> set[int]:
    """Every table that the engine keeps something of."""
    engine = server.services.database.engine
    registry, streams = engine._tablets, engine.streams
    kept = {*streams._limits}
    for tablets in (registry._tablets, registry._recent, streams._open, streams._filled):
        kept |= {tablet.table for tablet in tablets}
    kept |= {tablet.table for tablet in registry.dirty}
    kept |= {t.table for t in engine._log._absent._filters}
    return kept


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_a_table_that_is_no_more_leaves_nothing_to_the_next_one(tmp_path, way):
    async with serving(tmp_path) as server:
        client, other = Client(server), Client(server)
        for text in way:
            await client.ask(Query(text))
        await in_order(server)
        tables = server.services.database.catalog.tables
        if way != WAYS["dropped"]:  # Whose log entries are erased by a job.
            assert tables_in_memory(server) <= set(tables)
        await other.query("CREATE TABLE r (id bigint PRIMARY KEY, n numeric(10, 2), t timestamptz)")
        await other.query("INSERT INTO r VALUES (1, 1.5, '2026-01-01Z'), (2, 2.5, '2026-01-02Z')")
        assert tags(await other.ask(Query("DELETE FROM r WHERE id = 1"))) == ["DELETE 1"]
        for text in ("SELECT * FROM r", "SELECT * FROM r WHERE n > 0 ORDER BY t DESC LIMIT 9"):
            assert tags(await client.ask(Query(text))) == ["SELECT 1"]
        await in_order(server)


async def test_numbers_grow_over_rollbacks_and_restarts(tmp_path):
    seen: list[int] = []
    for _ in range(3):
        async with serving(tmp_path) as server:
            client = Client(server)
            database = server.services.database
            for number in range(3):
                await client.ask(Query("BEGIN; CREATE TABLE lost (id int, CHECK (id > 0))"))
                assert database.ids.covered, "before the client has seen the table's OID"
                seen += client.session.sql.snapshot.tables
                await client.ask(Query("ROLLBACK"))
                await client.query(f"CREATE TABLE kept{len(seen)} (id int PRIMARY KEY)")
                seen.append(max(database.catalog.tables))
                await client.query(f"CREATE USER u{len(seen)}_{number}")
            await in_order(server)
    new = sorted(set(seen))
    # What was kept is seen again in later snapshots; nothing that was new was below anything before.
    firsts = [number for at, number in enumerate(seen) if number not in seen[:at]]
    assert firsts == sorted(firsts)
    assert len(new) == 18


async def test_users_have_snowflakes_and_roles_oids_of_their_own(tmp_path):
    async with serving(tmp_path) as server:
        root = Client(server)
        await root.ask(Query("BEGIN; CREATE USER lost; ROLLBACK"))
        await root.ask(Query("CREATE USER alice; CREATE USER failed; SELECT 1/0"))
        await root.query("CREATE USER alice; CREATE USER bob ROLE 'service'")
        store = server.services.database.store
        alice, bob = store.user_by_name("alice"), store.user_by_name("bob")
        assert store.user_by_name("lost") is None
        assert store.user_by_name("failed") is None
        assert bob.id > alice.id > 1 << 40
        assert 16384 <= alice.oid < bob.oid < 1 << 32
        assert TabletId(alice.id, 1) != TabletId(alice.oid, 1)


NAMES = st.sampled_from(["a", "b"])
STEPS = st.lists(
    st.one_of(
        st.builds("CREATE TABLE {} (id int PRIMARY KEY, CHECK (id > 0))".format, NAMES),
        st.builds(
            "CREATE TABLE {} (id text PRIMARY KEY) WITH (TYPE = 'STREAM', TTL_SECONDS = 9)".format,
            NAMES,
        ),
        st.builds("CREATE VIEW v{} AS SELECT 1".format, NAMES),
        st.builds("CREATE NAMESPACE n{}".format, NAMES),
        st.builds("CREATE USER u{}".format, NAMES),
        st.builds("DROP TABLE {}".format, NAMES),
        st.builds("DROP VIEW v{}".format, NAMES),
        st.builds("INSERT INTO {} VALUES (1)".format, NAMES),
        st.sampled_from(
            ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s", "SELECT 1/0"]
        ),
        st.just("lose"),
        st.just("restart"),
    ),
    max_size=25,
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_no_object_ever_has_a_number_that_another_one_had(tmp_path_factory, steps):
    import trio

    trio.run(_run_steps, tmp_path_factory.mktemp("ids"), steps)


async def _run_steps(path, steps):
    owners: dict[int, object] = {}
    at = 0
    while True:
        async with serving(path) as server:
            client = Client(server)
            while at < len(steps) and steps[at] != "restart":
                step = steps[at]
                at += 1
                if step == "lose":
                    client.session.disconnected()
                    client = Client(server)
                else:
                    await client.ask(Query(step))
                    _note(owners, client)
            if client.session.sql.transaction is not None:
                client.session.disconnected()
            await in_order(server)
        if at == len(steps):
            return
        at += 1


def _note(owners: dict[int, object], client: Client) -> None:
    """Whose each number is: by kind, name and the moment that it was made."""
    sql = client.session.sql
    catalog = sql.snapshot
    found = [*catalog.tables.values(), *catalog.views.values(), *catalog.namespaces.values()]
    for one in found:
        # An object is told by when it was made: another one of its name was made later.
        owner = (type(one), one.created_at_us)
        assert owners.setdefault(one.id, owner) == owner
        for constraint in getattr(one, "constraints", ()):
            assert owners.setdefault(constraint.id, (owner, constraint.name)) == (
                owner,
                constraint.name,
            )
    for user in sql.database.store.users():
        owner = (user.name, user.created_at_us)
        assert owners.setdefault(user.id, owner) == owner
        if user.oid != user.id:
            assert owners.setdefault(user.oid, owner) == owner
