"""Types that no column has and no value is of: polymorphic arguments, void, trigger and internal."""

from catalog.types.common import no_input, no_receive
from catalog.types.table import PgType, TypeContext
from catalog.types.text import text_like
from storage.layout import Value


def _pseudo(name: str, oid: int, length: int = 4, array_oid: int = 0) -> PgType:
    return text_like(
        name,
        name,
        oid,
        array_oid,
        "P",
        length,
        read=no_input(name),
        receive=no_receive(name),
        key_kind="none",
        pseudo=True,
    )


def _read_void(_text: str, _typmod: int, _context: TypeContext) -> str:
    return ""  # PostgreSQL's void_in takes any text


def _receive_void(_data: bytes, _typmod: int) -> Value:
    return ""


VOID = text_like(
    "void", "void", 2278, 0, "P", 4, read=_read_void, receive=_receive_void, pseudo=True
)
TRIGGER = _pseudo("trigger", 2279)
INTERNAL = _pseudo("internal", 2281, 8)
LANGUAGE_HANDLER = _pseudo("language_handler", 2280)
EVENT_TRIGGER = _pseudo("event_trigger", 3838)
ANY = _pseudo("any", 2276)
ANYELEMENT = _pseudo("anyelement", 2283)
ANYARRAY = _pseudo("anyarray", 2277, -1)
ANYNONARRAY = _pseudo("anynonarray", 2776)
ANYENUM = _pseudo("anyenum", 3500)
ANYRANGE = _pseudo("anyrange", 3831, -1)
ANYCOMPATIBLE = _pseudo("anycompatible", 5077)
ANYCOMPATIBLEARRAY = _pseudo("anycompatiblearray", 5078, -1)
ANYCOMPATIBLENONARRAY = _pseudo("anycompatiblenonarray", 5079)
ANYMULTIRANGE = _pseudo("anymultirange", 4537, -1)
ANYCOMPATIBLERANGE = _pseudo("anycompatiblerange", 5080, -1)
ANYCOMPATIBLEMULTIRANGE = _pseudo("anycompatiblemultirange", 4538, -1)
