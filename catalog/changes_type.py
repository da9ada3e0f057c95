"""CREATE TYPE and ALTER TYPE as pure functions: a snapshot and what is wanted, to a `CatalogChange`."""

from collections.abc import Sequence
from dataclasses import replace

from catalog.changes import CatalogChange, put_type, require_namespace
from catalog.errors import (
    DuplicateObjectError,
    FeatureNotSupportedError,
    InvalidNameError,
    InvalidParameterValueError,
    UndefinedObjectError,
    UniqueViolationError,
    WrongObjectTypeError,
)
from catalog.ids import Ids
from catalog.model import UserType
from catalog.snapshot import Snapshot
from catalog.types.definitions import Definition, quoted
from catalog.types.enum import STEP, EnumDefinition, EnumLabel

LABEL_BYTES_MAX = 63
"""PostgreSQL's NAMEDATALEN - 1."""


def create_enum(
    snapshot: Snapshot,
    ids: Ids,
    namespace: str,
    name: str,
    labels: Sequence[str],
    *,
    owner: int,
    now_us: int,
) -> CatalogChange:
    """CREATE TYPE … AS ENUM. Raises 42710 for a name that is taken, 42602, 23505 for labels."""
    require_new_name(snapshot, namespace, name)
    seen: set[str] = set()
    for label in labels:
        _check_label(label)
        if label in seen:
            raise UniqueViolationError(
                'duplicate key value violates unique constraint "pg_enum_typid_label_index"',
                detail=f"Key (enumtypid, enumlabel)=({ids.oids()}, {label}) already exists.",
            )
        seen.add(label)
    first = ids.oids(2 + len(labels))
    made = tuple(EnumLabel(first + 1 + at, at * STEP, label) for at, label in enumerate(labels, 1))
    definition = EnumDefinition(first, first + 1, namespace, name, made)
    return put_type(snapshot, UserType(definition, owner, now_us))


def require_new_name(snapshot: Snapshot, namespace: str, name: str) -> None:
    """Raise 42710 when a type or a relation has the name, 3F000 when there is no such namespace."""
    require_namespace(snapshot, namespace)
    if is_taken(snapshot, namespace, name):
        raise DuplicateObjectError(f'type "{name}" already exists')


def is_taken(snapshot: Snapshot, namespace: str, name: str) -> bool:
    """Whether a type or a relation has the name."""
    found = snapshot.find_type(namespace, name, ()) or snapshot.find(namespace, name, ())
    return found is not None


def add_label(
    snapshot: Snapshot,
    ids: Ids,
    made: UserType,
    label: str,
    *,
    neighbour: str = "",
    after: bool = False,
    if_not_exists: bool = False,
) -> CatalogChange:
    """ALTER TYPE … ADD VALUE; neighbour: next to which it stands, "" is at the end.

    Raises 42710 when it is there, 22023 when the neighbour is not, 0A000 when no more fit there.
    """
    definition = require_enum(made)
    _check_label(label)
    labels = definition.labels
    names = [one.label for one in labels]
    if label in names:
        if if_not_exists:
            notice = f'enum label "{label}" already exists, skipping'
            return CatalogChange(snapshot, notices=(notice,))
        raise DuplicateObjectError(f'enum label "{label}" already exists')
    at = len(labels)
    if neighbour:
        if neighbour not in names:
            raise InvalidParameterValueError(f'"{neighbour}" is not an existing enum label')
        at = names.index(neighbour) + after
    new = EnumLabel(ids.oids(), _position(labels, at), label)
    changed = replace(definition, labels=(*labels[:at], new, *labels[at:]))
    return put_type(snapshot, replace(made, definition=changed))


def _position(labels: Sequence[EnumLabel], at: int) -> int:
    """Where a label stands that comes before the one at `at`."""
    if not labels:
        return STEP
    if at == 0:
        return labels[0].position - STEP
    if at == len(labels):
        return labels[-1].position + STEP
    before, behind = labels[at - 1].position, labels[at].position
    if behind - before < 2:
        raise FeatureNotSupportedError(
            f'more labels between "{labels[at - 1].label}" and "{labels[at].label}" are not supported'
        )
    return (before + behind) // 2


def rename_label(snapshot: Snapshot, made: UserType, old: str, new: str) -> CatalogChange:
    """ALTER TYPE … RENAME VALUE. Raises 22023 when it is not there, 42710 when the new one is."""
    definition = require_enum(made)
    _check_label(new)
    names = [one.label for one in definition.labels]
    if old not in names:
        raise InvalidParameterValueError(f'"{old}" is not an existing enum label')
    if new in names:
        raise DuplicateObjectError(f'enum label "{new}" already exists')
    labels = tuple(
        replace(one, label=new) if one.label == old else one for one in definition.labels
    )
    return put_type(snapshot, replace(made, definition=replace(definition, labels=labels)))


def move_type(snapshot: Snapshot, made: UserType, namespace: str, name: str) -> CatalogChange:
    """ALTER TYPE … RENAME TO, SET SCHEMA. Raises 42710, 3F000."""
    if namespace == made.namespace and name == made.name:
        return CatalogChange(snapshot)
    require_new_name(snapshot, namespace, name)
    definition: Definition = replace(made.definition, namespace=namespace, name=name)  # type: ignore[type-var]
    return put_type(snapshot, replace(made, definition=definition))


def require_enum(made: UserType) -> EnumDefinition:
    """What an enumerated type is. Raises 42809."""
    if not isinstance(made.definition, EnumDefinition):
        raise WrongObjectTypeError(f"{quoted(made.name)} is not an enum")
    return made.definition


def _check_label(label: str) -> None:
    if len(label.encode()) > LABEL_BYTES_MAX:
        raise InvalidNameError(
            f'invalid enum label "{label}"',
            detail=f"Labels must be {LABEL_BYTES_MAX} bytes or less.",
        )


def undefined_type(name: str) -> UndefinedObjectError:
    """42704 as DROP and ALTER word it."""
    return UndefinedObjectError(f'type "{name}" does not exist')
