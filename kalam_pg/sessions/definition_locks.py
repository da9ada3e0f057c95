"""What a definition locks, so that no other transaction defines the same until it has ended.

Transactions may define things side by side. Each locks what it makes, changes, drops, and what it relies
on: the table that a view reads, the namespace that a table is made in, the role that is granted something.
Whoever else wants one of these waits, and plans its definition anew then. Names of locks, beside tables',
views' and types' own ids:

    ("schema", name)               a namespace of that name, which need not exist
    ("relation", namespace, name)  a relation or type that is to be of that name
    ("function", namespace, name)  functions that are to be of that name
    ("role", name)                 a user
"""

from collections.abc import Iterator
from itertools import chain

from catalog.changes import CatalogChange
from catalog.changes_domain import columns_of
from catalog.difference import Difference
from catalog.indexes import indexes_of
from catalog.model import (
    NumberSequence,
    Relation,
    Table,
    UserType,
    View,
    as_view,
)
from catalog.snapshot import Snapshot
from catalog.types.composite import CompositeDefinition, types_within
from kalam_pg.query.locks.modes import (
    ACCESS_EXCLUSIVE,
    ACCESS_SHARE,
    SHARE,
    SHARE_ROW_EXCLUSIVE,
    SHARE_UPDATE_EXCLUSIVE,
    Mode,
)
from kalam_pg.query.locks.state import Name
from kalam_pg.sql import statements as st
from kalam_pg.sql import statements_alter as sa
from kalam_pg.sql.statements import Statement
from kalam_pg.sql.statements_alter import AlterTable
from kalam_pg.sql.statements_types import (
    AddDomainCheck,
    AlterDomain,
    DomainNotNull,
    ValidateDomainCheck,
)
from kalam_pg.sql.statements_users import AlterDefaultPrivileges, AlterSettings

Lock = tuple[Name, Mode]


def needed(
    statement: Statement, before: Snapshot, change: CatalogChange, made: Difference
) -> list[Lock]:
    """The locks of a definition that makes a change in a catalogue; names before what they name.

    made: what it changes there.
    """
    return [
        *_roles(statement, change),
        *_namespaces(before, made),
        *_types(before, made),
        *_altered(statement, before, made),
        *_asked(statement, before, made),
        *_relations(before, made),
        *_functions(before, made),
    ]


def _roles(statement: Statement, change: CatalogChange) -> Iterator[Lock]:
    for user in (*change.users, *change.purged):
        yield ("role", user.name), ACCESS_EXCLUSIVE
    match statement:
        case st.GrantRevoke(grantees=grantees):
            for name in grantees:
                yield ("role", name), ACCESS_SHARE
        case AlterDefaultPrivileges(roles=roles, schemas=schemas, given=given):
            for name in sorted(roles):
                yield ("role", name), SHARE_ROW_EXCLUSIVE
            for name in given.grantees:
                yield ("role", name), ACCESS_SHARE
            for schema in schemas:
                yield ("schema", schema.name), ACCESS_SHARE
        case AlterSettings(role=name):
            yield ("role", name), SHARE_ROW_EXCLUSIVE  # "": everybody's.
        case st.CreateNamespace(authorization=name) if name:
            yield ("role", name), ACCESS_SHARE
        case _:
            pass


def _namespaces(before: Snapshot, changed: Difference) -> Iterator[Lock]:
    for name, after in changed.namespaces.items():
        stays = name in before.namespaces and after is not None
        yield ("schema", name), SHARE_UPDATE_EXCLUSIVE if stays else ACCESS_EXCLUSIVE


def _types(before: Snapshot, changed: Difference) -> Iterator[Lock]:
    """Types are called by names that relations have too, in PostgreSQL: the locks are the same."""
    for type_id, after in changed.types.items():
        there = before.types.get(type_id)
        if after is None:
            yield type_id, ACCESS_EXCLUSIVE
            continue
        if there is None or (there.namespace, there.name) != (after.namespace, after.name):
            yield ("schema", after.namespace), ACCESS_SHARE
            yield ("relation", after.namespace, after.name), ACCESS_EXCLUSIVE
        if there is not None:
            yield (
                type_id,
                ACCESS_EXCLUSIVE if _other_values(there, after) else SHARE_UPDATE_EXCLUSIVE,
            )
        for made in types_within(after.pg_type):
            if made != type_id:
                yield made, ACCESS_SHARE


def _other_values(before: UserType, after: UserType) -> bool:
    """Whether an attribute has another type: rows that anybody wrote before would be read as others."""
    old, new = before.definition, after.definition
    if not isinstance(old, CompositeDefinition) or not isinstance(new, CompositeDefinition):
        return False
    had = {a.number: a.type.oid for a in old.attributes}
    return any(had.get(a.number, a.type.oid) != a.type.oid for a in new.attributes)


def _altered(statement: Statement, before: Snapshot, changed: Difference) -> Iterator[Lock]:
    """ALTER TABLE keeps everybody out, but for what no reader or writer could notice."""
    if not isinstance(statement, AlterTable):
        return
    quiet = all(isinstance(action, _QUIET) for action in statement.actions)
    mode = SHARE_UPDATE_EXCLUSIVE if quiet else ACCESS_EXCLUSIVE
    for relation_id, after in (*changed.tables.items(), *changed.views.items()):
        there = before.tables.get(relation_id) or before.views.get(relation_id)
        if there is not None and after is not None and _is_named(statement, there):
            yield relation_id, mode


def _asked(statement: Statement, before: Snapshot, changed: Difference) -> Iterator[Lock]:
    """Nobody writes in what a domain's new constraint is asked of."""
    if isinstance(statement, AlterDomain) and isinstance(statement.action, _ASKING):
        for made in changed.types:
            for table, _ in columns_of(before, before.types[made]):
                yield table.id, SHARE


_ASKING = (AddDomainCheck, DomainNotNull, ValidateDomainCheck)

_QUIET = (sa.ValidateConstraint, sa.SetOptions)


def _is_named(statement: AlterTable, relation: Relation) -> bool:
    """Whether the relation is the one that is altered, not a view that reads it."""
    schema = statement.name.schema
    return relation.name == statement.name.name and schema in ("", relation.namespace)


def _relations(before: Snapshot, changed: Difference) -> Iterator[Lock]:
    of_all_kinds = (changed.tables, changed.views, changed.sequences)
    for relation_id, after in chain.from_iterable(kind.items() for kind in of_all_kinds):
        there = (
            before.tables.get(relation_id)
            or before.views.get(relation_id)
            or before.sequences.get(relation_id)
        )
        if after is None:
            yield relation_id, ACCESS_EXCLUSIVE
            continue
        if there is None or (there.namespace, there.name) != (after.namespace, after.name):
            yield ("schema", after.namespace), ACCESS_SHARE
            yield ("relation", after.namespace, after.name), ACCESS_EXCLUSIVE
        if isinstance(after, Table) and not _same_columns(there, after):
            for column in after.columns:
                for made in (*types_within(column.type), column.domain):
                    if made:
                        yield made, ACCESS_SHARE
        query = as_view(after) if isinstance(after, Table | View) else None
        if query is not None and not _same_query(there, query):
            for read in query.reads:
                yield read, ACCESS_SHARE
            if there is not None:
                yield relation_id, ACCESS_EXCLUSIVE
        elif there is not None:
            yield relation_id, SHARE_UPDATE_EXCLUSIVE
        if isinstance(after, Table):
            if isinstance(there, Table) and there.storage_id != after.storage_id:
                # Who changes a row that refers to one of these looks for it where it lay.
                for referring, _ in before.referring_to(after.id):
                    yield referring.id, SHARE_ROW_EXCLUSIVE
            yield from _indexes(there, after)
            had = {c.id for c in there.constraints} if isinstance(there, Table) else set()
            for constraint in after.constraints:
                parent = constraint.reference
                if parent is not None and constraint.id not in had and parent.table != after.id:
                    yield parent.table, SHARE_ROW_EXCLUSIVE


def _functions(before: Snapshot, changed: Difference) -> Iterator[Lock]:
    """A function's name, as often as there are functions of it: what it becomes, others may call by then."""
    for function_id, after in changed.functions.items():
        there = before.functions.get(function_id)
        if there is not None:
            yield function_id, ACCESS_EXCLUSIVE if after is None else SHARE_UPDATE_EXCLUSIVE
        if after is None:
            continue
        if there is None or (there.namespace, there.name) != (after.namespace, after.name):
            yield ("schema", after.namespace), ACCESS_SHARE
            yield ("function", after.namespace, after.name), ACCESS_EXCLUSIVE
        for used in after.reads:
            yield used, ACCESS_SHARE


def _indexes(before: Relation | NumberSequence | None, after: Table) -> Iterator[Lock]:
    """The names of new indexes, and the table: who writes puts entries, or puts none any more."""
    had = {i.id: i.name for i, _ in indexes_of(before)} if isinstance(before, Table) else {}
    has = {index.id: index.name for index, _ in indexes_of(after)}
    for one in has.keys() - had.keys():
        yield ("relation", after.namespace, has[one]), ACCESS_EXCLUSIVE
    if before is not None:
        if had.keys() - has.keys():
            yield after.id, ACCESS_EXCLUSIVE
        elif has.keys() - had.keys():
            yield after.id, SHARE_ROW_EXCLUSIVE


def _same_columns(before: Relation | NumberSequence | None, after: Table) -> bool:
    return isinstance(before, Table) and before.columns == after.columns


def _same_query(before: Relation | NumberSequence | None, after: View) -> bool:
    query = as_view(before) if isinstance(before, Table | View) else None
    return query is not None and query.query == after.query
