"""Sessions side by side: transactions, conflicts, pipelines and portals, as PostgreSQL has them."""

# ruff: noqa: E501 -- one sequence a line

import threading
from collections.abc import Iterator

import psycopg
import pytest

from tests.wire.raw import DESCRIBE, SYNC, Answer, RawClient, bind, execute, message, parse, query
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def _tables(server: KalamServer) -> None:
    with RawClient(server) as root:
        root.simple("CREATE NAMESPACE s; CREATE TABLE s.t (id INT PRIMARY KEY, v INT)")
        root.simple("GRANT SELECT, INSERT, UPDATE, DELETE ON s.t TO PUBLIC")


@pytest.fixture
def pair(server: KalamServer, _tables: None) -> Iterator[tuple[RawClient, RawClient]]:
    """Two sessions, and rows 1 and 2 of a table that both may change."""
    with RawClient(server, "alice") as one, RawClient(server, "bob") as two:
        one.simple("DELETE FROM s.t; INSERT INTO s.t VALUES (1, 10), (2, 20)")
        yield one, two


@pytest.fixture
def one(pair: tuple[RawClient, RawClient]) -> RawClient:
    """One session."""
    return pair[0]


def rows(client: RawClient) -> list[tuple[str | None, ...]]:
    """The table."""
    return client.simple("SELECT id, v FROM s.t ORDER BY id").rows


START = [("1", "10"), ("2", "20")]


# ------------------------------------------------------------------ ending others


def test_a_backend_is_terminated_and_cancelled_by_who_may(
    server: KalamServer, pair: tuple[RawClient, RawClient]
):
    alice, bob = pair
    (process,) = bob.simple("SELECT pg_backend_pid()").rows[0]
    refused = alice.simple(f"SELECT pg_terminate_backend({process})")
    assert refused.sqlstate == "42501"
    with server.root() as root:
        answers: list[Answer] = []
        sleeps = threading.Thread(target=lambda: answers.append(bob.simple("SELECT pg_sleep(60)")))
        bob.simple("BEGIN")
        sleeps.start()
        active = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'"
        while not root.execute(active, (int(process),)).fetchall()[0][0]:
            pass
        assert root.execute("SELECT pg_cancel_backend(%s)", (int(process),)).fetchone() == (True,)
        sleeps.join()
        assert answers[0].sqlstate == "57014"
        assert root.execute("SELECT pg_terminate_backend(%s)", (int(process),)).fetchone() == (
            True,
        )
        assert bob.answer().sqlstate == "57P01"
        with pytest.raises(psycopg.errors.AdminShutdown):
            root.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with server.root() as again:
        assert again.execute("SELECT 1").fetchone() == (1,)


# ------------------------------------------------------------------ transactions


def test_a_text_of_several_statements_is_all_or_nothing(one: RawClient):
    answer = one.simple(
        "INSERT INTO s.t VALUES (3, 30); SELECT 1 / 0; INSERT INTO s.t VALUES (4, 40)"
    )
    assert (answer.tags, answer.sqlstate) == (["INSERT 0 1"], "22012")
    assert rows(one) == START
    answer = one.simple("CREATE NAMESPACE never; SELECT 1 / 0")
    assert answer.sqlstate in ("22012", "42501")
    answer = one.simple("INSERT INTO s.t VALUES (3, 30); UPDATE s.t SET v = 31 WHERE id = 3")
    assert answer.tags == ["INSERT 0 1", "UPDATE 1"]
    assert rows(one) == [*START, ("3", "31")]


def test_definitions_in_a_text_are_all_or_nothing(server: KalamServer):
    with RawClient(server) as root:
        failing = "CREATE NAMESPACE never; CREATE TABLE never.t (id INT PRIMARY KEY); SELECT 1 / 0"
        assert root.simple(failing).sqlstate == "22012"
        assert root.simple("SELECT 1 FROM pg_namespace WHERE nspname = 'never'").rows == []
        begun = "BEGIN; CREATE NAMESPACE never; CREATE TABLE never.t (id INT PRIMARY KEY)"
        assert root.simple(begun).sqlstate is None
        assert root.simple("INSERT INTO never.t VALUES (1); SELECT * FROM never.t").rows == [("1",)]
        root.simple("ROLLBACK")
        assert root.simple("SELECT * FROM never.t").sqlstate == "42P01"


def test_a_begin_inside_a_text_keeps_what_came_before_it(one: RawClient):
    one.simple("INSERT INTO s.t VALUES (3, 30); BEGIN; INSERT INTO s.t VALUES (4, 40)")
    one.simple("ROLLBACK")
    assert rows(one) == START
    one.simple("BEGIN; INSERT INTO s.t VALUES (3, 30); COMMIT; INSERT INTO s.t VALUES (3, 31)")
    assert rows(one) == [*START, ("3", "30")]


def test_a_failed_transaction_says_25p02_until_it_is_over(one: RawClient):
    one.simple("BEGIN; INSERT INTO s.t VALUES (3, 30)")
    assert one.simple("SELECT 1 / 0").raw.endswith(b"Z\0\0\0\x05E")
    for text in (
        "SELECT 1",
        "INSERT INTO s.t VALUES (4, 4)",
        "SAVEPOINT a",
        "BEGIN",
        "SET x.y = 1",
    ):
        assert one.simple(text).sqlstate == "25P02", text
        assert one.extended(text).sqlstate == "25P02", text
    assert one.simple("COMMIT").tags == ["ROLLBACK"]
    assert one.simple("SELECT 1").raw.endswith(b"Z\0\0\0\x05I")
    assert rows(one) == START


def test_savepoints_nest_and_take_back(one: RawClient):
    one.simple("BEGIN; INSERT INTO s.t VALUES (3, 30); SAVEPOINT a; INSERT INTO s.t VALUES (4, 40)")
    one.simple("SAVEPOINT b; DELETE FROM s.t; SAVEPOINT a; INSERT INTO s.t VALUES (9, 9)")
    assert rows(one) == [("9", "9")]
    one.simple("ROLLBACK TO a")
    assert rows(one) == []
    one.simple("RELEASE a; ROLLBACK TO b")
    assert rows(one) == [*START, ("3", "30"), ("4", "40")]
    assert one.simple("SELECT 1 / 0").sqlstate == "22012"
    assert one.simple("ROLLBACK TO a").tags == ["ROLLBACK"]
    assert one.simple("ROLLBACK TO b").sqlstate == "3B001"
    assert one.simple("ROLLBACK TO a").tags == ["ROLLBACK"]
    one.simple("UPDATE s.t SET v = 31 WHERE id = 3")
    assert one.simple("COMMIT").tags == ["COMMIT"]
    assert rows(one) == [*START, ("3", "31")]
    assert one.simple("SAVEPOINT x").sqlstate == "25P01"
    assert one.simple("ROLLBACK TO x").sqlstate == "25P01"


def test_a_key_freed_and_taken_in_one_transaction(one: RawClient):
    one.simple("BEGIN; DELETE FROM s.t WHERE id = 1; INSERT INTO s.t VALUES (1, 11)")
    assert one.simple("INSERT INTO s.t VALUES (1, 12)").sqlstate == "23505"
    one.simple("ROLLBACK")
    one.simple("BEGIN; DELETE FROM s.t WHERE id = 1; INSERT INTO s.t VALUES (1, 11); COMMIT")
    assert rows(one) == [("1", "11"), ("2", "20")]


def test_nobody_sees_what_is_not_committed(pair: tuple[RawClient, RawClient]):
    one, two = pair
    one.simple("BEGIN; UPDATE s.t SET v = 11 WHERE id = 1; DELETE FROM s.t WHERE id = 2")
    one.simple("INSERT INTO s.t VALUES (3, 30)")
    assert rows(one) == [("1", "11"), ("3", "30")]
    assert rows(two) == START
    one.simple("COMMIT")
    assert rows(two) == [("1", "11"), ("3", "30")]


SETTINGS: list[tuple[tuple[str, ...], str]] = [
    (("SET application_name = 'a'",), "a"),
    (("SET application_name = 'a'", "BEGIN", "SELECT 1", "ROLLBACK"), "a"),
    (("SET application_name = 'a'", "BEGIN", "SET application_name = 'b'", "ROLLBACK"), "a"),
    (("SET application_name = 'a'", "BEGIN", "SET application_name = 'b'", "COMMIT"), "b"),
    (("SET application_name = 'a'", "BEGIN", "SET LOCAL application_name = 'b'", "COMMIT"), "a"),
    (("SET application_name = 'a'", "SET LOCAL application_name = 'b'"), "a"),
    (("SET application_name = 'a'; SELECT 1 / 0",), ""),
    (("SET application_name = 'a'; SELECT 1",), "a"),
    (("BEGIN", "SET application_name = 'a'", "SAVEPOINT s", "SET application_name = 'b'", "ROLLBACK TO s", "COMMIT"), "a"),
    (("BEGIN", "SET LOCAL application_name = 'a'", "SET application_name = 'b'", "COMMIT"), "b"),
    (("BEGIN", "SET application_name = 'b'", "SET LOCAL application_name = 'a'", "COMMIT"), "b"),
    (("SELECT set_config('application_name', 'a', false)",), "a"),
    (("SELECT set_config('application_name', 'a', true)",), ""),
    (("SET application_name = 'a'", "RESET application_name"), ""),
    (("SET application_name = 'a'", "BEGIN", "RESET ALL", "ROLLBACK"), "a"),
    (("SET application_name = 'a'", "DISCARD ALL"), ""),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "expected"), SETTINGS)
@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_a_setting_is_what_its_transaction_left_it(
    one: RawClient, protocol: str, texts: tuple[str, ...], expected: str
):
    for text in texts:
        (one.simple if protocol == "simple" or ";" in text else one.extended)(text)
    assert one.simple("SHOW application_name").rows == [(expected,)]


def test_a_table_dropped_and_taken_back_keeps_its_rows(server: KalamServer):
    with RawClient(server) as root:
        root.simple("CREATE TABLE s.kept (id INT PRIMARY KEY); INSERT INTO s.kept VALUES (1)")
        root.simple("BEGIN; SAVEPOINT a; DROP TABLE s.kept; ROLLBACK TO a; COMMIT")
        assert root.simple("SELECT * FROM s.kept").rows == [("1",)]
        root.simple("BEGIN; DROP TABLE s.kept; ROLLBACK")
        assert root.simple("SELECT * FROM s.kept").rows == [("1",)]
        root.simple("STORAGE FLUSH TABLE s.kept; BEGIN; DROP TABLE s.kept; ROLLBACK")
        assert root.simple("SELECT * FROM s.kept").rows == [("1",)]
        root.simple("DROP TABLE s.kept")


# ------------------------------------------------------------------ conflicts


class Waiting(threading.Thread):
    """A statement in another thread, which has to wait; `answer` joins it."""

    def __init__(self, client: RawClient, text: str) -> None:
        super().__init__()
        self.client = client
        client.send(query(text))
        self.start()

    def run(self) -> None:
        self.found = self.client.answer()

    def is_waiting(self) -> bool:
        """Whether it has no answer after a while that is long for one that need not wait."""
        self.join(0.15)
        return self.is_alive()

    def sqlstate(self) -> str | None:
        """Of the answer, once there is one."""
        self.join(15)
        assert not self.is_alive()
        return self.found.sqlstate


def test_the_second_writer_of_a_row_waits_and_adds_to_the_first(
    pair: tuple[RawClient, RawClient],
):
    one, two = pair
    one.simple("BEGIN; UPDATE s.t SET v = v + 1 WHERE id = 1")
    second = Waiting(two, "UPDATE s.t SET v = v + 100 WHERE id = 1")
    assert second.is_waiting()
    one.simple("COMMIT")
    assert second.sqlstate() is None
    assert rows(one) == [("1", "111"), ("2", "20")]


def test_the_second_writer_goes_on_when_the_first_gives_up(pair: tuple[RawClient, RawClient]):
    one, two = pair
    for how in ("ROLLBACK", "SELECT 1 / 0; ROLLBACK"):
        one.simple("BEGIN; DELETE FROM s.t WHERE id = 1")
        second = Waiting(two, "UPDATE s.t SET v = v + 1 WHERE id = 1 RETURNING v")
        assert second.is_waiting()
        one.simple(how)
        one.simple("ROLLBACK")
        assert second.sqlstate() is None
        assert len(second.found.rows) == 1


def test_the_second_writer_goes_on_when_the_first_disappears(
    server: KalamServer, pair: tuple[RawClient, RawClient]
):
    _, two = pair
    gone = RawClient(server, "carol")
    gone.simple("BEGIN; UPDATE s.t SET v = 0 WHERE id = 1")
    second = Waiting(two, "UPDATE s.t SET v = v + 1 WHERE id = 1")
    assert second.is_waiting()
    gone.close()
    assert second.sqlstate() is None
    assert rows(two)[0] == ("1", "11")


def test_the_second_insert_of_a_key_waits_for_the_first(pair: tuple[RawClient, RawClient]):
    one, two = pair
    for end, sqlstate in (("COMMIT", "23505"), ("ROLLBACK", None)):
        two.simple("DELETE FROM s.t WHERE id = 7")
        one.simple("BEGIN; INSERT INTO s.t VALUES (7, 1)")
        second = Waiting(two, "INSERT INTO s.t VALUES (7, 2)")
        assert second.is_waiting()
        one.simple(end)
        assert second.sqlstate() == sqlstate


def test_a_row_that_was_changed_away_is_not_changed(pair: tuple[RawClient, RawClient]):
    one, two = pair
    one.simple("BEGIN; UPDATE s.t SET v = 11 WHERE id = 1")
    second = Waiting(two, "DELETE FROM s.t WHERE v = 10")
    assert second.is_waiting()
    one.simple("COMMIT")
    assert second.sqlstate() is None
    assert second.found.tags == ["DELETE 0"]


def test_a_deadlock_is_found_and_one_of_the_two_goes_on(pair: tuple[RawClient, RawClient]):
    one, two = pair
    one.simple("BEGIN; UPDATE s.t SET v = 1 WHERE id = 1")
    two.simple("BEGIN; UPDATE s.t SET v = 2 WHERE id = 2")
    first = Waiting(one, "UPDATE s.t SET v = 1 WHERE id = 2")
    assert first.is_waiting()
    second = Waiting(two, "UPDATE s.t SET v = 2 WHERE id = 1")
    second.join(15)
    assert sorted([str(second.sqlstate()), "None"]) == ["40P01", "None"]
    assert two.simple("SELECT 1").sqlstate == "25P02"
    two.simple("ROLLBACK")
    assert first.sqlstate() is None
    one.simple("COMMIT")
    assert rows(one) == [("1", "1"), ("2", "1")]


@pytest.mark.parametrize(
    ("setting", "sqlstate"), [("lock_timeout", "55P03"), ("statement_timeout", "57014")]
)
def test_a_wait_for_a_lock_ends_in_time(
    pair: tuple[RawClient, RawClient], setting: str, sqlstate: str
):
    one, two = pair
    one.simple("BEGIN; UPDATE s.t SET v = 1 WHERE id = 1")
    two.simple(f"SET {setting} = '50ms'")
    assert two.simple("UPDATE s.t SET v = 2 WHERE id = 1").sqlstate == sqlstate
    assert two.simple("SELECT id FROM s.t WHERE id = 1 FOR UPDATE").sqlstate == sqlstate
    assert two.simple("UPDATE s.t SET v = 2 WHERE id = 2").sqlstate is None


def test_a_wait_for_a_lock_can_be_cancelled(server: KalamServer, pair: tuple[RawClient, RawClient]):
    one, _ = pair
    one.simple("BEGIN; UPDATE s.t SET v = 1 WHERE id = 1")
    with server.connect("bob") as connection:
        timer = threading.Timer(0.2, connection.cancel)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("UPDATE s.t SET v = 2 WHERE id = 1")
        timer.join()
        assert connection.execute("SELECT v FROM s.t WHERE id = 2").fetchone() == (20,)


def test_repeatable_read_keeps_its_view_and_fails_on_a_newer_row(
    pair: tuple[RawClient, RawClient],
):
    one, two = pair
    one.simple("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert rows(one) == START
    two.simple("UPDATE s.t SET v = 99 WHERE id = 1; INSERT INTO s.t VALUES (3, 30)")
    assert rows(one) == START
    assert one.simple("SELECT count(*), sum(v) FROM s.t").rows == [("2", "30")]
    assert one.simple("UPDATE s.t SET v = 0 WHERE id = 1").sqlstate == "40001"
    assert one.simple("COMMIT").tags == ["ROLLBACK"]
    assert rows(one) == [("1", "99"), ("2", "20"), ("3", "30")]


def test_read_committed_sees_each_commit_at_once(pair: tuple[RawClient, RawClient]):
    one, two = pair
    one.simple("BEGIN")
    assert rows(one) == START
    two.simple("UPDATE s.t SET v = 99 WHERE id = 1")
    assert rows(one)[0] == ("1", "99")
    one.simple("COMMIT")


def test_a_read_only_transaction_writes_nothing(one: RawClient):
    one.simple("BEGIN READ ONLY")
    assert one.simple("UPDATE s.t SET v = 0").sqlstate == "25006"
    one.simple("ROLLBACK")
    assert rows(one) == START


# ------------------------------------------------------------------ pipelines and portals


def step(text: str, *parameters: bytes | None) -> bytes:
    """One statement of a pipeline."""
    return parse(text) + bind(parameters) + execute()


def test_an_error_in_a_pipeline_takes_back_all_since_the_last_sync(one: RawClient):
    one.send(
        step("INSERT INTO s.t VALUES (3, 30)") + SYNC
        + step("INSERT INTO s.t VALUES (4, 40)") + step("INSERT INTO s.t VALUES (3, 31)")
        + step("INSERT INTO s.t VALUES (5, 50)") + SYNC
        + step("INSERT INTO s.t VALUES (6, 60)") + SYNC
    )  # fmt: skip
    answer = one.answer(ready=3)
    assert answer.kinds == "12CZ" + "12C" + "12EZ" + "12CZ"
    assert answer.sqlstate == "23505"
    assert rows(one) == [*START, ("3", "30"), ("6", "60")]


def test_an_error_in_a_pipeline_inside_a_block_fails_the_block(one: RawClient):
    one.send(
        step("BEGIN") + step("INSERT INTO s.t VALUES (3, 30)") + step("SELECT 1 / 0") + SYNC
        + step("SELECT 1") + SYNC + step("ROLLBACK") + SYNC + step("SELECT 2") + SYNC
    )  # fmt: skip
    answer = one.answer(ready=4)
    assert [error["C"] for error in answer.errors] == ["22012", "25P02"]
    assert answer.rows == [("2",)]
    assert rows(one) == START


@pytest.mark.usefixtures("_tables")
def test_psycopgs_pipeline_mode_reports_the_error_and_goes_on(server: KalamServer):
    with server.connect("alice", autocommit=True) as connection:
        connection.execute("DELETE FROM s.t")
        with connection.pipeline() as pipeline:
            connection.execute("INSERT INTO s.t VALUES (1, 1)")
            pipeline.sync()
            connection.execute("INSERT INTO s.t VALUES (2, 2)")
            connection.execute("INSERT INTO s.t VALUES (1, 3)")
            last = connection.execute("INSERT INTO s.t VALUES (4, 4)")
            with pytest.raises(psycopg.errors.UniqueViolation):
                pipeline.sync()
            assert last.rowcount == -1
        found = connection.execute("SELECT id FROM s.t ORDER BY id").fetchall()
        assert found == [(1,)]


def test_a_portal_gives_its_rows_a_few_at_a_time(one: RawClient):
    one.send(parse("SELECT g FROM generate_series(1, 7) g", "s") + bind(statement="s", portal="p"))
    one.send(execute(3, "p") + execute(3, "p") + execute(3, "p") + execute(3, "p") + SYNC)
    answer = one.answer()
    assert answer.kinds == "12" + "DDDs" + "DDDs" + "DC" + "C" + "Z"
    assert [row[0] for row in answer.rows] == [str(n) for n in range(1, 8)]
    # It ends with its transaction.
    one.send(execute(3, "p") + SYNC)
    assert one.answer().sqlstate == "34000"


def test_portals_of_a_block_outlive_sync_and_see_what_they_saw(one: RawClient):
    one.simple("BEGIN")
    one.send(parse("SELECT id FROM s.t ORDER BY id", "s") + bind(statement="s", portal="p"))
    one.send(execute(1, "p") + SYNC)
    assert one.answer().kinds == "12DsZ"
    one.simple("DELETE FROM s.t WHERE id = 2")
    one.send(execute(0, "p") + SYNC)
    assert one.answer().rows == [("2",)]
    one.simple("ROLLBACK")
    one.send(execute(0, "p") + SYNC)
    assert one.answer().sqlstate == "34000"


def test_two_portals_of_one_statement_take_turns(one: RawClient):
    one.send(parse("SELECT g FROM generate_series($1::int, $2::int) g", "s"))
    one.send(bind([b"1", b"3"], statement="s", portal="a"))
    one.send(bind([b"11", b"13"], statement="s", portal="b"))
    one.send(
        (execute(1, "a") + execute(1, "b")) * 2 + message(b"C", b"Pa\0") + execute(0, "b") + SYNC
    )
    assert [row[0] for row in one.answer().rows] == ["1", "11", "2", "12", "13"]


def test_closing_a_statement_leaves_its_portals(one: RawClient):
    one.send(parse("SELECT 1", "s") + bind(statement="s", portal="p") + message(b"C", b"Ss\0"))
    one.send(execute(0, "p") + SYNC)
    assert one.answer().rows == [("1",)]
    one.send(message(b"C", b"Snever\0") + message(b"C", b"Pnever\0") + SYNC)
    assert one.answer().kinds == "33Z"


def test_describe_executes_nothing(one: RawClient):
    text = "INSERT INTO s.t VALUES (3, 30) RETURNING id"
    one.send(parse(text, "s") + message(b"D", b"Ss\0") + bind(statement="s") + DESCRIBE + SYNC)
    assert one.answer().kinds == "1tT2TZ"
    assert rows(one) == START


def test_a_prepared_statement_outlives_a_rollback_and_a_changed_table(server: KalamServer):
    with RawClient(server) as root:
        root.simple("CREATE TABLE s.changing (id INT PRIMARY KEY)")
        root.simple("BEGIN")
        root.send(parse("SELECT * FROM s.changing", "p") + SYNC)
        assert root.answer().sqlstate is None
        root.simple("ROLLBACK")
        root.send(bind(statement="p") + execute() + SYNC)
        assert root.answer().tags == ["SELECT 0"]
        root.simple("DROP TABLE s.changing")
        root.send(bind(statement="p") + execute() + SYNC)
        assert root.answer().sqlstate == "42P01"
        root.simple("CREATE TABLE s.changing (id TEXT PRIMARY KEY)")
        root.send(bind(statement="p") + execute() + SYNC)
        assert root.answer().sqlstate == "0A000"
        root.simple("DROP TABLE s.changing")
