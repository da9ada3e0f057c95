"""Run statements over the oracle's table `t` as the engine would, without a server.

A statement is parsed, bound, translated and run by DataFusion in this process. Answers come as rows of
text-format values, as `shared sql_oracle` and psql show them.
"""

from typing import Any

import pyarrow as pa

from catalog.model import Column, Namespace, Table, TableKind, TableOptions
from catalog.snapshot import Snapshot
from catalog.types import registry as types
from catalog.types.table import DEFAULT_CONTEXT
from kalam_pg.engines.context import Sessions
from kalam_pg.engines.execution import Execution
from kalam_pg.engines.inputs import Input
from kalam_pg.engines.request import EngineSettings
from kalam_pg.engines.segments import VerifiedSegments
from kalam_pg.functions.table import EvalContext
from kalam_pg.rows import arrow_to_values
from kalam_pg.sql.bind import BindScope, bind
from kalam_pg.sql.parse import parse
from kalam_pg.sql.to_datafusion import Emitted, emit
from kalam_pg.sql.tree import Bound
from storage import layout
from storage.arrow import to_batch

COLUMNS = (
    ("id", "int4", -1), ("name", "text", -1), ("grp", "text", -1),
    ("amt", "numeric", ((12 << 16) | 2) + 4), ("val", "float8", -1), ("ts", "timestamp", -1),
    ("tstz", "timestamptz", -1), ("d", "date", -1), ("flag", "bool", -1), ("tags", "_text", -1),
    ("j", "jsonb", -1), ("u", "uuid", -1), ("b", "bytea", -1),
)  # fmt: skip
ROWS = (
    (1, "Alice", "a", "10.50", "1.5", "2024-01-15 10:00", "2024-01-15 10:00+00", "2024-01-15",
     "true", "{x,y}", '{"k":"v1","n":1}', "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\\x0102"),
    (2, "Bob", "b", "20.25", "2.5", "2024-02-15 11:30:15.123456", "2024-02-15 11:30+00",
     "2024-02-15", "false", "{}", '{"k":"v2","n":2}', "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
     "\\xdead"),
    (3, "Carol", "a", "30.00", "3.5", "2024-01-20 12:00", "2024-01-20 12:00+00", "2024-01-20",
     "true", "{x}", '{"k":"v1"}', None, None),
    (4, None, "b", *[None] * 10),
    (5, "Eve", None, "0.01", "-1", "2023-12-31 23:59:59", "2023-12-31 23:59:59+00", "2023-12-31",
     "false", "{NULL,z}", '{"n":5}', "c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\\x"),
)  # fmt: skip


def make_table(name: str, columns: tuple[tuple[str, str, int], ...], table_id: int = 100) -> Table:
    """A SHARED table whose first column is its key."""
    made = tuple(
        Column(i, n, types.by_name(t), m)
        for i, (n, t, m) in enumerate(columns, 1)  # type: ignore[arg-type]
    )
    stored = layout.Layout(
        1,
        tuple(layout.Column(c.id, c.name, c.type.key_kind, c.type.arrow(c.typmod)) for c in made),
        (0,),
    )
    return Table(
        table_id, "public", name, TableKind.SHARED, made, (1,), (), TableOptions(), stored, 1
    )


def read_rows(table: Table, rows: tuple[tuple[Any, ...], ...]) -> list[tuple[Any, ...]]:
    """Text values as stored ones."""
    return [
        tuple(
            None if v is None else c.type.input(str(v), c.typmod, DEFAULT_CONTEXT)
            for c, v in zip(table.columns, row, strict=True)
        )
        for row in rows
    ]


class Database:
    """Some tables and how to ask about them."""

    def __init__(self, *tables: tuple[Table, list[tuple[Any, ...]]]) -> None:
        self.snapshot = Snapshot(
            1, {"public": Namespace(1, "public")}, {t.id: t for t, _ in tables}, {}
        )
        self.batches = {
            table.id: to_batch(rows, table.layout, [1] * len(rows), [False] * len(rows))
            for table, rows in tables
        }
        self.verified = VerifiedSegments()

    def bind(self, sql: str) -> Bound:
        (statement,) = parse(sql)
        scope = BindScope(self.snapshot, ("public",), lambda _s, _n: None, (), DEFAULT_CONTEXT)
        return bind(statement, scope)  # type: ignore[arg-type]

    def emit(self, sql: str, context: EvalContext | None = None) -> tuple[Bound, Emitted]:
        bound = self.bind(sql)
        return bound, emit(bound.statement, context or make_context())  # type: ignore[arg-type]

    def values(self, sql: str, context: EvalContext | None = None) -> tuple[Bound, list[Any]]:
        """Stored values."""
        context = context or make_context()
        bound, emitted = self.emit(sql, context)
        inputs = tuple(self._input(need) for need in emitted.scans)
        for name, batch in emitted.given:
            rows_given = Input(
                name, batch.schema, (batch,), (), (), (), None, False, {}, prefix=f"{name}_"
            )
            inputs += (rows_given,)
        surroundings = {"now_us": context.now_us, "user": context.user, "types": context.types}
        run = Execution(
            emitted.sql, inputs, emitted.udfs, None, surroundings, Sessions(EngineSettings(1)), self.verified,
            steps=emitted.steps,
        )  # fmt: skip
        _, *batches = list(run.chunks())
        rows: list[Any] = []
        for batch in batches:
            assert isinstance(batch, pa.RecordBatch)
            columns = [
                arrow_to_values(batch.column(i), c.type) for i, c in enumerate(bound.columns)
            ]
            rows += zip(*columns, strict=True) if columns else [()] * batch.num_rows
        return bound, rows

    def query(self, sql: str, context: EvalContext | None = None) -> list[tuple[str | None, ...]]:
        """Text values, as PostgreSQL's clients see them."""
        bound, rows = self.values(sql, context)
        return [
            tuple(
                None if v is None else c.type.output(v, DEFAULT_CONTEXT)
                for v, c in zip(row, bound.columns, strict=True)
            )
            for row in rows
        ]

    def _input(self, need: Any) -> Input:
        batch = self.batches[need.scan.table.id]
        schema = pa.schema([batch.schema.field(name) for name in need.columns])
        return Input(
            need.name, schema, (batch,), (), ("c1",), ("int",), None, False, {}, prefix=f"{need.name}_",
        )  # fmt: skip


def make_context() -> EvalContext:
    """The surroundings of a test's statements."""
    now = 1_710_000_000_000_000
    services = {"has_table_privilege": lambda *_: True}  # A session's.
    return EvalContext(
        now_us=now, statement_us=now, user="root", session_user="root", services=services
    )


def oracle_database() -> Database:
    """`setup.sql`'s table."""
    table = make_table("t", COLUMNS)
    return Database((table, read_rows(table, ROWS)))
