"""Every type's values survive both formats, and what is not a value is refused with a KalamError."""

import math
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.types.registry import (
    ACLITEM,
    BPCHAR,
    INT2VECTOR,
    JSON,
    OIDVECTOR,
    PG_NODE_TREE,
    TYPES,
    VOID,
    array_of,
)
from catalog.types.table import DEFAULT_CONTEXT
from storage.errors import KalamError
from tests.strategies import SCALARS, values_of

CONTEXTS = [
    DEFAULT_CONTEXT,
    *(
        replace(DEFAULT_CONTEXT, timezone=ZoneInfo(zone), timezone_name=zone)
        for zone in ("America/New_York", "Asia/Kathmandu")
    ),
    *(
        replace(DEFAULT_CONTEXT, interval_style=style)
        for style in ("postgres_verbose", "sql_standard", "iso_8601")
    ),
    replace(DEFAULT_CONTEXT, bytea_output="escape", date_style="German", date_order="DMY"),
    replace(DEFAULT_CONTEXT, date_style="SQL", date_order="DMY"),
    replace(DEFAULT_CONTEXT, date_style="Postgres"),
]
ARRAYS = [array_of(type_) for type_ in SCALARS if array_of(type_) is not None]
ALL = [*SCALARS, *ARRAYS]


def same(left, right):
    """Equality in which NaN is itself and zero has a sign."""
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return repr(left) == repr(right) or (math.isnan(left) and math.isnan(right))
    return left == right and type(left) is type(right)


@pytest.mark.parametrize("type_", ALL, ids=lambda type_: type_.name)
@given(data=st.data())
@settings(max_examples=30)
def test_a_value_written_as_text_reads_back_the_same_in_every_style(type_, data):
    value = data.draw(values_of(type_))
    context = data.draw(st.sampled_from(CONTEXTS))
    text = type_.output(value, context)
    assert same(type_.input(text, -1, context), value)


@pytest.mark.parametrize("type_", ALL, ids=lambda type_: type_.name)
@given(data=st.data())
@settings(max_examples=30)
def test_a_value_sent_in_binary_is_received_the_same(type_, data):
    value = data.draw(values_of(type_))
    assert same(type_.receive(type_.send(value), -1), value)


@pytest.mark.parametrize("type_", [INT2VECTOR, OIDVECTOR], ids=lambda type_: type_.name)
def test_the_vectors_of_the_catalogue_survive_both_formats(type_):
    for value in ((), (1,), (3, 1, 2)):
        assert type_.input(type_.output(value, DEFAULT_CONTEXT), -1, DEFAULT_CONTEXT) == value
        assert type_.receive(type_.send(value), -1) == value


def outcome(attempt):
    try:
        return attempt()
    except KalamError as exc:
        return exc


def takes_typmod(type_, typmod):
    return typmod < 6 or type_.name == "numeric"


FUZZED = [type_ for type_ in TYPES if not type_.pseudo]
# Pieces that mean something to one type or another.
WORDS = """0 1 9 12 2024 -1 + - . : , / e E x \\ ' " { } [ ] ( ) T Z P Y M D nan inf null true jan
    am bc now epoch ago day mon 10:30 2024-01-15 +05 utc J2451187 \\x \\u0000 é"""
PIECES = st.sampled_from([*WORDS.split(), " ", "\t", "\n"])
NOISE = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
    st.lists(PIECES, max_size=8).map("".join),
)


@pytest.mark.parametrize("type_", FUZZED, ids=lambda type_: type_.name)
@given(text=NOISE, typmod=st.sampled_from([-1, 5, 4 + (3 << 16) + 1]))
@settings(max_examples=40)
def test_any_text_is_a_value_or_an_error_for_the_client(type_, text, typmod):
    if "\0" in text or (type_ in {PG_NODE_TREE, VOID}):
        return
    value = outcome(lambda: type_.input(text, typmod if takes_typmod(type_, typmod) else -1, _NOW))
    if isinstance(value, KalamError):
        assert value.sqlstate != "XX000"
        return
    written = type_.output(value, DEFAULT_CONTEXT)
    if type_ not in {ACLITEM, BPCHAR} and "json" not in type_.name:
        again = type_.input(written, -1, DEFAULT_CONTEXT)
        assert type_.output(again, DEFAULT_CONTEXT) == written


_NOW = replace(DEFAULT_CONTEXT, now_us=1_700_000_000_000_000)


@pytest.mark.parametrize("type_", FUZZED, ids=lambda type_: type_.name)
@given(data=st.data())
@settings(max_examples=40)
def test_any_bytes_are_a_value_or_an_error_for_the_client(type_, data):
    noise = data.draw(st.binary(max_size=24))
    if type_ in SCALARS and data.draw(st.booleans()):
        # Close to right: a true value, damaged.
        sent = bytearray(type_.send(data.draw(values_of(type_))))
        noise = bytes(sent[: data.draw(st.integers(0, len(sent)))]) + noise[:2]
    value = outcome(lambda: type_.receive(noise, -1))
    if isinstance(value, KalamError):
        assert value.sqlstate != "XX000"
        return
    assert isinstance(type_.output(value, DEFAULT_CONTEXT), str)


def test_json_nested_too_deeply_is_refused_and_does_not_crash():
    for text in ("[" * 200_000, "[" * 200_000 + "]" * 200_000, '{"a":' * 100_000):
        with pytest.raises(KalamError) as caught:
            JSON.input(text, -1, DEFAULT_CONTEXT)
        assert caught.value.sqlstate in {"54001", "22P02"}
