"""TimeZone in every form that SET takes: names, hours east, POSIX rules, intervals."""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache

from catalog.errors import InvalidParameterValueError
from catalog.types.zones import find_zone
from kalam_pg.sessions.setting import invalid

_HOURS_BELOW = 24
"""An offset is less than a day, which is what Python's time zones can be."""


@lru_cache(maxsize=256)
def timezone_of(name: str) -> tuple[str, tzinfo]:
    """A time zone by name, POSIX rule, or by hours east of UTC as SET TIME ZONE takes them.

    Raises:
        InvalidParameterValueError: 22023.
    """
    text = name.strip().strip("'")
    try:
        hours = float(text)
    except ValueError:
        pass
    else:
        return _of_hours(hours, name)
    found = None if text.lower() == "z" else find_zone(text)
    if found is None:
        raise invalid("TimeZone", name)
    zone, canonical = found
    return canonical, zone


def _of_hours(hours: float, name: str) -> tuple[str, tzinfo]:
    if hours != hours:  # noqa: PLR0124 -- NaN alone is not itself
        raise invalid("TimeZone", name)
    if not abs(hours) < _HOURS_BELOW:
        raise invalid("TimeZone", name, detail="UTC timezone offset is out of range.")
    seconds = round(abs(hours) * 3600)
    shown = f"{seconds // 3600:02d}"
    if seconds % 3600:
        shown += f":{seconds % 3600 // 60:02d}"
    if seconds % 60:
        shown += f":{seconds % 60:02d}"
    # In POSIX form, where the second sign is the other one: west is positive.
    whole = f"<{'-' if hours < 0 else '+'}{shown}>{'+' if hours < 0 else '-'}{shown}"
    return whole, timezone(
        timedelta(seconds=-seconds if hours < 0 else seconds)
    ) if seconds else UTC


def check_timezone(value: str) -> str:
    """The name under which a time zone is shown."""
    return timezone_of(value)[0]


_STYLES = {"ISO": "ISO", "SQL": "SQL", "GERMAN": "German"}
_ORDERS = {
    **dict.fromkeys(("MDY", "US", "NONEURO", "NONEUROPEAN"), "MDY"),
    **dict.fromkeys(("DMY", "EURO", "EUROPEAN"), "DMY"),
    "YMD": "YMD",
}
_WORD = re.compile(r'\s*"?([A-Za-z0-9_]+)"?\s*')


def datestyle(value: str, now: str, default: str) -> str:
    """DateStyle in its canonical form: what was not said stays as it is `now`.

    Raises:
        InvalidParameterValueError: 22023, an unknown word, or two that contradict each other.
    """
    style, _, order = now.partition(", ")
    said_style = said_order = ""
    for raw in value.split(",") if value.strip() else ():
        match = _WORD.fullmatch(raw)
        word = match[1].upper() if match else ""
        new_style = _STYLES.get(word, "Postgres" if word.startswith("POSTGRES") else "")
        new_order = _ORDERS.get(word, "")
        if new_style == "German" and not said_order:
            order = "DMY"
        if word == "DEFAULT":
            default_style, _, default_order = default.partition(", ")
            style, order = said_style or default_style, said_order or default_order
        elif not new_style and not new_order:
            raise invalid(
                "DateStyle", value, detail=f'Unrecognized key word: "{raw.strip().lower()}".'
            )
        if (new_style and said_style not in ("", new_style)) or (
            new_order and said_order not in ("", new_order)
        ):
            raise InvalidParameterValueError(
                f'invalid value for parameter "DateStyle": "{value}"',
                detail='Conflicting "datestyle" specifications.',
            )
        said_style, said_order = new_style or said_style, new_order or said_order
    return f"{said_style or style}, {said_order or order}"
