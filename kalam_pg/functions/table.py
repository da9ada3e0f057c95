"""The function table's row type. `functions.lookup` finds overloads by name; the other modules here
fill it, one subject each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import Any

from catalog.types.table import DEFAULT_CONTEXT, PgType, TypeContext
from storage.layout import Value


class OverloadKind(Enum):
    """What an overload is, as pg_proc.prokind and its neighbours tell them apart."""

    FUNCTION = "f"
    OPERATOR = "o"
    CAST = "c"
    AGGREGATE = "a"
    WINDOW = "w"
    SET = "s"  # set-returning


class Volatility(Enum):
    """pg_proc.provolatile."""

    IMMUTABLE = "i"
    STABLE = "s"
    VOLATILE = "v"


@dataclass(slots=True)
class EvalContext:
    """What an expression may ask of its surroundings while it is evaluated.

    One exists per statement. `params[i]` is the stored value of `$i+1`. `now_us`, `statement_us` are
    microseconds since 1970 UTC (transaction's and statement's start). `next_snowflake` mints an id.
    `setting` reads a session setting by lower-case name, None when unknown. `services` holds further
    callables that sessions register by function name (current_setting's writer, has_table_privilege…).
    `left_us` is what there is left for calls that are not cheap, `most_us` what one of them may take
    (`functions.cost`). `once` has values, by the identities of expressions, of what is computed once for the
    statement and would have another value the next time.
    """

    params: Sequence[Value] = ()
    now_us: int = 0
    statement_us: int = 0
    user: str = ""
    session_user: str = ""
    database: str = "kalam"
    search_path: tuple[str, ...] = ("public",)
    types: TypeContext = DEFAULT_CONTEXT
    next_snowflake: Callable[[], int] = lambda: 0
    setting: Callable[[str], str | None] = lambda _name: None
    services: dict[str, Callable[..., Value]] = field(default_factory=dict)
    left_us: float = inf
    most_us: float = inf
    once: dict[int, tuple[object, Value]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Overload:
    """One signature of a function, operator, cast or aggregate. Compared by identity.

    name: function name, operator symbol, or "source->target" (type names) for a cast.
    args: argument types; a polymorphic pseudo-type (anyelement, anyarray, anycompatible …) where
        PostgreSQL has one. With `variadic`, the last one's *element* type repeats.
    result: result type; polymorphic ones are resolved by the binder from the arguments.
    strict: NULL in, NULL out; `row` is then never called with None.
    row: stored values in, stored value out (for SET: an iterable of them, or of tuples; for
        AGGREGATE: takes one list of argument tuples). With `needs_context`, EvalContext comes first.
        With `needs_types`, a tuple of the resolved argument PgTypes comes next.
        With `needs_typmod` (casts), the target's typmod comes last.
    native: DataFusion SQL of the call, "{0} + {1}" or a callable of the argument SQL texts, **only
        where DataFusion is proven to answer as PostgreSQL**; None means a UDF made from `arrow` or,
        row by row, from `row`.
    arrow: Arrow arrays in (after EvalContext with `needs_context`), Arrow array out, the same answer
        as `row`; or None, when the rows must be asked one by one. Of an AGGREGATE it takes lists, a
        group's arguments each.
    server_only: needs what does not reach a worker (services, settings, ids): over rows of stored
        tables it is refused.
    sqlite: sqlite SQL template in the same form as `native`; None means a Python function from `row`.
    """

    name: str
    kind: OverloadKind
    args: tuple[PgType, ...]
    result: PgType
    row: Callable[..., Any] | None = None
    variadic: bool = False
    defaults: int = 0
    strict: bool = True
    volatility: Volatility = Volatility.IMMUTABLE
    needs_context: bool = False
    needs_types: bool = False
    needs_typmod: bool = False
    native: str | Callable[..., str] | None = None
    arrow: Callable[..., Any] | None = None
    sqlite: str | None = None
    server_only: bool = False
    oid: int = 0
    out_names: tuple[str, ...] = ()
    out_types: tuple[PgType, ...] = ()  # of a set of several columns, one per name
    cast_context: str = ""  # casts: 'i' implicit, 'a' assignment, 'e' explicit

    def __repr__(self) -> str:
        return f"<{self.kind.name.lower()} {self.name}({', '.join(a.name for a in self.args)})>"
