"""The catalogue as one role sees it: the rows of its virtual relations, and what is kept of these."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from catalog.pg_catalog.objects import CatalogObjects
from catalog.pg_catalog.relations import CatalogRelation, relation
from catalog.pg_catalog.rows import added_rows
from catalog.pg_catalog.rows import rows as catalogue_rows
from catalog.pg_catalog.visible import Visible
from catalog.system import LiveRows, SystemRows, system_relation
from catalog.types.registry import OID, XID
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.sizes import text_bytes
from kalam_pg.sql.tree import OutputColumn, Query, VirtualScan
from kalam_pg.sql.walk import walk
from storage.layout import Row, Value

XMIN = 3
"""What each row of the catalogue says has written it: the first transaction of all. Tools that read on from a
transaction take every row for a new one (`age`), and show what is there.
"""

NO_VALUES: Mapping[int, Value] = {}


@cache
def virtual_columns(schema: str, name: str) -> tuple[OutputColumn, ...] | None:
    """Columns of a virtual relation, None when there is none of that name."""
    found = shape_of(schema, name)
    if found is None:
        return None
    columns = [
        OutputColumn(c.name, c.type, c.typmod, found.oid, number)
        for number, c in enumerate(found.columns, 1)
    ]
    if found.kind == "r":
        columns.append(OutputColumn("tableoid", OID, hidden=True))
        columns.append(OutputColumn("xmin", XID, hidden=True))
    return tuple(columns)


def shape_of(schema: str, name: str) -> CatalogRelation | None:
    """What a virtual relation is, None when there is none of that name."""
    return system_relation(name) if schema == "system" else relation(schema, name)


_DEFINED = frozenset(
    ("pg_attrdef", "pg_attribute", "pg_constraint", "pg_depend", "pg_index", "pg_sequence",
     "columns", "key_column_usage", "table_constraints")
)  # fmt: skip
"""Relations that follow from a catalog version and a role alone: not from who is called what, or what runs.

Their rows are kept as long as the perspective is: tools ask the same joins of them for table after table.
"""

_MADE_FIRST = {
    **dict.fromkeys(("pg_attribute", "pg_index", "pg_indexes"), "indexes_by_oid"),
    **dict.fromkeys(("pg_depend", "pg_type", "routines", "parameters"), "types_by_oid"),
}
"""What has to be made of all tables before these relations have their first row: some 15 µs for each."""

LARGE_TABLES = 400
"""With more tables that is made in a thread."""

KEPT_ROWS_MAX = 100_000
"""Of all perspectives together: some 40 MB. What would be more is made for each query."""

KEPT_ROW_BYTES = 400
"""Of a row; so many bytes of texts count as one more."""


@dataclass(slots=True)
class Room:
    """For kept rows; each catalog version begins with all of it."""

    left: int = KEPT_ROWS_MAX


class Perspective:
    """The catalogue as one role sees it: rows of relations, names of objects, their functions."""

    def __init__(self, visible: Visible, sources: Mapping[str, LiveRows], room: Room) -> None:
        self.visible = visible
        self._room = room
        self._taken = 0
        self._defined: dict[str, Sequence[Row]] = {}
        self.objects = CatalogObjects(visible)
        self._sources = sources
        self._system = SystemRows(sources)

    def is_live(self, schema: str, name: str) -> bool:
        """Whether a relation is about what runs, and not about what is defined."""
        if schema == "system":
            return self._system.is_live(name)
        return schema == "pg_catalog" and name in self._sources

    def rows(self, schema: str, name: str, equal: Mapping[int, Value] = NO_VALUES) -> Iterator[Row]:
        """The rows of a virtual relation; `equal` as for `engines.catalog_sqlite.Provider`.

        Raises:
            KeyError: There is no such relation.
            InsufficientPrivilegeError: It is not for this role.
        """
        if schema == "system":
            return self._system.rows(self.visible, name)
        shape = shape_of(schema, name)
        if shape is None:
            raise KeyError((schema, name))
        source = self._sources.get(name) if schema == "pg_catalog" else None
        rows: Iterator[Row]
        if source is not None:
            rows = (shape.row(values) for values in source(self.visible))
        elif name not in _DEFINED or (name == "pg_attribute" and 0 in equal):
            rows = catalogue_rows(self.visible, schema, name, equal)
        else:
            wanted = {at: value for at, value in equal.items() if at < len(shape.columns)}
            rows = self._kept(schema, name)
            if wanted:
                rows = (row for row in rows if all(row[at] == v for at, v in wanted.items()))
        return ((*row, shape.oid, XMIN) for row in rows) if shape.kind == "r" else rows

    def _kept(self, schema: str, name: str) -> Iterator[Row]:
        """The rows of one of `_DEFINED`, made as they are asked for; kept if all were and there is room."""
        known = self._defined.get(name)
        if known is not None:
            yield from known
            return
        made: list[Row] = []
        for row in catalogue_rows(self.visible, schema, name):
            made.append(row)
            yield row
        size = len(made) + text_bytes(made) // KEPT_ROW_BYTES
        if size <= self._room.left and self._defined.setdefault(name, made) is made:
            self._room.left -= size
            self._taken += size

    def let_go(self) -> None:
        """Another has its place: who still reads gets its rows, and it keeps no more and takes no room."""
        self._room.left += self._taken
        self._room, self._taken = Room(0), 0
        self._defined = {}

    def lacking(self, query: Query) -> set[str]:
        """What is made of all tables, where there are many, that a query asks for, and nobody has yet."""
        if len(self.visible.tables) < LARGE_TABLES:
            return set()
        names = {node.name for node in walk(query) if isinstance(node, VirtualScan)}
        asked = {_MADE_FIRST[name] for name in names & _MADE_FIRST.keys()}
        return asked - vars(self.visible).keys()

    def make(self, lacking: Iterable[str]) -> None:
        """Make it. From any thread."""
        for name in lacking:
            getattr(self.visible, name)

    def added(self) -> dict[str, list[Row]]:
        """What there is beside the rows that never change, by table names of the image."""
        if not self.visible.functions:
            return {}
        return {
            f"pg_catalog.{name}": [(*row, oid, XMIN) for row in rows]
            for name, oid, rows in added_rows(self.visible)
        }

    def bind(self, context: EvalContext) -> EvalContext:
        """`context` with this role's names of objects and catalogue functions."""
        return replace(
            context,
            types=replace(context.types, objects=self.objects),
            services={**self.objects.functions, **context.services},
        )
