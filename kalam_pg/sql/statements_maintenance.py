"""What people ask to be tidied by hand: ANALYZE, VACUUM, CHECKPOINT, REINDEX. As `statements`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from kalam_pg.sql.statements import TableName


@dataclass(frozen=True, slots=True)
class Target:
    """A table to look after. columns: those that were named for statistics."""

    name: "TableName"
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Analyze:
    """targets: () is all tables."""

    targets: tuple[Target, ...]
    verbose: bool = False


@dataclass(frozen=True, slots=True)
class Vacuum:
    """targets: () is all tables."""

    targets: tuple[Target, ...]
    full: bool = False
    analyze: bool = False
    verbose: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    pass


@dataclass(frozen=True, slots=True)
class Reindex:
    """kind: index | table | schema | database | system; of a schema or database `name` has no schema."""

    kind: str
    name: "TableName"
    concurrently: bool = False
    verbose: bool = False


MaintenanceStatement: TypeAlias = Analyze | Vacuum | Checkpoint | Reindex
