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
    storage = {cls for cls in KalamError.__subclasses__() if cls.__module__ == "storage.errors"}
    # Some of storage's are raised here too, under the same name: these are one class.
    states = [cls.sqlstate for cls in storage | set(CLASSES)]
    assert len(states) == len(set(states))


def test_every_docstring_begins_with_the_condition_name():
    for cls in CLASSES:
        name, colon, rest = (cls.__doc__ or "").partition(": ")
        assert colon, cls
        assert rest, cls
        assert name == name.lower(), cls
        assert " " not in name, cls
        assert len(cls.sqlstate) == 5
