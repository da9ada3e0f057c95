"""GRANT and REVOKE … ON ALL … IN SCHEMA: what they reach, and what they leave out."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.wire.server import PASSWORD, KalamServer


@pytest.fixture(scope="module")
def tables(server: KalamServer) -> Iterator[KalamServer]:
    with server.root() as root:
        root.execute(f"CREATE USER gwen PASSWORD '{PASSWORD}'")
        for schema in ("ga", "gb"):
            root.execute(f"CREATE SCHEMA {schema}")
            root.execute(f"CREATE TABLE {schema}.t (a int) WITH (ACCESS_LEVEL = 'RESTRICTED')")
        root.execute("CREATE TABLE ga.own (a int) WITH (TYPE = 'USER')")
        root.execute("CREATE VIEW ga.v AS SELECT a FROM ga.t")
        root.execute("CREATE SEQUENCE ga.s")
    yield server
    with server.root() as root:
        root.execute("DROP SCHEMA ga CASCADE")
        root.execute("DROP SCHEMA gb CASCADE")
        root.execute("DROP USER gwen")


def allowed(gwen: psycopg.Connection[tuple[object, ...]], what: str) -> bool:
    try:
        gwen.execute(what)
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def test_all_tables_are_those_that_rights_can_be_granted_on(tables: KalamServer) -> None:
    notices: list[str | None] = []
    with tables.root() as root, tables.connect("gwen") as gwen:
        root.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
        asked = ("SELECT * FROM ga.t", "INSERT INTO ga.t VALUES (1)", "SELECT * FROM gb.t")
        assert [allowed(gwen, what) for what in asked] == [False, False, False]
        root.execute("GRANT SELECT ON ALL TABLES IN SCHEMA ga TO gwen")
        assert notices == ['everyone has all rights on their own rows of table "own"']
        assert [allowed(gwen, what) for what in asked] == [True, False, False]
        root.execute("GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA ga, gb TO gwen")
        assert [allowed(gwen, what) for what in asked] == [True, True, True]
        root.execute("REVOKE ALL ON ALL TABLES IN SCHEMA gb FROM gwen")
        root.execute("REVOKE INSERT ON ALL TABLES IN SCHEMA ga FROM gwen")
        assert [allowed(gwen, what) for what in asked] == [True, False, False]


def test_all_sequences_and_functions(tables: KalamServer) -> None:
    with tables.root() as root, tables.connect("gwen") as gwen:
        assert not allowed(gwen, "SELECT nextval('ga.s')")
        root.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA ga TO gwen")
        assert allowed(gwen, "SELECT nextval('ga.s')")
        for kind in ("FUNCTIONS", "PROCEDURES", "ROUTINES"):
            assert (
                root.execute(f"GRANT EXECUTE ON ALL {kind} IN SCHEMA ga TO gwen").statusmessage
                == "GRANT"
            )


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("GRANT SELECT ON ALL TABLES IN SCHEMA nowhere TO gwen", "3F000"),
        ("GRANT SELECT ON ALL TABLES IN SCHEMA ga TO nobody", "42704"),
        ("GRANT USAGE ON ALL TABLES IN SCHEMA ga TO gwen", "0LP01"),
        ("GRANT SELECT ON ALL FUNCTIONS IN SCHEMA ga TO gwen", "0LP01"),
        ("GRANT SELECT ON ALL VIEWS IN SCHEMA ga TO gwen", "42601"),
        ("GRANT SELECT ON ALL TABLES IN ga TO gwen", "42601"),
    ],
)
def test_what_is_wrong_is_told(tables: KalamServer, statement: str, sqlstate: str) -> None:
    with tables.root() as root, pytest.raises(psycopg.Error) as error:
        root.execute(statement)
    assert error.value.sqlstate == sqlstate


def test_who_may_not_grant_one_grants_none(tables: KalamServer) -> None:
    with tables.connect("gwen") as gwen:
        assert not allowed(gwen, "GRANT SELECT ON ALL TABLES IN SCHEMA gb TO gwen")
        assert not allowed(gwen, "SELECT * FROM gb.t")
