"""What is left of a catalogue when what is dropped has gone."""

from collections.abc import Sequence
from dataclasses import replace

from catalog import codec, codec_functions, codec_types
from catalog.changes import CatalogChange, stored, table_puts
from catalog.changes_sequence import numbers_of_all
from catalog.difference import Difference
from catalog.droppable import (
    ColumnDefault,
    Droppable,
    Referring,
    TypedAttribute,
    TypedColumn,
)
from catalog.dropped_names import newest_first
from catalog.functions import Function
from catalog.model import Namespace, NumberSequence, Table, UserType, View
from catalog.snapshot import Snapshot
from catalog.typed import with_current_types
from catalog.types.composite import Attribute, CompositeDefinition


def without(snapshot: Snapshot, going: Sequence[Droppable]) -> CatalogChange:
    """The change that takes these away: whole objects, and parts of those that stay."""
    namespaces: dict[str, Namespace | None] = {}
    tables: dict[int, Table | None] = {}
    views: dict[int, View | None] = {}
    types: dict[int, UserType | None] = {}
    sequences: dict[int, NumberSequence | None] = {}
    functions: dict[int, Function | None] = {}
    puts: list[tuple[bytes, bytes | None]] = []
    dropped: list[Table] = []
    for one in sorted(going, key=newest_first, reverse=True):
        match one:
            case Namespace():
                namespaces[one.name] = None
                puts.append((codec.namespace_key(one.id), None))
            case Table():
                dropped.append(snapshot.tables[one.id])
                tables[one.id] = None
                puts += table_puts(one, None)
                puts += [(codec.version_key(one.id, e.version), None) for e in one.history]
            case View():
                views[one.id] = None
                puts.append((codec.view_key(one.id), None))
            case NumberSequence():
                sequences[one.id] = None
                puts += ((codec.sequence_key(one.id), None), (numbers_of_all(one), None))
            case Function():
                functions[one.id] = None
                puts.append((codec_functions.function_key(one.id), None))
            case UserType():
                types[one.id] = None
                puts.append((codec.type_key(one.id), None))
            case TypedColumn() | TypedAttribute() | Referring() | ColumnDefault():
                pass  # Below: what it is a part of may go too.
    for one in going:
        if isinstance(one, Referring | ColumnDefault):
            there = tables.get(one.table.id, snapshot.tables[one.table.id])
            if there is not None:
                tables[there.id] = table = _without_part(there, one)
                puts += table_puts(there, table)
    for one in going:
        if isinstance(one, TypedAttribute):
            made = types.get(one.of.id, snapshot.types[one.of.id])
            if made is not None:
                types[made.id] = left = _without_attribute(made, one.attribute)
                puts.append((codec.type_key(left.id), codec_types.encode_type(left)))
    gone = Difference(namespaces, tables, views, types, sequences, functions)
    changed = snapshot.laid_over(gone)
    typed = [
        one
        for one in going
        if isinstance(one, TypedColumn) and tables.get(one.table.id, one.table) is not None
    ]
    if typed:
        # Until they have gone no catalogue is without their types.
        return CatalogChange(snapshot, columns=tuple([(c.table.id, c.column.name) for c in typed]))
    whole = with_current_types(changed) if types else changed
    return replace(stored(whole, puts), dropped=tuple(dropped))


def _without_attribute(made: UserType, gone: Attribute) -> UserType:
    definition = made.definition
    assert isinstance(definition, CompositeDefinition)
    kept = tuple([a for a in definition.attributes if a.number != gone.number])
    return replace(made, definition=replace(definition, attributes=kept))


def _without_part(table: Table, part: Referring | ColumnDefault) -> Table:
    if isinstance(part, Referring):
        left = tuple(c for c in table.constraints if c.id != part.id)
        return replace(table, constraints=left)
    columns = tuple(
        replace(c, default="", identity="") if c.id == part.column else c for c in table.columns
    )
    return replace(table, columns=columns)
