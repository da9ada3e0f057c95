"""DDL as pure functions: a snapshot and what is wanted, to a `CatalogChange`. Namespaces, views, comments,
grants; tables are in `changes_table`, users in `changes_user`, every DROP in `changes_drop`.

Who may do it is not asked here (`catalog.privileges`), and expressions arrive as text that the caller
has bound before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from catalog import codec, codec_functions, codec_types
from catalog.difference import Difference
from catalog.errors import (
    DuplicateObjectError,
    DuplicateSchemaError,
    DuplicateTableError,
    InsufficientPrivilegeError,
    InvalidSchemaNameError,
    InvalidTableDefinitionError,
    ReservedNameError,
    UndefinedColumnError,
    UndefinedObjectError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.ids import Ids
from catalog.model import (
    Column,
    Grant,
    Namespace,
    NumberSequence,
    Relation,
    Table,
    User,
    UserType,
    View,
)
from catalog.row_types import refuse_row_types
from catalog.snapshot import SYSTEM_SCHEMAS, Snapshot
from catalog.typed import with_current_types
from catalog.types.composite import composite_of

Puts = tuple[tuple[bytes, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class CatalogChange:
    """What a definition changes.

    snapshot: the catalog afterwards. puts: system keys to write, None to delete. notices: NOTICE texts;
    detail: that of the last one.
    created: tables that are new. dropped: tables whose rows go. users: users created or changed, as they
    are now; purged: users whose rows are to be erased.
    columns: (table's id, name) of those that go with their types, by ALTER TABLE and first: then the change
    is planned anew.
    """

    snapshot: Snapshot
    puts: Puts = ()
    notices: tuple[str, ...] = ()
    created: tuple[Table, ...] = ()
    dropped: tuple[Table, ...] = ()
    users: tuple[User, ...] = ()
    purged: tuple[User, ...] = ()
    detail: str = ""
    columns: tuple[tuple[int, str], ...] = ()


# ------------------------------------------------------------------ namespaces


def create_namespace(
    snapshot: Snapshot, ids: Ids, name: str, *, owner: int, now_us: int, if_not_exists: bool = False
) -> CatalogChange:
    """CREATE NAMESPACE. Raises 42939 for a reserved name, 42P06 when it exists."""
    if if_not_exists and (name in snapshot.namespaces or name in SYSTEM_SCHEMAS):
        return CatalogChange(snapshot, notices=(f'schema "{name}" already exists, skipping',))
    _check_new_namespace(snapshot, name)
    return put_namespace(snapshot, Namespace(ids.oids(), name, owner, now_us))


def put_namespace(snapshot: Snapshot, namespace: Namespace) -> CatalogChange:
    """The namespace of that name is this one from here on."""
    changed = with_namespaces(snapshot, {namespace.name: namespace})
    return stored(changed, [(codec.namespace_key(namespace.id), codec.encode_namespace(namespace))])


def _check_new_namespace(snapshot: Snapshot, name: str) -> None:
    if name.startswith("pg_") and name not in SYSTEM_SCHEMAS:
        raise ReservedNameError(
            f'unacceptable schema name "{name}"',
            detail='The prefix "pg_" is reserved for system schemas.',
        )
    if name in snapshot.namespaces or name in SYSTEM_SCHEMAS:
        raise DuplicateSchemaError(f'schema "{name}" already exists')


def rename_namespace(snapshot: Snapshot, name: str, new_name: str) -> CatalogChange:
    """ALTER NAMESPACE … RENAME TO. Raises 3F000, 42P06, 42939."""
    namespace = require_namespace(snapshot, name)
    _check_new_namespace(snapshot, new_name)
    renamed = replace(namespace, name=new_name)
    namespaces = {n: v for n, v in snapshot.namespaces.items() if n != name}
    namespaces[new_name] = renamed
    tables, views = dict(snapshot.tables), dict(snapshot.views)
    puts: list[tuple[bytes, bytes | None]] = [
        (codec.namespace_key(renamed.id), codec.encode_namespace(renamed))
    ]
    for relation in snapshot.relations_in(name):
        if isinstance(relation, Table):
            table = tables[relation.id] = replace(relation, namespace=new_name)
            puts.append((codec.table_key(table.id), codec.encode_table(table)))
        else:
            view = views[relation.id] = replace(relation, namespace=new_name)
            puts.append((codec.view_key(view.id), codec.encode_view(view)))
    types = dict(snapshot.types)
    for made in snapshot.types_in(name):
        moved = types[made.id] = replace(
            made,
            definition=replace(made.definition, namespace=new_name),  # type: ignore[type-var]
        )
        puts.append((codec.type_key(moved.id), codec_types.encode_type(moved)))
    sequences = dict(snapshot.sequences)
    for one in snapshot.sequences_in(name):
        sequence = sequences[one.id] = replace(one, namespace=new_name)
        puts.append((codec.sequence_key(sequence.id), codec.encode_sequence(sequence)))
    functions = dict(snapshot.functions)
    for function in snapshot.functions_in(name):
        there = functions[function.id] = replace(function, namespace=new_name)
        key = codec_functions.function_key(there.id)
        puts.append((key, codec_functions.encode_function(there)))
    changed = replace(
        snapshot,
        version=snapshot.version + 1,
        namespaces=namespaces,
        tables=tables,
        views=views,
        types=types,
        sequences=sequences,
        functions=functions,
    )
    return stored(with_current_types(changed), puts)


# ------------------------------------------------------------------ views


def create_view(
    snapshot: Snapshot,
    ids: Ids,
    namespace: str,
    name: str,
    *,
    query: str,
    columns: Sequence[Column],
    search_path: tuple[str, ...],
    reads: tuple[int, ...] = (),
    owner: int,
    now_us: int,
    or_replace: bool = False,
    check_option: str = "",
) -> CatalogChange:
    """CREATE [OR REPLACE] VIEW. `columns` are the query's, already renamed; reads: see `model.View`.

    Raises 42P07 when a relation of that name exists, 42809 when it is a table that was to be
    replaced, 42P16 when replacing would drop, rename or retype columns.
    """
    require_namespace(snapshot, namespace)
    existing = snapshot.find(namespace, name, ())
    view_id, comment = 0, ""
    require_no_type(snapshot, namespace, name)
    if existing is None and snapshot.is_taken(namespace, name):
        if not or_replace:
            raise DuplicateTableError(f'relation "{name}" already exists')
        raise WrongObjectTypeError(f'"{name}" is not a view')
    if existing is not None:
        if not or_replace:
            raise DuplicateTableError(f'relation "{name}" already exists')
        if isinstance(existing, Table):
            raise WrongObjectTypeError(f'"{name}" is not a view')
        _check_replaced(existing, columns)
        view_id = existing.id
        owner, now_us, comment = existing.owner, existing.created_at_us, existing.comment
    for column in columns:
        refuse_row_types(column.name, column.type)
    view = View(
        *(view_id or ids.oids(), namespace, name, query, tuple(columns), owner, now_us, comment),
        search_path=search_path,
        reads=reads,
        check_option=check_option,
    )
    changed = with_views(snapshot, {view.id: view})
    return stored(changed, [(codec.view_key(view.id), codec.encode_view(view))])


def _check_replaced(view: View, columns: Sequence[Column]) -> None:
    if len(columns) < len(view.columns):
        raise InvalidTableDefinitionError("cannot drop columns from view")
    for old, new in zip(view.columns, columns, strict=False):
        if old.name != new.name:
            raise InvalidTableDefinitionError(
                f'cannot change name of view column "{old.name}" to "{new.name}"',
                hint="Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.",
            )
        if (old.type, old.typmod) != (new.type, new.typmod):
            raise InvalidTableDefinitionError(
                f'cannot change data type of view column "{old.name}"'
            )


# ------------------------------------------------------------------ comments, grants


def comment_on_namespace(snapshot: Snapshot, name: str, comment: str) -> CatalogChange:
    """COMMENT ON SCHEMA; "" removes it. Raises 3F000."""
    return put_namespace(snapshot, replace(require_namespace(snapshot, name), comment=comment))


def comment_on_constraint(
    snapshot: Snapshot, table: Table, name: str, comment: str
) -> CatalogChange:
    """COMMENT ON CONSTRAINT. Raises 42704."""
    if all(c.name != name for c in table.constraints):
        raise UndefinedObjectError(f'constraint "{name}" for table "{table.name}" does not exist')
    constraints = tuple(
        replace(c, comment=comment) if c.name == name else c for c in table.constraints
    )
    return put_relation(snapshot, replace(table, constraints=constraints))


def comment_on_relation(
    snapshot: Snapshot, relation: Relation, comment: str, column: str = ""
) -> CatalogChange:
    """COMMENT ON TABLE, VIEW or (with `column`) COLUMN. Raises 42703."""
    if column:
        if all(c.name != column for c in relation.columns):
            raise UndefinedColumnError(
                f'column "{column}" of relation "{relation.name}" does not exist'
            )
        columns = tuple(
            replace(c, comment=comment) if c.name == column else c for c in relation.columns
        )
        return put_relation(snapshot, replace(relation, columns=columns))
    return put_relation(snapshot, replace(relation, comment=comment))


def change_grants(
    snapshot: Snapshot,
    target: Table | NumberSequence | Namespace | UserType,
    *,
    privileges: Sequence[str],
    grantees: Sequence[int | str],
    grantor: int,
    grant: bool,
) -> CatalogChange:
    """GRANT or REVOKE on a table, sequence, namespace or type; what is (or is not) there already stays."""
    if isinstance(target, UserType):
        return _put_type_grants(snapshot, target, grantees, grantor, grant=grant)
    named = {(grantee, privilege) for grantee in grantees for privilege in privileges}
    if grant:
        known = {(g.grantee, g.privilege) for g in target.grants}
        order = sorted(named - known, key=str)
        grants = (*target.grants, *(Grant(who, what, grantor) for who, what in order))
    else:
        grants = tuple(g for g in target.grants if (g.grantee, g.privilege) not in named)
    if isinstance(target, Table):
        return put_relation(snapshot, replace(target, grants=grants))
    if isinstance(target, NumberSequence):
        return put_sequence(snapshot, replace(target, grants=grants))
    return put_namespace(snapshot, replace(target, grants=grants))


def _put_type_grants(
    snapshot: Snapshot, made: UserType, grantees: Sequence[int | str], grantor: int, *, grant: bool
) -> CatalogChange:
    """USAGE on a type, which everybody has until it is revoked from PUBLIC."""
    public = grant if "PUBLIC" in grantees else made.public
    others = [who for who in grantees if who != "PUBLIC"]
    kept = tuple(g for g in made.grants if g.grantee not in others)
    if grant:
        kept += tuple(Grant(who, "USAGE", grantor) for who in dict.fromkeys(others))
    return put_type(snapshot, replace(made, public=public, grants=kept))


def put_type(snapshot: Snapshot, made: UserType) -> CatalogChange:
    """The change that stores one new or changed type."""
    changed = replace(
        snapshot, version=snapshot.version + 1, types={**snapshot.types, made.id: made}
    )
    put = (codec.type_key(made.id), codec_types.encode_type(made))
    return stored(with_current_types(changed), [put])


# ------------------------------------------------------------------ what the above share


def stored(snapshot: Snapshot, puts: Sequence[tuple[bytes, bytes | None]]) -> CatalogChange:
    """The change to `snapshot`, with its version written too."""
    catalog = codec.encode([snapshot.version])
    return CatalogChange(snapshot, (*puts, (codec.CATALOG_KEY, catalog)))


def put_relation(snapshot: Snapshot, relation: Relation) -> CatalogChange:
    """The change that stores one new or changed relation."""
    if isinstance(relation, Table):
        changed = with_tables(snapshot, {relation.id: relation})
        return stored(changed, table_puts(snapshot.tables.get(relation.id), relation))
    changed = with_views(snapshot, {relation.id: relation})
    return stored(changed, [(codec.view_key(relation.id), codec.encode_view(relation))])


def table_puts(before: Table | None, after: Table | None) -> list[tuple[bytes, bytes | None]]:
    """How a new, changed or dropped table is stored, and which ids storage has something under."""
    gone = set() if before is None else set(_ids_beside(before))
    puts: list[tuple[bytes, bytes | None]] = []
    if after is not None:
        puts.append((codec.table_key(after.id), codec.encode_table(after)))
        here = set(_ids_beside(after))
        puts += [(codec.index_key(i), codec.encode(after.id)) for i in sorted(here - gone)]
        gone -= here
    elif before is not None:
        puts.append((codec.table_key(before.id), None))
    return [*puts, *[(codec.index_key(i), None) for i in sorted(gone)]]


def _ids_beside(table: Table) -> Iterator[int]:
    """Ids under which storage has something of a table, or might, beside the table's own."""
    yield from (index.storage_id for index in table.indexes)
    if table.stored:
        yield table.stored


def put_sequence(snapshot: Snapshot, sequence: NumberSequence) -> CatalogChange:
    """The change that stores one new or changed sequence."""
    changed = with_sequences(snapshot, {sequence.id: sequence})
    return stored(changed, [(codec.sequence_key(sequence.id), codec.encode_sequence(sequence))])


def with_namespaces(snapshot: Snapshot, changed: Mapping[str, Namespace]) -> Snapshot:
    """The next snapshot, with these namespaces by name."""
    return snapshot.laid_over(Difference(changed, {}, {}))


def with_tables(snapshot: Snapshot, changed: Mapping[int, Table]) -> Snapshot:
    """The next snapshot, with these tables by id."""
    return snapshot.laid_over(Difference({}, changed, {}))


def with_views(snapshot: Snapshot, changed: Mapping[int, View]) -> Snapshot:
    """The next snapshot, with these views by id."""
    return snapshot.laid_over(Difference({}, {}, changed))


def with_sequences(snapshot: Snapshot, changed: Mapping[int, NumberSequence]) -> Snapshot:
    """The next snapshot, with these sequences by id."""
    return snapshot.laid_over(Difference({}, {}, {}, sequences=changed))


def require_not_system(namespace: str) -> None:
    """Raise 42501 for a namespace that nobody changes."""
    if namespace in SYSTEM_SCHEMAS:
        raise InsufficientPrivilegeError(f"permission denied for schema {namespace}")


def require_namespace(snapshot: Snapshot, name: str, position: int = 0) -> Namespace:
    """The namespace of that name. Raises 42501 for a system one, 3F000."""
    require_not_system(name)
    namespace = snapshot.namespaces.get(name)
    if namespace is None:
        raise InvalidSchemaNameError(f'schema "{name}" does not exist', position=position)
    return namespace


def require_no_type(snapshot: Snapshot, namespace: str, name: str) -> None:
    """Raise 42710 where a type has the name: a relation has a row type of its name, in PostgreSQL."""
    made = snapshot.find_type(namespace, name, ())
    if made is not None and composite_of(made.pg_type) is not None:
        raise DuplicateTableError(f'relation "{name}" already exists')
    if made is not None:
        raise DuplicateObjectError(
            f'type "{name}" already exists',
            hint="A relation has an associated type of the same name, so you must use a name that "
            "doesn't conflict with any existing type.",
        )


def undefined_relation(kind: str, name: str) -> UndefinedTableError:
    """42P01 as DROP words it: `table "x" does not exist`."""
    return UndefinedTableError(f'{kind} "{name}" does not exist')
