"""A subscription's objects, against the words of the specification and PostgreSQL's to_json."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.types import registry as t
from catalog.types.table import DEFAULT_CONTEXT
from kalam_pg.functions.jsonbuild import to_json
from kalam_pg.live import payload
from kalam_pg.live.payload import BYTES_MAX, ChangeEncoder
from storage.errors import SnapshotTooOldError
from tests.strategies import SCALARS, values_of

COLUMNS = (("id", t.INT8), ("body", t.TEXT), ("done", t.BOOL), ("n", t.INT4))
SEQ = 7123456789012345678
EXACT = {t.INT8, t.NUMERIC}


def encoder(columns=COLUMNS, key=(t.INT8,), **options) -> ChangeEncoder:
    return ChangeEncoder("chat.messages", columns, key, DEFAULT_CONTEXT, **options)


def told(text: str) -> dict:
    """The object, if it is one that every language reads: no name comes twice."""

    def once(pairs):
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    return json.loads(text, object_pairs_hook=once)


def test_an_insert_is_its_whole_row_with_nulls():
    text = encoder().change("insert", SEQ, 2, (5,), last=True, row=(5, 'a "b"\n', None, 3))
    assert told(text) == {
        "op": "insert",
        "table": "chat.messages",
        "seq": "7123456789012345678",
        "token": "7123456789012345678.2",
        "last": True,
        "key": ["5"],
        "row": {"id": "5", "body": 'a "b"\n', "done": None, "n": 3},
    }


def test_an_update_and_a_delete_have_the_previous_row():
    made = encoder()
    update = told(
        made.change("update", 7, 0, (5,), last=False, row=(5, "b", True, 1), old=(5, "a", False, 1))
    )
    assert (update["op"], update["last"]) == ("update", False)
    assert (update["row"]["body"], update["old"]["body"]) == ("b", "a")
    delete = told(made.change("delete", 7, 1, (5,), last=True, old=(5, "b", True, 1)))
    assert "row" not in delete
    assert delete["old"] == {"id": "5", "body": "b", "done": True, "n": 1}


def test_previous_rows_are_left_out_where_they_are_not_wanted():
    made = encoder(old=False)
    both = {"row": (5, "b", True, 1), "old": (5, "a", True, 1)}
    assert "old" not in told(made.change("update", 7, 0, (5,), last=True, **both))
    assert told(made.change("delete", 7, 0, (5,), last=True, old=(5, "a", True, 1)))["key"] == ["5"]


def test_a_row_that_left_the_filter_says_why():
    text = encoder().change("delete", 7, 0, (5,), last=True, why="filter")
    assert told(text)["why"] == "filter"


def test_a_row_of_the_snapshot_is_no_position():
    row = told(encoder().snapshot(7, (5,), (5, "a", True, 1)))
    assert (row["op"], row["why"], row["seq"]) == ("insert", "snapshot", "7")
    assert row.keys().isdisjoint({"token", "last", "old"})


def test_bigints_and_numerics_are_strings_unless_numbers_are_asked_for():
    columns = (
        ("big", t.INT8),
        ("exact", t.NUMERIC),
        ("bigs", t.array_of(t.INT8)),
        ("small", t.INT2),
        ("real", t.FLOAT8),
    )
    row = (712345678901234568, "1.50", (1, None, 2), 3, 0.5)
    strings = encoder(columns).change("insert", 1, 0, (5,), last=True, row=row)
    assert told(strings)["row"] == {
        "big": "712345678901234568",
        "exact": "1.50",
        "bigs": ["1", None, "2"],
        "small": 3,
        "real": 0.5,
    }
    numbers = encoder(columns, bigint_numbers=True).change("insert", 1, 0, (5,), last=True, row=row)
    assert '"big":712345678901234568,"exact":1.50,"bigs":[1,null,2]' in numbers


def test_json_is_json_and_not_a_text_of_it():
    columns = (("a", t.JSON), ("b", t.JSONB))
    text = encoder(columns).change(
        "insert", 1, 0, (5,), last=True, row=('{"x": [1]}', '{"y": null}')
    )
    assert told(text)["row"] == {"a": {"x": [1]}, "b": {"y": None}}


def test_a_key_of_any_type_is_told_in_text_form():
    made = ChangeEncoder(
        "t", (), (t.UUID, t.DATE, t.TEXT, t.BOOL, t.BYTEA), DEFAULT_CONTEXT
    )  # fmt: skip
    key = (bytes(range(16)), 0, 'a"b', True, b"\x01\xff")
    found = told(made.change("delete", 1, 0, key, last=True))["key"]
    assert found == [
        "00010203-0405-0607-0809-0a0b0c0d0e0f",
        "1970-01-01",
        'a"b',
        "t",
        "\\x01ff",
    ]


@pytest.mark.slow
def test_a_row_too_large_for_drivers_is_told_by_its_key():
    made = encoder((("body", t.TEXT),))
    # The limit is of bytes: a character may be four.
    for text, whole in (("x" * (BYTES_MAX - 1000), True), ("é" * (BYTES_MAX // 2), False)):
        found = told(made.change("insert", 7, 1, (5,), last=True, row=(text,)))
        assert ("row" in found, found.get("truncated", False)) == (whole, not whole)
        assert (found["key"], found["token"], found["last"]) == (["5"], "7.1", True)
    found = told(made.snapshot(7, (5,), ("x" * BYTES_MAX,)))
    assert (found["truncated"], found["why"]) == (True, "snapshot")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            payload.truncate("a.b", 7, 2, last=True),
            {"op": "truncate", "table": "a.b", "seq": "7", "token": "7.2", "last": True},
        ),
        (payload.progress(7), {"op": "progress", "seq": "7"}),
        (payload.flush("a.b", 7), {"op": "flush", "table": "a.b", "seq": "7"}),
        (payload.reset(7), {"op": "reset", "seq": "7"}),
        (payload.ready(7), {"op": "ready", "seq": "7"}),
        (payload.gap(3), {"op": "gap", "dropped": 3}),
        (
            payload.error(SnapshotTooOldError('it is "too" old'), 7),
            {"op": "error", "code": "72000", "message": 'it is "too" old', "seq": "7"},
        ),
        (
            payload.error(SnapshotTooOldError.behind(7, 9), 7),
            {
                "op": "error",
                "code": "72000",
                "message": "snapshot too old",
                "detail": "The changes after 7 are not kept any more, only those from 9 on.",
                "hint": "Subscribe anew, with a snapshot.",
                "retained_from": "9",
                "seq": "7",
            },
        ),
    ],
)
def test_what_happens_beside_the_changes_has_an_object_of_its_own(text, found):
    assert told(text) == found
    assert '": ' not in text


STORED = [
    *sorted(SCALARS.keys() - EXACT, key=lambda type_: type_.oid),
    t.array_of(t.TEXT),
    t.array_of(t.TIMESTAMPTZ),
]


@given(st.data())
@settings(deadline=None)
def test_every_other_value_is_what_to_json_makes_of_it(data):
    type_ = data.draw(st.sampled_from(STORED))
    value = data.draw(st.none() | values_of(type_))
    text = encoder((("v", type_),)).change("insert", 1, 0, (5,), last=True, row=(value,))
    assert text.endswith(f',"row":{{"v":{to_json(value, type_, DEFAULT_CONTEXT)}}}}}')
    told(text)
