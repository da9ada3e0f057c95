"""What asks the rules of a domain: the binder puts calls of these around what is cast to one.

Their names have spaces, so that nobody calls them by chance.
"""

from catalog.errors import CheckViolationError, NotNullViolationError
from catalog.types.registry import ANYELEMENT, BOOL, TEXT
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.table import Overload


def refuse_null(namespace: str, domain: str) -> NotNullViolationError:
    """23502 of a domain."""
    return NotNullViolationError(
        f"domain {domain} does not allow null values", schema=namespace, datatype=domain
    )


def refuse_value(namespace: str, domain: str, constraint: str) -> CheckViolationError:
    """23514 of a domain."""
    return CheckViolationError(
        f'value for domain {domain} violates check constraint "{constraint}"',
        schema=namespace,
        datatype=domain,
        constraint=constraint,
    )


def _not_null(value: Datum, namespace: str, domain: str) -> Datum:
    if value is None:
        raise refuse_null(namespace, domain)
    return value


def _checked(value: Datum, passes: bool | None, namespace: str, domain: str, name: str) -> Datum:
    if passes is False:
        raise refuse_value(namespace, domain, name)
    return value


OVERLOADS: tuple[Overload, ...] = (
    function("domain not null", (ANYELEMENT, TEXT, TEXT), ANYELEMENT, _not_null, strict=False),
    function(
        "domain check", (ANYELEMENT, BOOL, TEXT, TEXT, TEXT), ANYELEMENT, _checked, strict=False
    ),
)
