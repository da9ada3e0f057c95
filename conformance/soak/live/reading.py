"""A follower's journal read against the chronicles: what it was told, and what is wrong about that."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.soak.live.chronicle import MARK, SLOTS, Change, Chronicle, Transaction, Value

FILTER: Final = f"id % {SLOTS} = {MARK} OR n % 3 <> 0"
"""The condition of followers that see only some: every transaction's mark, and two rows of three."""

WRONG: Final = ("lost", "twice", "out of order", "never committed", "wrong rows", "refused")


def passes(key: int, value: Value | None) -> bool:
    """`FILTER`."""
    return value is not None and (key % SLOTS == MARK or value.n % 3 != 0)


@dataclass
class Place:
    """How far one author's chronicle was told, and the rows as they were then."""

    told: int = 0
    rows: dict[int, Value] = field(default_factory=dict)

    def forward(self, transaction: Transaction) -> None:
        self.told += 1
        for change in transaction:
            if change.new is None:
                del self.rows[change.key]
            else:
                self.rows[change.key] = change.new


class Reading:
    """One journal. chronicles: by the author's number. counts: transactions told, and of `WRONG`.

    Everything is counted that is wrong, and the reading goes on behind it: one loss is one loss.
    """

    def __init__(self, chronicles: Mapping[int, Chronicle], *, filtered: bool) -> None:
        self.chronicles = chronicles
        self.filtered = filtered
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._places = {number: Place() for number in chronicles}
        self._newest = (0, 0)
        self._open: list[dict[str, Any]] = []

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that was committed was told."""
        return not self.behind()

    def behind(self) -> dict[int, tuple[int, int]]:
        """Of each author of whom something was not told: transactions told, and all."""
        return {
            number: (place.told, len(self.chronicles[number].transactions))
            for number, place in self._places.items()
            if place.told < len(self.chronicles[number].transactions)
        }

    def take(self, record: Mapping[str, Any]) -> None:
        """The journal's next record."""
        match record["what"]:
            case "snapshot":
                self._snapshot(record["rows"])
            case "change":
                self._change(record["change"])
            case "row":
                self._row(*record["row"])
            case "refused":
                self._is_wrong("refused", record["text"])
            case what:
                self.counts[what] += 1

    def _snapshot(self, rows: Sequence[tuple[int, int, str | None]]) -> None:
        """Rows (id, n, body): of each author exactly those behind a transaction, none older than told."""
        self.counts["snapshots"] += 1
        self._open.clear()
        seen: dict[int, dict[int, Value]] = {number: {} for number in self.chronicles}
        for key, n, body in rows:
            seen[key // SLOTS][key] = Value(n, body)
        for number, found in seen.items():
            place, chronicle = self._places[number], self.chronicles[number]
            mark = found.get(number * SLOTS + MARK)
            at = 0 if mark is None else chronicle.by_mark.get(mark.n, -1) + 1
            if mark is not None and not at:
                self._is_wrong("never committed", f"a snapshot with {mark} of author {number}")
            elif at < place.told:
                self._is_wrong("lost", f"a snapshot at {at} of author {number}, told {place.told}")
            else:
                while place.told < at:
                    place.forward(chronicle.transactions[place.told])
                if found != self._shown(place.rows):
                    self._is_wrong("wrong rows", f"a snapshot at {at} of author {number}: {found}")

    def _shown(self, rows: dict[int, Value]) -> dict[int, Value]:
        if not self.filtered:
            return rows
        return {key: value for key, value in rows.items() if passes(key, value)}

    def _row(
        self, seq: str, op: str, token: str, key: str, n: str | None, body: str | None
    ) -> None:
        """A change as a row. Its transaction is whole when another one, or a silence, follows."""
        if self._open and (op == "progress" or self._open[0]["seq"] != seq):
            told, self._open = self._open, []
            self._transaction(told, with_old=False)
        if op != "progress":
            row = {"n": n, "body": body}
            self._hear({"op": op, "seq": seq, "token": token, "key": [key], "row": row, "old": row})

    def _change(self, change: dict[str, Any]) -> None:
        """A change of a notification, which says whether it is its transaction's last."""
        if self._hear(change) and change["last"]:
            told, self._open = self._open, []
            self._transaction(told)

    def _hear(self, change: dict[str, Any]) -> bool:
        """Whether it is new, and in its place."""
        seq, _, n = change["token"].partition(".")
        token = (int(seq), int(n))
        if token <= self._newest:
            what = "twice" if token == self._newest else "out of order"
            self._is_wrong(what, f"{token} after {self._newest}")
            return False
        if self._open and self._open[0]["seq"] != change["seq"]:
            self._is_wrong("lost", f"the end of transaction {self._open[0]['seq']}")
            self._open.clear()
        self._newest = token
        self._open.append(change)
        return True

    def _transaction(self, changes: Sequence[dict[str, Any]], *, with_old: bool = True) -> None:
        """All changes of one transaction were told. with_old: an update said what was before."""
        empties = changes[0]["op"] == "truncate"
        told = frozenset(map(_told, changes[empties:]))
        marks = [change for change in told if change.key % SLOTS == MARK]
        if len(marks) != 1 or marks[0].new is None:
            self._is_wrong("wrong rows", f"no transaction has such changes: {changes}")
            return
        number = marks[0].key // SLOTS
        place, chronicle = self._places[number], self.chronicles[number]
        at = chronicle.by_mark.get(marks[0].new.n)
        if at is None:
            self._is_wrong("never committed", f"author {number}: {marks[0]}")
            return
        if at < place.told:
            self._is_wrong("twice", f"transaction {at} of author {number}, after {place.told}")
            return
        if at > place.told:
            self._is_wrong("lost", f"transactions {place.told} to {at - 1} of author {number}")
        while place.told < at:
            place.forward(chronicle.transactions[place.told])
        wanted = chronicle.transactions[at]
        if empties:
            self.counts["truncates told"] += 1
            if any(change.old is not None for change in told):
                self._is_wrong("wrong rows", f"nothing but inserts can follow a truncate: {told}")
            told = _emptied(self._shown(place.rows), told)
        if self.filtered:
            wanted = frozenset(filter(None, map(_through_filter, wanted)))
        if not with_old:
            told, wanted = (frozenset(map(_without_old, changes)) for changes in (told, wanted))
        place.forward(chronicle.transactions[at])
        self.counts["transactions told"] += 1
        self.counts["changes told"] += len(told)
        if told != wanted:
            self._is_wrong("wrong rows", f"told {told - wanted}, not {wanted - told}")

    def _is_wrong(self, what: str, text: str) -> None:
        assert what in WRONG
        self.counts[what] += 1
        self.wrong.append(f"{what}: {text[:2000]}")


def _told(change: dict[str, Any]) -> Change:
    """A change as a client applies it."""
    if change["op"] == "truncate":
        return Change(-1, None, None)  # Behind another change: there is no such transaction.
    (key,) = change["key"]
    old, new = (None if (row := change.get(of)) is None else _value(row) for of in ("old", "row"))
    if change["op"] == "delete":
        new = None
    elif change["op"] == "insert":
        old = None
    return Change(int(key), old, new)


def _emptied(rows: Mapping[int, Value], told: Transaction) -> Transaction:
    """What a table that had these rows is told of: it is empty, and then these rows are inserted."""
    made = {change.key: change.new for change in told}
    keys = rows.keys() | made.keys()
    return frozenset(Change(key, rows.get(key), made.get(key)) for key in keys)


def _without_old(change: Change) -> tuple[int, str, Value | None]:
    """A change as a row has it: what it is, and the row it is about."""
    key, old, new = change
    return (
        (key, "delete", old) if new is None else (key, "insert" if old is None else "update", new)
    )


def _value(row: Mapping[str, Any]) -> Value:
    return Value(int(row["n"]), row["body"])


def _through_filter(change: Change) -> Change | None:
    """What `FILTER` shows of a change."""
    old, new = (v if passes(change.key, v) else None for v in (change.old, change.new))
    return Change(change.key, old, new) if old != new else None
