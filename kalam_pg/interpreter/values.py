"""Closures over all rows of a relation, with an eye on the clock."""

import operator as py
from collections.abc import Callable, Sequence

from catalog.types.registry import FLOAT4, FLOAT8
from catalog.types.table import PgType
from kalam_pg.functions.define import Datum
from kalam_pg.functions.pythonkey import python_key
from kalam_pg.functions.table import Overload, OverloadKind
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import Run, spans
from kalam_pg.sql.closures import Constant, Slot
from kalam_pg.sql.closures import Run as Closure
from storage.layout import Row, Value

Key = Callable[[Datum], Datum] | None
"""As `functions.pythonkey.python_key` gives it."""


def values(closure: Closure, relation: Relation, run: Run) -> Sequence[Value]:
    """The closure's value for each row."""
    if isinstance(closure, Slot):
        return relation.column(closure.index)
    if isinstance(closure, Constant):
        return [closure.value] * len(relation)
    return over(closure, relation.rows, run)


def over(closure: Closure, rows: Sequence[Row], run: Run) -> list[Value]:
    """The closure's value for each of some rows."""
    found: list[Value] = []
    for part in spans(len(rows)):
        run.budget.check()
        found += [closure(row, run) for row in rows[part]]
    return found


def kept(rows: Sequence[Row], test: Closure, run: Run) -> list[Row]:
    """The rows of which the test is true."""
    found: list[Row] = []
    for part in spans(len(rows)):
        run.budget.check()
        found += [row for row in rows[part] if test(row, run) is True]
    return found


def keys(found: Sequence[Sequence[Value]], by: Sequence[Key], *, nulls: bool) -> Sequence[Value]:
    """What Python hashes for each row, from the values of one or more columns.

    nulls: a NULL is a value like another (as grouping has it); else a row with one has the key None.
    """
    if len(by) == 1:
        return _one(found[0], by[0])
    if nulls:
        return list(
            zip(*[_one(column, key) for column, key in zip(found, by, strict=True)], strict=True)
        )
    columns = zip(*[_one(column, key) for column, key in zip(found, by, strict=True)], strict=True)
    return [None if None in row else row for row in columns]


def _one(column: Sequence[Value], key: Key) -> Sequence[Value]:
    if key is None:
        return column
    return [None if value is None else key(value) for value in column]


def row_keys(rows: Sequence[Row], by: Sequence[Key]) -> Sequence[Row]:
    """What Python hashes for each whole row, a NULL being a value like another."""
    if not any(by):
        return rows
    return [
        tuple([v if v is None or key is None else key(v) for v, key in zip(row, by, strict=True)])
        for row in rows
    ]


_FLOATS = frozenset({FLOAT4, FLOAT8})


def equality_key(overload: Overload, left: PgType, right: PgType) -> tuple[Key] | None:
    """Of which keys `left = right` (or <>) is the equality; None: of none."""
    if overload.kind is not OverloadKind.OPERATOR or overload.name not in {"=", "<>"}:
        return None
    if overload.row in {py.eq, py.ne}:
        return (None,)
    if left is right or {left, right} <= _FLOATS:
        return (python_key(left),)
    return None
