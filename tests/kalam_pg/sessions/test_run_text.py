"""A text run for a client: what it is told of each statement, and when the transaction ends."""

from contextlib import asynccontextmanager

import pytest

from catalog.errors import DivisionByZeroError, SqlSyntaxError, UndefinedColumnError
from kalam_pg.config import Config
from kalam_pg.engines.pool import Pool
from kalam_pg.query.waits import drive
from kalam_pg.server.factory import build_services, open_database
from kalam_pg.sessions import acting
from kalam_pg.sessions.run_text import run_text
from kalam_pg.sessions.settings import Settings
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sessions.validity import Validity
from storage.engine import Engine
from storage.errors import KalamError
from tests.kalam_pg.jobs.forks import FORKS


class Told:
    """A client that writes down what it is told, and whether a transaction was open then."""

    def __init__(self, sql, *params):
        self.sql = sql
        self.params = params
        self.events = []

    def parameters(self, types):
        return self.params

    def form(self, columns):
        return None

    def notices(self):
        self.events += [notice.message for notice in self.sql.notices]
        self.sql.notices.clear()

    def take(self, result, form, *, has_rows):
        self.events.append(list(result.rows) if has_rows else "no rows")
        return None
        yield

    def complete(self, tag):
        self.events.append((tag, "open" if self.sql.transaction else "ended"))


@asynccontextmanager
async def session(path):
    data = path / "data"
    data.mkdir()
    engine = Engine.open(data)
    try:
        async with open_database(engine, Pool(1)) as database:
            services = build_services(Config(data_directory=data), database, FORKS)

            def new(name="root"):
                user = database.store.user_by_name(name)
                return SqlSession(database, services.cache, services.jobs, user, Settings())

            yield new
    finally:
        engine.close()


async def run(sql, text, *params, **options):
    client = Told(sql, *params)

    def steps():
        try:
            yield from run_text(sql, text, client, **options)
        except KalamError as exc:
            return exc  # It would come out of the nursery in a group.

    error = await drive(steps())
    if error is not None:
        raise error
    return client.events


async def test_the_last_statement_is_complete_when_the_transaction_is(tmp_path):
    async with session(tmp_path) as new:
        sql = new()
        assert await run(sql, "CREATE NAMESPACE n; SELECT 1; SELECT 2") == [
            "no rows",
            ("CREATE SCHEMA", "open"),
            [(1,)],
            ("SELECT 1", "open"),
            [(2,)],
            ("SELECT 1", "ended"),
        ]
        assert await run(sql, "BEGIN; SELECT 1") == [
            "no rows",
            ("BEGIN", "open"),
            [(1,)],
            ("SELECT 1", "open"),
        ]
        assert sql.status == "T"


async def test_what_failed_is_rolled_back_with_what_stood_before_it(tmp_path):
    async with session(tmp_path) as new:
        sql = new()
        with pytest.raises(DivisionByZeroError):
            await run(sql, "CREATE NAMESPACE n; SELECT 1/0; CREATE NAMESPACE m")
        assert sql.transaction is None
        assert not {"n", "m"} & set(sql.snapshot.namespaces)
        await run(sql, "BEGIN")
        with pytest.raises(DivisionByZeroError):
            await run(sql, "SELECT 1/0")
        assert sql.status == "E"


async def test_positions_count_in_the_text(tmp_path):
    async with session(tmp_path) as new:
        for text in (
            "SELECT 1;  SELECT nosuch",
            "  SELECT nosuch; SELECT 1",
            "SELECT 1; EXPLAIN SELECT nosuch",
            "SELECT 1; EXECUTE AS USER 'root' (SELECT nosuch)",
            "SELECT 1; PREPARE p AS SELECT nosuch",
            "BEGIN; DECLARE c CURSOR FOR SELECT nosuch",
        ):
            with pytest.raises(UndefinedColumnError) as caught:
                await run(new(), text)
            assert text[caught.value.position - 1 :].startswith("nosuch"), text


async def test_notices_are_told_before_the_answer_that_follows(tmp_path):
    async with session(tmp_path) as new:
        assert await run(new(), "DROP TABLE IF EXISTS nosuch; SELECT 1") == [
            'table "nosuch" does not exist, skipping',
            "no rows",
            ("DROP TABLE", "open"),
            [(1,)],
            ("SELECT 1", "ended"),
        ]


async def test_a_text_without_statements_ends_an_open_pipeline(tmp_path):
    async with session(tmp_path) as new:
        sql = new()
        sql.begin_implicit()
        assert await run(sql, " ; ") == []
        assert sql.transaction is None


async def test_with_parameters_a_text_is_one_statement(tmp_path):
    async with session(tmp_path) as new:
        sql = new()
        assert await run(sql, "SELECT $1::int", 3, single=True) == [[(3,)], ("SELECT 1", "ended")]
        for text in ("", "SELECT $1::int; SELECT 2"):
            with pytest.raises(SqlSyntaxError):
                await run(sql, text, 3, single=True)


async def test_what_was_made_holds_until_names_settings_or_the_user_are_others(tmp_path):
    async with session(tmp_path) as new:
        sql, other = new(), new()
        await run(other, "CREATE USER alice WITH PASSWORD 'a password' ROLE 'user'")
        ends = [
            "SET search_path TO nowhere",
            "SET TimeZone TO 'Asia/Tokyo'",
            "SET DateStyle TO 'DMY'",
            "SET extra_float_digits TO 0",
            "SET bytea_output TO 'escape'",
            "SET ROLE alice",
            "RESET ROLE",
            "SET SESSION AUTHORIZATION alice",
            "RESET SESSION AUTHORIZATION",
            "CREATE NAMESPACE mine",
            "BEGIN; SET LOCAL TimeZone TO 'Europe/Berlin'",
            "ROLLBACK",
            "BEGIN; CREATE NAMESPACE later",
            "ROLLBACK",
        ]
        for text in ends:
            made = Validity(sql)
            assert made.holds(sql)
            await run(sql, text)
            assert not made.holds(sql), text
        made = Validity(sql)
        await run(other, "CREATE NAMESPACE theirs")
        assert not made.holds(sql)


async def test_what_was_made_holds_again_when_the_session_is_itself_again(tmp_path):
    async with session(tmp_path) as new:
        for name, role in (("alice", "user"), ("carol", "dba")):
            await run(new(), f"CREATE USER {name} WITH PASSWORD 'a password' ROLE '{role}'")
        sql = new("carol")
        await run(sql, "SELECT 1")
        made = Validity(sql)
        await run(sql, "SELECT 1")
        await run(sql, "BEGIN; CREATE NAMESPACE later")
        assert not made.holds(sql)
        await run(sql, "ROLLBACK")
        assert made.holds(sql)


async def test_while_a_service_acts_for_a_user_what_it_made_for_itself_does_not_hold(tmp_path):
    async with session(tmp_path) as new:
        for name, role in (("alice", "user"), ("carol", "service")):
            await run(new(), f"CREATE USER {name} WITH PASSWORD 'a password' ROLE '{role}'")
        sql = new("carol")
        made = Validity(sql)
        sql.become(sql.database.store.user_by_name("alice"))  # As EXECUTE AS USER does.
        assert not made.holds(sql)
        acting.derive(sql)
        assert made.holds(sql)
        await run(sql, "EXECUTE AS USER 'alice' (SELECT 1)")
        assert made.holds(sql)
