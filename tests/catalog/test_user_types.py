"""Types that people make, in the catalogue: as pure functions, and as bytes."""

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import changes, changes_drop, changes_table, changes_type, codec, codec_types
from catalog.changes_table import NewColumn, NewTable
from catalog.difference import difference
from catalog.errors import DependentObjectsStillExistError, FeatureNotSupportedError
from catalog.ids import Ids
from catalog.model import Namespace, TableKind, TableOptions
from catalog.snapshot import Snapshot
from catalog.typed import found_in
from catalog.types.enum import EnumDefinition
from catalog.types.registry import array_of
from catalog.types.table import DEFAULT_CONTEXT

IDS = Ids(20_000, lambda: 1)
EMPTY = Snapshot(1, {"public": Namespace(2200, "public")}, {}, {})


def with_enum(*labels: str) -> Snapshot:
    """A catalogue with the type `mood`."""
    made = changes_type.create_enum(EMPTY, IDS, "public", "mood", labels, owner=10, now_us=1)
    return made.snapshot


def with_table(snapshot: Snapshot) -> Snapshot:
    """With a table that has a column of the type, and one of its arrays."""
    mood = snapshot.find_type("public", "mood", ()).pg_type
    columns = (NewColumn("m", mood, default="'ok'"), NewColumn("ms", array_of(mood)))
    new = NewTable("public", "t", TableKind.SHARED, columns, (), TableOptions())
    return changes_table.create_table(snapshot, IDS, new, owner=10, now_us=1).snapshot


def mood_of(snapshot: Snapshot):
    return snapshot.find_type("", "mood", ("public",))


PLACES = st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=12)


@given(PLACES)
def test_labels_stand_where_they_were_added_and_never_move(places):
    snapshot = with_enum("a", "b")
    names, positions = ["a", "b"], {}
    for number, (near, after) in enumerate(places):
        neighbour, label = names[near % len(names)], f"n{number}"
        change = changes_type.add_label(
            snapshot, IDS, mood_of(snapshot), label, neighbour=neighbour, after=after
        )
        snapshot = change.snapshot
        names.insert(names.index(neighbour) + after, label)
        labels = mood_of(snapshot).definition.labels
        assert [one.label for one in labels] == names
        assert sorted(labels, key=lambda one: one.position) == list(labels)
        now = {one.label: one.position for one in labels}
        assert now.items() >= positions.items()
        positions = now


def test_where_no_label_fits_any_more_one_is_refused():
    snapshot = with_enum("a", "b")

    def between(number: int) -> Snapshot:
        made = mood_of(snapshot)
        label = f"n{number}"
        return changes_type.add_label(
            snapshot, IDS, made, label, neighbour="a", after=True
        ).snapshot

    for number in range(40):
        snapshot = between(number)
    with pytest.raises(FeatureNotSupportedError, match='between "a" and "n39"'):
        between(40)


def test_a_changed_type_is_that_of_the_columns_and_the_tables_are_not_changed():
    before = with_table(with_enum("sad", "ok"))
    change = changes_type.rename_label(before, mood_of(before), "ok", "fine")
    (table,) = change.snapshot.tables.values()
    assert table.columns[0].type.output(2 << 40, DEFAULT_CONTEXT) == "fine"
    assert table.columns[1].type is array_of(table.columns[0].type)
    changed = difference(before, change.snapshot)
    assert (changed.tables, changed.views, list(changed.types)) == ({}, {}, [mood_of(before).id])
    assert [key for key, _ in change.puts] == [
        codec.type_key(mood_of(before).id),
        codec.CATALOG_KEY,
    ]


def test_two_transactions_may_change_a_type_and_a_table_that_has_it():
    before = with_table(with_enum("sad", "ok"))
    renamed = changes_type.rename_label(before, mood_of(before), "ok", "fine").snapshot
    (table,) = before.tables.values()
    commented = changes.comment_on_relation(before, table, "mine").snapshot
    for first, second in ((renamed, commented), (commented, renamed)):
        both = difference(before, second).over(difference(before, first).over(before))
        (found,) = both.tables.values()
        assert found.comment == "mine"
        assert found.columns[0].type is mood_of(both).pg_type
        assert found.columns[0].type.input("fine", -1, DEFAULT_CONTEXT) == 2 << 40


def test_types_and_their_columns_are_read_as_they_were_written():
    snapshot = with_table(with_enum("sad", "ok"))
    made = replace(mood_of(snapshot), comment="c", public=False)
    assert codec_types.decode_types([codec_types.encode_type(made)]) == {made.id: made}
    (table,) = snapshot.tables.values()
    assert codec.decode_table(codec.encode_table(table), found_in(snapshot.types)) == table


def test_a_type_crosses_to_another_process_as_what_it_was_defined_as():
    mood = mood_of(with_enum("sad", "ok")).pg_type
    assert pickle.loads(pickle.dumps((mood, array_of(mood)))) == (mood, array_of(mood))
    assert isinstance(mood.definition, EnumDefinition)


def test_a_type_is_dropped_when_no_column_has_it():
    snapshot = with_table(with_enum("sad", "ok"))
    with pytest.raises(DependentObjectsStillExistError) as error:
        changes_drop.drop_types(snapshot, [mood_of(snapshot)], search_path=("public",))
    assert error.value.detail.splitlines() == [
        "column ms of table t depends on type mood[]",
        "column m of table t depends on type mood",
    ]
    tables = list(snapshot.tables.values())
    without = changes_drop.drop_relations(snapshot, tables, "table").snapshot
    gone = changes_drop.drop_types(without, [mood_of(without)])
    assert gone.snapshot.types == {}
    assert (codec.type_key(mood_of(without).id), None) in gone.puts


def test_a_schema_goes_with_its_types():
    snapshot = with_table(with_enum("sad"))
    change = changes_drop.drop_namespaces(snapshot, ["public"], cascade=True)
    assert (change.snapshot.types, change.snapshot.tables) == ({}, {})
    assert sorted(change.detail.splitlines()) == [
        "drop cascades to table public.t",
        "drop cascades to type public.mood",
    ]
