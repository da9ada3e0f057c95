"""One setting: its kind, unit and bounds, how a value is read and how SHOW prints it (guc.c)."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from catalog.errors import FeatureNotSupportedError, InvalidParameterValueError

_BOOLS = {"on": "on", "off": "off", "1": "on", "0": "off"}
_WORDS = (("true", "on"), ("yes", "on"), ("false", "off"), ("no", "off"))
_INT_MIN, _INT_MAX = -(1 << 31), (1 << 31) - 1

# What a unit is worth in the smallest one of its kind, largest first.
_MEMORY = (("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1))
_TIME = (
    ("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000),
    ("ms", 1000), ("us", 1),
)  # fmt: skip
_BASES = {
    **{name: (size, _MEMORY) for name, size in _MEMORY},
    "8kB": (8 << 10, _MEMORY),
    **{name: (size, _TIME) for name, size in _TIME},
}
_MEMORY_HINT = 'Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".'
_TIME_HINT = 'Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".'
_NUMBER = re.compile(
    r"\s*([+-]?(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?))\s*(\S*)\s*",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    kind: bool | enum | integer | real | string. unit: "", a unit of time or of memory, or 8kB.
    values: of an enum. report: whether a change is told to the client (ParameterStatus).
    fixed: only the default may be set. internal: never set. context: pg_settings.context.
    check: returns the canonical value or raises. category: pg_settings.category.
    """

    name: str
    default: str
    kind: str = "string"
    unit: str = ""
    values: tuple[str, ...] = ()
    low: float = _INT_MIN
    high: float = _INT_MAX
    report: bool = False
    fixed: bool = False
    internal: bool = False
    context: str = "user"
    check: Callable[[str], str] | None = None
    description: str = ""
    category: str = ""


def invalid(name: str, value: str, hint: str = "", detail: str = "") -> InvalidParameterValueError:
    """22023 of a value that a setting cannot have."""
    return InvalidParameterValueError(
        f'invalid value for parameter "{name}": "{value}"', hint=hint, detail=detail
    )


def canonical(setting: Setting, value: str, written: str = "") -> str:
    """The value as it is kept and shown. Raises 22023, 0A000 in PostgreSQL's words.

    written: the setting's name as it was written, which errors repeat.
    """
    result = _of_kind(replace(setting, name=written) if written else setting, value)
    if setting.check is not None:
        result = setting.check(result)
    if setting.fixed and result != setting.default:
        raise FeatureNotSupportedError(
            f'parameter "{setting.name}" can only be "{setting.default}" here'
        )
    return result


def _of_kind(setting: Setting, value: str) -> str:
    match setting.kind:
        case "bool":
            return _boolean(setting, value)
        case "enum":
            result = value.strip().lower()
            if setting.name == "synchronous_commit" and _is_boolean(result):
                result = _boolean(setting, result)
            if result not in setting.values:
                hint = f"Available values: {', '.join(setting.values)}."
                raise invalid(setting.name, value, hint)
            return result
        case "integer" | "real":
            return _number(setting, value)
        case _:
            return value


def _is_boolean(word: str) -> bool:
    return word in _BOOLS or any(full.startswith(word) for full, _ in _WORDS if word)


def _boolean(setting: Setting, value: str) -> str:
    """Any unambiguous beginning of a word counts (parse_bool)."""
    word = value.strip().lower()
    if word in _BOOLS:
        return _BOOLS[word]
    if word == "of":
        return "off"
    for full, meaning in _WORDS:
        if word and full.startswith(word):
            return meaning
    raise InvalidParameterValueError(f'parameter "{setting.name}" requires a Boolean value')


def _number(setting: Setting, value: str) -> str:
    match = _NUMBER.fullmatch(value)
    base = _BASES.get(setting.unit)
    hint = "" if base is None else _MEMORY_HINT if base[1] is _MEMORY else _TIME_HINT
    if match is None:
        raise invalid(setting.name, value)
    digits, unit = match.groups()
    number = float(int(digits, 16)) if "x" in digits.lower() else float(digits)
    if unit:
        worth = dict(base[1]).get(unit) if base is not None else None
        if base is None or worth is None:
            raise invalid(setting.name, value, hint)
        number = number * worth / base[0]
        if setting.kind == "integer" and worth < base[0] and number != round(number):
            number = float(round(number))
    if not math.isfinite(number):
        raise invalid(setting.name, value)
    if setting.kind == "integer":
        number = round(number)
        if not _INT_MIN <= number <= _INT_MAX:
            raise invalid(setting.name, value, "Value exceeds integer range.")
    if not setting.low <= number <= setting.high:
        after = f" {setting.unit}" if setting.unit else ""
        low, high = (
            f"{bound:g}" if setting.kind == "real" else str(int(bound))
            for bound in (setting.low, setting.high)
        )
        raise InvalidParameterValueError(
            f"{_plain(setting, number)}{after} is outside the valid range for parameter "
            f'"{setting.name}" ({low} .. {high})'
        )
    return _plain(setting, number)


def _plain(setting: Setting, number: float) -> str:
    return f"{number:g}" if setting.kind == "real" else str(int(number))


def display(setting: Setting, value: str) -> str:
    """As SHOW prints it: in the largest unit that has no fraction."""
    base = _BASES.get(setting.unit)
    if base is None or setting.kind not in ("integer", "real"):
        return value
    number = float(value)
    if number <= 0:
        return value
    total = number * base[0]
    for unit, worth in base[1]:
        if total % worth == 0:
            return (
                f"{total / worth:g}{unit}"
                if setting.kind == "real"
                else f"{int(total // worth)}{unit}"
            )
    return value + setting.unit
