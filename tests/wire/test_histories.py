"""`conformance.histories`: its checker on histories made by hand, and slices of its random ones."""

import sys
from pathlib import Path

import pytest

from conformance.histories.checker import PERMITTED, check, forbidden
from conformance.histories.history import (
    Add,
    Append,
    History,
    Members,
    Operation,
    Read,
    Remove,
    Transaction,
)
from conformance.histories.workload import Plan, run
from tests.wire.server import KalamServer


def history(
    *transactions: tuple[Operation, ...],
    lists: dict[int, tuple[int, ...]] | None = None,
    sets: dict[int, set[int]] | None = None,
    aborted: tuple[int, ...] = (),
) -> History:
    """Committed transactions, all at the same time but for those `aborted`, by number from 1."""
    made = [
        Transaction(number, number, 0.0, 1.0, number not in aborted, list(operations))
        for number, operations in enumerate(transactions, 1)
    ]
    return History(made, lists or {}, {g: frozenset(found) for g, found in (sets or {}).items()})


def members(group: int, *elements: int) -> Members:
    """A set as it was read."""
    return Members(group, frozenset(elements))


HISTORIES = {
    "G0": history(
        (Append(1, 10), Append(2, 11)),
        (Append(1, 20), Append(2, 21)),
        lists={1: (10, 20), 2: (21, 11)},
    ),
    "G1a": history((Append(1, 10),), (Read(1, (10,)),), lists={1: ()}, aborted=(1,)),
    "G1b": history((Append(1, 10), Append(1, 11)), (Read(1, (10,)),), lists={1: (10, 11)}),
    "G1c": history(
        (Append(1, 10), Read(2, (20,))),
        (Append(2, 20), Read(1, (10,))),
        lists={1: (10,), 2: (20,)},
    ),
    "G-single": history(
        (Append(1, 10), Append(2, 11)),
        (Read(1, ()), Read(2, (11,))),
        lists={1: (10,), 2: (11,)},
    ),
    "G-nonadjacent": history(
        (Append(1, 10),),
        (Read(1, (10,)), Read(2, ())),
        (Append(2, 20),),
        (Read(2, (20,)), Read(1, ())),
        lists={1: (10,), 2: (20,)},
    ),
    "G2": history(
        (Read(1, ()), Append(2, 10)),
        (Read(2, ()), Append(1, 20)),
        lists={1: (20,), 2: (10,)},
    ),
    "lost": history((Append(1, 10),), lists={1: ()}),
    "twice": history((Append(1, 10),), lists={1: (10, 10)}),
    "order": history((Append(1, 10),), (Append(1, 20),), (Read(1, (20, 10)),), lists={1: (10, 20)}),
    "internal": history((Append(1, 10), Read(1, ())), lists={1: (10,)}),
}


@pytest.mark.parametrize("kind", HISTORIES)
def test_each_anomaly_is_found_and_nothing_else(kind: str):
    found = {anomaly.kind for anomaly in check(HISTORIES[kind], strict=False)}
    # Who reads what is replaced depends on its writer in both ways.
    assert found == ({kind, "G-single"} if kind == "G1b" else {kind})


@pytest.mark.parametrize(
    ("made", "kinds"),
    [
        (
            history((members(1), Add(1, 10)), (members(1), Add(1, 20)), sets={1: {10, 20}}),
            {"G2"},
        ),
        (
            history(
                (Add(1, 10),),
                (Remove(1, 10), Add(2, 20)),
                (members(1, 10), members(2, 20)),
                sets={2: {20}},
            ),
            {"G-single"},
        ),
        (history((Add(1, 10),), (members(1, 10),), aborted=(1,)), {"G1a"}),
        (history((Add(1, 10),), (members(1, 10),), sets={1: {10}}), set()),
        (history((Add(1, 10),), (Remove(1, 10),), (members(1),)), set()),
        (history((Add(1, 10),), (Remove(1, 10),), sets={1: {10}}), {"lost"}),
    ],
)
def test_sets_are_predicates(made: History, kinds: set[str]):
    assert {anomaly.kind for anomaly in check(made, strict=False)} == kinds


def test_what_was_taken_back_is_nobodys():
    made = history((Append(1, 10), Read(1, (10,)), Append(1, 11)), lists={1: (11,)})
    made.transactions[0].undone.add(10)
    assert check(made, strict=True) == []
    made.transactions.append(Transaction(2, 2, 0.0, 1.0, True, [Read(1, (10,))]))
    assert {anomaly.kind for anomaly in check(made, strict=True)} == {"G1a"}


def test_time_is_an_order_where_it_is_asked_for():
    made = history((Append(1, 10),), (Read(1, ()),), lists={1: (10,)})
    made.transactions[1].began, made.transactions[1].ended = 2.0, 3.0
    assert check(made, strict=False) == []
    assert {anomaly.kind for anomaly in check(made, strict=True)} == {"G-single"}
    assert forbidden(made, "REPEATABLE READ") == []


@pytest.mark.slow
@pytest.mark.parametrize("level", PERMITTED)
def test_random_transactions_show_nothing_that_their_level_forbids(server: KalamServer, level: str):
    made = run(server.root, Plan(5, 300, level, kind="USER"))
    assert forbidden(made, level) == []
    assert sum(one.committed for one in made.transactions) > 100


@pytest.mark.slow
def test_without_validation_cycles_are_found(tmp_path: Path):
    server = KalamServer(tmp_path / "data")
    server.within = (sys.executable, "-m", "conformance.histories.without_validation")
    server.start()
    try:
        made = run(server.root, Plan(5, 600, "SERIALIZABLE"))
    finally:
        server.stop()
    assert {anomaly.kind for anomaly in check(made, strict=True)} == {"G2"}
