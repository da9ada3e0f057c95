"""The names of arguments, for calls that use them: make_interval(days => 3).

`NAMES` has, by function, its arguments in order, `name=default` where one may be left out. A default is
SQL text: a number, a boolean or a string.
"""

from dataclasses import dataclass

_PATH = "target path vars='{}' silent=false"

_TEXT = {
    "jsonb_array_elements": "from_json",
    "jsonb_array_elements_text": "from_json",
    "json_array_elements": "from_json",
    "json_array_elements_text": "from_json",
    "jsonb_each": "from_json",
    "jsonb_each_text": "from_json",
    "json_each": "from_json",
    "json_each_text": "from_json",
    "jsonb_insert": "jsonb_in path replacement insert_after=false",
    "jsonb_set": "jsonb_in path replacement create_if_missing=true",
    "jsonb_set_lax": "jsonb_in path replacement create_if_missing=true "
    "null_value_treatment='use_json_null'",
    "json_populate_record": "base from_json use_json_as_text=false",
    "json_populate_recordset": "base from_json use_json_as_text=false",
    "jsonb_path_exists": _PATH,
    "jsonb_path_exists_tz": _PATH,
    "jsonb_path_match": _PATH,
    "jsonb_path_match_tz": _PATH,
    "jsonb_path_query": _PATH,
    "jsonb_path_query_tz": _PATH,
    "jsonb_path_query_array": _PATH,
    "jsonb_path_query_array_tz": _PATH,
    "jsonb_path_query_first": _PATH,
    "jsonb_path_query_first_tz": _PATH,
    "make_date": "year month day",
    "make_interval": "years=0 months=0 weeks=0 days=0 hours=0 mins=0 secs=0.0",
    "make_time": "hour min sec",
    "make_timestamp": "year month mday hour min sec",
    "make_timestamptz": "year month mday hour min sec timezone=''",
    "parse_ident": "str strict=true",
    "pg_terminate_backend": "pid timeout=0",
}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument's name, and its default as SQL text; None when it must be given."""

    name: str
    default: str | None


def argument_names(function: str) -> tuple[Argument, ...]:
    """The named arguments of a function; () for one whose arguments have no names."""
    found = []
    for word in _TEXT.get(function, "").split():
        name, equals, default = word.partition("=")
        found.append(Argument(name, default if equals else None))
    return tuple(found)
