"""ANALYZE, VACUUM, CHECKPOINT and REINDEX, of which this server leaves little to do.

Statistics are counted as rows are written, and compaction takes away what is superseded, by itself. So
these look at names and rights as PostgreSQL does; VACUUM FULL compacts, and CHECKPOINT waits for the disk.
"""

from collections.abc import Sequence

from catalog.errors import (
    ActiveSqlTransactionError,
    DuplicateColumnError,
    FeatureNotSupportedError,
    InsufficientPrivilegeError,
    UndefinedColumnError,
    UndefinedTableError,
)
from catalog.model import Role, Table, TableKind
from catalog.privileges import Action, allowed
from kalam_pg.query.execution import Result
from kalam_pg.query.perspective import virtual_columns
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.sessions import operations, reindexing
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.statements_maintenance import (
    Analyze,
    Checkpoint,
    MaintenanceStatement,
    Reindex,
    Target,
    Vacuum,
)
from storage.engine import WriteSet

STATEMENTS = (Analyze, Vacuum, Checkpoint, Reindex)


def run(sql: SqlSession, statement: MaintenanceStatement) -> Steps[Result]:
    """Run one of `STATEMENTS`. Raises 25001, 42501, 42P01, 42703, and what a compaction raises."""
    match statement:
        case Analyze(targets, verbose):
            _told(
                sql,
                _tables(sql, targets, "analyze"),
                "rows are counted as they are written",
                verbose=verbose,
            )
            return Result("ANALYZE")
        case Vacuum():
            yield from _vacuum(sql, statement)
            return Result("VACUUM")
        case Reindex():
            reindexing.reindex(sql, statement)
            return Result("REINDEX")
        case Checkpoint():
            if sql.user.role.rank < Role.DBA.rank:
                raise InsufficientPrivilegeError(
                    "must be superuser or have privileges of pg_checkpoint to do CHECKPOINT"
                )
            committer = sql.database.committer
            yield from run_async(lambda: committer.commit(WriteSet([], [], [], sync=True)))
            return Result("CHECKPOINT")


def _vacuum(sql: SqlSession, statement: Vacuum) -> Steps[None]:
    if sql.transaction is not None and sql.transaction.block:
        raise ActiveSqlTransactionError("VACUUM cannot run inside a transaction block")
    if not statement.analyze and any(target.columns for target in statement.targets):
        raise FeatureNotSupportedError(
            "ANALYZE option must be specified when a column list is provided"
        )
    tables = _tables(sql, statement.targets, "vacuum")
    _told(sql, tables, "superseded rows go by compaction", verbose=statement.verbose)
    if statement.full:
        for table in tables:
            if table.kind is not TableKind.STREAM:
                yield from operations.compact(sql, table)


def _told(sql: SqlSession, tables: Sequence[Table], what: str, *, verbose: bool) -> None:
    """For VERBOSE: what there was to do."""
    for table in tables if verbose else ():
        sql.notice(f'"{table.namespace}.{table.name}": {what}, nothing was to do', severity="INFO")


def _tables(sql: SqlSession, targets: Sequence[Target], verb: str) -> list[Table]:
    """The named tables that the user may look after, or all; what is skipped is told."""
    if not targets:
        return [t for t in sql.snapshot.tables.values() if allowed(sql.user, Action.COMPACT, t)]
    found = (_table(sql, target, verb) for target in targets)
    return [table for table in found if table is not None]


def _table(sql: SqlSession, target: Target, verb: str) -> Table | None:
    name = target.name
    relation = sql.snapshot.find(name.schema, name.name, sql.search_path)
    why = ""
    if relation is None:
        if virtual_columns(name.schema or "pg_catalog", name.name) is None:
            raise UndefinedTableError(f'relation "{name}" does not exist')
        if sql.user.role is Role.SYSTEM:
            return None
        why = f"only superuser can {verb} it"
    elif not isinstance(relation, Table):
        why = f"cannot {verb} non-tables or special system tables"
    elif not allowed(sql.user, Action.COMPACT, relation):
        why = f"only table or database owner can {verb} it"
    if not isinstance(relation, Table) or why:
        sql.notice(f'skipping "{name.name}" --- {why}', severity="WARNING", sqlstate="01000")
        return None
    _check_columns(relation, target.columns)
    return relation


def _check_columns(table: Table, columns: Sequence[str]) -> None:
    there = {column.name for column in table.columns}
    for at, column in enumerate(columns):
        if column not in there:
            raise UndefinedColumnError(
                f'column "{column}" of relation "{table.name}" does not exist'
            )
        if column in columns[:at]:
            raise DuplicateColumnError(
                f'column "{column}" of relation "{table.name}" appears more than once'
            )
