"""Sequences as pure functions: what is written of one, to what it is; CREATE and ALTER SEQUENCE."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from catalog import codec
from catalog.changes import CatalogChange, put_sequence, require_namespace, stored, with_sequences
from catalog.errors import (
    DuplicateTableError,
    InvalidParameterValueError,
)
from catalog.ids import Ids
from catalog.model import Column, NumberSequence, Table
from catalog.names import object_name
from catalog.snapshot import Snapshot
from catalog.types.registry import INT2, INT4, INT8
from catalog.types.table import PgType
from storage.ids import NO_TABLE, NO_USER, TabletId
from storage.keys import numbers_key

BOUNDS: Mapping[str, tuple[int, int]] = {
    "int2": (-(1 << 15), (1 << 15) - 1),
    "int4": (-(1 << 31), (1 << 31) - 1),
    "int8": (-(1 << 63), (1 << 63) - 1),
}
"""The least and the largest number of each type that a sequence may have."""

_TYPES = (INT2, INT4, INT8)


@dataclass(frozen=True, slots=True)
class SequenceOptions:
    """What is written of a sequence, None where nothing is.

    minimum, maximum: "none" is NO MINVALUE and NO MAXVALUE. restart: RESTART WITH; "start" is RESTART
    alone. owned_by: table and column ids; "none" is OWNED BY NONE. name: of an identity column's sequence,
    "" to have one made.
    """

    type: PgType | None = None
    start: int | None = None
    increment: int | None = None
    minimum: int | str | None = None
    maximum: int | str | None = None
    cache: int | None = None
    cycle: bool | None = None
    restart: int | str | None = None
    owned_by: tuple[int, int] | str | None = None
    name: str = ""


def next_value(sequence_id: int) -> str:
    """The default of a column that takes its numbers from a sequence, as the catalogue keeps it.

    By its OID, so that it may be called otherwise, or lie elsewhere, later.
    """
    return f"nextval('{sequence_id}'::regclass)"


# ------------------------------------------------------------------ CREATE, ALTER


def create_sequence(
    snapshot: Snapshot,
    ids: Ids,
    namespace: str,
    name: str,
    options: SequenceOptions,
    *,
    owner: int,
    now_us: int,
    if_not_exists: bool = False,
) -> CatalogChange:
    """CREATE SEQUENCE. Raises 42P07, and 22023 for options that cannot be."""
    require_namespace(snapshot, namespace)
    if snapshot.is_taken(namespace, name):
        if if_not_exists:
            notice = f'relation "{name}" already exists, skipping'
            return CatalogChange(snapshot, notices=(notice,))
        raise DuplicateTableError(f'relation "{name}" already exists')
    made = _made(ids.oids(), namespace, name, options, owner=owner, now_us=now_us)
    return put_sequence(snapshot, made)


def _made(
    sequence_id: int,
    namespace: str,
    name: str,
    options: SequenceOptions,
    *,
    owner: int,
    now_us: int,
) -> NumberSequence:
    of = options.type or INT8
    blank = NumberSequence(
        *(sequence_id, namespace, name, of, 0, 1, 0, 0, 1),
        cycle=False,
        owner=owner,
        created_at_us=now_us,
    )
    return _changed(blank, replace(options, type=of), new=True)


def for_column(
    snapshot: Snapshot, ids: Ids, table: Table, column: Column, options: SequenceOptions
) -> NumberSequence:
    """The sequence of a serial or identity column, named as PostgreSQL would. Raises 42P07, 22023."""
    name, number = options.name or object_name(table.name, column.name, "seq"), 0
    while snapshot.is_taken(table.namespace, name) or name == table.name:
        if options.name:
            raise DuplicateTableError(f'relation "{name}" already exists')
        number += 1
        name = object_name(table.name, column.name, f"seq{number}")
    made = _made(
        *(ids.oids(), table.namespace, name),
        replace(options, type=column.type),
        owner=table.owner,
        now_us=table.created_at_us,
    )
    internal = column.identity in ("a", "d")
    return replace(made, owned_by=(table.id, column.id), internal=internal)


def with_new(snapshot: Snapshot, sequences: Iterable[NumberSequence]) -> CatalogChange:
    """The change that makes all of these."""
    made = {sequence.id: sequence for sequence in sequences}
    puts = [(codec.sequence_key(s.id), codec.encode_sequence(s)) for s in made.values()]
    return stored(with_sequences(snapshot, made), puts)


def altered(sequence: NumberSequence, options: SequenceOptions) -> NumberSequence:
    """What ALTER SEQUENCE makes of one; where its number stands is the caller's. Raises 22023."""
    return _changed(sequence, options, new=False)


def _changed(s: NumberSequence, options: SequenceOptions, *, new: bool) -> NumberSequence:
    """PostgreSQL's `init_params`."""
    of = options.type or s.type
    if of not in _TYPES:
        raise InvalidParameterValueError("sequence type must be smallint, integer, or bigint")
    increment = s.increment if options.increment is None else options.increment
    if increment == 0:
        raise InvalidParameterValueError("INCREMENT must not be zero")
    least, largest = BOUNDS[of.name]
    was_least, was_largest = BOUNDS[s.type.name]
    maximum: int | str | None = options.maximum
    if maximum is None and not new:
        maximum = "none" if options.type is not None and s.maximum == was_largest else s.maximum
    if maximum is None or isinstance(maximum, str):
        maximum = largest if increment > 0 else -1
    minimum: int | str | None = options.minimum
    if minimum is None and not new:
        minimum = "none" if options.type is not None and s.minimum == was_least else s.minimum
    if minimum is None or isinstance(minimum, str):
        minimum = 1 if increment > 0 else least
    _check_bounds(of, minimum, maximum)
    start = options.start
    if start is None:
        start = (minimum if increment > 0 else maximum) if new else s.start
    cache = s.cache if options.cache is None else options.cache
    if cache <= 0:
        raise InvalidParameterValueError(f"CACHE ({cache}) must be greater than zero")
    owned_by = s.owned_by
    if options.owned_by is not None:
        owned_by = None if isinstance(options.owned_by, str) else options.owned_by
    changed = replace(
        s,
        type=of,
        start=start,
        increment=increment,
        minimum=minimum,
        maximum=maximum,
        cache=cache,
        cycle=s.cycle if options.cycle is None else options.cycle,
        owned_by=owned_by,
    )
    check_within("START", start, changed)
    return changed


def _check_bounds(of: PgType, minimum: int, maximum: int) -> None:
    least, largest = BOUNDS[of.name]
    for what, bound in (("MAXVALUE", maximum), ("MINVALUE", minimum)):
        if not least <= bound <= largest:
            raise InvalidParameterValueError(
                f"{what} ({bound}) is out of range for sequence data type {of.sql_name}"
            )
    if minimum >= maximum:
        raise InvalidParameterValueError(
            f"MINVALUE ({minimum}) must be less than MAXVALUE ({maximum})"
        )


def check_within(what: str, value: int, sequence: NumberSequence) -> None:
    """Raise 22023 unless a START or RESTART value lies within the bounds."""
    if value < sequence.minimum:
        raise InvalidParameterValueError(
            f"{what} value ({value}) cannot be less than MINVALUE ({sequence.minimum})"
        )
    if value > sequence.maximum:
        raise InvalidParameterValueError(
            f"{what} value ({value}) cannot be greater than MAXVALUE ({sequence.maximum})"
        )


def restarted_at(sequence: NumberSequence, options: SequenceOptions) -> int | None:
    """The number that RESTART makes the next one; None without it. Raises 22023."""
    if options.restart is None:
        return None
    if isinstance(options.restart, str):
        return sequence.start
    check_within("RESTART", options.restart, sequence)
    return options.restart


# ------------------------------------------------------------------ DROP


def without_sequence(snapshot: Snapshot, sequence: NumberSequence) -> CatalogChange:
    """The change that takes away a sequence which nothing depends on any more."""
    left = {one: s for one, s in snapshot.sequences.items() if one != sequence.id}
    changed = replace(snapshot, version=snapshot.version + 1, sequences=left)
    return stored(
        changed, [(codec.sequence_key(sequence.id), None), (numbers_of_all(sequence), None)]
    )


def numbers_of_all(sequence: NumberSequence) -> bytes:
    """Where one that counts once for all keeps its number; a user's own go with their table."""
    table = NO_TABLE if sequence.owned_by is None else sequence.owned_by[0]
    return numbers_key(TabletId(NO_USER, table), sequence.id)
