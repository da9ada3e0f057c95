"""A row by a value of a unique index: how a query names all of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.model import TableKind
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.unique import UniqueRule


@dataclass(frozen=True, slots=True)
class UniqueLookup:
    """The WHERE has a value for each key of an index. exact: that is all that it says."""

    rule: UniqueRule
    values: tuple[Closure, ...]
    exact: bool


def unique_lookup(
    rules: RowRules, equals: Sequence[tuple[int, Closure]], conjuncts: int
) -> UniqueLookup | None:
    """The first index of which a query names all keys; None: there is none.

    equals: columns with what they are equal to (`predicates.equalities`). conjuncts: how many a row must
    satisfy, these among them.
    """
    if rules.table.kind is TableKind.STREAM:
        return None  # An entry may be there that its row has left behind.
    columns = rules.table.columns
    named = {columns[at].id: closure for at, closure in equals}
    for rule in rules.unique:
        keys = [key.column for key in rule.index.keys]
        if rule.index.where or rule.arrays or not named.keys() >= set(keys):
            continue  # A key that is an expression has the column 0, which is none.
        exact = len(equals) == conjuncts == len(keys)
        return UniqueLookup(rule, tuple([named[column] for column in keys]), exact)
    return None
