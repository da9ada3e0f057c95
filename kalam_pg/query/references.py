"""FOREIGN KEY: a row that refers must find the row that it refers to, and follows what becomes of that.

As PostgreSQL's own triggers do, what a statement's rows ask for is done at the end of the statement, or of
the transaction where a constraint is deferred: a row is looked for by its key, and locked FOR KEY SHARE, so
that who would remove it waits; rows that refer to one that has gone are found, deleted or set by statements
of SQL, which may ask for more of that. Equal questions are asked once.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import pyarrow as pa
import trio

from catalog.errors import ForeignKeyViolationError
from catalog.model import Table, User
from catalog.pg_catalog.text import qualified, quote_identifier
from catalog.types.registry import format_type
from kalam_pg.query import elsewhere
from kalam_pg.query.deferral import Deferred
from kalam_pg.query.execution import Event, Execution
from kalam_pg.query.foreign_keys import Reference
from kalam_pg.query.locks.modes import FOR_KEY_SHARE, ROW_EXCLUSIVE, ROW_SHARE
from kalam_pg.query.locks.waits import take
from kalam_pg.query.noting import note_everything, note_key
from kalam_pg.query.owners import owners_of
from kalam_pg.query.rows import Place, lock_key, own_or_now
from kalam_pg.query.sizes import LOCK_BYTES
from kalam_pg.query.waits import Pace, Steps, run_async
from storage.arrow import to_values
from storage.layout import Row, Value
from storage.log.view import Version
from storage.tablet import ColdNeeded, Tablet

_TOGETHER: Final = 500
"""Values of rows that are loaded which are looked for together: some milliseconds."""

# ------------------------------------------------------------------ what a change of a row asks for


def refer(x: Execution, references: Iterable[Reference], row: Row, old: Row | None = None) -> None:
    """A row is new, or was `old` before: what it refers to must be there."""
    for one in references:
        values = one.referred(row)
        if old is not None and one.referred(old) == values:
            continue
        _refer(x, one, values)


def _refer(x: Execution, one: Reference, values: tuple[Value, ...]) -> None:
    if _is_empty(one, values):
        return
    event = _Referred(one, values, x.user)
    _ask(x, one, event, ("refers", one.constraint.id, x.user.id, values))


def _is_empty(one: Reference, values: tuple[Value, ...]) -> bool:
    """Whether these refer to nothing, as they may."""
    return None in values and (one.rule.match != "f" or all(value is None for value in values))


def refer_all(x: Execution, one: Reference, values: pa.Table) -> Steps[None]:
    """Many rows are new: what they refer to must be there. Raises 23503, 53200.

    values: those with which they refer, each once.
    """
    if x.transaction.is_deferred(one.constraint.id, one.rule):
        x.transaction.memory.add(values.nbytes)
        event = partial(_refer_all, one, values, x.user)
        x.transaction.defer(object(), Deferred(event, one.constraint.id, one.rule))
    else:
        yield from _refer_all(one, values, x.user, x)


def _refer_all(one: Reference, values: pa.Table, user: User, x: Execution) -> Steps[None]:
    pace = Pace()
    for at in range(0, values.num_rows, _TOGETHER):
        columns = map(to_values, values.slice(at, _TOGETHER).columns)
        yield from _refer_some(x, one, list(zip(*columns, strict=True)), user)
        if pace.is_due():
            yield from elsewhere.rest(x, pace)


def _refer_some(
    x: Execution, one: Reference, found: Sequence[tuple[Value, ...]], user: User
) -> Steps[None]:
    asking = [values for values in found if not _is_empty(one, values)]
    for values in asking:
        if None in values:
            yield from _Referred(one, values, user)(x)
    whole = [values for values in asking if None not in values]
    yield from _lock_table(x, one.parent.id, ROW_SHARE)
    there = yield from _held(x, _place(x, one, user), [one.key(values) for values in whole])
    pace = Pace()
    for values, is_there in zip(whole, there, strict=True):
        if not is_there:
            yield from _Referred(one, values, user)(x)
            if pace.is_due():
                yield from elsewhere.rest(x, pace)


def _held(x: Execution, place: Place, keys: Sequence[bytes]) -> Steps[Sequence[bool]]:
    """For each key whether its row is there, and will be as long as this transaction wants."""
    tablet, transaction = place.tablet, x.transaction
    if not isinstance(tablet, Tablet):
        return [False] * len(keys)
    own = transaction.changes.get(place.id)
    if own:
        others = yield from _held_of_others(x, place, tablet, [k for k in keys if k not in own])
        rest = iter(others)
        return [own[key].row is not None if key in own else next(rest) for key in keys]
    return (yield from _held_of_others(x, place, tablet, keys))


def _held_of_others(
    x: Execution, place: Place, tablet: Tablet, keys: Sequence[bytes]
) -> Steps[Sequence[bool]]:
    """The same of keys that this transaction has changed nothing of."""
    transaction, locked = x.transaction, len(keys)
    if place.id not in transaction.loads:  # Else nobody else writes there.
        transaction.memory.add(LOCK_BYTES * len(keys))
        locked = x.database.locks.lock_rows_nowait(transaction, place.id, keys, FOR_KEY_SHARE)
    found = tablet.get_all(x.database.engine.current, keys[:locked])
    cold = [key for key, row in zip(keys, found, strict=False) if isinstance(row, ColdNeeded)]
    alive: dict[bytes, Version | None] = {}
    if cold:
        with x.database.engine.acquire() as view:
            read = partial(trio.to_thread.run_sync, tablet.get_all_cold, view, cold)
            rows = yield from run_async(read, timeout_s=x.statement_timeout_s)
        alive = dict(zip(cold, rows, strict=True))
    there = [
        (alive[key] if isinstance(row, ColdNeeded) else row) is not None
        for key, row in zip(keys, found, strict=False)
    ]
    return there + [False] * (len(keys) - locked)


def release(
    x: Execution, references: Iterable[Reference], old: Row, row: Row | None = None
) -> None:
    """A row has gone, or is another now: who refers to it must follow."""
    for one in references:
        values = one.referable(old)
        after = None if row is None else one.referable(row)
        if None in values or values == after:
            continue
        action = one.rule.on_delete if after is None else one.rule.on_update
        event = _Released(one, values, after, x.user, action)
        name = ("released", one.constraint.id, x.user.id, values, after)
        if action == "a":
            _ask(x, one, event, name)
        else:
            x.events[name] = event


def _ask(x: Execution, one: Reference, event: Event, name: Hashable) -> None:
    if x.transaction.is_deferred(one.constraint.id, one.rule):
        x.transaction.defer(name, Deferred(event, one.constraint.id, one.rule))
    else:
        x.events[name] = event


@dataclass(frozen=True, slots=True)
class _Referred:
    """Rows of a user refer with these values."""

    reference: Reference
    values: tuple[Value, ...]
    user: User

    def __call__(self, x: Execution) -> Steps[None]:
        one = self.reference
        if None in self.values:
            yield from self._refuse_mixed(x)
            return
        yield from _lock_table(x, one.parent.id, ROW_SHARE)
        place, key = _place(x, one, self.user), one.key(self.values)
        while True:
            current = x.database.engine.current
            there = yield from own_or_now(x, place, key)
            if there.row is None:
                break
            waited = yield from lock_key(x, place, key, FOR_KEY_SHARE)
            if not waited and x.database.engine.current is current:
                return
        if (yield from _is_referred(x, one, self.values, self.user)):
            note_key(x, one.place, self.user, key)
            names = ", ".join(one.table.columns[at].name for at in one.columns)
            shown = _shown(x, one.table, one.columns, self.values)
            raise _violation(
                one,
                f'insert or update on table "{one.table.name}"',
                f'Key ({names})=({shown}) is not present in table "{one.parent.name}".',
            )

    def _refuse_mixed(self, x: Execution) -> Steps[None]:
        """Some are NULL, of a MATCH FULL: 23503, unless the row has gone or has others meanwhile."""
        one = self.reference
        if (yield from _is_referred(x, one, self.values, self.user)):
            raise _violation(
                one,
                f'insert or update on table "{one.table.name}"',
                "MATCH FULL does not allow mixing of null and nonnull key values.",
            )


@dataclass(frozen=True, slots=True)
class _Released:
    """A row with these values has gone, or has others now (`after`)."""

    reference: Reference
    values: tuple[Value, ...]
    after: tuple[Value, ...] | None
    user: User
    action: str

    def __call__(self, x: Execution) -> Steps[None]:
        one = self.reference
        if x.database.stored_as(one.table.storage_id) is None and not x.transaction.has_defined:
            return
        if self.action == "a":
            place = _place(x, one, self.user)
            if (yield from own_or_now(x, place, one.key(self.values))).row is not None:
                return  # Another row has the values now.
        users = [self.user]
        if one.table.per_user and not one.parent.per_user:
            users = yield from owners_of(x.database, x.transaction, one.table, self.user)
        for user in users:
            if self.action in "ar":
                yield from self._refuse(x, user)
            else:
                yield from self._follow(x, user)
                if self.action == "d":
                    yield from self._refuse(x, user)  # The default may be what has gone.

    def _refuse(self, x: Execution, user: User) -> Steps[None]:
        one = self.reference
        if (yield from _is_referred(x, one, self.values, user, lock=True)):
            note_everything(x, one.table, user)
            names = ", ".join(one.parent.columns[at].name for at in one.parent_columns)
            shown = _shown(x, one.parent, one.parent_columns, self.values)
            raise _violation(
                one,
                f'update or delete on table "{one.parent.name}"',
                f'Key ({names})=({shown}) is still referenced from table "{one.table.name}".',
                on=f' on table "{one.table.name}"',
            )

    def _follow(self, x: Execution, user: User) -> Steps[None]:
        one = self.reference
        yield from _lock_table(x, one.table.id, ROW_EXCLUSIVE)
        where, values = _where(one), self.values
        name = qualified(one.table.namespace, one.table.name)
        if self.action == "c" and self.after is None:
            text = f"DELETE FROM {name} WHERE {where}"  # noqa: S608 -- names are quoted
        else:
            setting = range(len(one.columns))
            if self.after is None and one.rule.set_columns:
                setting = [  # type: ignore[assignment]
                    at
                    for at, column in enumerate(one.constraint.columns)
                    if column in one.rule.set_columns
                ]
            if self.action == "c":
                assert self.after is not None
                values = (*values, *self.after)
                new = [f"${1 + len(self.values) + at}::{_type(one, at)}" for at in setting]
            else:
                new = ["NULL" if self.action == "n" else "DEFAULT" for _ in setting]
            columns = [quote_identifier(one.table.columns[one.columns[at]].name) for at in setting]
            sets = ", ".join(f"{c} = {v}" for c, v in zip(columns, new, strict=True))
            text = f"UPDATE {name} SET {sets} WHERE {where}"  # noqa: S608
        yield from _run(x, one, text, values, user)


# ------------------------------------------------------------------ statements


def _is_referred(
    x: Execution, one: Reference, values: tuple[Value, ...], user: User, *, lock: bool = False
) -> Steps[bool]:
    """Whether a row of the user's refers with these values. lock: and will as long as this one wants."""
    name = qualified(one.table.namespace, one.table.name)
    where = _where(one, "IS NOT DISTINCT FROM" if None in values else "=")
    text = f"SELECT 1 FROM {name} WHERE {where} LIMIT 1"  # noqa: S608 -- names are quoted
    if lock:
        yield from _lock_table(x, one.table.id, ROW_SHARE)
        text += " FOR KEY SHARE"
    return (yield from _run(x, one, text, values, user)) > 0


def _run(
    x: Execution, one: Reference, text: str, values: tuple[Value, ...], user: User
) -> Steps[int]:
    """Run a statement on the table that refers, as it is now; how many rows it found or changed."""
    plan = one.compile(text)
    inner = Execution(
        x.database,
        x.transaction,
        user,
        replace(x.context, params=values),
        statement_timeout_s=x.statement_timeout_s,
    )
    inner.declared = True  # The row that is referred to is locked: nobody comes to refer to it.
    try:
        inner.look_again((one.table,))
        result = yield from plan(inner)
        if result.source is not None:
            return len((yield from result.source.take(1)))
        return len(result.rows) if result.count is None else result.count
    finally:
        inner.close()
        for name, event in inner.events.items():
            x.events.setdefault(name, event)


def _where(one: Reference, same: str = "=") -> str:
    return " AND ".join(
        f"{quote_identifier(one.table.columns[at].name)} {same} ${number}::{_type(one, number - 1)}"
        for number, at in enumerate(one.columns, 1)
    )


def _type(one: Reference, at: int) -> str:
    """The type of what the n-th column refers to: its values may be too large for the column."""
    kind = one.parent.columns[one.parent_columns[at]].type
    if kind.definition is not None:  # No search path is told to whom finds it.
        return f"{quote_identifier(kind.definition.namespace)}.{kind.sql_name}"
    return format_type(kind)


def _place(x: Execution, one: Reference, user: User) -> Place:
    tablet = x.tablet_of(one.place, user)
    return Place(tablet.id, tablet, stream=False, version=one.place.version)


def _lock_table(x: Execution, table: int, mode: int) -> Steps[None]:
    if not x.database.locks.lock_nowait(x.transaction, table, mode):
        yield from take(x.database.locks, x.transaction, table, mode, x.patience())


def _shown(x: Execution, table: Table, positions: Sequence[int], values: Sequence[Value]) -> str:
    return ", ".join(
        "null" if value is None else table.columns[at].type.output(value, x.context.types)
        for at, value in zip(positions, values, strict=True)
    )


def _violation(one: Reference, what: str, detail: str, on: str = "") -> ForeignKeyViolationError:
    name = one.constraint.name
    return ForeignKeyViolationError(
        f'{what} violates foreign key constraint "{name}"{on}',
        detail=detail,
        schema=one.table.namespace,
        table=one.table.name,
        constraint=name,
    )
