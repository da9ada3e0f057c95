"""Lives of a tablet of few rows, hot and cold, and what all its rows sorted say."""

import math
import random
from dataclasses import replace
from functools import cmp_to_key

import pyarrow as pa

from storage.cold.counting import count_rows
from storage.cold.extents import Condition, SortKey
from storage.cold.first_rows import Limits, Question, Work, first_rows
from storage.cold.flush import flush
from storage.cold.point_read import NotInMemoryError
from storage.fs import OS
from storage.keys import encode_sort_key
from storage.layout import Column, Layout
from storage.log.log_entry import Op
from storage.tablet import Tablet
from tests.storage.fake_log import TABLET, FakeEngine, Write

LEAST, GREATEST = -(1 << 63), (1 << 63) - 1
"""As timestamps: -infinity and infinity."""

VALUES = {
    "int": [1, 2, 3, 7, -5, (1 << 31) - 1],
    "time": [LEAST, GREATEST, 0, 10, 20, 30],
    "float": [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5, -2.0],
    "text": ["", "a", "b", "ab", "é", "z" * 70, "A", "\U0001f600", "\uffff"],
    "bool": [True, False],
    "uuid": [bytes([n] * 16) for n in (0, 1, 127, 128, 255)],
}
ARROW = {
    "int": pa.int32(),
    "time": pa.timestamp("us"),
    "float": pa.float64(),
    "text": pa.string(),
    "bool": pa.bool_(),
    "uuid": pa.binary(16),
}
KINDS = list(VALUES)
KEYS = {
    "int": range(25),
    "time": [LEAST, GREATEST, *range(20)],
    "float": [math.nan, 0.0, *(n / 2 for n in range(1, 20))],
    "text": [f"{n:03}" for n in range(20)],
    "uuid": [bytes([n] * 16) for n in range(20)],
}


def kind_of(name):
    return "int" if name == "time" else name


def compared(left, right):
    """-1, 0 or 1 as SQL compares two values that are not NULL."""
    if isinstance(left, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) - math.isnan(right)
    elif isinstance(left, str):
        left, right = left.encode(), right.encode()
    return (left > right) - (left < right)


TESTS = {
    "=": lambda order: order == 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


class Life:
    """A tablet with some segments and a log, beside a dict of its rows by key."""

    def __init__(self, seed, directory):
        self.random = random.Random(seed)
        self.key_kind = self.random.choice(list(KEYS))
        self.layout = Layout(
            1,
            (
                Column(1, "k", kind_of(self.key_kind), ARROW[self.key_kind]),
                *(
                    Column(2 + at, kind, kind_of(kind), ARROW[kind])
                    for at, kind in enumerate(KINDS)
                ),
            ),
            (0,),
        )
        self.engine = FakeEngine(OS)
        self.tablet = self.open(directory)
        self.directory = directory
        self.rows = {}
        self.left_to_files = 0

    def open(self, directory):
        tablet = Tablet(
            TABLET, self.layout, fs=OS, directory=directory, current=self.engine.acquire
        )
        self.engine.tablet = tablet
        return tablet

    def row(self, key):
        some = (
            None if self.random.random() < 0.2 else self.random.choice(VALUES[k]) for k in KINDS
        )
        return (key, *some)

    def live(self):
        for _ in range(self.random.randint(0, 4)):
            for _ in range(self.random.randint(1, 12)):
                self.commit()
            flush(self.engine, self.tablet)
        for _ in range(self.random.randint(0, 6)):
            self.commit()
        if self.random.random() < 0.3:
            self.tablet = self.open(self.directory)

    def commit(self):
        keys = self.random.sample(list(KEYS[self.key_kind]), 3)
        self.engine.commit(*[self.write(key) for key in keys])

    def write(self, key):
        encoded = self.tablet.key_of((key,))
        old = self.rows.get(encoded)
        if old is not None and self.random.random() < 0.4:
            del self.rows[encoded]
            return Write(Op.DELETE, encoded, old, old)
        row = self.rows[encoded] = self.row(key)
        return Write(Op.INSERT if old is None else Op.UPDATE, encoded, row, old)

    def own_changes(self):
        """What a transaction has made of some keys, and the rows as it sees them."""
        seen = dict(self.rows)
        changes = {}
        if self.random.random() < 0.4:
            for key in self.random.sample(list(KEYS[self.key_kind]), 4):
                encoded = self.tablet.key_of((key,))
                changes[encoded] = (
                    None if encoded in seen and self.random.random() < 0.5 else self.row(key)
                )
                seen.pop(encoded, None)
                if changes[encoded] is not None:
                    seen[encoded] = changes[encoded]
        return changes, list(seen.values())

    def sight(self, changes):
        view = self.engine.view()
        scan = self.tablet.scan(view)
        if scan is None:
            self.tablet.install(self.tablet.load(view))
            scan = self.tablet.scan(view)
        return self.tablet.sight(view, scan, changes)

    def question(self):
        randomly = self.random
        width = len(self.layout.columns)
        order = tuple(
            SortKey(
                at, self.layout.columns[at].kind, randomly.random() < 0.6, randomly.random() < 0.5
            )
            for at in randomly.sample(range(width), randomly.choice((0, 1, 1, 2)))
        )
        conditions = tuple(
            Condition(
                at,
                self.layout.columns[at].kind,
                randomly.choice(list(TESTS)),
                randomly.choice(list(KEYS[self.key_kind]) if at == 0 else VALUES[KINDS[at - 1]]),
            )
            for at in randomly.sample(range(width), randomly.choice((0, 1, 1, 2)))
        )
        where = randomly.choice((None, None, lambda row: row[1] is not None and row[1] % 2 == 1))
        every = randomly.random() < 0.2
        wanted = 100 if every else randomly.choice((0, 1, 2, 5, 100))
        examined = frozenset() if where is None else frozenset({1})
        given = frozenset(randomly.sample(range(width), 3)) | {0}
        return Question(conditions, order, wanted, every, where, examined, given)

    def from_memory(self, sight, question):
        """The same where nothing has to be read; None: something has."""
        try:
            return first_rows(
                replace(sight, in_memory=True), question, Work(Limits()), lambda: None
            )
        except NotInMemoryError:
            self.left_to_files += 1
            return None

    def check(self):
        changes, rows = self.own_changes()
        question = self.question()
        sight = self.sight(changes)
        found = first_rows(sight, question, Work(Limits()), lambda: None)
        again = self.from_memory(sight, question)
        assert again is None or [repr(row) for row in again] == [repr(row) for row in found]
        meeting = [row for row in rows if meets(row, question.conditions)]
        assert count_rows(sight, question.conditions, Work(Limits()), lambda: None) == len(meeting)
        self.are_the_first(found, meeting, question)

    def are_the_first(self, found, meeting, question):
        """That what was found are the first, in order, of those rows that the question's WHERE lets pass."""
        wanted = [row for row in meeting if question.where is None or question.where(row)]
        wanted.sort(key=in_order(question.order))
        by_key = {self.tablet.key_of(row): row for row in wanted}
        keys = [self.tablet.key_of(row) for row in found]
        assert len(set(keys)) == len(keys) == min(question.wanted, len(wanted))
        whole = [by_key[key] for key in keys]
        for row, given in zip(found, whole, strict=True):
            assert same([row[at] for at in question.given], [given[at] for at in question.given])
        ranks = [[ranked(key, row) for key in question.order] for row in whole]
        assert ranks == [[ranked(k, row) for k in question.order] for row in wanted[: len(whole)]]


def meets(row, conditions):
    return all(
        row[c.position] is not None and TESTS[c.operator](compared(row[c.position], c.value))
        for c in conditions
    )


def same(left, right):
    return list(map(repr, left)) == list(map(repr, right))


def in_order(order):
    def compare(left, right):
        for key in order:
            a, b = left[key.position], right[key.position]
            if a is None or b is None:
                found = ((a is None) - (b is None)) * (-1 if key.nulls_first else 1)
            else:
                found = compared(a, b) * (-1 if key.descending else 1)
            if found:
                return found
        return 0

    return cmp_to_key(compare)


def ranked(key, row):
    value = row[key.position]
    return None if value is None else encode_sort_key((value,), (key.kind,))
