"""What the relations of pg_catalog and information_schema look like: names, columns, types, OIDs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from catalog.pg_catalog.relation_data import RELATIONS
from catalog.types import registry
from catalog.types.table import PgType
from storage.layout import Row, Value


@dataclass(frozen=True, slots=True)
class CatalogColumn:
    """One column. A type that does not exist here is shown as text."""

    name: str
    type: PgType
    typmod: int = -1
    not_null: bool = False


@dataclass(frozen=True, slots=True)
class CatalogRelation:
    """One relation. kind: pg_class.relkind, "r" or "v"."""

    schema: str
    name: str
    oid: int
    kind: str
    columns: tuple[CatalogColumn, ...]

    def row(self, values: Mapping[str, Value]) -> Row:
        """A row of the named values; the others are NULL, or their type's zero where NOT NULL.

        Raises:
            KeyError: A name is not a column of this relation.
        """
        left = dict(values)
        row = tuple(
            left.pop(c.name) if c.name in left else (_zero(c.type) if c.not_null else None)
            for c in self.columns
        )
        if left:
            raise KeyError(f"{self.name}: {sorted(left)}")
        return row


def relation(schema: str, name: str) -> CatalogRelation | None:
    """A relation of pg_catalog or information_schema, None when there is none of that name."""
    return all_relations().get((schema, name))


@cache
def all_relations() -> Mapping[tuple[str, str], CatalogRelation]:
    """Every relation by schema and name."""
    found: dict[tuple[str, str], CatalogRelation] = {}
    head: list[str] = []
    words: list[str] = []
    for line in [*RELATIONS.splitlines(), "end"]:
        if line.startswith(" "):
            words += line.split()
            continue
        if head:
            schema, name, oid, kind = head
            columns = tuple(_column(word) for word in words)
            found[schema, name] = CatalogRelation(schema, name, int(oid), kind, columns)
        head, words = line.split(), []
    return found


def _column(word: str) -> CatalogColumn:
    name, _, rest = word.partition(":")
    type_name, _, typmod = rest.removesuffix("!").partition(":")
    pg_type = registry.by_name(type_name) or registry.TEXT
    return CatalogColumn(name, pg_type, int(typmod) if typmod else -1, rest.endswith("!"))


def _zero(pg_type: PgType) -> Value:
    if pg_type is registry.BOOL:
        return False
    if pg_type.element is not None:
        return ()
    if pg_type.key_kind == "int":
        return 0
    if pg_type.key_kind == "float":
        return 0.0
    return ""
