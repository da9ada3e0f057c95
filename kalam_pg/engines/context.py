"""Making the DataFusion session of one query: it knows the tables that the query names, and no more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from datafusion import (
    DataFrame,
    RuntimeEnvBuilder,
    SessionConfig,
    SessionContext,
    SQLOptions,
)

SMALL_ROWS = 100_000
"""Up to this many input rows one partition is faster: splitting work costs about 0.2 ms."""

# A second fence behind the typed tree: nothing but queries.
_QUERIES_ONLY = (
    SQLOptions()
    .with_allow_ddl(allow=False)
    .with_allow_dml(allow=False)
    .with_allow_statements(allow=False)
)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What is the same for every query of a worker.

    partitions: how many cores a large query uses. pool_bytes: memory that sorts, joins and
    groupings share before they spill to `spill_directory` (or fail with 53200 without one).
    """

    partitions: int = 2
    pool_bytes: int = 1 << 30
    spill_directory: Path | None = None


def new_session(settings: EngineSettings, input_rows: int) -> SessionContext:
    """An empty session. input_rows: about how many rows the query reads."""
    partitions = partitions_for(settings, input_rows)
    config = (
        SessionConfig()
        .with_target_partitions(partitions)
        .with_information_schema(enabled=False)
        # Views of strings would make the type of a column depend on what was done to it; the
        # signatures of our functions, and the encoding of results, name one string type.
        .set("datafusion.sql_parser.map_string_types_to_utf8view", "false")
        .set("datafusion.execution.parquet.schema_force_view_types", "false")
        .set("datafusion.sql_parser.dialect", "PostgreSQL")
        # Filters that min and max aggregates hand to files lose rows where a file has only NULLs.
        .set("datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown", "false")
        # What a statement may be is bounded on its tokens (`kalam_pg.sql.limits`).
        .set("datafusion.sql_parser.recursion_limit", "1000")
    )
    runtime = RuntimeEnvBuilder().with_fair_spill_pool(settings.pool_bytes)
    if settings.spill_directory is None:
        runtime = runtime.with_disk_manager_disabled()
    else:
        runtime = runtime.with_disk_manager_specified(settings.spill_directory)
    return SessionContext(config, runtime)


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
    """A table of batches in memory, its columns those of `schema` (batches may have more).

    named: what columns are called in the table, if otherwise. The batches are dealt out to `partitions`,
    which spares DataFusion an exchange of its own.
    """
    names = schema.names
    # A table of no batches has no schema in DataFusion.
    chosen = [batch.select(names) for batch in batches] or [
        pa.RecordBatch.from_pylist([], schema=schema)
    ]
    if named:
        chosen = [batch.rename_columns([named[name] for name in names]) for batch in chosen]
    share = -(-len(chosen) // max(1, min(partitions, len(chosen))))
    parts = [chosen[start : start + share] for start in range(0, len(chosen), share)]
    session.register_record_batches(name, parts)
