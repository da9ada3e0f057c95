"""The options of a subscription, from SUBSCRIBE's OPTIONS (…) or from the name of a channel."""

import re
from collections.abc import Callable, Collection
from typing import Any, Final

from catalog.errors import InvalidParameterValueError, SqlSyntaxError
from kalam_pg.sql.statements_live import SubscribeOptions

BATCH_ROWS_MAX: Final = 100_000

_SEQ_MAX = (1 << 63) - 1
_TOKEN = re.compile(r"(\d{1,19})(?:\.(\d{1,10}))?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|sec|seconds?|min|minutes?|m|h|hours?)?")
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_PROGRESS_MS = (100, 86_400_000)
_TRUE = frozenset(("true", "on", "yes", "1"))
_FALSE = frozenset(("false", "off", "no", "0"))


def position(text: str) -> tuple[int, int | None]:
    """(seq, n) of a token as clients have it; of a bare seq n is None: after that whole transaction.

    Raises ValueError.
    """
    found = _TOKEN.fullmatch(text)
    if found is None or int(found[1]) > _SEQ_MAX:
        raise ValueError(text)
    return int(found[1]), None if found[2] is None else int(found[2])


def _token(text: str) -> str:
    position(text)
    return text


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered in _TRUE or lowered in _FALSE:
        return lowered in _TRUE
    raise ValueError(text)


def _count(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return read


def duration_ms(text: str, low: int, high: int) -> int:
    """A time as people write it: 5s, 500 ms, 2 min; without a unit it is of seconds. Raises ValueError."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(text)
    unit = found[2] or "s"
    ms = round(float(found[1]) * _UNITS_MS["ms" if unit == "ms" else unit[0]])
    if not low <= ms <= high:
        raise ValueError(text)
    return ms


def _bigint(text: str) -> str:
    if text.lower() not in ("string", "number"):
        raise ValueError(text)
    return text.lower()


def _name(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError(text)
    return text


_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "last_rows": ("last_rows", _count(0, _SEQ_MAX)),
    "from_seq": ("from_seq", _token),
    "snapshot": ("snapshot", _boolean),
    "channel": ("channel", _name),
    "stream": ("stream", _boolean),
    "progress": ("progress_ms", lambda text: duration_ms(text, *_PROGRESS_MS)),
    "batch_size": ("batch_size", _count(1, BATCH_ROWS_MAX)),
    "bigint": ("bigint", _bigint),
    "old": ("old", _boolean),
    "flush": ("flush", _boolean),
}
NAMES = tuple(_OPTIONS)


class OptionReader:
    """Takes options one after the other, then gives them all.

    statement: whose they are. names: those that it has.
    """

    def __init__(self, statement: str = "SUBSCRIBE", names: Collection[str] = NAMES) -> None:
        self._statement = statement
        self._names = names
        self._found: dict[str, Any] = {}

    def add(self, name: str, value: str, position: int = 0) -> None:
        """One option; position: where it is named, for errors. Raises 42601, 22023."""
        if name not in self._names:
            raise SqlSyntaxError(
                f'unrecognized {self._statement} option "{name}"', position=position
            )
        field, read = _OPTIONS[name]
        if field in self._found:
            raise SqlSyntaxError("conflicting or redundant options", position=position)
        try:
            self._found[field] = read(value)
        except ValueError:
            raise InvalidParameterValueError(
                f'invalid value for {self._statement} option "{name}": "{value}"',
                position=position,
            ) from None

    def options(self, *, snapshot: bool = True) -> SubscribeOptions:
        """All of them. snapshot: whether there is one where none is spoken of.

        Raises 42601 for those that contradict each other.
        """
        found, of = self._found, f"{self._statement} option"
        for one, other in (("from_seq", "last_rows"), ("stream", "channel")):
            if found.get(one) and other in found:
                raise SqlSyntaxError(f"{of}s {one} and {other} cannot be used together")
        if found.get("from_seq") and found.get("snapshot"):
            raise SqlSyntaxError(f"{of}s from_seq and snapshot cannot be used together")
        if found.get("snapshot") is False and "last_rows" in found:
            raise SqlSyntaxError(f"{of} last_rows needs a snapshot")
        return SubscribeOptions(**{"snapshot": snapshot or "last_rows" in found, **found})
