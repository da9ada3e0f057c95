"""A sqlite database of catalogue relations whose rows never change, made once: queries begin with a copy.

The thousands of rows of pg_proc would take a query tens of milliseconds to put in one by one; copying the
pages takes a fraction of one.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from catalog.types.table import PgType
from kalam_pg.sql.sqlite_functions import is_coded, to_sqlite
from storage.layout import Row


@dataclass(frozen=True, slots=True)
class CatalogImage:
    """tables: their names, as `sql.sqlite_from` writes them. pages: the database."""

    tables: frozenset[str]
    pages: bytes


def make_image(relations: Mapping[str, tuple[Sequence[PgType], Iterable[Row]]]) -> CatalogImage:
    """Of relations by table name: the types of their columns, and their rows."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for table, (types, rows) in relations.items():
            fill(connection, table, types, rows)
        return CatalogImage(frozenset(relations), connection.serialize())
    finally:
        connection.close()


def fill(
    connection: sqlite3.Connection, table: str, types: Sequence[PgType], rows: Iterable[Row]
) -> None:
    """Make a table with columns c0, c1 … and put rows into it."""
    # Columns without a declared type have no affinity: a value stays what it is.
    names = ", ".join(f"c{i}" for i in range(len(types)))
    connection.execute(f'CREATE TABLE "{table}" ({names})')
    add(connection, table, types, rows)


def add(
    connection: sqlite3.Connection, table: str, types: Sequence[PgType], rows: Iterable[Row]
) -> None:
    """Put rows into a table that `fill` has made."""
    marks = ", ".join("?" * len(types))
    # A Python bool is stored as 0 or 1 by itself.
    coded = [(i, of) for i, of in enumerate(types) if is_coded(of) and of.element is not None]

    def code(row: Row) -> Sequence[object]:
        values: list[object] = list(row)
        for i, of in coded:
            values[i] = to_sqlite(row[i], of)
        return values

    connection.executemany(
        f'INSERT INTO "{table}" VALUES ({marks})',  # noqa: S608
        map(code, rows) if coded else rows,
    )
