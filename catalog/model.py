"""What exists, as immutable values: a change makes a new `Snapshot` (see `catalog.snapshot`)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

from catalog.types.definitions import Definition
from catalog.types.registry import array_of, of_definition
from catalog.types.table import PgType
from catalog.types.user_ranges import RangeDefinition
from storage.layout import Layout, Value

TEMPORARY = "pg_temp"
"""What every session may call the schema of its own temporary objects."""


def is_temporary(schema: str) -> bool:
    """Whether a schema is that of some session's temporary objects."""
    return schema.startswith(f"{TEMPORARY}_")


class Role(Enum):
    """The four roles, each above the one before (`rank`)."""

    USER = "user"
    SERVICE = "service"
    DBA = "dba"
    SYSTEM = "system"

    @property
    def rank(self) -> int:
        """0 for user … 3 for system."""
        return ("user", "service", "dba", "system").index(self.value)


class TableKind(Enum):
    """The three kinds of table."""

    USER = "USER"
    SHARED = "SHARED"
    STREAM = "STREAM"


@dataclass(frozen=True, slots=True)
class User:
    """A role that can (if `can_login`) authenticate; each is a user context.

    id: what its rows lie under, a snowflake; only root's is small. oid: the role's number in pg_authid,
    of 32 bits. verifier: SCRAM-SHA-256 verifier in PostgreSQL's text form, "" when the user has no password.
    deleted_at_us: when DROP USER marked it, None while it lives.
    """

    id: int
    name: str
    role: Role
    verifier: str = ""
    email: str = ""
    oauth_provider: str = ""
    oauth_subject: str = ""
    can_login: bool = True
    created_at_us: int = 0
    deleted_at_us: int | None = None
    oid: int = 0
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A schema, in PostgreSQL's word."""

    id: int
    name: str
    owner: int = 0
    created_at_us: int = 0
    comment: str = ""
    grants: "tuple[Grant, ...]" = ()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    id: stable, from 1, never reused in the table. default, generated, check texts are SQL as the
    binder deparses it; they are bound again when the catalog is loaded. missing: see storage.layout.
    domain: OID of the domain that it was declared with, whose base is `type`, and 0 for none.
    identity: "" | "a" (ALWAYS) | "d" (BY DEFAULT); "s" of a hidden key. stored: the id under which storage
    has its values, 0 for its own; another one since they were rewritten (ALTER COLUMN TYPE).
    """

    id: int
    name: str
    type: PgType
    typmod: int = -1
    not_null: bool = False
    default: str = ""
    identity: str = ""
    generated: str = ""
    missing: Value = None
    comment: str = ""
    domain: int = 0
    stored: int = 0


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """What a FOREIGN KEY refers to, and what it does.

    table: id of the table referred to; columns: ids of its columns; index: of the unique index that finds
    them, 0: they are the primary key. on_update, on_delete: "a" no action, "r" restrict, "c" cascade, "n" set
    null, "d" set default. match: "s" simple, "f" full. set_columns: of ON DELETE SET …, () for all.
    """

    table: int
    columns: tuple[int, ...]
    index: int
    on_update: str = "a"
    on_delete: str = "a"
    match: str = "s"
    set_columns: tuple[int, ...] = ()
    deferrable: bool = False
    deferred: bool = False


@dataclass(frozen=True, slots=True)
class Constraint:
    """kind: "p" primary key, "u" unique, "c" check, "f" foreign key (`reference`).

    columns are column ids. check is SQL text.

    validated: False while rows may break it that were there before it (NOT VALID).
    """

    id: int
    name: str
    kind: str
    columns: tuple[int, ...] = ()
    check: str = ""
    reference: ForeignKey | None = None
    validated: bool = True
    comment: str = ""


@dataclass(frozen=True, slots=True)
class IndexKey:
    """What an index sorts by: the column with this id, or (column 0) an expression, as SQL text.

    opclass: the operator class that was named, where it is not the type's default one.
    """

    column: int
    expression: str
    type: PgType
    typmod: int = -1
    descending: bool = False
    nulls_first: bool = False
    opclass: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """One index beside that of the primary key.

    id: an OID; that of its UNIQUE constraint if it has one. where: of a partial index, SQL text. include:
    ids of further columns. Only a unique one has entries (`catalog.indexes`); stored: see `Table`.
    deferrable, deferred: of a UNIQUE constraint, looked after at the end of a statement, or transaction.
    method: the access method that it was declared with, and parameters its WITH: they are kept and shown.
    """

    id: int
    name: str
    keys: tuple[IndexKey, ...]
    unique: bool = False
    nulls_distinct: bool = True
    where: str = ""
    include: tuple[int, ...] = ()
    comment: str = ""
    stored: int = 0
    deferrable: bool = False
    deferred: bool = False
    method: str = "btree"
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def storage_id(self) -> int:
        """Under which id storage has its entries."""
        return self.stored or self.id


@dataclass(frozen=True, slots=True)
class TableOptions:
    """WITH (...) options. None or 0 where the option was not given.

    flush_rows: FLUSH_POLICY rows:N. flush_interval_s: FLUSH_POLICY interval:S. scope: of a STREAM
    table, "USER" or "SHARED". access_level: of a SHARED table, PUBLIC | PRIVATE | RESTRICTED.
    """

    flush_rows: int = 0
    flush_interval_s: int = 0
    hot_row_limit: int = 0
    storage: str = "local"
    ttl_s: float = 0.0
    max_buffer: int = 0
    scope: str = "USER"
    access_level: str = "PUBLIC"
    deleted_retention_h: int = 168
    change_retention_h: int = 24


@dataclass(frozen=True, slots=True)
class Grant:
    """One privilege on a table, sequence or namespace: grantee is a user id, a `Role.value`, or "PUBLIC".

    privilege: SELECT | INSERT | UPDATE | DELETE; of a namespace CREATE | USAGE; of a type USAGE;
    of a sequence USAGE | SELECT | UPDATE.
    """

    grantee: int | str
    privilege: str
    grantor: int


@dataclass(frozen=True, slots=True)
class TableVersion:
    """What a table's columns were until they were changed. change: what made them so. at_us: when."""

    version: int
    columns: tuple[Column, ...]
    layout: Layout
    change: str
    at_us: int


@dataclass(frozen=True, slots=True)
class NamedThen:
    """What a view's text calls a relation that has been altered since: its names, and those of its columns
    by id. Columns that are not among them came later.
    """

    id: int
    namespace: str
    name: str
    columns: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Materialized:
    """Of a materialized view: the query that REFRESH fills it with. The fields are those of `View`."""

    query: str
    search_path: tuple[str, ...] = ()
    reads: tuple[int, ...] = ()
    names: tuple[NamedThen, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `hidden_key` is true when it has the hidden key column `_rowid`.

    columns are in attribute order (column-id order too); `layout` is what storage is given.
    next_column is the id that the next added column gets: ids of dropped ones are not used again.
    history: its earlier versions, the oldest first: rows of each may still be stored. change, altered_at_us:
    what made this version, and when; "" and 0 for CREATE TABLE.
    on_commit: what becomes of a temporary table's rows at COMMIT: "" they stay, "delete rows" | "drop".
    materialized: what it is filled with if it is a materialized view, None for a table.
    stored: the id under which storage has its rows, 0 for its own; another one since they got another
    primary key (decision 0067). What its sequences have counted stays under its own.
    """

    id: int
    namespace: str
    name: str
    kind: TableKind
    columns: tuple[Column, ...]
    primary_key: tuple[int, ...]  # column ids, in key order
    constraints: tuple[Constraint, ...]
    options: TableOptions
    layout: Layout
    owner: int
    version: int = 1
    hidden_key: bool = False
    grants: tuple[Grant, ...] = ()
    created_at_us: int = 0
    comment: str = ""
    next_column: int = 0
    indexes: tuple[Index, ...] = ()
    history: tuple[TableVersion, ...] = ()
    change: str = ""
    altered_at_us: int = 0
    on_commit: str = ""
    materialized: Materialized | None = None
    stored: int = 0
    _by_name: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    @property
    def qualified_name(self) -> str:
        """`namespace.name`, unquoted."""
        return f"{self.namespace}.{self.name}"

    @property
    def temporary(self) -> bool:
        """Whether it is a session's own, and in no catalogue but its."""
        return is_temporary(self.namespace)

    @property
    def storage_id(self) -> int:
        """Under which id storage has its rows (`storage.ids.TabletId.table`)."""
        return self.stored or self.id

    @property
    def declared_key(self) -> tuple[int, ...]:
        """The columns of its PRIMARY KEY, () where none was declared.

        Rows lie elsewhere, under the hidden key, if it is DEFERRABLE: an index keeps it, as a unique one.
        """
        return next((c.columns for c in self.constraints if c.kind == "p"), ())

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Of all its versions, this one's last."""
        return (*[earlier.layout for earlier in self.history], self.layout)

    @property
    def per_user(self) -> bool:
        """Whether each user has a tablet of their own."""
        if self.kind is TableKind.STREAM:
            return self.options.scope == "USER"
        return self.kind is TableKind.USER


@dataclass(frozen=True, slots=True)
class View:
    """CREATE VIEW: its query text runs with the caller's context.

    search_path: where the names in `query` are looked up, as it was when the view was made.
    reads: ids of the tables and views that `query` itself names (not those under its views). names: of
    those that were altered since. check_option: "" | "local" | "cascaded".
    """

    id: int
    namespace: str
    name: str
    query: str
    columns: tuple[Column, ...]
    owner: int
    created_at_us: int = 0
    comment: str = ""
    search_path: tuple[str, ...] = ()
    reads: tuple[int, ...] = ()
    names: tuple[NamedThen, ...] = ()
    check_option: str = ""

    @property
    def temporary(self) -> bool:
        """Whether it is a session's own, and in no catalogue but its."""
        return is_temporary(self.namespace)


@dataclass(frozen=True, slots=True)
class NumberSequence:
    """CREATE SEQUENCE, or what a serial or identity column takes its numbers from.

    owned_by: the table and the column (their ids) that it goes with; None: it stands alone. internal:
    it is an identity column's. cycle: it begins again at the other end. Where a number stands is not
    here (`kalam_pg.query.sequences`): that of a USER table counts for each user.
    """

    id: int
    namespace: str
    name: str
    type: PgType
    start: int
    increment: int
    minimum: int
    maximum: int
    cache: int
    cycle: bool
    owner: int
    created_at_us: int = 0
    owned_by: tuple[int, int] | None = None
    internal: bool = False
    grants: "tuple[Grant, ...]" = ()
    comment: str = ""

    @property
    def qualified_name(self) -> str:
        """`namespace.name`, unquoted."""
        return f"{self.namespace}.{self.name}"

    @property
    def temporary(self) -> bool:
        """Whether it is a session's own, and in no catalogue but its."""
        return is_temporary(self.namespace)


Relation = Table | View


def kind_of(relation: Relation) -> str:
    """What PostgreSQL calls it: "table", "view" or "materialized view"."""
    if isinstance(relation, View):
        return "view"
    return "table" if relation.materialized is None else "materialized view"


def as_view(relation: Relation) -> View | None:
    """A view, or a materialized one as the view of its query; None for a table."""
    if isinstance(relation, View):
        return relation
    made = relation.materialized
    if made is None:
        return None
    return View(
        relation.id,
        relation.namespace,
        relation.name,
        made.query,
        tuple([c for c in relation.columns if c.id not in relation.primary_key]),
        relation.owner,
        relation.created_at_us,
        relation.comment,
        made.search_path,
        made.reads,
        made.names,
    )


@dataclass(frozen=True, slots=True)
class UserType:
    """A type that somebody has defined, by CREATE TYPE or CREATE DOMAIN.

    definition: what it is, its name and namespace too. public: whether everybody has USAGE on it, as of a
    new type.
    """

    definition: Definition
    owner: int
    created_at_us: int = 0
    comment: str = ""
    public: bool = True
    grants: tuple[Grant, ...] = ()

    @property
    def id(self) -> int:
        """pg_type.oid."""
        return self.definition.oid

    @property
    def namespace(self) -> str:
        """Name of the schema that it is in."""
        return self.definition.namespace

    @property
    def name(self) -> str:
        """pg_type.typname."""
        return self.definition.name

    @property
    def pg_type(self) -> PgType:
        """The type itself."""
        return of_definition(self.definition)

    @property
    def multirange(self) -> "UserType | None":
        """Of a range type, the type of its multiranges."""
        if not isinstance(self.definition, RangeDefinition):
            return None
        return replace(self, definition=self.definition.many, comment="")

    def pg_types(self) -> Iterator[PgType]:
        """The type, of a range type that of its multiranges too, and the types of their arrays."""
        for one in (self, self.multirange):
            if one is not None:
                yield one.pg_type
                if (array := array_of(one.pg_type)) is not None:
                    yield array
