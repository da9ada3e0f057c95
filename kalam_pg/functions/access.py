"""What reads access control lists: acldefault, aclexplode; and lists of options, pg_options_to_table."""

from collections.abc import Iterator

from catalog.pg_catalog.access import exploded
from catalog.types.registry import BOOL, CHAR, OID, RECORD, TEXT, by_name
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
    returns_set(
        "pg_options_to_table", (_TEXTS,), RECORD, _options,
        out_names=("option_name", "option_value"), out_types=(TEXT, TEXT),
    ),
)  # fmt: skip
