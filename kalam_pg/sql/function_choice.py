"""Which function that people made a call means: by name, by the types and names of its arguments."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.functions import Function, Parameter
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions import lookup
from kalam_pg.functions.table import Overload, OverloadKind, Volatility
from kalam_pg.sql.function_body import type_of
from kalam_pg.sql.overloads import Ambiguous, Candidate, choose, item_type, spread
from kalam_pg.sql.relation_source import RelationSource


@dataclass(frozen=True, slots=True)
class Given:
    """How a call is written: types of its arguments, the names of the last ones, whether VARIADIC stands."""

    types: tuple[PgType, ...]
    names: tuple[str, ...] = ()
    variadic: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """A function that a call means.

    places: of each argument, which of the function's inputs it is for; several are for a VARIADIC one.
    types: what each argument is cast to. result: the type of what it gives back in this call. inputs,
    outputs: the types of its inputs and outputs, polymorphic ones as they are in this call.
    """

    function: Function
    places: tuple[int, ...]
    types: tuple[PgType, ...]
    result: PgType
    inputs: tuple[PgType, ...]
    outputs: tuple[PgType, ...]
    packed: bool


def choose_function(
    functions: Sequence[Function], snapshot: RelationSource, given: Given, beside: str
) -> Chosen | None:
    """The function that is meant; None where it is none of these, but perhaps one of PostgreSQL's.

    beside: the name under which PostgreSQL's functions stand beside them, "" for a call with another schema.

    Raises:
        Ambiguous: Several fit equally well.
    """
    made: dict[int, tuple[Function, tuple[int, ...], bool]] = {}
    kept: dict[tuple[int, ...], Candidate] = {}
    unclear: set[tuple[int, ...]] = set()
    for function in functions:
        for places, packed in _arrangements(function, given):
            candidate = _candidate(function, snapshot, places, packed=packed)
            made[id(candidate.overload)] = (function, places, packed)
            taken = tuple([kind.oid for kind in candidate.args])
            before = kept.get(taken)
            # Of those that take the same the one in the first schema is meant, there the one that packs
            # nothing (namespace.c, `FuncnameGetCandidates`).
            if before is None:
                kept[taken] = candidate
                continue
            other, _, packs = made[id(before.overload)]
            if other.namespace != function.namespace:
                continue
            if packs and not packed:
                kept[taken] = candidate
                unclear.discard(taken)
            elif packs == packed:
                unclear.add(taken)
    candidates = list(kept.values())
    if beside and not given.names and not given.variadic:
        built = (*lookup.functions(beside), *lookup.aggregates(beside))
        candidates += [c for o in built if (c := spread(o, len(given.types))) is not None]
    found = choose(candidates, given.types)
    if found is None or id(found.overload) not in made:
        return None
    if any(kept[taken].overload is found.overload for taken in unclear):
        raise Ambiguous
    function, places, packed = made[id(found.overload)]
    whole = tuple([type_of(snapshot, p.type) for p in function.inputs])
    actual = _actual(function, snapshot, given.types, places, packed=packed)
    resolved = choose([Candidate(_overload(function, whole, snapshot), whole)], actual)
    inputs = whole if resolved is None else resolved.args
    outputs = tuple([_output(function, snapshot, p, whole, actual) for p in function.outputs])
    return Chosen(function, places, found.args, found.result, inputs, outputs, packed)


def _arrangements(function: Function, given: Given) -> list[tuple[tuple[int, ...], bool]]:
    """Which inputs the arguments may be for, and whether the last ones become an array."""
    inputs = function.inputs
    count, named = len(given.types), len(given.names)
    if given.names:
        places = [*range(count - named)]
        by_name = {p.name: at for at, p in enumerate(inputs) if p.name}
        for name in given.names:
            at = by_name.get(name)
            if at is None or at in places:
                return []
            places.append(at)
        if function.variadic and not given.variadic and len(inputs) - 1 in places:
            return []
        if any(at >= len(inputs) for at in places):
            return []
        missing = [p for at, p in enumerate(inputs) if at not in places]
        return [(tuple(places), False)] if all(p.default for p in missing) else []
    found = []
    plain = not function.variadic or given.variadic
    if plain and given.variadic and not function.variadic:
        return []
    fits = count <= len(inputs) and (plain or count < len(inputs))
    if fits and all(p.default for p in inputs[count:]):
        found.append((tuple(range(count)), False))
    if function.variadic and not given.variadic and count >= len(inputs):
        last = len(inputs) - 1
        found.append(((*range(last), *([last] * (count - last))), True))
    return found


def _candidate(
    function: Function, snapshot: RelationSource, places: tuple[int, ...], *, packed: bool
) -> Candidate:
    whole = tuple([type_of(snapshot, p.type) for p in function.inputs])
    args = [whole[at] for at in places]
    if packed:
        last = len(whole) - 1
        args = [item_type(whole[at]) if at == last else whole[at] for at in places]
    return Candidate(_overload(function, whole, snapshot, packed=packed), tuple(args))


def _overload(
    function: Function,
    whole: tuple[PgType, ...],
    snapshot: RelationSource,
    *,
    packed: bool = False,
    result: PgType | None = None,
) -> Overload:
    kind = OverloadKind.SET if function.returns_set else OverloadKind.FUNCTION
    return Overload(
        function.name,
        kind,
        whole,
        result or type_of(snapshot, function.result),
        variadic=packed,
        strict=function.strict,
        volatility=Volatility(function.volatility),
        oid=function.id,
    )


def _actual(
    function: Function,
    snapshot: RelationSource,
    given: tuple[PgType, ...],
    places: tuple[int, ...],
    *,
    packed: bool,
) -> tuple[PgType, ...]:
    """The types of all its inputs in a call; UNKNOWN where nothing is given."""
    found: list[PgType] = [types.UNKNOWN] * len(function.inputs)
    last = len(function.inputs) - 1
    for kind, at in zip(given, places, strict=True):
        if not packed or at != last:
            found[at] = kind
        elif found[at] is types.UNKNOWN and kind is not types.UNKNOWN:
            found[at] = types.array_of(kind) or types.UNKNOWN
    return tuple(found)


def type_in_call(function: Function, snapshot: RelationSource, oid: int, chosen: Chosen) -> PgType:
    """A type that a function is declared with as it is in a call, where it is polymorphic."""
    whole = tuple([type_of(snapshot, p.type) for p in function.inputs])
    return _output(function, snapshot, Parameter("", oid), whole, chosen.inputs)


def _output(
    function: Function,
    snapshot: RelationSource,
    parameter: Parameter,
    whole: tuple[PgType, ...],
    actual: tuple[PgType, ...],
) -> PgType:
    declared = type_of(snapshot, parameter.type)
    overload = _overload(function, whole, snapshot, result=declared)
    found = choose([Candidate(overload, whole)], actual)
    return declared if found is None else found.result
