"""Of a bug the client gets a reference and the log, under it, class, place and traceback; never values."""

import errno
import os

import pytest
import structlog

from catalog.errors import SystemFailureError, UndefinedTableError
from kalam_pg.failures import describe, known, last_words
from kalam_pg.server import logs
from storage.errors import DiskFullError, InternalError, KalamError

SECRET = "hunter2"


def fail():
    raise ValueError(SECRET)


def caught(function):
    try:
        function()
    except Exception as exc:  # noqa: BLE001
        return exc
    raise AssertionError("it did not raise")


def test_a_failure_is_told_by_class_place_and_traceback():
    facts = describe(caught(fail))
    assert facts["error"] == "ValueError"
    assert facts["at"].endswith("test_failures.py:18 fail")
    assert " < " in facts["traceback"]
    assert facts["traceback"].endswith(" caught")
    assert SECRET not in str(facts)


def test_what_it_came_from_is_told_too():
    def wrap():
        try:
            fail()
        except ValueError as exc:
            raise DiskFullError("no room") from exc

    facts = describe(caught(wrap))
    assert facts["error"] == "DiskFullError(53100) from ValueError"
    assert facts["traceback"].count(" | ValueError: ") == 1


def test_the_place_is_ours_when_a_library_raised():
    facts = describe(caught(lambda: last_words(None)))
    assert facts["at"].startswith("kalam_pg/failures.py:")


def test_a_refusal_of_the_disk_says_which_and_a_group_what_is_in_it():
    assert describe(OSError(errno.ENOSPC, SECRET))["error"] == "OSError(ENOSPC)"
    group = ExceptionGroup("several", [ValueError(SECRET), KeyError("b")])
    assert describe(group)["error"] == "ExceptionGroup(2) from ValueError"


def test_a_recursion_without_end_is_told_in_one_line():
    def deeper():
        deeper()

    facts = describe(caught(deeper))
    assert facts["error"] == "RecursionError"
    assert len(facts["traceback"]) < 10_000
    assert "more)" in facts["traceback"]


def test_causes_in_a_circle_are_told_once():
    one, two = ValueError(), KeyError()
    one.__cause__, two.__cause__ = two, one
    assert describe(one)["error"] == "ValueError from KeyError"


def test_only_the_note_of_a_fault_of_ours_is_told():
    for cls, told in ((KalamError, True), (SystemFailureError, True), (UndefinedTableError, False)):
        error = cls("it failed")
        error.add_note("kalam_pg/engines/worker.py:1 f")
        assert ("note" in describe(error)) == told


def test_an_error_for_the_client_stays_as_it_is_and_a_bug_becomes_a_reference():
    expected = DiskFullError("no room")
    with structlog.testing.capture_logs() as lines:
        assert known(expected) is expected
        assert not lines
        for bug in (caught(fail), KalamError("the query engine could not run this statement")):
            error = known(bug, process=7)
            assert isinstance(error, InternalError)
            assert error.message == f"internal error (reference {error.reference})"
            assert known(error) is error
            line = lines.pop()
            assert not lines
            assert (line["reference"], line["process"]) == (error.reference, 7)
            assert line["error"] == describe(bug)["error"]


@pytest.mark.parametrize(
    ("exc", "sqlstate"),
    [
        (MemoryError(), "53200"),
        (RecursionError(SECRET), "54001"),
        (OSError(errno.ENOSPC, SECRET, SECRET), "53100"),
        (OSError(errno.EMFILE, SECRET, SECRET), "53000"),
        (OSError(errno.EAGAIN, SECRET), "53000"),
        (OSError(errno.EIO, SECRET, SECRET), "XX000"),
    ],
)
def test_what_the_system_has_no_more_of_is_told_as_that(exc, sqlstate):
    with structlog.testing.capture_logs() as lines:
        error = known(exc, job="flush-1")
    assert error.sqlstate == sqlstate
    assert SECRET not in error.message + str(lines)
    assert [line["job"] for line in lines] == ["flush-1"]


WORDS = f"""\
thread 'main' panicked at src/engine.rs:12:5:
called `unwrap()` on {SECRET}
memory allocation of 12345 bytes failed
Fatal Python error: Segmentation fault

Current thread 0x00007f (most recent call first):
  File "/home/me/kalam_pg/engines/worker.py", line 12 in serve
Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/pyarrow/lib.py", line 7, in write
    write({SECRET})
pyarrow.lib.ArrowInvalid: {SECRET}
ValueError: invalid literal for int(): '{SECRET}'
"""


def test_of_a_processs_last_words_the_places_and_classes_are_kept():
    said = last_words(WORDS)
    assert SECRET not in said
    for part in (
        "panicked at src/engine.rs:12",
        "memory allocation of 12345 bytes failed",
        "Fatal Python error: Segmentation fault",
        "engines/worker.py:12 serve",
        "pyarrow/lib.py:7 write",
        "ValueError",
    ):
        assert part in said
    assert last_words("") == ""


@pytest.fixture
def configured():
    logs.configure("info")
    yield structlog.get_logger("test_failures")
    structlog.reset_defaults()


def test_a_logged_exception_is_one_line_with_its_place(configured, capfd):
    try:
        fail()
    except ValueError:
        configured.exception("it failed", reference="abcd1234", process=7)
    line = capfd.readouterr().err
    assert line.count("\n") == 1
    assert "level=error" in line
    assert 'event="it failed"' in line
    assert "reference=abcd1234" in line
    assert "error=ValueError" in line
    assert "test_failures.py:18 fail" in line
    assert "traceback=" in line
    assert "exc_info" not in line
    assert SECRET not in line


def test_a_log_that_cannot_be_written_costs_nobody_anything(configured):
    kept = os.dup(2)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        os.dup2(full, 2)
        configured.error("nobody reads this")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(full)
