"""Temporary objects: what a definition makes of a session's own, apart from what it makes of everybody's.

A session's temporary tables, views and sequences are in a schema that no catalogue but its own has
(`pg_temp_3`), so they are never stored. A definition is planned in the session's catalogue as any other is;
`parted` tells what of it is the session's own.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from catalog import codec
from catalog.changes import Puts
from catalog.changes_sequence import numbers_of_all
from catalog.difference import Difference
from catalog.indexes import stored_ids
from catalog.model import NumberSequence, Table, View
from catalog.snapshot import Snapshot

V = TypeVar("V", Table, View, NumberSequence)

NOTHING = Difference({}, {}, {})


def parted(made: Difference, before: Snapshot) -> tuple[Difference, Difference]:
    """(what everybody has of a change to a catalogue, what is the session's own of it)."""
    if not before.temporary:
        return made, NOTHING
    tables = _parted(made.tables, before.tables)
    views = _parted(made.views, before.views)
    sequences = _parted(made.sequences, before.sequences)
    everybodys = Difference(
        *(made.namespaces, tables[0], views[0], made.types, sequences[0], made.functions)
    )
    return everybodys, Difference({}, tables[1], views[1], sequences=sequences[1])


def _parted(
    made: Mapping[int, V | None], before: Mapping[int, V]
) -> tuple[dict[int, V | None], dict[int, V | None]]:
    everybodys: dict[int, V | None] = {}
    own: dict[int, V | None] = {}
    for one, after in made.items():
        there = before[one] if after is None else after
        (own if there.temporary else everybodys)[one] = after
    return everybodys, own


def stored_puts(puts: Puts, own: Difference, before: Snapshot) -> Puts:
    """The records of a change without those of what is the session's own."""
    if not own:
        return puts
    keys = set(_keys(own, before))
    return tuple([put for put in puts if put[0] not in keys])


def _keys(own: Difference, before: Snapshot) -> Iterator[bytes]:
    for one, after in own.tables.items():
        yield codec.table_key(one)
        for table in (before.tables.get(one), after):
            if table is not None:
                yield from (codec.index_key(index.id) for index in table.indexes)
                yield from (codec.version_key(one, old.version) for old in table.history)
                yield codec.version_key(one, table.version)
    yield from map(codec.view_key, own.views)
    for one in own.sequences:
        yield codec.sequence_key(one)
        there = before.sequences.get(one)
        if there is not None:
            yield numbers_of_all(there)


def kept(own: Difference) -> Difference:
    """What is there of a session's own, without what is no more."""
    return Difference(
        {},
        {key: table for key, table in own.tables.items() if table is not None},
        {key: view for key, view in own.views.items() if view is not None},
        sequences={key: s for key, s in own.sequences.items() if s is not None},
    )


def ids_of(own: Difference) -> set[int]:
    """Under which ids storage may have something of these tables."""
    return {one for table in own.tables.values() if table for one in stored_ids(table)}
