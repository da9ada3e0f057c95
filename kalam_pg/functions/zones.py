"""Time zones as functions name them: abbreviations first, then names and POSIX forms."""

import re
from datetime import tzinfo

from catalog.errors import InvalidParameterValueError
from catalog.types.datetime_numbers import numeric_zone
from catalog.types.zones import find_abbreviation, find_zone, fixed_zone

# A bare offset is POSIX's, where west is positive.
_OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d\d))?")


def stated_zone(text: str) -> tzinfo:
    """The zone that a constructor of timestamps is given: an offset where east is positive, or a name.

    Raises InvalidParameterValueError: 22023, there is none.
    """
    if text[:1].isdigit():
        raise InvalidParameterValueError(
            f'invalid input syntax for type numeric time zone: "{text}"',
            hint='Numeric time zones must have "-" or "+" as first character.',
        )
    offset = numeric_zone(text)
    return zone_of(text) if offset is None else fixed_zone(offset)


def zone_of(name: str) -> tzinfo:
    """The zone of a name; 22023 when there is none."""
    found = find_abbreviation(name.lower()) or find_zone(name)
    if found is not None:
        return found[0]
    match = _OFFSET.fullmatch(name)
    if match is None or int(match[2]) > 15:
        raise InvalidParameterValueError(f'time zone "{name}" not recognized')
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60
    return fixed_zone(seconds if match[1] == "-" else -seconds)
