"""What the catalogue tells one user of another: of their rows, their number, their names, their doings."""

from collections.abc import Iterator

import pytest

from tests.wire.isolation import (
    COUNTS,
    PROTOCOLS,
    ROLES,
    SCHEMA,
    House,
    assert_sees_only_own,
    furnished,
)
from tests.wire.server import PASSWORD, KalamServer

pytestmark = pytest.mark.slow

NAME = "hidden_user_zelda"
"""A user whose name is itself a canary."""


@pytest.fixture(scope="module")
def house(server: KalamServer) -> Iterator[House]:
    """Everybody's rows, flushed in part, and Zelda at work in a session."""
    with server.root() as root:
        root.execute(f"CREATE USER {NAME} WITH PASSWORD '{PASSWORD}' EMAIL 'zelda@hyrule.example'")
    with furnished(server) as house, house.fresh(NAME) as zelda:
        zelda.simple("SET application_name = 'zeldas program'")
        zelda.simple(f"INSERT INTO {SCHEMA}.notes VALUES (1, 'canary-of-zelda', 1)")
        house.clients["root"].simple(f"STORAGE FLUSH TABLE {SCHEMA}.notes")
        zelda.simple(f"BEGIN; UPDATE {SCHEMA}.notes SET amount = 2; PREPARE zeldas AS SELECT 42")
        yield house
        for role, client in house.clients.items():
            assert_sees_only_own(role, bytes(client.received))
            assert b"canary-of-zelda" not in client.received


# Nothing of these may name Zelda, her programme, her address or her rows to a role user.
QUIET = (
    "SELECT * FROM pg_stat_activity",
    "SELECT * FROM pg_roles",
    "SELECT * FROM pg_user",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "SELECT * FROM pg_group",
    "SELECT * FROM pg_auth_members",
    "SELECT * FROM pg_prepared_statements",
    "SELECT * FROM pg_cursors",
    "SELECT * FROM pg_locks",
    "SELECT * FROM pg_class",
    "SELECT * FROM pg_namespace",
    "SELECT * FROM pg_tables",
    "SELECT * FROM pg_stats",
    "SELECT * FROM pg_stat_user_tables",
    "SELECT * FROM pg_statio_user_tables",
    "SELECT * FROM pg_database",
    "SELECT * FROM pg_settings",
    "SELECT * FROM pg_description",
    "SELECT * FROM pg_shdescription",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM information_schema.table_privileges",
    "SELECT * FROM information_schema.role_table_grants",
    "SELECT * FROM information_schema.schemata",
    "SELECT * FROM information_schema.enabled_roles",
    "SELECT * FROM information_schema.applicable_roles",
    "SELECT * FROM system.users",
    "SELECT * FROM system.tables",
    "SELECT * FROM system.namespaces",
    "SELECT * FROM system.columns",
    "SELECT * FROM system.live_queries",
    "SELECT * FROM system.live",
    "SELECT * FROM system.jobs",
    "SELECT * FROM system.sessions",
    "SELECT * FROM system.transactions",
    "SELECT * FROM system.segments",
    "SELECT * FROM system.manifests",
    "SELECT * FROM system.stats",
    "SELECT * FROM system.audit_log",
    "SELECT * FROM system.storages",
    "SELECT * FROM system.settings",
    "SELECT * FROM system.all_users('iso.notes')",
    "SHOW USERS",
    "SHOW TABLES",
    "SHOW NAMESPACES",
    "SHOW STORAGES",
    "SHOW JOBS",
    "SHOW ALL",
    "SHOW MANIFEST",
    "SHOW MANIFEST FOR iso.notes",
    "SHOW STATS FOR TABLE iso.notes",
    "DESCRIBE iso.notes",
    "EXPLAIN SELECT * FROM iso.notes",
    "EXPLAIN ANALYZE SELECT * FROM iso.notes",
    "COPY iso.notes TO STDOUT",
    "COPY (SELECT * FROM iso.notes) TO STDOUT",
    "SELECT pg_get_userbyid(g) FROM generate_series(1, 40) g",
    "SELECT oid::regrole FROM pg_authid",
    "SELECT g::oid::regrole FROM generate_series(32768, 32800) g",
    f"SELECT '{NAME[:-1]}'::regrole",
    "SELECT * FROM pg_class ORDER BY relowner",
    "SELECT relacl, relowner::regrole FROM pg_class WHERE relname = 'granted'",
    "SELECT current_setting('data_directory')",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT inet_client_addr(), inet_server_addr()",
    "\\du",
)


@pytest.mark.parametrize("text", QUIET)
def test_a_user_learns_nothing_of_another(house: House, text: str):
    for role in ("alice", "bob"):
        for run in PROTOCOLS.values():
            answer = run(house.clients[role], text)
            assert answer.sqlstate is None or answer.sqlstate[:2] in ("42", "0A"), answer.errors
            for canary in ("zelda", "hyrule", "SCRAM-SHA-256$"):
                assert canary.encode() not in answer.raw.replace(NAME[:-1].encode(), b""), text


SECRETS = (
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "SELECT * FROM pg_roles",
    "SELECT * FROM pg_user",
    "SELECT * FROM system.users",
    "SHOW USERS",
)


@pytest.mark.parametrize("text", SECRETS)
def test_no_role_is_shown_a_password_verifier(house: House, text: str):
    for role in ROLES:
        answer = house.clients[role].simple(text)
        assert b"SCRAM-SHA-256$" not in answer.raw
        assert (NAME.encode() in answer.raw) == (role in ("carol", "dora", "root")) or (
            text == "SELECT * FROM pg_shadow"
        )


def test_statistics_are_of_the_callers_own_rows(house: House):
    for role in ROLES:
        client = house.clients[role]
        estimate = client.simple("SELECT reltuples, relpages FROM pg_class WHERE relname = 'notes'")
        assert estimate.rows == [("-1", "0")]
        (stats,) = client.simple(f"SHOW STATS FOR TABLE {SCHEMA}.notes").rows
        assert (stats[0], stats[2]) == ("0", str(COUNTS[role]))
        segments = client.simple(f"SHOW MANIFEST FOR {SCHEMA}.notes").rows
        assert [row[3] for row in segments] == ([str(COUNTS[role])] if COUNTS[role] else [])


def test_activity_is_ones_own_for_a_user_and_everybodys_for_a_service(house: House):
    text = "SELECT DISTINCT usename FROM pg_stat_activity ORDER BY 1"
    assert house.clients["alice"].simple(text).rows == [("alice",)]
    seen = {row[0] for row in house.clients["carol"].simple(text).rows}
    assert {*ROLES, NAME} <= seen
    assert house.clients["alice"].simple("SELECT * FROM system.sessions").sqlstate == "42501"
    assert house.clients["carol"].simple("SELECT * FROM system.transactions").sqlstate is None


def test_what_may_be_done_is_told_as_it_is(house: House):
    for table, allowed in (("notes", "t"), ("open", "t"), ("closed", "f"), ("granted", "f")):
        text = f"SELECT has_table_privilege('{SCHEMA}.{table}', 'select')"
        assert house.clients["alice"].simple(text).rows == [(allowed,)]


def test_a_process_cannot_be_signalled_by_sql(house: House):
    (pid,) = house.clients["carol"].simple("SELECT pg_backend_pid()").rows[0]
    for function in ("pg_terminate_backend", "pg_cancel_backend"):
        house.clients["alice"].simple(f"SELECT {function}({pid})")
    assert house.clients["carol"].simple("SELECT 1").rows == [("1",)]
