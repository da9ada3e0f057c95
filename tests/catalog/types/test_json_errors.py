"""What PostgreSQL 15 says of texts that are not JSON: its DETAIL, and the line as far as it was read."""

# ruff: noqa: E501 -- one text a line

import pytest

from catalog.types.registry import JSON, JSONB
from catalog.types.table import DEFAULT_CONTEXT
from storage.errors import KalamError

# Text, DETAIL, CONTEXT behind `JSON data, `.
NO_JSON = [
    ('{"a":1,}', 'Expected string, but found "}".', 'line 1: {"a":1,}'),
    ('{"a":1,\n"b":x}', 'Token "x" is invalid.', 'line 2: "b":x...'),
    ('"abc', 'Token ""abc" is invalid.', 'line 1: "abc'),
    (
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,xx,31]",
        'Token "xx" is invalid.',
        "line 1: ...5,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,xx...",
    ),
    ("", "The input string ended unexpectedly.", "line 1: "),
    (
        '{"a":"\\u00"}',
        '"\\u" must be followed by four hexadecimal digits.',
        'line 1: {"a":"\\u00"...',
    ),
    ('"a\tb"', "Character with value 0x09 must be escaped.", 'line 1: "a...'),
    ('{"a":1} x', 'Token "x" is invalid.', 'line 1: {"a":1} x'),
    ("{", "The input string ended unexpectedly.", "line 1: {"),
    ('{"a" 1}', 'Expected ":", but found "1".', 'line 1: {"a" 1...'),
    ('{"a":1}\n\n]', 'Expected end of input, but found "]".', "line 3: ]"),
    ('["\xe9", x]', 'Token "x" is invalid.', 'line 1: ["\xe9", x...'),
    (
        '"\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\\q"',
        'Escape sequence "\\q" is invalid.',
        "line 1: ...\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\\q...",
    ),
    ("[1 2", 'Expected "," or "]", but found "2".', "line 1: [1 2"),
    ("tru", 'Token "tru" is invalid.', "line 1: tru"),
    ("-", 'Token "-" is invalid.', "line 1: -"),
    ("-a", 'Token "-a" is invalid.', "line 1: -a"),
    ("01", 'Token "01" is invalid.', "line 1: 01"),
    ("1.", 'Token "1." is invalid.', "line 1: 1."),
    ("1e", 'Token "1e" is invalid.', "line 1: 1e"),
    ("1.5abc x", 'Token "1.5abc" is invalid.', "line 1: 1.5abc..."),
    ("   \n  x", 'Token "x" is invalid.', "line 2:   x"),
    ("\r\nx", 'Token "x" is invalid.', "line 2: x"),
    ("[1,\r\n2 3]", 'Expected "," or "]", but found "3".', "line 2: 2 3..."),
    ("nul", 'Token "nul" is invalid.', "line 1: nul"),
    ('{"a":1,"b"}', 'Expected ":", but found "}".', 'line 1: {"a":1,"b"}'),
    ("{1:2}", 'Expected string or "}", but found "1".', "line 1: {1..."),
    ('"\\', 'Token ""\\" is invalid.', 'line 1: "\\'),
    ('"\\u12', 'Token ""\\u12" is invalid.', 'line 1: "\\u12'),
    ("[1,2,,3]", 'Expected JSON value, but found ",".', "line 1: [1,2,,..."),
    ('{"a":[}', 'Expected JSON value, but found "}".', 'line 1: {"a":[}'),
    (
        '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
        'Token ""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" is invalid.',
        "line 1: ...aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    (
        "[1                                                                                ",
        "The input string ended unexpectedly.",
        "line 1: ...                                                 ",
    ),
    ("@", 'Token "@" is invalid.', "line 1: @"),
    ("$x", 'Token "$" is invalid.', "line 1: $..."),
    ("'a'", 'Token "\'" is invalid.', "line 1: '..."),
    ("\xe9", 'Token "\xe9" is invalid.', "line 1: \xe9"),
    ('{"x":\xe9"y"}', 'Token "\xe9" is invalid.', 'line 1: {"x":\xe9...'),
    (
        '["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",x]',
        'Token "x" is invalid.',
        'line 1: ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",x...',
    ),
    (
        '["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",xx]',
        'Token "xx" is invalid.',
        'line 1: ...aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",xx...',
    ),
]
NO_TEXT = [
    (
        '{"a":"\\ud800"}',
        "Unicode low surrogate must follow a high surrogate.",
        'line 1: {"a":"\\ud800"...',
    ),
    ('"\\u0000"', "\\u0000 cannot be converted to text.", 'line 1: "\\u0000...'),
    (
        '"\\ud800\\n"',
        "Unicode low surrogate must follow a high surrogate.",
        'line 1: "\\ud800\\n...',
    ),
    ('"\\ud800x"', "Unicode low surrogate must follow a high surrogate.", 'line 1: "\\ud800x...'),
    ('"\\udc00"', "Unicode low surrogate must follow a high surrogate.", 'line 1: "\\udc00...'),
    (
        '"\\ud800\\ud800"',
        "Unicode high surrogate must not follow a high surrogate.",
        'line 1: "\\ud800\\ud800...',
    ),
]


def told(kind, text):
    with pytest.raises(KalamError) as caught:
        kind.input(text, -1, DEFAULT_CONTEXT)
    return caught.value.detail, caught.value.context


def test_a_text_that_is_no_json_is_told_with_the_line_up_to_where_it_is_wrong():
    for text, detail, context in NO_JSON:
        expected = detail, f"JSON data, {context}"
        assert told(JSON, text) == told(JSONB, text) == expected, text


def test_an_escape_that_only_jsonb_decodes_is_told_in_the_same_way():
    for text, detail, context in NO_TEXT:
        assert JSON.input(text, -1, DEFAULT_CONTEXT) == text
        assert told(JSONB, text) == (detail, f"JSON data, {context}"), text
