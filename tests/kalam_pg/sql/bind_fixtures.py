"""The tables that binder tests read, and what a binding looks like when it is compared."""

from collections.abc import Sequence

from catalog.indexes import constraint_index
from catalog.model import Column, Constraint, Relation, Table, TableKind, TableOptions, View
from catalog.types import registry as T  # noqa: N812
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from kalam_pg.sql.bind import BindScope, bind
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import QueryStatement
from kalam_pg.sql.tree import Bound, OutputColumn
from storage.errors import KalamError
from storage.layout import Layout


def make_table(
    number: int,
    name: str,
    columns: Sequence[Column],
    key: tuple[int, ...],
    unique: tuple[tuple[int, ...], ...] = (),
    *,
    hidden_key: bool = False,
) -> Table:
    constraints = [Constraint(1, f"{name}_pkey", "p", key)]
    for columns_of in unique:
        names = "_".join(c.name for c in columns if c.id in columns_of)
        constraints.append(Constraint(2, f"{name}_{names}_key", "u", columns_of))
    return Table(
        number, "public", name, TableKind.SHARED, tuple(columns), key, tuple(constraints),
        TableOptions(), Layout(1, (), tuple([at - 1 for at in key])), 1, hidden_key=hidden_key,
        indexes=tuple([
            constraint_index(made, tuple(columns), nulls_distinct=True)
            for made in constraints if made.kind == "u"
        ]),
    )  # fmt: skip


def _columns(*described: tuple[str, PgType | None, int]) -> list[Column]:
    found = []
    for number, (name, kind, typmod) in enumerate(described, 1):
        assert kind is not None
        found.append(Column(number, name, kind, typmod))
    return found


# As sql_oracle's setup.sql makes it.
T_TABLE = make_table(
    1,
    "t",
    _columns(
        ("id", T.INT4, -1), ("name", T.TEXT, -1), ("grp", T.TEXT, -1),
        ("amt", T.NUMERIC, T.numeric_typmod(12, 2)), ("val", T.FLOAT8, -1),
        ("ts", T.TIMESTAMP, -1), ("tstz", T.TIMESTAMPTZ, -1), ("d", T.DATE, -1),
        ("flag", T.BOOL, -1), ("tags", T.array_of(T.TEXT), -1), ("j", T.JSONB, -1),
        ("u", T.UUID, -1), ("b", T.BYTEA, -1),
    ),
    (1,),
)  # fmt: skip
G_TABLE = make_table(
    2,
    "g",
    [
        Column(1, "id", T.INT4, not_null=True, identity="a"),
        Column(2, "a", T.INT4),
        Column(3, "b", T.INT4, generated="a * 2"),
        Column(4, "v", T.VARCHAR, 5 + 4),
        Column(5, "c", T.BPCHAR, 3 + 4),
        Column(6, "n", T.NUMERIC, T.numeric_typmod(6, 2)),
        Column(7, "ts3", T.TIMESTAMP, 3),
    ],
    (1,),
)
U_TABLE = make_table(
    3, "u", _columns(("x", T.INT8, -1), ("y", T.TEXT, -1), ("id", T.INT4, -1)), (3,), ((1, 2),)
)
LOG_TABLE = make_table(
    4, "log", _columns(("_rowid", T.INT8, -1), ("line", T.TEXT, -1)), (1,), hidden_key=True
)
VIEW = View(
    9, "public", "vw", "SELECT id, name AS n, count(*) OVER () FROM t",
    (Column(1, "id", T.INT4), Column(2, "n", T.TEXT), Column(3, "count", T.INT8)), 1,
)  # fmt: skip
RELATIONS: dict[str, Relation] = {
    "t": T_TABLE, "g": G_TABLE, "u": U_TABLE, "log": LOG_TABLE, "vw": VIEW,
}  # fmt: skip


class FakeSnapshot:
    """Finds relations of schema public."""

    def find(self, schema: str, name: str, search_path: Sequence[str]) -> Relation | None:
        return RELATIONS.get(name) if (schema or search_path[0]) == "public" else None

    def functions_named(self, _schema: str, _name: str, _search_path: Sequence[str]) -> tuple[()]:
        return ()

    def has_schema(self, _name: str) -> bool:
        return True

    def type_by_oid(self, _oid: int) -> None:
        return None

    def find_type(self, _schema: str, _name: str, _search_path: Sequence[str]) -> None:
        """No types but PostgreSQL's."""

    def domain(self, oid: int) -> DomainDefinition:
        raise KeyError(oid)

    def find_sequence(self, _schema: str, _name: str, _search_path: Sequence[str]) -> None:
        return None


def virtual(schema: str, name: str) -> tuple[OutputColumn, ...] | None:
    if (schema, name) != ("pg_catalog", "pg_class"):
        return None
    return (OutputColumn("oid", T.OID), OutputColumn("relname", T.NAME))


def scope(*param_types: PgType | None) -> BindScope:
    return BindScope(FakeSnapshot(), ("public",), virtual, param_types)


def bound(sql: str, *param_types: PgType | None) -> Bound:
    (statement,) = parse(sql)
    assert isinstance(statement, QueryStatement)
    return bind(statement, scope(*param_types))


def refusal(sql: str) -> KalamError:
    """The error that a statement is answered with."""
    try:
        bound(sql)
    except KalamError as error:
        return error
    raise AssertionError(f"was bound: {sql}")
