"""A data directory with very many users, made in a minute: by the engine itself, without a server or syncs.

A user who never came is what CREATE USER writes of one. One who came has a tablet of each table, and it
was flushed: a segment with all its rows, which the log still has too.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from catalog import codec
from catalog.changes_user import user_puts
from catalog.model import Role, Table, User
from catalog.store import Store
from storage.cold.encoder import Answers, Encoded, Job, encode
from storage.cold.flush import Flushed, flush_together
from storage.engine import Engine, Write, WriteSet
from storage.errors import KalamError
from storage.fs import OsFileSystem
from storage.ids import TabletId
from storage.keys import meta_key
from storage.log.log_entry import Op
from storage.log.recovery import intent_key
from storage.schema import Schema
from tests.storage.test_engine_model import Host

TABLES = ("notes", "marks", "drafts")
DEFINITION = (
    "CREATE TABLE {name} (id BIGINT PRIMARY KEY, body TEXT NOT NULL)"
    " WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:1000000')"
)

TOGETHER = 400
"""Users who come together."""

_USERS_AT_ONCE = 10_000

T = TypeVar("T")


class Unsynced(OsFileSystem):
    """A disk that is never waited for: what is made is measured, not how."""

    def sync_many(self, paths: Sequence[Path]) -> None:
        """Nothing."""

    def sync_directory(self, path: Path) -> None:
        """Nothing."""

    def sync_file(self, path: Path) -> None:
        """Nothing."""


def name_of(number: int) -> str:
    """A user's name."""
    return f"user{number:07}"


def body_of(number: int, row: int) -> str:
    """A row's text. Those who come together write the same, so that what is written is encoded once."""
    return f"note {row} of those who came as {number // TOGETHER}th"


def populate(directory: Path, *, users: int, came: int, rows: int) -> None:
    """Make `users` users in a directory whose server has made the tables and ended.

    came: the first so many have `rows` rows in each table.
    """
    engine = Engine.open(directory, fs=Unsynced())
    try:
        store = Store(engine)
        tables = [t for t in store.load().tables.values() if t.name in TABLES]
        made = _make_users(engine, store.first_oid(), users)
        comers = list(islice(made, came))
        for _ in made:
            pass
        for some in _parts(comers, TOGETHER):
            for table in tables:
                _fill(engine, table, some, rows)
    finally:
        engine.close()


def _make_users(engine: Engine, first_oid: int, users: int) -> Iterator[tuple[int, int]]:
    """(number, id) of each user, when it is written."""
    for numbers in _parts(range(users), _USERS_AT_ONCE):
        puts: list[tuple[bytes, bytes | None]] = []
        made: list[tuple[int, int]] = []
        for number in numbers:
            user = User(engine.next_snowflake(), name_of(number), Role.USER, oid=first_oid + number)
            puts += user_puts(user)
            made.append((number, user.id))
        puts.append((codec.IDS_KEY, codec.encode([first_oid + numbers[-1] + 1])))
        _commit(engine, WriteSet([], [], puts, sync=False))
        yield from made


def _fill(engine: Engine, table: Table, users: Sequence[tuple[int, int]], rows: int) -> None:
    """Rows of a table for some users, in one commit, flushed."""
    tablets = [TabletId(user_id, table.id) for _, user_id in users]
    key_of = Schema(tablets[0], table.layout).key_of
    values = [(row, body_of(users[0][0], row)) for row in range(rows)]
    writes = [
        Write(tablet, Op.INSERT, key_of(row), row, None, table.version, 0)
        for tablet in tablets
        for row in values
    ]
    _commit(engine, WriteSet(writes, [], [], sync=False))
    opened = [engine.tablet(tablet, table.layout) for tablet in tablets]
    for answer in flush_together(_Host(engine), opened, encoder=_all_alike):
        if isinstance(answer, KalamError):
            raise answer


def _all_alike(jobs: Sequence[Job]) -> Answers:
    """The first one's segments, for everybody."""
    with closing(encode(jobs[:1])) as answers:
        (first,) = answers
        assert isinstance(first, Encoded)
        segments = [replace(s, pieces=[bytes(p) for p in s.pieces]) for s in first.segments]
    for _ in jobs:
        yield replace(first, segments=iter(segments))


class _Host(Host):
    """What a flush needs of the engine; many end with one commit."""

    def end_flush(self, flushed: Sequence[Flushed]) -> None:
        """As a server's."""
        puts: list[tuple[bytes, bytes | None]] = []
        for tablet, manifest, _ in flushed:
            through = manifest.flushed_through.to_bytes(8)
            puts += ((intent_key(tablet), None), (meta_key(tablet), through))

        def settle(_seq: int) -> None:
            for tablet, manifest, _ in flushed:
                puts.append(self.engine.flushed_put(tablet, manifest.flushed_through))

        _commit(self.engine, WriteSet([], [], puts, sync=True, validate=settle))
        for tablet, _, entries in flushed:
            self.engine.flushed(tablet, entries)


def _commit(engine: Engine, write_set: WriteSet) -> None:
    engine.publish(engine.write_group([write_set]))
    if write_set.error is not None:
        raise write_set.error


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while part := list(islice(left, size)):
        yield part
