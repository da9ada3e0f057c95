"""PostgreSQL's regular expressions: each answer is what PostgreSQL 15 says (`regexp_matches(…, 'g')`)."""

from itertools import pairwise

import pytest

from catalog.errors import InvalidRegularExpressionError
from kalam_pg.functions import strings
from kalam_pg.functions.cost import BUDGET_US, TakesLongError
from kalam_pg.functions.regex import is_match
from kalam_pg.functions.regexes import characters
from kalam_pg.functions.regexes.lexer import Options
from kalam_pg.functions.regexes.search import compiled
from kalam_pg.functions.table import EvalContext

PREFERENCES = (
    ("a*?b+", "aabbb", [("aab",), ("b",), ("b",)]),
    ("(a*?)(b+)", "aabbb", [("aa", "b"), ("", "b"), ("", "b")]),
    ("(a*)(b*?)", "aabbb", [("aa", "bbb"), ("", "")]),
    ("(?:a*?|b)c*", "aacc", [("aacc",), ("",)]),
    ("(a|ab)(c|bcd)(d*)", "abcd", [("ab", "c", "d")]),
    ("(foo|foobar)(bar)?", "foobar", [("foobar", None)]),
    (r"(\d+?)(\d)", "1234", [("1", "2"), ("3", "4")]),
    ("(?:(a+?)){1,1}b*", "aaabb", [("aaa",)]),
    ("(.*)c(.*)?", "abcabc", [("abcab", "")]),
    ("(a{1,2}?)(a*)", "aaaa", [("a", ""), ("a", ""), ("a", ""), ("a", "")]),
    ("(?:a*?){2}b*", "aabb", [("",), ("",), ("",), ("",), ("",)]),
    ("XY{1,3}?Y*", "XYYYY", [("XY",)]),
    ("(a*)*", "aab", [("aa",), ("",), ("",)]),
    ("(a|b)*c", "abac", [("a",)]),
    ("(a?)*?b", "aab", [("a",)]),
    ("((a)|(b))*", "ab", [("b", None, "b"), (None, None, None)]),
    ("(x*)*y|x", "xxx", [(None,), (None,), (None,)]),
)
REFERENCES = (
    (r"(\w)\1", "hello", [("l",)]),
    (r"(\w+) \1", "the the cat", [("the",)]),
    (r"()*\1", "abc", [("",), ("",), ("",), ("",)]),
    (r"(a*)\1b", "aaaab", [("aa",)]),
    (r"(?i)(a)\1", "aA", [("a",)]),
    (r"(a)\1{2,3}", "aaaaa", [("a",)]),
    (r"(a){0}b\1", "b", []),
    (r"^(.+)\1+$", "abababab", [("abab",)]),
    (r"(a|b)*\1c", "abbc", [("b",)]),
    (r"(^a)\1", "aaa", [("a",)]),
)
LOOKAROUND = (
    ("foo(?=bar)", "foobaz foobar", [("foo",)]),
    ("foo(?!bar)", "foobar foobaz", [("foo",)]),
    ("(?<=a)b", "b ab", [("b",)]),
    (r"(?<!\d)\d(?!\d)", "12 3", [("3",)]),
    ("(?<=^|,)x", "x,x", [("x",), ("x",)]),
    ("a(?=(b))", "ab", [("a",)]),
    ("(?<=(?<!x)a)b", "xab ab", [("b",)]),
)
PLACES = (
    (r"\mfoo\M", "afoo foo", [("foo",)]),
    (r"\y\w", "ab cd", [("a",), ("c",)]),
    (r"\Y\w", "ab cd", [("b",), ("d",)]),
    (r"\Aa|b\Z", "ab\nab", [("a",), ("b",)]),
    ("(?n)^b$", "a\nb\nc", [("b",)]),
    ("(?n)a.b", "a\nb", []),
    ("(?p)^b", "a\nb", []),
    ("(?w)a.b$", "a\nb\nc", [("a\nb",)]),
    ("[[:<:]]é[[:>:]]", "é ée", [("é",)]),
    ("^", "ab", [("",)]),
    ("$", "ab", [("",)]),
)
BRACKETS = (
    ("[[:alpha:]]+", "1éя2", [("éя",)]),
    ("[[:punct:]]+", "é!?«a", [("!?«",)]),
    ("[[:word:]]+", "-a_1", [("a_1",)]),
    ("[^[:space:]]+", " a b", [("a",), ("b",)]),
    ("[[.hyphen.]a]+", "b-a", [("-a",)]),
    ("[[=a=]]", "a", [("a",)]),
    (r"[\w-]+", "!a-b", [("a-b",)]),
    ("[]a]+", "x]a", [("]a",)]),
    ("[^]a]", "]ab", [("b",)]),
    ("[a-]+", "b-a", [("-a",)]),
    ("(?i)[b-d]+", "aBcDe", [("BcD",)]),
    ("(?i)É", "é", [("é",)]),
    (r"[\d\D]", "x", [("x",)]),
    ("(?n)[^a]", "\nb", [("b",)]),
)
SPELLINGS = (
    ("[{2]", "{", [("{",)]),
    ("[]{300]", "{", [("{",)]),
    (r"a\{2", "a{2", [("a{2",)]),
    ("a{x", "a{x", [("a{x",)]),
    ("[[:alpha:]{2]", "2", [("2",)]),
    (r"\x61\u0062\103", "abC", [("abC",)]),
    (r"\e|\a", "\x07", [("\x07",)]),
    ("***=a.c", "abc a.c", [("a.c",)]),
    ("***:(?i)A", "a", [("a",)]),
    ("(?x) a b # c\n c", "abc", [("abc",)]),
    ("(?q)a+", "a+", [("a+",)]),
    (r"(?b)\(a\)\{2\}", "aa", [("a",)]),
    (r"(?e)a\d", "ad", [("ad",)]),
    ("a(?#note)b", "ab", [("ab",)]),
    ("a{,2}", "a{,2}", [("a{,2}",)]),
    ("(?s).", "\n", [("\n",)]),
    ("(?ic)A", "a", []),
)
FAULTS = (
    ("a{2x}", "a", "invalid repetition count(s)"),
    ("(?=a)*b", "b", "quantifier operand invalid"),
    ("(", "a", "parentheses () not balanced"),
    ("a)", "a", "parentheses () not balanced"),
    ("[a", "a", "brackets [] not balanced"),
    ("a{1", "a", "braces {} not balanced"),
    ("a{2,1}", "a", "invalid repetition count(s)"),
    ("a{256}", "a", "invalid repetition count(s)"),
    ("*a", "a", "quantifier operand invalid"),
    ("a**", "a", "quantifier operand invalid"),
    ("^*", "a", "quantifier operand invalid"),
    ("(?<a)", "a", "quantifier operand invalid"),
    (r"\1", "a", "invalid backreference number"),
    (r"(?=(a))\1", "a", "invalid backreference number"),
    (r"(a\1)", "a", "invalid backreference number"),
    ("[b-a]", "a", "invalid character range"),
    ("[[:x:]]", "a", "invalid character class"),
    ("[[.xy.]]", "a", "invalid collating element"),
    ("a\\", "a", "invalid escape \\ sequence"),
    (r"\q", "a", "invalid escape \\ sequence"),
    ("(?z)a", "a", "invalid embedded option"),
    ("***a", "a", "quantifier operand invalid"),
    ("***?a", "a", "invalid regexp (reg version 0.8)"),
    (r"\x", "a", "invalid escape \\ sequence"),
    ("((a{255}){255}){255}", "a", "regular expression is too complex"),
)


def found(pattern, text):
    """Each match's groups, or the match itself."""
    made = compiled(pattern)
    return [
        tuple([text[a:b] if a >= 0 else None for a, b in match[1:] or match])
        for match in made.matches(made.subject(text), 0)
    ]


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [*PREFERENCES, *REFERENCES, *LOOKAROUND, *PLACES, *BRACKETS, *SPELLINGS],
)
def test_a_pattern_matches_where_postgresql_says(pattern, text, answer):
    assert found(pattern, text) == answer
    made = compiled(pattern)
    assert made.is_in(made.subject(text)) is bool(answer)


@pytest.mark.parametrize(("pattern", "text", "words"), FAULTS)
def test_what_is_no_pattern_is_told_in_postgresqls_words(pattern, text, words):
    with pytest.raises(InvalidRegularExpressionError) as told:
        found(pattern, text)
    assert str(told.value) == f"invalid regular expression: {words}"


def test_classes_of_characters_do_not_overlap_and_make_up_others():
    tables = {name: characters.named(name) for name in characters.CLASSES}
    for members in tables.values():
        assert all(a[1] + 1 < b[0] for a, b in pairwise(members.ranges))
    graph = characters.union([tables["alnum"], tables["punct"]])
    assert graph == tables["graph"]
    assert "é" in tables["alpha"]
    assert "«" in tables["punct"]
    assert "é" not in tables["punct"]
    assert tables["space"].complement().complement() == tables["space"]


@pytest.mark.parametrize(
    ("letter", "small", "large"),
    [("İ", "i", "İ"), ("ᾀ", "ᾀ", "ᾈ"), ("ß", "ß", "ß"), ("\u03a3", "\u03c3", "\u03a3")],
)
def test_a_letter_has_the_cases_of_the_c_library(letter, small, large):
    assert (strings.lower("A" + letter), strings.upper("A" + letter)) == ("a" + small, "A" + large)


def test_what_a_statement_cannot_pay_is_given_up():
    context = EvalContext(left_us=BUDGET_US, most_us=BUDGET_US)
    with pytest.raises(TakesLongError):
        is_match(context, "a" * 90 + "c" + "a" * 60, r"^(a+)(a+)(a+)\1\2\3c\1\2\3a$")
    before = context.left_us = 1e6
    context.most_us = 1e6
    assert is_match(context, "x" * 10_000 + "a1", r"[a-z]\d")
    assert 500 < before - context.left_us < 100_000


def test_a_long_text_is_looked_through_once():
    made = compiled(r"(?:ab)*c(\d)")
    subject = made.subject("ab" * 50_000 + "c1", work_max=1_000_000, overworked=pytest.fail)
    assert made.match(subject, 0) == ((0, 100_002), (100_001, 100_002))


def test_the_states_of_all_automata_are_bounded(monkeypatch):
    monkeypatch.setattr("kalam_pg.functions.regexes.automaton.STEPS_MAX", 50)
    made = compiled("[a-z]+([0-9])", Options(any_case=True))
    text = "".join(map(chr, range(33, 127))) * 3 + "q7"
    assert made.match(made.subject(text), 0) is not None
    assert found(r"(\w)\1", "abccd") == [("c",)]
