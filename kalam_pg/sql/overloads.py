"""Which function or operator a call means: PostgreSQL's rules over `functions.lookup`.

The manual's chapter "Type Conversion", as func_get_detail, oper and func_select_candidate in
PostgreSQL do it. An argument's type is `UNKNOWN` for a literal or parameter that has no type yet.
Answers are cached: the function table never changes while the server runs.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from catalog.errors import DatatypeMismatchError
from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.table import PgType
from catalog.types.user_ranges import RangeDefinition, defined_range
from kalam_pg.functions import lookup
from kalam_pg.functions.records import OF_COMPOSITES
from kalam_pg.functions.table import Overload, OverloadKind
from kalam_pg.functions.user_ranges import generic, own, range_comparison

ANY_FAMILY = frozenset(("anyelement", "anyarray", "anynonarray", "anyenum", "anyrange"))
COMPATIBLE_FAMILY = frozenset(("anycompatible", "anycompatiblearray", "anycompatiblenonarray"))
POLYMORPHIC = ANY_FAMILY | COMPATIBLE_FAMILY
_ARRAYS = frozenset(("anyarray", "anycompatiblearray"))
CONTEXTS = {"i": 0, "a": 1, "e": 2}


@dataclass(frozen=True, slots=True)
class Candidate:
    """An overload with its argument types spread out to the number of arguments given."""

    overload: Overload
    args: tuple[PgType, ...]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The overload that a call means, what its arguments are cast to, and its result type.

    An argument type of ANY means: leave the argument as it is.
    """

    overload: Overload
    args: tuple[PgType, ...]
    result: PgType


class Ambiguous(Exception):  # noqa: N818 - an answer for the caller, which words the error
    """Several candidates fit equally well."""


class NotBuilt(Exception):  # noqa: N818 - likewise
    """PostgreSQL would choose a signature that this server has not; the argument describes it."""


# Signatures of PostgreSQL that are not built though others of the name are. They take part in the
# choice, or a call that means them would silently get another function.
_UNBUILT = {
    "substring": ("text text", "text text text"),
}


@lru_cache(1024)
def _unbuilt(name: str) -> tuple[Overload, ...]:
    """The signatures of that name which only the choice knows; none that has been built since."""
    here = {o.args for o in (*lookup.functions(name), *lookup.aggregates(name))}
    found = []
    for line in _UNBUILT.get(name, ()):
        args = tuple([_type(word) for word in line.split()])
        if args not in here:
            found.append(Overload(name, OverloadKind.FUNCTION, args, types.ANY))
    return tuple(found)


def _type(name: str) -> PgType:
    found = types.by_name(name)
    assert found is not None, name
    return found


def find_cast(source: PgType, target: PgType, context: str) -> Overload | None:
    """The cast from one type to another that may be applied in a context ('i', 'a', 'e')."""
    found = lookup.cast(source, target)
    if found is None or CONTEXTS[found.cast_context or "e"] > CONTEXTS[context]:
        return None
    return found


@lru_cache(16384)
def can_coerce(source: PgType, target: PgType) -> bool:
    """Whether an argument of `source` can implicitly be passed as `target`."""
    if source is target or source is types.UNKNOWN or target is types.ANY:
        return True
    if target.name in POLYMORPHIC:
        if target is types.ANYENUM:
            return source.category == "E"
        if source.element is types.VECTOR:
            return False  # Its elements are tuples: what takes arrays would see another dimension.
        return target.name not in _ARRAYS or source.element is not None
    if source is types.RECORD and composite_of(target) is not None:
        return True  # Whether its fields fit is told when it is cast.
    return find_cast(source, target, "i") is not None


@lru_cache(16384)
def resolve_function(name: str, args: tuple[PgType, ...]) -> Resolved | None:
    """The function (plain or set-returning) that a call means, None when none fits.

    Raises:
        Ambiguous: Several fit equally well.
    """
    return _own_call(_CALLED, name, args) or _resolve(
        (*lookup.functions(name), *_unbuilt(name)), args
    )


@lru_cache(4096)
def resolve_variadic(name: str, args: tuple[PgType, ...]) -> Resolved | None:
    """As `resolve_function`, among those alone whose last argument takes many."""
    own = _own_call(_CALLED, name, args)
    if own is not None:
        return own if own.overload.variadic else None
    return _resolve([o for o in lookup.functions(name) if o.variadic], args)


@lru_cache(4096)
def resolve_aggregate(name: str, args: tuple[PgType, ...]) -> Resolved | None:
    """As `resolve_function`, for aggregates."""
    return _own_call(_AGGREGATES, name, args) or _resolve(
        (*lookup.aggregates(name), *_unbuilt(name)), args
    )


_CALLED = frozenset((OverloadKind.FUNCTION, OverloadKind.SET))
_AGGREGATES = frozenset((OverloadKind.AGGREGATE,))


def _own_range(args: Sequence[PgType]) -> RangeDefinition | None:
    """The range type that somebody made and an argument is of, or whose multiranges it is of."""
    return next((d for d in map(defined_range, args) if d is not None), None)


def _own_call(
    kinds: frozenset[OverloadKind], name: str, args: tuple[PgType, ...]
) -> Resolved | None:
    """What a call means that has a value of a range type that somebody made; None: nothing of its own."""
    definition = _own_range(args)
    if definition is None:
        return None
    rows = [row for row in own(definition) if row.kind in kinds and row.name == name]
    return _as_generic(definition, _exactly(_resolve(rows, args), args))


def _exactly(found: Resolved | None, args: tuple[PgType, ...]) -> Resolved | None:
    """What was found if no argument is cast: these functions are over anyrange and anyelement."""
    if found is None or any(
        a is not d and a is not types.UNKNOWN for a, d in zip(args, found.args, strict=True)
    ):
        return None
    return found


def _as_generic(definition: RangeDefinition, found: Resolved | None) -> Resolved | None:
    return None if found is None else replace(found, overload=generic(definition, found.overload))


def resolve_range(
    definition: RangeDefinition, kind: PgType, args: tuple[PgType, ...]
) -> Resolved | None:
    """The function that makes a value of a range or multirange type and is called as the type is.

    The call has a NULL of the type before its arguments.
    """
    rows = [
        row
        for row in own(definition)
        if row.kind is OverloadKind.FUNCTION and row.name == kind.name and row.result is kind
    ]
    return _as_generic(definition, _resolve(rows, args))


def _own_operator(symbol: str, args: tuple[PgType, ...]) -> Resolved | None:
    definition = _own_range(args)
    if definition is None:
        return None
    kind = next(a for a in args if a is not types.UNKNOWN)
    if len(args) == 2 and all(a is kind or a is types.UNKNOWN for a in args):
        compares = range_comparison(symbol, kind)
        if compares is not None:
            return Resolved(compares, (kind, kind), types.BOOL)
    rows = [
        row
        for row in own(definition)
        if row.kind is OverloadKind.OPERATOR and row.name == symbol and len(row.args) == len(args)
    ]
    return _as_generic(definition, _exactly(_operator_among(rows, args), args))


@lru_cache(4096)
def resolve_window(name: str, args: tuple[PgType, ...]) -> Resolved | None:
    """As `resolve_function`, for pure window functions."""
    return _resolve(lookup.windows(name), args)


@lru_cache(16384)
def resolve_operator(symbol: str, args: tuple[PgType, ...]) -> Resolved | None:
    """The prefix (one argument) or infix operator that is meant, None when none fits.

    Raises:
        Ambiguous: Several fit equally well.
    """
    if len(args) == 2 and args[0] is args[1] and composite_of(args[0]) is not None:
        own = OF_COMPOSITES.get(symbol)
        if own is not None:
            return Resolved(own, args, types.BOOL)
    made = _own_operator(symbol, args)
    if made is not None:
        return made
    return _operator_among([o for o in lookup.operators(symbol) if len(o.args) == len(args)], args)


def _operator_among(found: Sequence[Overload], args: tuple[PgType, ...]) -> Resolved | None:
    exact = args
    if len(args) == 2 and types.UNKNOWN in args:
        # An unknown operand is first taken to have the other's type.
        known = args[0] if args[1] is types.UNKNOWN else args[1]
        exact = (known, known)
    for overload in found:
        if overload.args == exact and exact[0] is not types.UNKNOWN:
            return _finish(Candidate(overload, overload.args), args)
    candidates = [Candidate(o, o.args) for o in found]
    return _choose(candidates, args)


def _resolve(found: Iterable[Overload], args: tuple[PgType, ...]) -> Resolved | None:
    return choose([c for o in found if (c := spread(o, len(args))) is not None], args)


def choose(candidates: Sequence[Candidate], args: tuple[PgType, ...]) -> Resolved | None:
    """The candidate that a call with arguments of these types means, None when none fits.

    Raises:
        Ambiguous: Several fit equally well.
    """
    for candidate in candidates:
        if candidate.args == args:
            return _finish(candidate, args)
    return _choose(candidates, args)


def spread(overload: Overload, count: int) -> Candidate | None:
    """The overload seen as one of `count` arguments, None when it takes another number."""
    declared = len(overload.args)
    if overload.variadic:
        if count < declared:
            # VARIADIC of nothing: only "any" functions without arguments of their own take it.
            return None
        last = overload.args[-1]
        item = item_type(last)
        return Candidate(overload, overload.args[:-1] + (item,) * (count - declared + 1))
    if declared - overload.defaults <= count <= declared:
        return Candidate(overload, overload.args[:count])
    return None


def item_type(declared: PgType) -> PgType:
    """What a VARIADIC argument of this type takes many of."""
    if declared.name == "anyarray":
        return types.ANYELEMENT
    if declared.name == "anycompatiblearray":
        return types.ANYCOMPATIBLE
    return declared.element or declared


def _choose(candidates: Sequence[Candidate], args: tuple[PgType, ...]) -> Resolved | None:
    fitting = [
        c
        for c in candidates
        if all(can_coerce(a, d) for a, d in zip(args, c.args, strict=True))
        and _generic_consistent(c.args, args)
    ]
    if not fitting:
        return None
    if len(fitting) > 1:
        # A variadic match loses to a plain one with the same argument types.
        plain = {c.args for c in fitting if not c.overload.variadic}
        fitting = [c for c in fitting if not c.overload.variadic or c.args not in plain]
    if len(fitting) > 1:
        fitting = _best(fitting, args)
    if len(fitting) != 1:
        raise Ambiguous
    return _finish(fitting[0], args)


def _best(candidates: list[Candidate], args: tuple[PgType, ...]) -> list[Candidate]:
    """func_select_candidate: the one best candidate, or several when there is none."""
    unknown = types.UNKNOWN
    known = [i for i, a in enumerate(args) if a is not unknown]
    unknowns = [i for i, a in enumerate(args) if a is unknown]
    best = _most(candidates, lambda c: sum(c.args[i] is args[i] for i in known))
    if len(best) == 1:
        return best
    best = _most(best, lambda c: sum(_exact_or_preferred(c.args[i], args[i]) for i in known))
    if len(best) == 1 or not unknowns:
        return best
    best = _by_category(best, unknowns)
    if len(best) == 1:
        return best
    if known:
        # Last resort: take every unknown to be of the one type that all known arguments have.
        first = args[known[0]]
        if all(args[i] is first for i in known):
            alike = (first,) * len(args)
            same = [
                c
                for c in best
                if all(can_coerce(first, d) for d in c.args) and _generic_consistent(c.args, alike)
            ]
            if len(same) == 1:
                return same
    return best


def _most(candidates: list[Candidate], score: Callable[[Candidate], int]) -> list[Candidate]:
    scores = [score(c) for c in candidates]
    top = max(scores)
    return [c for c, s in zip(candidates, scores, strict=True) if s == top]


def _exact_or_preferred(declared: PgType, actual: PgType) -> bool:
    return declared is actual or (declared.preferred and declared.category == actual.category)


def _by_category(candidates: list[Candidate], unknowns: Sequence[int]) -> list[Candidate]:
    """Keep the candidates whose types at the unknown places are of the category that wins there."""
    chosen: dict[int, tuple[str, bool]] = {}
    for i in unknowns:
        at = [c.args[i] for c in candidates]
        categories = {t.category for t in at}
        if "S" in categories:
            category = "S"
        elif len(categories) == 1:
            category = at[0].category
        else:
            return candidates
        chosen[i] = category, any(t.preferred for t in at if t.category == category)
    kept = [
        c
        for c in candidates
        if all(
            c.args[i].category == category and (c.args[i].preferred or not has_preferred)
            for i, (category, has_preferred) in chosen.items()
        )
    ]
    return kept or candidates


# ------------------------------------------------------------------------- polymorphic types


def _generic_consistent(declared: Sequence[PgType], actual: Sequence[PgType]) -> bool:
    try:
        _bindings(declared, actual)
    except DatatypeMismatchError:
        return False
    return True


def _bindings(
    declared: Sequence[PgType], actual: Sequence[PgType]
) -> tuple[PgType | None, PgType | None]:
    """What `anyelement` and `anycompatible` stand for in a call, None where nothing says."""
    element: PgType | None = None
    array: PgType | None = None
    compatible: list[PgType] = []
    uses_compatible = False
    for d, a in zip(declared, actual, strict=True):
        name = d.name
        if name not in POLYMORPHIC:
            continue
        if name in COMPATIBLE_FAMILY:
            uses_compatible = True
        if a is types.UNKNOWN:
            continue
        item = a
        if name in _ARRAYS:
            if a.element is None:
                raise DatatypeMismatchError(f"argument declared {name} is not an array")
            item = a.element
            if d is types.ANYARRAY:
                # int2vector has the elements of smallint[], and is another type.
                if array not in (None, a):
                    raise DatatypeMismatchError('arguments declared "anyarray" are not all alike')
                array = a
        elif name in ("anynonarray", "anycompatiblenonarray") and a.element is not None:
            raise DatatypeMismatchError(f"type matched to {name} is an array type: {a.sql_name}")
        elif d is types.ANYENUM and a.category != "E":
            raise DatatypeMismatchError(f"type matched to {name} is not an enum type: {a.sql_name}")
        if name in COMPATIBLE_FAMILY:
            compatible.append(item)
        elif element is None:
            element = item
        elif element is not item:
            raise DatatypeMismatchError(f'arguments declared "{name}" are not all alike')
    common = common_type(compatible) if compatible else None
    if compatible and common is None:
        raise DatatypeMismatchError('arguments declared "anycompatible" have no common type')
    return element, (common or types.TEXT) if uses_compatible else None


def _finish(candidate: Candidate, actual: tuple[PgType, ...]) -> Resolved:
    """Replace polymorphic types by what they stand for in this call."""
    overload, declared = candidate.overload, candidate.args
    if overload.result is types.ANY and overload.row is None:
        raise NotBuilt(f"{overload.name}({', '.join(d.sql_name for d in declared)})")
    result = overload.result
    if result.name not in POLYMORPHIC and not any(d.name in POLYMORPHIC for d in declared):
        return Resolved(overload, declared, result)
    element, compatible = _bindings(declared, actual)
    return Resolved(
        overload,
        tuple(_substitute(d, element, compatible) for d in declared),
        _substitute(result, element, compatible),
    )


def _substitute(declared: PgType, element: PgType | None, compatible: PgType | None) -> PgType:
    name = declared.name
    if name not in POLYMORPHIC:
        return declared
    item = compatible if name in COMPATIBLE_FAMILY else element
    if item is None:
        raise DatatypeMismatchError(
            "could not determine polymorphic type because input has type unknown"
        )
    if name not in _ARRAYS:
        return item
    array = types.array_of(item)
    if array is None:
        raise DatatypeMismatchError(f"could not find array type for data type {item.sql_name}")
    return array


def common_type(kinds: Sequence[PgType]) -> PgType | None:
    """select_common_type: what UNION, CASE and the like unify to; None when nothing fits.

    All unknown gives TEXT.
    """
    chosen: PgType | None = None
    for kind in kinds:
        if kind is types.UNKNOWN or kind is chosen:
            continue
        if chosen is None:
            chosen = kind
        elif kind.category != chosen.category:
            return None
        elif not chosen.preferred and can_coerce(chosen, kind) and not can_coerce(kind, chosen):
            chosen = kind
    return chosen or types.TEXT
