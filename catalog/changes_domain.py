"""CREATE DOMAIN and ALTER DOMAIN as pure functions: a snapshot and what is wanted, to a `CatalogChange`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from catalog.changes import CatalogChange, put_type
from catalog.changes_type import require_new_name
from catalog.errors import (
    DuplicateObjectError,
    UndefinedObjectError,
    WrongObjectTypeError,
)
from catalog.ids import Ids
from catalog.model import Column, Table, UserType
from catalog.names import constraint_name
from catalog.snapshot import Snapshot
from catalog.types.definitions import quoted
from catalog.types.domain import DomainCheck, DomainDefinition, made_over
from catalog.types.table import PgType


def create_domain(
    snapshot: Snapshot,
    ids: Ids,
    namespace: str,
    name: str,
    of: PgType,
    typmod: int,
    *,
    not_null: bool,
    default: str,
    checks: Sequence[tuple[str, str]],
    owner: int,
    now_us: int,
) -> CatalogChange:
    """CREATE DOMAIN. of: its base, or the domain that it narrows. checks: (name or "", text).

    Raises 42710, 3F000, 0A000 for a base that cannot be.
    """
    require_new_name(snapshot, namespace, name)
    first = ids.oids(2)
    definition = DomainDefinition(first, first + 1, namespace, name, of, typmod, not_null, default)
    definition = made_over(definition, of)
    if isinstance(of.definition, DomainDefinition):
        above = of.definition
        default = default or above.default  # As it is now, in PostgreSQL too.
        definition = replace(definition, typmod=above.typmod, default=default)
    for given, text in checks:
        definition = _with_check(definition, ids, given, text, valid=True)
    return put_type(snapshot, UserType(definition, owner, now_us))


def _with_check(
    definition: DomainDefinition, ids: Ids, name: str, text: str, *, valid: bool
) -> DomainDefinition:
    taken = {check.name for check in definition.checks}
    if name in taken:
        raise DuplicateObjectError(
            f'constraint "{name}" for domain "{definition.name}" already exists'
        )
    name = name or constraint_name(definition.name, "c", (), taken)
    check = DomainCheck(ids.oids(), name, text, valid)
    return replace(definition, checks=(*definition.checks, check))


def add_check(
    snapshot: Snapshot, ids: Ids, made: UserType, name: str, text: str, *, not_valid: bool
) -> CatalogChange:
    """ADD CHECK; who calls it has what is stored looked at. Raises 42710."""
    definition = require_domain(made)
    changed = _with_check(definition, ids, name, text, valid=not not_valid)
    return put_type(snapshot, replace(made, definition=changed))


def validate_check(snapshot: Snapshot, made: UserType, name: str) -> CatalogChange:
    """VALIDATE CONSTRAINT; who calls it has what is stored looked at. Raises 42704."""
    definition = require_domain(made)
    if all(check.name != name for check in definition.checks):
        raise UndefinedObjectError(
            f'constraint "{name}" of domain "{definition.name}" does not exist'
        )
    checks = tuple(
        replace(check, valid=True) if check.name == name else check for check in definition.checks
    )
    return put_type(snapshot, replace(made, definition=replace(definition, checks=checks)))


def drop_check(
    snapshot: Snapshot, made: UserType, name: str, *, if_exists: bool = False
) -> CatalogChange:
    """DROP CONSTRAINT. Raises 42704."""
    definition = require_domain(made)
    kept = tuple(check for check in definition.checks if check.name != name)
    if len(kept) == len(definition.checks):
        text = f'constraint "{name}" of domain "{definition.name}" does not exist'
        if if_exists:
            return CatalogChange(snapshot, notices=(f"{text}, skipping",))
        raise UndefinedObjectError(text)
    return put_type(snapshot, replace(made, definition=replace(definition, checks=kept)))


def rename_check(snapshot: Snapshot, made: UserType, old: str, new: str) -> CatalogChange:
    """RENAME CONSTRAINT. Raises 42704, 42710."""
    definition = require_domain(made)
    names = [check.name for check in definition.checks]
    if old not in names:
        raise UndefinedObjectError(
            f'constraint "{old}" for domain {quoted(definition.name)} does not exist'
        )
    if new in names:
        raise DuplicateObjectError(
            f'constraint "{new}" for domain {quoted(definition.name)} already exists'
        )
    checks = tuple(
        replace(check, name=new) if check.name == old else check for check in definition.checks
    )
    return put_type(snapshot, replace(made, definition=replace(definition, checks=checks)))


def set_default(snapshot: Snapshot, made: UserType, default: str) -> CatalogChange:
    """SET DEFAULT, and DROP DEFAULT with ""."""
    definition = require_domain(made)
    return put_type(snapshot, replace(made, definition=replace(definition, default=default)))


def set_not_null(snapshot: Snapshot, made: UserType, *, not_null: bool) -> CatalogChange:
    """SET and DROP NOT NULL; who calls it has what is stored looked at."""
    definition = require_domain(made)
    return put_type(snapshot, replace(made, definition=replace(definition, not_null=not_null)))


def columns_of(snapshot: Snapshot, made: UserType) -> Iterator[tuple[Table, Column]]:
    """The columns that are of a domain, or of one that narrows it."""
    for table in snapshot.tables.values():
        for column in table.columns:
            if column.domain and any(
                domain.oid == made.id for domain in snapshot.domain(column.domain).line
            ):
                yield table, column


def require_domain(made: UserType) -> DomainDefinition:
    """What a domain is. Raises 42809."""
    if not isinstance(made.definition, DomainDefinition):
        raise WrongObjectTypeError(f"{quoted(made.name)} is not a domain")
    return made.definition
