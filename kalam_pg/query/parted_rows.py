"""What the rest of a statement takes of the rows of one of its parts (`sql.parts`)."""

from catalog.errors import CardinalityViolationError
from kalam_pg.query.row_source import RowSource
from kalam_pg.query.waits import STRIDE, Steps
from kalam_pg.sql.parts import Form
from storage.errors import KeyTooLongError
from storage.layout import Row

ROWS_MAX = 100_000
"""Most rows of a part that the rest of its statement is given: they are all in memory."""


def wanted(form: Form, source: RowSource) -> Steps[list[Row]]:
    """As many of a part's rows as count. Raises 21000 for a value of several, 54000."""
    if form is Form.NOTHING:
        return []
    if form is Form.EXISTENCE:
        return list((yield from source.take(1)).rows())
    if form is Form.VALUE:
        rows = list((yield from source.take(1)).rows())
        if rows and len((yield from source.take(1))):
            raise CardinalityViolationError(
                "more than one row returned by a subquery used as an expression"
            )
        return rows
    found: list[Row] = []
    while len(portion := (yield from source.take(STRIDE))):
        found += portion.rows()
        if len(found) > ROWS_MAX:
            raise KeyTooLongError(
                f"a part of a statement can give the rest of it at most {ROWS_MAX} rows"
            )
    return found
