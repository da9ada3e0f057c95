"""SQL-level errors are told apart by SQLSTATE."""

import inspect

import catalog.errors
from storage.errors import KalamError

CLASSES = [
    cls
    for _, cls in inspect.getmembers(catalog.errors, inspect.isclass)
    if issubclass(cls, KalamError) and cls.__module__ == catalog.errors.__name__
]


def test_no_two_classes_share_a_sqlstate():
    storage = {cls.sqlstate for cls in KalamError.__subclasses__() if "storage" in cls.__module__}
    states = [cls.sqlstate for cls in CLASSES]
    assert len(states) == len(set(states))
    assert not storage & set(states)


def test_every_docstring_begins_with_the_condition_name():
    for cls in CLASSES:
        name, colon, rest = (cls.__doc__ or "").partition(": ")
        assert colon, cls
        assert rest, cls
        assert name == name.lower(), cls
        assert " " not in name, cls
        assert len(cls.sqlstate) == 5
