"""Errors and notices reach the client with the fields drivers look for."""

from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import ErrorResponse, NoticeResponse
from kalam_pg.pgwire.notices import (
    Notice,
    error_bytes,
    error_fields,
    notice_bytes,
)
from storage.errors import InternalError, KalamError
from tests.frontend import BackendDecoder


def read(wire: bytes):
    decoder = BackendDecoder()
    decoder.feed(wire)
    return decoder.next()


def test_an_error_has_severity_twice_code_and_message():
    error = KalamError("it broke")
    assert error_fields(error) == [
        ("S", "ERROR"), ("V", "ERROR"), ("C", "XX000"), ("M", "it broke"),
    ]  # fmt: skip
    assert read(error_bytes(error)) == ErrorResponse(tuple(error_fields(error)))


def test_an_error_has_the_fields_it_knows():
    error = KalamError(
        "m", detail="d", hint="h", position=7, schema="s", table="t", column="c", datatype="y",
        constraint="k",
    )  # fmt: skip
    assert dict(error_fields(error)[4:]) == {
        "D": "d", "H": "h", "P": "7", "s": "s", "t": "t", "c": "c", "d": "y", "n": "k",
    }  # fmt: skip


def test_an_error_that_ends_the_connection_is_fatal():
    assert ("S", "FATAL") in error_fields(ProtocolViolationError("lost"))
    assert ("S", "ERROR") in error_fields(ProtocolViolationError("bad", fatal=False))
    assert ("V", "FATAL") in error_fields(KalamError("m"), "FATAL")


def test_a_bug_is_a_reference_and_not_its_text():
    message = read(error_bytes(InternalError("1a2b")))
    assert isinstance(message, ErrorResponse)
    fields = dict(message.fields)
    assert fields["C"] == "XX000"
    assert "1a2b" in fields["M"]


def test_a_notice_has_its_own_severity():
    message = read(notice_bytes(Notice("m", severity="WARNING", sqlstate="01000", detail="d")))
    assert message == NoticeResponse(
        (("S", "WARNING"), ("V", "WARNING"), ("C", "01000"), ("M", "m"), ("D", "d"))
    )
