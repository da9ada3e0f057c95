"""Classes in patterns: the way of ASCII texts and that of all others agree where both can be taken."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from catalog.errors import FeatureNotSupportedError
from kalam_pg.functions.regex import matches, translate
from kalam_pg.functions.regex_classes import compile_us

PATTERNS = (
    *(r"^\w+$", r"\W", r"^[\w-]+$", r"^[^\w]$", r"\s", r"^\S+$", r"[\s,]", r"[[:space:]]"),
    *("^[[:alpha:]_]+$", "[^[:alnum:]]", "[[:upper:]][[:lower:]]", "[:alpha:]", r"[]\w]", r"a[\]]"),
    *("[[a]", r"\[\w\]", "[[:digit:]]", "***=[\\w]"),
)
TEXTS = [chr(at) for at in range(1, 128)] + ["Ab c", "a]", "[w]", "x-1", "a\x0bb", "[\\w]"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_text_of_ascii_is_matched_alike_both_ways(pattern):
    narrow, wide = [
        pc.match_substring_regex(pa.array(TEXTS), translate(pattern, wide=wide)).to_pylist()
        for wide in (False, True)
    ]
    assert narrow == wide


def test_what_takes_long_to_compile_is_known_to():
    assert compile_us("ascii", r"\w{1,200}") == 0
    assert compile_us("é", "é+") == 0
    assert compile_us("é", r"\w{1,200}") > 100 * compile_us("é", r"\w") > 0


def test_a_class_that_is_not_known_beyond_ascii_is_refused_there():
    assert matches("a!", "[[:punct:]]")
    with pytest.raises(FeatureNotSupportedError, match=r"character class \[:punct:\]"):
        matches("é!", "[[:punct:]]")
