"""pg_advisory_lock and its kin: the session takes and gives back the locks (`sessions.advisory`).

Those that may have to wait do so in a SELECT without FROM; elsewhere they are refused when they would.
"""

from collections.abc import Callable, Iterator

from catalog.errors import FeatureNotSupportedError
from catalog.types.registry import BOOL, INT4, INT8, VOID
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.services import service
from kalam_pg.functions.table import EvalContext, Overload, Volatility

_HOW = {"needs_context": True, "volatility": Volatility.VOLATILE, "server_only": True}


def _asked(asks: str, name: str, *more: bool) -> Callable[..., Datum]:
    def row(context: EvalContext, *key: int) -> Datum:
        return service(context, asks, name)(key, *more)

    return row


def _waiting(name: str, *more: bool) -> Callable[..., Datum]:
    take = _asked("advisory_lock", name, *more)

    def row(context: EvalContext, *key: int) -> Datum:
        wanted = take(context, *key)
        if wanted is None:
            return ""
        wait = context.services.get("wait")
        if wait is None:
            raise FeatureNotSupportedError(
                f"{name} cannot wait but in a query without tables", hint="Use the try form."
            )
        wait(wanted)
        return ""

    return row


def _overloads() -> Iterator[Overload]:
    for of, of_transaction in (("", False), ("xact_", True)):
        for suffix, shared in (("", False), ("_shared", True)):
            how = (shared, of_transaction)
            lock = f"pg_advisory_{of}lock{suffix}"
            attempt = f"pg_try_advisory_{of}lock{suffix}"
            for key in ((INT8,), (INT4, INT4)):
                yield function(lock, key, VOID, _waiting(lock, *how), **_HOW)
                yield function(
                    attempt, key, BOOL, _asked("advisory_try_lock", attempt, *how), **_HOW
                )
    for suffix, shared in (("", False), ("_shared", True)):
        unlock = f"pg_advisory_unlock{suffix}"
        for key in ((INT8,), (INT4, INT4)):
            yield function(unlock, key, BOOL, _asked("advisory_unlock", unlock, shared), **_HOW)


OVERLOADS: tuple[Overload, ...] = tuple(_overloads())
