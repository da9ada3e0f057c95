"""Typed statements: what `sql.parse` returns, one class per statement kind.

Queries and data changes stay opaque here (`QueryStatement.tree`, for the binder alone); every other
statement is complete. `text` is the statement's own source, `offset` where it begins in the message.
Names arrive folded as PostgreSQL folds them. A `TableName` keeps the schema "" when none was written.
"""

import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from catalog.changes_sequence import SequenceOptions
from kalam_pg.sql.statements_alter import AlterTable
from kalam_pg.sql.statements_constraints import References, SetConstraints
from kalam_pg.sql.statements_copy import CopyStatement
from kalam_pg.sql.statements_cursor import CursorStatement, DeclareCursor
from kalam_pg.sql.statements_derived import (
    CreateMaterializedView,
    CreateTableAs,
    DerivedStatement,
    LikeTable,
)
from kalam_pg.sql.statements_do import Do
from kalam_pg.sql.statements_extensions import ExtensionStatement
from kalam_pg.sql.statements_functions import FunctionStatement
from kalam_pg.sql.statements_indexes import IndexStatement
from kalam_pg.sql.statements_live import LiveStatement
from kalam_pg.sql.statements_maintenance import MaintenanceStatement
from kalam_pg.sql.statements_sequence import SequenceStatement
from kalam_pg.sql.statements_types import TypeStatement
from kalam_pg.sql.statements_users import UserStatement
from kalam_pg.sql.statements_views import CreateView, DropView


@dataclass(frozen=True, slots=True)
class TableName:
    """A possibly qualified name; position is the 1-based character in the statement."""

    schema: str
    name: str
    position: int = 0

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as written: name folded and without modifiers, modifiers as integers, [] count.

    PostgreSQL's own key words arrive as pg_type names, as its grammar makes them: INT is "int4", CHAR
    is "bpchar" with modifier 1, TIMESTAMP WITH TIME ZONE "timestamptz"; so "char" is the quoted type.
    Of an interval the modifiers are (fields mask[, precision]) as in its typmod. collated: where COLLATE
    stands, 0: nowhere.
    """

    name: str
    modifiers: tuple[int, ...] = ()
    dimensions: int = 0
    position: int = 0
    schema: str = ""
    collated: int = 0


# ------------------------------------------------------------------ queries and data changes


@dataclass(frozen=True, slots=True)
class QueryStatement:
    """SELECT, VALUES, TABLE, INSERT, UPDATE, DELETE, MERGE (with or without WITH).

    kind: "select" | "insert" | "update" | "delete" | "merge". tree: the sqlglot node, read only by
    `sql.bind*`.
    """

    kind: str
    tree: Any
    text: str
    offset: int = 0
    tokens: Any = None  # not needed: nodes know their positions (`sql.positions`)


# ------------------------------------------------------------------ namespaces, tables, views


@dataclass(frozen=True, slots=True)
class CreateNamespace:
    name: str
    if_not_exists: bool = False
    authorization: str = ""


@dataclass(frozen=True, slots=True)
class DropNamespace:
    names: tuple[str, ...]
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class RenameNamespace:
    name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class NamespaceOwner:
    """ALTER SCHEMA … OWNER TO."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class UseNamespace:
    name: str


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """default, generated and the checks are SQL text. primary_key: inline, named `constraint_name`.

    deferral: of that key, whether it is DEFERRABLE, and INITIALLY DEFERRED.

    generated_at: the 1-based character of `generated` in the statement.

    identity: "" | "a" | "d" | "s" (serial); sequence: what is written of its sequence.
    checks: (constraint name or "", expression text).
    """

    name: str
    type: TypeName
    not_null: bool = False
    default: str = ""
    identity: str = ""
    generated: str = ""
    generated_at: int = 0
    primary_key: bool = False
    constraint_name: str = ""
    deferral: tuple[bool, bool] = (False, False)
    checks: tuple[tuple[str, str], ...] = ()
    position: int = 0
    sequence: SequenceOptions = field(default_factory=SequenceOptions)


@dataclass(frozen=True, slots=True)
class TableConstraint:
    """kind: "p" | "u" | "c"; columns for the first two, check text for the last.

    not_valid: of one that is added: rows that are there may break it.
    nulls_distinct: of "u". references: of "f", a FOREIGN KEY. index: USING INDEX, instead of columns.
    """

    kind: str
    name: str = ""
    columns: tuple[str, ...] = ()
    check: str = ""
    not_valid: bool = False
    nulls_distinct: bool = True
    references: References | None = None
    index: str = ""
    deferrable: bool = False
    deferred: bool = False
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class CreateTable:
    """options: as written, names upper-cased, aliases and older suffixes already normalised to the
    names of `sql.md` ("TYPE", "FLUSH_POLICY", "TTL_SECONDS" …); values are text. on_commit: "" where it
    is not written, "preserve rows" | "delete rows" | "drop". unlogged: it says so, which has no effect.
    """

    name: TableName
    columns: tuple[ColumnDefinition, ...]
    constraints: tuple[TableConstraint, ...]
    options: tuple[tuple[str, str], ...]
    if_not_exists: bool = False
    likes: tuple[LikeTable, ...] = ()
    temporary: bool = False
    on_commit: str = ""
    unlogged: bool = False


@dataclass(frozen=True, slots=True)
class DropTable:
    names: tuple[TableName, ...]
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class Truncate:
    names: tuple[TableName, ...]
    cascade: bool = False
    restart_identity: bool = False


@dataclass(frozen=True, slots=True)
class CommentOn:
    """kind: schema | table | column | view | type | sequence | constraint | index | role.

    comment: None removes it.

    column: that column's name; of a constraint its own, `name` being its table's.
    """

    kind: str
    name: TableName
    column: str
    comment: str | None


# ------------------------------------------------------------------ privileges, acting for others


@dataclass(frozen=True, slots=True)
class GrantRevoke:
    """privileges: SELECT … or ALL. on: table | sequence | namespace | type | function.

    grantees: names or PUBLIC.
    schemas: ALL … IN SCHEMA, instead of names; functions have it alone.
    """

    grant: bool
    privileges: tuple[str, ...]
    on: str
    names: tuple[TableName, ...]
    grantees: tuple[str, ...]
    schemas: tuple[TableName, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecuteAsUser:
    user: str
    statement: "Statement"


# ------------------------------------------------------------------ transactions, settings, session


@dataclass(frozen=True, slots=True)
class Begin:
    isolation: str = ""  # "" | read committed | repeatable read | serializable | read uncommitted
    read_only: bool | None = None
    deferrable: bool | None = None
    tag: str = "BEGIN"  # or START TRANSACTION


@dataclass(frozen=True, slots=True)
class Commit:
    chain: bool = False


@dataclass(frozen=True, slots=True)
class Rollback:
    chain: bool = False


@dataclass(frozen=True, slots=True)
class Savepoint:
    name: str


@dataclass(frozen=True, slots=True)
class ReleaseSavepoint:
    name: str


@dataclass(frozen=True, slots=True)
class RollbackToSavepoint:
    name: str


@dataclass(frozen=True, slots=True)
class SetTransaction:
    """SET TRANSACTION, or with session: SET SESSION CHARACTERISTICS AS TRANSACTION."""

    isolation: str = ""
    read_only: bool | None = None
    session: bool = False
    deferrable: bool | None = None


@dataclass(frozen=True, slots=True)
class SetSetting:
    """value None is DEFAULT; several values (SET search_path TO a, b) arrive joined as PostgreSQL
    prints them. local: SET LOCAL.
    """

    name: str
    value: str | None
    local: bool = False


@dataclass(frozen=True, slots=True)
class ResetSetting:
    name: str  # "all" for RESET ALL


@dataclass(frozen=True, slots=True)
class ShowSetting:
    name: str  # "all" for SHOW ALL


@dataclass(frozen=True, slots=True)
class SetRole:
    """name None is NONE or DEFAULT, and what RESET means. authorization: SET SESSION AUTHORIZATION."""

    name: str | None
    local: bool = False
    authorization: bool = False
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Discard:
    what: str  # all | plans | sequences | temp


@dataclass(frozen=True, slots=True)
class Prepare:
    name: str
    types: tuple[TypeName, ...]
    statement: "Statement"


@dataclass(frozen=True, slots=True)
class ExecutePrepared:
    """arguments: SQL text of each argument expression."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deallocate:
    name: str | None  # None is ALL


@dataclass(frozen=True, slots=True)
class Explain:
    """statement: a query or data change, what has or names one (`Explainable`), or SUBSCRIBE."""

    statement: "Statement"
    analyze: bool = False
    options: tuple[tuple[str, str], ...] = ()


# ------------------------------------------------------------------ KalamDB's own


@dataclass(frozen=True, slots=True)
class ShowCatalog:
    """what: namespaces | tables | storages | users | jobs | backups; scope: SHOW TABLES IN scope."""

    what: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class DescribeTable:
    name: TableName
    history: bool = False


@dataclass(frozen=True, slots=True)
class ShowStats:
    name: TableName


@dataclass(frozen=True, slots=True)
class ShowManifest:
    name: TableName | None


@dataclass(frozen=True, slots=True)
class FlushTable:
    name: TableName


@dataclass(frozen=True, slots=True)
class FlushAll:
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class CompactTable:
    name: TableName


@dataclass(frozen=True, slots=True)
class CompactAll:
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class KillJob:
    id: str


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A statement that PostgreSQL or KalamDB knows and this server does not have yet (0A000).

    what: how the refusal names it, e.g. "CLUSTER".
    """

    what: str
    hint: str = ""


Statement: TypeAlias = (
    QueryStatement
    | CreateNamespace
    | DropNamespace
    | RenameNamespace
    | NamespaceOwner
    | UseNamespace
    | CreateTable
    | DropTable
    | Truncate
    | AlterTable
    | IndexStatement
    | CreateView
    | DropView
    | CommentOn
    | UserStatement
    | GrantRevoke
    | ExecuteAsUser
    | Begin
    | Commit
    | Rollback
    | Savepoint
    | ReleaseSavepoint
    | RollbackToSavepoint
    | SetTransaction
    | SetConstraints
    | SetSetting
    | ResetSetting
    | ShowSetting
    | SetRole
    | Discard
    | Prepare
    | ExecutePrepared
    | Deallocate
    | Explain
    | CopyStatement
    | DerivedStatement
    | Do
    | MaintenanceStatement
    | SequenceStatement
    | CursorStatement
    | FunctionStatement
    | ExtensionStatement
    | LiveStatement
    | TypeStatement
    | ShowCatalog
    | DescribeTable
    | ShowStats
    | ShowManifest
    | FlushTable
    | FlushAll
    | CompactTable
    | CompactAll
    | KillJob
    | Unsupported
)


def command_name(statement: object) -> str:
    """How messages name a statement's kind: ALTER TABLE, CREATE USER and so on."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(statement).__name__).upper()


Explainable: TypeAlias = (
    QueryStatement | CreateTableAs | CreateMaterializedView | DeclareCursor | ExecutePrepared
)
"""What EXPLAIN takes, beside SUBSCRIBE."""
