"""The function table: overloads by name, casts by their types, and keys that a worker understands."""

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache
from importlib import import_module

from catalog.types.composite import composite_of
from catalog.types.registry import RECORD, TYPES
from catalog.types.table import PgType
from catalog.types.user_ranges import MultirangeDefinition
from kalam_pg.functions import casts as cast_rows
from kalam_pg.functions.define import Datum, cast_name
from kalam_pg.functions.dimensions import flatten
from kalam_pg.functions.known import NAMES
from kalam_pg.functions.records import OF_COMPOSITES
from kalam_pg.functions.table import Overload, OverloadKind
from kalam_pg.functions.user_ranges import GENERIC, TO_MULTIRANGE

_MODULES = (
    "access", "advisory", "aggregates", "arrays", "backends", "binary_forms", "bitstrings",
    "bytes_and_bits", "casts",
    "columninfo", "comparison",
    "current",
    "datetimes", "degrees", "domains", "elements", "enums", "extensions", "fields", "floats", "formatting",
    "hypothetical",
    "identifiers", "integers", "jsonbuild",
    "jsonnames", "jsonpaths", "jsonpopulate", "jsonrecords", "jsons", "keywords", "lsns",
    "miscellany", "moneys",
    "moment_input", "moment_output",
    "networks", "number_input", "number_output", "numerics", "ordered_sets", "overlaps", "patterns",
    "ranges", "records", "regex", "regexfunctions", "regressions", "row_versions", "sampling", "sequences",
    "sets", "similar", "sleeps",
    "strings", "sysinfo", "transitions", "windows", "zoned_times",
)  # fmt: skip


def functions(name: str) -> tuple[Overload, ...]:
    """Plain and set-returning functions of a (folded) name."""
    return _BY_NAME[OverloadKind.FUNCTION].get(name, ()) + _BY_NAME[OverloadKind.SET].get(name, ())


def operators(symbol: str) -> tuple[Overload, ...]:
    """Operators of a symbol; prefix ones take one argument."""
    return _BY_NAME[OverloadKind.OPERATOR].get(symbol, ())


def aggregates(name: str) -> tuple[Overload, ...]:
    """Aggregates of a name. Ordered-set ones take their WITHIN GROUP values last."""
    return _BY_NAME[OverloadKind.AGGREGATE].get(name, ())


def windows(name: str) -> tuple[Overload, ...]:
    """Window functions of a name (any aggregate may be used as one too)."""
    return _BY_NAME[OverloadKind.WINDOW].get(name, ())


def casts() -> tuple[Overload, ...]:
    """Every cast that is stored, not those that `cast` makes on demand."""
    return tuple(_CASTS.values())


@lru_cache(maxsize=4096)
def cast(source: PgType, target: PgType) -> Overload | None:
    """The cast between two types, whatever context allows it (`Overload.cast_context`).

    Conversions through text and element-wise array casts are included. For a type and itself it is
    the length coercion of an explicit cast (`length_cast`), where the type has one.
    """
    stored = _CASTS.get(cast_name(source, target))
    if stored is not None:
        return stored
    if source is target:
        return None
    if isinstance(target.definition, MultirangeDefinition) and (
        source.definition == target.definition.of
    ):
        return TO_MULTIRANGE
    if target is RECORD and composite_of(source) is not None:
        return cast_rows.record_cast(source)
    if (
        source.element is not None
        and target.element is not None
        and not source.is_vector
        and not target.is_vector
    ):
        element = cast(source.element, target.element)
        return cast_rows.array_cast(source, target, element) if element else None
    if (source.pseudo and (source is not RECORD or target.category != "S")) or target.pseudo:
        return None
    return cast_rows.io_cast(source, target)


@lru_cache(maxsize=256)
def length_cast(pg_type: PgType, *, explicit: bool) -> Overload | None:
    """The coercion that applies a typmod (`needs_typmod`), None when the type has none.

    An assignment of too long a varchar or char(n) fails with 22001; an explicit cast cuts it.
    """
    if pg_type.element is not None and not pg_type.is_vector:
        element = length_cast(pg_type.element, explicit=explicit)
        return cast_rows.array_cast(pg_type, pg_type, element) if element else None
    if not explicit and pg_type.oid in _ASSIGNED:
        return _ASSIGNED[pg_type.oid]
    return _CASTS.get(cast_name(pg_type, pg_type))


def key_of(overload: Overload) -> str:
    """A name for one overload that is the same in every process."""
    names = ",".join([a.name for a in overload.args])
    return f"{overload.kind.value}:{overload.name}({names}{'...' if overload.variadic else ''})"


def by_key(key: str) -> Overload:
    """The overload of a key; KeyError when there is none."""
    found = _BY_KEY.get(key)
    if found is None and key.startswith("c:"):
        found = _made(key[2 : key.index("(")])
    if found is None and key.startswith(_SPREAD):
        found = spread(by_key("f:" + key.removeprefix(_SPREAD).removesuffix(")") + "...)"))
    if found is None:
        raise KeyError(key)
    return found


def _made(name: str) -> Overload | None:
    """A cast that is made on demand, by its name."""
    explicit = not name.endswith(" assignment")
    source, _, target = name.removesuffix(" assignment").partition("->")
    types = {t.name: t for t in TYPES}
    if source not in types or target not in types:
        return None
    if source == target:
        return length_cast(types[source], explicit=explicit)
    return cast(types[source], types[target])


_SPREAD = "f:VARIADIC "


SPREAD = "VARIADIC "
"""What the name of a function begins with whose last argument is an array of the rest."""


@lru_cache(maxsize=64)
def spread(overload: Overload) -> Overload:
    """A variadic function that takes its last arguments as one array: f(…, VARIADIC array)."""
    row = overload.row
    assert row is not None
    before = int(overload.needs_context)
    fixed = len(overload.args) - 1

    def run(*given: Datum) -> Datum:
        surroundings = list(given[:before])
        *first, array = given[before:]
        if array is None and overload.name != "format":
            return None
        items = tuple(flatten(array) if array else ())
        if overload.needs_types:
            types = first.pop(0)
            element = types[fixed].element or types[fixed]
            surroundings.append((*types[:fixed], *[element] * len(items)))
        return row(*surroundings, *first, *items)

    return replace(
        overload, name=SPREAD + overload.name, row=run, variadic=False, native=None, arrow=None,
        sqlite=None,
    )  # fmt: skip


def known_elsewhere(name: str) -> bool:
    """Whether PostgreSQL has a function of this name (0A000 when we have none, not 42883)."""
    return name in NAMES


def everything() -> tuple[Overload, ...]:
    """All stored overloads."""
    return _ALL


def _load() -> tuple[Overload, ...]:
    return tuple(
        overload
        for module in _MODULES
        for overload in import_module(f"kalam_pg.functions.{module}").OVERLOADS
    )


def _index(overloads: tuple[Overload, ...]) -> dict[OverloadKind, dict[str, tuple[Overload, ...]]]:
    found: dict[OverloadKind, dict[str, list[Overload]]] = {
        kind: defaultdict(list) for kind in OverloadKind
    }
    for overload in overloads:
        found[overload.kind][overload.name].append(overload)
    return {
        kind: {name: tuple(rows) for name, rows in by_name.items()}
        for kind, by_name in found.items()
    }


_ALL = _load()
_BY_NAME = _index(_ALL)
_CASTS = {o.name: o for o in _ALL if o.kind is OverloadKind.CAST}
_ASSIGNED = {o.args[0].oid: o for o in cast_rows.ASSIGNED_LENGTHS}
_BY_KEY = {
    key_of(o): o for o in (*_ALL, *cast_rows.ASSIGNED_LENGTHS, *OF_COMPOSITES.values(), *GENERIC)
}
