"""jsonb_path_exists, jsonb_path_match, jsonb_path_query… and the operators @? and @@."""

from collections.abc import Callable, Iterator
from functools import partial

from catalog.errors import InvalidParameterValueError, SingletonSqlJsonItemError
from catalog.memo import kept
from catalog.types.jsonpath import path_of
from catalog.types.jsonpath_nodes import Path
from catalog.types.registry import BOOL, JSONB, JSONPATH
from kalam_pg.functions.define import Datum, function, operator, returns_set
from kalam_pg.functions.jsonpath_moments import as_json
from kalam_pg.functions.jsonpath_run import is_soft, path_exists, run_path
from kalam_pg.functions.jsonvalues import dump, parse, parse_cached
from kalam_pg.functions.table import EvalContext, Overload, Volatility
from storage.errors import KalamError


@kept(512, 1000)
def _path(text: str) -> Path:
    return path_of(text)


def _variables(text: str) -> dict[str, Datum]:
    known = parse(text)
    if not isinstance(known, dict):
        raise InvalidParameterValueError(
            '"vars" argument is not an object',
            detail='Jsonpath parameters should be encoded as key-value pairs of "vars" object.',
        )
    return known


Zoned = EvalContext | None
"""What dates and times with a time zone are compared in; None: such are not compared with others."""


def _found(document: str, path: str, variables: str, silent: Datum, zoned: Zoned) -> list[Datum]:
    """What a path finds: up to its first error, when that is to be kept quiet."""
    found: list[Datum] = []
    try:
        items = run_path(_path(path), parse_cached(document), _variables(variables), zoned)
        found.extend(map(as_json, items))
    except KalamError as error:
        if not silent or not is_soft(error):
            raise
    return found


def _exists(
    zoned: Zoned, document: str, path: str, variables: str = "{}", silent: Datum = False
) -> bool | None:
    try:
        return path_exists(_path(path), parse_cached(document), _variables(variables), zoned)
    except KalamError as error:
        if not silent or not is_soft(error):
            raise
        return None


def _match(
    zoned: Zoned, document: str, path: str, variables: str = "{}", silent: Datum = False
) -> bool | None:
    found = _found(document, path, variables, silent, zoned)
    if len(found) == 1 and (found[0] is None or isinstance(found[0], bool)):
        return found[0]
    if silent:
        return None
    raise SingletonSqlJsonItemError("single boolean result is expected")


def _query(
    zoned: Zoned, document: str, path: str, variables: str = "{}", silent: Datum = False
) -> Iterator[str]:
    return map(dump, _found(document, path, variables, silent, zoned))


def _array(
    zoned: Zoned, document: str, path: str, variables: str = "{}", silent: Datum = False
) -> str:
    return dump(_found(document, path, variables, silent, zoned))


def _first(
    zoned: Zoned, document: str, path: str, variables: str = "{}", silent: Datum = False
) -> str | None:
    found = _found(document, path, variables, silent, zoned)
    return dump(found[0]) if found else None


_ARGS = (JSONB, JSONPATH, JSONB, BOOL)
_ROWS: tuple[tuple[str, Datum, Callable[..., Datum]], ...] = (
    ("exists", BOOL, _exists),
    ("match", BOOL, _match),
    ("query", JSONB, _query),
    ("query_array", JSONB, _array),
    ("query_first", JSONB, _first),
)


def _both(name: str, result: Datum, row: Callable[..., Datum]) -> tuple[Overload, Overload]:
    """A function, and the one that may ask for the session's time zone."""
    kind = returns_set if name == "query" else function
    whole = f"jsonb_path_{name}"
    return (
        kind(whole, _ARGS, result, partial(row, None), defaults=2),
        kind(
            f"{whole}_tz",
            _ARGS,
            result,
            row,
            defaults=2,
            needs_context=True,
            volatility=Volatility.STABLE,
        ),
    )


def _exists_quietly(document: str, path: str) -> bool | None:
    return _exists(None, document, path, silent=True)


def _match_quietly(document: str, path: str) -> bool | None:
    return _match(None, document, path, silent=True)


OVERLOADS: tuple[Overload, ...] = (
    *(made for row in _ROWS for made in _both(*row)),
    operator("@?", (JSONB, JSONPATH), BOOL, _exists_quietly),
    operator("@@", (JSONB, JSONPATH), BOOL, _match_quietly),
    function("jsonb_path_exists_opr", (JSONB, JSONPATH), BOOL, _exists_quietly),
    function("jsonb_path_match_opr", (JSONB, JSONPATH), BOOL, _match_quietly),
)
