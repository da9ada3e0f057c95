"""A transaction's write set is net per key; savepoints take back exactly what came after them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.difference import Difference
from catalog.errors import (
    InvalidSavepointSpecificationError,
    QueryCanceledError,
    ReadOnlySqlTransactionError,
)
from kalam_pg.config import Config
from kalam_pg.live.channels import Pending
from kalam_pg.memory import Accounts
from kalam_pg.query.net_change import Emptied
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.written import commit_bytes, in_turns, is_large, write_set
from kalam_pg.sessions import committing
from storage.ids import TabletId
from storage.log.log_entry import Op

TABLET = TabletId(1, 2)


def put(transaction, key, row, base=None, base_seq=0):
    transaction.put(TABLET, key, row, base=base, base_seq=base_seq, version=1)


NET = [  # (rows the key holds in turn, row before, what is written)
    ([(1,)], None, (Op.INSERT, (1,), None)),
    ([(1,), (2,)], None, (Op.INSERT, (2,), None)),
    ([(1,), None], None, None),
    ([(2,)], (1,), (Op.UPDATE, (2,), (1,))),
    ([None], (1,), (Op.DELETE, (1,), (1,))),
    ([None, (3,)], (1,), (Op.UPDATE, (3,), (1,))),
]


@pytest.mark.parametrize(("rows", "base", "written"), NET)
def test_changes_of_one_key_become_one_write(rows, base, written):
    transaction = Transaction(0)
    for row in rows:
        put(transaction, b"k", row, base, 9 if base else 0)
    writes = write_set(transaction, sync=False).writes
    if written is None:
        assert writes == []
    else:
        (write,) = writes
        assert (write.op, write.row, write.old) == written
        assert write.assumed == (9 if base else 0)


def test_a_million_rows_of_a_message_are_within_the_bound_of_a_session():
    transaction = Transaction(0)
    account = Accounts().open(1)
    transaction.memory = account.holding("changed rows")
    for number in range(1000):
        row = (number, number, "some text of row 123456", number, number)
        put(transaction, number.to_bytes(8), row)
    bound = Config().session_memory_max
    assert 1000 * (transaction.memory.bytes + commit_bytes(transaction)) < bound


def to_the_end(steps):
    """What steps return that wait for nothing but turns, and how many."""
    turns = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, turns
        turns += 1


def test_many_writes_are_made_in_turns(monkeypatch):
    monkeypatch.setattr("kalam_pg.query.written.AT_ONCE", 10)
    transaction = Transaction(0)
    transaction.memory = Accounts().open(1).holding("changed rows")
    transaction.truncate(TABLET, Emptied(1, stream=False))
    assert not is_large(transaction)
    for number in range(95):
        put(transaction, number.to_bytes(8), (number,))
    assert is_large(transaction)
    made, turns = to_the_end(in_turns(transaction))
    assert turns == 10
    assert (
        write_set(transaction, sync=False, written=made).writes
        == write_set(transaction, sync=False).writes
    )


class Sql:
    """A session that notes whether its transaction was dropped."""

    dropped = False

    def rollback(self):
        self.dropped = True


@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_a_transaction_whose_writes_are_not_all_made_is_dropped(monkeypatch, how):
    monkeypatch.setattr("kalam_pg.query.written.AT_ONCE", 1)
    transaction, sql = Transaction(0), Sql()
    transaction.memory = Accounts().open(1).holding("changed rows")
    for number in range(2):
        put(transaction, number.to_bytes(8), (number,))
    steps = committing.writes(sql, transaction)
    turn = next(steps)
    if how == "closed":
        steps.close()
    else:
        turn.error = QueryCanceledError("canceling statement due to user request")
        with pytest.raises(QueryCanceledError):
            next(steps)
    assert sql.dropped


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3), st.one_of(st.none(), st.integers(0, 9))),
        st.tuples(st.just("truncate")),
        st.tuples(st.just("drop")),
        st.tuples(st.just("savepoint"), st.sampled_from("ab")),
        st.tuples(st.just("rollback_to"), st.sampled_from("ab")),
        st.tuples(st.just("release"), st.sampled_from("ab")),
    ),
    max_size=30,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_savepoints_agree_with_a_stack_of_copies(steps):
    transaction = Transaction(0)
    transaction.block = True
    rows: dict[int, int | None] = {}
    stack: list[tuple[str, dict[int, int | None], bool]] = []
    emptied = False
    for step in steps:
        if step[0] == "put":
            rows[step[1]] = step[2]
            put(transaction, bytes([step[1]]), None if step[2] is None else (step[2],))
            continue
        if step[0] == "truncate":
            rows, emptied = {}, True
            transaction.truncate(TABLET, Emptied(1, stream=False))
            continue
        if step[0] == "drop":
            rows, emptied = {}, False
            transaction.define(Difference({}, {}, {}), [(b"t", None)], dropped=[TABLET.table])
            continue
        names = [name for name, *_ in stack]
        if step[0] == "savepoint":
            stack.append((step[1], dict(rows), emptied))
            transaction.savepoint(step[1])
        elif step[1] not in names:
            with pytest.raises(InvalidSavepointSpecificationError):
                getattr(transaction, step[0])(step[1])
        else:
            at = len(names) - 1 - names[::-1].index(step[1])
            getattr(transaction, step[0])(step[1])
            if step[0] == "rollback_to":
                rows, emptied = dict(stack[at][1]), stack[at][2]
                del stack[at + 1 :]
            else:
                del stack[at:]
    kept = {
        key[0]: None if change.row is None else change.row[0]
        for key, change in transaction.changes.get(TABLET, {}).items()
    }
    assert kept == rows
    assert (TABLET in transaction.emptied) == emptied
    writes = write_set(transaction, sync=False).writes
    assert [write.op for write in writes].count(Op.TRUNCATE) == emptied
    if emptied:
        assert writes[0].op is Op.TRUNCATE
        assert {write.assumed for write in writes} == {None}


def test_what_was_written_to_a_table_that_is_dropped_comes_back_with_the_table():
    transaction = Transaction(0)
    transaction.block = True
    put(transaction, b"a", (1,))
    transaction.savepoint("s")
    put(transaction, b"b", (2,))
    transaction.define(Difference({}, {}, {}), [(b"t", None)], dropped=[TABLET.table])
    assert write_set(transaction, sync=False).writes == []
    transaction.rollback_to("s")
    assert [write.row for write in write_set(transaction, sync=False).writes] == [(1,)]


def test_a_read_only_transaction_refuses_to_write():
    transaction = Transaction(0)
    transaction.read_only = True
    with pytest.raises(ReadOnlySqlTransactionError, match="cannot execute INSERT in a read-only"):
        transaction.check_writable("INSERT")


def test_what_is_told_waits_for_the_disk_with_its_rows_and_not_without():
    transaction = Transaction(0)
    transaction.channels = Pending()
    transaction.channels.notify(7, "a", "x")
    assert not transaction.writes_nothing, "it has its place among the commits"
    assert not write_set(transaction, sync=True).sync
    transaction.put(TABLET, b"k", (1,), base=None, base_seq=0, version=1)
    assert write_set(transaction, sync=False).sync
