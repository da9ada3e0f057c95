"""What definitions are planned in, and how they resolve names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch

from catalog import changes
from catalog.changes import CatalogChange
from catalog.changes_user import Get, find_user
from catalog.errors import (
    FeatureNotSupportedError,
    InvalidSchemaNameError,
    InvalidTableDefinitionError,
    UndefinedObjectError,
    UndefinedTableError,
)
from catalog.functions import Function
from catalog.ids import Ids
from catalog.model import (
    TEMPORARY,
    Column,
    Namespace,
    Relation,
    Role,
    Table,
    TableKind,
    User,
    View,
    is_temporary,
)
from catalog.snapshot import Snapshot
from catalog.types.table import PgType
from kalam_pg.query.table_change import TableChange
from kalam_pg.sql import statements as st
from kalam_pg.sql.kept_calls import with_schemas
from kalam_pg.sql.token_reader import CURRENT, SESSION
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Value


@dataclass(frozen=True, slots=True)
class DdlContext:
    """What a definition is made in.

    ids: numbers for what is made. get: reads a system key, the transaction's own changes included
    (`Store.reader`).
    check_expression: binds an expression's text for a table (None: no columns) and a type; raises.
    check_indexed: the same for an index; the expression's type, and its text as it is kept. Raises 42P17.
    check_generated: the same for a generated column of a table, without the type. Raises 42P17, 42804.
    spelled: a default as PostgreSQL would show it, where it is a constant; else as it is.
    describe: a query's output columns; reads: ids of the tables and views that it names; not_updatable: why
    rows could not be put through a view of it, "" if they could.
    make_verifier: a password's SCRAM verifier. evaluate: an expression's value, assigned to a type with a
    typmod; None where it has another one at each row. columns_read: of a table, that a view uses.
    check_body: binds a function's body, and gives the ids of what it names; raises.
    creates_in: the schemas of the search path that are named in it, None: all. kind_unsaid: that of a table
    whose definition says none. check_aggregate: binds what an aggregate does with each row; raises.
    """

    snapshot: Snapshot
    ids: Ids
    user: User
    now_us: int
    search_path: Sequence[str]
    get: Get
    check_expression: Callable[[str, Table | None, PgType], object]
    check_indexed: Callable[[str, Table, PgType | None], tuple[PgType, str]]
    describe: Callable[[st.QueryStatement], Sequence[OutputColumn]]
    make_verifier: Callable[[str], str]
    check_generated: Callable[[Table, Column], str] = lambda _table, column: column.generated
    spelled: Callable[[str, PgType], str] = lambda text, _kind: text
    reads: Callable[[st.QueryStatement], tuple[int, ...]] = lambda _query: ()
    not_updatable: Callable[[View, st.QueryStatement], str] = lambda _view, _query: ""
    storages: Sequence[str] = ("local",)
    evaluate: Callable[[str, PgType, int], tuple[Value] | None] = lambda *_: None
    columns_read: Callable[[View, int], frozenset[int]] = lambda *_: frozenset()
    creates_in: Sequence[str] | None = None
    session_user: User | None = None
    check_body: Callable[[Function], tuple[int, ...]] = lambda _function: ()
    kind_unsaid: TableKind = TableKind.SHARED
    check_aggregate: Callable[[Function], None] = lambda _function: None


@dataclass(frozen=True, slots=True)
class DdlPlan:
    """What to write, and the command tag to answer with. NOTICEs are in the change.

    rows: what it changes in a table's rows and asks of them, None for nothing. asked: of which tables it
    asks something else.
    """

    change: CatalogChange
    tag: str
    rows: TableChange | None = None
    asked: tuple[TableChange, ...] = ()


@singledispatch
def plan(statement: object, _context: DdlContext) -> DdlPlan:
    """The change that a statement means; one function for each kind registers itself."""
    raise FeatureNotSupportedError(f"{st.command_name(statement)} is not supported yet")


# ------------------------------------------------------------------ names


def creation_namespace(
    context: DdlContext, name: st.TableName, *, temporary: bool = False
) -> Namespace:
    """Where something new goes. Raises 42501 for a system namespace, 3F000, 42P16.

    temporary: it is to be the session's own, which then has a schema for that.
    """
    own = context.snapshot.temporary
    if name.schema:
        schema = own if own and name.schema == TEMPORARY else name.schema
        if is_temporary(schema) and schema != own:
            raise InvalidTableDefinitionError(
                "cannot create relations in temporary schemas of other sessions",
                position=name.position,
            )
        namespace = changes.require_namespace(context.snapshot, schema, name.position)
        if temporary and schema != own:
            raise InvalidTableDefinitionError(
                "cannot create temporary relation in non-temporary schema", position=name.position
            )
        return namespace
    if temporary:
        return context.snapshot.namespaces[own]
    path = context.search_path if context.creates_in is None else context.creates_in
    for candidate in path:
        there = context.snapshot.namespace(candidate)
        if there is not None:
            return there
    raise InvalidSchemaNameError("no schema has been selected to create in", position=name.position)


def type_namespace(context: DdlContext, name: st.TableName) -> Namespace:
    """Where a type goes. Raises as `creation_namespace`, and 0A000."""
    namespace = creation_namespace(context, name)
    if is_temporary(namespace.name):
        raise FeatureNotSupportedError("types in temporary schemas are not supported yet")
    return namespace


def require_not_moved(before: str, after: str) -> None:
    """Raise 0A000 where something would go from one schema to another, and one of them is temporary."""
    if before != after and (after == TEMPORARY or is_temporary(before) or is_temporary(after)):
        raise FeatureNotSupportedError("cannot move objects into or out of temporary schemas")


def find_relation(context: DdlContext, name: st.TableName) -> Relation:
    """The table or view of that name. Raises 42P01."""
    return relation_in(context.snapshot, context.search_path, name)


def relation_in(snapshot: Snapshot, search_path: Sequence[str], name: st.TableName) -> Relation:
    """As `find_relation`, for who defines nothing."""
    changes.require_not_system(name.schema)
    relation = snapshot.find(name.schema, name.name, search_path)
    if relation is None:
        raise UndefinedTableError(f'relation "{name}" does not exist', position=name.position)
    return relation


def kept_expression(text: str, context: DdlContext) -> str:
    """A default or condition as it is kept: what it calls has its schema."""
    return with_schemas(text, context.snapshot, context.search_path)


def grantee(context: DdlContext, name: str) -> int:
    """The id of the living user of that name, or of who says it. Raises 42704."""
    if name in (CURRENT, SESSION):
        return (context.user if name == CURRENT else context.session_user or context.user).id
    user = find_user(context.get, name)
    if user is None or user.deleted_at_us is not None:
        raise UndefinedObjectError(f'role "{name}" does not exist')
    return user.id


def grantee_or_role(context: DdlContext, name: str) -> int | str:
    """Whom a privilege goes to: PUBLIC, a user's id, or one of the four roles."""
    if name == "PUBLIC":
        return name
    try:
        return grantee(context, name)
    except UndefinedObjectError:
        if name in [role.value for role in Role]:
            return name
        raise
