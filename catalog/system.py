"""The `system` schema: what its relations look like, and the rows that the catalogue alone can give.

Rows of what runs (jobs, sessions, segments …) come from a `LiveRows` that the server registers by
relation name; a relation without one is empty.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from catalog.changes_table import ROW_ID
from catalog.errors import InsufficientPrivilegeError
from catalog.model import Role, Table, TableVersion, User
from catalog.pg_catalog.relations import CatalogColumn, CatalogRelation
from catalog.pg_catalog.visible import Visible
from catalog.types.registry import BOOL, FLOAT8, INT4, INT8, JSONB, TEXT, TIMESTAMPTZ, format_type
from catalog.types.table import PgType
from storage.layout import Row, Value

Values = Mapping[str, Value]

LiveRows = Callable[[Visible], Iterable[Values]]
"""Rows of one relation as `visible.user` may see them: columns by name, missing ones NULL."""

_FIRST_OID = 13200


def _relation(number: int, name: str, /, **columns: PgType) -> CatalogRelation:
    return CatalogRelation(
        "system",
        name,
        _FIRST_OID + number,
        "v",
        tuple(CatalogColumn(column, of) for column, of in columns.items()),
    )


SYSTEM_RELATIONS = (
    _relation(
        0, "users", user_id=INT8, username=TEXT, role=TEXT, email=TEXT, auth_type=TEXT,
        can_login=BOOL, created_at=TIMESTAMPTZ, deleted_at=TIMESTAMPTZ,
    ),
    _relation(
        1, "namespaces", namespace_id=INT8, name=TEXT, owner=TEXT, table_count=INT8, comment=TEXT,
        created_at=TIMESTAMPTZ,
    ),
    _relation(
        2, "tables", table_id=INT8, namespace=TEXT, table_name=TEXT, table_type=TEXT, owner=TEXT,
        storage=TEXT, flush_policy=TEXT, access_level=TEXT, options=JSONB, schema_version=INT4,
        comment=TEXT, created_at=TIMESTAMPTZ,
    ),
    _relation(
        3, "columns", namespace=TEXT, table_name=TEXT, column_name=TEXT, ordinal_position=INT4,
        column_id=INT4, data_type=TEXT, is_nullable=BOOL, is_primary_key=BOOL, column_default=TEXT,
        comment=TEXT,
    ),
    _relation(
        4, "table_schemas", namespace=TEXT, table_name=TEXT, version=INT4, columns=JSONB,
        change=TEXT, created_at=TIMESTAMPTZ,
    ),
    _relation(
        5, "storages", storage_id=TEXT, type=TEXT, path=TEXT, config=JSONB,
        created_at=TIMESTAMPTZ,
    ),
    _relation(
        6, "jobs", job_id=TEXT, job_type=TEXT, status=TEXT, namespace=TEXT, table_name=TEXT,
        user_name=TEXT, parameters=JSONB, progress=FLOAT8, result=TEXT, error=TEXT,
        created_at=TIMESTAMPTZ, started_at=TIMESTAMPTZ, finished_at=TIMESTAMPTZ,
    ),
    _relation(
        7, "manifests", namespace=TEXT, table_name=TEXT, user_name=TEXT, version=INT8,
        schema_version=INT4, segments=INT8, rows=INT8, bytes=INT8, flushed_through=INT8,
        path=TEXT,
    ),
    _relation(
        8, "segments", namespace=TEXT, table_name=TEXT, user_name=TEXT, file=TEXT, rows=INT8,
        bytes=INT8, min_seq=INT8, max_seq=INT8, sha256=TEXT, created_at=TIMESTAMPTZ,
    ),
    _relation(
        9, "settings", name=TEXT, value=TEXT, unit=TEXT, context=TEXT, description=TEXT,
    ),
    _relation(
        10, "sessions", pid=INT4, user_name=TEXT, effective_user=TEXT, client_address=TEXT,
        application_name=TEXT, state=TEXT, connected_at=TIMESTAMPTZ, state_changed_at=TIMESTAMPTZ,
    ),
    _relation(
        11, "live_queries", live_id=TEXT, pid=INT4, user_name=TEXT, namespace=TEXT,
        table_name=TEXT, query=TEXT, form=TEXT, channel=TEXT, position=TEXT, lag_rows=INT8,
        lag_ms=INT8, delivered=INT8, last_reason=TEXT, created_at=TIMESTAMPTZ,
    ),
    _relation(
        12, "audit_log", audit_id=INT8, at=TIMESTAMPTZ, user_name=TEXT, acting_as=TEXT,
        action=TEXT, target=TEXT, allowed=BOOL, details=JSONB, client_address=TEXT,
    ),
    _relation(
        13, "stats", namespace=TEXT, table_name=TEXT, user_name=TEXT, hot_rows=INT8,
        hot_bytes=INT8, cold_rows=INT8, cold_bytes=INT8, segments=INT8,
    ),
    _relation(
        14, "transactions", pid=INT4, user_name=TEXT, started_at=TIMESTAMPTZ, isolation=TEXT,
        state=TEXT, changes=INT8,
    ),
)  # fmt: skip

_ALIASES = {"live": "live_queries", "storage_locations": "storages"}

# What role user may read: definitions that concern everybody, and rows about themselves.
_FOR_EVERYBODY = frozenset(
    ("users", "namespaces", "tables", "columns", "table_schemas", "live_queries")
)


def _by_name() -> dict[str, CatalogRelation]:
    found = {r.name: r for r in SYSTEM_RELATIONS}
    for alias, name in _ALIASES.items():
        of = found[name]
        found[alias] = CatalogRelation("system", alias, 0, of.kind, of.columns)
    return found


_BY_NAME = _by_name()


def system_relation(name: str) -> CatalogRelation | None:
    """A relation of schema `system` (its older names too), None when there is none."""
    return _BY_NAME.get(name)


@dataclass(frozen=True, slots=True)
class SystemRows:
    """Rows of `system.*`: from the catalogue, and from the sources that the server registered."""

    sources: Mapping[str, LiveRows]

    def is_live(self, name: str) -> bool:
        """Whether the rows of a relation are about what runs, and not about what is defined."""
        return _ALIASES.get(name, name) in self.sources

    def rows(self, visible: Visible, name: str) -> Iterator[Row]:
        """The rows that `visible.user` may see.

        Raises:
            KeyError: There is no such relation.
            InsufficientPrivilegeError: The relation is for service and up.
        """
        name = _ALIASES.get(name, name)
        shape = _BY_NAME[name]
        if visible.user.role is Role.USER and name not in _FOR_EVERYBODY:
            raise InsufficientPrivilegeError(f"permission denied for view {name}")
        source = self.sources.get(name) or _OWN.get(name)
        if source is not None:
            for values in source(visible):
                yield shape.row(values)


def _users(visible: Visible) -> Iterator[Values]:
    for user in visible.roles():
        yield {
            "user_id": user.id,
            "username": user.name,
            "role": user.role.value,
            "email": user.email or None,
            "auth_type": _authentication(user),
            "can_login": user.can_login,
            "created_at": user.created_at_us,
            "deleted_at": user.deleted_at_us,
        }


def _authentication(user: User) -> str:
    if user.oauth_provider:
        return "oauth"
    return "password" if user.verifier else "none"


def _namespaces(visible: Visible) -> Iterator[Values]:
    tables = Counter([t.namespace for t in visible.tables])
    for n in visible.namespaces:
        yield {
            "namespace_id": n.id,
            "name": n.name,
            "owner": visible.user_name(visible.owner_oid(n.owner)),
            "table_count": tables[n.name],
            "comment": n.comment or None,
            "created_at": n.created_at_us,
        }


def _tables(visible: Visible) -> Iterator[Values]:
    for t in visible.tables:
        yield {
            "table_id": t.id,
            "namespace": t.namespace,
            "table_name": t.name,
            "table_type": table_type(t),
            "owner": visible.user_name(visible.owner_oid(t.owner)),
            "storage": t.options.storage,
            "flush_policy": flush_policy(t) or None,
            "access_level": t.options.access_level if t.kind.value == "SHARED" else None,
            "schema_version": t.version,
            "comment": t.comment or None,
            "created_at": t.created_at_us,
        }


def table_type(table: Table) -> str:
    """Its kind as it is listed; a temporary table and a materialized view are of one of their own."""
    if table.materialized is not None:
        return "MATERIALIZED VIEW"
    return "TEMP" if table.temporary else table.kind.value


def versions_of(table: Table) -> Iterator[TableVersion]:
    """Every version that a table has had, the oldest first, with the columns that were declared.

    The last is what it is now.
    """
    at_us = table.altered_at_us or table.created_at_us
    now = TableVersion(table.version, table.columns, table.layout, table.change, at_us)
    for one in (*table.history, now):
        yield replace(one, columns=tuple(c for c in one.columns if c.name != ROW_ID))


def _table_schemas(visible: Visible) -> Iterator[Values]:
    for table in visible.tables:
        for one in versions_of(table):
            columns = [
                {"id": c.id, "name": c.name, "type": format_type(c.type, c.typmod)}
                for c in one.columns
            ]
            yield {
                "namespace": table.namespace,
                "table_name": table.name,
                "version": one.version,
                "columns": json.dumps(columns, ensure_ascii=False),
                "change": one.change or None,
                "created_at": one.at_us,
            }


def flush_policy(table: Table) -> str:
    """FLUSH_POLICY as it is written, "" when the table has none."""
    options = table.options
    parts = []
    if options.flush_rows:
        parts.append(f"rows:{options.flush_rows}")
    if options.flush_interval_s:
        parts.append(f"interval:{options.flush_interval_s}")
    return ",".join(parts)


def _columns(visible: Visible) -> Iterator[Values]:
    for relation in visible.relations:
        key: tuple[int, ...] = ()
        if isinstance(relation, Table):
            key = relation.declared_key or relation.primary_key
        for number, column in enumerate(relation.columns, 1):
            yield {
                "namespace": relation.namespace,
                "table_name": relation.name,
                "column_name": column.name,
                "ordinal_position": number,
                "column_id": column.id,
                "data_type": format_type(column.type, column.typmod),
                "is_nullable": not column.not_null,
                "is_primary_key": column.id in key,
                "column_default": column.default or None,
                "comment": column.comment or None,
            }


_OWN: dict[str, LiveRows] = {
    "users": _users,
    "namespaces": _namespaces,
    "tables": _tables,
    "columns": _columns,
    "table_schemas": _table_schemas,
}
