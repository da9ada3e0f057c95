"""Time zones as functions name them: abbreviations first, then names and POSIX forms."""

from datetime import tzinfo

from catalog.errors import InvalidParameterValueError
from catalog.types.zones import find_abbreviation, find_zone


def zone_of(name: str) -> tzinfo:
    """The zone of a name; 22023 when there is none."""
    found = find_abbreviation(name.lower()) or find_zone(name)
    if found is None:
        raise InvalidParameterValueError(f'time zone "{name}" not recognized')
    return found[0]
