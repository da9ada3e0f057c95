"""Backend messages: the manual's bytes, and a frontend reads back what was meant."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_pg.pgwire import encode
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import (
    Authentication,
    BackendKeyData,
    BindComplete,
    CloseComplete,
    CommandComplete,
    CopyBothResponse,
    CopyData,
    CopyDone,
    CopyInResponse,
    CopyOutResponse,
    DataRow,
    EmptyQueryResponse,
    ErrorResponse,
    FieldDescription,
    NegotiateProtocolVersion,
    NoData,
    NoticeResponse,
    NotificationResponse,
    ParameterDescription,
    ParameterStatus,
    ParseComplete,
    PortalSuspended,
    ReadyForQuery,
    RowDescription,
)
from tests.frontend import BackendDecoder

CASES = [
    (b"R\0\0\0\x08\0\0\0\0", Authentication(0)),
    (
        b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0",
        Authentication(10, b"SCRAM-SHA-256\0\0"),
    ),
    (b"K\0\0\0\x0c\0\0\0\x07\x01\x02\x03\x04", BackendKeyData(7, b"\x01\x02\x03\x04")),
    (b"S\0\0\0\x09a\0bc\0", ParameterStatus("a", "bc")),
    (b"Z\0\0\0\x05I", ReadyForQuery("I")),
    (b"Z\0\0\0\x05T", ReadyForQuery("T")),
    (b"Z\0\0\0\x05E", ReadyForQuery("E")),
    (b"1\0\0\0\x04", ParseComplete()),
    (b"2\0\0\0\x04", BindComplete()),
    (b"3\0\0\0\x04", CloseComplete()),
    (b"n\0\0\0\x04", NoData()),
    (b"s\0\0\0\x04", PortalSuspended()),
    (b"I\0\0\0\x04", EmptyQueryResponse()),
    (b"C\0\0\0\x0dSELECT 1\0", CommandComplete("SELECT 1")),
    (b"t\0\0\0\x0a\0\x01\0\0\0\x17", ParameterDescription((23,))),
    (
        b"T\0\0\0\x1a\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0",
        RowDescription((FieldDescription("a", 23, 4),)),
    ),
    (b"T\0\0\0\x06\0\0", RowDescription(())),
    (b"D\0\0\0\x0f\0\x02\xff\xff\xff\xff\0\0\0\x011", DataRow((None, b"1"))),
    (b"D\0\0\0\x06\0\0", DataRow(())),
    (
        b"E\0\0\0\x15SERROR\0C42601\0M\0\0",
        ErrorResponse((("S", "ERROR"), ("C", "42601"), ("M", ""))),
    ),
    (b"N\0\0\0\x09Mhi\0\0", NoticeResponse((("M", "hi"),))),
    (b"A\0\0\0\x0d\0\0\0\x07ch\0p\0", NotificationResponse(7, "ch", "p")),
    (b"v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0", NegotiateProtocolVersion(2, ("_pq_.x",))),
    (b"G\0\0\0\x09\0\0\x01\0\0", CopyInResponse(0, (0,))),
    (b"H\0\0\0\x0b\x01\0\x02\0\x01\0\x01", CopyOutResponse(1, (1, 1))),
    (b"W\0\0\0\x07\0\0\0", CopyBothResponse(0, ())),
    (b"d\0\0\0\x05x", CopyData(b"x")),
    (b"c\0\0\0\x04", CopyDone()),
]


@pytest.mark.parametrize(("wire", "message"), CASES)
def test_a_message_has_the_manuals_bytes(wire, message):
    assert encode.encode(message) == wire


@pytest.mark.parametrize(("wire", "message"), CASES)
def test_a_frontend_reads_it_whole_or_byte_by_byte(wire, message):
    read = BackendDecoder()
    for byte in wire:
        assert read.next() is None
        read.feed(bytes([byte]))
    assert read.next() == message
    read.feed(wire + wire[:4])
    assert read.next() == message
    assert read.next() is None


def test_the_tag_of_a_command_is_not_mixed_up_with_another():
    tags = [f"INSERT 0 {n}" for n in range(1500)]
    for tag in tags + tags:
        assert encode.command_complete(tag) == encode.encode(CommandComplete(tag))
        assert tag.encode() + b"\0" in encode.command_complete(tag)


def test_a_zero_or_a_surrogate_in_text_does_not_break_the_frame():
    read = BackendDecoder()
    read.feed(encode.error_response([("M", "a\0b\udc80c")]) + encode.ready_for_query("I"))
    assert read.next() == ErrorResponse((("M", "ab?c"),))
    assert read.next() == ReadyForQuery("I")


def test_the_mechanisms_end_with_an_empty_name():
    assert encode.authentication_sasl(["A", "B"])[5:] == b"\0\0\0\x0aA\0B\0\0"


@settings(max_examples=100)
@given(st.lists(st.none() | st.binary(max_size=300), max_size=40))
def test_any_row_comes_back(values):
    read = BackendDecoder()
    read.feed(encode.data_row(values))
    assert read.next() == DataRow(tuple(values))


def test_a_frontend_refuses_what_is_no_backend_message():
    read = BackendDecoder()
    read.feed(b"?\0\0\0\x04")
    with pytest.raises(ProtocolViolationError):
        read.next()
