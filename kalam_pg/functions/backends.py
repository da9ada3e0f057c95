"""pg_terminate_backend and pg_cancel_backend: what one session does to another."""

from collections.abc import Callable

from catalog.errors import FeatureNotSupportedError
from catalog.types.registry import BOOL, INT4, INT8
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.services import service
from kalam_pg.functions.table import EvalContext, Overload, Volatility


def _asked(name: str) -> Callable[..., Datum]:
    def row(context: EvalContext, process: int, timeout_ms: int = 0) -> Datum:
        found = service(context, name)
        if timeout_ms:
            raise FeatureNotSupportedError(f"a timeout of {name} is not supported")
        return found(process)

    return row


_HOW = {"needs_context": True, "volatility": Volatility.VOLATILE, "server_only": True}

OVERLOADS: tuple[Overload, ...] = (
    function("pg_cancel_backend", (INT4,), BOOL, _asked("pg_cancel_backend"), **_HOW),
    function("pg_terminate_backend", (INT4,), BOOL, _asked("pg_terminate_backend"), **_HOW),
    function("pg_terminate_backend", (INT4, INT8), BOOL, _asked("pg_terminate_backend"), **_HOW),
)
