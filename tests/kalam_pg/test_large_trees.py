"""Trees of long statements are freed a little at a time, when nobody has them any more."""

from dataclasses import dataclass, field

from kalam_pg.large_trees import LargeTrees, take_apart


@dataclass(slots=True)
class Node:
    freed: list[str]
    name: str
    parts: "tuple[Node, ...]" = field(default=())

    def __del__(self) -> None:
        self.freed.append(self.name)


def test_a_tree_is_freed_from_above_and_what_others_have_of_it_stays():
    freed: list[str] = []
    shared = Node(freed, "shared", (Node(freed, "under it"),))
    leaves = (Node(freed, "one"), shared, Node(freed, "two"))
    things = [Node(freed, "root", (Node(freed, "inner", leaves),))]
    del leaves
    take_apart(things)
    assert things == []
    # The root is gone before what hung on it: nothing was freed with it.
    assert freed[:2] == ["root", "inner"]
    assert set(freed) == {"root", "inner", "one", "two"}
    assert shared.parts[0].name == "under it"


def test_what_is_kept_is_given_out_when_nobody_else_has_it():
    freed: list[str] = []
    trees, used = LargeTrees(), Node(freed, "used")
    trees.keep((used, Node(freed, "unused")))
    found = trees.unused()
    assert [one.name for one in found] == ["unused"]
    take_apart(found)
    assert trees.unused() == []
    assert freed == ["unused"]
    del used
    assert freed == ["unused"]
    assert [one.name for one in trees.unused()] == ["used"]
