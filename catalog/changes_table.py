"""CREATE TABLE as pure functions: columns, keys and constraints checked and named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from catalog import codec
from catalog.changes import (
    CatalogChange,
    put_relation,
    require_namespace,
    require_no_type,
)
from catalog.changes_index import require_sortable
from catalog.changes_sequence import SequenceOptions, for_column, next_value, with_new
from catalog.errors import (
    DuplicateColumnError,
    DuplicateObjectError,
    DuplicateTableError,
    FeatureNotSupportedError,
    InvalidParameterValueError,
    InvalidTableDefinitionError,
    TooManyColumnsError,
    UndefinedColumnError,
)
from catalog.ids import Ids
from catalog.indexes import constraint_index, has_order, is_array
from catalog.model import Column, Constraint, Table, TableKind, TableOptions
from catalog.names import constraint_name
from catalog.row_types import refuse_row_types
from catalog.snapshot import Snapshot
from catalog.types.registry import INT2, INT4, INT8
from catalog.types.table import PgType

COLUMNS_MAX = 1600
"""PostgreSQL's MaxHeapAttributeNumber."""

ROW_ID = "_rowid"
"""The hidden key of a table that has no primary key."""

SYSTEM_COLUMNS = frozenset(
    ("_seq", "_deleted", ROW_ID, "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
)
"""What no column may be called."""

NEXT_ID_DEFAULT = "SNOWFLAKE_ID()"
"""The default of hidden key columns, and what the documentation recommends for keys."""


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column as it is to be; the fields are those of `catalog.model.Column`.

    sequence: what is written of the sequence of an identity column.
    """

    name: str
    type: PgType
    typmod: int = -1
    not_null: bool = False
    default: str = ""
    identity: str = ""
    generated: str = ""
    position: int = 0
    domain: int = 0
    sequence: SequenceOptions = field(default_factory=SequenceOptions)
    comment: str = ""


@dataclass(frozen=True, slots=True)
class NewConstraint:
    """A constraint as it is to be; name "" when PostgreSQL's rules are to name it.

    kind: "p" | "u" | "c". columns: of a key; of a check those that it mentions, for its name.
    nulls_distinct: of "u", whether rows with a NULL in it are all different. deferrable, deferred: of keys.
    """

    kind: str
    name: str = ""
    columns: tuple[str, ...] = ()
    check: str = ""
    nulls_distinct: bool = True
    position: int = 0
    deferrable: bool = False
    deferred: bool = False
    comment: str = ""

    @property
    def is_indexed(self) -> bool:
        """Whether an index of its own keeps it: all but a primary key which is where the rows lie."""
        return self.kind == "u" or (self.kind == "p" and self.deferrable)


@dataclass(frozen=True, slots=True)
class NewTable:
    """A table as it is to be."""

    namespace: str
    name: str
    kind: TableKind
    columns: tuple[NewColumn, ...]
    constraints: tuple[NewConstraint, ...]
    options: TableOptions
    on_commit: str = ""


def create_table(
    snapshot: Snapshot, ids: Ids, new: NewTable, *, owner: int, now_us: int
) -> CatalogChange:
    """CREATE TABLE.

    Raises:
        InvalidSchemaNameError, InsufficientPrivilegeError: no such namespace, or a system one.
        DuplicateTableError: 42P07.
        DuplicateColumnError, UndefinedColumnError, InvalidTableDefinitionError,
        TooManyColumnsError, UndefinedObjectError, DuplicateObjectError,
        FeatureNotSupportedError: what is wrong with it.
    """
    require_namespace(snapshot, new.namespace)
    if snapshot.is_taken(new.namespace, new.name):
        raise DuplicateTableError(f'relation "{new.name}" already exists')
    require_no_type(snapshot, new.namespace, new.name)
    table = build_table(new, ids, owner=owner, now_us=now_us, snapshot=snapshot)
    written = {column.name: column.sequence for column in new.columns if column.identity}
    return with_numbering(snapshot, ids, table, written)


def with_numbering(
    snapshot: Snapshot, ids: Ids, table: Table, numbered: Mapping[str, SequenceOptions]
) -> CatalogChange:
    """The change that stores a new table, columns numbered from sequences of their own.

    numbered: what is written of the sequence of each such column, by its name. Raises 22023.
    """
    sequences = []
    columns = []
    step = CatalogChange(snapshot)
    for column in table.columns:
        if column.name in numbered:
            made = for_column(step.snapshot, ids, table, column, numbered[column.name])
            step = with_new(step.snapshot, [made])
            sequences.append(made)
            column = replace(column, default=next_value(made.id))  # noqa: PLW2901
        columns.append(column)
    table = replace(table, columns=tuple(columns))
    change = put_relation(step.snapshot, table)
    puts = [put for one in sequences for put in with_new(snapshot, [one]).puts[:-1]]
    return replace(change, puts=(*puts, *change.puts), created=(table,))


def build_table(
    new: NewTable, ids: Ids, *, owner: int, now_us: int, snapshot: Snapshot | None = None
) -> Table:
    """The table with ids, names and layout. Raises as above.

    snapshot: where its indexes must have names of their own.
    """
    _check_columns(new)
    new = replace(new, constraints=_without_repeated_keys(new.constraints))
    columns = [made_column(c, at) for at, c in enumerate(new.columns, 1)]
    declared = _primary_key(new)
    primary = () if declared is None else _key_ids(columns, declared)
    columns = [replace(c, not_null=True) if c.id in primary else c for c in columns]
    hidden = declared is None or declared.is_indexed
    if hidden:
        row_id = hidden_key(len(columns) + 1)
        columns.append(row_id)
        primary = (row_id.id,)
    table_id = ids.oids(1 + len(new.constraints))
    constraints = _constraints(new, columns, table_id + 1, snapshot)
    return Table(
        id=table_id,
        namespace=new.namespace,
        name=new.name,
        kind=new.kind,
        columns=tuple(columns),
        primary_key=primary,
        constraints=constraints,
        options=new.options,
        layout=codec.layout_of(tuple(columns), primary, 1),
        owner=owner,
        hidden_key=hidden,
        created_at_us=now_us,
        next_column=len(columns) + 1,
        on_commit=new.on_commit,
        indexes=tuple(
            constraint_index(
                made,
                tuple(columns),
                nulls_distinct=given.nulls_distinct,
                deferrable=given.deferrable,
                deferred=given.deferred,
            )
            for made, given in zip(constraints, new.constraints, strict=True)
            if given.is_indexed
        ),
    )


# ------------------------------------------------------------------ columns


def hidden_key(column_id: int) -> Column:
    """The key column of a table that has no primary key."""
    return Column(column_id, ROW_ID, INT8, not_null=True, default=NEXT_ID_DEFAULT, identity="s")


def check_column_name(name: str, position: int = 0) -> None:
    """Raise 42701 for a system column's name."""
    if name in SYSTEM_COLUMNS:
        raise DuplicateColumnError(
            f'column name "{name}" conflicts with a system column name', position=position
        )


def refuse_pseudo_type(name: str, kind: PgType, position: int = 0) -> None:
    """Raise 42P16 for a type that a column of a table or view cannot have: record, record[], anyarray …."""
    of = kind.element or kind
    if of.pseudo or of.name == "unknown":
        raise InvalidTableDefinitionError(
            f'column "{name}" has pseudo-type {kind.sql_name}', position=position
        )


def check_column_type(column: NewColumn) -> None:
    """Raise 42P16 for a type that no column may have, 0A000 for arrays of int2vector and the like."""
    refuse_pseudo_type(column.name, column.type, column.position)
    refuse_row_types(column.name, column.type, column.position)
    element = column.type.element
    if element is not None and element.element is not None:
        raise FeatureNotSupportedError(
            f'column "{column.name}" of type {column.type.sql_name} is not supported',
            position=column.position,
        )


def _check_columns(new: NewTable) -> None:
    if len(new.columns) > COLUMNS_MAX:
        raise TooManyColumnsError(f"tables can have at most {COLUMNS_MAX} columns")
    seen: set[str] = set()
    for column in new.columns:
        check_column_name(column.name, column.position)
        if column.name in seen:
            raise DuplicateColumnError(
                f'column "{column.name}" specified more than once', position=column.position
            )
        seen.add(column.name)
        check_column_type(column)


def made_column(new: NewColumn, column_id: int) -> Column:
    """A column as it is stored under that id. Raises 42P16."""
    if new.identity and (new.domain or new.type not in (INT2, INT4, INT8)):
        raise InvalidParameterValueError(
            "identity column type must be smallint, integer, or bigint"
        )
    return Column(
        column_id,
        new.name,
        new.type,
        new.typmod,
        new.not_null or bool(new.identity),
        new.default,
        "" if new.identity == "s" else new.identity,
        new.generated,
        comment=new.comment,
        domain=new.domain,
    )


# ------------------------------------------------------------------ keys and constraints

_KEYS = {"p": "primary key", "u": "unique"}
"""The kinds of constraint that an index is behind."""


class _Names:
    """The names that a constraint must not have; that of an index is a relation's, too."""

    def __init__(
        self, taken: set[str], indexed: set[str], namespace: str, snapshot: Snapshot | None
    ) -> None:
        self._taken = taken
        self._indexed = indexed
        self._namespace = namespace
        self._snapshot = snapshot

    def __contains__(self, name: object) -> bool:
        if name in self._taken or name in self._indexed:
            return True
        snapshot = self._snapshot
        return snapshot is not None and snapshot.is_taken(self._namespace, str(name))


def _key_ids(columns: Sequence[Column], given: NewConstraint) -> tuple[int, ...]:
    what, position = _KEYS[given.kind], given.position
    by_name = {c.name: c for c in columns}
    found: list[int] = []
    for name in given.columns:
        column = by_name.get(name)
        if column is None:
            raise UndefinedColumnError(
                f'column "{name}" named in key does not exist', position=position
            )
        if column.id in found:
            raise DuplicateColumnError(
                f'column "{name}" appears twice in {what} constraint', position=position
            )
        if given.kind != "u" and is_array(column.type) and has_order(column.type):
            raise FeatureNotSupportedError(
                f"a primary key of arrays is not supported: {column.name}", position=position
            )
        require_sortable(column.type)
        found.append(column.id)
    return tuple(found)


def _without_repeated_keys(given: Sequence[NewConstraint]) -> tuple[NewConstraint, ...]:
    """Of keys of the same columns one, as PostgreSQL has it (`transformIndexConstraints`)."""
    found: dict[tuple[object, ...], NewConstraint] = {}
    keys = sorted((c for c in given if c.kind in _KEYS), key=lambda c: c.kind != "p")
    for one in keys:
        what = (one.columns, one.nulls_distinct, one.deferrable, one.deferred)
        there = found.get(what)
        if there is None:
            found[what] = one
        elif there.kind == "p" == one.kind:
            found[what, one.name] = one  # Two primary keys: an error, and not of this place.
        elif not there.name:
            found[what] = replace(there, name=one.name)
    left = [c for c in given if c.kind not in _KEYS]
    return (*found.values(), *left)


def _primary_key(new: NewTable) -> NewConstraint | None:
    keys = [c for c in new.constraints if c.kind == "p"]
    if len(keys) > 1:
        raise InvalidTableDefinitionError(
            f'multiple primary keys for table "{new.name}" are not allowed'
        )
    return keys[0] if keys else None


def _constraints(
    new: NewTable, columns: Sequence[Column], first_id: int, snapshot: Snapshot | None
) -> tuple[Constraint, ...]:
    """Named and numbered: given names first, so that made ones avoid them; but keys one by one."""
    taken: set[str] = set()
    for given in new.constraints:
        if given.name and given.kind not in _KEYS:
            _take(given.name, taken, new)
    indexed: set[str] = {new.name}
    made = []
    for at, given in enumerate(new.constraints):
        if given.kind in _KEYS:
            avoided = _Names(taken, indexed, new.namespace, snapshot)
            name = given.name or constraint_name(new.name, given.kind, given.columns, avoided)
            if given.name in indexed or (snapshot and snapshot.is_taken(new.namespace, name)):
                raise DuplicateTableError(f'relation "{name}" already exists')
            indexed.add(name)
            _take(name, taken, new)
            on = _key_ids(columns, given)
        else:
            name = given.name or constraint_name(new.name, given.kind, given.columns, taken)
            taken.add(name)
            on = ()
        made.append(
            Constraint(first_id + at, name, given.kind, on, given.check, comment=given.comment)
        )
    return tuple(made)


def add_key(snapshot: Snapshot, ids: Ids, table: Table, new: NewConstraint) -> Table:
    """ALTER TABLE … ADD UNIQUE | PRIMARY KEY: the constraint, and the index of one that has an index.

    Raises 42703, 42701, 42P07, 42710.
    """
    taken = {constraint.name for constraint in table.constraints}
    indexed = {table.name, *[index.name for index in table.indexes]}
    avoided = _Names(taken, indexed, table.namespace, snapshot)
    name = new.name or constraint_name(table.name, new.kind, new.columns, avoided)
    if name in indexed or snapshot.is_taken(table.namespace, name):
        raise DuplicateTableError(f'relation "{name}" already exists')
    if name in taken:
        raise DuplicateObjectError(
            f'constraint "{name}" for relation "{table.name}" already exists'
        )
    made = Constraint(ids.oids(), name, new.kind, _key_ids(table.columns, new))
    table = replace(table, constraints=(*table.constraints, made))
    if not new.is_indexed:
        return table
    index = constraint_index(
        made, table.columns, nulls_distinct=new.nulls_distinct,
        deferrable=new.deferrable, deferred=new.deferred,
    )  # fmt: skip
    return replace(table, indexes=(*table.indexes, index))


def _take(name: str, taken: set[str], new: NewTable) -> None:
    if name in taken:
        raise DuplicateObjectError(f'constraint "{name}" for relation "{new.name}" already exists')
    taken.add(name)
