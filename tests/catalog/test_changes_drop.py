"""DROP takes what was named and, with CASCADE, what depends on it; nothing else."""

import pytest

from catalog import changes, changes_drop
from catalog.errors import DependentObjectsStillExistError
from catalog.model import View
from catalog.store import Store
from tests.catalog.test_changes import NOW, A, World


@pytest.fixture
def world():
    return World()


def view(world: World, name: str, *reads: int) -> View:
    change = changes.create_view(
        world.snapshot,
        world.ids,
        "public",
        name,
        query="…",
        columns=(),
        search_path=("public",),
        reads=reads,
        owner=10,
        now_us=NOW,
        or_replace=True,
    )
    world.apply(change)
    found = world.snapshot.find("public", name, ())
    assert isinstance(found, View)
    return found


def test_what_a_view_reads_is_stored_with_it(world):
    table = world.table(A)
    made = view(world, "v", table.id)
    assert Store(world.keys).load().views[made.id].reads == (table.id,)


def test_a_view_that_reads_itself_can_be_dropped(world):
    first = view(world, "v")
    itself = view(world, "v", first.id)
    world.apply(changes_drop.drop_relations(world.snapshot, [itself], "view"))
    assert Store(world.keys).load().views == {}


def test_a_client_is_told_of_a_hundred_dependents_and_of_how_many_more(world):
    table = world.table(A)
    for number in range(102):
        view(world, f"v{number}", table.id)
    with pytest.raises(DependentObjectsStillExistError) as raised:
        changes_drop.drop_relations(world.snapshot, [table], "table", search_path=("public",))
    lines = raised.value.detail.splitlines()
    assert lines[0] == "view v0 depends on table t"
    assert lines[100:] == ["and 2 other objects (see server log for list)"]
    change = changes_drop.drop_relations(world.snapshot, [table], "table", cascade=True)
    assert change.notices == ("drop cascades to 102 other objects",)
    assert change.dropped == (table,)
    assert not change.snapshot.views
