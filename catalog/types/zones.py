"""Time zones: names, abbreviations and offsets, at any instant of PostgreSQL's range.

Offsets are seconds east of Greenwich. The tz database itself is `zoneinfo`'s, which knows the years
1 to 9999; later years repeat its 400-year cycle, earlier ones have the zone's first offset.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from io import BytesIO
from struct import Struct
from zoneinfo import ZoneInfo, available_timezones

from catalog.types.calendar import US_PER_SECOND, days_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # local wall-clock time, which has no zone
_CYCLE_S = 146097 * 86400  # 400 years
_FIRST_S = days_of(1, 1, 3) * 86400  # a margin of a day or two keeps local times in range
_LAST_S = days_of(9999, 12, 30) * 86400
_DAY_S = 86400
_SHORTEST_S = 28 * _DAY_S
"""No zone's clocks are called by one name for less."""
_POSIX = re.compile(
    r"(?P<name>[^\d,+-]*|<[^<>]+>)(?P<sign>[+-]?)(?P<h>\d{1,3})(?::(?P<m>\d\d))?(?::(?P<s>\d\d))?"
    r"(?P<summer>(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)(?:[+-]?\d{1,3}(?::\d\d){0,2})?(?P<rule>,.+)?)?",
    re.ASCII,
)
_USUAL_RULE = ",M3.2.0,M11.1.0"

# The abbreviations of PostgreSQL's timezonesets/Default: fixed offsets, and those whose offset
# depends on the date, by zone.
_FIXED = {
    -36000: "hst taht",
    -34200: "mart",
    -32400: "akst gamt",
    -28800: "akdt pst",
    -25200: "mst pdt",
    -21600: "cst galt mdt",
    -18000: "act cdt cot est pet",
    -14400: "amt ast bot edt",
    -12600: "nft nst",
    -10800: "adt bra brt clst gft pmst pyst uyt wgt",
    -9000: "ndt",
    -7200: "brst fnt pmdt uyst wgst",
    -3600: "azot egt fnst",
    0: "azost egst gmt uct ut utc wet z zulu",
    3600: "bst cet met mez wat wetdst",
    7200: "bdst cest cetdst eet ist mest mesz metdst sast",
    10800: "eat eest eetdst fet idt",
    12600: "irt",
    14400: "msd mut ret sct",
    16200: "aft",
    18000: "must mvt pkt tft tjt uzt",
    20700: "npt",
    21600: "almt bdt btt kgst pkst uzst xjt yekst",
    23400: "mmt",
    25200: "almst cxt ict wast",
    28800: "awst bnt bort cct hkt myt pht wadt",
    31500: "acwst",
    32400: "awsst jayt jst kst pwt ulast wdt",
    34200: "acst cast",
    36000: "aest chut ddut kdt ligt mpt pgt trut yapt",
    37800: "acdt acsst cadt lhst sadt",
    39600: "aedt aesst pont vut",
    43200: "fjt gilt mht nzst nzt tvt wakt wft",
    45900: "chast",
    46800: "fjst nzdt tot",
    49500: "chadt",
}
_NAMED = {
    "America/Argentina/Buenos_Aires": "arst art",
    "America/Asuncion": "pyt",
    "America/Caracas": "vet",
    "America/Guyana": "gyt",
    "America/Santiago": "clt",
    "Antarctica/Davis": "davt",
    "Antarctica/Mawson": "mawt",
    "Asia/Anadyr": "anast anat",
    "Asia/Ashgabat": "tmt",
    "Asia/Baku": "azst azt",
    "Asia/Bishkek": "kgt",
    "Asia/Colombo": "lkt",
    "Asia/Irkutsk": "irkst irkt",
    "Asia/Kamchatka": "petst pett",
    "Asia/Krasnoyarsk": "krast krat",
    "Asia/Magadan": "magst magt",
    "Asia/Novosibirsk": "novst novt",
    "Asia/Omsk": "omsst omst",
    "Asia/Singapore": "sgt",
    "Asia/Tbilisi": "gest get",
    "Asia/Ulaanbaatar": "ulat",
    "Asia/Vladivostok": "vlast vlat",
    "Asia/Yakutsk": "yakst yakt",
    "Asia/Yekaterinburg": "yekt",
    "Asia/Yerevan": "amst",
    "Atlantic/Stanley": "fkst fkt",
    "Australia/Lord_Howe": "lhdt",
    "Europe/Moscow": "msk",
    "Europe/Volgograd": "volt",
    "Indian/Chagos": "iot",
    "Pacific/Easter": "easst east",
    "Pacific/Fakaofo": "tkt",
    "Pacific/Kiritimati": "lint",
    "Pacific/Kosrae": "kost",
    "Pacific/Niue": "nut",
    "Pacific/Rarotonga": "ckt",
}


def utc_offset(zone: tzinfo, utc_us: int) -> int:
    """Return the zone's offset at an instant, microseconds since 1970 UTC."""
    if zone is UTC:
        return 0
    start, rest = divmod(utc_us, _QUANTUM_US)
    steady = _steady_offset(zone, start)
    if steady is not None:
        return steady
    return _offset_at(zone, (start * _QUANTUM_US + rest) // US_PER_SECOND)


def local_offset(zone: tzinfo, local_us: int) -> int:
    """Return the offset that a wall-clock time has in a zone.

    A time that a change of the clock skips is read with the offset before the change, one that
    comes twice with the later, standard one: the smaller offset in both cases.
    """
    if zone is UTC:
        return 0
    first = _wall_offset(zone, local_us // US_PER_SECOND, 0)
    return min(first, _wall_offset(zone, local_us // US_PER_SECOND, 1))


_QUANTUM_US = 900 * US_PER_SECOND


@lru_cache(maxsize=8192)
def _steady_offset(zone: tzinfo, quantum: int) -> int | None:
    # Rows of one result lie close together: a quarter of an hour without a change is one lookup.
    first = _offset_at(zone, quantum * 900)
    return first if first == _offset_at(zone, quantum * 900 + 899) else None


def _offset_at(zone: tzinfo, utc_s: int) -> int:
    if isinstance(zone, AbbreviatedZone):
        return zone.offset_at(utc_s)
    when = _EPOCH + timedelta(seconds=_in_range(utc_s))
    offset = when.astimezone(zone).utcoffset()
    assert offset is not None
    return offset.days * 86400 + offset.seconds


@lru_cache(maxsize=8192)
def _wall_offset(zone: tzinfo, local_s: int, fold: int) -> int:
    when = (_NAIVE_EPOCH + timedelta(seconds=_in_range(local_s))).replace(fold=fold)
    offset = zone.utcoffset(when)
    assert offset is not None
    return offset.days * 86400 + offset.seconds


def _in_range(seconds: int) -> int:
    if seconds < _FIRST_S:
        return _FIRST_S
    if seconds > _LAST_S:
        return seconds - -(-(seconds - _LAST_S) // _CYCLE_S) * _CYCLE_S
    return seconds


def is_fixed(zone: tzinfo) -> bool:
    """Return whether a zone has one offset at all times."""
    return zone is UTC or isinstance(zone, timezone)


def abbreviation_at(zone: tzinfo, utc_us: int) -> str | None:
    """Return what clocks there called their time at an instant (`CEST`), None if only a number did."""
    when = _EPOCH + timedelta(seconds=_in_range(utc_us // US_PER_SECOND))
    name = when.astimezone(zone).tzname()
    return name if name and name.isalpha() else None


def called_at(zone: tzinfo, utc_us: int) -> str:
    """Return what clocks there called their time at an instant, a number (`-03`) if there was no name."""
    name = abbreviation_at(zone, utc_us)
    if name is not None:
        return name
    seconds = utc_offset(zone, utc_us)
    minutes, rest = divmod(abs(seconds), 60)
    shown = f"{'-' if seconds < 0 else '+'}{minutes // 60:02}"
    if minutes % 60 or rest:
        shown += f":{minutes % 60:02}"
    return f"{shown}:{rest:02}" if rest else shown


def find_zone(name: str) -> tuple[tzinfo, str] | None:
    """Return the zone of an IANA name (any case) or POSIX form (`UTC+3`), and its canonical name."""
    folded = name.lower()
    if folded in {"utc", "gmt", "etc/utc", "z", "zulu"}:
        return UTC, {"z": "UTC", "zulu": "Zulu", "etc/utc": "Etc/UTC"}.get(folded, folded.upper())
    canonical = _names().get(folded)
    if canonical is not None:
        return _zone(canonical), canonical
    zone = _posix_zone(name)
    return None if zone is None else (zone, name)


@lru_cache(maxsize=256)
def _posix_zone(text: str) -> tzinfo | None:
    """The zone of a POSIX rule: `UTC+3`, `<+02>-2`, `EST5EDT,M3.2.0,M11.1.0`; west is positive."""
    match = _POSIX.fullmatch(text)
    if match is None:
        return None
    offset = int(match["h"]) * 3600 + int(match["m"] or 0) * 60 + int(match["s"] or 0)
    if offset >= _DAY_S:
        return None
    if match["summer"] is None:
        east = offset if match["sign"] == "-" else -offset
        name = match["name"].strip("<>")
        return timezone(timedelta(seconds=east), name) if name.isalpha() else fixed_zone(east)
    try:
        return RuleZone(text if match["rule"] else text + _USUAL_RULE)
    except ValueError:
        return None


class RuleZone(tzinfo):
    """A zone whose summer time follows a POSIX rule. It crosses to workers, which `ZoneInfo` of a
    rule does not.
    """

    def __init__(self, rule: str) -> None:
        self.rule = rule
        # zoneinfo reads rules at the end of its files alone: this is a file of nothing else.
        empty = b"TZif2" + bytes(15) + Struct(">6L").pack(0, 0, 0, 0, 1, 4) + bytes(6) + b"UTC\0"
        self._zone = ZoneInfo.from_file(BytesIO(empty * 2 + b"\n" + rule.encode() + b"\n"))

    def __reduce__(self) -> tuple[type["RuleZone"], tuple[str]]:
        return RuleZone, (self.rule,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleZone) and other.rule == self.rule

    def __hash__(self) -> int:
        return hash(self.rule)

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """As tzinfo says."""
        return self._zone.utcoffset(dt)

    def dst(self, dt: datetime | None) -> timedelta | None:
        """As tzinfo says."""
        return self._zone.dst(dt)

    def tzname(self, dt: datetime | None) -> str | None:
        """As tzinfo says."""
        return self._zone.tzname(dt)

    def fromutc(self, dt: datetime) -> datetime:
        """As tzinfo says."""
        local = self._zone.fromutc(dt.replace(tzinfo=self._zone))
        return local.replace(tzinfo=self)


class AbbreviatedZone(tzinfo):
    """What a zone's abbreviation means at each instant: the offset that was last called so there.

    Between the years in which Moscow's clocks kept `MSK` at +4, it is +3, in the summers of `MSD` too.
    """

    def __init__(self, name: str, called: str, since: tuple[tuple[float, int], ...]) -> None:
        """since: from which instants (seconds since 1970) on it means which offset (seconds)."""
        self._name, self._called, self._since = name, called, since

    def __reduce__(self) -> tuple[Callable[[str, str], tzinfo], tuple[str, str]]:
        return _abbreviated, (self._name, self._called)

    def offset_at(self, utc_s: float) -> int:
        """Return the offset, in seconds, at an instant."""
        place = bisect_right(self._since, (utc_s, _DAY_S)) - 1
        return self._since[max(place, 0)][1]

    def _at(self, utc_s: float) -> timedelta:
        return timedelta(seconds=self.offset_at(utc_s))

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """As tzinfo says. A local time is taken for the zone's own, to learn which years it is in."""
        if dt is None:
            return None
        naive = dt.replace(tzinfo=None, fold=0)
        local_us = (naive - _NAIVE_EPOCH) // timedelta(microseconds=1)
        there = local_offset(_zone(self._name), local_us)
        return self._at(local_us / US_PER_SECOND - there)

    def dst(self, dt: datetime | None) -> timedelta | None:
        """As tzinfo says: an abbreviation is one time, of which none is the summer's."""
        del dt
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        """As tzinfo says."""
        del dt
        return self._called

    def fromutc(self, dt: datetime) -> datetime:
        """As tzinfo says."""
        return dt + self._at((dt.replace(tzinfo=None) - _NAIVE_EPOCH).total_seconds())


@cache
def _abbreviated(name: str, called: str) -> tzinfo:
    """The zone's abbreviation; the zone itself where the tz database knows it by numbers alone."""
    zone = _zone(name)
    since: list[tuple[float, int]] = []
    first, last = (days_of(year, 1, 1) * _DAY_S for year in (1850, 2038))
    for begin in range(first, last, _SHORTEST_S):
        before, after = begin, begin + _SHORTEST_S
        if _called_at(zone, after) != called:
            continue
        offset = _offset_at(zone, after)
        if since and since[-1][1] == offset:
            continue
        while after - before > 1:
            middle = (before + after) // 2
            same = _called_at(zone, middle) == called and _offset_at(zone, middle) == offset
            before, after = (before, middle) if same else (middle, after)
        since.append((after, offset))
    return AbbreviatedZone(name, called, tuple(since)) if since else zone


def _called_at(zone: tzinfo, utc_s: int) -> str | None:
    return (_EPOCH + timedelta(seconds=utc_s)).astimezone(zone).tzname()


def find_abbreviation(word: str) -> tuple[tzinfo, bool] | None:
    """Return the zone of an abbreviation in lower case, and whether it is a fixed offset.

    One that is not fixed (`msk`) has the offset that its zone last called so by then.
    """
    offset = _offsets().get(word)
    if offset is not None:
        return fixed_zone(offset), True
    name = _places().get(word)
    return None if name is None else (_abbreviated(name, word.upper()), False)


@cache
def fixed_zone(offset_s: int) -> tzinfo:
    """Return the zone that is always `offset_s` seconds east."""
    return timezone(timedelta(seconds=offset_s)) if offset_s else UTC


@cache
def _names() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


@cache
def _zone(name: str) -> tzinfo:
    return ZoneInfo(name)


@cache
def _offsets() -> dict[str, int]:
    return {word: offset for offset, words in _FIXED.items() for word in words.split()}


@cache
def _places() -> dict[str, str]:
    return {word: name for name, words in _NAMED.items() for word in words.split()}
