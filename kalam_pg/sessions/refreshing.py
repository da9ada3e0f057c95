"""CREATE MATERIALIZED VIEW … WITH DATA, and REFRESH: the rows of a query in the place of those of before.

They are the caller's own where each user has theirs. A REFRESH is one transaction: who reads sees the rows
of before or those of after, and nobody waits but another REFRESH of the same rows. CONCURRENTLY changes
only the rows that are not the same any more, which is all that a subscription is told.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from catalog.changes import with_tables, with_views
from catalog.errors import (
    CardinalityViolationError,
    FeatureNotSupportedError,
    ObjectNotInPrerequisiteStateError,
    SqlSyntaxError,
    UniqueViolationError,
)
from catalog.model import Index, Table, as_view
from catalog.pg_catalog.text import qualified
from catalog.pg_catalog.visible import columns as shown_columns
from catalog.privileges import Action, require
from catalog.snapshot import Snapshot
from kalam_pg.query import elsewhere, populated, row_changes
from kalam_pg.query.ddl_context import relation_in
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.insert import open_target
from kalam_pg.query.locks.modes import ACCESS_EXCLUSIVE
from kalam_pg.query.prepare import Planned
from kalam_pg.query.rows import newest
from kalam_pg.query.waits import Pace, Steps
from kalam_pg.sessions import definitions, table_locks, truncating
from kalam_pg.sessions.nested import counting_from
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.statements import QueryStatement, TableName
from kalam_pg.sql.statements_derived import CreateMaterializedView, RefreshMaterializedView
from storage.errors import KalamError
from storage.layout import Row

_SOURCE = "\x01"
"""In a catalogue of its own, behind a materialized view's name: the view of its query. No name has it."""


def create(sql: SqlSession, statement: CreateMaterializedView) -> Steps[Result]:
    """Make the view, and fill it. Raises what both raise."""
    with counting_from(statement.query):
        before = sql.snapshot.tables.keys()
        made = yield from definitions.run(sql, statement)
        if made.tag != "SELECT":
            return made
        view = sql.snapshot.tables[max(sql.snapshot.tables.keys() - before)]  # Its id is new.
        count = yield from _fill(sql, view)
    return Result("SELECT", count)


def refresh(sql: SqlSession, statement: RefreshMaterializedView) -> Steps[Result]:
    """Raises 25006, 42P01, 42809, 42501, 55000, 0A000, 21000, 23505, 55P03, 40P01, 57014."""
    transaction = sql.begin_implicit()
    transaction.check_usable()
    transaction.check_writable("REFRESH MATERIALIZED VIEW")
    view = yield from truncating.lock_table(sql, lambda: _found(sql, statement.name))
    if statement.concurrently and not statement.with_data:
        raise SqlSyntaxError("CONCURRENTLY and WITH NO DATA options cannot be used together")
    if statement.concurrently:
        yield from _exchange(sql, view)
    else:
        yield from truncating.empty(sql, view, sql.user)
        populated.note(transaction, view, sql.user, populated=False)
        if statement.with_data:
            yield from _refill(sql, view)
    return Result("REFRESH MATERIALIZED VIEW")


def _refill(sql: SqlSession, view: Table) -> Steps[None]:
    """As `_fill`; what would come twice in a unique index is told as PostgreSQL does, which makes it anew."""
    try:
        yield from _fill(sql, view)
    except UniqueViolationError as error:
        raise UniqueViolationError(
            f'could not create unique index "{error.constraint}"',
            detail=error.detail.replace("already exists", "is duplicated"),
            schema=error.schema,
            table=error.table,
            constraint=error.constraint,
        ) from error


def _found(sql: SqlSession, name: TableName) -> Table:
    view = relation_in(sql.snapshot, sql.search_path, replace(name, position=0))
    if not isinstance(view, Table) or view.materialized is None:
        raise FeatureNotSupportedError(f'"{view.name}" is not a materialized view')
    if not view.per_user:
        require(sql.user, Action.DROP_VIEW, view)  # Everybody else reads what it reads.
    return view


def _fill(sql: SqlSession, view: Table) -> Steps[int]:
    """Put the rows that its query gives into an empty view; how many."""
    names = ", ".join(_quoted(column.name) for column in shown_columns(view))
    text = f"INSERT INTO {_name(view)} ({names}) SELECT * FROM {_source(view)}"  # noqa: S608 -- quoted
    planned = yield from _planned(sql, view, text)
    put = yield from sql.run_planned(planned)
    populated.note(sql.begin_implicit(), view, sql.user, populated=True)
    return put.count or 0


def _planned(sql: SqlSession, view: Table, text: str) -> Steps[Planned]:
    """A statement that means the view as a table, and its query as a view; what it reads is locked."""
    (statement,) = sql.cache.statements(text)
    assert isinstance(statement, QueryStatement)

    def plan() -> Planned:
        try:
            return sql.cache.plan(
                statement,
                _taken_apart(sql.snapshot, view),
                sql.search_path,
                sql.settings.types,
                now_us=sql.begin_implicit().started_us,
                cached=False,
            )
        except KalamError as error:
            error.position = 0  # It counts in a text that the client has not sent.
            raise

    planned = plan()
    if not table_locks.lock_nowait(sql, planned):
        planned = yield from table_locks.wait(sql, plan)
    return planned


def _taken_apart(snapshot: Snapshot, view: Table) -> Snapshot:
    source = as_view(view)
    assert source is not None
    source = replace(source, id=-1, name=view.name + _SOURCE)
    table = replace(view, materialized=None)
    return with_tables(with_views(snapshot, {source.id: source}), {table.id: table})


def _name(view: Table) -> str:
    return qualified(view.namespace, view.name)


def _source(view: Table) -> str:
    return f"{_quoted(view.namespace)}.{_quoted(view.name + _SOURCE)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# ------------------------------------------------------------------ CONCURRENTLY


def _exchange(sql: SqlSession, view: Table) -> Steps[None]:
    """Delete the rows that the query does not give any more, and put those that are new."""
    transaction = sql.begin_implicit()
    if not any(map(_tells_rows_apart, view.indexes)):
        raise ObjectNotInPrerequisiteStateError(
            f'cannot refresh materialized view "{_name(view)}" concurrently',
            hint="Create a unique index with no WHERE clause on one or more columns of the "
            "materialized view.",
        )
    tablet = sql.database.tablet(view, sql.user).id
    sql.database.locks.guard(tablet)
    deadline = table_locks.statement_deadline(sql)
    while (yield from table_locks.lock(sql, tablet, ACCESS_EXCLUSIVE, deadline)):
        pass
    x = sql.execution(())
    try:
        if not populated.is_populated(transaction, x.view, view, sql.user):
            raise FeatureNotSupportedError(
                "CONCURRENTLY cannot be used when the materialized view is not populated"
            )
        new = yield from _rows(sql, view, f"SELECT * FROM {_source(view)}")  # noqa: S608 -- quoted
        old = yield from _rows(sql, view, f"SELECT *, _rowid FROM {_name(view)}")  # noqa: S608 -- quoted
        wanted = Counter(new)
        _check_distinct(sql, view, wanted)
        yield from _change(x, sql, view, wanted, old)
        yield from x.settle()
    finally:
        x.close()


def _tells_rows_apart(index: Index) -> bool:
    return index.unique and not index.where and all(key.column for key in index.keys)


def _rows(sql: SqlSession, view: Table, text: str) -> Steps[Sequence[Row]]:
    planned = yield from _planned(sql, view, text)
    result = yield from sql.run_planned(planned)
    try:
        return result.rows if result.source is None else (yield from result.source.every())
    finally:
        result.close()


def _check_distinct(sql: SqlSession, view: Table, rows: Counter[Row]) -> None:
    """Raise 21000 for a row that comes twice, and has no NULL to be another one by."""
    for row, count in rows.items():
        if count > 1 and None not in row:
            kinds = [column.type for column in shown_columns(view)]
            types = sql.types_for(kinds)
            values = [kind.output(value, types) for kind, value in zip(kinds, row, strict=True)]
            raise CardinalityViolationError(
                f'new data for materialized view "{view.name}" contains duplicate rows '
                "without any null columns",
                detail=f"Row: ({','.join(values)})",
            )


def _change(
    x: Execution, sql: SqlSession, view: Table, wanted: Counter[Row], old: Iterable[Row]
) -> Steps[None]:
    target = open_target(x, sql.cache.rules(view, sql.snapshot))
    pace = Pace()
    for row in old:
        values = row[:-1]
        if wanted[values]:
            wanted[values] -= 1
        else:
            found = yield from newest(x, target, target.rules.key_of(row))
            yield from row_changes.remove(x, target, row, found.seq)
        if pace.is_due():
            yield from elsewhere.rest(x, pace)
    next_key = target.rules.defaults[-1]
    assert next_key is not None, "the hidden key is the last column"
    for values in wanted.elements():
        yield from row_changes.insert(x, target, (*values, next_key((), x.context)))
        if pace.is_due():
            yield from elsewhere.rest(x, pace)
