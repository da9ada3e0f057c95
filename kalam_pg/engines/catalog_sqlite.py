"""Catalogue queries: a bound query over virtual relations, run on an in-memory sqlite3.

Each query has a connection of its own that holds the relations it names and nothing else.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from catalog.errors import (
    FeatureNotSupportedError,
    OutOfMemoryError,
    StatementTooComplexError,
)
from kalam_pg.engines.catalog_image import CatalogImage, add, fill
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


_NOTHING_ADDED: Mapping[str, Sequence[Row]] = {}


class CatalogQuery:
    """A catalogue query, to be run here, or in another thread, which goes on where the time was not enough.

    Its relations are read by the first run, as far as its time goes: some of their rows have to be computed.
    image: relations that the provider need not be asked for. added: further rows of these.
    """

    def __init__(
        self,
        query: Query,
        provider: Provider,
        context: EvalContext,
        image: CatalogImage | None = None,
        added: Mapping[str, Sequence[Row]] = _NOTHING_ADDED,
    ) -> None:
        self._emitted = emitted = emit(query, context)
        self._provider = provider
        known = image.tables if image is not None else frozenset()
        self._unread = {n: of for n, of in emitted.relations.items() if n not in known}
        self._why = ""
        self._is_over: Callable[[], bool] = lambda: False
        # One thread after another uses it, never two at once.
        self._connection = connection = sqlite3.connect(
            ":memory:", isolation_level=None, cached_statements=0, check_same_thread=False
        )
        try:
            if image is not None and known & emitted.relations.keys():
                connection.deserialize(image.pages)
                for table, rows in added.items():
                    if table in emitted.relations:
                        columns = emitted.relations[table].columns
                        add(connection, table, [c.type for c in columns], rows)
            connection.execute("PRAGMA journal_mode = OFF")
            self._register()
            # json_each makes itself known when it is first used, which the authorizer would refuse.
            connection.execute("SELECT 1 FROM json_each('[]')")
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
        self._why = ""

        def is_over() -> bool:
            if is_canceled():
                self._why = "user request"
            elif time.monotonic() > deadline:
                self._why = _OUT_OF_TIME
            return bool(self._why)

        self._is_over = is_over
        try:
            if self._unread:
                self._read()
            self._connection.set_authorizer(_only_reads)
            self._connection.set_progress_handler(is_over, _CHECK_EVERY)
            found = self._connection.execute(emitted.sql, emitted.parameters)
            while rows := found.fetchmany(_PART_ROWS):
                yield decode_rows(rows, emitted.types)
        except (sqlite3.Error, OverflowError, MemoryError, _OverError) as exc:
            if self._why == _OUT_OF_TIME:
                raise TimeoutError from exc
            raise _translate(exc, emitted, self._why) from exc

    def _read(self) -> None:
        """Read the relations that have not been. Raises _OverError: those that were read whole are kept."""
        connection = self._connection
        connection.execute("BEGIN")
        try:
            for name, relation in tuple(self._unread.items()):
                rows = self._provider(relation.schema, relation.name, relation.equal)
                try:
                    fill(connection, name, [c.type for c in relation.columns], self._timed(rows))
                except BaseException:
                    connection.execute(f'DROP TABLE IF EXISTS "{name}"')
                    raise
                del self._unread[name]
        finally:
            connection.execute("COMMIT")

    def _timed(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if self._is_over():
                raise _OverError
            yield row

    def _register(self) -> None:
        connection, functions = self._connection, self._emitted.functions
        for f in functions.found:
            if f.aggregate:
                connection.create_aggregate(f.name, f.arity, f.call)
            else:
                call = self._timed_call(f.call)
                connection.create_function(f.name, f.arity, call, deterministic=f.deterministic)
        for name, compare in functions.collations.items():
            connection.create_collation(name, compare)

    def _timed_call(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that looks at the clock: it may take long in one of the machine's steps."""

        def call(*values: Any) -> Any:  # noqa: ANN401
            if self._is_over():
                raise _OverError
            return function(*values)

        return call

    def close(self) -> None:
        """Forget the relations. Not while another thread runs it."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


_OUT_OF_TIME = "statement timeout"


class _OverError(Exception):
    """The time is up, or the query was cancelled."""


def _translate(exc: Exception, emitted: Emitted, why: str) -> BaseException:
    if why:
        return canceled(why)
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


_ALLOWED = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
)


def _only_reads(action: int, *_names: str | None) -> int:
    """No ATTACH, no PRAGMA, no change: a second fence behind the typed tree."""
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
