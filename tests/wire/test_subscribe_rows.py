"""Subscriptions read as rows (COPY, cursors, endless results): the same rows whatever reads them."""

import pytest

from tests.wire.followers import FORMS, ByCopy, ByFetch, ByFetchInABlock, EndedError

each_form = pytest.mark.parametrize("form", FORMS)


def shown(rows):
    """Without `_seq` and `_token`."""
    return [(op, *values) for _, op, _, *values in rows]


@each_form
def test_a_snapshot_is_followed_by_every_change(server, writer, table, form):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'a'), (2, 2, NULL)")
    (seq,) = {row[0] for row in writer.execute(f"SELECT _seq FROM {table}")}
    with form(server, "alice", table) as follower:
        snapshot = follower.next(2)
        assert snapshot == [
            (str(seq), "insert", None, "1", "1", "a"),
            (str(seq), "insert", str(seq), "2", "2", None),
        ]
        writer.execute(f"INSERT INTO {table} VALUES (3, 1, 'c')")
        writer.execute(f"UPDATE {table} SET body = 'B' WHERE id = 2")
        writer.execute(f"DELETE FROM {table} WHERE id = 1")
        with writer.transaction():
            writer.execute(f"INSERT INTO {table} VALUES (4, 1, 'd'), (5, 1, 'e')")
            writer.execute("SAVEPOINT s")
            writer.execute(f"DELETE FROM {table}")
            writer.execute("ROLLBACK TO s")
        changes = follower.next(5)
        assert shown(changes) == [
            ("insert", "3", "1", "c"),
            ("update", "2", "2", "B"),
            ("delete", "1", "1", "a"),
            ("insert", "4", "1", "d"),
            ("insert", "5", "1", "e"),
        ]
        places = [tuple(map(int, token.split("."))) for _, _, token, *_ in changes]
        assert places == sorted(set(places))
        assert [str(seq) for seq, _ in places] == [row[0] for row in changes]
        assert len({seq for seq, _ in places}) == 4


@each_form
def test_a_filter_and_a_projection_show_what_they_name(server, writer, table, form):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'a'), (2, 2, 'b')")
    wanted = f"SELECT upper(body) AS loud, id FROM {table} WHERE room = 1"
    with form(server, "alice", wanted, last_rows=5) as follower:
        assert shown(follower.next(1)) == [("insert", "A", "1")]
        writer.execute(f"UPDATE {table} SET room = 1 WHERE id = 2")
        writer.execute(f"INSERT INTO {table} VALUES (4, 3, 'not shown')")
        writer.execute(f"UPDATE {table} SET room = 3 WHERE id = 1")
        writer.execute(f"TRUNCATE {table}")
        assert shown(follower.next(3)) == [
            ("insert", "B", "2"),
            ("delete", "A", "1"),
            ("truncate", None, None),
        ]


@each_form
def test_options_say_where_it_begins_and_what_is_told(server, writer, table, form):
    for number in range(6):
        writer.execute(f"INSERT INTO {table} VALUES ({number}, {number % 2}, 'x')")
    with form(server, "alice", f"{table} WHERE room = 0", last_rows=2) as newest:
        assert [row[3] for row in newest.next(2)] == ["2", "4"]
    options = {"last_rows": 0, "progress": "100ms", "old": "off", "bigint": "string"}
    with form(server, "alice", table, **options) as follower:
        first, second = follower.next(2)  # It tells at once that the snapshot is complete.
        assert first == (first[0], "progress", first[0], None, None, None)
        assert second[1:] == ("progress", second[0], None, None, None)
        writer.execute(f"DELETE FROM {table} WHERE id = 0")
        (deleted,) = [row for row in follower.next(3) if row[1] != "progress"][:1]
        assert deleted[1:] == ("delete", f"{deleted[0]}.0", "0", None, None)
        seq = int(deleted[0])
    with form(server, "alice", table, snapshot="false", progress="100ms") as later:
        assert later.next(1)[0][1] == "progress"
        writer.execute(f"INSERT INTO {table} VALUES (9, 1, 'y')")
        assert [row[3] for row in later.next(3) if row[1] != "progress"] == ["9"]
    with form(server, "alice", table, from_seq=seq) as resumed:
        assert shown(resumed.next(1)) == [("insert", "9", "1", "y")]


@each_form
def test_what_ends_it_is_an_error_after_all_that_came_before(server, writer, table, chat, form):
    with form(server, "alice", table) as follower, server.root() as root:
        writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'a')")
        follower.next(1)
        writer.execute(f"INSERT INTO {table} VALUES (2, 1, 'b')")
        root.execute(f"DROP TABLE {table}")
        assert shown(follower.next(1)) == [("insert", "2", "1", "b")]
        with pytest.raises(EndedError, match=f'relation "{table}" does not exist') as ended:
            follower.next(1)
        assert (ended.value.sqlstate, ended.value.severity) == ("42P01", "ERROR")
    divides = f"SELECT id, 1 / body::int AS x FROM {chat}.notes"
    with form(server, "bob", divides) as follower, server.root() as root:
        root.execute(f"INSERT INTO {chat}.notes VALUES (1, '1')")
        follower.next(1)
        root.execute(f"INSERT INTO {chat}.notes VALUES (2, '1'), (3, '0')")
        assert shown(follower.next(1)) == [("insert", "2", "1")]
        with pytest.raises(EndedError, match="division by zero"):
            follower.next(1)


@each_form
def test_it_is_a_live_query_that_is_listed_flushed_and_killed(server, writer, table, form):
    with form(server, "alice", f"{table} WHERE room = 1", flush="on", progress="100ms") as follower:
        follower.next(1)
        listed = "SELECT live_id, form, position, delivered > 0 FROM system.live_queries"
        ((number, name, *about),) = writer.execute(listed).fetchall()
        assert name == {ByCopy: "copy", ByFetch: "cursor", ByFetchInABlock: "cursor"}.get(
            form, "subscribe"
        )
        assert all(about)
        writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
        writer.execute(f"STORAGE FLUSH TABLE {table}")
        told = [follower.next(1)[0]]
        while told[-1][1] != "flush":
            told += follower.next(1)
        (insert,) = [row for row in told if row[1] == "insert"]
        assert told[-1][1:] == ("flush", None, None, None, None)
        assert int(told[-1][0]) >= int(insert[0])
        writer.execute(f"KILL LIVE QUERY '{number}'")
        with pytest.raises(EndedError, match="live query was killed") as ended:
            follower.next(100)
        assert ended.value.sqlstate == "57014"
        if form is ByFetch:
            follower.client.answer()
            assert follower.client.simple("CLOSE c").tags == ["CLOSE CURSOR"]
        follower.client.close()
    wait_for_none(writer)


def wait_for_none(connection):
    """Until no live query is left."""
    while connection.execute("SELECT count(*) FROM system.live_queries").fetchone() != (0,):
        pass
