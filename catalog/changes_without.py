"""What is left of a catalogue when what is dropped has gone."""

from collections.abc import Sequence
from dataclasses import replace

from catalog import codec, codec_functions, codec_types
from catalog.changes import CatalogChange, stored, table_puts
from catalog.changes_sequence import numbers_of_all
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
    namespaces = dict(snapshot.namespaces)
    tables, views, types = dict(snapshot.tables), dict(snapshot.views), dict(snapshot.types)
    sequences, functions = dict(snapshot.sequences), dict(snapshot.functions)
    puts: list[tuple[bytes, bytes | None]] = []
    dropped: list[Table] = []
    for one in sorted(going, key=newest_first, reverse=True):
        match one:
            case Namespace():
                del namespaces[one.name]
                puts.append((codec.namespace_key(one.id), None))
            case Table():
                dropped.append(tables.pop(one.id))
                puts += table_puts(one, None)
                puts += [(codec.version_key(one.id, e.version), None) for e in one.history]
            case View():
                del views[one.id]
                puts.append((codec.view_key(one.id), None))
            case NumberSequence():
                del sequences[one.id]
                puts += ((codec.sequence_key(one.id), None), (numbers_of_all(one), None))
            case Function():
                del functions[one.id]
                puts.append((codec_functions.function_key(one.id), None))
            case UserType():
                del types[one.id]
                puts.append((codec.type_key(one.id), None))
            case TypedColumn() | TypedAttribute() | Referring() | ColumnDefault():
                pass  # Below: what it is a part of may go too.
    for one in going:
        if isinstance(one, Referring | ColumnDefault) and one.table.id in tables:
            there = tables[one.table.id]
            tables[there.id] = _without_part(there, one)
            puts += table_puts(there, tables[there.id])
    for one in going:
        if isinstance(one, TypedAttribute) and one.of.id in types:
            types[one.of.id] = left = _without_attribute(types[one.of.id], one.attribute)
            puts.append((codec.type_key(left.id), codec_types.encode_type(left)))
    changed = replace(
        snapshot,
        version=snapshot.version + 1,
        namespaces=namespaces,
        tables=tables,
        views=views,
        types=types,
        sequences=sequences,
        functions=functions,
    )
    typed = [one for one in going if isinstance(one, TypedColumn) and one.table.id in tables]
    if typed:
        # Until they have gone no catalogue is without their types.
        return CatalogChange(snapshot, columns=tuple([(c.table.id, c.column.name) for c in typed]))
    return replace(stored(with_current_types(changed), puts), dropped=tuple(dropped))


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
