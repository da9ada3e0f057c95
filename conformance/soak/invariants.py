"""What must be true when all clients are gone, and from one life of the server to the next."""

import re
import time
from collections.abc import Iterable

from conformance.soak import processes
from conformance.soak.actors import Owner
from conformance.soak.ledger import Violation
from conformance.soak.owners import Writer
from conformance.soak.processes import Held
from conformance.soak.tables import ACCOUNTS_SUM, PURSE_SUM
from conformance.soak.waiting import until
from conformance.soak.world import ALWAYS, EXCUSED, USERS, WORKERS, World

REST_S = 15.0
"""How soon after the last client everything must be back where it was."""

GROWTH_MB = 256
"""Memory that a life may have gained since its first rest: caches fill, allocators keep."""

CATALOGUE = (
    "SELECT nspname, nspowner FROM pg_namespace ORDER BY 1",
    "SELECT oid, relname, relnamespace, relkind, relowner, relacl FROM pg_class ORDER BY 1",
    "SELECT attrelid, attnum, attname, atttypid, atttypmod, attnotnull FROM pg_attribute ORDER BY 1, 2",
    "SELECT conname, conrelid, contype FROM pg_constraint ORDER BY 2, 1",
    "SELECT schemaname, viewname, definition FROM pg_views ORDER BY 1, 2",
    "SELECT rolname, rolsuper, rolcanlogin FROM pg_roles ORDER BY 1",
    "SELECT user_id, username, role, can_login, deleted_at FROM system.users ORDER BY 1",
    "SELECT table_id, namespace, table_name, table_type, owner, flush_policy FROM system.tables ORDER BY 1",
)
Catalogue = dict[str, list[tuple[str | None, ...]]]


def check_data(world: World, owners: Iterable[Owner]) -> None:
    """Every row that was acknowledged, and no other. Raises Violation."""
    owners = list(owners)
    for owner in owners:
        _read(world, owner)
    for user in USERS:
        _others(world, user, "soak.notes", [o for o in owners if o.user == user])
    _others(world, "root", "soak.board", owners)


def _read(world: World, owner: Owner) -> None:
    owner.ledger.observe(world.asked(owner.user, owner.diary, owner.read, f"rows of {owner.name}"))


def _others(world: World, user: str, table: str, whose: list[Owner]) -> None:
    written = sum(
        of == table
        for owner in whose
        if isinstance(owner, Writer)
        for of, _ in owner.ledger.possible[0]
    )
    ((seen,),) = world.rows(f"EXECUTE AS USER '{user}' (SELECT count(*) FROM {table})")
    if int(seen or 0) != written:
        raise Violation(f"{table} of {user} has {seen} rows, and {written} were written")


def check_sums(world: World) -> None:
    """The bank, the counters, the queue. Raises Violation."""
    found = world.rows("SELECT sum(balance) FROM soak.accounts")
    if found != [(str(ACCOUNTS_SUM),)]:
        raise Violation(f"the accounts: {found}, not {ACCOUNTS_SUM}")
    for user in USERS:
        ((wallets,),) = world.rows(
            f"EXECUTE AS USER '{user}' (SELECT sum(balance) FROM soak.wallets)"
        )
        ((pot,),) = world.rows(f"SELECT balance FROM soak.pots WHERE owner = '{user}'")
        if int(wallets or 0) + int(pot or 0) != PURSE_SUM:
            raise Violation(
                f"{user} has {wallets} in wallets and {pot} in the pot, not {PURSE_SUM}"
            )
    for number, n in world.rows("SELECT id, n FROM soak.counters"):
        world.tallies[int(number or 0)].check(f"counter {number}", int(n or 0))
    jobs = [int(number or 0) for (number,) in world.rows("SELECT id FROM soak.queue")]
    for user in USERS:
        taken = world.rows(f"EXECUTE AS USER '{user}' (SELECT id FROM soak.done)")
        jobs += [int(number or 0) for (number,) in taken]
    world.jobs.check(jobs)
    there = world.rows("SELECT 1 FROM system.tables WHERE table_name = 'scratch'")
    rows = world.rows("SELECT id FROM soak.scratch") if there else []
    world.scratch.check({int(number or 0) for (number,) in rows}, time.monotonic())


def catalogue(world: World) -> Catalogue:
    """All that the server says exists."""
    return {text: world.rows(text) for text in CATALOGUE}


def check_catalogue(before: Catalogue, after: Catalogue) -> None:
    """A new life finds on disk what the old one had in memory. Raises Violation."""
    for text, rows in before.items():
        if rows != after[text]:
            lost = [row for row in rows if row not in after[text]]
            new = [row for row in after[text] if row not in rows]
            raise Violation(f"{text}: only in memory {lost[:5]}, only on disk {new[:5]}")


def check_rest(world: World, first: Held | None) -> Held:
    """Sessions, transactions, workers, files and memory are back. Raises Violation."""
    held = None

    def unrest() -> str:
        nonlocal held
        wrong, held = _unrest(world, first)
        return "; ".join(wrong)

    until(unrest, REST_S)
    assert held is not None
    return held


def _unrest(world: World, first: Held | None) -> tuple[list[str], Held]:
    sessions = len(world.rows("SELECT pid FROM system.sessions"))
    transactions = world.rows("SELECT pid, state FROM system.transactions WHERE changes > 0")
    jobs = world.rows("SELECT job_id FROM system.jobs WHERE status = 'running'")
    process = world.server.process
    assert process is not None
    now = processes.held(process.pid)
    wrong = []
    if sessions != 1:
        wrong.append(f"{sessions - 1} sessions of nobody")
    if transactions:
        wrong.append(f"transactions of nobody: {transactions}")
    if jobs:
        wrong.append(f"jobs still run: {jobs}")
    # One more than a user may have: another user's query begins whatever one user runs.
    if now.workers != WORKERS + 1:
        wrong.append(f"{now.workers} workers, not {WORKERS + 1}")
    if now.deleted:
        wrong.append(f"{len(now.deleted)} deleted files are open: {now.deleted[:3]}")
    if first is not None:
        # The processes of flushes and compactions stay for a minute after they were needed; killed,
        # the sockets to them do.
        if now.sockets > first.sockets - first.flush_processes + 2:
            wrong.append(f"{now.sockets} sockets, {first.sockets} at the first rest")
        if now.memory_mb > first.memory_mb + GROWTH_MB:
            wrong.append(f"{now.memory_mb} MB, {first.memory_mb} at the first rest")
    return wrong, now


_BAD = re.compile("level=(error|critical)|Traceback|XX000|XX001|reference=")
_EXPLAINED = re.compile(
    # A worker that we killed before it was ready …
    "event=worker_start_failed status=-9|error=WorkerLostError"
    # … a log that could not be opened again while the disk was full: its clients are told 08007 …
    '|event="the outcome of commits is unknown"'
    # … and what background work may be told as well as a client: of a full disk, of KILL JOB …
    rf"|error=\w+\(({'|'.join(sorted(ALWAYS.union(*EXCUSED.values())))})\)"
)


def check_log(world: World, read: int) -> int:
    """The server's log since line `read` speaks of no bug; the number of lines now. Raises Violation."""
    lines = world.server.errors
    bad = [line for line in lines[read:] if _BAD.search(line) and not _EXPLAINED.search(line)]
    if bad:
        raise Violation(f"{len(bad)} bad lines in the server's log: {''.join(bad[:10])}")
    return len(lines)
