"""The settings that a session has: those that do something here, and PostgreSQL's others.

Settings that change nothing here are kept and shown where that is the whole of what they promise; of the
others only the value that PostgreSQL's clients send by themselves is accepted.
"""

import shlex
from dataclasses import replace

from catalog.errors import FeatureNotSupportedError
from kalam_pg.functions.encodings import find_encoding
from kalam_pg.functions.sysinfo import SERVER_VERSION, SERVER_VERSION_NUM
from kalam_pg.sessions.setting import Setting, invalid
from kalam_pg.sessions.settings_of_postgresql import TEXT
from kalam_pg.sessions.time_zones import check_timezone


def _check_encoding(value: str) -> str:
    """PostgreSQL's name of it. Raises 22023, and 0A000 for what it cannot convert either."""
    found = find_encoding(value.strip("'"))
    if found is not None:
        return found.name
    plain = value.replace("-", "").replace("_", "").lower()
    if plain == "muleinternal":
        raise FeatureNotSupportedError(
            f'invalid value for parameter "client_encoding": "{value}"',
            detail="Conversion between MULE_INTERNAL and UTF8 is not supported.",
        )
    raise invalid("client_encoding", value)


def _printable(value: str) -> str:
    """The text with a "?" for each byte that is no printable ASCII: it stands in logs."""
    return "".join([chr(byte) if 32 <= byte < 127 else "?" for byte in value.encode()])


_ISOLATION = ("serializable", "repeatable read", "read committed", "read uncommitted")
_LEVELS = ("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error")
_ALL_LEVELS = "debug5,debug4,debug3,debug2,debug1,info,notice,warning,error,log,fatal,panic"
_STYLES = ("postgres", "postgres_verbose", "sql_standard", "iso_8601")

_OWN: dict[str, Setting] = {
    s.name.lower(): s
    for s in (
        Setting(
            "application_name",
            "",
            report=True,
            check=_printable,
            description="Name of the client's program.",
        ),
        Setting("bytea_output", "hex", "enum", values=("escape", "hex")),
        Setting("client_encoding", "UTF8", report=True, check=_check_encoding),
        Setting("client_min_messages", "notice", "enum", values=_LEVELS),
        Setting("DateStyle", "ISO, MDY", report=True),
        Setting("default_transaction_deferrable", "off", "bool"),
        Setting(
            "default_transaction_isolation",
            "read committed",
            "enum",
            values=_ISOLATION,
        ),
        Setting("default_transaction_read_only", "off", "bool", report=True),
        Setting("extra_float_digits", "1", "integer", low=-15, high=3),
        Setting("idle_in_transaction_session_timeout", "0", "integer", "ms", low=0),
        Setting("idle_session_timeout", "0", "integer", "ms", low=0),
        Setting("integer_datetimes", "on", "bool", report=True, internal=True),
        Setting("in_hot_standby", "off", "bool", report=True, internal=True),
        Setting("IntervalStyle", "postgres", "enum", values=_STYLES, report=True),
        Setting("is_superuser", "off", "bool", report=True, internal=True),
        Setting(
            "kalam.in_process_queries",
            "on",
            "bool",
            description="Answers small queries in the server's own process.",
        ),
        Setting("lc_collate", "C", internal=True),
        Setting("lc_ctype", "C", internal=True),
        Setting("lc_messages", "C", fixed=True),
        Setting("lc_monetary", "C", fixed=True),
        Setting("lc_numeric", "C", fixed=True),
        Setting("lc_time", "C", fixed=True),
        Setting("lock_timeout", "0", "integer", "ms", low=0),
        Setting("max_identifier_length", "63", "integer", internal=True),
        Setting("password_encryption", "scram-sha-256", "enum", values=("scram-sha-256",)),
        Setting("role", "none", internal=True),
        Setting("row_security", "on", "bool"),
        Setting("search_path", '"$user", public'),
        Setting("server_encoding", "UTF8", report=True, internal=True),
        Setting("server_version", SERVER_VERSION, report=True, internal=True),
        Setting("server_version_num", SERVER_VERSION_NUM, "integer", internal=True),
        Setting("session_authorization", "", report=True, internal=True),
        Setting("standard_conforming_strings", "on", "bool", report=True, fixed=True),
        Setting("statement_timeout", "0", "integer", "ms", low=0),
        Setting(
            "synchronous_commit",
            "on",
            "enum",
            values=("on", "off", "local", "remote_write", "remote_apply"),
        ),
        Setting("TimeZone", "UTC", report=True, check=check_timezone),
        Setting("transaction_deferrable", "off", "bool"),
        Setting(
            "transaction_isolation",
            "read committed",
            "enum",
            values=_ISOLATION,
        ),
        Setting("transaction_read_only", "off", "bool"),
        # What clients set or read out of habit and what changes no answer here.
        Setting("array_nulls", "on", "bool", fixed=True),
        Setting("backslash_quote", "safe_encoding", "enum", values=("safe_encoding", "on", "off")),
        Setting("check_function_bodies", "on", "bool"),
        Setting(
            "default_table_access_method",
            "heap",
            "enum",
            values=("heap", "kalam_user", "kalam_stream"),
        ),
        Setting("default_tablespace", "", fixed=True),
        Setting("enable_bitmapscan", "on", "bool"),
        Setting("enable_indexscan", "on", "bool"),
        Setting("enable_seqscan", "on", "bool"),
        Setting("escape_string_warning", "on", "bool"),
        Setting("geqo", "on", "bool"),
        Setting("jit", "off", "bool"),
        Setting("max_connections", "10000", "integer", context="postmaster"),
        Setting("work_mem", "4096", "integer", "kB", low=64),
        Setting("xmloption", "content", "enum", values=("content", "document")),
    )
}

_KINDS = {"b": "bool", "i": "integer", "r": "real", "e": "enum", "s": "string"}
_CONTEXTS = {
    "u": "user",
    "f": "user",
    "s": "superuser",
    "r": "sighup",
    "p": "postmaster",
    "b": "backend",
    "i": "internal",
}


_CATEGORIES = """
Client Connection Defaults / Locale and Formatting: datestyle intervalstyle timezone client_encoding
    extra_float_digits lc_messages lc_monetary lc_numeric lc_time
Client Connection Defaults / Statement Behavior: bytea_output check_function_bodies
    client_min_messages default_table_access_method default_tablespace
    default_transaction_deferrable default_transaction_isolation default_transaction_read_only
    idle_in_transaction_session_timeout idle_session_timeout lock_timeout row_security search_path
    statement_timeout transaction_deferrable transaction_isolation transaction_read_only xmloption
Connections and Authentication / Authentication: password_encryption
Connections and Authentication / Connection Settings: max_connections
Preset Options: in_hot_standby integer_datetimes lc_collate lc_ctype max_identifier_length
    server_encoding server_version server_version_num
Query Tuning / Genetic Query Optimizer: geqo
Query Tuning / Other Planner Options: jit
Query Tuning / Planner Method Configuration: enable_bitmapscan enable_indexscan enable_seqscan
Reporting and Logging / What to Log: application_name
Resource Usage / Memory: work_mem
Version and Platform Compatibility / Previous PostgreSQL Versions: array_nulls backslash_quote
    escape_string_warning standard_conforming_strings
Write-Ahead Log / Settings: synchronous_commit
"""


def _categories() -> dict[str, str]:
    """The category of each setting of `_OWN` that PostgreSQL has too."""
    found: dict[str, str] = {}
    category = ""
    for line in _CATEGORIES.strip().splitlines():
        head, colon, rest = line.partition(": ")
        category = head if colon else category
        found |= dict.fromkeys((rest if colon else line).split(), category)
    return found


def _of_postgresql() -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    category = ""
    for line in TEXT.strip().splitlines():
        if line.startswith("#"):
            category = line.removeprefix("# ")
            continue
        name, context, kind, unit, default, *rest = shlex.split(line.replace("LEVELS", _ALL_LEVELS))
        number = kind in "ir"
        found[name.lower()] = Setting(
            name,
            default,
            _KINDS[kind],
            "" if unit == "-" else unit,
            values=tuple(rest[0].split(",")) if kind == "e" else (),
            low=float(rest[0]) if number else 0,
            high=float(rest[1]) if number else 0,
            fixed=context == "f",
            internal=context == "i",
            context=_CONTEXTS[context],
            category=category,
        )
    return found


SETTINGS: dict[str, Setting] = {
    name: replace(setting, category=_categories().get(name, "Customized Options"))
    for name, setting in _OWN.items()
} | _of_postgresql()
"""Every setting by its name in lower case."""
