"""WITH (…) options of tables: text to `TableOptions`, refused in PostgreSQL's words."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from catalog.errors import (
    InvalidParameterValueError,
    InvalidTableDefinitionError,
    UndefinedObjectError,
)
from catalog.model import TableKind, TableOptions

_ALIASES = {"TABLE_TYPE": "TYPE", "STORAGE_ID": "STORAGE"}
_DAYS_100 = 100 * 366 * 86400
"""Longest interval or time to live, seconds: a century says "forever" well enough."""


KIND_OF_METHOD = {
    "heap": TableKind.SHARED,
    "kalam_user": TableKind.USER,
    "kalam_stream": TableKind.STREAM,
}
"""Kinds by what they are as PostgreSQL's access methods, which is how pg_dump writes them down."""


def parse_options(
    given: Sequence[tuple[str, str]],
    *,
    storages: Sequence[str] = ("local",),
    unsaid: TableKind = TableKind.SHARED,
) -> tuple[TableKind, TableOptions]:
    """The kind and options of a new table from what was written, names in upper case.

    unsaid: its kind if nothing says it.

    Raises:
        InvalidParameterValueError: 22023, unknown option or a value it does not take.
        InvalidTableDefinitionError: 42P16, options that do not fit the kind.
        UndefinedObjectError: 42704, no such storage.
    """
    values = _collect(given)
    kind = TableKind[_one_of("type", values.pop("TYPE", unsaid.name), [k.name for k in TableKind])]
    options = apply_options(TableOptions(), kind, list(values.items()), storages=storages)
    if kind is TableKind.STREAM and not options.ttl_s:
        raise InvalidTableDefinitionError(
            "STREAM tables require the option TTL_SECONDS",
            hint="Add WITH (TYPE = 'STREAM', TTL_SECONDS = 30).",
        )
    return kind, options


def temporary_options(given: Sequence[tuple[str, str]]) -> tuple[TableKind, TableOptions]:
    """The kind and options of a temporary table: it is kept in memory, as STREAM tables are, whole.

    Raises 22023, and 42P16 for an option that only stored tables have.
    """
    for written, value in _collect(given).items():
        if written in _PAGES:
            _PAGES[written](value)
            continue
        if written not in _READERS and written != "TYPE":
            raise InvalidParameterValueError(f'unrecognized parameter "{written.lower()}"')
        raise InvalidTableDefinitionError(
            f'parameter "{written.lower()}" does not apply to temporary tables'
        )
    return TableKind.STREAM, TableOptions(scope="SHARED")


def apply_options(
    options: TableOptions,
    kind: TableKind,
    given: Sequence[tuple[str, str]],
    *,
    storages: Sequence[str] = ("local",),
) -> TableOptions:
    """`options` with what was written changed (ALTER TABLE SET). Raises like `parse_options`."""
    for name, value in _collect(given).items():
        if name in _PAGES:
            _PAGES[name](value)
            continue
        reader = _READERS.get(name)
        if reader is None:
            raise InvalidParameterValueError(f'unrecognized parameter "{name.lower()}"')
        if kind not in _KINDS.get(name, tuple(TableKind)):
            raise InvalidTableDefinitionError(
                f'parameter "{name.lower()}" does not apply to {kind.value} tables'
            )
        if name == "STORAGE" and value not in storages:
            raise UndefinedObjectError(f'storage "{value}" does not exist')
        options = reader(options, value)
    return options


def _collect(given: Sequence[tuple[str, str]]) -> dict[str, str]:
    """By canonical name. Twice the same is an error, except a kind said twice alike."""
    values: dict[str, str] = {}
    for written, value in given:
        name = _ALIASES.get(written, written)
        known = values.get(name)
        if known is not None and not (name == "TYPE" and known.upper() == value.upper()):
            raise InvalidParameterValueError(
                f'parameter "{written.lower()}" specified more than once'
            )
        values[name] = value
    return values


def _one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value.upper() not in allowed:
        quoted = [f'"{word}"' for word in allowed]
        valid = f"{', '.join(quoted[:-1])} and {quoted[-1]}"
        raise InvalidParameterValueError(
            f'invalid value for enum option "{name}": {value}', detail=f"Valid values are {valid}."
        )
    return value.upper()


def integer(name: str, value: str, low: int, high: int) -> int:
    """An option's value that must be an integer between two. Raises 22023."""
    try:
        number = int(value)
    except ValueError:
        raise InvalidParameterValueError(
            f'invalid value for integer option "{name}": {value}'
        ) from None
    if not low <= number <= high:
        raise InvalidParameterValueError(
            f'value {value} out of bounds for option "{name}"',
            detail=f'Valid values are between "{low}" and "{high}".',
        )
    return number


def _boolean(name: str, value: str) -> bool:
    word = value.lower()
    if word not in ("on", "off", "true", "false", "yes", "no", "1", "0"):
        raise InvalidParameterValueError(f'invalid value for boolean option "{name}": {value}')
    return word in ("on", "true", "yes", "1")


def _seconds(options: TableOptions, value: str) -> TableOptions:
    try:
        seconds = float(value)
    except ValueError:
        raise InvalidParameterValueError(
            f'invalid value for floating point option "ttl_seconds": {value}'
        ) from None
    if not 0 < seconds <= _DAYS_100:
        raise InvalidParameterValueError(
            f'value {value} out of bounds for option "ttl_seconds"',
            detail=f'Valid values are above "0" and up to "{_DAYS_100}".',
        )
    return replace(options, ttl_s=seconds)


def _flush_policy(options: TableOptions, value: str) -> TableOptions:
    """rows:N, interval:SECONDS, or both with a comma between; each at most once."""
    options = replace(options, flush_rows=0, flush_interval_s=0)
    seen = set()
    for part in value.split(","):
        word, colon, number = part.strip().partition(":")
        word = word.strip().lower()
        if not colon or word not in ("rows", "interval") or word in seen:
            raise InvalidParameterValueError(
                f'invalid value for option "flush_policy": {value}',
                hint="Write 'rows:1000', 'interval:300' or 'rows:1000,interval:300'.",
            )
        seen.add(word)
        if word == "rows":
            rows = integer("flush_policy", number.strip(), 1, 1 << 40)
            options = replace(options, flush_rows=rows)
        else:
            seconds = integer("flush_policy", number.strip(), 1, _DAYS_100)
            options = replace(options, flush_interval_s=seconds)
    return options


_READERS: dict[str, Callable[[TableOptions, str], TableOptions]] = {
    "FLUSH_POLICY": _flush_policy,
    "HOT_ROW_LIMIT": lambda o, v: replace(o, hot_row_limit=integer("hot_row_limit", v, 0, 1 << 40)),
    "STORAGE": lambda o, v: replace(o, storage=v),
    "TTL_SECONDS": _seconds,
    "MAX_BUFFER": lambda o, v: replace(o, max_buffer=integer("max_buffer", v, 1, 1 << 31)),
    "SCOPE": lambda o, v: replace(o, scope=_one_of("scope", v, ("USER", "SHARED"))),
    "ACCESS_LEVEL": lambda o, v: replace(
        o, access_level=_one_of("access_level", v, ("PUBLIC", "PRIVATE", "RESTRICTED"))
    ),
    "DELETED_RETENTION_HOURS": lambda o, v: replace(
        o, deleted_retention_h=integer("deleted_retention_hours", v, 0, 876_000)
    ),
    "CHANGE_RETENTION_HOURS": lambda o, v: replace(
        o, change_retention_h=integer("change_retention_hours", v, 0, 876_000)
    ),
}

_PAGES: dict[str, Callable[[str], object]] = {
    "FILLFACTOR": lambda v: integer("fillfactor", v, 10, 100),
    "TOAST_TUPLE_TARGET": lambda v: integer("toast_tuple_target", v, 128, 8160),
    "PARALLEL_WORKERS": lambda v: integer("parallel_workers", v, 0, 1024),
    "AUTOVACUUM_ENABLED": lambda v: _boolean("autovacuum_enabled", v),
}
"""How PostgreSQL lays out and tends a table's pages, of which there are none here: they are checked alone."""

_STORED = (TableKind.USER, TableKind.SHARED)
# Options that only some kinds have.
_KINDS: dict[str, tuple[TableKind, ...]] = {
    "FLUSH_POLICY": _STORED,
    "HOT_ROW_LIMIT": _STORED,
    "STORAGE": _STORED,
    "DELETED_RETENTION_HOURS": _STORED,
    "TTL_SECONDS": (TableKind.STREAM,),
    "MAX_BUFFER": (TableKind.STREAM,),
    "SCOPE": (TableKind.STREAM,),
    "ACCESS_LEVEL": (TableKind.SHARED,),
}
