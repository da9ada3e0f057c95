"""python -m conformance.neighbours.costs: no call that the event loop may make takes longer than it weighs.

Every overload is called with arguments of its types, of all sizes, by seed; where the weight says that the
loop may make the call (`kalam_pg.functions.cost`), its time is measured, and told when it is over the budget.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from random import Random
from time import thread_time
from typing import Any

from catalog.errors import FeatureNotSupportedError
from catalog.types.table import PgType, TypeContext
from kalam_pg.functions import lookup
from kalam_pg.functions.cost import BUDGET_US, weight_of
from kalam_pg.functions.table import EvalContext, Overload, OverloadKind
from storage.errors import KalamError

_SIZES = (0, 1, 8, 60, 400, 3000, 20_000, 150_000, 1_000_000)
_PIECES = (
    "a",
    "ab",
    "a,",
    "%",
    "_",
    "9",
    "1 ",
    "(",
    "[",
    "é",
    "\\",
    "x1",
    ".",
    "1 day ",
    "HH24",
    "{",
)


def _text(random: Random) -> str:
    size, piece = random.choice(_SIZES), random.choice(_PIECES)
    return piece * (size // len(piece))


def _digits(random: Random) -> str:
    text = "9" * min(random.choice(_SIZES), 120_000) + random.choice(("1", "7.25", "3"))
    return random.choice(("", "", "-")) + text


def _json(random: Random) -> str:
    size = random.choice(_SIZES)
    form = random.choice(("[{}1]", '{{"a": [{}1]}}'))
    return form.format(random.choice(("1,", '"a",', "[],")) * (size // 4))


_MADE: dict[str, Callable[[Random], Any]] = {
    "text": _text, "varchar": _text, "bpchar": _text, "numeric": _digits, "json": _json, "jsonb": _json,
    "name": lambda random: _text(random)[:63],
    "bytea": lambda random: _text(random).encode(),
    "jsonpath": lambda random: random.choice(("$", "$.a", "$[*] ? (@ > 5)", "$.**")),
    "bool": lambda random: random.random() < 0.5,
    "float4": lambda random: random.uniform(-1e6, 1e6),
    "float8": lambda random: random.uniform(-1e6, 1e6),
    "interval": lambda random: bytes(16),
    "uuid": lambda random: random.randbytes(16),
}  # fmt: skip
_INTEGERS = {"int2", "int4", "int8", "oid", "timestamp", "timestamptz", "date", "time"}


def value(of: PgType, random: Random) -> Any:
    """Some value of a type, in stored form. Raises KeyError for a type that nothing is made of here."""
    if of.name in _INTEGERS:
        return random.choice((0, 1, 2, 7, 60, 3000, 100_000, 60_000_000))
    if of.name in ("anyelement", "any", "anynonarray", "anycompatible"):
        return _text(random)
    if of.element is not None or of.name in ("anyarray", "anycompatiblearray"):
        element = of.element
        one = "ab" if element is None else value(element, random)
        return (one,) * min(random.choice(_SIZES), 200_000)
    return _MADE[of.name](random)


def overloads() -> Iterator[Overload]:
    """Those that may be called on the loop, and are not cheap."""
    for overload in lookup.everything():
        plain = overload.kind in (OverloadKind.FUNCTION, OverloadKind.OPERATOR, OverloadKind.CAST)
        if plain and overload.row and not overload.server_only and weight_of(overload):
            yield overload


def measured(overload: Overload, random: Random) -> tuple[float, float, tuple[Any, ...]] | None:
    """(weight, microseconds, arguments) of one call that is allowed; None where there is none."""
    weight = weight_of(overload)
    assert weight is not None
    assert overload.row is not None
    args = overload.args
    if overload.variadic:
        args = (*args[:-1], *[args[-1].element or args[-1]] * random.randint(1, 3))
    try:
        given = tuple([value(of, random) for of in args])
        weighs = weight(*given)
    except KeyError:
        return None
    if weighs > BUDGET_US:
        return None
    before: list[Any] = [EvalContext(types=TypeContext())] if overload.needs_context else []
    if overload.needs_types:
        before.append(args)
    after = [-1] if overload.needs_typmod else []
    since = thread_time()
    try:
        overload.row(*before, *given, *after)
    except (KalamError, FeatureNotSupportedError):
        pass
    except (TypeError, AttributeError, ValueError, IndexError, KeyError, AssertionError):
        return None  # Values that the binder would not have let through.
    return weighs, (thread_time() - since) * 1e6, given


def main() -> int:
    """1 when a call took much longer than the loop may be held."""
    parser = argparse.ArgumentParser(prog="conformance.neighbours.costs", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--most-us", type=float, default=10_000)
    options = parser.parse_args()
    random, calls, bad = Random(options.seed), 0, 0
    for overload in overloads():
        worst = (0.0, 0.0, "")
        for _ in range(options.rounds):
            found = measured(overload, random)
            if found is not None:
                calls += 1
                weighs, took, given = found
                if took > worst[1]:
                    worst = (took, took, "") and (weighs, took, ", ".join(_short(v) for v in given))
        if worst[1] > options.most_us:
            bad += 1
            print(
                f"{overload}: weighs {worst[0]:.0f} us, took {worst[1]:.0f} us: {worst[2]}",
                flush=True,
            )
    print(f"{calls} calls, {bad} overloads take longer than {options.most_us:.0f} us")
    return 1 if bad else 0


def _short(given: Any) -> str:
    text = repr(given[:6] if isinstance(given, str | bytes | tuple) else given)
    return (
        f"{text}*{len(given)}"
        if isinstance(given, str | bytes | tuple) and len(given) > 6
        else text
    )


if __name__ == "__main__":
    sys.exit(main())
