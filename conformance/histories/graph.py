"""A graph whose edges have kinds, and its cycles."""

from collections import defaultdict, deque
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

Node = TypeVar("Node", bound=Hashable)
Edge: TypeAlias = tuple[int, str, int]
"""From, kind, to."""


class Graph:
    """Edges by the node that they come from; an edge of a kind comes once."""

    def __init__(self) -> None:
        self._edges: defaultdict[int, dict[tuple[str, int], None]] = defaultdict(dict)

    def add(self, start: int, kind: str, end: int) -> None:
        """An edge; none from a node to itself."""
        if start != end:
            self._edges[start][kind, end] = None

    def of(self, node: int, kinds: Container[str]) -> Iterator[tuple[str, int]]:
        """(kind, to) of the edges of these kinds from a node."""
        return ((kind, end) for kind, end in self._edges.get(node, ()) if kind in kinds)

    def cycle(self, kinds: Container[str]) -> list[Edge]:
        """A short cycle of edges of these kinds; () when there is none."""

        def after(node: int) -> list[int]:
            return [end for _, end in self.of(node, kinds)]

        part = _knot(self._edges, after)
        path = _shortest(part, after)
        return [self._edge(a, b, kinds) for a, b in zip(path, path[1:] + path[:1], strict=True)]

    def cycle_apart(self, kinds: Container[str], apart: str) -> list[Edge]:
        """A short cycle of edges of these kinds and of kind `apart`, of which no two follow each other."""

        def after(state: tuple[int, bool]) -> list[tuple[int, bool]]:
            node, was_apart = state
            found = [(end, False) for _, end in self.of(node, kinds)]
            if not was_apart:
                found += [(end, True) for _, end in self.of(node, (apart,))]
            return found

        states = [(node, flag) for node in self._edges for flag in (False, True)]
        path = _shortest(_knot(states, after), after)
        return [
            (a, apart, b) if flag else self._edge(a, b, kinds)
            for (a, _), (b, flag) in zip(path, path[1:] + path[:1], strict=True)
        ]

    def _edge(self, start: int, end: int, kinds: Container[str]) -> Edge:
        return next((start, kind, to) for kind, to in self.of(start, kinds) if to == end)


def _knot(nodes: Iterable[Node], after: Callable[[Node], Sequence[Node]]) -> set[Node]:
    """The smallest set of two nodes or more that all reach each other (Tarjan); () when there is none."""
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    on_stack: dict[Node, None] = {}
    best: set[Node] = set()
    for root in list(nodes):
        if root in index:
            continue
        work = [(root, iter(after(root)))]
        index[root] = low[root] = len(index)
        on_stack[root] = None
        while work:
            node, rest = work[-1]
            for following in rest:
                if following not in index:
                    index[following] = low[following] = len(index)
                    on_stack[following] = None
                    work.append((following, iter(after(following))))
                    break
                if following in on_stack:
                    low[node] = min(low[node], index[following])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    part = set()
                    while node not in part:
                        part.add(on_stack.popitem()[0])
                    if len(part) > 1 and (not best or len(part) < len(best)):
                        best = part
    return best


def _shortest(part: set[Node], after: Callable[[Node], Sequence[Node]]) -> list[Node]:
    """The nodes of a shortest cycle among these, which all reach each other."""
    best: list[Node] = []
    for start in list(part)[:200]:
        found = _way_back(start, part, after)
        if found and (not best or len(found) < len(best)):
            best = found
            if len(best) == 2:  # There is none of one.
                break
    return best


def _way_back(start: Node, part: set[Node], after: Callable[[Node], Sequence[Node]]) -> list[Node]:
    came: dict[Node, Node] = {}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for following in after(node):
            if following == start:
                return _path(came, start, node)
            if following in part and following not in came:
                came[following] = node
                waiting.append(following)
    return []


def _path(came: Mapping[Node, Node], start: Node, end: Node) -> list[Node]:
    path = [end]
    while path[-1] != start:
        path.append(came[path[-1]])
    path.reverse()
    return path
