"""What spreads out the lists of PostgreSQL's catalogue: of access (acldefault, aclexplode), of options
(pg_options_to_table), and of a key's columns (information_schema._pg_expandarray).
"""

from collections.abc import Iterator

from catalog.pg_catalog.access import exploded
from catalog.types.registry import (
    BOOL,
    CHAR,
    INT2VECTOR,
    INT4,
    OID,
    OIDVECTOR,
    RECORD,
    TEXT,
    by_name,
)
from catalog.types.table import PgType
from kalam_pg.functions.define import Datum, returns_set, stable
from kalam_pg.functions.services import asked, service
from kalam_pg.functions.table import EvalContext, Overload, Volatility

_PUBLIC = 0
"""The OID that stands for everybody."""


def _explode(context: EvalContext, acl: tuple[str, ...]) -> Iterator[tuple[Datum, ...]]:
    oid_of = service(context, "to_regrole")
    for item in acl:
        for grantor, grantee, privilege, grantable in exploded(item):
            whom = oid_of(f'"{grantee}"') if grantee else _PUBLIC
            yield oid_of(f'"{grantor}"'), whom, privilege, grantable


def _options(options: tuple[str, ...]) -> Iterator[tuple[Datum, ...]]:
    for option in options:
        name, equals, value = option.partition("=")
        yield name, value if equals else None


def _expanded(array: tuple[Datum, ...]) -> Iterator[tuple[Datum, ...]]:
    for number, item in enumerate(array, 1):
        yield item, number


def _expanding(array: PgType) -> Overload:
    assert array.element is not None
    return returns_set(
        "_pg_expandarray", (array,), RECORD, _expanded,
        out_names=("x", "n"), out_types=(array.element, INT4),
    )  # fmt: skip


_ACL = by_name("_aclitem")
_TEXTS = by_name("_text")
assert _ACL is not None
assert _TEXTS is not None

OVERLOADS: tuple[Overload, ...] = (
    stable("acldefault", (CHAR, OID), _ACL, asked("acldefault"), server_only=True),
    returns_set(
        "aclexplode", (_ACL,), RECORD, _explode,
        out_names=("grantor", "grantee", "privilege_type", "is_grantable"),
        out_types=(OID, OID, TEXT, BOOL),
        needs_context=True, volatility=Volatility.STABLE, server_only=True,
    ),
    *[_expanding(array) for array in (INT2VECTOR, OIDVECTOR, _TEXTS)],
    returns_set(
        "pg_options_to_table", (_TEXTS,), RECORD, _options,
        out_names=("option_name", "option_value"), out_types=(TEXT, TEXT),
    ),
)  # fmt: skip
