"""Functions and procedures that people make: what CREATE FUNCTION keeps.

Types are kept by their OIDs, so that a function goes on meaning a type that is altered: what they are by now
is the snapshot's (`Snapshot.type_by_oid`).
"""

from dataclasses import dataclass, field

from catalog.model import Grant

CALLED_WITH = frozenset("ibv")
"""The modes of what a call gives: IN, INOUT, VARIADIC."""

GIVEN_BACK = frozenset("obt")
"""The modes of what it gives back: OUT, INOUT, a column of RETURNS TABLE."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """mode: pg_proc.proargmodes: i | o | b (INOUT) | v (VARIADIC) | t (TABLE). type: its OID.

    default: SQL text, "" where it has none.
    """

    name: str
    type: int
    mode: str = "i"
    default: str = ""


@dataclass(frozen=True, slots=True)
class Accumulation:
    """How rows become the state of an aggregate, and this its value: OIDs of functions, 0 for none.

    state: the type of it. initial: what it is before the first row, as text, None for NULL. extra: the final
    function takes the types of the arguments too. modify: pg_aggregate.aggfinalmodify. inverse: takes a row
    out again, of a moving one.
    """

    transition: int
    state: int
    final: int = 0
    initial: str | None = None
    extra: bool = False
    modify: str = "r"
    space: int = 0
    inverse: int = 0


@dataclass(frozen=True, slots=True)
class Aggregation:
    """What makes a function an aggregate. moving: for frames of windows whose rows go out again.

    combine: OID of what makes one state of two, sort_operator of the operator that MIN or MAX is of; kept and
    shown, nothing here asks for them.
    """

    plain: Accumulation
    moving: Accumulation | None = None
    combine: int = 0
    sort_operator: int = 0


@dataclass(frozen=True, slots=True)
class Function:
    """A function (kind "f") or procedure ("p") in SQL, or an aggregate ("a") of such and of PostgreSQL's.

    result: the OID of what it gives back, of a set what each row is. body: its statements as text; standard:
    they were written as RETURN or BEGIN ATOMIC, which `body` has whole. search_path: where the names in a
    standard body and in defaults mean what they mean, as it was when they were read; those of other bodies
    are looked up where the function is called. reads: what a standard body names: ids of relations, types,
    functions; the functions that an aggregate is made of. settings: of SET clauses, names and values. grants:
    of EXECUTE; public: everybody has it. aggregation: of an aggregate, which has no body.
    """

    id: int
    namespace: str
    name: str
    parameters: tuple[Parameter, ...]
    result: int
    body: str
    owner: int
    kind: str = "f"
    returns_set: bool = False
    standard: bool = False
    volatility: str = "v"
    strict: bool = False
    leakproof: bool = False
    parallel: str = "u"
    cost: float = 100.0
    rows: float = 0.0
    settings: tuple[tuple[str, str], ...] = ()
    search_path: tuple[str, ...] = ()
    reads: tuple[int, ...] = ()
    created_at_us: int = 0
    comment: str = ""
    public: bool = True
    grants: tuple[Grant, ...] = ()
    aggregation: Aggregation | None = None
    _inputs: list[tuple[Parameter, ...]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    @property
    def inputs(self) -> tuple[Parameter, ...]:
        """What a call gives, in order."""
        if not self._inputs:
            self._inputs.append(tuple([p for p in self.parameters if p.mode in CALLED_WITH]))
        return self._inputs[0]

    @property
    def outputs(self) -> tuple[Parameter, ...]:
        """What it gives back by name, in order."""
        return tuple([p for p in self.parameters if p.mode in GIVEN_BACK])

    @property
    def signature(self) -> tuple[int, ...]:
        """The OIDs of the types of what a call gives: by its name and these it is told from others."""
        return tuple([p.type for p in self.inputs])

    @property
    def variadic(self) -> bool:
        """Whether its last parameter takes any number of values."""
        return any(p.mode == "v" for p in self.parameters)

    @property
    def types(self) -> tuple[int, ...]:
        """The OIDs of all types that it is declared with."""
        made = self.aggregation
        steps = () if made is None else (made.plain, *([made.moving] if made.moving else []))
        return (*[p.type for p in self.parameters], self.result, *[step.state for step in steps])

    @property
    def what(self) -> str:
        """What statements call it."""
        return {"p": "procedure", "a": "aggregate"}.get(self.kind, "function")
