"""The DataFusion sessions of a worker: each knows the tables of the query that runs, and no more.

To make a session with its memory pool and its directory to spill into takes longer than many a query. So
a worker keeps one for small queries and one for large ones, and what a query has registered is gone before
the next one begins; after an error, or a query that was not read to its end, the whole session is.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache

import pyarrow as pa
from datafusion import (
    DataFrame,
    RuntimeEnvBuilder,
    SessionConfig,
    SessionContext,
    SQLOptions,
)
from datafusion.user_defined import AggregateUDF, ScalarUDF

from kalam_pg.engines.request import EngineSettings
from storage.shaped import in_shaped, shaped_columns

SMALL_ROWS = 100_000
"""Up to this many input rows one partition is faster: splitting work costs about 0.2 ms."""

# A second fence behind the typed tree: nothing but queries.
_QUERIES_ONLY = (
    SQLOptions()
    .with_allow_ddl(allow=False)
    .with_allow_dml(allow=False)
    .with_allow_statements(allow=False)
)


class Session(SessionContext):
    """A session that can be emptied: it notes what is registered."""

    def __init__(self, config: SessionConfig, runtime: RuntimeEnvBuilder, partitions: int) -> None:
        super().__init__(config, runtime)
        self.partitions = partitions
        self._tables: set[str] = set()
        self._functions: set[str] = set()
        self._aggregates: set[str] = set()

    def register_record_batches(self, name: str, partitions: list[list[pa.RecordBatch]]) -> None:
        """A table of batches in memory."""
        self._tables.add(name)
        super().register_record_batches(name, partitions)

    def register_view(self, name: str, df: DataFrame) -> None:
        """A table that is a query."""
        self._tables.add(name)
        super().register_view(name, df)

    def register_file(self, name: str, path: str) -> None:
        """A Parquet file as a table."""
        self._tables.add(name)
        self.register_parquet(name, path)

    def register_udf(self, udf: ScalarUDF) -> None:
        """A function."""
        self._functions.add(udf.name)
        super().register_udf(udf)

    def register_udaf(self, udaf: AggregateUDF) -> None:
        """An aggregate."""
        self._aggregates.add(udaf.name)
        super().register_udaf(udaf)

    def empty(self) -> bool:
        """Forget all that was registered; False when the session is no longer as it was made.

        A function in the place of a built-in one cannot be taken away without it.
        """
        if self._functions & _built_in_functions() or self._aggregates & _built_in_aggregates():
            return False
        for name in self._tables:
            self.deregister_table(name)
        for name in self._functions:
            self.deregister_udf(name)
        for name in self._aggregates:
            self.deregister_udaf(name)
        for names in (self._tables, self._functions, self._aggregates):
            names.clear()
        return not self.catalog().schema().names()


@cache
def _built_in_functions() -> frozenset[str]:
    return frozenset(SessionContext().udfs())


@cache
def _built_in_aggregates() -> frozenset[str]:
    session = SessionContext()
    return frozenset({*session.udafs(), *session.udwfs()})


class Sessions:
    """The sessions of a process that answers one query at a time, by how many partitions they have."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._kept: dict[int, Session] = {}

    @contextmanager
    def session(self, input_rows: int) -> Iterator[Session]:
        """An empty one, for one query. input_rows: about how many rows the query reads."""
        partitions = partitions_for(self._settings, input_rows)
        session = self._kept.pop(partitions, None) or new_session(self._settings, partitions)
        # Anything but a good end, and it is not used again.
        yield session
        if session.empty():
            self._kept[partitions] = session


def new_session(settings: EngineSettings, partitions: int) -> Session:
    """An empty session."""
    config = (
        SessionConfig()
        .with_target_partitions(partitions)
        .with_information_schema(enabled=False)
        # Views of strings would make the type of a column depend on what was done to it; the
        # signatures of our functions, and the encoding of results, name one string type.
        .set("datafusion.sql_parser.map_string_types_to_utf8view", "false")
        .set("datafusion.execution.parquet.schema_force_view_types", "false")
        # That for PostgreSQL reads the arguments of each call twice, and of calls in these four times …
        .set("datafusion.sql_parser.dialect", "Generic")
        # Filters that min and max aggregates hand to files lose rows where a file has only NULLs.
        .set("datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown", "false")
        # A sort of each part of a UNION forgets the keys that are constant there, and all parts leave out
        # rows behind the best of any one, by the keys that are left.
        .set("datafusion.optimizer.repartition_sorts", "false")
        # What a statement may be is bounded on its tokens (`kalam_pg.sql.limits`).
        .set("datafusion.sql_parser.recursion_limit", "1000")
    )
    runtime = RuntimeEnvBuilder().with_fair_spill_pool(settings.pool_bytes)
    if settings.spill_directory is None:
        runtime = runtime.with_disk_manager_disabled()
    else:
        runtime = runtime.with_disk_manager_specified(settings.spill_directory)
    return Session(config, runtime, partitions)


def partitions_for(settings: EngineSettings, input_rows: int) -> int:
    """How many partitions a query of so many input rows is worth."""
    return 1 if input_rows <= SMALL_ROWS else settings.partitions


def plan(session: SessionContext, sql: str) -> DataFrame:
    """Plan one query. DDL, DML and SET are refused by DataFusion itself."""
    return session.sql_with_options(sql, _QUERIES_ONLY)


def register_batches(
    session: SessionContext,
    name: str,
    schema: pa.Schema,
    batches: Sequence[pa.RecordBatch],
    partitions: int = 1,
    named: Mapping[str, str] | None = None,
) -> None:
    """A table of batches in memory, its columns those of `schema` (batches may have more, and lists where it
    has room for shapes).

    named: what columns are called in the table, if otherwise. The batches are dealt out to `partitions`,
    which spares DataFusion an exchange of its own.
    """
    names = schema.names
    wide = shaped_columns(schema)
    # A table of no batches has no schema in DataFusion.
    chosen = [in_shaped(batch.select(names), wide) for batch in batches] or [
        pa.RecordBatch.from_pylist([], schema=schema)
    ]
    if named:
        chosen = [batch.rename_columns([named[name] for name in names]) for batch in chosen]
    share = -(-len(chosen) // max(1, min(partitions, len(chosen))))
    parts = [chosen[start : start + share] for start in range(0, len(chosen), share)]
    session.register_record_batches(name, parts)
