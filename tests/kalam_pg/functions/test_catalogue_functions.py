"""sysinfo, regex and arrays: what catalogue queries call, with PostgreSQL 15's answers."""

import pytest

from catalog.errors import FeatureNotSupportedError
from catalog.types.registry import INT2VECTOR, INT4, INT8, OID, TEXT, array_of
from kalam_pg.functions import arrays, lookup, regex, sysinfo
from kalam_pg.functions.table import EvalContext


def row(name: str, *args: object):
    (found,) = [o for o in lookup.functions(name) if o.args == args]
    assert found.row is not None
    return found.row


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"), (10239, "10239 bytes"), (10240, "10 kB"), (1_000_000, "977 kB"),
        (10_485_247, "10239 kB"), (10_485_248, "10 MB"), (1_000_000_000, "954 MB"),
        (10_736_893_951, "10239 MB"), (10_736_893_952, "10 GB"), (-1_000_000, "-977 kB"),
        (1_000_000_000_000_000, "909 TB"),
    ],
)  # fmt: skip
def test_a_size_is_shown_in_the_largest_unit_that_leaves_five_digits(size, shown):
    assert row("pg_size_pretty", INT8)(size) == shown


@pytest.mark.parametrize(
    ("oid", "typmod", "shown"),
    [(23, -1, "integer"), (1043, 24, "character varying(20)"), (1009, None, "text[]"),
     (0, -1, "-"), (99999, -1, "???"), (None, 1, None)],
)  # fmt: skip
def test_format_type_names_types_as_sql_does(oid, typmod, shown):
    assert row("format_type", OID, INT4)(EvalContext(), oid, typmod) == shown


def test_a_catalogue_function_asks_the_services_and_is_refused_where_there_are_none():
    context = EvalContext(services={"pg_get_userbyid": lambda oid: f"user {oid}"})
    assert row("pg_get_userbyid", OID)(context, 7) == "user 7"
    with pytest.raises(FeatureNotSupportedError):
        row("pg_get_userbyid", OID)(EvalContext(), 7)


def test_version_begins_as_drivers_expect():
    assert sysinfo.VERSION.startswith("PostgreSQL 15.")


@pytest.mark.parametrize(
    ("value", "pattern", "matches"),
    [
        ("pg_toast", "^pg_", True), ("public", "^pg_", False), ("messages", "^(messages)$", True),
        ("a\nb", "a.b", True), ("ab", "^(a|b){2}$", True), ("x1", r"^\w\d$", True),
        ("foo bar", r"\ybar\y", True), ("ABC", "(?i)abc", True), ("a.b", "***=a.b", True),
        ("axb", "***=a.b", False), ("a", "[[:alpha:]]", True), ("", "^$", True),
    ],
)  # fmt: skip
def test_a_pattern_matches_as_in_postgresql(value, pattern, matches):
    assert regex.matches(EvalContext(), value, pattern) is matches


def test_matching_ignores_case_when_asked():
    assert regex.matches_any_case(EvalContext(), "ABC", "^a.c$")


def test_array_functions_answer_as_postgresqls():
    texts = array_of(TEXT)
    assert texts is not None
    by_name = {(o.name, len(o.args)): o.row for o in arrays.OVERLOADS}
    upper, lower = by_name["array_upper", 2], by_name["array_lower", 2]
    assert (upper((texts,), ("a", "b"), 1), lower((texts,), ("a", "b"), 1)) == (2, 1)
    assert upper((texts,), (), 1) is None
    assert upper((INT2VECTOR,), (1, 2, 3), 1) == 2
    join = by_name["array_to_string", 3]
    assert join(EvalContext(), (texts,), ("a", None, "b"), ",", "*") == "a,*,b"
    assert by_name["array_to_string", 2](EvalContext(), (texts,), ("a", None), ",") == "a"
    assert by_name["string_to_array", 2]("a,b", ",") == ("a", "b")
    assert by_name["string_to_array", 2]("ab", None) == ("a", "b")
    assert by_name["array_position", 2]((texts, TEXT), ("a", "b"), "b") == 2
    assert by_name["array_remove", 2]((texts, TEXT), ("a", None, "a"), "a") == (None,)
    assert by_name["cardinality", 1]((("a", "b"), ("c", "d"))) == 4
