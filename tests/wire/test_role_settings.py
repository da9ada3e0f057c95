"""ALTER ROLE … SET, ALTER DATABASE … SET: what sessions begin with, as in PostgreSQL 15."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.wire.server import PASSWORD, KalamServer
from tests.wire.side_by_side import both, differences

pytestmark = pytest.mark.slow

SCRIPT = """
CREATE ROLE plain LOGIN
ALTER ROLE plain SET work_mem TO '64MB'
ALTER ROLE plain SET search_path = a, "B c", public
ALTER USER plain SET datestyle TO 'German'
ALTER ROLE plain SET my.own = 'x'
ALTER ROLE plain SET TIME ZONE 'Europe/Vienna'
ALTER ROLE plain SET work_mem TO '32MB'
ALTER ROLE ALL SET statement_timeout = 5000
ALTER ROLE plain SET log_statement = 'all'
ALTER ROLE plain SET nosuch = 1
ALTER ROLE plain SET work_mem = 'lots'
ALTER ROLE plain SET server_version = '1'
ALTER ROLE plain SET shared_buffers = '1GB'
ALTER ROLE plain RESET nosuch
ALTER ROLE nobody SET work_mem = '64MB'
ALTER DATABASE nodb SET work_mem = '64MB'
ALTER ROLE plain IN DATABASE nodb SET work_mem = '64MB'
LISTED
BEGIN
ALTER ROLE plain RESET ALL
SAVEPOINT s
ALTER ROLE plain SET work_mem TO '1MB'
ROLLBACK TO s
ROLLBACK
ALTER ROLE plain SET work_mem TO DEFAULT
ALTER ROLE plain RESET my.own
LISTED
SET ROLE plain
SHOW search_path
ALTER ROLE plain SET work_mem = '3MB'
ALTER ROLE CURRENT_USER SET work_mem = '4MB'
ALTER ROLE plain SET log_statement = 'none'
ALTER ROLE ALL SET work_mem = '3MB'
RESET ROLE
ALTER ROLE plain RESET ALL
ALTER ROLE ALL RESET ALL
DROP ROLE plain
SELECT count(*) FROM pg_db_role_setting
"""
LISTED = (
    "SELECT r.rolname, s.setdatabase, s.setconfig FROM pg_db_role_setting s "
    "LEFT JOIN pg_roles r ON r.oid = s.setrole ORDER BY 1"
)


def test_statements_are_answered_as_by_postgresql(tmp_path: Path) -> None:
    with both(tmp_path) as sides:
        assert differences(sides, SCRIPT.replace("LISTED", LISTED)) == []


@pytest.fixture(scope="module")
def user(server: KalamServer) -> Iterator[str]:
    with server.root() as root:
        root.execute(f"CREATE USER set_for WITH PASSWORD '{PASSWORD}'")
        yield "set_for"
        root.execute("ALTER ROLE ALL RESET ALL")
        root.execute("ALTER DATABASE kalam RESET ALL")


def shown(server: KalamServer, user: str, name: str, **options: Any) -> Any:
    with server.connect(user, **options) as link:
        return link.execute(f"SHOW {name}").fetchall()[0][0]


def test_the_nearest_setting_counts(server: KalamServer, user: str) -> None:
    levels = (
        "ALTER ROLE ALL",
        "ALTER DATABASE kalam",
        f"ALTER ROLE {user}",
        f"ALTER ROLE {user} IN DATABASE kalam",
    )
    seen = [shown(server, user, "work_mem")]
    with server.root() as root:
        for megabytes, level in enumerate(levels, 11):
            root.execute(f"{level} SET work_mem = '{megabytes}MB'")
            seen.append(shown(server, user, "work_mem"))
        seen.append(shown(server, user, "work_mem", options="-c work_mem=99MB"))
        for level in reversed(levels):
            root.execute(f"{level} RESET work_mem")
            seen.append(shown(server, user, "work_mem"))
    ours = ["11MB", "12MB", "13MB", "14MB"]
    assert seen[1:] == [*ours, "99MB", *reversed(ours[:-1]), seen[0]]


def test_reset_returns_to_it_and_what_is_open_keeps_its_own(server: KalamServer, user: str) -> None:
    with server.root() as root, server.connect(user) as before:
        root.execute(f"ALTER ROLE {user} SET extra_float_digits = 0")
        root.execute(f"ALTER ROLE {user} SET log_statement = 'ddl'")
        with server.connect(user) as after:
            after.execute("SET extra_float_digits = 3")
            after.execute("RESET extra_float_digits")
            assert after.execute("SELECT 0.1::float8 + 0.2").fetchall() == [(0.3,)]
            assert after.execute("SHOW log_statement").fetchall() == [("ddl",)]
            after.execute("DISCARD ALL")
            assert after.execute("SHOW extra_float_digits").fetchall() == [("0",)]
        assert before.execute("SHOW extra_float_digits").fetchall() == [("1",)]


def test_it_survives_a_crash_and_goes_with_its_user(tmp_path: Path) -> None:
    server = KalamServer(tmp_path).start()
    try:
        with server.root() as root:
            root.execute(f"CREATE USER gone WITH PASSWORD '{PASSWORD}'")
            root.execute("ALTER ROLE gone SET application_name = 'told'")
        server.kill()
        server.start()
        assert shown(server, "gone", "application_name") == "told"
        listed = "SELECT count(*) FROM pg_db_role_setting"
        with server.root() as root:
            counts = [root.execute(listed).fetchall()]
            root.execute("DROP USER gone")
            counts.append(root.execute(listed).fetchall())
            root.execute("ALTER USER gone RESTORE")
            counts.append(root.execute(listed).fetchall())
            root.execute("DROP USER gone PURGE")
            counts.append(root.execute(listed).fetchall())
            root.execute(f"CREATE USER gone WITH PASSWORD '{PASSWORD}'")
        assert counts == [[(1,)], [(0,)], [(1,)], [(0,)]]
        assert shown(server, "gone", "application_name") == ""
    finally:
        server.stop()


def test_a_user_sets_their_own_and_nobody_elses(server: KalamServer, user: str) -> None:
    with server.connect(user) as link:
        link.execute(f"ALTER ROLE {user} SET lock_timeout = '3s'")
        for statement in (
            "ALTER ROLE root SET lock_timeout = '3s'",
            "ALTER ROLE nobody SET lock_timeout = '3s'",
            "ALTER ROLE ALL SET lock_timeout = '3s'",
            "ALTER DATABASE kalam SET lock_timeout = '3s'",
            f"ALTER ROLE {user} SET log_statement = 'all'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(statement)
    assert shown(server, user, "lock_timeout") == "3s"


def test_one_may_begin_read_only_and_nowhere(server: KalamServer, user: str) -> None:
    with server.root() as root:
        root.execute(f"ALTER ROLE {user} SET default_transaction_read_only = on")
        root.execute(f"ALTER ROLE {user} SET search_path = nowhere")
    with server.connect(user) as link:
        assert link.execute("SELECT 1").fetchall() == [(1,)]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            link.execute("CREATE TABLE nothing (id int PRIMARY KEY)")
    with server.root() as root:
        root.execute(f"ALTER ROLE {user} RESET ALL")


def test_what_each_login_reads_is_bounded(server: KalamServer, user: str) -> None:
    with server.root() as root:
        root.execute(f"ALTER ROLE {user} SET my.large = '{'x' * 60_000}'")
        for more in f"ALTER ROLE {user} SET my.other", f"ALTER ROLE {user} SET my.large":
            with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
                root.execute(f"{more} = '{'y' * 66_000}'")
        root.execute(f"ALTER ROLE {user} IN DATABASE kalam SET my.other = '{'z' * 60_000}'")
        assert len(shown(server, user, "my.large")) == len(shown(server, user, "my.other"))
        root.execute(f"ALTER ROLE {user} RESET ALL")
        root.execute(f"ALTER ROLE {user} IN DATABASE kalam RESET ALL")
