"""Catalogue queries: a bound query over virtual relations, run on an in-memory sqlite3.

Each query has a connection of its own that holds the relations it names and nothing else.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Self

from catalog.errors import (
    FeatureNotSupportedError,
    OutOfMemoryError,
    StatementTooComplexError,
)
from kalam_pg.engines.catalog_image import CatalogImage, fill
from kalam_pg.engines.errors import canceled, internal_error
from kalam_pg.functions.table import EvalContext
from kalam_pg.sql.sqlite_functions import decode_rows
from kalam_pg.sql.to_sqlite import Emitted, emit
from kalam_pg.sql.tree import Query
from storage.layout import Row, Value

Provider = Callable[[str, str, Mapping[int, Value]], Iterable[Row]]
"""The rows of a virtual relation, by schema and name: at least those that have the given values in the
columns at the given positions. The query looks at no others."""

TIMEOUT_S = 30.0
"""A catalogue query takes milliseconds; one that takes this long is a cross join of everything."""

_CHECK_EVERY = 10_000  # Virtual machine steps between looks at the clock, about 1 ms.
_PART_ROWS = 500


def run_catalog(
    query: Query,
    provider: Provider,
    context: EvalContext,
    *,
    timeout_s: float = 0.0,
    is_canceled: Callable[[], bool] = lambda: False,
) -> list[Row]:
    """Run a query whose scans are all `VirtualScan`s (or that has none); its rows as stored values.

    Args:
        query: The bound query.
        provider: Rows of the relations that it names, already those that the asking role may see.
        context: Parameters, settings and services of the statement.
        timeout_s: 0 is the default of `TIMEOUT_S`.
        is_canceled: Asked about every millisecond, from this thread.

    Raises:
        KalamError: 57014 when cancelled or out of time, and whatever the query itself raises.
    """
    with CatalogQuery(query, provider, context) as running:
        rows = running.run(timeout_s or TIMEOUT_S, is_canceled)
    if rows is None:
        raise canceled("statement timeout")
    return rows


class CatalogQuery:
    """A catalogue query whose relations have been read, ready to run: here, or in another thread.

    image: relations that the provider need not be asked for.
    """

    def __init__(
        self,
        query: Query,
        provider: Provider,
        context: EvalContext,
        image: CatalogImage | None = None,
    ) -> None:
        self._emitted = emitted = emit(query, context)
        # One thread after another uses it, never two at once.
        self._connection = connection = sqlite3.connect(
            ":memory:", isolation_level=None, cached_statements=0, check_same_thread=False
        )
        try:
            _load(connection, emitted, provider, image)
            _register(connection, emitted)
            # json_each makes itself known when it is first used, which the authorizer would refuse.
            connection.execute("SELECT 1 FROM json_each('[]')")
            connection.set_authorizer(_only_reads)
        except BaseException:
            connection.close()
            raise

    def run(
        self,
        timeout_s: float,
        is_canceled: Callable[[], bool] = lambda: False,
        *,
        rows_max: int = 1 << 62,
    ) -> list[Row] | None:
        """The rows, or None when the time was not enough or they are more: it may be run again.

        Raises as `run_catalog`.
        """
        rows: list[Row] = []
        try:
            for part in self.parts(timeout_s, is_canceled):
                rows += part
                if len(rows) > rows_max:
                    return None
        except TimeoutError:
            return None
        return rows

    def parts(
        self, timeout_s: float, is_canceled: Callable[[], bool] = lambda: False
    ) -> Iterator[list[Row]]:
        """The rows, some at a time. Raises as `run_catalog`, but TimeoutError when time is up."""
        emitted = self._emitted
        deadline = time.monotonic() + timeout_s
        why: list[str] = []

        def check() -> int:
            if is_canceled():
                why.append("user request")
            elif time.monotonic() > deadline:
                why.append(_OUT_OF_TIME)
            return len(why)

        self._connection.set_progress_handler(check, _CHECK_EVERY)
        try:
            found = self._connection.execute(emitted.sql, emitted.parameters)
            while rows := found.fetchmany(_PART_ROWS):
                yield decode_rows(rows, emitted.types)
        except (sqlite3.Error, OverflowError, MemoryError) as exc:
            if why and why[0] == _OUT_OF_TIME:
                raise TimeoutError from exc
            raise _translate(exc, emitted, why) from exc

    def close(self) -> None:
        """Forget the relations. Not while another thread runs it."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


_OUT_OF_TIME = "statement timeout"


def _translate(
    exc: sqlite3.Error | OverflowError | MemoryError, emitted: Emitted, why: list[str]
) -> BaseException:
    if why:
        return canceled(why[0])
    if emitted.functions.raised.error is not None:
        return emitted.functions.raised.error
    text = str(exc)
    if isinstance(exc, MemoryError) or "out of memory" in text:
        return OutOfMemoryError("out of memory")
    if "too deep" in text or "stack overflow" in text or "too many" in text:
        return StatementTooComplexError("stack depth limit exceeded")
    if "JSON cannot hold BLOB" in text:
        return FeatureNotSupportedError("LATERAL over such values is not implemented")
    return internal_error(f"sqlite: {text}")


def _load(
    connection: sqlite3.Connection, emitted: Emitted, provider: Provider, image: CatalogImage | None
) -> None:
    known = image.tables if image is not None else frozenset()
    if image is not None and known & emitted.relations.keys():
        connection.deserialize(image.pages)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("BEGIN")
    for name, relation in emitted.relations.items():
        if name not in known:
            rows = provider(relation.schema, relation.name, relation.equal)
            fill(connection, name, [c.type for c in relation.columns], rows)
    connection.execute("COMMIT")


def _register(connection: sqlite3.Connection, emitted: Emitted) -> None:
    for f in emitted.functions.found:
        if f.aggregate:
            connection.create_aggregate(f.name, f.arity, f.call)
        else:
            connection.create_function(f.name, f.arity, f.call, deterministic=f.deterministic)
    for name, compare in emitted.functions.collations.items():
        connection.create_collation(name, compare)


_ALLOWED = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
)


def _only_reads(action: int, *_names: str | None) -> int:
    """No ATTACH, no PRAGMA, no change: a second fence behind the typed tree."""
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
