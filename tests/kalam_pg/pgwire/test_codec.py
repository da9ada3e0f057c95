"""Frontend messages: the same however the bytes are cut, and garbage is only ever a violation."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_pg.pgwire.bodies import password, sasl_initial_response, sasl_response
from kalam_pg.pgwire.codec import (
    PRE_AUTHENTICATION_BYTES_MAX,
    SMALL_BYTES_MAX,
    FrontendDecoder,
)
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import (
    AuthenticationData,
    Bind,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    Execute,
    Flush,
    FrontendMessage,
    FunctionCall,
    Parse,
    Query,
    SASLInitialResponse,
    Sync,
    Terminate,
)
from tests import frontend

CASES = [
    (b"Q\0\0\0\x0dSELECT 1\0", Query("SELECT 1")),
    (b"Q\0\0\0\x05\0", Query("")),
    (b"Q\0\0\0\x08\xe2\x82\xac\0", Query("€")),
    (b"P\0\0\0\x10\0SELECT 1\0\0\0", Parse("", "SELECT 1", ())),
    (
        b"P\0\0\0\x1es1\0SELECT $1,$2\0\0\x02\0\0\0\x17\0\0\0\0",
        Parse("s1", "SELECT $1,$2", (23, 0)),
    ),
    # An OID above 2**31 is not negative.
    (b"P\0\0\0\x0d\0S\0\0\x01\xff\xff\xff\xff", Parse("", "S", (4294967295,))),
    (b"B\0\0\0\x0c\0\0\0\0\0\0\0\0", Bind("", "", (), (), ())),
    # One parameter, NULL: its length is -1 and no bytes follow.
    (b"B\0\0\0\x10\0\0\0\0\0\x01\xff\xff\xff\xff\0\0", Bind("", "", (), (None,), ())),
    # An empty value is not NULL.
    (b"B\0\0\0\x10\0\0\0\0\0\x01\0\0\0\0\0\0", Bind("", "", (), (b"",), ())),
    (
        b"B\0\0\0\x24p\0st\0\0\x02\0\x01\0\0\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x01x\0\x02\0\x01\0\0",
        Bind("p", "st", (1, 0), (b"\0\0\0\x07", b"x"), (1, 0)),
    ),
    (b"D\0\0\0\x06S\0", Describe("S", "")),
    (b"D\0\0\0\x06P\0", Describe("P", "")),
    (b"D\0\0\0\x08Ss1\0", Describe("S", "s1")),
    (b"E\0\0\0\x09\0\0\0\0\0", Execute("", 0)),
    (b"E\0\0\0\x0ap\0\0\0\0\x32", Execute("p", 50)),
    (b"C\0\0\0\x08Ss1\0", Close("S", "s1")),
    (b"C\0\0\0\x06P\0", Close("P", "")),
    (b"H\0\0\0\x04", Flush()),
    (b"S\0\0\0\x04", Sync()),
    (b"X\0\0\0\x04", Terminate()),
    (b"d\0\0\0\x07a\tb", CopyData(b"a\tb")),
    (b"d\0\0\0\x04", CopyData(b"")),
    (b"c\0\0\0\x04", CopyDone()),
    (b"f\0\0\0\x07no\0", CopyFail("no")),
    (
        b"F\0\0\0\x15\0\0\x05\x39\0\x01\0\x01\0\x01\0\0\0\x01x\0\0",
        FunctionCall(1337, (1,), (b"x",), 0),
    ),
    (b"p\0\0\0\x08abc\0", AuthenticationData(b"abc\0")),
]

BAD_INSIDE = [  # The frame is good, so the message after it can be read.
    pytest.param(b"Q\0\0\0\x04", id="no string"),
    pytest.param(b"Q\0\0\0\x05x", id="string without its zero"),
    pytest.param(b"Q\0\0\0\x08a\0b\0", id="zero inside the text"),
    pytest.param(b"Q\0\0\0\x06\xff\0", id="not UTF-8"),
    pytest.param(b"P\0\0\0\x07\xff\0\0", id="parse: short"),
    pytest.param(b"P\0\0\0\x09\xff\0\0\0\0", id="parse: not UTF-8"),
    pytest.param(b"P\0\0\0\x08\0\0\0\x01", id="parse: types missing"),
    pytest.param(b"P\0\0\0\x09\0\0\0\0x", id="parse: bytes left over"),
    pytest.param(b"B\0\0\0\x04", id="bind: empty"),
    pytest.param(b"B\0\0\0\x0d\0\0\0\0\0\0\0\0x", id="bind: bytes left over"),
    pytest.param(b"B\0\0\0\x10\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0", id="bind: length -2"),
    pytest.param(b"B\0\0\0\x10\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0", id="bind: length 2**31-1"),
    pytest.param(b"B\0\0\0\x0c\0\0\0\0\xff\xff\0\0", id="bind: 65535 parameters promised"),
    pytest.param(b"B\0\0\0\x10\0\0\0\x02\0\0\0\0\0\0\0\0", id="bind: formats do not fit"),
    pytest.param(b"D\0\0\0\x06X\0", id="describe what"),
    pytest.param(b"C\0\0\0\x05S", id="close without a name"),
    pytest.param(b"E\0\0\0\x08\0\0\0\0", id="execute: short count"),
    pytest.param(b"S\0\0\0\x05x", id="sync with content"),
    pytest.param(b"F\0\0\0\x06\0\0", id="function call: short"),
]

BAD_FRAMES = [
    pytest.param(b"Q\0\0\0\x03", id="length 3"),
    pytest.param(b"Q\0\0\0\0", id="length 0"),
    pytest.param(b"Q\xff\xff\xff\xff", id="length -1"),
    pytest.param(b"Q\x7f\xff\xff\xff", id="2 GB"),
    pytest.param(b"S\0\0\x27\x11", id="a Sync of 10001 bytes"),
    pytest.param(b"y\0\0\0\x04", id="unknown type"),
    pytest.param(b"\0\0\0\0\x04", id="type 0"),
]


def decoder(*, authenticated: bool = True) -> FrontendDecoder:
    made = FrontendDecoder(max_message_bytes=1_000_000)
    if authenticated:
        made.authenticated()
    return made


def drain(read: FrontendDecoder) -> list[FrontendMessage]:
    messages = []
    while (message := read.next()) is not None:
        messages.append(message)
    return messages


@pytest.mark.parametrize(("wire", "message"), CASES)
def test_a_message_is_the_same_whole_or_byte_by_byte_or_with_more_behind(wire, message):
    whole = decoder(authenticated=wire[:1] != b"p")
    whole.feed(wire)
    assert drain(whole) == [message]

    bytewise = decoder(authenticated=wire[:1] != b"p")
    for index, byte in enumerate(wire):
        assert bytewise.next() is None, index
        assert bytewise.unread <= 4, "what is known to be a message's part is nobody's to come to"
        bytewise.feed(bytes([byte]))
    assert drain(bytewise) == [message]

    trailing = decoder(authenticated=wire[:1] != b"p")
    trailing.feed(wire + wire[:3])
    assert drain(trailing) == [message]
    assert trailing.buffered == trailing.unread == 3
    trailing.feed(wire[3:])
    assert drain(trailing) == [message]
    assert trailing.buffered == 0


@pytest.mark.parametrize(("wire", "message"), CASES)
def test_a_frontend_encodes_the_same_bytes(wire, message):
    assert frontend.encode(message) == wire


def test_a_pipeline_comes_out_in_order():
    messages = [message for wire, message in CASES if wire[:1] != b"p"]
    read = decoder()
    read.feed(b"".join(wire for wire, _ in CASES if wire[:1] != b"p"))
    assert drain(read) == messages


@pytest.mark.parametrize("wire", BAD_INSIDE)
def test_a_message_bad_inside_is_skipped_and_the_next_one_read(wire):
    read = decoder()
    read.feed(wire + b"S\0\0\0\x04")
    with pytest.raises(ProtocolViolationError) as raised:
        read.next()
    assert not raised.value.fatal
    assert raised.value.message_type == wire[:1].decode()
    assert read.next() == Sync()


@pytest.mark.parametrize("wire", BAD_FRAMES)
def test_a_bad_frame_is_fatal_before_its_content_is_there(wire):
    read = decoder()
    read.feed(wire)
    with pytest.raises(ProtocolViolationError) as raised:
        read.next()
    assert raised.value.fatal
    assert raised.value.sqlstate == "08P01"


@pytest.mark.parametrize(
    "wire", [b"Q\0\0\0\x0dSELECT 1\0", b"S\0\0\0\x04", b"d\0\0\0\x04", b"p\0\x01\0\x01"]
)
def test_only_short_authentication_data_comes_before_authentication(wire):
    read = decoder(authenticated=False)
    read.feed(wire)
    with pytest.raises(ProtocolViolationError):
        read.next()


def test_message_caps_are_by_type():
    large = Query("x" * 900_000)
    read = decoder()
    read.feed(frontend.encode(large))
    assert read.next() == large
    read.feed(frontend.encode(Query("x" * 1_000_000)))
    with pytest.raises(ProtocolViolationError):
        read.next()
    assert SMALL_BYTES_MAX < PRE_AUTHENTICATION_BYTES_MAX


def test_a_large_message_is_kept_as_it_came_and_joined_once():
    wire = frontend.encode(CopyData(bytes(800_000)))
    read = decoder()
    for start in range(0, len(wire), 32_768):
        assert read.next() is None
        read.feed(wire[start : start + 32_768])
    assert read.next() == CopyData(bytes(800_000))
    assert read.buffered == 0


@pytest.mark.parametrize("cut", [997, 1_500_000, 2_000_020, 3_000_000])
def test_a_very_large_bind_is_read_where_it_was_gathered(cut):
    sent = Bind("p", "s", (), (b"x" * 2_000_000, b"y" * 70_000, b"z", None), ())
    wire = frontend.encode(sent) + b"Q\0\0\0\x0dSELECT 1\0" + b"S\0\0\0\x04"
    read = FrontendDecoder()
    read.authenticated()
    found = []
    for start in range(0, len(wire), cut):
        read.feed(wire[start : start + cut])
        found += drain(read)
    assert found == [sent, Query("SELECT 1"), Sync()]
    assert read.buffered == 0


def test_nobody_peeks_past_a_very_large_message():
    read = FrontendDecoder()
    read.authenticated()
    large = frontend.encode(Bind("", "", (), (b"x" * 2_000_000,), ()))
    read.feed(large[:100])
    assert read.next() is None
    read.feed(large[100:] + b"S\0\0\0\x04")
    assert len(read.buffer) == read.position
    assert isinstance(read.next(), Bind)
    assert read.next() == Sync()


def test_a_declared_length_reserves_nothing():
    read = FrontendDecoder(max_message_bytes=2**30)
    read.authenticated()
    read.feed(b"Q\x3f\xff\xff\xffSELECT")
    assert read.next() is None
    assert read.buffered == 11


def test_what_a_p_message_holds_depends_on_what_was_asked():
    assert password(AuthenticationData(b"secret\0")) == "secret"
    initial = SASLInitialResponse("SCRAM-SHA-256", b"n,,n=,r=x")
    wire = frontend.sasl_initial_response(initial)
    assert sasl_initial_response(AuthenticationData(wire[5:])) == initial
    assert sasl_response(AuthenticationData(b"c=biws")) == b"c=biws"
    with pytest.raises(ProtocolViolationError):
        sasl_initial_response(AuthenticationData(b"SCRAM-SHA-256\0\0\0\0\x05n"))
    with pytest.raises(ProtocolViolationError):
        password(AuthenticationData(b"secret\0more"))


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
values = st.none() | st.binary(max_size=12)
formats = st.lists(st.sampled_from([0, 1]), max_size=1).map(tuple)
messages = st.one_of(
    st.builds(Query, names),
    st.builds(Parse, names, names, st.lists(st.integers(0, 2**32 - 1), max_size=4).map(tuple)),
    st.builds(Bind, names, names, formats, st.lists(values, max_size=4).map(tuple), formats),
    st.builds(Describe, st.sampled_from("SP"), names),
    st.builds(Execute, names, st.integers(-(2**31), 2**31 - 1)),
    st.builds(CopyData, st.binary(max_size=20)),
    st.just(Sync()),
)


@settings(max_examples=150)
@given(st.lists(messages, max_size=6), st.data())
def test_any_messages_cut_anywhere_come_back(sent, data):
    wire = b"".join(map(frontend.encode, sent))
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=5).map(sorted))
    read = decoder()
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        read.feed(wire[start:end])
        received += drain(read)
    assert received == sent


def only_violations(wire: bytes, read: FrontendDecoder) -> None:
    read.feed(wire)
    while True:
        try:
            if read.next() is None:
                return
        except ProtocolViolationError as exc:
            if exc.fatal:
                return


@settings(max_examples=300)
@given(st.binary(max_size=64), st.booleans())
def test_garbage_is_a_protocol_violation_and_nothing_else(wire, authenticated):
    only_violations(wire, decoder(authenticated=authenticated))


@settings(max_examples=300)
@given(st.sampled_from(b"QPBDECHSXdcfFp"), st.binary(max_size=48))
def test_garbage_in_a_good_frame_is_a_protocol_violation_and_nothing_else(kind, body):
    only_violations(struct.pack(">Bi", kind, len(body) + 4) + body, decoder())


@settings(max_examples=300)
@given(messages, st.data())
def test_a_damaged_message_is_a_protocol_violation_and_nothing_else(message, data):
    wire = bytearray(frontend.encode(message))
    wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    only_violations(bytes(wire), decoder())
