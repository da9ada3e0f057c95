"""nextval() and its kin: the session answers them (`sessions.sequences`)."""

from collections.abc import Callable

from catalog.errors import FeatureNotSupportedError
from catalog.types.registry import BOOL, INT8, REGCLASS
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.table import EvalContext, Overload, Volatility

NEXTVAL = "nextval"


def _asked(name: str) -> Callable[..., Datum]:
    def row(context: EvalContext, *arguments: object) -> Datum:
        found = context.services.get(name)
        if found is None:
            raise FeatureNotSupportedError(f"{name} cannot be used here")
        return found(*arguments)

    return row


_HOW = {"needs_context": True, "server_only": True}
_VOLATILE = {**_HOW, "volatility": Volatility.VOLATILE}

OVERLOADS: tuple[Overload, ...] = (
    function(NEXTVAL, (REGCLASS,), INT8, _asked(NEXTVAL), **_VOLATILE),
    function("currval", (REGCLASS,), INT8, _asked("currval"), **_VOLATILE),
    function("lastval", (), INT8, _asked("lastval"), **_VOLATILE),
    function("setval", (REGCLASS, INT8), INT8, _asked("setval"), **_VOLATILE),
    function("setval", (REGCLASS, INT8, BOOL), INT8, _asked("setval"), **_VOLATILE),
    function(
        "pg_sequence_last_value", (REGCLASS,), INT8, _asked("pg_sequence_last_value"), **_VOLATILE
    ),
)
"""What asks a sequence for numbers, or after one."""
