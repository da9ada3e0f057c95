"""What an engine says is told in PostgreSQL's words: data, memory, what cannot be done, and bugs."""

import pytest

from kalam_pg.engines.errors import from_datafusion

SAID = [
    (Exception("DataFusion error: Arrow error: Divide by zero error"), "22012", "division by zero"),
    # Whatever runs out of memory, and whoever notices.
    (MemoryError(), "53200", "out of memory"),
    (Exception("Resources exhausted: Additional allocation failed"), "53200", "out of memory"),
    (OSError(12, "Cannot allocate memory"), "53200", "out of memory"),
    (BaseException("OS can't spawn worker thread: Resource temporarily unavailable"), "53200", ""),
    (RuntimeError("can't start new thread"), "53200", "out of memory"),
    (BaseException("capacity overflow"), "53200", "out of memory"),
    (Exception("External error: std::bad_alloc"), "53200", "out of memory"),
    (Exception("malloc of size 4096 failed"), "53200", "out of memory"),
    (
        Exception("IO error: /srv/kalam/spill/1/x: No space left on device (os error 28)"),
        "53100",
        "could not write a temporary file: No space left on device",
    ),
    # A user's own text that mentions memory is still that text.
    (
        Exception("Cannot cast string 'out of memory' to value of Int32 type"),
        "22P02",
        'invalid input syntax for type Int32: "out of memory"',
    ),
    # What it cannot do, by its name.
    (
        ValueError("Schema error: No field named q2.d0.\nValid fields are r1.c1, r1.c2."),
        "0A000",
        "this form of correlated subquery is not supported",
    ),
    (
        Exception(
            "DataFusion error: This feature is not implemented: Physical plan does not support "
            "logical expression ScalarSubquery(<subquery>)"
        ),
        "0A000",
        "this form of correlated subquery is not supported",
    ),
    (
        Exception("This feature is not implemented: Recursive queries with a distinct UNION"),
        "0A000",
        "this form of recursive query is not supported",
    ),
    (
        Exception("This feature is not implemented: Window frame definitions with GROUPS"),
        "0A000",
        "this form of window function is not supported",
    ),
    (
        Exception("Error during planning: Unsupported JOIN type"),
        "0A000",
        "this form of join is not supported",
    ),
    (
        Exception("This feature is not implemented: Something new"),
        "0A000",
        "the query engine does not support a statement of this form",
    ),
    # A fault of ours: its text is for the log.
    (
        Exception("Schema error: No field named foo"),
        "XX000",
        "the query engine could not run this statement",
    ),
]


@pytest.mark.parametrize(
    ("raised", "sqlstate", "message"), SAID, ids=[str(said[0])[:60] for said in SAID]
)
def test_an_engines_failure_is_told_as_what_it_means(raised, sqlstate, message):
    error = from_datafusion(raised)
    assert error.sqlstate == sqlstate
    assert message in error.message
