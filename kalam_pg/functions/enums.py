"""Functions of enumerated types. Their arguments say which type is meant, NULL or not."""

from collections.abc import Callable

from catalog.errors import ObjectNotInPrerequisiteStateError
from catalog.types.enum import EnumDefinition
from catalog.types.registry import ANYARRAY, ANYENUM
from catalog.types.table import PgType
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.table import Overload


def _positions(types: tuple[PgType, ...]) -> list[int]:
    definition = types[0].definition
    assert isinstance(definition, EnumDefinition)
    return [label.position for label in definition.labels]


def _end(at: int) -> Callable[[tuple[PgType, ...], Datum], int]:
    def run(types: tuple[PgType, ...], _value: Datum) -> int:
        positions = _positions(types)
        if not positions:
            raise ObjectNotInPrerequisiteStateError(f"enum {types[0].sql_name} contains no values")
        return positions[at]

    return run


def _all(types: tuple[PgType, ...], _value: Datum) -> tuple[int, ...]:
    return tuple(_positions(types))


def _range(types: tuple[PgType, ...], low: int | None, high: int | None) -> tuple[int, ...]:
    """Those between the two, NULL being no bound."""
    return tuple(
        position
        for position in _positions(types)
        if (low is None or position >= low) and (high is None or position <= high)
    )


OVERLOADS: tuple[Overload, ...] = (
    function("enum_first", (ANYENUM,), ANYENUM, _end(0), needs_types=True, strict=False),
    function("enum_last", (ANYENUM,), ANYENUM, _end(-1), needs_types=True, strict=False),
    function("enum_range", (ANYENUM,), ANYARRAY, _all, needs_types=True, strict=False),
    function("enum_range", (ANYENUM, ANYENUM), ANYARRAY, _range, needs_types=True, strict=False),
)
