"""DataFusion's failures in PostgreSQL's words, and errors that cross the process boundary."""

import re
from functools import cache

from catalog import errors as _classes  # noqa: F401 - its classes must exist for `class_of`
from catalog.errors import (
    CardinalityViolationError,
    DivisionByZeroError,
    FeatureNotSupportedError,
    InvalidTextRepresentationError,
    NumericValueOutOfRangeError,
    OutOfMemoryError,
    QueryCanceledError,
    StatementTooComplexError,
)
from kalam_pg.engines.protocol import Failure
from kalam_pg.failures import place_elsewhere
from kalam_pg.pgwire.encode import shortened
from storage.errors import DiskFullError, KalamError

_KIND = re.compile(r"\b[A-Z]\w+ error(?=:)")
"""How DataFusion names what failed: `DataFusion error: Optimizer error: …`."""

_FIELDS = (
    "detail", "hint", "position", "schema", "table", "column", "datatype", "constraint", "context",
)  # fmt: skip


def class_of(sqlstate: str) -> type[KalamError]:
    """The error class with this SQLSTATE; `KalamError` itself (XX000) when there is none."""
    return _registry().get(sqlstate) or _registry(refresh=object()).get(sqlstate, KalamError)


@cache
def _registry(refresh: object = None) -> dict[str, type[KalamError]]:
    # `refresh`: a module imported since may have brought a class; a fresh object passes the cache.
    del refresh
    found: dict[str, type[KalamError]] = {}
    waiting = [KalamError]
    while waiting:
        cls = waiting.pop()
        found.setdefault(cls.sqlstate, cls)
        waiting.extend(cls.__subclasses__())
    return found


def to_failure(error: KalamError) -> Failure:
    """An error as it travels."""
    fields = {name: getattr(error, name) for name in _FIELDS if getattr(error, name)}
    if notes := getattr(error, "__notes__", None):
        fields["note"] = "\n".join(notes)
    if "detail" in fields:
        fields["detail"] = shortened(error.detail)
    return Failure(error.sqlstate, shortened(error.message), fields)


def from_failure(failure: Failure) -> KalamError:
    """The error that `to_failure` was given, of the same class."""
    fields = {name: value for name, value in failure.fields.items() if name in _FIELDS}
    error = class_of(failure.sqlstate)(failure.message, **fields)  # type: ignore[arg-type]
    if note := failure.fields.get("note"):
        error.add_note(str(note))
    return error


def internal_error(note: str) -> KalamError:
    """XX000: a query that should have run did not. `note` is for the log, never for the client:
    what kind of fault it is and where, never a value.
    """
    error = KalamError("the query engine could not run this statement")
    error.add_note(note)
    return error


def canceled(reason: str) -> KalamError:
    """57014. reason: "user request" | "statement timeout"."""
    return QueryCanceledError(f"canceling statement due to {reason}")


# What DataFusion says, by a part of it, and what PostgreSQL would have said. What a user's data can cause
# comes first, then what DataFusion cannot do. Anything else is a fault of the statement's translation,
# XX000.
_KNOWN: tuple[tuple[re.Pattern[str], type[KalamError], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), cls, message)
    for pattern, cls, message in (
        (r"Divide by zero", DivisionByZeroError, "division by zero"),
        (
            r"Arithmetic overflow|Overflow happened",
            NumericValueOutOfRangeError,
            "value out of range",
        ),
        (r"Can't cast value .* to type Int8", NumericValueOutOfRangeError, "value out of range"),
        (
            r"Can't cast value .* to type Int16",
            NumericValueOutOfRangeError,
            "smallint out of range",
        ),
        (r"Can't cast value .* to type Int32", NumericValueOutOfRangeError, "integer out of range"),
        (r"Can't cast value .* to type Int64", NumericValueOutOfRangeError, "bigint out of range"),
        (
            r"too large to store in a Decimal|Decimal\d+ of precision .* out of range",
            NumericValueOutOfRangeError,
            "numeric field overflow",
        ),
        (
            r"Cannot cast string '(?P<value>.*)' to value of (?P<type>\w+) type",
            InvalidTextRepresentationError,
            'invalid input syntax for type {type}: "{value}"',
        ),
        (
            r"Scalar subquery returned more than one row",
            CardinalityViolationError,
            "more than one row returned by a subquery used as an expression",
        ),
        (
            r"Resources exhausted|[Ff]ailed to allocate|Cannot allocate memory|malloc of size"
            r"|bad_alloc|capacity overflow|can't (?:spawn worker|start new) thread|[Oo]ut of memory",
            OutOfMemoryError,
            "out of memory",
        ),
        (
            r"\(os error (?:28|122)\)",  # ENOSPC, EDQUOT: where it spills to
            DiskFullError,
            "could not write a temporary file: No space left on device",
        ),
        (
            r"[Rr]ecursion limit|stack overflow",
            StatementTooComplexError,
            "stack depth limit exceeded",
        ),
        (
            # Decorrelation leaves names behind that only the query around it knows (r0.c1, q2.d0).
            r"ScalarSubquery|OuterReference|outer_ref|__correlated_sq|[Cc]orrelated|InSubquery"
            r"|No field named [rq]\d+\.|\bExists\(|Subquery\(",
            FeatureNotSupportedError,
            "this form of correlated subquery is not supported",
        ),
        (
            r"(?:not implemented|not supported|[Uu]nsupported).*(?:[Rr]ecursive|RECURSIVE)",
            FeatureNotSupportedError,
            "this form of recursive query is not supported",
        ),
        (
            r"(?:not implemented|not supported|[Uu]nsupported).*(?:[Ww]indow|OVER)"
            r"|[Ww]indow.*(?:not implemented|not supported|[Uu]nsupported)",
            FeatureNotSupportedError,
            "this form of window function is not supported",
        ),
        (
            r"(?:not implemented|not supported|[Uu]nsupported).*\b(?:JOIN|[Jj]oin)\b",
            FeatureNotSupportedError,
            "this form of join is not supported",
        ),
        (
            r"(?:not implemented|not supported|[Uu]nsupported).*(?:UNNEST|[Uu]nnest)",
            FeatureNotSupportedError,
            "set-returning functions are not supported here",
        ),
        (
            r"(?:not implemented|not supported|[Uu]nsupported).*(?:[Aa]ggregate|AGGREGATE|DISTINCT)"
            r"|[Aa]ggregate.*(?:not implemented|not supported)",
            FeatureNotSupportedError,
            "this form of aggregate is not supported",
        ),
        (
            r"feature is not implemented|NotImplemented|not supported|[Uu]nsupported"
            r"|does not support",
            FeatureNotSupportedError,
            "the query engine does not support a statement of this form",
        ),
    )
)


def from_datafusion(error: BaseException) -> KalamError:
    """What the client is told of an exception that DataFusion (or pyarrow under it) raised."""
    text = str(error)
    if isinstance(error, MemoryError):
        return OutOfMemoryError("out of memory")
    for pattern, cls, message in _KNOWN:
        if found := pattern.search(text):
            known = cls(message.format(**found.groupdict()))
            if cls is FeatureNotSupportedError:
                known.add_note(f"{type(error).__name__}: {text}")
            return known
    kinds = ", ".join(dict.fromkeys(_KIND.findall(text)))
    return internal_error(" ".join(filter(None, (kinds, place_elsewhere(error)))))
