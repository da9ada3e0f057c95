"""Rows of `system.*` and pg_catalog relations about what runs: sessions, jobs, settings, segments."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from catalog import default_privileges, role_settings
from catalog.model import Role, TableKind, User
from catalog.pg_catalog import access
from catalog.pg_catalog.oids import DATABASE, namespace_oid
from catalog.pg_catalog.visible import Visible
from catalog.system import LiveRows
from catalog.types.registry import INET
from catalog.types.table import DEFAULT_CONTEXT
from kalam_pg.live.commits import END, Position
from kalam_pg.query.locks.advisory import advisory_number
from kalam_pg.query.locks.modes import NAMES as MODE_NAMES
from kalam_pg.query.locks.state import subject
from kalam_pg.sessions.setting import display
from kalam_pg.sessions.settings_table import SETTINGS
from storage.errors import DataCorruptedError
from storage.ids import NO_USER
from storage.layout import Value
from storage.log.clock import us_of
from storage.looks import Look, look, tablets_of

if TYPE_CHECKING:
    from kalam_pg.sessions.services import Services
    from kalam_pg.sessions.sql_session import SqlSession

Rows = Iterable[Mapping[str, Value]]


def row_sources(services: "Services") -> dict[str, LiveRows]:
    """A row source for each relation that this server can fill."""
    return {
        "jobs": lambda visible: _jobs(services, visible),
        "sessions": lambda visible: _sessions(services, visible),
        "transactions": lambda visible: _transactions(services, visible),
        "live_queries": lambda visible: _live_queries(services, visible),
        "settings": lambda _visible: _settings(),
        "segments": lambda visible: _segments(services, visible),
        "manifests": lambda visible: _manifests(services, visible),
        "stats": lambda visible: _stats(services, visible),
        "pg_locks": lambda visible: _locks(services, visible),
        "pg_db_role_setting": lambda visible: _role_settings(services, visible),
        "pg_default_acl": lambda visible: _default_acls(services, visible),
        "pg_stat_activity": lambda visible: _activity(services, visible),
    }


def _sees_all(visible: Visible) -> bool:
    return visible.user.role is not Role.USER


def _jobs(services: "Services", visible: Visible) -> Rows:
    if not _sees_all(visible):
        return
    for job in services.jobs:
        table = job.parameters.get("table", "")
        namespace, _, name = table.rpartition(".")
        yield {
            "job_id": job.id,
            "job_type": job.type,
            "status": job.status,
            "namespace": namespace or None,
            "table_name": name or None,
            "parameters": msgspec.json.encode(job.parameters).decode(),
            "progress": job.progress,
            "result": job.result or None,
            "error": job.error or None,
            "created_at": job.started_us,
            "started_at": job.started_us,
            "finished_at": job.ended_us,
        }


def _sessions(services: "Services", visible: Visible) -> Iterator[Mapping[str, Value]]:
    for session in services.registry:
        sql = session.sql
        if sql is None or not (_sees_all(visible) or sql.login_user.id == visible.user.id):
            continue
        yield {
            "pid": session.process_id,
            "user_name": sql.login_user.name,
            "effective_user": sql.user.name,
            "application_name": sql.settings["application_name"],
            "client_address": session.client_address or None,
            "state": _state(sql.status),
            "connected_at": session.started_us,
        }


def _transactions(services: "Services", visible: Visible) -> Iterator[Mapping[str, Value]]:
    for session in services.registry:
        sql = session.sql
        if sql is None or sql.transaction is None or not _sees_all(visible):
            continue
        yield {
            "pid": session.process_id,
            "user_name": sql.login_user.name,
            "started_at": sql.transaction.started_us,
            "isolation": sql.transaction.isolation,
            "state": _state(sql.status),
            "changes": sum(map(len, sql.transaction.changes.values())),
        }


def _live_queries(services: "Services", visible: Visible) -> Iterator[Mapping[str, Value]]:
    """Subscriptions: a user sees those on their own rows."""
    database = services.database
    for live in database.live_queries:
        about, subscriber = live.about, live.subscriber
        if not (_sees_all(visible) or about.user == visible.user.id):
            continue
        user = database.store.user_by_id(about.user)
        position = subscriber.position
        rows, first = subscriber.waiting()
        session = services.registry.get(about.process)
        # Rows are told when they are asked for, notifications when the session is idle.
        waits = bool(live.channel) and (rows > 0 or position is None)
        held_up = session.silence if session is not None and waits else ""
        yield {
            "live_id": str(live.number),
            "pid": about.process,
            "user_name": None if user is None else user.name,
            "namespace": live.query.table.namespace,
            "table_name": live.query.table.name,
            "query": about.text,
            "form": about.form,
            "channel": live.channel or None,
            "position": None if position is None else _token(position),
            "lag_rows": rows,
            "lag_ms": max(0, database.now_us() - us_of(first)) // 1000 if first else 0,
            "delivered": live.delivered,
            "last_reason": held_up or live.silence or None,
            "created_at": about.since_us,
        }


def _token(position: Position) -> str:
    """As clients have it."""
    return str(position.seq) if position.n == END else f"{position.seq}.{position.n}"


def _role_settings(services: "Services", visible: Visible) -> Rows:
    store = services.database.store
    living = {user.id: user for user in visible.roles() if user.deleted_at_us is None}
    for database, user, config in role_settings.listed(store.role_settings(), living):
        yield {
            "setdatabase": DATABASE if database else 0,
            "setrole": living[user].oid if user else 0,
            "setconfig": tuple(config),
        }


def _default_acls(services: "Services", visible: Visible) -> Rows:
    living = {user.id: user for user in visible.roles() if user.deleted_at_us is None}
    schemas = {n.id: namespace_oid(n.name, n.id) for n in visible.all_namespaces if n.id}
    schemas[default_privileges.EVERYWHERE] = 0
    for user, acl in default_privileges.listed(services.database.store.default_acls(), living):
        if acl.namespace in schemas:
            yield {
                "oid": acl.oid,
                "defaclrole": living[user].oid,
                "defaclnamespace": schemas[acl.namespace],
                "defaclobjtype": acl.kind,
                "defaclacl": access.of_default(visible, user, acl),
            }


def _activity(services: "Services", visible: Visible) -> Iterator[Mapping[str, Value]]:
    for session in services.registry:
        sql = session.sql
        if sql is None or not (_sees_all(visible) or sql.login_user.id == visible.user.id):
            continue
        active = session.is_active
        transaction = sql.transaction
        address = session.client_address
        yield {
            "datid": DATABASE,
            "datname": "kalam",
            "pid": session.process_id,
            "usesysid": sql.login_user.oid,
            "usename": sql.login_user.name,
            "application_name": sql.settings["application_name"],
            "client_addr": INET.input(address, -1, DEFAULT_CONTEXT) if address else None,
            "backend_start": session.started_us,
            "xact_start": None if transaction is None else transaction.started_us,
            "wait_event_type": None if active else "Client",
            "wait_event": None if active else "ClientRead",
            "state": "active" if active else _state(sql.status),
            "query": _shortened(sql.text)
            if _shows(visible.user, sql)
            else "<insufficient privilege>",
            "backend_type": "client backend",
        }


def _shows(user: User, sql: "SqlSession") -> bool:
    """Whether a user may read what a session runs, with the values in it: their own, a dba everybody's but a
    system user's.
    """
    if user.id in (sql.login_user.id, sql.session_user.id):
        return True
    other = max(sql.login_user.role.rank, sql.session_user.role.rank)
    return user.role.rank >= max(Role.DBA.rank, other)


_SHOWN_BYTES = 1023
"""Of a statement's text so much is shown, as PostgreSQL does by default (track_activity_query_size)."""


def _shortened(text: str) -> str:
    return text[:_SHOWN_BYTES].encode()[:_SHOWN_BYTES].decode(errors="ignore")


def _locks(services: "Services", visible: Visible) -> Rows:
    """Locks of tables and definitions, and those of rows that somebody waits for.

    As for sessions, a user sees their own: whom they wait for is known by its process number alone.
    """
    seen = None
    if not _sees_all(visible):
        own = visible.user.id
        sessions = [(s, s.sql) for s in services.registry]
        seen = {s.process_id for s, sql in sessions if sql is not None and sql.login_user.id == own}
    for entry in services.database.locks.entries():
        if seen is not None and entry.owner.process not in seen:
            continue
        kind, relation = subject(entry.name)
        if relation is not None and (table := services.database.stored_as(relation)) is not None:
            relation = table.id
        number: Mapping[str, Value] = {}
        if kind == "advisory":
            number = advisory_number(entry.name)
        for mode, name in MODE_NAMES.items():
            if entry.modes & mode:
                yield {
                    "locktype": kind,
                    "database": DATABASE,
                    "relation": relation,
                    "pid": entry.owner.process,
                    "mode": name,
                    "granted": entry.granted,
                    "fastpath": False,
                    **number,
                }


def _state(status: str) -> str:
    return {"I": "idle", "T": "idle in transaction", "E": "idle in transaction (aborted)"}[status]


def _settings() -> Rows:
    for setting in sorted(SETTINGS.values(), key=lambda s: s.name.lower()):
        yield {
            "name": setting.name,
            "value": display(setting, setting.default),
            "unit": setting.unit or None,
            "context": "internal" if setting.internal else "user",
            "description": setting.description or None,
        }


def _tablets(services: "Services", visible: Visible) -> Iterator[tuple[Look, Mapping[str, Value]]]:
    """Every tablet that the role may see, open or not, and what tells it from others.

    One whose manifest is damaged is left out here: whoever uses it is told, and `kalam check`.
    """
    database, engine = services.database, services.database.engine
    with engine.acquire() as view:
        for user in (None,) if _sees_all(visible) else (visible.user.id, NO_USER):
            for tablet_id in tablets_of(engine, view, user):
                table = database.catalog.stored_as(tablet_id.table)
                if table is None or table.kind is TableKind.STREAM:
                    continue
                owner = database.store.read_user(tablet_id.user) if table.per_user else None
                named = {
                    "namespace": table.namespace,
                    "table_name": table.name,
                    "user_name": owner.name if owner is not None else None,
                }
                with suppress(DataCorruptedError):
                    yield look(engine, view, tablet_id), named


def _segments(services: "Services", visible: Visible) -> Rows:
    for seen, named in _tablets(services, visible):
        for segment in seen.manifest.segments:
            yield {
                **named,
                "file": segment.file,
                "rows": segment.rows,
                "bytes": segment.size,
                "min_seq": segment.min_seq,
                "max_seq": segment.max_seq,
                "sha256": segment.sha256,
            }


def _manifests(services: "Services", visible: Visible) -> Rows:
    for seen, named in _tablets(services, visible):
        manifest = seen.manifest
        if manifest.version:
            yield {
                **named,
                "version": manifest.version,
                "schema_version": manifest.schema_version,
                "segments": len(manifest.segments),
                "rows": manifest.rows,
                "bytes": manifest.size,
                "flushed_through": manifest.flushed_through,
            }


def _stats(services: "Services", visible: Visible) -> Rows:
    for seen, named in _tablets(services, visible):
        stats = seen.stats()
        yield {
            **named,
            "hot_rows": stats.hot_rows,
            "hot_bytes": stats.hot_bytes,
            "cold_rows": stats.cold_rows,
            "cold_bytes": stats.cold_bytes,
            "segments": stats.segments,
        }
