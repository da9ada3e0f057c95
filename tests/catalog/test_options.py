"""WITH (…) options: what is accepted, and PostgreSQL's words for what is not."""

import pytest

from catalog.errors import (
    InvalidParameterValueError,
    InvalidTableDefinitionError,
    UndefinedObjectError,
)
from catalog.model import TableKind, TableOptions
from catalog.options import parse_options


@pytest.mark.parametrize(
    ("given", "kind", "options"),
    [
        ([], TableKind.SHARED, TableOptions()),
        ([("TYPE", "user")], TableKind.USER, TableOptions()),
        ([("TABLE_TYPE", "USER"), ("TYPE", "USER")], TableKind.USER, TableOptions()),
        (
            [("FLUSH_POLICY", "rows:1000,interval:300")],
            TableKind.SHARED,
            TableOptions(flush_rows=1000, flush_interval_s=300),
        ),
        (
            [("TYPE", "STREAM"), ("TTL_SECONDS", "30"), ("SCOPE", "shared"), ("MAX_BUFFER", "5")],
            TableKind.STREAM,
            TableOptions(ttl_s=30.0, scope="SHARED", max_buffer=5),
        ),
        (
            [("ACCESS_LEVEL", "restricted"), ("STORAGE_ID", "local")],
            TableKind.SHARED,
            TableOptions(access_level="RESTRICTED"),
        ),
    ],
)
def test_options_are_read(given, kind, options):
    assert parse_options(given) == (kind, options)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ([("SPEED", "70")], InvalidParameterValueError, 'unrecognized parameter "speed"'),
        (
            [("TYPE", "ROW")],
            InvalidParameterValueError,
            'invalid value for enum option "type": ROW',
        ),
        (
            [("TYPE", "USER"), ("TYPE", "SHARED")],
            InvalidParameterValueError,
            'parameter "type" specified more than once',
        ),
        ([("TYPE", "STREAM")], InvalidTableDefinitionError, "require the option TTL_SECONDS"),
        ([("TTL_SECONDS", "5")], InvalidTableDefinitionError, "does not apply to SHARED tables"),
        ([("FLUSH_POLICY", "rows")], InvalidParameterValueError, "flush_policy"),
        ([("FLUSH_POLICY", "rows:0")], InvalidParameterValueError, "value 0 out of bounds"),
        ([("FLUSH_POLICY", "rows:1,rows:2")], InvalidParameterValueError, "flush_policy"),
        ([("HOT_ROW_LIMIT", "many")], InvalidParameterValueError, "integer option"),
        ([("STORAGE", "s3_prod")], UndefinedObjectError, 'storage "s3_prod" does not exist'),
        (
            [("TYPE", "STREAM"), ("TTL_SECONDS", "0")],
            InvalidParameterValueError,
            "value 0 out of bounds",
        ),
        (
            [("TYPE", "STREAM"), ("TTL_SECONDS", "nan")],
            InvalidParameterValueError,
            "value nan out of bounds",
        ),
    ],
)
def test_wrong_options_are_refused(given, error, text):
    with pytest.raises(error, match=text):
        parse_options(given)
