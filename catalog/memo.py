"""Answers that are kept: a bounded number of a function's, none for long arguments; and an object's own."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Generic, ParamSpec, Self, TypeVar, overload

P = ParamSpec("P")
T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 -- as `property` and `functools.cached_property`
    """As `functools.cached_property`, but without its lock, which is one for all objects: while a thread
    computed, the event loop would wait. Two threads may both compute it.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function = function
        self._name = function.__name__
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        found: T = self._function(instance)
        return instance.__dict__.setdefault(self._name, found)  # type: ignore[no-any-return]


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
