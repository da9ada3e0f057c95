"""What every PostgreSQL has: functions, operators, casts, aggregates and operator classes, as rows.

The files beside this module hold PostgreSQL 15's rows with PostgreSQL's OIDs (written by
`conformance.oracle.make_fixed_rows`). They are read when somebody first asks. A row that names a type that
does not exist here, or a function or operator that is left out for that reason, is left out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, cast

from catalog.pg_catalog import oids
from catalog.pg_catalog.relations import relation
from catalog.types import registry
from catalog.types.table import DEFAULT_CONTEXT, PgType
from storage.layout import Row, Value

NAMES: Final = (
    *(
        "pg_aggregate",
        "pg_amop",
        "pg_amproc",
        "pg_cast",
        "pg_opclass",
        "pg_operator",
        "pg_opfamily",
    ),
    "pg_proc",
)
"""The relations that are such, of pg_catalog."""

_SAME: Final[dict[str, dict[str, Value]]] = {
    "pg_opclass": {"opcnamespace": oids.PG_CATALOG, "opcowner": oids.ROOT},
    "pg_operator": {"oprnamespace": oids.PG_CATALOG, "oprowner": oids.ROOT},
    "pg_opfamily": {"opfnamespace": oids.PG_CATALOG, "opfowner": oids.ROOT},
    "pg_proc": {"pronamespace": oids.PG_CATALOG, "proowner": oids.ROOT},
}
"""What the files leave out because it is the same in all rows."""

_TYPES: Final = {
    "pg_amop": ("amoplefttype", "amoprighttype"),
    "pg_amproc": ("amproclefttype", "amprocrighttype"),
    "pg_cast": ("castsource", "casttarget"),
    "pg_opclass": ("opcintype",),
    "pg_operator": ("oprleft", "oprright", "oprresult"),
    "pg_proc": ("prorettype", "proargtypes", "proallargtypes"),
}
"""Columns whose types must exist for a row to be shown."""

_REFERENCES: Final = {
    "pg_aggregate": {"aggfnoid": "pg_proc"},
    "pg_amop": {"amopopr": "pg_operator", "amopfamily": "pg_opfamily"},
    "pg_amproc": {"amproc": "pg_proc", "amprocfamily": "pg_opfamily"},
    "pg_cast": {"castfunc": "pg_proc"},
    "pg_operator": {"oprcode": "pg_proc"},
}
"""Columns whose objects must be shown for a row to be shown; 0 is none."""


def fixed_rows(name: str) -> tuple[Row, ...]:
    """The rows of one of `NAMES`, in all columns of the relation, ordered by OID."""
    return _kept(name)[0]


@cache
def function_names() -> dict[int, str]:
    """Names of all of PostgreSQL's functions by OID, also of those whose types do not exist here."""
    found = {}
    for line in _lines("pg_proc")[1:-1]:
        oid, name, _ = line.split("\t", 2)
        found[int(oid)] = name
    return found


def column(name: str, of: str) -> int:
    """The position of column `of` in the rows of the relation `name`."""
    shape = relation("pg_catalog", name)
    assert shape is not None
    return next(i for i, c in enumerate(shape.columns) if c.name == of)


@cache
def _kept(name: str) -> tuple[tuple[Row, ...], frozenset[Value]]:
    """The rows, and the OIDs that others may refer to."""
    shape = relation("pg_catalog", name)
    assert shape is not None
    types = [column(name, of) for of in _TYPES.get(name, ())]
    references = [(column(name, of), to) for of, to in _REFERENCES.get(name, {}).items()]
    same = _SAME.get(name, {})
    rows = []
    for values in _read(name, {c.name: c.type for c in shape.columns}):
        row = shape.row({**same, **values})
        if all(_exist(row[at]) for at in types) and all(
            row[at] == 0 or row[at] in _kept(to)[1] for at, to in references
        ):
            rows.append(row)
    if name == "pg_opfamily":
        used = {row[column("pg_opclass", "opcfamily")] for row in fixed_rows("pg_opclass")}
        rows = [row for row in rows if row[0] in used]
    return tuple(rows), frozenset(row[0] for row in rows)


def _exist(types: Value) -> bool:
    """Whether a type, or each of several, exists here."""
    each = types if isinstance(types, tuple) else (types,)
    return all(not oid or registry.find_oid(cast("int", oid)) is not None for oid in each)


def _read(name: str, types: Mapping[str, PgType]) -> Iterator[dict[str, Value]]:
    lines = _lines(name)
    names = lines[0].split("\t")
    readers = [_reader(types[of]) for of in names]
    for line in lines[1:-1]:
        yield _values(names, readers, line.split("\t"))


def _lines(name: str) -> list[str]:
    """The first line names the columns, the last one is empty."""
    return (files(__package__) / "fixed" / f"{name}.tsv").read_text(encoding="utf-8").split("\n")


def _values(
    names: Sequence[str], readers: Sequence[Callable[[str], Value]], fields: Sequence[str]
) -> dict[str, Value]:
    return {
        name: read(field)
        for name, read, field in zip(names, readers, fields, strict=True)
        if field != r"\N"
    }


def _reader(of: PgType) -> Callable[[str], Value]:
    if of is registry.BOOL:
        return "t".__eq__
    if of is registry.OIDVECTOR:
        return lambda text: tuple([int(word) for word in text.split()])
    if of.element is not None:
        return lambda text: of.input(text.replace(r"\\", "\\"), -1, DEFAULT_CONTEXT)
    if of.key_kind == "int":
        return int
    if of.key_kind == "float":
        return float
    return lambda text: text.replace(r"\\", "\\")
