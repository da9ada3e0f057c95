"""Assignment to a part of a column: `a[1] = x`, `a[1:2] = x`, `j['k'] = x`, `c.f = x`, and parts of parts.

The column becomes itself with another part: calls of `functions.elements` and `functions.records`.
"""

from collections.abc import Sequence

from sqlglot import exp

from catalog.errors import DatatypeMismatchError, UndefinedColumnError
from catalog.model import Column
from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.table import PgType
from kalam_pg.functions.elements import ARRAY_WITH, DOCUMENT_WITH, SLICE_WITH
from kalam_pg.functions.elements import OVERLOADS as ELEMENTS
from kalam_pg.functions.records import WITH_ATTRIBUTE
from kalam_pg.sql.bind_expr import bind_expr, unsupported
from kalam_pg.sql.bind_values import array_index, json_step
from kalam_pg.sql.coerce import coerce, with_typmod
from kalam_pg.sql.positions import position
from kalam_pg.sql.row_values import field
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import Call, Const, Expr, OutputColumn, Subscript

_INTEGERS = (types.INT2, types.INT4, types.INT8)
_HINT = "You will need to rewrite or cast the expression."

PARTS = frozenset((*ELEMENTS, WITH_ATTRIBUTE))
"""What a column is after an assignment to a part of it."""

Step = exp.Identifier | list[exp.Expr]
"""A field's name, or subscripts."""


def is_part(target: exp.Expr) -> bool:
    """Whether what is assigned to is a part of a column."""
    return type(target) in {exp.Bracket, exp.Dot}


def parts_of(target: exp.Expr) -> tuple[exp.Expr, list[Step]]:
    """The column that is assigned to, and the steps from it to the part."""
    steps: list[Step] = []
    while is_part(target):
        if type(target) is exp.Dot:
            steps.insert(0, target.args["expression"])
        elif steps and isinstance(steps[0], list):
            steps[0] = [*target.expressions, *steps[0]]
        else:
            steps.insert(0, list(target.expressions))
        target = target.args["this"]
    return target, steps


def with_part(level: Level, column: Column, now: Expr, target: exp.Expr, value: Expr) -> Expr:
    """What `now`, the column's value so far, becomes.

    Raises:
        DatatypeMismatchError: 42804, there is no such part, or the value does not fit it.
        UndefinedColumnError: 42703, a composite type has no such field.
    """
    written, steps = parts_of(target)
    place = _Place(level, column, value, position(written))
    return place.within(now, column.type, column.typmod, steps)


class _Place:
    """One assignment: to a column, of a value; `at` is where the column is written."""

    def __init__(self, level: Level, column: Column, value: Expr, at: int) -> None:
        self._level = level
        self._column = column
        self._value = value
        self._at = at

    def within(self, now: Expr, kind: PgType, typmod: int, steps: Sequence[Step]) -> Expr:
        """`now`, of that type, with another part where the steps lead."""
        step, rest = steps[0], steps[1:]
        if isinstance(step, exp.Identifier):
            return self._in_field(now, kind, step, rest)
        if kind is types.JSONB:
            return self._in_document(now, step, rest)
        element = kind.element
        if element is None or kind.is_vector:
            raise DatatypeMismatchError(
                f"cannot subscript type {kind.sql_name} because it does not support subscripting",
                position=self._at,
            )
        if element is types.VECTOR:
            raise unsupported(f"an element of {kind.sql_name}", at=self._at)
        if any(type(index) is exp.Slice for index in step):
            return self._in_slice(now, kind, typmod, step, rest)
        places = [array_index(self._level, index) for index in step]
        if rest:
            inner = Subscript(now, tuple(places), element, typmod, self._at)
            new = self.within(inner, element, typmod, rest)
        else:
            new = with_typmod(self._fitting(element), typmod, explicit=False)
        return Call(ARRAY_WITH, (now, new, *places), kind, typmod, self._at)

    def _in_slice(
        self, now: Expr, kind: PgType, typmod: int, step: list[exp.Expr], rest: Sequence[Step]
    ) -> Expr:
        if rest:
            raise unsupported("assignment to a part of a slice", step[-1])
        new = with_typmod(self._fitting(kind), typmod, explicit=False)
        bounds: list[Expr] = []
        for index in step:
            if type(index) is exp.Slice:
                edges = (index.args.get("this"), index.args.get("expression"))
            else:
                edges = (exp.Literal.number(1), index)  # Beside slices one is an upper bound.
            for edge in edges:
                given = Const(None, types.INT4) if edge is None else array_index(self._level, edge)
                bounds += [Const(int(edge is not None), types.INT4), given]
        return Call(SLICE_WITH, (now, new, *bounds), kind, typmod, self._at)

    def _in_document(self, now: Expr, step: list[exp.Expr], rest: Sequence[Step]) -> Expr:
        if rest:
            raise self._no_field(rest[0], types.JSONB)
        level = self._level
        by_number = bind_expr(level, step[0]).type in _INTEGERS
        path = [json_step(level, one) for one in step]
        numbered = Const(value=by_number, type=types.BOOL)
        new = self._fitting(types.JSONB)
        return Call(DOCUMENT_WITH, (now, new, numbered, *path), types.JSONB, -1, self._at)

    def _in_field(
        self, now: Expr, kind: PgType, name: exp.Identifier, rest: Sequence[Step]
    ) -> Expr:
        definition = composite_of(kind)
        if definition is None:
            raise self._no_field(name, kind)
        names = [a.name for a in definition.attributes]
        if name.name not in names:
            raise UndefinedColumnError(
                f'cannot assign to field "{name.name}" of column "{self._column.name}" because '
                f"there is no such column in data type {kind.sql_name}",
                position=self._at,
            )
        index = names.index(name.name)
        attribute = definition.attributes[index]
        if rest:
            there = OutputColumn(attribute.name, attribute.type, attribute.typmod)
            inner = field(now, index, there)
            new = self.within(inner, attribute.type, attribute.typmod, rest)
        else:
            new = self._fitting(attribute.type, subfield=name.name)
            new = with_typmod(new, attribute.typmod, explicit=False)
        return Call(WITH_ATTRIBUTE, (now, Const(index, types.INT4), new), kind, -1, self._at)

    def _no_field(self, step: Step, kind: PgType) -> DatatypeMismatchError:
        name = step.name if isinstance(step, exp.Identifier) else "[]"
        return DatatypeMismatchError(
            f'cannot assign to field "{name}" of column "{self._column.name}" because its type '
            f"{kind.sql_name} is not a composite type",
            position=self._at,
        )

    def _fitting(self, kind: PgType, subfield: str = "") -> Expr:
        cast = coerce(self._level.state, self._value, kind, "a")
        if cast is None:
            given = self._value.type.sql_name
            if subfield:
                text = f'subfield "{subfield}" is of type {kind.sql_name} but expression is of type'
            else:
                text = (
                    f'subscripted assignment to "{self._column.name}" requires type '
                    f"{kind.sql_name} but expression is of type"
                )
            raise DatatypeMismatchError(f"{text} {given}", hint=_HINT, position=self._at)
        return cast
