"""COPY … TO STDOUT: the rows of a query, written in one of COPY's formats."""

from collections.abc import Sequence
from dataclasses import replace

from catalog.errors import (
    DuplicateColumnError,
    FeatureNotSupportedError,
    InvalidColumnReferenceError,
    UndefinedColumnError,
    UndefinedParameterError,
    WrongObjectTypeError,
)
from catalog.model import Table, kind_of
from kalam_pg.query.execution import Result
from kalam_pg.query.perspective import virtual_columns
from kalam_pg.query.waits import Steps
from kalam_pg.rows.copying import CopyWriter
from kalam_pg.sessions import following, long_texts, subscribing, table_locks
from kalam_pg.sessions.copy_ends import check_client, not_there, with_encoding
from kalam_pg.sessions.nested import counting_from
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.copy_options import CopyFormat, copy_format
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import QueryStatement
from kalam_pg.sql.statements_copy import CopyTo
from kalam_pg.sql.statements_live import Subscribe
from kalam_pg.sql.tree import OutputColumn


def run(sql: SqlSession, statement: CopyTo) -> Steps[Result]:
    """The rows, to be written by `Result.copy`.

    Raises 42501, 42P01, 42703, 42809, what `copy_format` raises, 42P10, and what the query raises.
    """
    check_client(sql, statement.target, reading=False)
    query = statement.query
    if query is None:
        query = _query_of_table(sql, statement)
    form = with_encoding(sql, copy_format(statement.options))
    if isinstance(query, Subscribe):
        return (yield from _subscribe(sql, query, form, statement))
    if query.kind == "merge":
        raise FeatureNotSupportedError("MERGE not supported in COPY")
    if query.kind != "select" and not query.tree.args.get("returning"):
        raise FeatureNotSupportedError("COPY query must have a RETURNING clause")
    with counting_from(query):
        planned = yield from long_texts.in_turn(sql, query.text, lambda: sql.plan(query))
        _check_force_quote(sql, statement, form, planned.columns)
        if (planned.reads or planned.locks) and not table_locks.lock_nowait(sql, planned):
            planned = yield from table_locks.wait(sql, lambda: sql.plan(query))
        result = yield from sql.run_planned(planned)
    return _written(sql, result, form, planned.columns)


def _subscribe(
    sql: SqlSession, query: Subscribe, form: CopyFormat, statement: CopyTo
) -> Steps[Result]:
    """COPY (SUBSCRIBE …), which has no end."""
    following.check_options(query.options, "COPY")
    planned = subscribing.prepare(sql, query, ())
    if planned.param_types:
        raise UndefinedParameterError("there is no parameter $1")
    columns = following.columns(query.options, planned)
    _check_force_quote(sql, statement, form, columns)
    source = yield from following.open_rows(sql, query, planned, (), form="copy", in_parts=False)
    return _written(sql, Result("COPY", source=source), form, columns)


def _written(
    sql: SqlSession, result: Result, form: CopyFormat, columns: tuple[OutputColumn, ...]
) -> Result:
    """A query's answer as that of COPY."""
    types = sql.types_for([column.type for column in columns])
    return replace(
        result, tag="COPY", count=None, columns=(), copy=CopyWriter(columns, form, types)
    )


def _query_of_table(sql: SqlSession, statement: CopyTo) -> QueryStatement:
    """The query of a table's rows. Raises 3F000, 42P01, 42809, 42703, 42701."""
    name = statement.table
    assert name is not None
    relation = sql.snapshot.find(name.schema, name.name, sql.search_path)
    columns = ", ".join([_quoted(column) for column, _ in statement.columns]) or "*"
    if isinstance(relation, Table) and relation.materialized is None:
        known = [column.name for column in relation.columns if column.name != "_rowid"]
        named = [column for column, _ in statement.columns]
        check_names(named, known, relation.name)
        check_not_generated(named, relation)
        ordinary = [c.name for c in relation.columns if c.name in known and not c.generated]
        if not named and len(ordinary) < len(known):
            columns = ", ".join(map(_quoted, ordinary))
    elif relation is not None:
        raise WrongObjectTypeError(
            f'cannot copy from {kind_of(relation)} "{relation.name}"',
            hint="Try the COPY (SELECT ...) TO variant.",
        )
    elif virtual_columns(name.schema or "pg_catalog", name.name) is None:
        raise not_there(sql, name)
    table = ".".join([_quoted(part) for part in (name.schema, name.name) if part])
    (query,) = parse(f"SELECT {columns} FROM {table}")  # noqa: S608 -- quoted names
    assert isinstance(query, QueryStatement)
    return query


def _check_force_quote(
    sql: SqlSession, statement: CopyTo, form: CopyFormat, columns: tuple[OutputColumn, ...]
) -> None:
    """Raise 42703, 42701 or 42P10 unless what is to be quoted is written."""
    written, named = [column.name for column in columns], form.force_quote or ()
    name = statement.table
    relation = name and sql.snapshot.find(name.schema, name.name, sql.search_path)
    if isinstance(relation, Table):
        check_names(named, [column.name for column in relation.columns], relation.name)
    else:
        check_names(named, written)
    for column in named:
        if column not in written:
            raise InvalidColumnReferenceError(
                f'FORCE_QUOTE column "{column}" not referenced by COPY'
            )


def check_names(names: Sequence[str], known: Sequence[str], table: str = "") -> None:
    """Raise 42703 or 42701. table: whose columns they are, of a query's none."""
    of = f' of relation "{table}"' if table else ""
    for at, name in enumerate(names):
        if name not in known:
            raise UndefinedColumnError(f'column "{name}"{of} does not exist')
        if name in names[:at]:
            raise DuplicateColumnError(f'column "{name}" specified more than once')


def check_not_generated(names: Sequence[str], table: Table) -> None:
    """Raise 42P10 for a generated column among those that are written or read."""
    for column in table.columns:
        if column.generated and column.name in names:
            raise InvalidColumnReferenceError(
                f'column "{column.name}" is a generated column',
                detail="Generated columns cannot be used in COPY.",
            )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
