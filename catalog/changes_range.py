"""CREATE TYPE … AS RANGE as a pure function: a snapshot and what is wanted, to a `CatalogChange`."""

from catalog.changes import CatalogChange, put_type
from catalog.changes_type import is_taken, require_new_name
from catalog.errors import DuplicateObjectError, FeatureNotSupportedError
from catalog.ids import Ids
from catalog.model import UserType
from catalog.snapshot import Snapshot
from catalog.types.table import PgType
from catalog.types.user_ranges import SUBTYPES, RangeDefinition

_HINT = (
    'You can manually specify a multirange type name using the "multirange_type_name" attribute.'
)
NAME_BYTES_MAX = 63
"""PostgreSQL's NAMEDATALEN - 1."""


def create_range(
    snapshot: Snapshot,
    ids: Ids,
    namespace: str,
    name: str,
    subtype: PgType,
    collation: int,
    multirange: str,
    *,
    owner: int,
    now_us: int,
) -> CatalogChange:
    """CREATE TYPE … AS RANGE. collation: its OID, 0 for none. multirange: "" is its usual name.

    Raises:
        DuplicateObjectError: 42710, one of the two names is taken.
        FeatureNotSupportedError: Values of the subtype are not told whole by their order.
    """
    require_new_name(snapshot, namespace, name)
    if subtype not in SUBTYPES:
        raise FeatureNotSupportedError(f"ranges of {subtype.sql_name} are not supported")
    called = multirange or _multirange_name(name)
    if called == name or is_taken(snapshot, namespace, called):
        raise DuplicateObjectError(
            f'type "{called}" already exists',
            detail=""
            if multirange
            else f'Failed while creating a multirange type for type "{name}".',
            hint="" if multirange else _HINT,
        )
    first = ids.oids(4)
    definition = RangeDefinition(
        *(first, first + 1, namespace, name, subtype, collation, first + 2, first + 3, called)
    )
    return put_type(snapshot, UserType(definition, owner, now_us))


def _multirange_name(name: str) -> str:
    """As makeMultirangeTypeName: `range` becomes `multirange`, or that is put behind."""
    before, found, after = name.partition("range")
    if found:
        return _cut(f"{before}multirange{after}", NAME_BYTES_MAX)
    return _cut(name, NAME_BYTES_MAX - len("_multirange")) + "_multirange"


def _cut(name: str, bytes_max: int) -> str:
    return name.encode()[:bytes_max].decode(errors="ignore")
