"""Catalog entries as bytes: a format byte, then MessagePack. And the system keys they lie under.

S | "namespace" | id      S | "table" | id      S | "view" | id      S | "table_version" | id | version
S | "sequence" | id
S | "type" | OID        (those that people make)      S | "function" | OID    (the same)
S | "index" | id -> id of its table   (ids under which storage has something beside its own)
S | "user" | id           S | "user_name" | name -> id          S | "role" | OID -> id
S | "setting" | database | user id   (`role_settings`)      S | "default_acl" | user id
S | "catalog"  -> version   S | "database_comment" -> text   S | "ids" -> OIDs below this may have been given
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import msgspec

from catalog.model import (
    Column,
    Constraint,
    ForeignKey,
    Grant,
    Index,
    IndexKey,
    Materialized,
    NamedThen,
    Namespace,
    NumberSequence,
    Role,
    Table,
    TableKind,
    TableOptions,
    TableVersion,
    User,
    View,
)
from catalog.types.registry import by_oid
from catalog.types.table import PgType
from storage.errors import DataCorruptedError
from storage.keys import system_key
from storage.layout import Column as StoredColumn
from storage.layout import Layout, Value
from storage.shaped import BoundedArray, from_extension, to_extension

FORMAT = b"\x02"

_decode = msgspec.msgpack.Decoder(ext_hook=from_extension).decode

CATALOG_KEY = system_key("catalog")
IDS_KEY = system_key("ids")
DATABASE_COMMENT_KEY = system_key("database_comment")


def namespace_key(namespace_id: int) -> bytes:
    """Where a namespace lies."""
    return system_key("namespace", namespace_id)


def table_key(table_id: int) -> bytes:
    """Where a table lies."""
    return system_key("table", table_id)


def index_key(index_id: int) -> bytes:
    """Where the id of an index's table lies."""
    return system_key("index", index_id)


def version_key(table_id: int, version: int) -> bytes:
    """Where an earlier version of a table's columns lies."""
    return system_key("table_version", table_id, version)


def view_key(view_id: int) -> bytes:
    """Where a view lies."""
    return system_key("view", view_id)


def type_key(oid: int) -> bytes:
    """Where a type that somebody made lies."""
    return system_key("type", oid)


def sequence_key(sequence_id: int) -> bytes:
    """Where a sequence lies."""
    return system_key("sequence", sequence_id)


def user_key(user_id: int) -> bytes:
    """Where a user lies."""
    return system_key("user", user_id)


def user_name_key(name: str) -> bytes:
    """Where a user's id lies, by name."""
    return system_key("user_name", name)


def role_key(oid: int) -> bytes:
    """Where a user's id lies, by its role's OID."""
    return system_key("role", oid)


def encode(fields: object) -> bytes:
    """Any tree of plain values and bounded arrays, with the format byte before it."""
    return FORMAT + msgspec.msgpack.encode(fields, enc_hook=to_extension)


def decode(data: bytes) -> Any:  # noqa: ANN401 - a tree of plain values
    """The inverse of `encode`. Raises DataCorruptedError for another format or bad bytes."""
    if data[:1] != FORMAT:
        raise DataCorruptedError("catalog entry has an unknown format")
    try:
        return _decode(data[1:])
    except (msgspec.DecodeError, ValueError) as error:
        raise DataCorruptedError("catalog entry is damaged") from error


def layout_of(columns: tuple[Column, ...], primary_key: tuple[int, ...], version: int) -> Layout:
    """What storage is given: the columns in order, and where the key's stand."""
    stored = tuple(
        StoredColumn(c.stored or c.id, c.name, c.type.key_kind, c.type.arrow(c.typmod), c.missing)
        for c in columns
    )
    at = {column.id: index for index, column in enumerate(columns)}
    return Layout(version, stored, tuple(at[column_id] for column_id in primary_key))


# ------------------------------------------------------------------ each kind of entry


Types = Callable[[int], PgType]
"""The type of an OID; raises UndefinedObjectError."""


def _columns(columns: tuple[Column, ...]) -> list[list[Any]]:
    return [
        [
            *(c.id, c.name, c.type.oid, c.typmod, c.not_null, c.default, c.identity),
            *(c.generated, c.missing, c.comment, c.domain, c.stored),
        ]
        for c in columns
    ]


def _read_columns(items: list[list[Any]], types: Types) -> tuple[Column, ...]:
    # Entries of before there were domains have one field less.
    return tuple(
        Column(
            *(i[0], i[1], types(i[2]), i[3], i[4], i[5], i[6], i[7], _value(i[8]), i[9]),
            domain=i[10] if len(i) > 10 else 0,
            stored=i[11] if len(i) > 11 else 0,
        )
        for i in items
    )


def _value(item: object) -> Value:
    """A stored value: MessagePack has arrays where we have tuples."""
    if isinstance(item, list):
        return tuple(_value(part) for part in item)
    assert item is None or isinstance(item, bool | int | float | str | bytes | BoundedArray)
    return cast("Value", item)


def grant_fields(grants: tuple[Grant, ...]) -> list[list[Any]]:
    """Grants as plain values."""
    return [[g.grantee, g.privilege, g.grantor] for g in grants]


def read_grants(items: list[list[Any]]) -> tuple[Grant, ...]:
    """The inverse of `grant_fields`."""
    return tuple(Grant(*item) for item in items)


def encode_namespace(namespace: Namespace) -> bytes:
    """A namespace as bytes."""
    n = namespace
    return encode([n.id, n.name, n.owner, n.created_at_us, n.comment, grant_fields(n.grants)])


def decode_namespace(data: bytes) -> Namespace:
    """The inverse of `encode_namespace`."""
    i = decode(data)
    return Namespace(i[0], i[1], i[2], i[3], i[4], read_grants(i[5]))


def _reference(constraint: Constraint) -> list[Any]:
    r = constraint.reference
    assert r is not None
    return [
        *(constraint.id, r.table, r.columns, r.index, r.on_update, r.on_delete, r.match),
        *(r.set_columns, r.deferrable, r.deferred),
    ]


def _read_constraints(
    items: list[list[Any]], references: list[list[Any]]
) -> tuple[Constraint, ...]:
    refers = {
        i[0]: ForeignKey(i[1], tuple(i[2]), i[3], i[4], i[5], i[6], tuple(i[7]), i[8], i[9])
        for i in references
    }
    return tuple(
        Constraint(
            *(c[0], c[1], c[2], tuple(c[3]), c[4], refers.get(c[0])),
            validated=c[5] if len(c) > 5 else True,
            comment=c[6] if len(c) > 6 else "",
        )
        for c in items
    )


def _index(index: Index) -> list[Any]:
    x = index
    keys = [
        [*(k.column, k.expression, k.type.oid, k.typmod, k.descending, k.nulls_first), k.opclass]
        for k in x.keys
    ]
    named = (x.id, x.name, keys, x.unique, x.nulls_distinct, x.where, x.include, x.comment)
    return [*named, x.stored, x.deferrable, x.deferred, x.method, x.parameters]


def _read_index(i: list[Any], types: Types) -> Index:
    keys = tuple(IndexKey(k[0], k[1], types(k[2]), *k[3:]) for k in i[2])
    parameters = tuple((name, value) for name, value in (i[12] if len(i) > 12 else ()))
    method = i[11] if len(i) > 11 else "btree"
    made = Index(i[0], i[1], keys, i[3], i[4], i[5], tuple(i[6]), *i[7:11])
    return replace(made, method=method, parameters=parameters)


_OPTIONS = tuple(TableOptions.__dataclass_fields__)


def encode_table(table: Table) -> bytes:
    """A table as bytes."""
    t = table
    return encode(
        {
            "id": t.id,
            "namespace": t.namespace,
            "name": t.name,
            "kind": t.kind.value,
            "columns": _columns(t.columns),
            "primary_key": t.primary_key,
            "constraints": [
                [c.id, c.name, c.kind, c.columns, c.check, c.validated, c.comment]
                for c in t.constraints
            ],
            "options": {name: getattr(t.options, name) for name in _OPTIONS},
            "owner": t.owner,
            "version": t.version,
            "hidden_key": t.hidden_key,
            "grants": grant_fields(t.grants),
            "created_at_us": t.created_at_us,
            "comment": t.comment,
            "next_column": t.next_column,
            "references": [_reference(c) for c in t.constraints if c.reference is not None],
            "indexes": [_index(index) for index in t.indexes],
            "change": t.change,
            "altered_at_us": t.altered_at_us,
            "stored": t.stored,
            "materialized": None if t.materialized is None else _materialized(t.materialized),
        }
    )


def decode_table(data: bytes, types: Types = by_oid) -> Table:
    """The inverse of `encode_table`."""
    i = decode(data)
    columns = _read_columns(i["columns"], types)
    primary_key = tuple(i["primary_key"])
    return Table(
        id=i["id"],
        namespace=i["namespace"],
        name=i["name"],
        kind=TableKind(i["kind"]),
        columns=columns,
        primary_key=primary_key,
        constraints=_read_constraints(i["constraints"], i.get("references", ())),
        options=TableOptions(**i["options"]),
        layout=layout_of(columns, primary_key, i["version"]),
        owner=i["owner"],
        version=i["version"],
        hidden_key=i["hidden_key"],
        grants=read_grants(i["grants"]),
        created_at_us=i["created_at_us"],
        comment=i["comment"],
        next_column=i["next_column"],
        indexes=tuple(_read_index(index, types) for index in i.get("indexes", ())),
        change=i.get("change", ""),
        altered_at_us=i.get("altered_at_us", 0),
        stored=i.get("stored", 0),
        materialized=_read_materialized(i.get("materialized")),
    )


def _materialized(made: Materialized) -> list[Any]:
    return [made.query, made.search_path, made.reads, _names(made.names)]


def _read_materialized(item: list[Any] | None) -> Materialized | None:
    if item is None:
        return None
    query, search_path, reads, names = item
    return Materialized(query, tuple(search_path), tuple(reads), _read_names(names))


def _names(names: tuple[NamedThen, ...]) -> list[list[Any]]:
    return [[n.id, n.namespace, n.name, n.columns] for n in names]


def _read_names(items: list[list[Any]]) -> tuple[NamedThen, ...]:
    return tuple(
        NamedThen(n[0], n[1], n[2], tuple((column, name) for column, name in n[3])) for n in items
    )


def encode_version(earlier: TableVersion) -> bytes:
    """An earlier version of a table as bytes."""
    e = earlier
    return encode([e.version, _columns(e.columns), e.layout.key, e.change, e.at_us])


def decode_version(data: bytes, types: Types = by_oid) -> TableVersion:
    """The inverse of `encode_version`."""
    number, items, key, change, at_us = decode(data)
    columns = _read_columns(items, types)
    layout = layout_of(columns, tuple(columns[at].id for at in key), number)
    return TableVersion(number, columns, layout, change, at_us)


def encode_view(view: View) -> bytes:
    """A view as bytes."""
    v = view
    return encode(
        [
            *(v.id, v.namespace, v.name, v.query, _columns(v.columns), v.owner),
            *(v.created_at_us, v.comment, v.search_path, v.reads),
            *(_names(v.names), v.check_option),
        ]
    )


def decode_view(data: bytes, types: Types = by_oid) -> View:
    """The inverse of `encode_view`."""
    i = decode(data)
    columns = _read_columns(i[4], types)
    names = _read_names(i[10] if len(i) > 10 else [])
    search_path, reads = tuple(i[8]), tuple(i[9])
    option = i[11] if len(i) > 11 else ""
    return View(
        i[0], i[1], i[2], i[3], columns, i[5], i[6], i[7], search_path, reads, names, option
    )


def encode_sequence(sequence: NumberSequence) -> bytes:
    """A sequence as bytes."""
    s = sequence
    return encode(
        [
            *(s.id, s.namespace, s.name, s.type.oid, s.start, s.increment, s.minimum, s.maximum),
            *(s.cache, s.cycle, s.owner, s.created_at_us, s.owned_by, s.internal),
            *(grant_fields(s.grants), s.comment),
        ]
    )


def decode_sequence(data: bytes) -> NumberSequence:
    """The inverse of `encode_sequence`."""
    i = decode(data)
    owned_by = None if i[12] is None else (i[12][0], i[12][1])
    return NumberSequence(
        i[0],
        i[1],
        i[2],
        by_oid(i[3]),
        *(i[4], i[5], i[6], i[7], i[8], i[9], i[10], i[11]),
        owned_by=owned_by,
        internal=i[13],
        grants=read_grants(i[14]),
        comment=i[15],
    )


def encode_user(user: User) -> bytes:
    """A user as bytes."""
    u = user
    return encode(
        [
            *(u.id, u.name, u.role.value, u.verifier, u.email, u.oauth_provider, u.oauth_subject),
            *(u.can_login, u.created_at_us, u.deleted_at_us, u.oid, u.comment),
        ]
    )


def decode_user(data: bytes) -> User:
    """The inverse of `encode_user`."""
    i = decode(data)
    return User(i[0], i[1], Role(i[2]), *i[3:])
