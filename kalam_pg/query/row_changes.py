"""Changing one row inside a transaction: by its primary key, and with it what every unique index has of it.

A value of a unique index is locked as a key is (`query.rows`), so who would put it a second time waits for
whoever puts or removes it. As in PostgreSQL, who finds it taken by a row that another transaction is
changing waits for that one, too: it may go.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.errors import UniqueViolationError
from catalog.model import Table
from catalog.pg_catalog.text import index_column
from kalam_pg.functions.table import EvalContext
from kalam_pg.query import elsewhere
from kalam_pg.query.deferral import Deferred
from kalam_pg.query.execution import Execution
from kalam_pg.query.locks.modes import FOR_SHARE
from kalam_pg.query.references import refer, release
from kalam_pg.query.rows import (
    Entries,
    Found,
    Target,
    being_changed,
    check_unread,
    left,
    lock_key,
    own_or_now,
    put,
    taken,
)
from kalam_pg.query.unique import UniqueRule
from kalam_pg.query.waits import Steps
from storage.layout import Row


def insert(x: Execution, target: Target, row: Row) -> Steps[None]:
    """Put a new row. Raises 23505, 40P01, 55P03."""
    key = target.rules.key_of(row)
    found = yield from taken(x, target, key)
    if found.row is not None:
        raise duplicate_key(x, target, row)
    put(x, target, key, row, None, found.seq)
    for index in target.indexes:
        if index.rule.index.deferrable:
            later(x, target, index, key, None)
            continue
        entry = yield from elsewhere.entry(x, index.rule, row)
        if entry is not None:
            yield from _put_entry(x, target, index, entry)
    if target.rules.references:
        refer(x, target.rules.references, row)


def replace(x: Execution, target: Target, old: Row, seq: int, row: Row) -> Steps[None]:
    """Change a locked row; a changed key moves it. Raises 23505 if another row has the new key."""
    rules = target.rules
    old_key, key = rules.key_of(old), rules.key_of(row)
    if key == old_key:
        put(x, target, key, row, old, seq)
    else:
        yield from lock_key(x, target, old_key)  # The key goes: its row was locked for less.
        put(x, target, old_key, None, old, seq)
        found = yield from taken(x, target, key)
        if found.row is not None:
            raise duplicate_key(x, target, row)
        put(x, target, key, row, None, found.seq)
    for index in target.indexes:
        if index.rule.index.deferrable:
            before = yield from elsewhere.entry(x, index.rule, old)
            after = yield from elsewhere.entry(x, index.rule, row)
            if before != after or target.stream:
                later(x, target, index, old_key, before)
                if key != old_key:
                    later(x, target, index, key, None)
            continue
        yield from _move_entry(x, target, index, old, row)
    if rules.references:
        refer(x, rules.references, row, old)
    if rules.referenced:
        release(x, rules.referenced, old, row)


def remove(x: Execution, target: Target, row: Row, seq: int) -> Steps[None]:
    """Delete a locked row."""
    put(x, target, target.rules.key_of(row), None, row, seq)
    for index in target.indexes:
        entry = yield from elsewhere.entry(x, index.rule, row)
        if entry is None:
            continue
        if index.rule.index.deferrable:
            later(x, target, index, target.rules.key_of(row), entry)
        else:
            yield from _remove_entry(x, index, entry)
    if target.rules.referenced:
        release(x, target.rules.referenced, row)


def in_the_way(
    x: Execution, target: Target, row: Row, arbiters: Sequence[Entries | None]
) -> Steps[Found | None]:
    """The row that has a value which a new row would have in one of these indexes; None: there is none.

    None among the arbiters is the primary key. The values that are free are locked then. The row found is
    not. Raises 40001 if it is one that the transaction does not see.
    """
    for index in arbiters:
        if index is None:
            found = yield from taken(x, target, target.rules.key_of(row), seen=True)
            if found.row is not None:
                return found
            continue
        entry = yield from elsewhere.entry(x, index.rule, row)
        if entry is None:
            continue
        found = yield from _holder(x, target, index, entry, seen=True)
        if found.row is not None:
            return (yield from own_or_now(x, target, index.rule.entry_row(found.row)))
    return None


# ------------------------------------------------------------------ entries


def _holder(
    x: Execution, target: Target, index: Entries, entry: Row, *, seen: bool = False
) -> Steps[Found]:
    """The entry that has the value of a new one: none, and the value is locked; or one that stays."""
    while True:
        found = yield from taken(x, index, index.rule.entry_key(entry), seen=seen)
        if found.row is None:
            return found
        key = index.rule.entry_row(found.row)
        if being_changed(x, target, key):
            yield from lock_key(x, target, key, FOR_SHARE)  # Until it is known what becomes of it.
            continue
        if target.stream and (yield from own_or_now(x, target, key)).row is None:
            # A stream forgets its rows by themselves, and an entry perhaps a moment later.
            yield from lock_key(x, index, index.rule.entry_key(entry))
            return Found(None, found.seq)
        return found


def _put_entry(x: Execution, target: Target, index: Entries, entry: Row) -> Steps[None]:
    found = yield from _holder(x, target, index, entry)
    if found.row is not None:
        if x.transaction.reads is not None:
            there = yield from own_or_now(x, target, index.rule.entry_row(found.row))
            check_unread(x, target, there)
        raise duplicate_entry(target.rules.table, index, entry, x.context)
    put(x, index, index.rule.entry_key(entry), entry, None, found.seq)


def _move_entry(x: Execution, target: Target, index: Entries, old: Row, row: Row) -> Steps[None]:
    before = yield from elsewhere.entry(x, index.rule, old)
    after = yield from elsewhere.entry(x, index.rule, row)
    if before is not None and after is not None:
        key = index.rule.entry_key(after)
        if index.rule.entry_key(before) == key:
            # In a stream an entry is as old as its row, and goes when that goes.
            if target.stream or index.rule.entry_row(before) != index.rule.entry_row(after):
                yield from lock_key(x, index, key)
                there = yield from own_or_now(x, index, key)
                put(x, index, key, after, there.row, there.seq)
            return
    elif before is after:
        return  # There is none, and was none.
    if index.rule.is_referable:
        # Who refers to the row by any key keeps it where it is, as in PostgreSQL.
        yield from lock_key(x, target, target.rules.key_of(old))
    if before is not None:
        yield from _remove_entry(x, index, before)
    if after is not None:
        yield from _put_entry(x, target, index, after)


def _remove_entry(x: Execution, index: Entries, entry: Row) -> Steps[None]:
    key = index.rule.entry_key(entry)
    yield from lock_key(x, index, key)
    there = yield from own_or_now(x, index, key)
    if there.row is not None and index.rule.entry_row(there.row) == index.rule.entry_row(entry):
        put(x, index, key, None, there.row, there.seq)


# ------------------------------------------------------------------ DEFERRABLE


def later(x: Execution, target: Target, index: Entries, key: bytes, had: Row | None) -> None:
    """A row has changed whose entry is looked after at the end of the statement, or of the transaction.

    had: the entry that it had when the index was last right; known by the first change since.
    """
    rule = index.rule.index
    name = ("unique", index.id, key)
    event = Late(target, index, key, had)
    if x.transaction.is_deferred(rule.id, rule):
        x.transaction.defer(name, Deferred(event, rule.id, rule))
    else:
        x.events.setdefault(name, event)


@dataclass(frozen=True, slots=True)
class Late:
    """Take a row's former entry away. Its new one is put when that has been done for every row.

    had: see `later`.
    """

    target: Target
    index: Entries
    key: bytes
    had: Row | None

    def __call__(self, x: Execution) -> Steps[None]:
        index, target = self.index, self.target
        # The target may be older than a TRUNCATE, which took the entries, too.
        had = None if target.id in x.transaction.emptied else self.had
        row = yield from left(x, target, self.key)
        entry = None if row is None else (yield from elsewhere.entry(x, index.rule, row))
        if had is not None and had != entry:
            yield from _remove_entry(x, index, had)
        if entry is not None and (had != entry or target.stream):
            x.events["put", index.id, self.key] = LatePut(target, index, self.key, entry)


@dataclass(frozen=True, slots=True)
class LatePut:
    """Put a row's entry. Raises 23505."""

    target: Target
    index: Entries
    key: bytes
    entry: Row

    def __call__(self, x: Execution) -> Steps[None]:
        index = self.index
        found = yield from _holder(x, self.target, index, self.entry)
        if found.row is None:
            put(x, index, index.rule.entry_key(self.entry), self.entry, None, found.seq)
        elif index.rule.entry_row(found.row) == self.key:
            if self.target.stream:  # There an entry is as old as its row.
                key = index.rule.entry_key(self.entry)
                yield from lock_key(x, index, key)
                put(x, index, key, self.entry, found.row, found.seq)
        elif any(name[:2] == ("unique", index.id) for name in x.events if isinstance(name, tuple)):
            x.events["put", index.id, self.key] = self  # Who has it may be about to give it up.
        else:
            raise duplicate_entry(self.target.rules.table, index, self.entry, x.context)


# ------------------------------------------------------------------ errors


def duplicate_key(x: Execution, target: Target, row: Row) -> UniqueViolationError:
    """23505, in PostgreSQL's words."""
    table = target.rules.table
    name = next((c.name for c in table.constraints if c.kind == "p"), f"{table.name}_pkey")
    return _duplicate(table, name, target.rules.shown_key(row, x.context))


def duplicate_entry(
    table: Table, index: Entries, entry: Row, context: EvalContext
) -> UniqueViolationError:
    """23505 of a unique index."""
    shown = shown_entry(table, index.rule, entry, context)
    return _duplicate(table, index.rule.index.name, shown)


def shown_entry(table: Table, rule: UniqueRule, entry: Row, context: EvalContext) -> str:
    """`(a, b)=(1, 2)`, as a unique violation's detail names an entry's values."""
    names: list[str] = []
    values: list[str] = []
    by_id = {column.id: column for column in table.columns}
    found = rule.values_of(entry)
    for number, (key, value) in enumerate(zip(rule.index.keys, found, strict=True), 1):
        of_column = by_id[key.column].name if key.column else ""
        names.append(of_column or index_column(table, rule.index, number))
        of = by_id[key.column].type if key.column else key.type
        values.append("null" if value is None else of.output(value, context.types))
    return f"({', '.join(names)})=({', '.join(values)})"


def _duplicate(table: Table, name: str, shown: str) -> UniqueViolationError:
    return UniqueViolationError(
        f'duplicate key value violates unique constraint "{name}"',
        detail=f"Key {shown} already exists.",
        schema=table.namespace,
        table=table.name,
        constraint=name,
    )


__all__ = [
    "Late",
    "duplicate_entry",
    "duplicate_key",
    "in_the_way",
    "insert",
    "remove",
    "replace",
    "shown_entry",
]
