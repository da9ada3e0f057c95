"""What one role may see of the catalogue: every row of pg_catalog is made from this and nothing else."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from catalog.functions import Function
from catalog.indexes import indexes_of
from catalog.model import (
    Column,
    Constraint,
    Index,
    Namespace,
    NumberSequence,
    Role,
    Table,
    User,
    UserType,
    View,
    as_view,
)
from catalog.pg_catalog import oids
from catalog.pg_catalog.relations import CatalogRelation, all_relations
from catalog.pg_catalog.text import as_written, default_definition, quote_identifier
from catalog.row_types import row_user_type
from catalog.types.composite import CompositeDefinition
from catalog.types.enum import EnumDefinition
from catalog.types.registry import array_of
from catalog.types.table import PgType
from storage.lazy import lazy

NO_USERS: tuple[User, ...] = ()

SYSTEM_NAMESPACES = (
    Namespace(0, "pg_catalog", comment="system catalog schema"),
    Namespace(0, "information_schema"),
    Namespace(0, "system"),
)

_BARE_CALLS = frozenset(
    ("current_catalog", "current_date", "current_role", "current_time", "current_timestamp",
     "current_user", "localtime", "localtimestamp", "session_user", "user")
)  # fmt: skip
"""What is called without parentheses."""

_LITERAL = re.compile(r"'(?:[^']|'')*'\Z")


UPDATED, INSERTED, DELETED = 1 << 2, 1 << 3, 1 << 4
"""What can be done to a relation, in PostgreSQL's numbers of commands."""


@dataclass(frozen=True)
class Visible:
    """The catalogue as `user` may see it.

    users: every live user, called only when `user` may see others (service and up): there may be
        millions. find_user, find_role: one of them, by id and by its role's OID. version: of the
        catalog. system_relations: shapes of `system.*`. is_populated: whether `user` can read a
        materialized view. updatable: the ids of a view's columns that can be assigned, None where not even
        its rows can be deleted; ask `changes_of`. view_text: a view's query, pretty or not, in lines
        that are so long. check_text: what stands in the parentheses of a CHECK of a
        table, with or without the parentheses that nobody needs. check_columns: the ids of the columns that
        it names, in the order in which it does. database_comment: COMMENT ON DATABASE, "" for none.
    """

    user: User
    namespaces: tuple[Namespace, ...]
    tables: tuple[Table, ...]
    views: tuple[View, ...]
    users: Callable[[], Iterable[User]] = lambda: NO_USERS
    find_user: Callable[[int], User | None] = lambda _id: None
    find_role: Callable[[int], User | None] = lambda _oid: None
    search_path: tuple[str, ...] = ("public",)
    database: str = oids.DATABASE_NAME
    version: int = 0
    system_relations: tuple[CatalogRelation, ...] = ()
    types: tuple[UserType, ...] = ()
    is_populated: Callable[[Table], bool] = lambda _view: True
    view_text: Callable[[View, bool, int], str] = lambda view, _pretty, _wrap: as_written(view)
    check_text: Callable[[Table, str, bool], str] = lambda _table, text, pretty: (
        text if pretty else f"({text})"
    )
    check_columns: Callable[[Table, str], tuple[int, ...]] = lambda _table, _text: ()
    updatable: Callable[[View], frozenset[int] | None] = lambda _view: None
    sequences: Mapping[int, NumberSequence] = field(default_factory=dict)
    functions: Mapping[int, Function] = field(default_factory=dict)
    database_comment: Callable[[], str] = str

    @lazy
    def _updatable(self) -> dict[int, frozenset[int] | None]:
        return {}

    def changes_of(self, view: View) -> tuple[int, frozenset[int]]:
        """pg_relation_is_updatable of a view, and the ids of its columns that can be assigned."""
        known = self._updatable
        if view.id not in known:
            known[view.id] = self.updatable(view)
        columns = known[view.id]
        if columns is None:
            return 0, frozenset()
        return (UPDATED | INSERTED | DELETED) if columns else DELETED, columns

    def default(self, text: str) -> str:
        """A kept default, or any other expression, as this role is shown it."""
        return default_definition(self.calls(text), self.sequences, self.search_path)

    def written(self, column: Column) -> str:
        """A column's default as PostgreSQL writes it, but for the names that `default` sees to.

        A label is kept as it was written, so that it can be renamed, and is shown as its type's.
        """
        text = column.default
        if text.lower() in _BARE_CALLS:
            return text.upper()
        definition = column.type.definition
        if not isinstance(definition, EnumDefinition) or column.domain or not _LITERAL.match(text):
            return text
        name = quote_identifier(definition.name)
        if definition.namespace not in self.search_path:
            name = f"{quote_identifier(definition.namespace)}.{name}"
        return f"{text}::{name}"

    def calls(self, text: str) -> str:
        """A kept expression without the schemas of functions that their bare names mean, too."""
        for function in self.functions.values():
            if function.namespace in self.search_path:
                name = quote_identifier(function.name)
                text = text.replace(f"{quote_identifier(function.namespace)}.{name}(", f"{name}(")
        return text

    @lazy
    def all_namespaces(self) -> tuple[Namespace, ...]:
        """Those that users made, `public`, and the system's own."""
        made = {n.name for n in self.namespaces}
        return (*self.namespaces, *(n for n in SYSTEM_NAMESPACES if n.name not in made))

    @lazy
    def namespace_oids(self) -> dict[str, int]:
        """pg_namespace.oid by name."""
        return {n.name: oids.namespace_oid(n.name, n.id) for n in self.all_namespaces}

    @lazy
    def base_tables(self) -> tuple[Table, ...]:
        """Those that are no materialized views, which information_schema does not know of."""
        return tuple([table for table in self.tables if table.materialized is None])

    @lazy
    def materialized(self) -> tuple[Table, ...]:
        """Materialized views."""
        return tuple([table for table in self.tables if table.materialized is not None])

    @lazy
    def queries(self) -> tuple[View, ...]:
        """The views, materialized ones as views."""
        stored = [as_view(table) for table in self.materialized]
        return (*self.views, *[view for view in stored if view is not None])

    @property
    def standard_relations(self) -> "tuple[Table | View, ...]":
        """Tables and views, as the SQL standard knows them."""
        return (*self.base_tables, *self.views)

    @lazy
    def relations(self) -> "tuple[Table | View, ...]":
        """Tables, then views."""
        return (*self.tables, *self.views)

    @lazy
    def relations_by_oid(self) -> "dict[int, Table | View]":
        """Tables and views by pg_class.oid."""
        return {oids.table_oid(r.id): r for r in self.relations}

    @lazy
    def composites_by_relation(self) -> dict[int, tuple[UserType, CompositeDefinition]]:
        """The composite types that people made, by their OIDs in pg_class."""
        return {
            made.definition.relation: (made, made.definition)
            for made in self.types
            if isinstance(made.definition, CompositeDefinition)
        }

    @lazy
    def all_types(self) -> tuple[UserType, ...]:
        """The types that people made, and those of the rows of tables and views."""
        multiranges = [many for made in self.types if (many := made.multirange) is not None]
        rows = [row_user_type(relation) for relation in self.relations]
        return (*self.types, *multiranges, *rows)

    @lazy
    def types_by_oid(self) -> dict[int, tuple[UserType, PgType]]:
        """`all_types`, and those of their arrays, by pg_type.oid."""
        found = {made.id: (made, made.pg_type) for made in self.all_types}
        arrays = [(made, array_of(made.pg_type)) for made in self.all_types]
        return found | {array.oid: (made, array) for made, array in arrays if array is not None}

    def find_type(self, schema: str, name: str) -> PgType | None:
        """One that people made, by its name or its arrays'; with schema "" as the search path has it."""
        for namespace in (schema,) if schema else self.search_path:
            found = self._types_by_name.get((namespace, name))
            if found is not None:
                return found
        return None

    @lazy
    def _types_by_name(self) -> dict[tuple[str, str], PgType]:
        return {
            (made.namespace, made.name if pg_type.element is None else f"_{made.name}"): pg_type
            for made, pg_type in reversed(self.types_by_oid.values())
        }

    @lazy
    def keys_by_oid(self) -> dict[int, tuple[Table, Constraint]]:
        """Constraints by pg_constraint.oid; those that an index is behind have its OID."""
        return {
            oids.constraint_oid(table.id, c.id): (table, c)
            for table in self.tables
            for c in table.constraints
        }

    @lazy
    def indexes_by_oid(self) -> dict[int, tuple[Table, Index, str]]:
        """Indexes by pg_class.oid, each with its table and the kind of its constraint."""
        return {
            oids.constraint_oid(table.id, index.id): (table, index, kind)
            for table in self.tables
            for index, kind in indexes_of(table)
        }

    @lazy
    def virtual_relations(self) -> tuple[CatalogRelation, ...]:
        """The relations of pg_catalog, information_schema and system."""
        return (*all_relations().values(), *self.system_relations)

    @property
    def sees_users(self) -> bool:
        """Whether names of other users may be shown."""
        return self.user.role.rank >= Role.SERVICE.rank

    def roles(self) -> Iterator[User]:
        """The users whose rows pg_roles has: oneself, or all."""
        if not self.sees_users:
            yield self.user
            return
        yield from self.users()

    def owner_oid(self, owner: int) -> int:
        """pg_authid.oid of an owner (0: the system); who may not see it is told the system's.

        0 when the owner is no more.
        """
        if owner == self.user.id:
            return self.user.oid
        if not owner or not self.sees_users:
            return oids.ROOT
        found = self.find_user(owner)
        return 0 if found is None else found.oid

    def user_name(self, oid: int) -> str | None:
        """The role of that OID, None when there is none that may be shown."""
        if oid == self.user.oid:
            return self.user.name
        if oid == oids.ROOT:
            return "root"
        found = self.find_role(oid) if self.sees_users else None
        return found.name if found else None


def columns(relation: Table | View) -> Iterator[Column]:
    """The columns that a user declared: not the hidden key."""
    hidden = isinstance(relation, Table) and relation.hidden_key
    for column in relation.columns:
        if not (hidden and column.id in relation.primary_key):  # type: ignore[union-attr]
            yield column


def keys(table: Table) -> Iterator[Constraint]:
    """Primary key and UNIQUE constraints."""
    return (c for c in table.constraints if c.kind in {"p", "u"})
