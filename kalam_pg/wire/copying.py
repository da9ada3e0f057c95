"""Sending what COPY TO writes ("COPY Operations" in the manual), no faster than the client reads."""

from typing import TYPE_CHECKING

from kalam_pg.pgwire.encode import COPY_DONE
from kalam_pg.query.execution import Result
from kalam_pg.query.portion import Portion
from kalam_pg.query.row_source import Whole
from kalam_pg.query.waits import Steps
from kalam_pg.wire.results import ROWS_PER_STEP, let_read, send_portion, time_left_s

if TYPE_CHECKING:
    from kalam_pg.wire.session import WireSession


def send_copy(session: "WireSession", result: Result) -> Steps[int]:
    """CopyOutResponse, a CopyData for each row, CopyDone; how many rows there were."""
    writer = result.copy
    assert writer is not None
    source = result.source or Whole(result.rows)
    session.send(writer.response)
    count = 0
    timeout_s = time_left_s(result)

    def encode(portion: Portion) -> bytes:
        return writer.rows(portion.rows())

    while len(portion := (yield from source.take(ROWS_PER_STEP))):
        yield from send_portion(session, portion, encode, None, timeout_s)
        count += len(portion)
        yield from let_read(session, patient=source.patient)
    session.send(writer.end + COPY_DONE)
    return count
