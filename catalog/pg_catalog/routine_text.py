"""Functions as PostgreSQL writes them: what pg_get_functiondef and its neighbours answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from catalog.errors import WrongObjectTypeError
from catalog.pg_catalog.fixed import column, fixed_rows
from catalog.pg_catalog.routines import Routine, routine_name, routines, type_name
from catalog.pg_catalog.text import quote_identifier

INTERNAL: Final = 12
"""pg_language.oid of what is written in C and built in."""

_MODES = {"i": "", "o": "OUT ", "b": "INOUT ", "v": "VARIADIC "}
_VOLATILITIES = {"i": " IMMUTABLE", "s": " STABLE", "v": ""}
_PARALLEL = {"s": " PARALLEL SAFE", "r": " PARALLEL RESTRICTED", "u": ""}
_DEFAULT_ROWS = 1000.0


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a function. mode: as in pg_proc.proargmodes; default: its text, or ""."""

    mode: str
    name: str
    type: int
    default: str = ""

    def text(self, *, defaults: bool) -> str:
        """It as in CREATE FUNCTION."""
        name = f"{quote_identifier(self.name)} " if self.name else ""
        default = f" DEFAULT {self.default}" if defaults and self.default else ""
        return f"{_MODES[self.mode]}{name}{type_name(self.type)}{default}"


def _arguments(routine: Routine) -> Iterator[Argument]:
    """All of them, results that are columns too."""
    types = cast("tuple[int, ...]", routine["proallargtypes"] or routine.inputs)
    modes = cast("tuple[str, ...]", routine["proargmodes"] or ("i",) * len(types))
    names = cast("tuple[str, ...]", routine["proargnames"] or ("",) * len(types))
    defaults = cast("str", routine["proargdefaults"] or "").split(", ")
    without = len(routine.inputs) - cast("int", routine["pronargdefaults"])
    number = 0
    for mode, name, of in zip(modes, names, types, strict=True):
        default = ""
        if mode in "ibv":
            default = defaults[number - without] if number >= without else ""
            number += 1
        yield Argument(mode, name, of, default)


def arguments(oid: int, *, defaults: bool = True) -> str | None:
    """pg_get_function_arguments, and without defaults pg_get_function_identity_arguments."""
    routine = routines().get(oid)
    if routine is None:
        return None
    each = [a for a in _arguments(routine) if a.mode != "t"]
    texts = [a.text(defaults=defaults) for a in each]
    direct = _direct(routine)
    if direct is None:
        return ", ".join(texts)
    last = texts[direct:] or texts[-1:]  # A list of any length is direct and ordered by, both.
    return " ".join(filter(None, (", ".join(texts[:direct]), "ORDER BY", ", ".join(last))))


def _direct(routine: Routine) -> int | None:
    """How many arguments of an ordered-set aggregate stand before its ORDER BY, None of others."""
    if routine["prokind"] != "a":
        return None
    kind, number = column("pg_aggregate", "aggkind"), column("pg_aggregate", "aggnumdirectargs")
    found = next(row for row in fixed_rows("pg_aggregate") if row[0] == routine.oid)
    return None if found[kind] == "n" else cast("int", found[number])


def result(oid: int) -> str | None:
    """pg_get_function_result."""
    routine = routines().get(oid)
    if routine is None:
        return None
    columns = [a for a in _arguments(routine) if a.mode == "t"]
    if columns:
        named = (f"{quote_identifier(a.name)} {type_name(a.type)}" for a in columns)
        return f"TABLE({', '.join(named)})"
    of = type_name(cast("int", routine["prorettype"]))
    return f"SETOF {of}" if routine["proretset"] else of


def default(oid: int, number: int) -> str | None:
    """pg_get_function_arg_default: of the n-th argument, from 1, that a call may name."""
    routine = routines().get(oid)
    each = list(_arguments(routine)) if routine is not None else []
    found = each[number - 1 : number] if number > 0 else []
    return (found[0].default or None) if found else None


def definition(oid: int) -> str | None:
    """pg_get_functiondef; None also of what is written in SQL, whose text is not kept.

    Raises:
        WrongObjectTypeError: It is an aggregate.
    """
    routine = routines().get(oid)
    if routine is None:
        return None
    if routine["prokind"] == "a":
        raise WrongObjectTypeError(f'"{routine.name}" is an aggregate function')
    if routine["prolang"] != INTERNAL:
        return None
    traits, source = _traits(routine), cast("str", routine["prosrc"])
    return (
        f"CREATE OR REPLACE FUNCTION pg_catalog.{quote_identifier(routine.name)}({arguments(oid)})\n"
        f" RETURNS {result(oid)}\n LANGUAGE internal\n"
        + (f"{traits}\n" if traits else "")
        + f"AS $function${source}$function$\n"
    )


def _traits(routine: Routine) -> str:
    rows, cost = cast("float", routine["prorows"]), cast("float", routine["procost"])
    support = cast("int", routine["prosupport"])
    return "".join(
        (
            " WINDOW" if routine["prokind"] == "w" else "",
            _VOLATILITIES[cast("str", routine["provolatile"])],
            _PARALLEL[cast("str", routine["proparallel"])],
            " STRICT" if routine["proisstrict"] else "",
            " LEAKPROOF" if routine["proleakproof"] else "",
            f" COST {cost:g}" if cost != 1 else "",
            f" ROWS {rows:g}" if rows not in {0, _DEFAULT_ROWS} else "",
            f" SUPPORT {routine_name(support)}" if support else "",
        )
    )
