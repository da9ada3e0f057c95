"""Joins of two relations whose rows are all there: by a hash of the right one's keys.

The rows of a join come in the order of the left relation, those of one left row in that of the right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from kalam_pg.interpreter.relation import Joined, Relation
from kalam_pg.interpreter.running import Run, spans
from kalam_pg.interpreter.values import Key, keys, values
from kalam_pg.sql.closures import Run as Closure
from storage.layout import Row

Source = Callable[[Run], Relation]
"""Part of a FROM clause that can be run."""

_NO_ROWS = Relation(())

_MANY = 64
"""Matches of one row from which on the clock is looked at for each."""


@dataclass(frozen=True, slots=True)
class JoinKey:
    """One equality that joins: what each side has, and what Python hashes in place of the values."""

    left: Closure
    right: Closure
    key: Key


@dataclass(frozen=True, slots=True)
class HashJoin:
    """Rows of both sides, put together where the keys are equal and the rest of the condition is true.

    keys: none is a nested loop. rest: over the joined row. keep_left, keep_right: whether a side's rows
    that match nothing are kept, with NULLs for the other (of so many columns: left_width, right_width).
    """

    left: Source
    right: Source
    keys: Sequence[JoinKey]
    rest: Closure | None
    left_width: int
    right_width: int
    keep_left: bool = False
    keep_right: bool = False

    def __call__(self, run: Run) -> Relation:
        left, right = self.left(run), self.right(run)
        if not len(left) and not self.keep_right:
            return _NO_ROWS
        if self.keep_right:
            return Relation(self._full(left, right, run))
        if not len(right) and not self.keep_left:
            return _NO_ROWS
        if self.rest is None:
            places, widths = self._places(left, right, run), (self.left_width, self.right_width)
            return Joined(left, right, places, widths, outer=self.keep_left)
        return Relation(self._joined(left, right, run))

    def _places(
        self, left: Relation, right: Relation, run: Run
    ) -> tuple[Sequence[int], Sequence[int]]:
        """Which rows of both sides go together, where their keys alone decide; -1: none of the right."""
        keys_of_right = self._made(right, "right", run)
        made = self._made(left, "left", run)
        single = dict(zip(keys_of_right, range(len(keys_of_right)), strict=True))
        if len(single) == len(keys_of_right):
            return self._single_places(made, single)
        found = hashed(keys_of_right, range(len(right))).get
        mine, theirs = list[int](), list[int]()
        none = (-1,) if self.keep_left else ()
        for part in spans(len(made)):
            run.budget.check()
            for at, key in enumerate(made[part], part.start):
                matches = found(key, none)
                if len(matches) == 1:
                    mine.append(at)
                    theirs += matches
                elif matches:
                    if len(matches) > _MANY:
                        run.budget.check()
                    mine += [at] * len(matches)
                    theirs += matches
        return mine, theirs

    def _single_places(
        self, made: Sequence[Any], single: dict[Any, int]
    ) -> tuple[Sequence[int], Sequence[int]]:
        """The same where no two rows of the right side have one key, as those of a primary key."""
        single.pop(None, None)
        found = list(map(single.get, made))
        if None not in found:
            return range(len(made)), cast("list[int]", found)
        if self.keep_left:
            return range(len(made)), [-1 if at is None else at for at in found]
        mine = [at for at, other in enumerate(found) if other is not None]
        return mine, [other for other in found if other is not None]

    def _joined(self, left: Relation, right: Relation, run: Run) -> list[Row]:
        found = self._hashed(right, right.rows, run).get
        rest, nulls = self.rest, (None,) * self.right_width
        rows: list[Row] = []
        mine = self._made(left, "left", run)
        for part in spans(len(mine)):
            run.budget.check()
            for key, row in zip(mine[part], left.rows[part], strict=True):
                matches = found(key)
                if matches is not None:
                    if len(matches) > _MANY:
                        run.budget.check()
                    made = [row + match for match in matches]
                    if rest is not None:
                        made = [one for one in made if rest(one, run) is True]
                    if made:
                        rows += made
                        continue
                if self.keep_left:
                    rows.append(row + nulls)
        return rows

    def _full(self, left: Relation, right: Relation, run: Run) -> list[Row]:
        found = self._hashed(right, range(len(right)), run).get
        rest, theirs = self.rest, right.rows
        rows: list[Row] = []
        met: set[int] = set()
        for key, row in zip(self._made(left, "left", run), left.rows, strict=True):
            run.budget.check()
            before = len(rows)
            for at in found(key) or ():
                one = row + theirs[at]
                if rest is None or rest(one, run) is True:
                    rows.append(one)
                    met.add(at)
            if len(rows) == before and self.keep_left:
                rows.append(row + (None,) * self.right_width)
        nulls = (None,) * self.left_width
        rows += [nulls + row for at, row in enumerate(theirs) if at not in met]
        return rows

    def _made(self, relation: Relation, side: str, run: Run) -> Sequence[Any]:
        """The key of each row of a side; None: it matches nothing."""
        if not self.keys:
            return [()] * len(relation)
        columns = [values(getattr(key, side), relation, run) for key in self.keys]
        return keys(columns, [key.key for key in self.keys], nulls=False)

    def _hashed(self, right: Relation, things: Sequence[Any], run: Run) -> dict[Any, list[Any]]:
        """What stands for the rows of the right side, by key."""
        return hashed(self._made(right, "right", run), things)


@dataclass(frozen=True, slots=True, eq=False)
class DependentJoin:
    """Rows of the left side with those that the right one has for each: LATERAL.

    depth: of the query whose row the left one is to the right side. by: what of it tells the right rows,
    None: they may be others each time. rest, right_width, keep_left: as of `HashJoin`.
    """

    left: Source
    right: Source
    depth: int
    by: Sequence[Closure] | None
    rest: Closure | None
    right_width: int
    keep_left: bool

    def __call__(self, run: Run) -> Relation:
        rest, nulls = self.rest, (None,) * self.right_width
        rows: list[Row] = []
        for row in self.left(run).rows:
            run.budget.check()
            made = [row + match for match in self._matches(row, run)]
            if rest is not None:
                made = [one for one in made if rest(one, run) is True]
            rows += made
            if self.keep_left and not made:
                rows.append(row + nulls)
        return Relation(rows)

    def _matches(self, row: Row, run: Run) -> Sequence[Row]:
        if self.by is None:
            run.outer[self.depth] = row
            return self.right(run).rows
        binding = tuple([value(row, run) for value in self.by])
        remembered = run.remembered(self)
        known = remembered.get(binding)
        if known is None:
            run.outer[self.depth] = row
            known = self.right(run).rows
            remembered.put(binding, known)
        return known


def hashed(made: Sequence[Any], things: Sequence[Any]) -> dict[Any, list[Any]]:
    """`things` by their keys; without those whose key is None."""
    table: dict[Any, list[Any]] = {}
    for key, thing in zip(made, things, strict=True):
        found = table.get(key)
        if found is None:
            table[key] = [thing]
        else:
            found.append(thing)
    table.pop(None, None)
    return table
