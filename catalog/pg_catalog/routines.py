"""Functions and operators by name and by OID, as `regproc`, `regoper` and their like ask for them.

Nobody makes functions here: those of PostgreSQL are in pg_catalog, ours are found by their bare names too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import cast

from catalog.errors import AmbiguousFunctionError, InvalidTextRepresentationError
from catalog.pg_catalog.extension import own_functions
from catalog.pg_catalog.fixed import column, fixed_rows, function_names
from catalog.pg_catalog.text import quote_identifier
from catalog.types import registry
from storage.layout import Row, Value

TypeOid = Callable[[str], int]
"""A type's OID by the name that somebody wrote."""


@dataclass(frozen=True, slots=True)
class Routine:
    """A row of pg_proc by names of its columns, as far as they are needed here."""

    row: Row

    def __getitem__(self, name: str) -> Value:
        return self.row[column("pg_proc", name)]

    @property
    def oid(self) -> int:
        """pg_proc.oid."""
        return cast("int", self.row[0])

    @property
    def name(self) -> str:
        """pg_proc.proname."""
        return cast("str", self.row[1])

    @property
    def inputs(self) -> tuple[int, ...]:
        """OIDs of the types of what it is called with."""
        return cast("tuple[int, ...]", self["proargtypes"])

    @property
    def signature(self) -> str:
        """As `regprocedure` shows it."""
        return f"{quote_identifier(self.name)}({','.join(map(type_name, self.inputs))})"


# ------------------------------------------------------------------ by name, by OID


@cache
def routines() -> dict[int, Routine]:
    """Every function by its OID."""
    return {of.oid: of for of in (*map(Routine, fixed_rows("pg_proc")), *_own())}


@cache
def _own() -> tuple[Routine, ...]:
    return tuple(map(Routine, own_functions()))


@cache
def _routines_by_name() -> dict[str, tuple[Routine, ...]]:
    found: dict[str, list[Routine]] = {}
    for each in routines().values():
        found.setdefault(each.name, []).append(each)
    return {name: tuple(each) for name, each in found.items()}


@cache
def _names() -> dict[str, int]:
    """OIDs by name, 0 where several have it. Quicker than whole rows, for pg_type's functions."""
    found: dict[str, int] = {}
    for oid, name in (*function_names().items(), *((of.oid, of.name) for of in _own())):
        found[name] = 0 if name in found else oid
    return found


def routines_named(name: str) -> tuple[Routine, ...]:
    """Every function of a name."""
    return _routines_by_name().get(name, ())


def function_oid(name: str) -> int:
    """The OID of the only function of a name; 0 when there is none, or several."""
    return _names().get(name, 0)


def find_routine(name: str) -> int | None:
    """What `name::regproc` is. Raises 42725 when there are several of the name."""
    found = _routines_by_name().get(name, ())
    if len(found) > 1:
        raise AmbiguousFunctionError(f'more than one function named "{name}"')
    return found[0].oid if found else None


def find_signature(name: str, types: tuple[int, ...]) -> int | None:
    """The function of a name and of these types, None when there is none."""
    return next((f.oid for f in _routines_by_name().get(name, ()) if f.inputs == types), None)


def routine_name(oid: int) -> str | None:
    """How `regproc` shows a function: with its schema where the bare name would not find it."""
    name = function_names().get(oid) or next((of.name for of in _own() if of.oid == oid), None)
    if name is None:
        return None
    shown = quote_identifier(name)
    return shown if _names()[name] else f"pg_catalog.{shown}"


def signature(oid: int) -> str | None:
    """How `regprocedure` shows a function."""
    found = routines().get(oid)
    return None if found is None else found.signature


@cache
def _operators() -> dict[int, tuple[str, tuple[int, int]]]:
    """Symbols and operands of operators by OID; 0 is no operand."""
    name, left, right = (column("pg_operator", of) for of in ("oprname", "oprleft", "oprright"))
    return {
        cast("int", row[0]): (cast("str", row[name]), cast("tuple[int, int]", (row[left], row[right])))
        for row in fixed_rows("pg_operator")
    }  # fmt: skip


@cache
def _by_code() -> dict[int, tuple[str, tuple[int, int]]]:
    code = column("pg_operator", "oprcode")
    return {
        cast("int", row[code]): _operators()[cast("int", row[0])]
        for row in fixed_rows("pg_operator")
    }


def operator_of(function: int) -> tuple[str, tuple[int, int]] | None:
    """The symbol and operands of the operator that a function is behind; 0 is no operand."""
    return _by_code().get(function)


def find_operator(symbol: str) -> int | None:
    """What `symbol::regoper` is. Raises 42725 when there are several of the symbol."""
    found = [oid for oid, (name, _) in _operators().items() if name == symbol]
    if len(found) > 1:
        raise AmbiguousFunctionError(f"more than one operator named {symbol}")
    return found[0] if found else None


def find_operator_of(symbol: str, types: tuple[int, ...]) -> int | None:
    """The operator of a symbol and of these operands, of which the left one may be 0."""
    return next((oid for oid, what in _operators().items() if what == (symbol, types)), None)


def operator_name(oid: int, *, operands: bool) -> str | None:
    """How `regoper` shows an operator, or `regoperator`, with its operands."""
    symbol, types = _operators().get(oid, ("", (0, 0)))
    if not symbol:
        return None
    if operands:
        return f"{symbol}({','.join(type_name(of) if of else 'NONE' for of in types)})"
    alone = sum(name == symbol for name, _ in _operators().values()) == 1
    return symbol if alone else f"pg_catalog.{symbol}"


def split_signature(text: str, type_oid: TypeOid) -> tuple[str, tuple[int, ...]]:
    """The name and the types of `name(type, …)`; NONE, an operator's operand that is not there, is 0.

    Raises:
        InvalidTextRepresentationError: There are no parentheses.
    """
    name, parenthesis, rest = text.partition("(")
    if not parenthesis:
        raise InvalidTextRepresentationError("expected a left parenthesis")
    inner, closed, _ = rest.rpartition(")")
    if not closed:
        raise InvalidTextRepresentationError("expected a right parenthesis")
    words = [word.strip() for word in inner.split(",")] if inner.strip() else []
    return name.strip(), tuple(0 if word.upper() == "NONE" else type_oid(word) for word in words)


def type_name(oid: int) -> str:
    """As format_type writes a type without modifiers."""
    if oid == registry.ANY.oid:
        return '"any"'
    found = registry.find_oid(oid)
    return found.sql_name if found else "???"
