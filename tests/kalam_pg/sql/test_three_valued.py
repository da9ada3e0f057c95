"""Conditions over columns with NULLs have in DataFusion the value that SQL's three-valued logic gives."""

import itertools
import operator
from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.kalam_pg.sql.oracle import Database, make_table, read_rows

Row = dict[str, int | None]
Truth = bool | None
Condition = tuple[str, Callable[[Row], Truth]]

VALUES = (1, 2, 3, None)
ROWS = tuple((n, *pair) for n, pair in enumerate(itertools.product(VALUES, repeat=2)))
TABLE = make_table("n", (("id", "int4", -1), ("u", "int4", -1), ("v", "int4", -1)))
DATABASE = Database((TABLE, read_rows(TABLE, ROWS)))
COMPARISONS = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, ">=": operator.ge,
}  # fmt: skip
TRUTHS: dict[str, Truth] = {"true": True, "false": False, "NULL::bool": None}


def negation(value: Truth) -> Truth:
    return None if value is None else not value


def conjunction(values: list[Truth]) -> Truth:
    return False if False in values else None if None in values else True


def disjunction(values: list[Truth]) -> Truth:
    return True if True in values else None if None in values else False


def value_of(item: str, row: Row) -> int | None:
    return row[item] if item in row else None if item == "NULL" else int(item)


def compared(left: str, symbol: str, right: str) -> Callable[[Row], Truth]:
    def test(row: Row) -> Truth:
        a, b = value_of(left, row), value_of(right, row)
        return None if a is None or b is None else COMPARISONS[symbol](a, b)

    return test


@st.composite
def comparisons(draw: st.DrawFn) -> Condition:
    left, symbol, right = draw(OPERANDS), draw(st.sampled_from([*COMPARISONS, "="])), draw(ITEMS)
    return f"({left} {symbol} {right})", compared(left, symbol, right)


@st.composite
def lists(draw: st.DrawFn) -> Condition:
    left, items, negated = draw(OPERANDS), draw(st.lists(ITEMS, min_size=1)), draw(st.booleans())
    tests = [compared(left, "=", item) for item in items]
    form = draw(st.sampled_from(["IN", "ANY", "OR"]))
    if form == "OR":
        text = " OR ".join(f"{left} = {item}" for item in items)
    elif form == "ANY":
        text = f"{left} = ANY (ARRAY[{', '.join(items)}]::int[])"
    else:
        text = f"{left} IN ({', '.join(items)})"

    def run(row: Row) -> Truth:
        found = disjunction([test(row) for test in tests])
        return negation(found) if negated else found

    return f"(NOT ({text}))" if negated else f"({text})", run


@st.composite
def joined(draw: st.DrawFn, parts: st.SearchStrategy[Condition]) -> Condition:
    conditions = draw(st.lists(parts, min_size=2, max_size=3))
    word, join = draw(st.sampled_from([("AND", conjunction), ("OR", disjunction)]))
    text = f" {word} ".join(text for text, _ in conditions)
    return f"({text})", lambda row: join([run(row) for _, run in conditions])


OPERANDS = st.sampled_from(["u", "v"])
ITEMS = st.sampled_from(["1", "2", "3", "1", "2", "3", "u", "v", "NULL"])
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    comparisons()
    | lists()
    | OPERANDS.map(lambda name: (f"({name} IS NULL)", lambda row: row[name] is None))
    | st.sampled_from(list(TRUTHS)).map(lambda text: (text, lambda _: TRUTHS[text])),
    lambda parts: (
        joined(parts)
        | parts.map(lambda part: (f"(NOT {part[0]})", lambda row: negation(part[1](row))))
    ),
    max_leaves=6,
)


def never(text: str, *, but_null_where: str) -> Condition:
    """A condition that is false of every row but those where a column is NULL."""
    return text, lambda row: None if row[but_null_where] is None else False


@example(never("(u IN (1, 1) AND u NOT IN (1, 3))", but_null_where="u"))
@example(never("(u IN (1) AND (NOT u IN (2, 1)))", but_null_where="u"))
@example(never("(NOT ((NOT u = 3) OR u <> 2))", but_null_where="u"))
@given(condition=CONDITIONS)
@settings(max_examples=100, deadline=None)
def test_a_condition_has_the_value_of_three_valued_logic(condition):
    text, run = condition
    truths = [run({"u": u, "v": v}) for _, u, v in ROWS]
    _, found = DATABASE.values(f"SELECT ({text}) FROM n ORDER BY id")
    assert [truth for (truth,) in found] == truths
    _, kept = DATABASE.values(f"SELECT id FROM n WHERE {text} ORDER BY id")
    assert [number for (number,) in kept] == [n for n, truth in enumerate(truths) if truth]
