"""A table on its way to what ALTER TABLE makes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import singledispatch

from catalog import changes, changes_alter, changes_depend, changes_sequence
from catalog.changes import CatalogChange
from catalog.droppable import Referring
from catalog.dropped_names import described
from catalog.errors import (
    CheckViolationError,
    FeatureNotSupportedError,
    ForeignKeyViolationError,
    NotNullViolationError,
)
from catalog.model import Column, Constraint, Index, NumberSequence, Table, View
from catalog.pg_catalog.text import qualified, quote_identifier
from kalam_pg.query.ddl_context import DdlContext
from kalam_pg.query.table_change import HOLE, Demand, Filling, TableChange, is_missing
from kalam_pg.sql.parse import column_names
from storage.errors import KalamError

_FILLED_FROM = 4096
"""Column ids of what is filled, while the columns that it takes the place of are still there."""


@dataclass(slots=True)
class TableWork:
    """A table on its way to what a statement makes of it.

    before, now: the table. dropped: what has become of views so far. more: columns that are filled.
    retyped: ids of those whose type is another one.
    """

    context: DdlContext
    before: Table
    now: Table
    dropped: CatalogChange
    notices: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    more: list[Column] = field(default_factory=list)
    fillings: list[Filling] = field(default_factory=list)
    demands: list[Demand] = field(default_factory=list)
    retyped: set[int] = field(default_factory=set)
    detail: str = ""

    def change(self) -> CatalogChange:
        """What is stored of it all."""
        if self.now == self.before:
            return replace(self.dropped, notices=tuple(self.notices), detail=self.detail)
        told = changes_depend.remember(self.dropped.snapshot, [self.before])
        made = changes_alter.altered(
            told.snapshot,
            *(self.before, self.now),
            change=", ".join(self.done),
            now_us=self.context.now_us,
        )
        puts = (*self.dropped.puts, *told.puts, *made.puts)
        dropped = (*self.dropped.dropped, *made.dropped)
        return replace(
            made, puts=puts, notices=tuple(self.notices), detail=self.detail, dropped=dropped
        )

    def change_sequences(
        self, change: Callable[[NumberSequence], NumberSequence], column: Column | None = None
    ) -> None:
        """Change the sequences that the table's columns own, or that one of them owns."""
        for sequence in self.dropped.snapshot.sequences_of(self.before.id):
            if column is None or sequence.owned_by == (self.before.id, column.id):
                made = changes.put_sequence(self.dropped.snapshot, change(sequence))
                puts = (*self.dropped.puts, *made.puts)
                self.dropped = replace(self.dropped, snapshot=made.snapshot, puts=puts)

    def drop_references(self, constraints: Sequence[Constraint], names: Sequence[str]) -> None:
        """Drop FOREIGN KEYs that refer to the table, its own among them; names: as they are told."""
        gone = {one.id for one in constraints}
        for table, _ in self.dropped.snapshot.referring_to(self.before.id):
            left = tuple([c for c in table.constraints if c.id not in gone])
            if table.id != self.before.id and left != table.constraints:
                made = changes.put_relation(self.dropped.snapshot, replace(table, constraints=left))
                puts = (*self.dropped.puts, *made.puts)
                self.dropped = replace(self.dropped, snapshot=made.snapshot, puts=puts)
        own = tuple([c for c in self.now.constraints if c.id not in gone])
        self.now = replace(self.now, constraints=own)
        cascades = [f"drop cascades to {name}" for name in names]
        if len(cascades) > 1:
            self.detail = "\n".join(cascades)
            cascades = [f"drop cascades to {len(names)} other objects"]
        self.notices += cascades

    def drop_sequences(self, column: Column) -> None:
        """Drop the sequences that a column owns."""
        for sequence in self.dropped.snapshot.sequences_of(self.before.id):
            if sequence.owned_by == (self.before.id, column.id):
                made = changes_sequence.without_sequence(self.dropped.snapshot, sequence)
                puts = (*self.dropped.puts, *made.puts)
                self.dropped = replace(self.dropped, snapshot=made.snapshot, puts=puts)

    def table_change(self, change: CatalogChange) -> TableChange | None:
        """What `change` asks of the rows; None when their form stays as it is."""
        after = change.snapshot.tables[self.before.id]
        if after.layout == self.before.layout and not self.demands:
            return None
        return TableChange(
            self.before, after, self._filled(), tuple(self.fillings), tuple(self.demands)
        )

    def _filled(self) -> Table:
        if not self.more:
            return self.before
        kept = tuple(c for c in self.before.constraints if c.kind == "p")
        wide = replace(self.before, columns=(*self.before.columns, *self.more), constraints=kept)
        return changes_alter.versioned(wide, self.before.version + 1)

    def fill(self, column: Column, value: str) -> None:
        """Every row has this in the column."""
        name = f"{column.name}\x01{len(self.more)}"
        place = column.stored or column.id
        self.more.append(
            replace(
                column,
                id=_FILLED_FROM + len(self.more),
                name=name,
                stored=place,
                not_null=False,
                identity="",
                generated="",
            )
        )
        self.fillings.append(Filling(name, value))

    def demand_value(self, column: Column) -> None:
        """No row may have NULL in a column."""
        error = NotNullViolationError(
            f'column "{column.name}" of relation "{self.now.name}" contains null values',
            schema=self.now.namespace,
            table=self.now.name,
            column=column.name,
        )
        self.demands.append(Demand(is_missing(column.name), error))

    def demand_check(self, constraint: Constraint) -> None:
        """Every row must satisfy a CHECK."""
        error = CheckViolationError(
            f'check constraint "{constraint.name}" of relation "{self.now.name}" '
            "is violated by some row",
            schema=self.now.namespace,
            table=self.now.name,
            constraint=constraint.name,
        )
        self.demands.append(Demand(f"NOT ({constraint.check})", error))

    def demand_parent(self, constraint: Constraint) -> None:
        """Every row must refer to a row that is there (FOREIGN KEY)."""
        rule, now = constraint.reference, self.now
        assert rule is not None
        parent = now if rule.table == now.id else self.dropped.snapshot.tables[rule.table]
        called = {column.id: column.name for column in now.columns}
        theirs = {column.id: column.name for column in parent.columns}
        names = [called[one] for one in constraint.columns]
        own = [f"{quote_identifier(now.name)}.{quote_identifier(name)}" for name in names]
        # A short one: made from the table's name it would be cut to that where this has 63 bytes.
        alias = quote_identifier("\x02" if now.name == "\x01" else "\x01")
        equal = " AND ".join(
            f"{alias}.{quote_identifier(theirs[id_])} = {mine}"
            for id_, mine in zip(rule.columns, own, strict=True)
        )
        # Under its name of before: that of this statement's own table does not change in it.
        where = qualified(parent.namespace, parent.name)
        missing = f"NOT EXISTS (SELECT FROM {where} AS {alias} WHERE {equal})"
        none_null = " AND ".join(f"{mine} IS NOT NULL" for mine in own)
        what = f"Key ({', '.join(names)})"
        self.demands.append(
            Demand(
                f"{none_null} AND {missing}",
                self._violated(constraint),
                tuple(names),
                f'{what}=({HOLE}) is not present in table "{parent.name}".',
            )
        )
        if rule.match == "f":
            some_null = " OR ".join(f"{mine} IS NULL" for mine in own)
            some_not = " OR ".join(f"{mine} IS NOT NULL" for mine in own)
            mixed = "MATCH FULL does not allow mixing of null and nonnull key values."
            error = self._violated(constraint)
            self.demands.append(Demand(f"({some_null}) AND ({some_not})", error, (), mixed))

    def _violated(self, constraint: Constraint) -> KalamError:
        return ForeignKeyViolationError(
            f'insert or update on table "{self.now.name}" violates foreign key constraint '
            f'"{constraint.name}"',
            schema=self.now.namespace,
            table=self.now.name,
            constraint=constraint.name,
        )

    def readers(self, column: Column) -> list[View]:
        """The views whose own text uses a column."""
        return [
            view
            for view in self.dropped.snapshot.stored_queries()
            if self.before.id in view.reads
            and column.id in self.context.columns_read(view, self.before.id)
        ]

    def indexes_of(self, column: Column) -> list[Index]:
        """The indexes that use a column."""
        return [
            index
            for index in self.now.indexes
            if column.id in index.include
            or any(key.column == column.id for key in index.keys)
            or any(column.name in column_names(text) for text in _texts(index))
        ]

    def referrers(self, column: Column) -> list[tuple[Constraint, str]]:
        """The FOREIGN KEYs of other tables that refer to a column, and what messages call them."""
        snapshot, path = self.dropped.snapshot, self.context.search_path
        return [
            (key, described(Referring(table, key), snapshot, path))
            for table, key in snapshot.referring_to(self.before.id)
            if key.reference is not None
            and table.id != self.before.id
            and column.id in key.reference.columns
        ]

    def references(self, column: Column) -> list[Constraint]:
        """The table's own FOREIGN KEYs of a column."""
        return [
            key
            for key in self.now.constraints
            if key.reference is not None and column.id in key.columns
        ]

    def generated_from(self, name: str) -> list[Column]:
        """The generated columns that are computed from a column."""
        return [c for c in self.now.columns if c.generated and name in column_names(c.generated)]

    def checks_of(self, name: str) -> list[Constraint]:
        """The CHECKs that mention a column."""
        return [c for c in self.now.constraints if c.kind == "c" and name in column_names(c.check)]


def _texts(index: Index) -> list[str]:
    """The expressions of an index."""
    return [text for text in (index.where, *[key.expression for key in index.keys]) if text]


@singledispatch
def act(action: object, _work: TableWork) -> None:
    """Do one action; each kind registers itself."""
    raise FeatureNotSupportedError(f"{type(action).__name__} is not supported yet")
