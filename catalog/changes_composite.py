"""CREATE TYPE … AS (…) and what ALTER TYPE does to attributes: pure functions, as `catalog.changes_type`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from catalog.changes import CatalogChange, put_type
from catalog.changes_type import require_new_name
from catalog.errors import (
    DuplicateColumnError,
    FeatureNotSupportedError,
    InvalidTableDefinitionError,
    TooManyColumnsError,
    UndefinedColumnError,
    UndefinedTableError,
)
from catalog.ids import Ids
from catalog.model import Table, UserType
from catalog.snapshot import Snapshot
from catalog.types.composite import Attribute, CompositeDefinition
from catalog.types.definitions import definition_of, quoted
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType

ATTRIBUTES_MAX = 1600
"""PostgreSQL's MaxHeapAttributeNumber."""


@dataclass(frozen=True, slots=True)
class NewAttribute:
    """An attribute that is asked for, its type found."""

    name: str
    type: PgType
    typmod: int = -1


def create_composite(
    snapshot: Snapshot,
    ids: Ids,
    namespace: str,
    name: str,
    attributes: Sequence[NewAttribute],
    *,
    owner: int,
    now_us: int,
) -> CatalogChange:
    """CREATE TYPE … AS (…). Raises 42710 for a name that is taken, 42701, 42P16, 54011 for attributes."""
    require_new_name(snapshot, namespace, name)
    if len(attributes) > ATTRIBUTES_MAX:
        raise TooManyColumnsError(f"tables can have at most {ATTRIBUTES_MAX} columns")
    seen: set[str] = set()
    for new in attributes:
        if new.name in seen:
            raise DuplicateColumnError(f'column "{new.name}" specified more than once')
        seen.add(new.name)
        _check_type(new)
    first = ids.oids(3)
    made = tuple(
        [Attribute(at, new.name, new.type, new.typmod) for at, new in enumerate(attributes, 1)]
    )
    definition = CompositeDefinition(first, first + 1, namespace, name, first + 2, made, len(made))
    return put_type(snapshot, UserType(definition, owner, now_us))


def _check_type(new: NewAttribute) -> None:
    """Raise 42P16 for a type that no attribute may have, 0A000 for one that is a table's rows'."""
    if new.type.pseudo or new.type.name == "unknown":
        raise InvalidTableDefinitionError(
            f'column "{new.name}" has pseudo-type {new.type.sql_name}'
        )
    made = definition_of(new.type)
    if isinstance(made, CompositeDefinition) and made.of_table:
        raise FeatureNotSupportedError(
            f'column "{new.name}" of the row type of {made.name} is not supported',
            hint="Use a type that CREATE TYPE has made.",
        )
    if isinstance(made, DomainDefinition) and (made.required or made.base.element is None):
        raise FeatureNotSupportedError(f'attribute "{new.name}" of a domain is not supported')


def require_composite(made: UserType) -> CompositeDefinition:
    """What a composite type is. Raises 42P01, as PostgreSQL, which looks for its row of pg_class."""
    if not isinstance(made.definition, CompositeDefinition):
        raise UndefinedTableError(f'relation "{made.name}" does not exist')
    return made.definition


def _put(snapshot: Snapshot, made: UserType, attributes: tuple[Attribute, ...]) -> CatalogChange:
    definition = require_composite(made)
    last = max(definition.last, *[a.number for a in attributes], 0)
    changed = replace(definition, attributes=attributes, last=last)
    return put_type(snapshot, replace(made, definition=changed))


def add_attribute(snapshot: Snapshot, made: UserType, new: NewAttribute) -> CatalogChange:
    """ADD ATTRIBUTE: NULL in what is stored. Raises 42701, 42P16, 54011."""
    definition = require_composite(made)
    _check_type(new)
    if made_of(new.type, made.id):
        raise _member_of_itself(made)
    if any(a.name == new.name for a in definition.attributes):
        raise DuplicateColumnError(f'column "{new.name}" of relation "{made.name}" already exists')
    if definition.last >= ATTRIBUTES_MAX:
        raise TooManyColumnsError(f"tables can have at most {ATTRIBUTES_MAX} columns")
    added = Attribute(definition.last + 1, new.name, new.type, new.typmod)
    return _put(snapshot, made, (*definition.attributes, added))


def _member_of_itself(made: UserType) -> InvalidTableDefinitionError:
    return InvalidTableDefinitionError(
        f"composite type {quoted(made.name)} cannot be made a member of itself"
    )


def drop_attribute(
    snapshot: Snapshot, made: UserType, name: str, *, if_exists: bool = False
) -> CatalogChange:
    """DROP ATTRIBUTE: what is stored of it is not seen any more. Raises 42703."""
    definition = require_composite(made)
    kept = tuple([a for a in definition.attributes if a.name != name])
    if len(kept) == len(definition.attributes):
        text = f'column "{name}" of relation "{made.name}" does not exist'
        if if_exists:
            return CatalogChange(snapshot, notices=(f"{text}, skipping",))
        raise UndefinedColumnError(text)
    return _put(snapshot, made, kept)


def rename_attribute(snapshot: Snapshot, made: UserType, old: str, new: str) -> CatalogChange:
    """RENAME ATTRIBUTE. Raises 42703, 42701."""
    definition = require_composite(made)
    names = [a.name for a in definition.attributes]
    if old not in names:
        raise UndefinedColumnError(f'column "{old}" does not exist')
    if new in names:
        raise DuplicateColumnError(f'column "{new}" of relation "{made.name}" already exists')
    renamed = [replace(a, name=new) if a.name == old else a for a in definition.attributes]
    return _put(snapshot, made, tuple(renamed))


def alter_attribute(snapshot: Snapshot, made: UserType, new: NewAttribute) -> CatalogChange:
    """ALTER ATTRIBUTE TYPE. Raises 42703, 0A000 while rows may be stored that have it."""
    definition = require_composite(made)
    if all(a.name != new.name for a in definition.attributes):
        raise UndefinedColumnError(f'column "{new.name}" of relation "{made.name}" does not exist')
    _check_type(new)
    if made_of(new.type, made.id):
        raise _member_of_itself(made)
    for table, name in columns_of(snapshot, made):
        raise FeatureNotSupportedError(
            f'cannot alter type "{made.name}" because column "{table.name}.{name}" uses it'
        )
    altered = [
        replace(a, type=new.type, typmod=new.typmod) if a.name == new.name else a
        for a in definition.attributes
    ]
    return _put(snapshot, made, tuple(altered))


def made_of(pg_type: PgType, oid: int) -> bool:
    """Whether values of a type have parts of the type with that OID, or are of it."""
    definition = definition_of(pg_type)
    if definition is None:
        return False
    if isinstance(definition, CompositeDefinition):
        return definition.oid == oid or any(made_of(a.type, oid) for a in definition.attributes)
    if isinstance(definition, DomainDefinition):
        return definition.oid == oid or made_of(definition.base, oid)
    return definition.oid == oid


def columns_of(snapshot: Snapshot, made: UserType) -> list[tuple[Table, str]]:
    """The columns of tables that have a type in them: each table, and the column's name."""
    return [
        (table, column.name)
        for table in sorted(snapshot.tables.values(), key=lambda one: one.id)
        for column in table.columns
        if made_of(column.type, made.id)
    ]
