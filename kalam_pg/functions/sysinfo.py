"""Functions about the catalogue and the session: pg_get_…, …_is_visible, format_type, version.

What they need of the catalogue is in `EvalContext.services` (`query.virtual` puts it there, as the
asking role may see it), by function name; where it is not, in a worker for one, they are 0A000.
"""

import re
from decimal import Decimal

from catalog.errors import InvalidParameterValueError
from catalog.model import is_temporary
from catalog.types import registry as t
from catalog.types.registry import (
    BOOL,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    NAME,
    NUMERIC,
    OID,
    PG_NODE_TREE,
    RECORD,
    REGCLASS,
    REGNAMESPACE,
    REGOPER,
    REGOPERATOR,
    REGPROC,
    REGPROCEDURE,
    REGROLE,
    REGTYPE,
    TEXT,
    TIMESTAMPTZ,
    VOID,
    format_type,
)
from catalog.types.table import DEFAULT_CONTEXT, PgType
from kalam_pg.functions import decimals
from kalam_pg.functions.define import Datum, function, returns_set, stable
from kalam_pg.functions.services import asked
from kalam_pg.functions.table import EvalContext, Overload, Volatility
from storage.wall_clock import now_us

SERVER_VERSION = "15.0 (kalam_pg)"
"""The setting server_version: drivers read the number before the blank."""

SERVER_VERSION_NUM = "150000"

VERSION = f"PostgreSQL {SERVER_VERSION}"
"""version(): drivers read the number behind the first word."""

_UTF8 = 6
_ENCODINGS = {6: "UTF8", 0: "SQL_ASCII", 8: "LATIN1"}

_FIRST_XID = 3
"""PostgreSQL's first ordinary transaction (transam.h)."""


def _looked_up(name: str, result: PgType, *signatures: tuple[PgType, ...]) -> list[Overload]:
    """A function that the catalogue answers, with each of its signatures."""
    return [stable(name, args, result, asked(name), server_only=True) for args in signatures]


_UNCOUNTED = (
    *("numscans", "tuples_returned", "tuples_fetched", "tuples_inserted", "tuples_updated"),
    *("tuples_deleted", "tuples_hot_updated", "live_tuples", "dead_tuples", "mod_since_analyze"),
    *("ins_since_vacuum", "blocks_fetched", "blocks_hit"),
)
"""What PostgreSQL counts of a relation, and nobody does here: unknown, as the views over these have it."""


def _always(
    name: str, result: PgType, value: Datum, *signatures: tuple[PgType, ...]
) -> list[Overload]:
    """A function that has one answer here."""
    return [stable(name, args, result, lambda _c, *_values: value) for args in signatures]


def _format_type(context: EvalContext, oid: int | None, typmod: int | None) -> str | None:
    if oid is None:
        return None
    found = t.find_oid(oid)
    if found is None:
        objects = context.types.objects
        made = objects.object_name("regtype", oid) if objects is not None else None
        return made or ("-" if oid == 0 else "???")
    return format_type(found, -1 if typmod is None else typmod)


def _current_schema(context: EvalContext) -> str | None:
    return next((name for name in context.search_path if not is_temporary(name)), None)


def _current_schemas(context: EvalContext, implicit: Datum) -> Datum:
    path = context.search_path
    if not implicit:
        return tuple([name for name in path if not is_temporary(name)])
    return ("pg_catalog", *path) if implicit and "pg_catalog" not in path else path


def _setting(context: EvalContext, name: str, missing_ok: Datum = False) -> str | None:
    from catalog.errors import UndefinedObjectError  # noqa: PLC0415

    value = context.setting(name.lower())
    if value is None and not missing_ok:
        raise UndefinedObjectError(f'unrecognized configuration parameter "{name}"')
    return value


def _set_config(context: EvalContext, name: str, value: str | None, local: Datum) -> Datum:
    return asked("set_config")(context, name, value, local)


def _asked(name: str, args: tuple[PgType, ...], result: PgType, *, strict: bool = True) -> Overload:
    """A function that the session answers anew each time, or that changes something there."""
    return function(
        name, args, result, asked(name),
        strict=strict, needs_context=True, volatility=Volatility.VOLATILE, server_only=True,
    )  # fmt: skip


def _size_pretty(size: int | str) -> str:
    """As PostgreSQL's pg_size_pretty: up to 10 240 of a unit, halves rounded away from zero."""
    if isinstance(size, str):
        if size in {"NaN", "Infinity", "-Infinity"}:
            return f"{size} PB"
        if abs(Decimal(size)) < 10 * 1024:
            return f"{size} bytes"  # As it is written.
    amount = int(Decimal(size))
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        limit = 10 * 1024 if unit == "bytes" else 20 * 1024 - 1
        if abs(amount) < limit or unit == "PB":
            if unit != "bytes":
                amount = (abs(amount) + 1) // 2 * (1 if amount >= 0 else -1)
            return f"{amount} {unit}"
        # After the first unit the number keeps one more bit, for rounding.
        bits = 9 if unit == "bytes" else 10
        amount = amount >> bits if amount >= 0 else -(-amount >> bits)
    return f"{amount} PB"


_SIZE = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*", re.ASCII)
_SIZES = {"": 0, "bytes": 0, "kb": 10, "mb": 20, "gb": 30, "tb": 40, "pb": 50}


def _size_bytes(text: str) -> int:
    """pg_size_bytes: a number and a unit."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise InvalidParameterValueError(f'invalid size: "{text}"')
    unit = found[2].lower()
    if unit not in _SIZES:
        raise InvalidParameterValueError(
            f'invalid size: "{text}"',
            detail=f'Invalid size unit: "{found[2]}".',
            hint='Valid units are "bytes", "kB", "MB", "GB", "TB", and "PB".',
        )
    number = decimals.round_text(str(NUMERIC.input(found[1], -1, DEFAULT_CONTEXT)), 20)
    size = decimals.multiply(number, str(1 << _SIZES[unit]))
    return decimals.to_integer(size, -(2**63), 2**63 - 1, "bigint")


def _no_partitions(_relation: int) -> tuple[()]:
    return ()  # Nothing is partitioned.


_STARTED_US = now_us()


def _started_at(_context: EvalContext) -> int:
    return _STARTED_US


_VISIBLE = ("opclass", "collation", "conversion", "ts_config", "ts_dict")
_PRIVILEGES = (
    *("any_column", "database", "function", "language", "schema", "sequence", "table"),
    *("tablespace", "type"),
)


def _privileges() -> list[Overload]:
    """Asked of a name or an OID, for oneself or for a role of a name or an OID."""
    objects = [(f"has_{kind}_privilege", (of,)) for kind in _PRIVILEGES for of in (TEXT, OID)]
    columns = [
        ("has_column_privilege", (of, column)) for of in (TEXT, OID) for column in (TEXT, INT2)
    ]
    roles = [("pg_has_role", (of,)) for of in (NAME, OID)]
    return [
        stable(name, (*role, *of, TEXT), BOOL, asked(name), server_only=True)
        for name, of in (*objects, *columns, *roles)
        for role in ((), (NAME,), (OID,))
    ]


OVERLOADS: tuple[Overload, ...] = (
    stable("version", (), TEXT, lambda _c: VERSION),
    stable("format_type", (OID, INT4), TEXT, _format_type, strict=False),
    stable("current_schema", (), NAME, _current_schema),
    stable("current_schemas", (BOOL,), t.by_name("_name") or TEXT, _current_schemas),
    stable("current_setting", (TEXT,), TEXT, _setting, server_only=True),
    stable("current_setting", (TEXT, BOOL), TEXT, _setting, server_only=True),
    function(
        "set_config", (TEXT, TEXT, BOOL), TEXT, _set_config,
        strict=False, needs_context=True, volatility=Volatility.VOLATILE, server_only=True,
    ),
    _asked("pg_notify", (TEXT, TEXT), VOID, strict=False),
    _asked("pg_notification_queue_usage", (), FLOAT8),
    _asked("pg_advisory_unlock_all", (), VOID),
    returns_set(
        "pg_listening_channels", (), TEXT, asked("pg_listening_channels"),
        needs_context=True, volatility=Volatility.STABLE, server_only=True,
    ),
    function("pg_size_bytes", (TEXT,), INT8, _size_bytes),
    function("pg_size_pretty", (INT8,), TEXT, _size_pretty),
    function("pg_size_pretty", (NUMERIC,), TEXT, _size_pretty),
    function("pg_encoding_to_char", (INT4,), NAME, lambda n: _ENCODINGS.get(n, "")),
    function(
        "pg_char_to_encoding", (NAME,), INT4,
        lambda name: _UTF8 if name.lower().replace("-", "") == "utf8" else -1,
    ),
    stable("getdatabaseencoding", (), NAME, lambda _c: "UTF8"),
    stable("pg_client_encoding", (), NAME, lambda c: c.setting("client_encoding") or "UTF8"),
    returns_set(
        "pg_partition_ancestors", (REGCLASS,), REGCLASS, _no_partitions, out_names=("relid",)
    ),
    returns_set(
        "pg_partition_tree", (REGCLASS,), RECORD, _no_partitions,
        out_names=("relid", "parentrelid", "isleaf", "level"),
        out_types=(REGCLASS, REGCLASS, BOOL, INT4),
    ),
    *_always("pg_partition_root", REGCLASS, None, (REGCLASS,)),
    *_looked_up("pg_backend_pid", INT4, ()),
    *_looked_up("pg_get_userbyid", NAME, (OID,)),
    *_looked_up("pg_table_is_visible", BOOL, (OID,)),
    *_looked_up("pg_type_is_visible", BOOL, (OID,)),
    *_looked_up("pg_get_expr", TEXT, (PG_NODE_TREE, OID), (PG_NODE_TREE, OID, BOOL)),
    *_looked_up("pg_get_constraintdef", TEXT, (OID,), (OID, BOOL)),
    *_looked_up("pg_get_indexdef", TEXT, (OID,), (OID, INT4, BOOL)),
    *_looked_up("pg_get_viewdef", TEXT, (OID,), (OID, BOOL), (OID, INT4), (TEXT,), (TEXT, BOOL)),
    *_looked_up("pg_get_function_result", TEXT, (OID,)),
    *_looked_up("pg_get_function_arguments", TEXT, (OID,)),
    *_looked_up("pg_get_function_identity_arguments", TEXT, (OID,)),
    *_looked_up("obj_description", TEXT, (OID, NAME), (OID,)),
    *_looked_up("col_description", TEXT, (OID, INT4)),
    *_looked_up("shobj_description", TEXT, (OID, NAME)),
    *_looked_up("to_regclass", REGCLASS, (TEXT,)),
    *_looked_up("to_regtype", REGTYPE, (TEXT,)),
    *_looked_up("to_regnamespace", REGNAMESPACE, (TEXT,)),
    *_looked_up("to_regrole", REGROLE, (TEXT,)),
    *(o for what in _VISIBLE for o in _always(f"pg_{what}_is_visible", BOOL, True, (OID,))),
    *_always("pg_is_in_recovery", BOOL, False, ()),
    *(o for what in _UNCOUNTED for o in _always(f"pg_stat_get_{what}", INT8, None, (OID,))),
    *_always("pg_relation_is_publishable", BOOL, False, (REGCLASS,)),
    *_always("pg_get_statisticsobjdef_columns", TEXT, None, (OID,)),
    *_always("pg_get_triggerdef", TEXT, None, (OID,), (OID, BOOL)),
    *_looked_up("pg_get_functiondef", TEXT, (OID,)),
    *_looked_up("pg_get_function_sqlbody", TEXT, (OID,)),
    *_looked_up("pg_get_function_arg_default", TEXT, (OID, INT4)),
    *_looked_up("to_regproc", REGPROC, (TEXT,)),
    *_looked_up("to_regprocedure", REGPROCEDURE, (TEXT,)),
    *_looked_up("to_regoper", REGOPER, (TEXT,)),
    *_looked_up("to_regoperator", REGOPERATOR, (TEXT,)),
    *_looked_up("pg_function_is_visible", BOOL, (OID,)),
    *_looked_up("pg_operator_is_visible", BOOL, (OID,)),
    *_always("pg_get_partkeydef", TEXT, None, (OID,)),
    *_looked_up("pg_get_serial_sequence", TEXT, (TEXT, TEXT)),
    *_always("pg_get_ruledef", TEXT, None, (OID,), (OID, BOOL)),
    *_always("pg_tablespace_location", TEXT, "", (OID,)),
    *_looked_up("pg_my_temp_schema", OID, ()),
    *_always("pg_is_other_temp_schema", BOOL, False, (OID,)),
    *_always("row_security_active", BOOL, False, (OID,), (TEXT,)),
    *(
        _asked(f"pg_{what}_size", args, INT8)
        for what, signatures in (
            ("table", ((REGCLASS,),)),
            ("relation", ((REGCLASS,), (REGCLASS, TEXT))),
            ("total_relation", ((REGCLASS,),)),
            ("indexes", ((REGCLASS,),)),
            ("database", ((OID,), (NAME,))),
            ("tablespace", ((OID,), (NAME,))),
        )
        for args in signatures
    ),
    *_privileges(),
    _asked("txid_current", (), INT8),
    # Transactions have no order here: one is as old as another, but for those that were always there.
    stable("age", (t.XID,), INT4, lambda _c, number: 1 if number >= _FIRST_XID else 2**31 - 1),
    _asked("txid_current_if_assigned", (), INT8),
    stable("pg_postmaster_start_time", (), TIMESTAMPTZ, _started_at),
    stable("pg_conf_load_time", (), TIMESTAMPTZ, _started_at),
    *_always("pg_trigger_depth", INT4, 0, ()),
    *_always("pg_jit_available", BOOL, False, ()),
    *_always("pg_encoding_max_length", INT4, 4, (INT4,)),
    *_always("inet_client_port", INT4, None, ()),
    *_always("inet_server_port", INT4, None, ()),
    *_always("pg_blocking_pids", t.by_name("_int4") or INT4, (), (INT4,)),
    *_always("pg_current_logfile", TEXT, None, (), (TEXT,)),
    *_always("pg_is_wal_replay_paused", BOOL, False, ()),
    *_always("pg_last_xact_replay_timestamp", TIMESTAMPTZ, None, ()),
    *_always("pg_relation_filenode", OID, None, (REGCLASS,)),
    *_always("pg_relation_filepath", TEXT, None, (REGCLASS,)),
    *_looked_up("pg_column_is_updatable", BOOL, (REGCLASS, INT2, BOOL)),
    *_looked_up("pg_relation_is_updatable", INT4, (REGCLASS, BOOL)),
    *_always("pg_opfamily_is_visible", BOOL, True, (OID,)),
    *_always("pg_statistics_obj_is_visible", BOOL, True, (OID,)),
    *_always("pg_get_partition_constraintdef", TEXT, None, (OID,)),
    *_always("pg_get_statisticsobjdef", TEXT, None, (OID,)),
)  # fmt: skip
