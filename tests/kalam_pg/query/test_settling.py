"""What changes ask for is done in the order in which it was asked, and many take as long as each takes."""

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from kalam_pg.query.execution import Execution

Event = Callable[[Any], Iterator[None]]


def settle(events: dict[Any, Event]) -> None:
    """Of these as an execution's events; each is given the execution."""
    for _ in Execution.settle(SimpleNamespace(events=events)):  # type: ignore[arg-type]
        pass


def test_what_an_event_asks_for_comes_behind_all_others_and_once() -> None:
    told: list[str] = []

    def asking(name: str, *others: str) -> Event:
        def event(x: Any) -> Iterator[None]:
            told.append(name)
            for other in others:
                x.events.setdefault(other, asking(other))
            yield from ()

        return event

    settle({"a": asking("a", "c", "b"), "b": asking("b")})
    assert told == ["a", "b", "c"]


def test_many_take_as_long_as_each_takes() -> None:
    many, told = 200_000, []

    def event(_x: Any) -> Iterator[None]:
        told.append(1)
        yield from ()

    started = time.process_time()
    settle(dict.fromkeys(range(many), event))
    assert len(told) == many
    assert time.process_time() - started < 3.0
