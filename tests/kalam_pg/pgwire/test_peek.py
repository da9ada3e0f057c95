"""A pipeline that comes again, and a query, are seen when all their bytes are there, and only then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_pg.pgwire.codec import FrontendDecoder
from kalam_pg.pgwire.messages import Bind, Describe, Execute, Query, Sync
from kalam_pg.pgwire.peek import Again, peek_again, peek_pipeline, peek_query
from tests import frontend


def decoder():
    read = FrontendDecoder()
    read.authenticated()
    return read


def insert_pipeline(*parameters, described=True, statement="s", formats=(0,)):
    messages = [Bind("", statement, (), parameters, formats), Execute("", 0), Sync()]
    if described:
        messages.insert(1, Describe("P", ""))
    return b"".join(frontend.encode(message) for message in messages)


AGAIN = Again(b"\0s\0\0\0\0\x02", b"\0\x01\0\0", described=True)


@pytest.mark.parametrize("before", [b"", frontend.encode(Query("a"))])
@pytest.mark.parametrize("behind", [b"", b"S\0\0\0\x04", insert_pipeline(b"1", None)])
def test_a_pipeline_that_comes_again_is_known_without_being_taken_apart(before, behind):
    wire = insert_pipeline(b"12", None)
    read = decoder()
    read.feed(before + wire + behind)
    if before:
        assert peek_again(read, AGAIN) is None
        assert read.next() == Query("a")
    start, stop, size = peek_again(read, AGAIN)
    assert read.buffer[start:stop] == b"\0\0\0\x0212\xff\xff\xff\xff"
    assert size == len(wire)
    assert AGAIN.fits(peek_pipeline(read))
    read.feed(b"X")
    read.skip(size)
    assert read.buffered == len(behind) + 1


@pytest.mark.parametrize(
    "wire",
    [
        insert_pipeline(b"12", None, described=False),
        insert_pipeline(b"12", None, statement="t"),
        insert_pipeline(b"12", None, formats=(1,)),
        insert_pipeline(b"12", None, formats=()),
        insert_pipeline(b"12"),
        b"C" + insert_pipeline(b"12", None)[1:],
        b"B\0\0\0\x04" + insert_pipeline(b"12", None)[5:],
        b"B\xff\xff\xff\xff" + insert_pipeline(b"12", None)[5:],
        b"B\x7f\xff\xff\xff" + insert_pipeline(b"12", None)[5:],
    ],
)
def test_another_pipeline_is_not_the_one_that_came_before(wire):
    read = decoder()
    read.feed(wire)
    assert peek_again(read, AGAIN) is None


@given(st.integers(0, 200))
def test_a_pipeline_that_is_not_all_there_is_not_known(cut):
    wire = insert_pipeline(b"12", b"three")
    read = decoder()
    read.feed(wire[:cut])
    assert (peek_again(read, AGAIN) is not None) == (cut >= len(wire))


@pytest.mark.parametrize("text", ["", "SELECT 1", "é"])
def test_a_query_can_be_looked_at(text):
    wire = frontend.encode(Query(text))
    read = decoder()
    for byte in wire:
        assert peek_query(read) is None
        read.feed(bytes([byte]))
    found = peek_query(read)
    assert (found.text, found.size) == (text, len(wire))
    read.skip(found.size)
    assert read.buffered == 0


@pytest.mark.parametrize(
    "wire",
    [
        b"Q\0\0\0\x05\xff\xff",
        b"Q\0\0\0\x06\xff\0",
        b"Q\0\0\0\x03\0\0",
        b"Q\xff\xff\xff\xff\0\0",
        b"Q\0\0\0\x06ab",
    ],
)
def test_a_query_that_would_be_refused_is_not_looked_at(wire):
    read = decoder()
    read.feed(wire)
    assert peek_query(read) is None
