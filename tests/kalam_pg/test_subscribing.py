"""SUBSCRIBE in steps: what is committed between its registration, its snapshot and its rows is not missed."""

import json

import pytest

from kalam_pg import embed
from kalam_pg.query.waits import drive
from kalam_pg.sessions import dispatch, subscribing
from kalam_pg.sql.parse import parse


class Ears:
    def __init__(self):
        self.woken = 0

    def wake(self):
        self.woken += 1

    def push(self, bodies):
        return False

    def overflow(self):
        raise AssertionError


@pytest.fixture
def database(tmp_path):
    with embed.open(tmp_path / "data", workers=1) as database:
        with database.connect().create_session() as root:
            root.execute_sql("CREATE TABLE t (id int PRIMARY KEY, v text) WITH (TYPE = 'SHARED')")
        yield database


def subscribed(database, session, statement, between):
    """Run SUBSCRIBE, and `between` as soon as it waits for the first time."""
    sql = session._sql
    (parsed,) = parse(statement)
    prepared = database.call(lambda: dispatch.prepare(sql, parsed, ()))
    steps = subscribing.run(sql, parsed, (), prepared, None)
    first = database.call(lambda: next(steps))
    between()

    def rest():
        yield first
        result = yield from steps
        rows = list(result.rows) if result.source is None else (yield from result.source.every())
        result.close()
        yield from sql.commit()
        return rows

    return database.wait(lambda: drive(rest()))


def told(database, session):
    def take():
        found = []
        for one in session._sql.subscriptions.values():
            while one.waits:
                found += one.take(1 << 20)
        return [json.loads(text) for text in found]

    return database.call(take)


@pytest.mark.parametrize("options", ["", "OPTIONS (last_rows = 10)"])
def test_what_is_committed_while_it_reads_is_told_and_not_read(database, options):
    with database.connect().create_session() as session, database.connect().create_session() as w:
        session._sql.ears = Ears()
        w.execute_sql("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
        # Not durable yet: a snapshot of it waits for the disk, and here for us.
        w.execute_sql("SET synchronous_commit = off")
        w.execute_sql("UPDATE t SET v = 'B' WHERE id = 2")

        def between():
            w.execute_sql("DELETE FROM t WHERE id = 1")
            w.execute_sql("INSERT INTO t VALUES (4, 'd')")
            w.execute_sql("UPDATE t SET v = 'C' WHERE id = 3")

        rows = subscribed(database, session, f"SUBSCRIBE TO t {options}", between)
        assert sorted(row[:2] for row in rows) == [(1, "a"), (2, "B"), (3, "c")]
        assert session._sql.ears.woken
        w.execute_sql("SET synchronous_commit = on")
        w.execute_sql("INSERT INTO t VALUES (5, 'e')")
        assert [(one["op"], one["key"]) for one in told(database, session)] == [
            ("delete", ["1"]),
            ("insert", ["4"]),
            ("update", ["3"]),
            ("insert", ["5"]),
        ]


def test_a_snapshot_older_than_its_registration_is_followed_from_the_log(database):
    with database.connect().create_session() as session, database.connect().create_session() as w:
        sql = session._sql
        sql.ears = Ears()
        w.execute_sql("INSERT INTO t VALUES (1, 'a')")
        session.execute_sql("SET default_transaction_isolation = 'repeatable read'")
        select, subscribe = parse("SELECT * FROM t; SUBSCRIBE TO t")

        def run(statement):
            prepared = dispatch.prepare(sql, statement, ())
            result = yield from dispatch.run(sql, statement, (), prepared, None)
            result.close()

        def end():
            yield from sql.commit()

        database.wait(lambda: drive(run(select)))  # The transaction's view is taken here.
        w.execute_sql("INSERT INTO t VALUES (2, 'b')")
        database.wait(lambda: drive(run(subscribe)))
        database.wait(lambda: drive(end()))
        assert [one["key"] for one in told(database, session)] == [["2"]]
