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
    UndefinedObjectError,
    UndefinedTableError,
)
from catalog.ids import Ids
from catalog.model import Namespace, Relation, Role, Table, User, View
from catalog.snapshot import Snapshot
from catalog.types.table import PgType
from kalam_pg.query.table_change import TableChange
from kalam_pg.sql import statements as st
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Value


@dataclass(frozen=True, slots=True)
class DdlContext:
    """What a definition is made in.

    ids: numbers for what is made. get: reads a system key, the transaction's own changes included
    (`Store.reader`).
    check_expression: binds an expression's text for a table (None: no columns) and a type; raises.
    check_indexed: the same for an index; the expression's type, and its text as it is kept. Raises 42P17.
    describe: a query's output columns; reads: ids of the tables and views that it names.
    make_verifier: a password's SCRAM verifier. evaluate: an expression's value, assigned to a type with a
    typmod; None where it has another one at each row. columns_read: of a table, that a view uses.
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
    reads: Callable[[st.QueryStatement], tuple[int, ...]] = lambda _query: ()
    storages: Sequence[str] = ("local",)
    evaluate: Callable[[str, PgType, int], tuple[Value] | None] = lambda *_: None
    columns_read: Callable[[View, int], frozenset[int]] = lambda *_: frozenset()


@dataclass(frozen=True, slots=True)
class DdlPlan:
    """What to write, and the command tag to answer with. NOTICEs are in the change.

    rows: what it asks of a table's rows, None for nothing.
    """

    change: CatalogChange
    tag: str
    rows: TableChange | None = None


@singledispatch
def plan(statement: object, _context: DdlContext) -> DdlPlan:
    """The change that a statement means; one function for each kind registers itself."""
    raise FeatureNotSupportedError(f"{st.command_name(statement)} is not supported yet")


# ------------------------------------------------------------------ names


def creation_namespace(context: DdlContext, name: st.TableName) -> Namespace:
    """Where something new goes. Raises 42501 for a system namespace, 3F000."""
    if name.schema:
        return changes.require_namespace(context.snapshot, name.schema, name.position)
    for candidate in context.search_path:
        namespace = context.snapshot.namespace(candidate)
        if namespace is not None:
            return namespace
    raise InvalidSchemaNameError("no schema has been selected to create in", position=name.position)


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


def grantee(context: DdlContext, name: str) -> int:
    """The id of the living user of that name. Raises 42704."""
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
