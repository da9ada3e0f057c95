"""A slice of `conformance.soak.live`, and that its ledger sees what it is there to see."""

import pytest

from conformance.soak.ledger import Outcome
from conformance.soak.live.chronicle import Chronicle, Value
from conformance.soak.live.reading import WRONG, Reading, passes
from conformance.soak.live.run import FOLLOWERS, LiveSoak
from conformance.soak.live.talk import NUMBERS, Talk, TalkReading

SEED = 20261128
KILLS = 15


@pytest.mark.slow
def test_nothing_is_lost_or_told_twice_or_out_of_order_whatever_is_killed(tmp_path):
    soak = LiveSoak(tmp_path, SEED, FOLLOWERS[1::4])
    assert soak.run(KILLS), "what it saw is printed above"
    told = [reading.counts["changes told"] for reading in soak.readings]
    assert sum(told) > 5 * len(told), told
    tables = {one.subject.table for one in soak.followed}
    assert tables == {"soak.story", "soak.board", "soak.slate", "soak.talk"}


# Transactions of author 1: its keys are 1000 to 1999, and 1000 is the mark.
STATES = (
    {1000: Value(1, None), 1001: Value(2, "a")},
    {1000: Value(4, None), 1001: Value(3, "b"), 1002: Value(5, "c")},
    {1000: Value(6, None), 1002: Value(5, "c")},
)


@pytest.fixture
def chronicle():
    made = Chronicle("author 1")
    for state in STATES:
        made.settle(Outcome.COMMITTED, state)
    return made


def told(chronicle, filtered=False):
    """The records of a follower that was told everything."""
    records = []
    for seq, transaction in enumerate(chronicle.transactions, 1):
        changes = []
        for change in sorted(transaction):
            old, new = change.old, change.new
            if filtered:
                old, new = (v if passes(change.key, v) else None for v in (old, new))
            if old != new:
                changes.append((change.key, old, new))
        for n, (key, old, new) in enumerate(changes):
            records.append(
                {
                    "what": "change",
                    "change": {
                        "op": "insert" if old is None else "delete" if new is None else "update",
                        "seq": str(seq),
                        "token": f"{seq}.{n}",
                        "last": n == len(changes) - 1,
                        "key": [str(key)],
                        **({} if old is None else {"old": old._asdict()}),
                        **({} if new is None else {"row": new._asdict()}),
                    },
                }
            )
    return records


def as_rows(records):
    """The records of a form that gives rows: what was before is not told, nor what is the last."""
    for record in records:
        change = record["change"]
        row = change.get("row", change.get("old"))
        told = [
            change["seq"],
            change["op"],
            change["token"],
            *change["key"],
            str(row["n"]),
            row["body"],
        ]
        yield {"what": "row", "row": told}
    yield {"what": "row", "row": ["99", "progress", "99", None, None, None]}


def snapshot(state):
    return {"what": "snapshot", "rows": [(key, *value) for key, value in state.items()]}


def found(chronicle, records, *, filtered=False):
    """What is wrong with a journal, and how much was not told."""
    reading = Reading({1: chronicle}, filtered=filtered)
    for record in records:
        reading.take(record)
    return {what: reading.counts[what] for what in WRONG if reading.counts[what]}, reading.behind()


@pytest.mark.parametrize("filtered", [False, True])
def test_a_journal_that_has_everything_is_right(chronicle, filtered):
    records = told(chronicle, filtered)
    assert found(chronicle, records, filtered=filtered) == ({}, {})
    assert found(chronicle, as_rows(records), filtered=filtered) == ({}, {})


def test_rows_without_what_was_before_are_compared_too(chronicle):
    records = told(chronicle)
    assert found(chronicle, [*as_rows(records)][:-1])[1] == {1: (2, 3)}  # It may go on.
    assert found(chronicle, as_rows(records[1:]))[0]["wrong rows"] == 1
    assert found(chronicle, as_rows([r for r in records if r["change"]["seq"] != "2"]))[0] == {
        "lost": 1
    }
    update = next(
        r for r in records if r["change"]["op"] == "update" and r["change"]["key"] == ["1001"]
    )
    update["change"]["op"] = "insert"
    assert found(chronicle, as_rows(records))[0] == {"wrong rows": 1}


def test_a_journal_may_begin_and_go_on_with_a_snapshot(chronicle):
    records = told(chronicle)
    first = [r for r in records if r["change"]["seq"] == "1"]
    rest = [r for r in records if r["change"]["seq"] == "3"]
    assert found(chronicle, [snapshot({}), *first, snapshot(STATES[1]), *rest]) == ({}, {})


def test_what_is_wrong_is_counted_by_its_kind(chronicle):
    one, two, three = (
        [r for r in told(chronicle) if r["change"]["seq"] == seq] for seq in ("1", "2", "3")
    )
    none = {}
    assert found(chronicle, one + three) == ({"lost": 1}, none)
    assert found(chronicle, one + two[:-1] + three) == ({"lost": 2}, none)
    assert found(chronicle, one + two[:1] + two[2:] + three) == ({"wrong rows": 1}, none)
    assert found(chronicle, one + one[-1:] + two + three) == ({"twice": 1}, none)
    assert found(chronicle, one + two + one[:1] + three) == ({"out of order": 1}, none)
    assert found(chronicle, one + two) == ({}, {1: (2, 3)})
    assert found(chronicle, [*one, snapshot({}), *two, *three]) == ({"lost": 1}, none)
    assert found(chronicle, [*one, snapshot({**STATES[1], 1005: Value(9, "")})])[0] == {
        "wrong rows": 1
    }
    never = {**STATES[0], 1000: Value(77, None)}
    assert found(chronicle, [snapshot(never)])[0] == {"never committed": 1}
    assert found(chronicle, [{"what": "refused", "text": "XX000"}])[0] == {"refused": 1}


def test_a_table_that_is_emptied_has_lost_all_its_rows(chronicle):
    """As a truncate, and then inserts; which rows these leave out, the ledger knows."""
    before = told(chronicle)
    chronicle.settle(Outcome.COMMITTED, {1000: Value(7, None), 1003: Value(8, "d")})
    inserts = [change for change in told(chronicle)[len(before) :] if "row" in change["change"]]
    for n, record in enumerate(inserts, 1):
        record["change"].update(op="insert", token=f"4.{n}", last=n == len(inserts))
        record["change"].pop("old", None)
    truncate = {"op": "truncate", "seq": "4", "token": "4.0", "last": False}
    rows = [{"what": "change", "change": truncate}, *inserts]
    truncated = {"what": "row", "row": ["4", "truncate", "4.0", None, None, None]}
    as_texts = [*[*as_rows(before)][:-1], truncated, *as_rows(inserts)]
    assert found(chronicle, before + rows) == found(chronicle, as_texts) == ({}, {})
    assert found(chronicle, before + inserts)[0]["wrong rows"] == 1  # 1002 is not gone.
    assert found(chronicle, before + rows[:2] + rows[3:])[0] == {}  # It may go on.
    inserts[-1]["change"]["op"] = "update"
    inserts[-1]["change"]["old"] = {"n": 5, "body": "c"}
    assert found(chronicle, before + rows)[0]["wrong rows"]


# ------------------------------------------------------------------ a STREAM table's journal


def row(n, op="insert"):
    """The record of a row of author 1."""
    return {"what": "row", "row": ["1", op, "1.0", str(NUMBERS + n), str(n), "said"]}


def rows_there(*numbers):
    return {"what": "snapshot", "rows": [(NUMBERS + n, n, "said") for n in numbers]}


FORGOTTEN = {"what": "forgotten"}


@pytest.mark.parametrize(
    ("records", "wrong", "behind"),
    [
        ([rows_there(), row(1), row(2), row(3), row(6)], {}, {}),
        ([rows_there(1, 2), row(3), row(5), row(6)], {}, {}),  # Whether 5 came nobody knows.
        ([rows_there(1, 2), row(3)], {}, {1: (3, 6)}),
        ([rows_there(1), row(3), row(6)], {"lost": 1}, {}),
        ([rows_there(1, 3), row(6)], {"lost": 1}, {}),
        ([rows_there(), row(1), FORGOTTEN, rows_there(), row(6)], {}, {}),
        ([rows_there(), row(1), {"what": "gap"}, row(6)], {}, {}),
        ([rows_there(), row(1), FORGOTTEN, rows_there(2), row(6)], {"lost": 1}, {}),
        ([rows_there(1, 2, 3), row(3), row(6)], {"twice": 1}, {}),
        ([rows_there(1, 2, 3), row(2), row(6)], {"out of order": 1}, {}),
        ([rows_there(1, 2, 3), row(4), row(6)], {"never committed": 1}, {}),
        ([rows_there(1, 2, 3), row(6, "update")], {"wrong rows": 1}, {1: (3, 6)}),
    ],
)
def test_a_row_of_a_stream_is_missed_only_by_who_was_told_so(records, wrong, behind):
    talk = Talk(1)
    talk.say(talk.next(3), Outcome.COMMITTED)
    talk.say(talk.next(1), Outcome.ABANDONED)
    talk.say(talk.next(1), Outcome.UNKNOWN)
    talk.say(talk.next(1), Outcome.COMMITTED)
    reading = TalkReading({1: talk})
    for record in records:
        reading.take(record)
    assert {what: reading.counts[what] for what in WRONG if reading.counts[what]} == wrong
    assert reading.behind() == behind
