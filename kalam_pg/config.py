"""Every setting of the server: its name, default, unit and meaning, and how it is given.

A setting comes from, last wins: its default, the TOML file (`--config`, or `KALAM_CONFIG`), the
environment (`KALAM_PORT=5433`), the command line. An unknown name or a bad value is a `ConfigError`
of one line; nothing is ignored.
"""

# ruff: noqa: RUF009 - _setting makes a dataclasses.field, which is not shared.

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from storage.errors import KalamError


class ConfigError(KalamError):
    """config_file_error: a setting is unknown or cannot be used."""

    sqlstate = "F0000"


ENVIRONMENT_PREFIX: Final = "KALAM_"
_FILE_VARIABLE: Final = "KALAM_CONFIG"
_NO_SETTINGS: Final = frozenset({_FILE_VARIABLE, "KALAM_FAILPOINTS", "KALAM_HOLD"})
"""The others are of failpoints, for tests of a whole server (`storage.failpoints`)."""

_SIZES: Final = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_TIMES: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_TRUE: Final = frozenset({"on", "true", "yes", "1"})
_FALSE: Final = frozenset({"off", "false", "no", "0"})

_Parse = Callable[[object], Any]


def _setting(default: object, parse: _Parse, unit: str, doc: str) -> Any:  # noqa: ANN401
    return field(default=default, metadata={"parse": parse, "unit": unit, "doc": doc})


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("expected a string")
    return value


def _path(value: object) -> Path | None:
    if isinstance(value, Path):
        return value
    text = _text(value)
    return Path(text).expanduser() if text else None


def _required_path(value: object) -> Path:
    path = _path(value)
    if path is None:
        raise ValueError("expected a path")
    return path


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ValueError("expected on or off")


def _integer(low: int, high: int) -> _Parse:
    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?\d+", value.strip()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError("expected a whole number")
        return _between(value, low, high)

    return parse


def _size(low: int, high: int) -> _Parse:
    def parse(value: object) -> int:
        return _between(int(_quantity(value, _SIZES, "64MB")), low, high)

    return parse


def _duration(value: object) -> float:
    return _between(_quantity(value, _TIMES, "30s"), 0.0, 86400.0 * 365)


def _choice(*choices: str) -> _Parse:
    def parse(value: object) -> str:
        if isinstance(value, bool):  # TOML's and YAML habits: on is what people mean by true.
            value = "on" if value else "off"
        if value not in choices:
            raise ValueError("expected " + ", ".join(choices[:-1]) + f" or {choices[-1]}")
        return str(value)

    return parse


def _quantity(value: object, units: Mapping[str, float], example: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(value))
    if match is None or (match[2] and match[2] not in units):
        raise ValueError(f"expected a number, or one with a unit ({', '.join(units)}): {example}")
    number = float(match[1])
    return number * units[match[2]] if match[2] else number


_Number = TypeVar("_Number", int, float)


def _between(value: _Number, low: _Number, high: _Number) -> _Number:
    if not low <= value <= high:
        raise ValueError(f"outside {low} .. {high}")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings. Names end in their unit where they have one."""

    data_directory: Path = _setting(
        Path("data"), _required_path, "path", "Where everything is kept; one server at a time."
    )
    host: str = _setting(
        "127.0.0.1",
        _text,
        "name or address",
        "What the TCP socket listens on: an address, a name, `*` for all, empty for no TCP.",
    )
    port: int = _setting(
        5433,
        _integer(0, 65535),
        "port number",
        "TCP port, and the number in the Unix socket's name. 0 takes a free one.",
    )
    unix_socket_directory: Path | None = _setting(
        None,
        _path,
        "path",
        "Where the Unix socket `.s.PGSQL.PORT` is; by default the data directory. The "
        "operating-system user that runs the server is `root` there, without a password.",
    )

    tls: Literal["off", "on", "require"] = _setting(
        "off",
        _choice("off", "on", "require"),
        "choice",
        "`on` offers TLS over TCP, `require` refuses TCP connections without it.",
    )
    tls_certificate: Path | None = _setting(
        None, _path, "path", "Certificate chain, PEM; the server's own certificate first."
    )
    tls_key: Path | None = _setting(None, _path, "path", "Private key of the certificate, PEM.")
    tls_self_signed: bool = _setting(
        False,
        _boolean,
        "on or off",
        "Make a certificate in the data directory (`server.crt`, `server.key`) if none is given.",
    )

    max_connections: int = _setting(
        10_000, _integer(1, 1_000_000), "connections", "Connections in all; more get `53300`."
    )
    max_unauthenticated_connections: int = _setting(
        1_000,
        _integer(1, 1_000_000),
        "connections",
        "Connections over TCP that have not shown yet who they are. Where there is no room for another, the "
        "oldest of more than a second is ended.",
    )
    max_connections_per_address: int = _setting(
        0,
        _integer(0, 1_000_000),
        "connections",
        "Connections from one IP address; 0: nine tenths of `max_connections`.",
    )
    reserved_connections: int = _setting(
        10,
        _integer(0, 1_000_000),
        "connections",
        "Further connections than `max_connections`, for the Unix socket alone.",
    )
    max_connections_per_user: int = _setting(
        0, _integer(0, 1_000_000), "connections", "Connections of one role; 0: no limit."
    )
    authentication_timeout_s: float = _setting(
        60.0, _duration, "seconds", "From connecting to being authenticated, TLS included."
    )
    idle_session_timeout_s: float = _setting(
        0.0,
        _duration,
        "seconds",
        "End a session idle for that long outside a transaction; 0: never.",
    )
    idle_in_transaction_session_timeout_s: float = _setting(
        0.0, _duration, "seconds", "The same inside a transaction; 0: never."
    )
    statement_timeout_s: float = _setting(
        0.0, _duration, "seconds", "Cancel a statement that runs longer; 0: never."
    )
    lock_timeout_s: float = _setting(
        0.0,
        _duration,
        "seconds",
        "Give up waiting for a lock of a row, a table or a definition; 0: never.",
    )
    reader_patience_s: float = _setting(
        60.0,
        _duration,
        "seconds",
        "End a connection that reads nothing for that long while a result is sent to it.",
    )
    message_bytes_max: int = _setting(
        2**28, _size(2**16, 2**30), "bytes", "Largest message (a statement with its parameters)."
    )
    statement_cache_entries: int = _setting(
        4096, _integer(1, 1_000_000), "statements", "Parsed texts, and plans, that are kept."
    )

    synchronous_commit: bool = _setting(
        True,
        _boolean,
        "on or off",
        "What sessions begin with. `off`: COMMIT does not wait for the disk; a power loss may "
        "take the newest commits, never a part of one, definitions too but for DROPs of what has "
        "rows.",
    )
    write_buffer_bytes: int = _setting(
        2**24, _size(2**20, 2**32), "bytes", "LevelDB's memory table."
    )
    block_cache_bytes: int = _setting(2**27, _size(0, 2**40), "bytes", "LevelDB's block cache.")
    log_bytes_max: int = _setting(
        2**33,
        _size(0, 2**50),
        "bytes",
        "When the log is larger, the largest logs that nobody follows lose what is in segments before "
        "`CHANGE_RETENTION_HOURS` have passed; 0: never.",
    )
    stream_bytes_max: int = _setting(
        2**30,
        _size(0, 2**50),
        "bytes",
        "Memory of all STREAM tables. Beyond it the oldest rows of the largest tablet go, as those "
        "beyond MAX_BUFFER do; 0: no limit.",
    )
    memory_max: int = _setting(
        2**31,
        _size(0, 2**50),
        "bytes",
        "Memory of all sessions, and of newest rows as far as sessions leave some. What large commits and "
        "flushes take for a while counts too, up to half of it. Beyond it the user who holds most gives way: "
        "more is refused with `53200`, or, when another user needs it, that user's "
        "largest session is ended with `57P01`; 0: no limit.",
    )
    session_memory_max: int = _setting(
        2**30,
        _size(0, 2**50),
        "bytes",
        "Memory of one session: what it has sent, prepared statements, portals with parameters, changed "
        "rows, temporary tables, answers on their way. More is refused with `53200`; 0: no limit.",
    )
    temporary_bytes_max: int = _setting(
        2**30,
        _size(0, 2**50),
        "bytes",
        "Memory of the temporary tables of all sessions; what would take more is refused; 0: no limit.",
    )
    session_temporary_bytes_max: int = _setting(
        2**29,
        _size(0, 2**50),
        "bytes",
        "Memory of the temporary tables of one session, as `temporary_bytes_max`.",
    )
    retention_interval_s: float = _setting(
        60.0,
        _duration,
        "seconds",
        "How often logs are trimmed and files that nobody reads are removed; less often where one "
        "round takes long.",
    )
    tablets_max: int = _setting(
        10_000, _integer(1, 1_000_000), "tablets", "Tablets kept open when nobody uses them."
    )
    node_id: int = _setting(
        0, _integer(0, 1023), "number", "This server's part of snowflake ids and `_seq`."
    )

    workers: int = _setting(
        min(os.cpu_count() or 1, 4),
        _integer(1, 256),
        "processes",
        "Query workers that one user may have at a time; there is one more.",
    )
    worker_memory_bytes: int = _setting(
        2**31, _size(2**28, 2**42), "bytes", "A worker's memory; a query beyond it gets `53200`."
    )
    query_memory_bytes: int = _setting(
        2**28, _size(2**20, 2**40), "bytes", "What a query sorts and groups in before it spills."
    )

    timezone: str = _setting("UTC", _text, "zone name", "What sessions begin with.")
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info",
        _choice("debug", "info", "warning", "error"),
        "choice",
        "The least important log line that is written to standard error.",
    )

    @property
    def socket_directory(self) -> Path:
        """Where the Unix socket lies."""
        return self.unix_socket_directory or self.data_directory


def load(
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Config:
    """The settings of a server.

    Args:
        file: TOML, one key a setting; None looks at `KALAM_CONFIG`.
        environ: where `KALAM_*` is looked for; by default the process's.
        flags: by setting name; None values were not given.

    Raises:
        ConfigError: something is unknown or unusable; its message names it and where it was.
    """
    environ = os.environ if environ is None else environ
    if file is None and environ.get(_FILE_VARIABLE):
        file = Path(environ[_FILE_VARIABLE])
    values: dict[str, Any] = {}
    if file is not None:
        for name, value in _read(file).items():
            values[name] = _parsed(name, value, f"{file}: {name}")
    for variable, value in environ.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in _NO_SETTINGS:
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            values[name] = _parsed(name, value, variable)
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = _parsed(name, value, "--" + name.replace("_", "-"))
    return Config(**values)


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as exc:
        raise ConfigError(f"{file}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file}: {exc}") from exc


def _parsed(name: str, value: object, where: str) -> object:
    parse = _PARSERS.get(name)
    if parse is None:
        close = difflib.get_close_matches(name, _PARSERS, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ConfigError(f"{where}: there is no such setting{hint}")
    try:
        return parse(value)
    except (TypeError, ValueError) as exc:
        raise ConfigError(f"{where}: {exc}, got {value!r}") from exc


_PARSERS: Final[dict[str, _Parse]] = {item.name: item.metadata["parse"] for item in fields(Config)}
