"""Large messages for which there is no room are skipped as they come, and told in their place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import OutOfMemoryError
from kalam_pg.pgwire.codec import TOLD_BYTES, FrontendDecoder
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import Execute, Query, Sync

LARGE = 40 * TOLD_BYTES
READ_BYTES = TOLD_BYTES // 2


def message(kind, body=b""):
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def bind(size):
    return message(b"B", b"\0\0\0\0\0\1" + size.to_bytes(4, "big") + b"x" * size + b"\0\0")


class Room:
    """Of so many bytes. held: what the decoder has told last; asked: each message that it asked for."""

    def __init__(self, admitted=1 << 40, kept=1 << 40):
        self.admitted, self.kept = admitted, kept
        self.held = self.most = 0
        self.asked = []

    def admit(self, _kind, size):
        self.asked.append(size)
        if size > self.admitted:
            raise OutOfMemoryError("out of memory", detail="admit", hint="smaller")

    def hold(self, size):
        if size > self.kept:
            raise OutOfMemoryError("out of memory", detail="hold")
        self.held = size
        self.most = max(self.most, size)


def decoder(room):
    made = FrontendDecoder()
    made.authenticated()
    made.admit, made.hold = room.admit, room.hold
    return made


def taken(reader, pieces):
    """What `next` gives while the pieces are fed; errors as (sqlstate, message type)."""
    found = []
    for piece in pieces:
        reader.feed(piece)
        while True:
            try:
                one = reader.next()
            except ProtocolViolationError as exc:
                one = (exc.sqlstate, "fatal" if exc.fatal else exc.message_type)
            if one is None:
                break
            found.append(one)
    return found


def cut(stream, places):
    """In pieces that end there, and are no larger than one read."""
    reads = range(READ_BYTES, len(stream), READ_BYTES)
    ends = sorted({min(place, len(stream)) for place in places} | {len(stream), *reads})
    return [stream[start:end] for start, end in zip([0, *ends], ends, strict=False)]


CUTS = st.lists(st.integers(1, 2 * LARGE + 40), max_size=60)


@given(CUTS, st.sampled_from([Room(admitted=LARGE), Room(kept=3 * TOLD_BYTES)]))
def test_what_is_refused_is_skipped_and_the_messages_behind_it_come_in_step(places, room):
    room.most = 0
    stream = message(b"S") + bind(LARGE) + message(b"E", b"\0\0\0\0\0") + message(b"S")
    stream += message(b"Q", b"SELECT 1\0")
    found = taken(decoder(room), cut(stream, places))
    assert found == [Sync(), ("53200", "B"), Execute("", 0), Sync(), Query("SELECT 1")]
    assert room.held == 0
    assert room.most <= 3 * TOLD_BYTES


def test_nothing_of_a_message_is_kept_that_is_announced_too_large():
    room = Room(admitted=LARGE)
    reader = decoder(room)
    assert taken(reader, [bind(2 * LARGE)[:100]]) == []
    assert reader.buffer == b""
    for _ in range(10):
        assert taken(reader, [b"x" * 50_000]) == []
        assert len(reader.buffer) + reader.buffered <= 1
    assert room.asked == [2 * LARGE + 4 + 1 + 12]
    assert room.most == 0


def test_its_error_says_what_the_refusal_says():
    reader = decoder(Room(admitted=LARGE))
    wire = bind(2 * LARGE)
    reader.feed(wire[:READ_BYTES])
    assert reader.next() is None
    reader.feed(wire[READ_BYTES:])
    with pytest.raises(ProtocolViolationError) as caught:
        reader.next()
    assert caught.value.sqlstate == "53200"
    assert (caught.value.message, caught.value.detail) == ("out of memory", "admit")
    assert caught.value.hint == "smaller"


def test_what_comes_is_held_as_it_comes_and_given_back_when_the_message_is_whole():
    room = Room()
    reader = decoder(room)
    wire = bind(LARGE)
    seen = []
    for start in range(0, len(wire), 30_000):
        taken(reader, [wire[start : start + 30_000]])
        seen.append(room.held)
    assert seen[-1] == 0
    assert max(seen) > LARGE - 2 * TOLD_BYTES
    assert seen[:-1] == sorted(seen[:-1])


def test_small_messages_ask_nobody():
    room = Room(admitted=0, kept=0)
    wire = bind(TOLD_BYTES - 100)
    found = taken(decoder(room), [wire[:30_000], wire[30_000:60_000], wire[60_000:]])
    assert len(found) == 1
    assert room.asked == []
