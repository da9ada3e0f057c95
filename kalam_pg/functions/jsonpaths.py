"""jsonb_path_exists, jsonb_path_match, jsonb_path_query… and the operators @? and @@."""

from collections.abc import Callable, Iterator

from catalog.errors import InvalidParameterValueError, SingletonSqlJsonItemError
from catalog.memo import kept
from catalog.types.jsonpath import path_of
from catalog.types.jsonpath_nodes import Path
from catalog.types.registry import BOOL, JSONB, JSONPATH
from kalam_pg.functions.define import Datum, function, operator, returns_set
from kalam_pg.functions.jsonpath_run import SOFT, path_exists, run_path
from kalam_pg.functions.jsonvalues import dump, parse, parse_cached
from kalam_pg.functions.table import Overload
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


def _found(document: str, path: str, variables: str, silent: Datum) -> list[Datum]:
    """What a path finds: up to its first error, when that is to be kept quiet."""
    found: list[Datum] = []
    try:
        found.extend(run_path(_path(path), parse_cached(document), _variables(variables)))
    except KalamError as error:
        if not silent or error.sqlstate not in SOFT:
            raise
    return found


def _exists(document: str, path: str, variables: str = "{}", silent: Datum = False) -> bool | None:
    try:
        return path_exists(_path(path), parse_cached(document), _variables(variables))
    except KalamError as error:
        if not silent or error.sqlstate not in SOFT:
            raise
        return None


def _match(document: str, path: str, variables: str = "{}", silent: Datum = False) -> bool | None:
    found = _found(document, path, variables, silent)
    if len(found) == 1 and (found[0] is None or isinstance(found[0], bool)):
        return found[0]
    if silent:
        return None
    raise SingletonSqlJsonItemError("single boolean result is expected")


def _query(document: str, path: str, variables: str = "{}", silent: Datum = False) -> Iterator[str]:
    return map(dump, _found(document, path, variables, silent))


def _array(document: str, path: str, variables: str = "{}", silent: Datum = False) -> str:
    return dump(_found(document, path, variables, silent))


def _first(document: str, path: str, variables: str = "{}", silent: Datum = False) -> str | None:
    found = _found(document, path, variables, silent)
    return dump(found[0]) if found else None


_ARGS = (JSONB, JSONPATH, JSONB, BOOL)
_PLAIN: tuple[tuple[str, Datum, Callable[..., Datum]], ...] = (
    ("jsonb_path_exists", BOOL, _exists),
    ("jsonb_path_match", BOOL, _match),
    ("jsonb_path_query_array", JSONB, _array),
    ("jsonb_path_query_first", JSONB, _first),
)

OVERLOADS: tuple[Overload, ...] = (
    # Those of …_tz differ in datetime() alone.
    *(
        function(name + zoned, _ARGS, result, row, defaults=2)
        for name, result, row in _PLAIN
        for zoned in ("", "_tz")
    ),
    *(
        returns_set("jsonb_path_query" + zoned, _ARGS, JSONB, _query, defaults=2)
        for zoned in ("", "_tz")
    ),
    operator("@?", (JSONB, JSONPATH), BOOL, lambda d, p: _exists(d, p, silent=True)),
    operator("@@", (JSONB, JSONPATH), BOOL, lambda d, p: _match(d, p, silent=True)),
    function(
        "jsonb_path_exists_opr", (JSONB, JSONPATH), BOOL, lambda d, p: _exists(d, p, silent=True)
    ),
    function(
        "jsonb_path_match_opr", (JSONB, JSONPATH), BOOL, lambda d, p: _match(d, p, silent=True)
    ),
)
