"""Random schedules of a world, and the shortest that goes wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from conformance.model.world import KEYS, RULES, ToldError, World, WrongError

Step = tuple[str, tuple[int, ...]]

STEPS: dict[str, tuple[float, tuple[int, ...]]] = {
    "write": (8, (KEYS, KEYS)),
    "truncate": (0.3, (3,)),
    "hold": (1.5, ()),
    "read": (2, (3,)),
    "release": (0.8, (3,)),
    "flush": (6, ()),
    "compact": (7, (2, 6, 3)),
    "fail": (0.4, (3,)),
    "expire": (0.7, (4,)),
    "trim": (1, ()),
    "collect": (1.5, ()),
    "crash": (0.4, ()),
    "keep_copy": (0.2, ()),
    "lose": (0.2, (3,)),
}
"""How often a step is taken, and below what its numbers are."""

_WHOLE = {"flush": 3, "compact": 3}
"""Steps that are often taken one after the other: a whole flush, a whole compaction."""

_LOSS = ("expire", "trim", "lose", "crash")
"""Damage is seen when the log cannot make up for it, by the next process."""


@dataclass(frozen=True)
class Failure:
    """What went wrong, and the steps that lead to it, in a world made with `seed`."""

    steps: list[Step]
    seed: int
    what: str


def schedule(random: Random, length: int) -> list[Step]:
    """Random steps, some of them in the rows in which they make sense."""
    names, weights = list(STEPS), [weight for weight, _ in STEPS.values()]
    steps: list[Step] = []
    while len(steps) < length:
        (name,) = random.choices(names, weights)
        often = random.random() < 0.6
        if name == "lose" and often:
            steps += [_numbered(random, one) for one in _LOSS]
        else:
            steps += [_numbered(random, name)] * (_WHOLE.get(name, 1) if often else 1)
    return steps


def _numbered(random: Random, name: str) -> Step:
    return name, tuple(random.randrange(below) for below in STEPS[name][1])


def run(steps: list[Step], rules: frozenset[str], seed: int) -> tuple[int, str] | None:
    """Take the steps; which of them led to what is wrong, None when nothing is."""
    world = World(rules, seed)
    for number, (name, numbers) in enumerate(steps):
        try:
            getattr(world, name)(*numbers)
            world.check()
        except WrongError as exc:
            return number, str(exc)
        except ToldError as exc:
            return None if world.damaged else (number, str(exc))
    return None


def failures(rules: frozenset[str], schedules: int, seed: int) -> Iterator[Failure]:
    """Of so many random schedules those that go wrong."""
    random = Random(seed)
    for number in range(schedules):
        steps = schedule(random, random.choice((15, 30, 60, 120)))
        found = run(steps, rules, number)
        if found is not None:
            yield Failure(steps[: found[0] + 1], number, found[1])


def shortest(failure: Failure, rules: frozenset[str]) -> Failure:
    """The same failure, or another, in as few steps as leaving some out can make."""
    steps, what = failure.steps, failure.what
    size = max(1, len(steps) // 2)
    while size:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size :]
            found = run(fewer, rules, failure.seed)
            if found is None:
                at += size
            else:
                steps, what = fewer[: found[0] + 1], found[1]
        size //= 2
    return Failure(steps, failure.seed, what)


def all_but(*left_out: str) -> frozenset[str]:
    """The rules without some of them."""
    return frozenset(RULES) - set(left_out)
