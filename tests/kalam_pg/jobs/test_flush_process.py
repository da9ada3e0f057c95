"""A large flush is decoded, sorted and encoded in a process of its own, which may be lost."""

import errno
import os
import pickle
import signal
import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.errors import AdminShutdownError, InsufficientResourcesError, SystemFailureError
from kalam_pg.jobs import flush_process
from kalam_pg.jobs.flush_frames import FlushFrame, Link
from kalam_pg.jobs.flush_process import FlushProcess
from storage import failpoints
from storage.cold.encoder import LogJob, LogRange, encode
from storage.cold.flush import flush
from storage.errors import DataCorruptedError, DiskFullError, IoError
from storage.fs import OS
from storage.keys import encode_key, log_key
from storage.log.log_entry import Op, encode_entry
from storage.tail.entries import chunks
from tests.kalam_pg.jobs.forks import FORKS
from tests.storage.cold.test_flush import House, crash
from tests.storage.crashing_fs import CrashError
from tests.storage.fake_log import TABLET, FakeEngine, Write
from tests.storage.test_tablet import LAYOUT, open_tablet, scan

pytestmark = pytest.mark.slow  # Each starts a process or two.


@pytest.fixture(scope="module")
def shared():
    """A process for tests that leave it alive."""
    process = FlushProcess(FORKS)
    yield process
    process.close()


@pytest.fixture
def elsewhere(monkeypatch):
    """However few tablets there are, the process does it."""
    monkeypatch.setattr(flush_process, "FEW_TABLETS", 0)


def entries(rows, *, op=Op.INSERT, start=1):
    """Log pairs of single-row commits."""
    return [
        (log_key(TABLET, start + at, 0), encode_entry(op, 1, (at, f"row {at}", at), None))
        for at in range(rows)
    ]


def log_job(pairs, **how):
    return LogJob(LogRange(TABLET, (LAYOUT,), 0, 10**9), chunks(pairs), **how)


def told(encoder, jobs):
    """What an encoder answers, with the bytes of the files."""
    found = []
    with closing(encoder(jobs)) as answers:
        for answer in answers:
            if isinstance(answer, Exception):
                found.append((type(answer), str(answer)))
            else:
                segments = [(s.facts, b"".join(map(bytes, s.pieces))) for s in answer.segments]
                found.append((answer.superseded, answer.truncations, segments))
    return found


def test_what_the_process_answers_is_what_encoding_here_answers(shared):
    def jobs():
        damaged = [*entries(2000), (log_key(TABLET, 5000, 0), b"\1nonsense")]
        truncated = [*entries(2000), *entries(1, op=Op.TRUNCATE, start=3000)]
        return [
            log_job(entries(3000)),
            log_job(damaged),
            log_job([*truncated, *entries(5, start=4000)]),
            log_job(entries(20, op=Op.UPDATE), small=True),
            log_job([]),
        ]

    answers = told(shared.encode, jobs())
    assert answers == told(encode, jobs())
    assert answers[0][2][0][0].rows == 3000
    assert answers[1][0] is DataCorruptedError
    assert answers[2][1] == (3000,)
    assert answers[2][2][0][0].rows == 5
    assert answers[3][0] == 20
    assert answers[4] == (0, (), [])


def test_a_loaded_tail_is_encoded_there_from_its_batches(tmp_path, shared, elsewhere, monkeypatch):
    monkeypatch.setattr(flush_process, "BATCH_BYTES", 1000)
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path)
    for number in range(300):
        put(engine, number)
    tablet.install(tablet.load(engine.view()))
    for number in range(0, 300, 3):
        engine.commit(Write(Op.DELETE, key(number), row(number), row(number)))
    frozen = tablet.frozen(engine.view())
    assert told(shared.encode, [frozen]) == told(encode, [frozen])


def key(number):
    return encode_key([number], ["int"])


def row(number):
    return (number, f"row {number}", number)


def put(engine, number):
    engine.commit(Write(Op.INSERT, key(number), row(number), None))


@pytest.mark.parametrize("loaded", [True, False], ids=["from tail", "from log"])
def test_no_row_of_a_large_flush_is_decoded_or_encoded_here(tmp_path, shared, monkeypatch, loaded):
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path)
    for number in range(1500):
        put(engine, number)
    if loaded:
        tablet.install(tablet.load(engine.view()))

    def here(*_):
        raise AssertionError("in the server")

    with monkeypatch.context() as patched:
        patched.setattr("storage.tail.entries.decode_entry", here)
        patched.setattr("storage.cold.encoder.encode_segments", here)
        patched.setattr("storage.cold.segment.encode_key", here)
        patched.setattr("storage.cold.segment.pq.write_table", here)
        result = flush(engine, tablet, encoder=shared.encode)
    assert (result.rows, result.segments) == (1500, 1)
    assert scan(tablet, engine.view()) == {(n,): (n + 1, row(n)) for n in range(1500)}


def test_a_few_rows_need_no_process(tmp_path):
    process = FlushProcess(FORKS)
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path)
    for number in range(20):
        put(engine, number)
    assert flush(engine, tablet, encoder=process.encode).rows == 20
    assert process.pid is None


def test_a_process_that_dies_fails_its_flush_and_the_next_one_has_another(tmp_path, elsewhere):
    process = FlushProcess(FORKS)
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path)
    for number in range(10):
        put(engine, number)

    def killing(jobs):
        (job,) = jobs

        def dying():
            for chunk in job.chunks:
                yield chunk
                os.kill(process.pid, signal.SIGKILL)

        return process.encode([replace(job, chunks=dying())])

    with pytest.raises(SystemFailureError, match="ended by signal SIGKILL"):
        flush(engine, tablet, encoder=killing)
    assert process.pid is None
    assert tablet.manifest.version == 0
    assert flush(engine, tablet, encoder=process.encode).rows == 10
    process.close()
    assert process.pid is None


def test_a_process_that_dies_amid_its_answer_fails_its_flush(tmp_path, elsewhere):
    process = FlushProcess(FORKS)
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path)
    for number in range(4):  # Far more than a socket holds unread, and it cannot be compressed.
        engine.commit(
            Write(Op.INSERT, key(number), (number, os.urandom(1 << 20).hex(), number), None)
        )

    def killing(jobs):
        with closing(process.encode(jobs)) as answers:
            answer = next(answers)
            os.kill(process.pid, signal.SIGKILL)
            yield answer

    with pytest.raises(SystemFailureError, match="ended by signal SIGKILL"):
        flush(engine, tablet, encoder=killing)
    assert process.pid is None
    assert tablet.manifest.version == 0
    assert flush(engine, tablet, encoder=process.encode).rows == 4
    process.close()


def test_a_log_that_cannot_be_read_is_that_jobs_error(shared, elsewhere):
    def refused():
        yield from chunks(entries(600))
        raise IoError("could not read the log")

    broken = replace(log_job([]), chunks=refused())
    good = told(encode, [log_job(entries(7))])
    answers = told(shared.encode, [log_job(entries(7)), broken, log_job(entries(7))])
    assert answers == [*good, (IoError, "could not read the log"), *good]


def test_a_flush_that_gives_up_takes_the_process_with_it(tmp_path, elsewhere):
    process = FlushProcess(FORKS)
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path)
    put(engine, 1)
    with failpoints.armed("flush.file_written", "enospc"), pytest.raises(DiskFullError):
        flush(engine, tablet, encoder=process.encode)
    assert process.pid is None
    assert flush(engine, tablet, encoder=process.encode).rows == 1
    process.close()


def test_a_killed_job_stops_waiting_for_the_process(elsewhere):
    class KilledError(Exception):
        pass

    def check():
        raise KilledError

    process = FlushProcess(FORKS, check)
    jobs = [log_job(entries(2))]
    answers = process.encode(jobs)
    stopping = process._start

    def start():
        running = stopping()
        os.kill(running.process.pid, signal.SIGSTOP)
        return running

    process._start = start
    with pytest.raises(KilledError):
        next(answers)
    assert process.pid is None


def test_the_process_ends_with_its_parents_end_of_the_socket_whatever_it_does():
    process = FlushProcess(FORKS)
    running = process._start()
    running.link.send(FlushFrame.LOG_JOB, pickle.dumps(log_job([]).range))
    running.link.flush()  # It waits for entries that never come.
    running.link.close()
    assert running.process.wait(30) == 0
    running.process.close()
    os.close(running.stderr)


def test_the_process_lets_sessions_go_first(shared, elsewhere):
    told(shared.encode, [log_job(entries(1))])
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, shared.pid) == min(19, max(mine, flush_process.NICENESS))


def test_an_idle_process_that_died_costs_no_flush_anything(elsewhere):
    process = FlushProcess(FORKS)
    first = told(process.encode, [log_job(entries(3))])
    dead = process.pid
    os.kill(dead, signal.SIGKILL)
    process._running.process.wait()
    assert told(process.encode, [log_job(entries(3))]) == first
    assert process.pid not in (None, dead)
    process.close()


def test_an_idle_process_is_ended(monkeypatch, elsewhere):
    process = FlushProcess(FORKS)
    told(process.encode, [log_job(entries(1))])
    assert not process.idle
    process.end_idle()
    assert process.pid is not None
    monkeypatch.setattr(flush_process, "IDLE_S", -1)
    assert process.idle
    process.end_idle()
    assert process.pid is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["flush.intent", "flush.encoded", "flush.file_written", "publish.manifest_linked"]
)
def test_a_crash_at_a_failpoint_changes_no_row(tmp_path, name, elsewhere, shared):
    house = House(tmp_path)
    with failpoints.armed(name, crash), pytest.raises(CrashError):
        flush(house.engine, house.tablet, encoder=shared.encode)
    house.reopen()
    house.check()
    flush(house.engine, house.tablet, encoder=shared.encode)
    house.go_on()


def test_a_process_that_was_killed_while_it_was_idle_costs_no_flush_an_error(elsewhere):
    process = FlushProcess(FORKS)
    good = told(process.encode, [log_job(entries(5))])
    for how in (signal.SIGKILL, signal.SIGTERM):
        first = process.pid
        os.kill(first, how)
        process._running.process.wait()
        assert told(process.encode, [log_job(entries(5))]) == good
        assert process.pid not in {None, first}
    process.close()


@pytest.mark.parametrize(
    "kind", [FlushFrame.LOG_JOB, FlushFrame.ENTRIES, FlushFrame.END, FlushFrame.GO]
)
def test_a_process_that_dies_at_any_frame_is_that_flushs_error_alone(kind, elsewhere, monkeypatch):
    process = FlushProcess(FORKS)
    good = told(encode, [log_job(entries(2000))])
    send = Link.send

    def dying(link, sent, body=b""):
        send(link, sent, body)
        if sent is kind:
            link.flush()
            os.kill(process.pid, signal.SIGKILL)

    with monkeypatch.context() as patched:
        patched.setattr(Link, "send", dying)
        with pytest.raises(SystemFailureError, match="SIGKILL"):
            told(process.encode, [log_job(entries(2000))])
    assert process.pid is None
    assert told(process.encode, [log_job(entries(2000))]) == good
    process.close()


def test_a_process_that_only_closes_its_socket_is_ended(elsewhere, monkeypatch):
    monkeypatch.setattr(flush_process, "ENDING_S", 0.1)
    process = FlushProcess(FORKS)
    start = process._start

    def deaf():
        running = start()
        os.kill(running.process.pid, signal.SIGSTOP)  # It ends by itself no more …
        running.link._sock.shutdown(socket.SHUT_RDWR)  # … and nothing comes from it.
        return running

    process._start = deaf
    with pytest.raises(SystemFailureError, match="SIGKILL"):
        told(process.encode, [log_job(entries(2))])
    assert process.pid is None


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("error", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
def test_a_process_that_cannot_be_started_fails_the_flush_and_leaves_nothing_open(
    error, elsewhere, monkeypatch
):
    process = FlushProcess(FORKS)
    before = open_files()

    def refuse(*_, **__):
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patched:
        patched.setattr(FORKS, "fork", refuse)
        with pytest.raises(InsufficientResourcesError):
            told(process.encode, [log_job(entries(2))])
    assert open_files() == before
    assert told(process.encode, [log_job(entries(2))]) == told(encode, [log_job(entries(2))])
    process.close()


def test_after_the_end_no_process_is_started(elsewhere):
    process = FlushProcess(FORKS)
    process.close()
    with pytest.raises(AdminShutdownError):
        told(process.encode, [log_job(entries(2))])
    assert process.pid is None
