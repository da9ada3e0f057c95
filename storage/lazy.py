"""Attributes that are computed when they are first asked for, by whichever thread asks."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 -- as `property` and `functools.cached_property`
    """As `functools.cached_property`, but without its lock, which is one for all objects: while a thread
    computed, and read a file for that, the event loop would wait. Two threads may both compute it.
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
