"""ANALYZE, VACUUM, CHECKPOINT: answered as PostgreSQL 15 does, though there is little to do."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.wire.server import KalamServer
from tests.wire.side_by_side import Side, differences

pytestmark = pytest.mark.slow

ALIKE = """
CREATE TABLE kept (id int PRIMARY KEY, note text)
CREATE VIEW shown AS SELECT id FROM kept
INSERT INTO kept SELECT g, 'x' FROM generate_series(1, 10) g
ANALYZE
ANALYSE kept
ANALYZE kept (note, id), kept
ANALYZE (SKIP_LOCKED) kept
ANALYZE (verbose off, skip_locked true) kept
ANALYZE (verbose maybe) kept
ANALYZE (speed) kept
ANALYZE kept (nothing)
ANALYZE kept (id, id)
ANALYZE shown
ANALYZE nowhere
ANALYZE pg_class
VACUUM
VACUUM kept
VACUUM FULL FREEZE ANALYZE kept
VACUUM (FULL, ANALYZE) kept (id)
VACUUM (ANALYZE, INDEX_CLEANUP auto, TRUNCATE off, PARALLEL 2) kept
VACUUM kept (id)
VACUUM (BRIEF) kept
VACUUM shown
VACUUM nowhere
VACUUM VERBOSE FULL kept
CHECKPOINT
CHECKPOINT now
BEGIN
ANALYZE kept
CHECKPOINT
VACUUM kept
ROLLBACK
SELECT count(*), max(note) FROM kept
CREATE TABLE packed (id int) WITH (fillfactor = 70, autovacuum_enabled = off)
CREATE TABLE loose (id int) WITH (fillfactor = 5)
CREATE TABLE loose (id int) WITH (fillfactor = wide)
CREATE TABLE loose (id int) WITH (autovacuum_enabled = perhaps)
CREATE TEMP TABLE passing (id int) WITH (fillfactor = 100, parallel_workers = 2)
CREATE TEMP TABLE loose (id int) WITH (parallel_workers = 2000)
ALTER TABLE packed SET (fillfactor = 90)
ALTER TABLE packed SET (fillfactor = 101)
INSERT INTO packed VALUES (1)
"""


def test_they_are_answered_alike(servers: tuple[KalamServer, str]):
    ours, theirs = servers
    with ours.root() as root, psycopg.connect(theirs, autocommit=True) as other:
        assert differences((Side(root), Side(other)), ALIKE) == []


@pytest.fixture
def notes(
    server: KalamServer, chat: str
) -> Iterator[tuple[psycopg.Connection[Any], str, list[str]]]:
    """alice, a SHARED table that is not hers, and what she is told."""
    with server.connect("alice") as alice:
        told: list[str] = []
        alice.add_notice_handler(lambda d: told.append(f"{d.severity}: {d.message_primary}"))
        yield alice, chat, told


def test_who_may_not_look_after_a_table_is_told_that_it_is_skipped(notes):
    alice, chat, told = notes
    alice.execute(f"ANALYZE {chat}.notes, pg_class")
    alice.execute(f"VACUUM FULL {chat}.notes, {chat}.messages")
    assert told == [
        'WARNING: skipping "notes" --- only table or database owner can analyze it',
        'WARNING: skipping "pg_class" --- only superuser can analyze it',
        'WARNING: skipping "notes" --- only table or database owner can vacuum it',
    ]
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="to do CHECKPOINT"):
        alice.execute("CHECKPOINT")


def test_verbose_says_what_there_was_to_do(notes):
    alice, chat, told = notes
    alice.execute(f"VACUUM (VERBOSE) {chat}.messages")
    alice.execute(f"ANALYZE VERBOSE {chat}.messages")
    assert told == [
        f'INFO: "{chat}.messages": superseded rows go by compaction, nothing was to do',
        f'INFO: "{chat}.messages": rows are counted as they are written, nothing was to do',
    ]


def test_vacuum_full_makes_one_segment_of_many(notes):
    alice, chat, _ = notes

    def segments() -> int:
        return alice.execute(f"SHOW STATS FOR TABLE {chat}.messages").fetchall()[0][4]

    for number in range(4):
        alice.execute(
            f"INSERT INTO {chat}.messages (id, conversation_id, role_id, content)"
            f" VALUES ({number}, 1, 'user', 'hello')"
        )
        alice.execute(f"STORAGE FLUSH TABLE {chat}.messages")
    before = segments()
    alice.execute(f"VACUUM {chat}.messages")
    assert segments() == before
    alice.execute(f"VACUUM FULL {chat}.messages")
    assert (before, segments()) == (4, 1)
