"""AND, OR and lists of alternatives, with NULL kept apart from false in DataFusion.

Its optimizer takes `x IN (…)` and `x = a OR x = b` for sets and joins two of them over one operand by
set algebra, as if items were constants and nothing NULL: `x NOT IN (1) OR x NOT IN (2)` becomes true
where x is NULL, `x IN (1, 1) AND x NOT IN (NULL)` is `x IN (1)`, and items that are columns are taken
for different because they are spelled differently. So a list holds constants only, and where NULL is
not as good as false it stands beside a term that the optimizer cannot take into a set.
"""

from collections.abc import Iterable, Sequence

from kalam_pg.sql.physical import BOOLEAN, Sql

NOTHING = Sql("CAST(NULL AS BOOLEAN)", BOOLEAN)


def one_of(operand: Sql, constants: Sequence[Sql]) -> Sql:
    """`operand IN (constants)`, of which there is at least one and none is NULL.

    Where its NULL matters it must be `kept_apart`.
    """
    listed = ", ".join([constant.text for constant in constants])
    fallible = operand.fallible or any(constant.fallible for constant in constants)
    return Sql(f"({operand.text} IN ({listed}))", BOOLEAN, fallible)


def kept_apart(test: Sql, operands: Iterable[Sql]) -> Sql:
    """A test that is NULL wherever an operand is and it is not true, in a form that stays as it is."""
    fences = [f" OR ({text} IS NULL AND NULL)" for text in dict.fromkeys(o.text for o in operands)]
    return Sql(f"({test.text}{''.join(fences)})", BOOLEAN, test.fallible) if fences else test


def chain(args: Sequence[Sql], word: str, *, decided: int) -> Sql:
    """AND or OR from left to right, stopping where the result is decided.

    DataFusion rewrites CASE over booleans into AND and OR and may then run on into what raises, so
    the CASE is one of integers.
    """
    fallible = any(arg.fallible for arg in args)
    every = _balanced([arg.text for arg in args], word)
    if not any(arg.fallible for arg in args[1:]):
        return Sql(f"({every})" if len(args) > 1 else every, BOOLEAN, fallible)
    # Nor may all its values be constants: then it is taken apart as well.
    stops = " ".join(
        [
            f"WHEN {arg.text if decided else f'NOT {arg.text}'} THEN arrow_cast({decided}, 'Int32')"
            for arg in args[:-1]
        ]
    )
    text = f"(CASE {stops} ELSE arrow_cast(({every}), 'Int32') END = 1)"
    return Sql(text, BOOLEAN, fallible)


_FLAT_MAX = 16


def _balanced(terms: Sequence[str], word: str) -> str:
    """The terms in brackets that halve them: a chain of thousands is no deeper than a dozen levels."""
    if len(terms) <= _FLAT_MAX:
        return f" {word} ".join(terms)
    half = len(terms) // 2
    return f"({_balanced(terms[:half], word)}) {word} ({_balanced(terms[half:], word)})"
