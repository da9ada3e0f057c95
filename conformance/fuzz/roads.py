"""Random changes by the longer roads: MERGE, views that are written through, cursors, DO and COPY.

Each gives the steps of one change, texts to run one after another; a step that is refused changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from conformance.fuzz.expressions import Expressions, literal
from conformance.fuzz.pieces import Part
from conformance.fuzz.tables import Table

COPIED: Final = 40
"""Rows of a COPY at most."""


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY FROM STDIN of lines, and perhaps what the client fails with at their end."""

    text: str
    lines: str
    failing: bool


@dataclass
class Roads:
    """ordered: which rows a statement takes must not be up to the server."""

    random: Random
    tables: Sequence[Table]
    ordered: bool = False

    def steps(self) -> list[str | Copy]:
        """One change."""
        table = self.random.choice(self.tables)
        roads: tuple[Callable[[Table], list[str | Copy]], ...] = (
            self._merge, self._merge, self._through_view, self._through_view,
            self._by_cursor, self._do, self._copy,
        )  # fmt: skip
        return self.random.choice(roads)(table)

    def _merge(self, table: Table) -> list[str | Copy]:
        """From rows that may match."""
        random = self.random
        leaves = [*table.leaves("t"), *table.leaves("s")]
        made = Expressions(random, leaves)
        source = f"(VALUES {', '.join(self._rows(table, 4))}) s ({table.names()})"
        if random.random() < 0.3:
            order = f" ORDER BY {table.key}" if self.ordered else ""
            source = f"(SELECT {table.names()} FROM {table.name}{order} LIMIT 5) s"
        on = " AND ".join([f"t.{one.name} = s.{one.name}" for one in table.columns[: table.keys]])
        matched = []
        for last in random.choice(((True,), (False, True), (False, False), (False, False, True))):
            when = "" if last else f" AND {made.of('bool', 1)}"
            column = random.choice(table.others())
            does = f"UPDATE SET {column.name} = {made.of(column.kind, 1)}"
            matched.append(
                f"WHEN MATCHED{when} THEN {random.choice((does, does, 'DELETE', 'DO NOTHING'))}"
            )
        added = ", ".join([f"s.{column.name}" for column in table.given()])
        other = f"WHEN NOT MATCHED THEN INSERT ({table.names()}) VALUES ({added})"
        clauses = [*matched, *([other] if random.random() < 0.7 else [])]
        return [f"MERGE INTO {table.name} t USING {source} ON {on} {' '.join(clauses)}"]

    def _rows(self, table: Table, most: int) -> list[str]:
        return [
            f"({', '.join(map(str, self._row(table)))})"
            for _ in range(self.random.randint(1, most))
        ]

    def _row(self, table: Table) -> list[Part]:
        return [
            literal(self.random, column.kind, nulls=0 if at < table.keys else 0.2)
            for at, column in enumerate(table.given())
        ]

    def _through_view(self, table: Table) -> list[str | Copy]:
        """Through a view that shows some of the rows, made for it."""
        random = self.random
        made = Expressions(random, table.leaves(table.name))
        check = random.choice(("", " WITH CHECK OPTION"))
        name, condition = f"v_{table.name}", made.of("bool", 1)
        view = (
            f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {table.name} WHERE {condition}{check}"
        )
        seen = Expressions(random, table.leaves(name))
        column, rows = random.choice(table.others()), ", ".join(self._rows(table, 2))
        change = random.choice(
            (
                f"INSERT INTO {name} ({table.names()}) VALUES {rows} ON CONFLICT DO NOTHING",
                f"UPDATE {name} SET {column.name} = {seen.of(column.kind, 1)}",
                f"DELETE FROM {name} WHERE {seen.of('bool', 1)}",
            )
        )
        return [view, change, f"DROP VIEW {name}"]

    def _by_cursor(self, table: Table) -> list[str | Copy]:
        """WHERE CURRENT OF, of a few rows."""
        random = self.random
        made = Expressions(random, table.leaves(table.name))
        order = f" ORDER BY {table.key} FOR UPDATE" if self.ordered else ""
        declared = f"DECLARE w CURSOR FOR SELECT * FROM {table.name}{order}"
        steps: list[str | Copy] = ["BEGIN", declared]
        for _ in range(random.randint(1, 3)):
            column = random.choice(table.others())
            update = f"UPDATE {table.name} SET {column.name} = {made.of(column.kind, 1)}"
            change = random.choice((update, f"DELETE FROM {table.name}"))
            steps += ["FETCH w", f"{change} WHERE CURRENT OF w"]
        return [*steps, random.choice(("COMMIT", "COMMIT", "ROLLBACK"))]

    def _do(self, table: Table) -> list[str | Copy]:
        """Two statements of a block, the second of which may fail."""
        column = self.random.choice(table.others())
        value = literal(self.random, column.kind)
        rows = ", ".join(self._rows(table, 3))
        return [
            f"DO $$ BEGIN UPDATE {table.name} SET {column.name} = {value};"
            f" INSERT INTO {table.name} ({table.names()}) VALUES {rows}; END $$"
        ]

    def _copy(self, table: Table) -> list[str | Copy]:
        """Of new rows and old ones, which fails; in a block after a DELETE perhaps."""
        rows = {}  # A key once: of a COPY that fails for another reason there are enough.
        for _ in range(self.random.randint(1, COPIED)):
            fields = self._fields(table)
            rows[tuple(fields[: table.keys])] = "\t".join(fields)
        lines = "".join([f"{line}\n" for line in rows.values()])
        copy = Copy(
            f"COPY {table.name} ({table.names()}) FROM STDIN", lines, self.random.random() < 0.1
        )
        if self.random.random() < 0.2:
            return [copy]
        return [
            "BEGIN",
            f"DELETE FROM {table.name}",
            copy,
            self.random.choice(("COMMIT", "ROLLBACK")),
        ]

    def _fields(self, table: Table) -> list[str]:
        fields = []
        for part in self._row(table):
            value = part.parameter.text if not isinstance(part, str) and part.parameter else None
            fields.append("\\N" if value is None else _escaped(value))
        return fields


def _escaped(value: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        value = value.replace(plain, escaped)
    return value
