"""The packets before the first message, and what may not come twice."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_pg.pgwire.codec import FrontendDecoder
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import NegotiateProtocolVersion, Query
from kalam_pg.pgwire.startup import (
    PACKET_BYTES_MAX,
    CancelRequest,
    GSSENCRequest,
    SSLRequest,
    StartupMessage,
    StartupRules,
    negotiation,
    read_packet,
    supported,
)
from tests import frontend

CASES = [
    (b"\0\0\0\x08\x04\xd2\x16\x2f", SSLRequest()),
    (b"\0\0\0\x08\x04\xd2\x16\x30", GSSENCRequest()),
    (b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07\x01\x02\x03\x04", CancelRequest(7, b"\1\2\3\4")),
    (frontend.startup_message({"user": "a"}), StartupMessage(3, 0, {"user": "a"})),
    (
        frontend.startup_message({"user": "é", "database": "kalam"}, minor=2),
        StartupMessage(3, 2, {"user": "é", "database": "kalam"}),
    ),
    # Version 2 has another layout, of which only the version is read.
    (b"\0\0\0\x0c\0\x02\0\0abcd", StartupMessage(2, 0, {})),
    (frontend.cancel_request(9, bytes(32)), CancelRequest(9, bytes(32))),
]


@pytest.mark.parametrize(("wire", "packet"), CASES)
def test_a_packet_is_the_same_byte_by_byte_or_with_more_behind(wire, packet):
    for size in range(len(wire)):
        assert read_packet(wire[:size]) is None
    assert read_packet(wire) == (packet, len(wire))
    assert read_packet(wire + b"Q\0\0") == (packet, len(wire))


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(struct.pack(">i", 7), id="7 bytes"),
        pytest.param(struct.pack(">i", 0), id="0 bytes"),
        pytest.param(struct.pack(">i", -1), id="negative"),
        pytest.param(struct.pack(">i", PACKET_BYTES_MAX + 1), id="10001 bytes"),
        pytest.param(b"GET / HTTP/1.1\r\n", id="another protocol"),
        pytest.param(b"\0\0\0\x09\x04\xd2\x16\x2fx", id="SSLRequest with content"),
        pytest.param(b"\0\0\0\x0c\x04\xd2\x16\x2e\0\0\0\x07", id="cancel without a key"),
        pytest.param(b"\0\0\0\x0c\0\x03\0\0user", id="name without its zero"),
        pytest.param(b"\0\0\0\x0d\0\x03\0\0user\0", id="value missing"),
        pytest.param(b"\0\0\0\x0f\0\x03\0\0user\0a\0", id="no end"),
        pytest.param(b"\0\0\0\x0a\0\x03\0\0\0x", id="bytes after the end"),
        pytest.param(b"\0\0\0\x0f\0\x03\0\0uu\0\xff\xff\0\0", id="not UTF-8"),
    ],
)
def test_a_bad_packet_is_fatal(wire):
    with pytest.raises(ProtocolViolationError) as raised:
        read_packet(wire)
    assert raised.value.fatal


def test_the_decoder_goes_from_the_packet_to_messages():
    read = FrontendDecoder()
    wire = frontend.startup_message({"user": "a"}) + frontend.encode(Query("SELECT 1"))
    for byte in wire[:-1]:
        read.feed(bytes([byte]))
        if (packet := read.next_startup()) is not None:
            assert packet == StartupMessage(3, 0, {"user": "a"})
            break
    read.authenticated()
    read.feed(wire[len(wire) - 14 :])
    assert read.next() == Query("SELECT 1")


@pytest.mark.parametrize(
    ("minor", "extra", "answer"),
    [
        (0, {}, None),
        (2, {}, None),
        (9999, {}, NegotiateProtocolVersion(2)),
        (0, {"_pq_.compress": "1"}, NegotiateProtocolVersion(0, ("_pq_.compress",))),
        (3, {"_pq_.a": "", "_pq_.b": ""}, NegotiateProtocolVersion(2, ("_pq_.a", "_pq_.b"))),
    ],
)
def test_more_than_we_have_is_negotiated_down(minor, extra, answer):
    message = StartupMessage(3, minor, {"user": "a", **extra})
    assert supported(message)
    assert negotiation(message) == answer


def test_another_major_version_is_not_supported():
    assert not supported(StartupMessage(2, 0, {}))


@pytest.mark.parametrize("request_", [SSLRequest(), GSSENCRequest()])
def test_a_request_comes_once_and_not_under_tls(request_):
    rules = StartupRules()
    rules.admit(request_)
    with pytest.raises(ProtocolViolationError):
        rules.admit(request_)
    with pytest.raises(ProtocolViolationError):
        StartupRules(encrypted=True).admit(request_)


def test_one_request_of_each_kind_may_come():
    rules = StartupRules()
    rules.admit(GSSENCRequest())
    rules.admit(SSLRequest())
    rules.admit(StartupMessage(3, 0, {}))
    assert rules.ssl_seen
    assert rules.gssenc_seen


@settings(max_examples=300)
@given(st.binary(max_size=40), st.booleans())
def test_garbage_is_a_protocol_violation_and_nothing_else(body, framed):
    wire = struct.pack(">i", len(body) + 4) + body if framed else body
    try:
        read_packet(wire)
    except ProtocolViolationError as exc:
        assert exc.fatal  # noqa: PT017
