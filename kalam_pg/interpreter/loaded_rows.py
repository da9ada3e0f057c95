"""Rows of a table made of what is sent for them, by columns, in the process that makes segments of them.

What a statement has one value for was computed before; what the server alone can give each row (a number
of a sequence, an id) comes with them. What is left is computed here, over columns that are rows for that.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pyarrow as pa

from kalam_pg.functions.arrow_udf import evaluation_context
from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter.shipping import packed_expressions, unpacked_expressions
from kalam_pg.rows.copy_columns import Field, RefusedError
from kalam_pg.sql.to_python import Closure, compile_expr
from kalam_pg.sql.tree import ColumnRef, Expr
from storage.arrow import DELETED, SEQ, schema_of, to_values
from storage.errors import KalamError
from storage.layout import Layout, Value


class Sent(NamedTuple):
    """A column whose values are sent. at: its place among these."""

    at: int


class Same(NamedTuple):
    """A column that has one value in all rows, perhaps NULL."""

    value: Value


class Given(NamedTuple):
    """A column for which the server gives each row a value. at: its place among these."""

    at: int


Source = Sent | Same | Given

SAME_NULL: Final = Same(None)


class Computed(NamedTuple):
    """What is computed of what is sent before rows are made of it, and stands behind it then.

    places: of the columns that are sent, in the row that expressions are over. where: which are taken.
    values, fields: the expressions, and what they give.
    """

    places: tuple[int, ...]
    where: bytes
    values: bytes
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class RowsRecipe:
    """How rows of a table come of what is sent. It travels to another process.

    fields, sources: of each column of the table. not_null: places of those that no NULL may be in.
    where: what rows must satisfy to be among them; generated: (place, expression), over the row
    without it; checks: what all of them satisfy, over the row; domains: the same, over a value alone.
    context: what expressions may know (`query.engine_context`). whole: where a NULL leaves a row out.
    computed: what comes first.
    """

    layout: Layout
    fields: tuple[Field, ...]
    sources: tuple[Source, ...]
    not_null: tuple[int, ...]
    where: bytes = b""
    generated: tuple[tuple[int, bytes], ...] = ()
    checks: bytes = b""
    domains: tuple[tuple[int, bytes], ...] = ()
    context: Mapping[str, object] = field(default_factory=dict)
    whole: tuple[int, ...] = ()
    computed: Computed | None = None


def packed(trees: Sequence[Expr]) -> bytes:
    """Expressions as a recipe has them; b"" is none. Raises 0A000: the server alone can answer them."""
    return packed_expressions(trees) if trees else b""


class RowMaker:
    """Makes record batches of a tablet. seq: of all rows. given: what the server gives, row by row."""

    def __init__(self, recipe: RowsRecipe, seq: int, given: Sequence[pa.Array] = ()) -> None:
        self._recipe = recipe
        self._seq = seq
        self._given = given
        self._done = 0
        self._context = evaluation_context(recipe.context)
        self._where = _compiled(recipe.where)
        self._generated = [(at, _compiled(tree)[0]) for at, tree in recipe.generated]
        self._checks = _compiled(recipe.checks)
        self._domains = [(at, _compiled(trees)) for at, trees in recipe.domains]
        self._first = None if recipe.computed is None else _First(recipe.computed, self._context)

    def batches(self, sent: Iterator[list[pa.Array]]) -> Iterator[pa.RecordBatch]:
        """The rows of what is sent. Raises RefusedError: one of them is none of the table's."""
        for columns in sent:
            try:
                batch = self._batch(columns if self._first is None else self._first.of(columns))
            except (KalamError, pa.ArrowException) as exc:
                raise RefusedError(str(exc)) from exc
            if batch.num_rows:
                yield batch

    def _batch(self, sent: Sequence[pa.Array]) -> pa.RecordBatch:
        recipe, count = self._recipe, len(sent[0])
        columns = [
            self._column(source, of, sent, count)
            for source, of in zip(recipe.sources, recipe.fields, strict=True)
        ]
        self._done += count
        for at in recipe.whole:
            if columns[at].null_count:
                mask = columns[at].is_valid()
                columns = [column.filter(mask) for column in columns]
        if self._where or self._generated or self._checks:
            columns = self._ruled(columns)
        for at, closures in self._domains:
            self._pass(closures, zip(to_values(columns[at]), strict=True))
        if any(columns[at].null_count for at in recipe.not_null):
            raise RefusedError("a NULL")
        count = len(columns[0])
        columns.append(pa.repeat(pa.scalar(self._seq, pa.int64()), count))
        columns.append(pa.repeat(pa.scalar(False, pa.bool_()), count))
        schema = schema_of(recipe.layout)
        assert schema.names[-2:] == [SEQ, DELETED]
        return pa.record_batch(columns, schema=schema)

    def _column(self, source: Source, of: Field, sent: Sequence[pa.Array], count: int) -> pa.Array:
        match source:
            case Sent(at):
                return sent[at]
            case Same(None):
                return pa.nulls(count, of.arrow)
            case Same(value):
                return of.stored([value]).take(pa.repeat(pa.scalar(0), count))
            case Given(at):
                own = self._given[at].slice(self._done, count)
                if len(own) < count:
                    raise RefusedError("more rows than were counted")
                return own

    def _ruled(self, columns: list[pa.Array]) -> list[pa.Array]:
        """The columns of those rows that are to be, with what is generated. Raises as `_pass`, KalamError."""
        context, fields = self._context, self._recipe.fields
        values = [to_values(column) for column in columns]
        if self._where:
            (where,) = self._where
            mask = [where(row, context) is True for row in zip(*values, strict=True)]
            if not all(mask):
                chosen = pa.array(mask, pa.bool_())
                columns = [column.filter(chosen) for column in columns]
                values = [to_values(column) for column in columns]
        made = {
            at: [closure(row, context) for row in zip(*values, strict=True)]
            for at, closure in self._generated
        }
        for at, found in made.items():
            values[at] = found
            columns[at] = fields[at].stored(found)
        self._pass(self._checks, zip(*values, strict=True))
        return columns

    def _pass(self, closures: Sequence[Closure], rows: Iterator[tuple[Value, ...]]) -> None:
        """Raise RefusedError unless each answers something else than False for each row."""
        if not closures:
            return
        for row in rows:
            for closure in closures:
                if closure(row, self._context) is False:
                    raise RefusedError("a row that breaks a rule")


class _First:
    """Chooses rows of what is sent, and computes what stands behind it."""

    def __init__(self, computed: Computed, context: EvalContext) -> None:
        at = {place: number for number, place in enumerate(computed.places)}
        self._fields = computed.fields
        self._context = context
        self._where = _compiled(computed.where, lambda reference: at[reference.column])
        self._values = _compiled(computed.values, lambda reference: at[reference.column])

    def of(self, sent: list[pa.Array]) -> list[pa.Array]:
        """The columns, and those that are computed. Raises KalamError, RefusedError."""
        context, rows = self._context, list(zip(*map(to_values, sent), strict=True))
        for where in self._where:
            mask = [where(row, context) is True for row in rows]
            chosen = pa.array(mask, pa.bool_())
            sent = [column.filter(chosen) for column in sent]
            rows = [row for row, taken in zip(rows, mask, strict=True) if taken]
        made = [
            field.stored([value(row, context) for row in rows])
            for field, value in zip(self._fields, self._values, strict=True)
        ]
        return [*sent, *made]


def _compiled(trees: bytes, slot: Callable[[ColumnRef], int] | None = None) -> list[Closure]:
    if not trees:
        return []
    return [compile_expr(tree, slot or _slot) for tree in unpacked_expressions(trees)]


def _slot(reference: ColumnRef) -> int:
    return reference.column
