"""A catalogue that was made of another one by what is changed finds what one that was read anew finds."""

from contextlib import suppress
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from catalog.difference import difference
from catalog.snapshot import Snapshot
from storage.errors import KalamError
from tests.kalam_pg.query.test_ddl import World

STATEMENTS = (
    "CREATE SCHEMA app",
    "ALTER NAMESPACE app RENAME TO shop",
    "ALTER NAMESPACE shop RENAME TO app",
    "CREATE TABLE a (id int PRIMARY KEY, b serial UNIQUE, c text)",
    "CREATE TABLE app.a (id int PRIMARY KEY, a int REFERENCES public.a)",
    "CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, again int REFERENCES a)",
    "ALTER TABLE a RENAME TO c",
    "ALTER TABLE c RENAME TO a",
    "ALTER TABLE a SET SCHEMA app",
    "ALTER TABLE app.a SET SCHEMA public",
    "ALTER TABLE a ADD COLUMN more int",
    "ALTER TABLE b DROP COLUMN again",
    "ALTER TABLE b DROP CONSTRAINT b_a_fkey",
    "CREATE INDEX named ON a (c)",
    "CREATE UNIQUE INDEX named ON a (c)",
    "DROP INDEX named",
    "CREATE VIEW seen AS SELECT 1",
    "ALTER VIEW seen RENAME TO a",
    "DROP VIEW IF EXISTS seen",
    "CREATE SEQUENCE s",
    "ALTER SEQUENCE s RENAME TO t",
    "DROP SEQUENCE t",
    "CREATE TYPE mood AS ENUM ('sad', 'ok')",
    "ALTER TYPE mood ADD VALUE 'happy'",
    "ALTER TYPE mood RENAME TO temper",
    "CREATE TABLE moods (id int PRIMARY KEY, m mood, n mood[])",
    "DROP TYPE IF EXISTS mood CASCADE",
    "DROP TABLE IF EXISTS a CASCADE",
    "DROP TABLE IF EXISTS moods",
    "DROP SCHEMA IF EXISTS app CASCADE",
)


def found(snapshot: Snapshot) -> dict[str, object]:
    """All that is found in it. Whose turn it is among equals says nothing."""
    lookups = snapshot._lookups
    return {
        **{name: getattr(lookups, name) for name in ("relations", "types", "pg_types", "stored")},
        "index_names": lookups.index_names,
        "sequences": lookups.sequences,
        "materialized": lookups.materialized,
        "using": {used: those for used, those in lookups.using.items() if those},
        "referring": {
            to: {(table.id, key.id): table for table, key in those}
            for to, those in lookups.referring.items()
        },
    }


@given(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=30))
def test_what_was_changed_step_by_step_is_found_as_in_one_read_anew(texts):
    world = World()
    committed = world.snapshot
    for text in texts:
        before = world.snapshot
        with suppress(KalamError):
            world.run(text)
        committed = difference(before, world.snapshot).over(committed)
        for one in (world.snapshot, committed):
            assert found(one) == found(replace(one)), text
            assert set(one.tables) == set(world.snapshot.tables)
