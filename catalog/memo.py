"""Functions whose answers are kept: a bounded number of them, and none for long arguments."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def kept(entries: int, length_max: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """As `functools.lru_cache`, but an answer for a text longer than `length_max` is made anew.

    Users choose these texts: a bound on their number alone would be none on their bytes.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        cached = lru_cache(maxsize=entries)(function)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            for argument in args:
                if isinstance(argument, str) and len(argument) > length_max:
                    return function(*args, **kwargs)
            return cached(*args, **kwargs)  # type: ignore[arg-type]  # they are hashable

        return call

    return decorate
