"""What the two answers say of each other."""

import math
import re
import struct
from collections import Counter
from decimal import Decimal, InvalidOperation

from conformance.fuzz.sides import LOST, Answer

RIGHT, REFUSED, SPELLED, SLOW, INEXACT = "right", "refused", "spelled", "slow", "inexact"
"""The verdicts that are no failures. spelled: values are equal but one is written otherwise, where a
group or a limit may show either. inexact: floats that an aggregate has added up in another order."""
NO_FAILURES = frozenset((RIGHT, REFUSED, SPELLED, SLOW, INEXACT))

_ADDED = re.compile(r"\b(sum|avg|corr|covar_\w+|regr_\w+|stddev\w*|var\w+)\(")
_FLOATS = {700, 701}
_NEAR = 1e-12

_ANY_SPELLING = re.compile(r"\b(DISTINCT|GROUP BY|UNION|INTERSECT|EXCEPT|LIMIT|min|max|OVER)\b")


_SETS = re.compile(r"\b(ROLLUP|CUBE|GROUPING SETS)\b")
_COMBINED = re.compile(r"\b(UNION|INTERSECT|EXCEPT)\b")
_NANS = {b"\x7f\xc0\0\0", b"\xff\xc0\0\0", b"\x7f\xf8" + bytes(6), b"\xff\xf8" + bytes(6)}
"""NaN in binary, whose sign is nobody's promise."""
_NOUGHTS = {b"\x80\0\0\0", b"\x80" + bytes(7)}
"""-0 in binary, which equals 0."""


def verdict(theirs: Answer, ours: Answer, *, ordered: bool, statement: str) -> str:
    """RIGHT, REFUSED …, or what is wrong."""
    if ours.error is not None and ours.error[0] in ("XX000", LOST):
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
    assert ours.rows is not None
    assert theirs.rows is not None
    combined = bool(_COMBINED.search(statement))
    for at, (a, b) in enumerate(zip(theirs.columns, ours.columns, strict=True)):
        if not _alike(a, b, folded=combined or all(row[at] is None for row in theirs.rows)):
            return "types"
    if Counter(ours.rows) == Counter(theirs.rows):
        if ordered and ours.rows != theirs.rows:
            # Of equals that are written otherwise either may come first; and PostgreSQL 15 takes a
            # grouping set's NULL for what the column was joined by.
            alike = [[tuple(map(_value, row)) for row in rows] for rows in (ours.rows, theirs.rows)]
            known = alike[0] == alike[1] or _SETS.search(statement)
            return SPELLED if known else "order"
        return RIGHT if ours.tag == theirs.tag else "tag"
    plain = [
        Counter([tuple(map(_value, row)) for row in side.rows or ()]) for side in (ours, theirs)
    ]
    if plain[0] == plain[1] and _NANS.intersection([v for row in ours.rows for v in row]):
        return RIGHT
    if plain[0] == plain[1]:
        return SPELLED if _ANY_SPELLING.search(statement) else "spelling"
    if _ADDED.search(statement) and _near(theirs, ours):
        return INEXACT
    return "wrong"


def _near(theirs: Answer, ours: Answer) -> bool:
    """Whether the rows, in their order, differ in nothing but a float's last digits."""
    if ours.rows is None or theirs.rows is None or len(ours.rows) != len(theirs.rows):
        return False
    floats = [column[1] in _FLOATS for column in theirs.columns]
    for a, b in zip(sorted(theirs.rows, key=repr), sorted(ours.rows, key=repr), strict=True):
        for at, is_float in enumerate(floats):
            if a[at] != b[at] and not (is_float and _close(a[at], b[at])):
                return False
    return True


def _close(a: bytes | None, b: bytes | None) -> bool:
    if a is None or b is None:
        return False
    x, y = _float(a), _float(b)
    return math.isclose(x, y, rel_tol=_NEAR, abs_tol=_NEAR)


def _float(field: bytes) -> float:
    """A float as text or in binary: only a text has eight digits that can all be read."""
    try:
        return float(field)
    except ValueError:
        return float(struct.unpack(">d" if len(field) == 8 else ">f", field)[0])


_FIRST_OF_USERS = 16384
_RECORD = 2249


def _alike(theirs: tuple[str, int, int], ours: tuple[str, int, int], *, folded: bool) -> bool:
    """One type. PostgreSQL may know more of its typmod: a constant's, once it has folded CASE.

    folded: or less: a NULL that it has made of COALESCE and its like has no typmod any more. A table's row is
    of the table's own type there, whose number is PostgreSQL's own, and a record here.
    """
    if theirs[1] >= _FIRST_OF_USERS:
        return ours[1] >= _FIRST_OF_USERS or ours[1] == _RECORD
    return theirs[1] == ours[1] and (ours[2] in {theirs[2], -1} or (folded and theirs[2] == -1))


def _value(field: bytes | None) -> object:
    """A number by its value."""
    if field is None:
        return None
    if field in _NANS:
        return "NaN"
    if field in _NOUGHTS:
        return bytes(len(field))
    try:
        number = Decimal(field.decode())
        return "NaN" if number.is_nan() else number  # NaN does not equal itself.
    except (InvalidOperation, UnicodeDecodeError):
        return field
