"""A session's settings: what SET, SHOW and RESET see, with PostgreSQL's names, units and errors.

SET is transactional as in PostgreSQL: ROLLBACK takes back what the transaction set, SET LOCAL ends with
the transaction either way. Settings that change nothing here are accepted only at values that
PostgreSQL's clients send by themselves; a value that would promise what this server does not do is refused.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from catalog.errors import (
    CantChangeRuntimeParamError,
    ConfigurationLimitExceededError,
    FeatureNotSupportedError,
    InvalidParameterValueError,
    UndefinedObjectError,
)
from catalog.types.table import TypeContext
from kalam_pg.functions.sysinfo import SERVER_VERSION, SERVER_VERSION_NUM

_BOOLS = {
    **dict.fromkeys(("on", "true", "yes", "1", "t", "y"), "on"),
    **dict.fromkeys(("off", "false", "no", "0", "f", "n"), "off"),
}
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    kind: bool | enum | integer | string. unit: "" or "ms". values: of an enum. report: whether a change
    is told to the client (ParameterStatus). fixed: only the default may be set. internal: never set.
    check: returns the canonical value or raises.
    """

    name: str
    default: str
    kind: str = "string"
    unit: str = ""
    values: tuple[str, ...] = ()
    low: int = -(1 << 31)
    high: int = (1 << 31) - 1
    report: bool = False
    fixed: bool = False
    internal: bool = False
    check: Callable[[str], str] | None = None
    description: str = ""


def _invalid(name: str, value: str, hint: str = "") -> InvalidParameterValueError:
    return InvalidParameterValueError(f'invalid value for parameter "{name}": "{value}"', hint=hint)


_SHOWN_OFFSET = re.compile(r"<([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?>[+-]\d\d[:\d]*")
"""How a zone given as an offset is shown: in POSIX form, where the second sign is the other one."""


@lru_cache(maxsize=256)
def timezone_of(name: str) -> tuple[str, tzinfo]:
    """A time zone by name, or by hours east of UTC as SET TIME ZONE takes them. Raises 22023."""
    text = name.strip().strip("'")
    shown = _SHOWN_OFFSET.fullmatch(text)
    if shown is not None:
        parts = [int(part or 0) for part in shown.group(2, 3, 4)]
        offset = timedelta(hours=parts[0], minutes=parts[1], seconds=parts[2])
        return text, timezone(-offset if shown[1] == "-" else offset)
    if text.upper() in ("UTC", "GMT", "ETC/UTC", "Z", "ZULU"):
        return ("UTC" if text.upper() in ("Z", "ZULU") else text.upper().replace("ETC", "Etc"), UTC)
    try:
        hours = float(text)
    except ValueError:
        pass
    else:
        if not abs(hours) <= 15:  # so that NaN fails too
            raise _invalid("TimeZone", name)
        sign = "-" if hours < 0 else "+"
        seconds = round(abs(hours) * 3600)
        shown_as = f"{seconds // 3600:02d}"
        if seconds % 3600:
            shown_as += f":{seconds % 3600 // 60:02d}"
        if seconds % 60:
            shown_as += f":{seconds % 60:02d}"
        whole = f"<{sign}{shown_as}>{'+' if hours < 0 else '-'}{shown_as}"
        return whole, timezone(timedelta(hours=hours))
    try:
        zone = ZoneInfo(text)
    except (ValueError, OSError, KeyError) as exc:
        try:
            proper = next(z for z in _zone_names() if z.lower() == text.lower())
        except StopIteration:
            raise _invalid("TimeZone", name) from exc
        return proper, ZoneInfo(proper)
    return text, zone


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    import zoneinfo  # noqa: PLC0415 -- the list costs 50 ms and is rarely wanted

    return frozenset(zoneinfo.available_timezones())


def _check_timezone(value: str) -> str:
    return timezone_of(value)[0]


def _check_encoding(value: str) -> str:
    if value.replace("-", "").replace("_", "").strip("'").upper() in ("UTF8", "UNICODE"):
        return "UTF8"
    raise FeatureNotSupportedError(
        f'client_encoding "{value}" is not supported',
        hint="Use UTF8: text is never converted here.",
    )


def _check_datestyle(value: str) -> str:
    style, order = "ISO", "MDY"
    for raw in value.split(","):
        word = raw.strip().upper()
        if word in ("MDY", "US", "NONEURO", "NONEUROPEAN"):
            order = "MDY"
        elif word in ("DMY", "EURO", "EUROPEAN"):
            order = "DMY"
        elif word == "YMD":
            order = "YMD"
        elif word in ("SQL", "POSTGRES", "GERMAN"):
            raise FeatureNotSupportedError(f'DateStyle "{word}" is not supported', hint="Use ISO.")
        elif word not in ("ISO", "DEFAULT"):
            raise _invalid("DateStyle", value)
    return f"{style}, {order}"


def check_isolation(level: str) -> str:
    """The level of a transaction. Raises 0A000 for SERIALIZABLE, wherever it is asked for."""
    if level == "serializable":
        raise FeatureNotSupportedError(
            "isolation level SERIALIZABLE is not supported yet", hint="Use REPEATABLE READ."
        )
    return level


_ISOLATION = ("serializable", "repeatable read", "read committed", "read uncommitted")
_SYNCHRONOUS_COMMIT = ("on", "off", "local", "remote_write", "remote_apply")
_LEVELS = ("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error")

SETTINGS: dict[str, Setting] = {
    s.name.lower(): s
    for s in (
        Setting("application_name", "", report=True, description="Name of the client's program."),
        Setting("bytea_output", "hex", "enum", values=("escape", "hex")),
        Setting("client_encoding", "UTF8", report=True, check=_check_encoding),
        Setting("client_min_messages", "notice", "enum", values=_LEVELS),
        Setting("DateStyle", "ISO, MDY", report=True, check=_check_datestyle),
        Setting("default_transaction_deferrable", "off", "bool"),
        Setting(
            "default_transaction_isolation",
            "read committed",
            "enum",
            values=_ISOLATION,
            check=check_isolation,
        ),
        Setting("default_transaction_read_only", "off", "bool", report=True),
        Setting("extra_float_digits", "1", "integer", low=-15, high=3),
        Setting("idle_in_transaction_session_timeout", "0", "integer", "ms", low=0),
        Setting("idle_session_timeout", "0", "integer", "ms", low=0),
        Setting("integer_datetimes", "on", "bool", report=True, internal=True),
        Setting("in_hot_standby", "off", "bool", report=True, internal=True),
        Setting("IntervalStyle", "postgres", "enum", values=("postgres",), report=True),
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
        Setting("TimeZone", "UTC", report=True, check=_check_timezone),
        Setting("transaction_deferrable", "off", "bool"),
        Setting(
            "transaction_isolation",
            "read committed",
            "enum",
            values=_ISOLATION,
            check=check_isolation,
        ),
        Setting("transaction_read_only", "off", "bool"),
        # What clients set or read out of habit and what changes no answer here.
        Setting("array_nulls", "on", "bool", fixed=True),
        Setting("backslash_quote", "safe_encoding", "enum", values=("safe_encoding", "on", "off")),
        Setting("check_function_bodies", "on", "bool"),
        Setting("default_table_access_method", "heap", fixed=True),
        Setting("default_tablespace", "", fixed=True),
        Setting("enable_bitmapscan", "on", "bool"),
        Setting("enable_indexscan", "on", "bool"),
        Setting("enable_seqscan", "on", "bool"),
        Setting("escape_string_warning", "on", "bool"),
        Setting("geqo", "on", "bool"),
        Setting("jit", "off", "bool"),
        Setting("max_connections", "10000", "integer", internal=True),
        Setting("work_mem", "4096", "integer", "kB", low=64),
        Setting("xmloption", "content", "enum", values=("content", "document")),
    )
}


def canonical(setting: Setting, value: str) -> str:
    """The value as it is kept and shown. Raises 22023, 0A000 in PostgreSQL's words."""
    result = _of_kind(setting, value)
    if setting.check is not None:
        result = setting.check(result)
    if setting.fixed and result != setting.default:
        raise FeatureNotSupportedError(
            f'parameter "{setting.name}" can only be "{setting.default}" here'
        )
    return result


def _of_kind(setting: Setting, value: str) -> str:
    if setting.kind == "bool":
        chosen = _BOOLS.get(value.strip().lower())
        if chosen is None:
            raise InvalidParameterValueError(f'parameter "{setting.name}" requires a Boolean value')
        return chosen
    if setting.kind == "enum":
        result = value.strip().lower()
        if setting.values is _SYNCHRONOUS_COMMIT:
            result = _BOOLS.get(result, result)
        if result not in setting.values:
            raise _invalid(setting.name, value, f"Available values: {', '.join(setting.values)}.")
        return result
    return _integer(setting, value) if setting.kind == "integer" else value


def _integer(setting: Setting, value: str) -> str:
    text = value.strip().lower()
    factor = 1.0
    if setting.unit == "ms":
        for unit in ("us", "ms", "min", "s", "h", "d"):
            if text.endswith(unit) and text[: -len(unit)].strip().replace(".", "", 1).isdigit():
                text, factor = text[: -len(unit)], _MS[unit]
                break
    elif setting.unit == "kB":
        for unit, size in (("kb", 1.0), ("mb", 1024.0), ("gb", 1048576.0)):
            if text.endswith(unit):
                text, factor = text[:-2], size
                break
    try:
        number = round(float(text) * factor)
    except (ValueError, OverflowError):  # "inf" is the latter
        raise _invalid(setting.name, value) from None
    if not setting.low <= number <= setting.high:
        unit = f" {setting.unit}" if setting.unit else ""
        raise InvalidParameterValueError(
            f'{number}{unit} is outside the valid range for parameter "{setting.name}" '
            f"({setting.low}{unit} .. {setting.high}{unit})"
        )
    return str(number)


def display(setting: Setting, value: str) -> str:
    """As SHOW prints it: times in their largest whole unit."""
    if setting.kind == "integer" and setting.unit == "ms" and value != "0":
        for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)):
            if int(value) % size == 0:
                return f"{int(value) // size}{unit}"
        return f"{value}ms"
    if setting.kind == "integer" and setting.unit == "kB":
        for unit, size in (("GB", 1 << 20), ("MB", 1 << 10)):
            if int(value) % size == 0:
                return f"{int(value) // size}{unit}"
        return f"{value}kB"
    return value


SET_CHARS_MAX = 4 << 20
"""Of names and values together, those that ROLLBACK would bring back included."""


class Settings:
    """One session's settings, with the undo that transactions need."""

    def __init__(self, defaults: dict[str, str] | None = None) -> None:
        self._defaults = {name: s.default for name, s in SETTINGS.items()}
        self._defaults.update(defaults or {})
        self._values = dict(self._defaults)
        self._undo: list[tuple[str, str | None, bool]] = []
        self._set_chars = 0
        """Of all that was set since it was last counted."""
        self.changed: set[str] = set()
        """Names of reported settings whose value moved since the session last told the client."""
        self.version = 0
        """Counts changes, so that what was derived from the settings can be kept until they move."""
        self.search_path: tuple[str, ...] = ("public",)
        self.types = TypeContext()
        self._derive()

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def get(self, name: str) -> str | None:
        """A setting's shown value by any-case name, None when there is none."""
        name = name.lower()
        value = self._values.get(name)
        if value is None:
            return None
        return display(SETTINGS[name], value) if name in SETTINGS else value

    def show(self, name: str) -> tuple[str, str]:
        """(name as PostgreSQL spells it, shown value). Raises 42704."""
        value = self.get(name)
        if value is None:
            raise UndefinedObjectError(f'unrecognized configuration parameter "{name}"')
        setting = SETTINGS.get(name.lower())
        return (setting.name if setting else name.lower()), value

    def set(self, name: str, value: str | None, *, local: bool = False) -> None:
        """SET [LOCAL] name TO value (None: DEFAULT). Raises 42704, 22023, 55P02, 0A000."""
        key = name.lower()
        setting = SETTINGS.get(key)
        if setting is None:
            if "." not in key:
                raise UndefinedObjectError(f'unrecognized configuration parameter "{name}"')
            new = "" if value is None else value
        elif setting.internal:
            raise CantChangeRuntimeParamError(f'parameter "{setting.name}" cannot be changed')
        else:
            new = self._defaults[key] if value is None else canonical(setting, value)
        self._check_room(key, new)
        self._undo.append((key, self._values.get(key), local))
        self._put(key, new)

    def _check_room(self, key: str, value: str) -> None:
        """Raise 53400 when a session's own settings, or a transaction's, become too many."""
        self._set_chars += len(key) + len(value)
        if self._set_chars <= SET_CHARS_MAX:
            return
        self._set_chars = len(key) + len(value)  # Counted anew: values are replaced, and forgotten.
        self._set_chars += sum(len(k) + len(v) for k, v in self._values.items())
        self._set_chars += sum(len(k) + len(old or "") for k, old, _ in self._undo)
        if self._set_chars > SET_CHARS_MAX:
            raise ConfigurationLimitExceededError(
                "too much is kept in the settings of this session",
                hint="Use RESET for those that are not needed, or end the transaction.",
            )

    def act(self, name: str, value: str, *, local: bool) -> None:
        """Set `role` or `session_authorization`, whose rights were checked; undone like any setting."""
        self._undo.append((name, self._values.get(name), local))
        self._put(name, value)

    def force(self, name: str, value: str) -> None:
        """Set an internal setting (is_superuser, session_authorization, transaction_…), no undo."""
        self._put(name, value)

    def start_with(self, name: str, value: str) -> None:
        """A startup packet's option: becomes the session's default, to which RESET returns."""
        self.set(name, value)
        self._undo.clear()
        self._defaults[name.lower()] = self._values[name.lower()]

    def reset_all(self) -> None:
        """RESET ALL."""
        for name in list(self._values):
            setting = SETTINGS.get(name)
            if setting is None or not (setting.internal or name.startswith("transaction_")):
                self.set(name, None)

    def mark(self) -> int:
        """A savepoint in the undo, for `rollback`."""
        return len(self._undo)

    def commit(self) -> None:
        """The transaction's settings stay, but for SET LOCAL's."""
        undo, self._undo = self._undo, []
        seen: set[str] = set()
        # The value to return to is the one before the first SET LOCAL that no plain SET followed.
        restore: dict[str, str | None] = {}
        for name, old, local in undo:
            if local:
                if name not in seen:
                    seen.add(name)
                    restore[name] = old
            else:
                seen.discard(name)
                restore.pop(name, None)
        for name, value in restore.items():
            self._restore(name, value)

    def rollback(self, mark: int = 0) -> None:
        """Take back everything set since `mark`."""
        while len(self._undo) > mark:
            name, old, _ = self._undo.pop()
            self._restore(name, old)

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """(name, shown value, description), sorted as SHOW ALL lists them."""
        for name in sorted(self._values):
            setting = SETTINGS.get(name)
            if setting is not None:
                yield setting.name, display(setting, self._values[name]), setting.description
            else:
                yield name, self._values[name], ""

    def _restore(self, name: str, value: str | None) -> None:
        if value is None:
            self._values.pop(name, None)
        else:
            self._put(name, value)

    def _put(self, key: str, value: str) -> None:
        if self._values.get(key) == value:
            return
        self._values[key] = value
        self.version += 1
        setting = SETTINGS.get(key)
        if setting is not None and setting.report:
            self.changed.add(key)
        if key in ("search_path", "timezone", "datestyle", "extra_float_digits", "bytea_output"):
            self._derive()

    def _derive(self) -> None:
        values = self._values
        name, zone = timezone_of(values["timezone"])
        self.types = TypeContext(
            timezone=zone,
            timezone_name=name,
            date_order=values["datestyle"].rpartition(" ")[2],
            extra_float_digits=int(values["extra_float_digits"]),
            bytea_output=values["bytea_output"],
        )
        self.search_path = tuple(split_names(values["search_path"]))


def split_names(text: str) -> list[str]:
    """The names in a list such as search_path's: commas between, quotes keep case."""
    names: list[str] = []
    for part in text.split(","):
        word = part.strip()
        if word.startswith('"') and word.endswith('"') and len(word) > 1:
            names.append(word[1:-1].replace('""', '"'))
        elif word:
            names.append(word.strip("'").lower())
    return names
