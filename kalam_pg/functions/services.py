"""What functions ask of the session that calls them: it has put its services into their context."""

from collections.abc import Callable
from typing import Any

from catalog.errors import FeatureNotSupportedError
from kalam_pg.functions.define import Datum
from kalam_pg.functions.table import EvalContext


def service(context: EvalContext, name: str, called: str = "") -> Callable[..., Any]:
    """A session's service. called: the function that asks, where its name is another.

    Raises:
        FeatureNotSupportedError: There is no session here: in a worker, say, or a kept expression.
    """
    found = context.services.get(name)
    if found is None:
        raise FeatureNotSupportedError(f"{called or name} cannot be used here")
    return found


def asked(name: str) -> Callable[..., Datum]:
    """A function that the service of its name answers."""

    def row(context: EvalContext, *arguments: object) -> Datum:
        return service(context, name)(*arguments)

    return row
