"""What a table's options keep, and for how long: of tablets that are open, and of those that nobody has."""

import time
from typing import Final

import psycopg

from conformance.retention.place import HOUR_S, Place, equal, expect, run_all, wait_until
from tests.wire.server import PASSWORD

USERS: Final = 12
"""Of whom few have their tablets open."""

FEW: Final = {"KALAM_TABLETS_MAX": "2"}


def _make_users(place: Place) -> list[str]:
    names = [f"user{number}" for number in range(USERS)]
    place.run(*(f"CREATE USER '{n}' WITH PASSWORD '{PASSWORD}' ROLE 'user'" for n in names))
    return names


def _each(place: Place, names: list[str], *statements: str) -> list[list[tuple[object, ...]]]:
    """Statements of each user, in one session; what the last one answers to each."""
    with place.server.root() as root:
        return [
            run_all(root, [f"EXECUTE AS USER '{name}' ({one})" for one in statements])
            for name in names
        ]


def deleted_rows(place: Place) -> str:
    """DELETED_RETENTION_HOURS: `_deleted` is readable for so long; then compaction by itself drops it."""
    hours = 15
    place.start(**FEW)
    names = _make_users(place)
    place.run(
        "CREATE TABLE t (id INT PRIMARY KEY, v TEXT)"
        f" WITH (TYPE = 'USER', CHANGE_RETENTION_HOURS = 0, DELETED_RETENTION_HOURS = {hours})"
    )
    _each(place, names, "INSERT INTO t SELECT g, 'secret' FROM generate_series(1, 20) g")
    place.run("STORAGE FLUSH ALL")
    deleted_s = time.monotonic()
    _each(place, names, "DELETE FROM t WHERE id <= 15")
    place.run("STORAGE FLUSH ALL")
    query = "SELECT count(*), count(v) FROM t WHERE _deleted"
    equal("deleted rows", _each(place, names, query), [[(15, 15)]] * USERS)
    rows = "SELECT sum(rows)::int FROM system.segments WHERE table_name = 't'"
    wait_until(lambda: place.one(rows) == 5 * USERS, "deleted rows stay in segments")
    took_s = time.monotonic() - deleted_s
    expect(took_s > hours * HOUR_S, f"they went after {took_s:.1f} s, before their time")
    equal("deleted rows later", _each(place, names, query), [[(0, 0)]] * USERS)
    equal("rows", _each(place, names, "SELECT count(*) FROM t"), [[(5,)]] * USERS)
    return f"gone from {USERS} tablets {took_s / HOUR_S:.0f} hours after {hours} were asked for"


def changes(place: Place) -> str:
    """CHANGE_RETENTION_HOURS: a position as old as that goes on, an older one is told 72000."""
    place.start(**FEW)
    names = _make_users(place)
    options = "TYPE = 'USER', CHANGE_RETENTION_HOURS = {}"
    place.run(*(
        f"CREATE TABLE {name} (id INT PRIMARY KEY) WITH ({options.format(hours)})"
        for name, hours in (("short", 4), ("long", 9999))
    ))  # fmt: skip
    written_s = time.monotonic()
    for table in ("short", "long"):
        _each(place, names, f"INSERT INTO {table} VALUES (1), (2)")
    began = _each(place, names, "SELECT min(_seq) - 1 FROM short")
    place.run("STORAGE FLUSH ALL")
    wait_until(lambda: place.trimmed() == 2 * USERS, "the log is not trimmed")
    took_s = time.monotonic() - written_s
    expect(took_s > 4 * HOUR_S, f"trimmed after {took_s:.1f} s, before its time")
    for table in ("short", "long"):
        equal(
            f"rows of {table}",
            _each(place, names, f"SELECT count(*) FROM {table}"),
            [[(2,)]] * USERS,
        )
    for name, ((seq,),) in zip(names, began, strict=True):
        equal("an old position", _followed(place, name, "short", seq), "72000")
        equal("a kept position", _followed(place, name, "long", seq), "00000")
    return f"{2 * USERS} entries went after {took_s / HOUR_S:.0f} hours where 4 were asked for"


def _followed(place: Place, name: str, table: str, seq: object) -> str:
    """What a subscription from a position is told first."""
    with place.server.connect(name) as session:
        try:
            session.execute(f"SUBSCRIBE TO {table} OPTIONS (from_seq = {seq})".encode())
        except psycopg.Error as exc:
            return exc.sqlstate or ""
    return "00000"


def hot_rows(place: Place) -> str:
    """HOT_ROW_LIMIT: a tablet is flushed at so many rows, and so many stay in the log."""
    place.start(**FEW)
    names = _make_users(place)
    place.run(
        "CREATE TABLE t (id INT PRIMARY KEY)"
        " WITH (TYPE = 'USER', CHANGE_RETENTION_HOURS = 0, HOT_ROW_LIMIT = 30)"
    )
    for first in range(0, 100, 25):
        _each(place, names, f"INSERT INTO t SELECT g FROM generate_series({first}, {first + 24}) g")
    hot = "SELECT count(*) FROM system.stats WHERE table_name = 't' AND hot_rows < 30 AND cold_rows > 0"
    wait_until(lambda: place.one(hot) == USERS, "tablets are not flushed")
    place.run("STORAGE FLUSH ALL")
    wait_until(lambda: place.trimmed() > 0, "nothing is trimmed")
    place.restart(**FEW)
    wanted = [[(100, 0, 99)]] * USERS
    equal("rows", _each(place, names, "SELECT count(*), min(id), max(id) FROM t"), wanted)
    return "flushed, and trimmed but for the newest"


def large_log(place: Place) -> str:
    """log_bytes_max: the largest logs go before their time, but not of what somebody follows."""
    place.start(KALAM_LOG_BYTES_MAX="4MB", KALAM_WRITE_BUFFER_BYTES="1MB", **FEW)
    names = _make_users(place)
    table = "CREATE TABLE {} (id INT PRIMARY KEY, v TEXT) WITH (TYPE = 'USER')"
    place.run(table.format("t"), table.format("followed"))
    _each(place, names[:1], "INSERT INTO followed VALUES (0, 'x')")
    fill = (
        "INSERT INTO {} SELECT g, string_agg(md5((g * 99 + k)::text), '')"
        " FROM generate_series(1, 400) g, generate_series(1, 40) k GROUP BY g"
    )
    with place.server.connect(names[0]) as follower:
        follower.execute("SUBSCRIBE TO followed")
        _each(place, names, fill.format("t"))
        _each(place, names[:1], fill.format("followed"))
        place.run("STORAGE FLUSH ALL")
        wait_until(lambda: place.trimmed() >= 400, "nothing is trimmed before its time")
        told = sum(1 for _ in follower.notifies(timeout=60, stop_after=400))
    equal("changes told", told >= 400, True)
    rows = _each(place, names, "SELECT count(*), count(DISTINCT v) FROM t")
    equal("rows", rows, [[(400, 400)]] * USERS)
    return f"{place.trimmed()} entries went early; a follower was told all {told}"


def streams(place: Place) -> str:
    """TTL and MAX_BUFFER of STREAM tables: what is too old or too much is not read any more."""
    place.start()
    names = _make_users(place)
    place.run(
        "CREATE TABLE aged (id INT PRIMARY KEY) WITH (TYPE = 'STREAM', TTL_SECONDS = 5400)",
        "CREATE TABLE full_ (id INT PRIMARY KEY)"
        " WITH (TYPE = 'STREAM', TTL_SECONDS = 900000, MAX_BUFFER = 10)",
    )
    written_s = time.monotonic()
    _each(place, names, "INSERT INTO aged VALUES (1)")
    _each(place, names, "INSERT INTO full_ SELECT g FROM generate_series(1, 35) g")
    full = "SELECT count(*), min(id), max(id) FROM full_"
    wait_until(
        lambda: _each(place, names, full) == [[(10, 26, 35)]] * USERS, "MAX_BUFFER is passed"
    )
    _each(place, names, "UPDATE full_ SET id = 100 WHERE id = 26")
    equal("after an update", _each(place, names, "SELECT count(*) FROM full_")[0], [(10,)])
    aged = "SELECT count(*) FROM aged"
    wait_until(lambda: _each(place, names, aged) == [[(0,)]] * USERS, "TTL is passed")
    took_s = time.monotonic() - written_s
    expect(took_s > 1.5 * HOUR_S, f"they went after {took_s:.1f} s, before their time")
    return f"rows of 1.5 hours gone after {took_s / HOUR_S:.1f}"


PROBES: Final = {
    "DELETED_RETENTION_HOURS": deleted_rows,
    "CHANGE_RETENTION_HOURS": changes,
    "HOT_ROW_LIMIT": hot_rows,
    "log_bytes_max": large_log,
    "TTL and MAX_BUFFER": streams,
}
