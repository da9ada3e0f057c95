"""Range types that people define: CREATE TYPE … AS RANGE, and the multirange type that each has with it.

A value is stored as one of PostgreSQL's own ranges is (see `ranges`), by the encoding of its subtype. No
such type counts in steps: a canonical function would have to be somebody's own.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from catalog.types import integer, text
from catalog.types.boolean import BOOL
from catalog.types.bytea import BYTEA
from catalog.types.datetime import DATE, TIME, TIMESTAMP, TIMESTAMPTZ
from catalog.types.definitions import quoted
from catalog.types.float import FLOAT8
from catalog.types.multiranges import multirange_type
from catalog.types.numeric import NUMERIC
from catalog.types.ranges import FAMILIES, RangeFamily, range_type
from catalog.types.table import PgType
from catalog.types.uuid import UUID

SUBTYPES = frozenset(
    {
        BOOL, integer.INT2, integer.INT4, integer.INT8, integer.OID, FLOAT8, NUMERIC, text.TEXT,
        text.VARCHAR, text.NAME, BYTEA, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, UUID,
    }
)  # fmt: skip
"""Types whose values are what their encoding in keys says, and nothing else."""


@dataclass(frozen=True, slots=True)
class RangeDefinition:
    """A range type as it is at one moment. collation: OID of that of its bounds, 0 for none.

    The type of its multiranges is in the same schema, and comes and goes with it.
    """

    oid: int
    array_oid: int
    namespace: str
    name: str
    subtype: PgType
    collation: int
    multirange_oid: int
    multirange_array_oid: int
    multirange_name: str

    @property
    def depends_on(self) -> int:
        """See `Definition`."""
        return self.oid

    @property
    def many(self) -> "MultirangeDefinition":
        """What its multiranges are defined as."""
        return MultirangeDefinition(self)

    def make(self) -> PgType:
        """The type."""
        name = f"{self.namespace}.{self.name}"
        made = range_type(name, self.oid, self.array_oid, _family(self.subtype))
        return replace(made, sql_name=quoted(self.name), definition=self)


@dataclass(frozen=True, slots=True)
class MultirangeDefinition:
    """The multirange type that a range type has with it."""

    of: RangeDefinition

    @property
    def oid(self) -> int:
        """See `Definition`."""
        return self.of.multirange_oid

    @property
    def array_oid(self) -> int:
        """See `Definition`."""
        return self.of.multirange_array_oid

    @property
    def namespace(self) -> str:
        """See `Definition`."""
        return self.of.namespace

    @property
    def name(self) -> str:
        """See `Definition`."""
        return self.of.multirange_name

    @property
    def depends_on(self) -> int:
        """See `Definition`: the range type's."""
        return self.of.oid

    def make(self) -> PgType:
        """The type."""
        name = f"{self.namespace}.{self.name}"
        made = multirange_type(name, self.oid, self.array_oid, _family(self.of.subtype))
        return replace(made, sql_name=quoted(self.name), definition=self)


@lru_cache(64)
def _family(subtype: PgType) -> RangeFamily:
    return RangeFamily(subtype, None)


Defined: TypeAlias = RangeDefinition | MultirangeDefinition


def defined_range(pg_type: PgType) -> RangeDefinition | None:
    """The definition of the range type that a type is, or whose multiranges it is of."""
    definition = pg_type.definition
    if isinstance(definition, MultirangeDefinition):
        return definition.of
    return definition if isinstance(definition, RangeDefinition) else None


def family_of(pg_type: PgType) -> RangeFamily | None:
    """What ranges of a type are made of; None if it is no range type."""
    definition = pg_type.definition
    if isinstance(definition, RangeDefinition):
        return _family(definition.subtype)
    return FAMILIES.get(pg_type)
