"""A session's settings: what SET, SHOW and RESET see, with PostgreSQL's names, units and errors.

SET is transactional as in PostgreSQL: ROLLBACK takes back what the transaction set, SET LOCAL ends with
the transaction either way.
"""

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping

from catalog.errors import (
    CantChangeRuntimeParamError,
    ConfigurationLimitExceededError,
    InsufficientPrivilegeError,
    InvalidNameError,
    UndefinedObjectError,
)
from catalog.types.table import TypeContext
from kalam_pg.functions.encodings import ENCODINGS, UTF8
from kalam_pg.sessions.setting import Setting, canonical, display
from kalam_pg.sessions.settings_table import SETTINGS
from kalam_pg.sessions.time_zones import datestyle, timezone_of
from storage.layout import Row

SET_CHARS_MAX = 4 << 20
"""Of names and values together, those that ROLLBACK would bring back included."""


_ONLY = {
    "sighup": "changed now",
    "postmaster": "changed without restarting the server",
    "backend": "set after connection start",
}
_CATEGORY = "Client Connection Defaults"
_DERIVED = frozenset(
    (
        "search_path", "timezone", "datestyle", "intervalstyle", "extra_float_digits",
        "bytea_output", "client_encoding",
    )
)  # fmt: skip


_OF_TRANSACTION = {
    name: f"default_{name}"
    for name in ("transaction_isolation", "transaction_read_only", "transaction_deferrable")
}
"""What an open block has a value of; outside of one it is that of the next transaction."""


def _reset_with_all(setting: Setting) -> bool:
    settable = setting.context in ("user", "superuser") and not setting.internal
    return settable and not setting.name.startswith("transaction_")


_DEFAULTS = {name: setting.default for name, setting in SETTINGS.items()}


_NAME = re.compile(r"[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*")
"""A part of the name of a setting of one's own."""


class _Values(dict[str, str]):
    """A session's values: what it has set, over its defaults. 341 strings each would be 7 kB."""

    def __init__(self, defaults: Mapping[str, str]) -> None:
        """defaults: where they are others than everybody's."""
        super().__init__()
        self._defaults = defaults

    def __missing__(self, name: str) -> str:
        if name in _OF_TRANSACTION:
            return self[_OF_TRANSACTION[name]]
        found = self._defaults.get(name)
        return _DEFAULTS[name] if found is None else found

    def get(self, name: str) -> str | None:  # type: ignore[override]  # one form of it is used
        if name in _OF_TRANSACTION:
            return self[name]
        return self[name] if name in self else self._defaults.get(name, _DEFAULTS.get(name))

    def __iter__(self) -> Iterator[str]:
        return iter({**_DEFAULTS, **self._defaults, **dict(self.items())})


class Settings:
    """One session's settings, with the undo that transactions need."""

    def __init__(self, defaults: dict[str, str] | None = None) -> None:
        own = dict(defaults or {})
        self._defaults = ChainMap(own, _DEFAULTS)
        self._values = _Values(own)
        self._undo: list[tuple[str, str | None, bool]] = []
        self._set_chars = 0
        """Of all that was set since it was last counted."""
        self.changed: set[str] = set()
        """Names of reported settings whose value moved since the session last told the client."""
        self.version = 0
        """Counts changes, so that what was derived from the settings can be kept until they move."""
        self.search_path: tuple[str, ...] = ("public",)
        self.types = TypeContext()
        self.encoding = UTF8
        """The client's; UTF8 also where nothing is to be converted."""
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

    def set(
        self, name: str, value: str | None, *, local: bool = False, trusted: bool = False
    ) -> None:
        """SET [LOCAL] name TO value (None: DEFAULT). Raises 42704, 22023, 55P02, 0A000.

        trusted: who decided it may set what is for superusers.
        """
        key = name.lower()
        new = self.checked(name, value, trusted=trusted)
        self._check_room(key, new)
        self._undo.append((key, self._values.get(key), local))
        self._put(key, new)

    def checked(self, name: str, value: str | None, *, trusted: bool = False) -> str:
        """The value that SET would give a setting. Raises as `set`."""
        key = name.lower()
        setting = SETTINGS.get(key)
        if setting is None:
            if "." not in key:
                raise UndefinedObjectError(f'unrecognized configuration parameter "{name}"')
            if not all(map(_NAME.fullmatch, name.split("."))):
                raise InvalidNameError(
                    f'invalid configuration parameter name "{name}"',
                    detail="Custom parameter names must be two or more simple identifiers separated "
                    "by dots.",
                )
            return "" if value is None else value
        self._check_settable(setting, trusted=trusted)
        if value is None:
            return self._defaults[key]
        if key == "datestyle":
            return datestyle(value, self._values[key], self._defaults[key])
        return canonical(setting, value, name)

    def _check_settable(self, setting: Setting, *, trusted: bool) -> None:
        """Raise 55P02, 42501 when this session cannot set it."""
        if setting.internal:
            raise CantChangeRuntimeParamError(f'parameter "{setting.name}" cannot be changed')
        when = _ONLY.get(setting.context)
        if when is not None:
            raise CantChangeRuntimeParamError(f'parameter "{setting.name}" cannot be {when}')
        if trusted:
            return
        if setting.context == "superuser" and self._values["is_superuser"] != "on":
            raise InsufficientPrivilegeError(f'permission denied to set parameter "{setting.name}"')

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
        """Set an internal setting (is_superuser, session_authorization), no undo."""
        self._put(name, value)

    def begin_block(self, isolation: str, *, read_only: bool, deferrable: bool) -> None:
        """What a transaction block is, from here on. Nothing that is kept depends on it."""
        self._values["transaction_isolation"] = isolation
        self._values["transaction_read_only"] = "on" if read_only else "off"
        self._values["transaction_deferrable"] = "on" if deferrable else "off"

    def end_block(self) -> None:
        """No transaction block is open: what is shown of one is that of the next."""
        for name in _OF_TRANSACTION:
            self._values.pop(name, None)

    def start_with(self, name: str, value: str, *, trusted: bool = False) -> None:
        """A startup packet's option, or what was set for its role: becomes the session's default, to which
        RESET returns. trusted: see `set`.
        """
        self.set(name, value, trusted=trusted)
        self._undo.clear()
        if name.lower() in _OF_TRANSACTION:
            self.end_block()  # Each transaction has its own.
            return
        self._defaults[name.lower()] = self._values[name.lower()]

    def reset_all(self) -> None:
        """RESET ALL."""
        for name in list(self._values):
            setting = SETTINGS.get(name)
            changed = self._values[name] != self._defaults.get(name)
            if changed and (setting is None or _reset_with_all(setting)):
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

    def described(self) -> Iterator[Row]:
        """The rows of pg_settings."""
        for name in sorted(self._values):
            setting = SETTINGS.get(name) or Setting(name, "", category="Customized Options")
            value, reset = self._values[name], self._defaults.get(name, "")
            number = setting.kind in ("integer", "real")
            yield (
                setting.name, value, setting.unit or None, setting.category or _CATEGORY,
                setting.description or None, None,
                "internal" if setting.internal else setting.context, setting.kind,
                "session" if value != reset else "default",
                f"{setting.low:.15g}" if number else None,
                f"{setting.high:.15g}" if number else None,
                setting.values or None, setting.default, reset, None, None, False,
            )  # fmt: skip

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
        if key in _DERIVED:
            self._derive()

    def _derive(self) -> None:
        values = self._values
        name, zone = timezone_of(values["timezone"])
        self.types = TypeContext(
            timezone=zone,
            timezone_name=name,
            date_style=values["datestyle"].partition(",")[0],
            date_order=values["datestyle"].rpartition(" ")[2],
            interval_style=values["intervalstyle"],
            extra_float_digits=int(values["extra_float_digits"]),
            bytea_output=values["bytea_output"],
        )
        self.search_path = tuple(split_names(values["search_path"]))
        encoding = ENCODINGS[values["client_encoding"]]
        self.encoding = UTF8 if encoding.is_plain else encoding


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
