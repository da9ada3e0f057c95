"""Functions, operators and casts of the range types that people define.

`functions.ranges` makes the rows of any range type. The choice among them is made with those of the type
itself (`own`); what is then called is the row at the same place of a table that is there from the beginning
(`GENERIC`), so that every process has it under its name: it looks at the types of its arguments.
"""

from dataclasses import replace
from functools import lru_cache

from catalog.types.ranges import FAMILIES
from catalog.types.registry import (
    ANYARRAY,
    ANYELEMENT,
    ANYMULTIRANGE,
    ANYRANGE,
    INT4,
    INT4MULTIRANGE,
    INT4RANGE,
    NUMRANGE,
    array_of,
    of_definition,
)
from catalog.types.table import PgType
from catalog.types.user_ranges import RangeDefinition, defined_range, family_of
from kalam_pg.functions.comparison import OVERLOADS as COMPARISONS
from kalam_pg.functions.define import Datum
from kalam_pg.functions.ranges import rows_of
from kalam_pg.functions.table import Overload, OverloadKind

_ANY: dict[PgType | None, PgType] = {
    INT4RANGE: ANYRANGE, INT4MULTIRANGE: ANYMULTIRANGE, INT4: ANYELEMENT, array_of(INT4RANGE): ANYARRAY,
}  # fmt: skip
CONSTRUCTORS = ("~range", "~multirange")
"""Names of the functions that make values: SQL calls them as their types are called."""
_CONSTRUCTORS = (INT4RANGE.name, INT4MULTIRANGE.name)


@lru_cache(1024)
def own(definition: RangeDefinition) -> tuple[Overload, ...]:
    """What there is for one range type and its multiranges, with the types as they are."""
    one, many = of_definition(definition), of_definition(definition.many)
    family = family_of(one)
    assert family is not None
    return rows_of(one, many, family)


def _generic(at: int, template: Overload) -> Overload:
    """The row at that place, of whichever range type its arguments are of."""
    constructs = template.kind is OverloadKind.FUNCTION and template.name in _CONSTRUCTORS
    args = tuple([_ANY.get(kind, kind) for kind in template.args])
    result = _ANY.get(template.result, template.result)
    name = template.name
    if constructs:  # It is told its type by a NULL of it, before the arguments.
        name, args = (
            f"~{'range' if template.result is INT4RANGE else 'multirange'}",
            (result, *args),
        )
    elif template.kind is OverloadKind.CAST:
        name = f"{ANYRANGE.name}->{ANYMULTIRANGE.name}"

    def run(types: tuple[PgType, ...], *given: Datum) -> Datum:
        definition = next(d for d in map(defined_range, types) if d is not None)
        row = own(definition)[at].row
        assert row is not None
        arguments = given[1:] if constructs else given
        return None if template.strict and None in arguments else row(*arguments)

    return replace(
        template, name=name, args=args, result=result, row=run, needs_types=True, native=None,
        arrow=None, strict=template.strict and not constructs,
    )  # fmt: skip


GENERIC: tuple[Overload, ...] = tuple(
    _generic(at, template)
    for at, template in enumerate(rows_of(INT4RANGE, INT4MULTIRANGE, FAMILIES[INT4RANGE]))
)
"""The rows of every range type that people define."""


def generic(definition: RangeDefinition, row: Overload) -> Overload:
    """What is called for one of `own`."""
    return GENERIC[own(definition).index(row)]


TO_MULTIRANGE = next(row for row in GENERIC if row.kind is OverloadKind.CAST)


def range_comparison(symbol: str, kind: PgType) -> Overload | None:
    """What compares two values of a (multi)range type that somebody made: as PostgreSQL's own, by bytes."""
    like = NUMRANGE if kind.key_kind == NUMRANGE.key_kind else INT4RANGE
    return _COMPARISONS.get((symbol, like))


_COMPARISONS = {
    (row.name, row.args[0]): row
    for row in COMPARISONS
    if row.args in ((INT4RANGE,) * 2, (NUMRANGE,) * 2)
}
