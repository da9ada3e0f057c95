"""docs/reference/errors.md, from the error classes of all three packages."""

import importlib
import pkgutil
from collections.abc import Iterator

from storage.errors import KalamError

_PACKAGES = ("storage", "catalog", "kalam_pg")

_INTRODUCTION = """\
# Errors

Every error reaches the client with PostgreSQL's SQLSTATE, and in PostgreSQL's words where
PostgreSQL has words for it. In the code each SQLSTATE is one class. Drivers match on the SQLSTATE;
detail, hint, position and the names of table, column and constraint come along where they apply.
An error that is no fault of the client's is `XX000` with a reference that is also in the server's
log; the log has what happened, the message has not. This page is generated from the classes.

| SQLSTATE | condition | class | when |
|---|---|---|---|
"""


def reference() -> str:
    """The page."""
    rows = [_row(cls) for cls in sorted(error_classes(), key=lambda cls: cls.sqlstate)]
    return _INTRODUCTION + "\n".join(rows) + "\n"


def error_classes() -> list[type[KalamError]]:
    """Every class of the packages that has a SQLSTATE of its own."""
    for name in _PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return [cls for cls in _subclasses(KalamError) if _is_ours(cls)]


def condition(cls: type[KalamError]) -> str:
    """The condition's name: what the class's docstring begins with."""
    return (cls.__doc__ or "").partition(":")[0]


def _is_ours(cls: type[KalamError]) -> bool:
    return "sqlstate" in vars(cls) and cls.__module__.partition(".")[0] in _PACKAGES


def _subclasses(cls: type[KalamError]) -> Iterator[type[KalamError]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _row(cls: type[KalamError]) -> str:
    first = (cls.__doc__ or "").partition("\n\n")[0]
    sentence = " ".join(first.partition(":")[2].split())
    return f"| `{cls.sqlstate}` | {condition(cls)} | `{cls.__name__}` | {sentence} |"
