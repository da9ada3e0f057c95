"""Random tables, and random changes of their rows."""

from dataclasses import dataclass
from random import Random

from conformance.fuzz.expressions import Expressions, Leaf, literal
from conformance.fuzz.pieces import Part, Piece, listed, optional, piece
from conformance.fuzz.vocabulary import KINDS, SORTED

_KEYS = ("int4", "int8", "text", "uuid", "num2", "date", "int2", "timestamp", "varchar", "float8")


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Table:
    """columns: those of the primary key first, `keys` of them. large: its segments are no small files.
    made: the columns whose values the server makes.
    """

    name: str
    columns: tuple[Column, ...]
    keys: int
    large: bool
    made: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return ", ".join([column.name for column in self.columns[: self.keys]])

    def create(self, options: str = "") -> str:
        """CREATE TABLE, with what only one of the two servers has."""
        columns = [f"{column.name} {KINDS[column.kind].sql}" for column in self.columns]
        if self.large:
            columns.append("pad text")
        text = f"CREATE TABLE {self.name} ({', '.join(columns)}, PRIMARY KEY ({self.key}))"
        return text + options

    def leaves(self, alias: str) -> list[Leaf]:
        """Its columns under an alias."""
        return [Leaf(f"{alias}.{column.name}", column.kind) for column in self.columns]

    def names(self) -> str:
        return ", ".join([column.name for column in self.given()])

    def given(self) -> tuple[Column, ...]:
        """The columns that a client gives values for."""
        return tuple([column for column in self.columns if column.name not in self.made])

    def others(self) -> tuple[Column, ...]:
        """The columns that are not of the key."""
        return self.given()[self.keys :]


def make_tables(random: Random) -> list[Table]:
    """A few tables that share kinds, so that they can be joined."""
    shared = random.sample(SORTED, 3)
    tables = []
    for number in range(random.randint(2, 3)):
        keys = random.choice((1, 1, 1, 2))
        kinds = [
            *random.sample(_KEYS, keys), "int4", random.choice(("text", "bool")), *shared,
            *random.choices(tuple(KINDS), k=random.randint(1, 4)),
        ]  # fmt: skip
        columns = tuple([Column(f"c{at}", kind) for at, kind in enumerate(kinds)])
        tables.append(Table(f"t{number}", columns, keys, random.random() < 0.5))
    return tables


class Changes:
    """Random INSERT, UPDATE and DELETE statements."""

    def __init__(self, random: Random, tables: list[Table]) -> None:
        self._random = random
        self._tables = tables

    def fill(self, table: Table, rows: int) -> str:
        """Rows whose keys may be there already."""
        values = [f"({', '.join(map(str, self.row(table)))})" for _ in range(rows)]
        text = f"INSERT INTO {table.name} ({table.names()}) VALUES {', '.join(values)}"
        return f"{text} ON CONFLICT DO NOTHING"

    def pad(self, table: Table) -> str:
        """Make what is hot too large for a small file."""
        return f"UPDATE {table.name} SET pad = '{self._random.randbytes(50_000).hex()}'"

    def row(self, table: Table) -> list[Part]:
        """Values of the columns that a client gives."""
        return [
            literal(self._random, column.kind, nulls=0 if at < table.keys else 0.2)
            for at, column in enumerate(table.given())
        ]

    def change(self) -> Piece:
        """One statement."""
        random = self._random
        table = random.choice(self._tables)
        made = random.choice(
            (self._insert, self._insert, self._upsert, self._update, self._update_from,
             self._delete, self._delete_using)
        )(table)  # fmt: skip
        if random.random() < 0.4:
            columns = table.leaves(table.name)
            shown = Expressions(random, columns).of(random.choice(columns).kind, 1)
            made = piece(made, optional(f" RETURNING {table.key}, ", shown, " AS x"))
        return made

    def _insert(self, table: Table) -> Piece:
        rows = [piece("(", listed(self.row(table)), ")") for _ in range(self._random.randint(1, 3))]
        text = listed(
            [piece(f"INSERT INTO {table.name} ({table.names()}) VALUES "), listed([*rows])], ""
        )
        return (
            piece(text, optional(" ON CONFLICT DO NOTHING"))
            if self._random.random() < 0.6
            else text
        )

    def _upsert(self, table: Table) -> Piece:
        assignment = self._assignment(table, [*table.leaves(table.name), *table.leaves("excluded")])
        condition = Expressions(self._random, table.leaves(table.name)).of("bool", 1)
        return piece(
            f"INSERT INTO {table.name} ({table.names()}) VALUES (", listed(self.row(table)),
            f") ON CONFLICT ({table.key}) DO UPDATE SET ", assignment, optional(" WHERE ", condition),
        )  # fmt: skip

    def _assignment(self, table: Table, leaves: list[Leaf]) -> Piece:
        column = self._random.choice(table.others())
        value = Expressions(self._random, leaves).of(column.kind, 2)
        return piece(f"{column.name} = ", value)

    def _update(self, table: Table) -> Piece:
        leaves = table.leaves(table.name)
        condition = Expressions(self._random, leaves).of("bool", 2)
        assigned = self._assignment(table, leaves)
        return piece(f"UPDATE {table.name} SET ", assigned, optional(" WHERE ", condition))

    def _update_from(self, table: Table) -> Piece:
        """From a query that gives each key once: of several matches any may be taken."""
        other = self._random.choice(self._tables)
        key = self._random.choice(other.columns[: other.keys])
        joins = [column for column in table.columns if column.kind == key.kind]
        if not joins or other.keys > 1:
            return self._update(table)
        assigned = self._assignment(table, [*table.leaves(table.name), *other.leaves("o")])
        mine = self._random.choice(joins).name
        condition = Expressions(self._random, other.leaves("o")).of("bool", 1)
        return piece(
            f"UPDATE {table.name} SET ", assigned,
            f" FROM {other.name} o WHERE {table.name}.{mine} = o.{key.name}",
            optional(" AND ", condition),
        )  # fmt: skip

    def _delete(self, table: Table) -> Piece:
        condition = Expressions(self._random, table.leaves(table.name)).of("bool", 2)
        if self._random.random() < 0.7:  # A table that is empty tells little.
            first = literal(self._random, table.columns[0].kind, nulls=0)
            return piece(
                f"DELETE FROM {table.name} WHERE {table.columns[0].name} = ",
                first,
                optional(" AND ", condition),
            )
        return piece(f"DELETE FROM {table.name} WHERE ", condition)

    def _delete_using(self, table: Table) -> Piece:
        other = self._random.choice(self._tables)
        condition = Expressions(self._random, [*table.leaves(table.name), *other.leaves("o")]).of(
            "bool", 2
        )
        key = literal(self._random, table.columns[0].kind, nulls=0)
        return piece(
            f"DELETE FROM {table.name} USING {other.name} o WHERE {table.name}.{table.columns[0].name} = ",
            key, " AND ", condition,
        )  # fmt: skip
