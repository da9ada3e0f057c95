"""What the quick forms of statements are made of: rows of constants and parameters, parts of rows."""

from collections.abc import Callable, Sequence
from operator import itemgetter

from catalog.model import Table, User
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.database import Database
from kalam_pg.query.rules import Closure
from kalam_pg.sql.closures import Constant, Parameter, Slot, is_given
from storage.layout import Row, Value
from storage.tablet import Tablet

_NO_ROW: Row = ()


class NotQuickError(Exception):
    """The statement must go the general way. Nothing has changed."""


def own_tablet(database: Database, table: Table, user: User) -> Tablet:
    """What the user's name of a table means."""
    tablet = database.tablet(table, user)
    assert isinstance(tablet, Tablet), "a STREAM table's has no quick form"
    return tablet


def row_maker(closures: Sequence[Closure | None], width: int) -> Callable[[EvalContext], Row]:
    """What evaluates closures that see no row (None: NULL), of a statement with `width` parameters.

    Parameters and constants, mostly all there is, are put in their places by one call.
    """
    constants: list[Value] = [None]
    computed: list[Closure] = []
    found: list[tuple[int, int]] = []  # (0 constant, 1 parameter or 2 computed; which of them)
    for closure in closures:
        match closure:
            case None:
                found.append((0, 0))
            case Constant():
                found.append((0, len(constants)))
                constants.append(closure.value)
            case Parameter():
                found.append((1, closure.index))
            case _:
                found.append((2, len(computed)))
                computed.append(closure)
    begin = (0, len(constants), len(constants) + width)
    return _arranger(tuple(constants), computed, [begin[what] + which for what, which in found])


def _arranger(
    constants: Row, computed: Sequence[Closure], places: Sequence[int]
) -> Callable[[EvalContext], Row]:
    """Makes rows of constants, then parameters, then what is computed: the value of each place."""
    pick = picker(places)
    if not computed:
        return lambda context: pick((*constants, *context.params))
    if len(computed) == 1:
        only = computed[0]
        return lambda context: pick((*constants, *context.params, only(_NO_ROW, context)))

    def arranged(context: EvalContext) -> Row:
        values = [closure(_NO_ROW, context) for closure in computed]
        return pick((*constants, *context.params, *values))

    return arranged


def picker(places: Sequence[int]) -> Callable[[Row], Row]:
    """The values of a row at these places."""
    if len(places) == 1:
        only = places[0]
        return lambda row: (row[only],)
    return itemgetter(*places)


def projected(targets: Sequence[Closure], rows: Sequence[Row], context: EvalContext) -> list[Row]:
    """What a select list makes of rows."""
    slots = [closure.index for closure in targets if isinstance(closure, Slot)]
    if len(slots) == len(targets) > 1:
        return list(map(itemgetter(*slots), rows))
    if rows and len(targets) > 1 and all(isinstance(c, Slot) or is_given(c) for c in targets):
        # What is the same in every row stands behind it.
        places, fixed = list[int](), list[Value]()
        for closure in targets:
            if isinstance(closure, Slot):
                places.append(closure.index)
            else:
                places.append(len(rows[0]) + len(fixed))
                fixed.append(closure(_NO_ROW, context))
        pick = itemgetter(*places)
        return [pick((*row, *fixed)) for row in rows]
    return [tuple([closure(row, context) for closure in targets]) for row in rows]
