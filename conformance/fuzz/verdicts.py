"""What the two answers say of each other."""

import re
from collections import Counter
from decimal import Decimal, InvalidOperation

from conformance.fuzz.sides import Answer

RIGHT, REFUSED, SPELLED, SLOW = "right", "refused", "spelled", "slow"
"""The verdicts that are no failures. spelled: values are equal but one is written otherwise, where a
group or a limit may show either."""

_ANY_SPELLING = re.compile(r"\b(DISTINCT|GROUP BY|UNION|INTERSECT|EXCEPT|LIMIT|min|max|OVER)\b")


def verdict(theirs: Answer, ours: Answer, *, ordered: bool, statement: str) -> str:
    """RIGHT, REFUSED …, or what is wrong."""
    if ours.error is not None and ours.error[0] in ("XX000", "LOST"):
        return ours.error[0]
    if theirs.error is not None and theirs.error[0] == "57014":
        return SLOW
    if ours.error is not None and ours.error[0] == "0A000" and theirs.error != ours.error:
        return REFUSED
    if theirs.error is not None:
        if ours.error is None:
            return "no error"
        return RIGHT if ours.error[0] == theirs.error[0] else "sqlstate"
    if ours.error is not None:
        return f"error {ours.error[0]}"
    if ours.rows is None or theirs.rows is None:
        return RIGHT if ours == theirs else "tag"
    return _of_rows(theirs, ours, ordered=ordered, statement=statement)


def _of_rows(theirs: Answer, ours: Answer, *, ordered: bool, statement: str) -> str:
    if [c[0] for c in ours.columns] != [c[0] for c in theirs.columns]:
        return "names"
    if any(not _alike(a, b) for a, b in zip(theirs.columns, ours.columns, strict=True)):
        return "types"
    assert ours.rows is not None
    assert theirs.rows is not None
    if Counter(ours.rows) == Counter(theirs.rows):
        if ordered and ours.rows != theirs.rows:
            return "order"
        return RIGHT if ours.tag == theirs.tag else "tag"
    plain = [
        Counter([tuple(map(_value, row)) for row in side.rows or ()]) for side in (ours, theirs)
    ]
    if plain[0] == plain[1]:
        return SPELLED if _ANY_SPELLING.search(statement) else "spelling"
    return "wrong"


def _alike(theirs: tuple[str, int, int], ours: tuple[str, int, int]) -> bool:
    """One type. PostgreSQL may know more of its typmod: a constant's, once it has folded CASE."""
    return theirs[1] == ours[1] and ours[2] in {theirs[2], -1}


def _value(field: bytes | None) -> object:
    """A number by its value."""
    if field is None:
        return None
    try:
        return Decimal(field.decode())
    except (InvalidOperation, UnicodeDecodeError):
        return field
