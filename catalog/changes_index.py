"""CREATE INDEX and DROP INDEX as pure functions."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from catalog.changes import CatalogChange, put_relation
from catalog.errors import (
    DependentObjectsStillExistError,
    DuplicateTableError,
    FeatureNotSupportedError,
    TooManyColumnsError,
    UndefinedColumnError,
    UndefinedObjectError,
    WrongObjectTypeError,
)
from catalog.ids import Ids
from catalog.indexes import has_order
from catalog.model import Index, IndexKey, Table, kind_of
from catalog.names import key_name, numbered, object_name
from catalog.snapshot import Snapshot
from catalog.types.registry import BOOL, format_type
from catalog.types.table import PgType

KEYS_MAX = 32
"""PostgreSQL's INDEX_MAX_KEYS."""

_OTHER_OPCLASSES = ("text_pattern_ops", "varchar_pattern_ops", "bpchar_pattern_ops")
"""Beside the default ones: text sorts by its bytes anyway."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A column by name, or an expression with its type."""

    column: str
    expression: str = ""
    type: PgType | None = None
    opclass: str = ""
    descending: bool = False
    nulls_first: bool | None = None


@dataclass(frozen=True, slots=True)
class NewIndex:
    """An index as it is to be; the fields are those of `catalog.model.Index`."""

    keys: tuple[NewKey, ...]
    name: str = ""
    unique: bool = False
    nulls_distinct: bool = True
    where: str = ""
    include: tuple[str, ...] = ()
    method: str = "btree"
    parameters: tuple[tuple[str, str], ...] = ()
    comment: str = ""


def create_index(
    snapshot: Snapshot, ids: Ids, table: Table, new: NewIndex, *, if_not_exists: bool = False
) -> CatalogChange:
    """CREATE INDEX. Raises 42P07, 42703, 42704, 42P17, 54011."""
    if new.name and snapshot.is_taken(table.namespace, new.name):
        if if_not_exists:
            notice = f'relation "{new.name}" already exists, skipping'
            return CatalogChange(snapshot, notices=(notice,))
        raise DuplicateTableError(f'relation "{new.name}" already exists')
    index = build_index(snapshot, ids, table, new)
    return put_relation(snapshot, replace(table, indexes=(*table.indexes, index)))


def build_index(snapshot: Snapshot, ids: Ids, table: Table, new: NewIndex) -> Index:
    """The index with an id and a name. Raises as above."""
    if len(new.keys) + len(new.include) > KEYS_MAX:
        raise TooManyColumnsError(f"cannot use more than {KEYS_MAX} columns in an index")
    keys = tuple(_key(table, key) for key in new.keys)
    include = tuple(_column(table, name) for name in new.include)
    named = [
        *[key.column or key_name(key.expression) for key in new.keys],
        *new.include,
    ]
    name = new.name or numbered(
        lambda label: object_name(table.name, "_".join(named), label),
        "idx",
        lambda made: snapshot.is_taken(table.namespace, made),
    )
    return Index(
        *(ids.oids(), name, keys, new.unique, new.nulls_distinct or not new.unique, new.where),
        include=include,
        method=new.method,
        parameters=new.parameters,
        comment=new.comment,
    )


def _column(table: Table, name: str) -> int:
    for column in table.columns:
        if column.name == name and not (table.hidden_key and name == "_rowid"):
            return column.id
    raise UndefinedColumnError(f'column "{name}" does not exist')


def _key(table: Table, new: NewKey) -> IndexKey:
    column, of, typmod = 0, new.type, -1
    if new.column:
        column = _column(table, new.column)
        (found,) = (c for c in table.columns if c.id == column)
        of, typmod = found.type, found.typmod
    assert of is not None
    require_sortable(of)
    first = new.descending if new.nulls_first is None else new.nulls_first
    opclass = _opclass(new.opclass)
    return IndexKey(column, new.expression, of, typmod, new.descending, first, opclass)


_UNSORTED = ("json", "jsonpath")
"""Types that PostgreSQL has no order of either."""


def require_sortable(of: PgType) -> None:
    """Raise 42704 for a type whose values have no order, 0A000 for one whose order no key here has."""
    if has_order(of):
        return
    if of.name not in _UNSORTED:
        raise FeatureNotSupportedError(f"a key or an index over {format_type(of)} is not supported")
    raise UndefinedObjectError(
        f'data type {format_type(of)} has no default operator class for access method "btree"',
        hint="You must specify an operator class for the index or define a default "
        "operator class for the data type.",
    )


def with_types(
    table: Table, indexes: Collection[int], read: Callable[[str, PgType | None], tuple[PgType, str]]
) -> Table:
    """The table with its columns' types, and those of expressions of them, in these indexes, by their ids.

    read: gives the type and text that an expression, or a condition, has now. Raises 42704 for a type
    that has no order.
    """
    by_id = {column.id: column for column in table.columns}

    def key(one: IndexKey) -> IndexKey:
        column = by_id.get(one.column)
        if column is None:
            of, text = read(one.expression, None)
            made = replace(one, expression=text, type=of)
        else:
            made = replace(one, type=column.type, typmod=column.typmod)
        require_sortable(made.type)
        return made

    def typed(index: Index) -> Index:
        where = read(index.where, BOOL)[1] if index.where else ""
        return replace(index, keys=tuple(map(key, index.keys)), where=where)

    made = tuple(typed(index) if index.id in indexes else index for index in table.indexes)
    return replace(table, indexes=made)


def _opclass(name: str) -> str:
    if not name:
        return ""
    if name in _OTHER_OPCLASSES:
        return name
    if not name.endswith("_ops"):
        raise UndefinedObjectError(
            f'operator class "{name}" does not exist for access method "btree"'
        )
    return ""


def drop_index(snapshot: Snapshot, table: Table, name: str) -> CatalogChange:
    """DROP INDEX of one that is there. Raises 2BP01 when a constraint is kept by it."""
    for constraint in table.constraints:
        if constraint.name == name and constraint.kind in {"p", "u"}:
            what = f"constraint {name} on table {table.name}"
            raise DependentObjectsStillExistError(
                f"cannot drop index {name} because {what} requires it",
                hint=f"You can drop {what} instead.",
            )
    left = tuple(index for index in table.indexes if index.name != name)
    return put_relation(snapshot, replace(table, indexes=left))


def find_index(
    snapshot: Snapshot, namespace: str, name: str, search_path: Sequence[str]
) -> Table | None:
    """The table of the index with that name. Raises 42809 when the name is another relation's."""
    for candidate in (namespace,) if namespace else search_path:
        table = snapshot.indexed_by(candidate, name)
        if table is not None:
            return table
        other = snapshot.find(candidate, name, ())
        if other is not None:
            kind = kind_of(other)
            raise WrongObjectTypeError(
                f'"{name}" is not an index', hint=f"Use DROP {kind.upper()} to remove a {kind}."
            )
    return None
