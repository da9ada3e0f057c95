"""One statement in one step: a pipeline of Bind, Execute and Sync, or a simple Query, of a quick form.

The extended protocol makes five messages of one INSERT, and each has its flow. When they come together,
and the statement is one of `query.quick`, all that they ask for is done here at once: parameters in, one
lookup or one write set, one piece of bytes out; outside a block as a transaction, inside as a step of it.
Anything unusual, errors included, is *not done*: nothing has changed then, and the flows start from the
same bytes.
"""

from enum import Enum
from struct import error as StructError  # noqa: N812 -- it is an exception class
from typing import TYPE_CHECKING

from kalam_pg.functions.cost import BUDGET_US
from kalam_pg.functions.table import EvalContext
from kalam_pg.pgwire.peek import Pipeline, peek_again, peek_pipeline, peek_query
from kalam_pg.query.quick import QuickReading
from kalam_pg.query.quick_rows import NotQuickError
from kalam_pg.query.transaction import Transaction
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.wire.quick_statement import Params, QuickBind, QuickFormat, QuickStatement
from storage.errors import KalamError

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession
    from kalam_pg.wire.session import WireSession


class Outcome(Enum):
    """What became of a try to be quick.

    COMMITTING: the session's `quick_commit` answers when it is done, and tells the transport.
    """

    ANSWERED = "answered"
    COMMITTING = "committing"
    NOT_DONE = "not done"


ANSWERED, COMMITTING, NOT_DONE = Outcome.ANSWERED, Outcome.COMMITTING, Outcome.NOT_DONE


_BINDS_MAX = 256
_NAME_CHARS_MAX = 63


def be_quick(session: "WireSession", sql: "SqlSession") -> Outcome:
    """Do what the next messages ask for in one step."""
    if session.quick_commit.failed:
        session.quick_commit.failed = False
        return NOT_DONE
    if sql.database.locks.strong:
        return NOT_DONE  # A table is being altered: who reads it may have to wait.
    decoder = session.decoder
    bound = session.quick_bind
    if bound is not None:
        found = peek_again(decoder, bound.again)
        if found is not None and bound.is_good(sql):
            return _run_bound(session, sql, bound, *found)
    pipeline = peek_pipeline(decoder)
    if pipeline is not None:
        bound = _bound(session, sql, pipeline)
        if bound is None:
            return NOT_DONE
        session.quick_bind = bound
        found = peek_again(decoder, bound.again)
        return NOT_DONE if found is None else _run_bound(session, sql, bound, *found)
    query = peek_query(decoder)
    if query is not None:
        shaped = session.shapes.again(sql, query.text)
        if shaped is not None:
            sql.text = query.text
            return run_simple(session, sql, *shaped, query.size)
    return NOT_DONE


def _bound(session: "WireSession", sql: "SqlSession", pipeline: Pipeline) -> QuickBind | None:
    """How the statement of a pipeline was bound before, or is now; None if it is not quick."""
    name = pipeline.statement
    prepared = sql.prepared.get(name)
    if prepared is None or len(name) > _NAME_CHARS_MAX:
        return None
    try:
        bound = session.quick_binds.get(name)
        if bound is None or not (bound.again.fits(pipeline) and bound.is_good(sql)):
            quick = _quick(sql, prepared)
            if quick is None:
                return None
            bound = QuickBind(prepared, quick, pipeline)
            if len(session.quick_binds) >= _BINDS_MAX:
                session.quick_binds.clear()
            session.quick_binds[name] = bound
    except (KalamError, NotQuickError):
        return None  # The general way finds the same error and tells it.
    return bound


def _run_bound(
    session: "WireSession", sql: "SqlSession", bound: QuickBind, start: int, stop: int, size: int
) -> Outcome:
    """Run a bound statement, its parameters in the decoder's [start:stop], `size` bytes in all."""
    try:
        params = bound.params(session.decoder.buffer, start, stop)
        sql.text = bound.prepared.text
        return _run(session, sql, bound.quick, bound.format, params, size)
    except (KalamError, NotQuickError, StructError):
        return NOT_DONE


def run_simple(
    session: "WireSession",
    sql: "SqlSession",
    prepared: PreparedStatement,
    params: Params,
    size: int,
) -> Outcome:
    """Do what a Query of `size` bytes asks for, its literals taken out as `params`."""
    quick = _quick(sql, prepared)
    if quick is None or sql.database.locks.strong:
        return NOT_DONE
    try:
        done = _run(session, sql, quick, quick.simple, params, size)
    except (KalamError, NotQuickError):
        return NOT_DONE
    sql.prepared.drop("")  # A simple Query ends the unnamed statement.
    return done


def _run(
    session: "WireSession",
    sql: "SqlSession",
    quick: QuickStatement,
    how: QuickFormat,
    params: Params,
    size: int,
) -> Outcome:
    """Run a statement that the next `size` bytes ask for. Raises NotQuickError, and what closures raise."""
    write, context, transaction = quick.write, quick.context, sql.transaction
    context.params = params
    if quick.timed:
        context.now_us = context.statement_us = sql.database.now_us()
        context.left_us = BUDGET_US
        if transaction is not None:
            context.now_us = transaction.started_us
    if write is not None:
        if transaction is not None:
            answer = how.written[write.put(context, transaction)]
        elif session.quick_commit.begin(sql, write, quick, how, size):
            return COMMITTING
        else:
            answer = how.written[0]
    elif transaction is not None and not _is_apart(quick.read, transaction):
        return NOT_DONE
    else:
        answer = _answer(how, context)
    session.decoder.skip(size)
    if session.held:
        session.release()
    session.outbox += answer
    if transaction is not None:
        transaction.read.update(quick.reads)
        transaction.queried = True
        session.outbox[-1:] = b"T"  # The status that ReadyForQuery ends with.
    return ANSWERED


def _answer(how: QuickFormat, context: EvalContext) -> bytes:
    """The answer of a read. Raises what `_run` raises."""
    try:
        return how.answer(context)
    except (KalamError, NotQuickError):
        raise
    except Exception as exc:
        # A fault of ours: nothing has been done yet, and the general way tells it and keeps the session.
        raise NotQuickError from exc


def _is_apart(read: QuickReading | None, transaction: Transaction) -> bool:
    """Whether a block has changed nothing of what is read in it."""
    return not transaction.changes or (read is not None and read.is_apart(transaction))


def _quick(sql: "SqlSession", prepared: PreparedStatement) -> QuickStatement | None:
    """The statement's short way, if it has one now."""
    quick: QuickStatement | None = prepared.quick
    if quick is None or not quick.validity.holds(sql):
        planned = prepared.current(sql)
        if planned is None:
            return None  # The general way plans it anew.
        quick = prepared.quick = QuickStatement(sql, prepared, planned)
    return None if quick.form is None else quick
