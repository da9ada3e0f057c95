"""What hangs on what: pg_depend."""

from collections.abc import Iterator, Mapping

from catalog.calls import called_as, parts_calling
from catalog.functions import Function
from catalog.model import Constraint
from catalog.pg_catalog import extension, oids, user_types
from catalog.pg_catalog.classes import has_default
from catalog.pg_catalog.visible import Visible, columns
from catalog.uses import sequences_used
from storage.layout import Value

Values = Mapping[str, Value]

_CLASS, _ATTRDEF, _REWRITE, _PROC, _TYPE, _CONSTRAINT = 1259, 2604, 2618, 1255, 1247, 2606
"""OIDs of pg_class, pg_attrdef, pg_rewrite, pg_proc, pg_type and pg_constraint."""


def pg_depend(visible: Visible) -> Iterator[Values]:
    """What hangs on columns: sequences that they own, and defaults that name sequences; what views read."""
    yield from extension.members(visible)
    for dependent, on, kind in user_types.made_of(visible):
        yield _depends(*dependent, *on, kind)
    for view in visible.queries:
        rule = oids.table_oid(view.id)
        yield _depends(_REWRITE, rule, _CLASS, oids.table_oid(view.id), "i")
        for read in view.reads:
            yield _depends(_REWRITE, rule, *_object(visible, read), "n")
    for s in visible.sequences.values():
        if s.owned_by is not None:
            kind = "i" if s.internal else "a"
            yield _depends(_CLASS, s.id, _CLASS, oids.table_oid(s.owned_by[0]), kind, s.owned_by[1])
    for table in visible.tables:
        for column in columns(table):
            if not has_default(column):
                continue
            default = oids.default_oid(table.id, column.id)
            yield _depends(_ATTRDEF, default, _CLASS, oids.table_oid(table.id), "a", column.id)
            for used in sequences_used(column.default):
                yield _depends(_ATTRDEF, default, _CLASS, used, "n")
    for relation in visible.relations if visible.functions else ():
        of_rows = oids.row_type_oid(relation.id)
        yield _depends(_TYPE, of_rows, _CLASS, oids.table_oid(relation.id), "i")
    for function in visible.functions.values():
        yield from _of_function(visible, function)
    yield from _of_calls(visible)


def _object(visible: Visible, oid: int) -> tuple[int, int]:
    """(catalogue, OID) of what is kept as an id."""
    if oid in visible.functions:
        return _PROC, oid
    return (_TYPE, oid) if oid in visible.types_by_oid else (_CLASS, oids.table_oid(oid))


def _of_function(visible: Visible, function: Function) -> Iterator[Values]:
    """The types that it is declared with, and what a standard body names."""
    for used in dict.fromkeys(function.types):
        if used in visible.types_by_oid:
            yield _depends(_PROC, function.id, _TYPE, used, "n")
    for used in function.reads:
        yield _depends(_PROC, function.id, *_object(visible, used), "n")


def _of_calls(visible: Visible) -> Iterator[Values]:
    """What calls functions: defaults and checks of tables."""
    called = [called_as(function) for function in visible.functions.values()]
    for table in visible.tables if called else ():
        for function, part in parts_calling(table, called):
            if isinstance(part, Constraint):
                oid = oids.constraint_oid(table.id, part.id)
                yield _depends(_CONSTRAINT, oid, _PROC, function.id, "n")
            else:
                default = oids.default_oid(table.id, part.id)
                yield _depends(_ATTRDEF, default, _PROC, function.id, "n")


def _depends(catalog: int, oid: int, on: int, on_oid: int, kind: str, column: int = 0) -> Values:
    return {
        "classid": catalog,
        "objid": oid,
        "objsubid": 0,
        "refclassid": on,
        "refobjid": on_oid,
        "refobjsubid": column,
        "deptype": kind,
    }
