"""What every row of a table must satisfy, compiled once per table version.

Defaults, CHECKs and NOT NULLs become closures over a row (the table's columns in order), so that the
single-row INSERT, which is the hot path, runs a few Python calls and nothing else.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from catalog.errors import CheckViolationError, NotNullViolationError
from catalog.model import Table
from catalog.snapshot import Snapshot
from catalog.types.domain import DomainDefinition
from catalog.types.registry import BOOL
from catalog.types.table import Storable
from kalam_pg.functions.domains import refuse_null, refuse_value
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.foreign_keys import Compile, Reference, reference
from kalam_pg.query.index_definitions import IndexDefinition, definitions
from kalam_pg.query.unique import Closure, UniqueRule, compile_unique, slot_of
from kalam_pg.sql.bind import BindScope, bind_domain_check, bind_expression
from kalam_pg.sql.to_python import compile_expr
from storage.keys import key_maker
from storage.layout import Row, Value


@dataclass(frozen=True, slots=True)
class RowRules:
    """The rules of one table version.

    defaults: one closure per column, None where the default is NULL.
    checks: (constraint name, closure); a row passes unless the closure answers False.
    domains: of the columns that were declared with one.
    references, referenced: its FOREIGN KEYs, and those that refer to it.
    generated: what computes each generated column, over the row without it.
    indexes: those beside the primary key's, as queries use them.
    storable: (position, check) of columns that do not hold all values of their type (`PgType.storable`).
    key_of: a row's primary key, encoded.
    """

    table: Table
    key: tuple[int, ...]
    kinds: tuple[str, ...]
    defaults: tuple[Closure | None, ...]
    not_null: tuple[int, ...]
    checks: tuple[tuple[str, Closure], ...]
    storable: tuple[tuple[int, Storable], ...]
    unique: tuple[UniqueRule, ...] = ()
    domains: "tuple[DomainRules, ...]" = ()
    references: tuple[Reference, ...] = ()
    referenced: tuple[Reference, ...] = ()
    generated: tuple[tuple[int, Closure], ...] = ()
    indexes: tuple[IndexDefinition, ...] = ()
    key_of: Callable[[Row], bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key_of", key_maker(self.key, self.kinds))

    @property
    def needs_check(self) -> bool:
        """Whether a row without NULLs may break a rule."""
        return bool(self.checks or self.storable or self.domains)

    def check(self, row: Row, context: EvalContext) -> None:
        """Raise 23502 or 23514 unless the row satisfies the table; 0A000, where a CHECK takes long here."""
        for domain in self.domains:
            domain.check(row[domain.at], context)
        self.check_columns(row, context)
        for name, closure in self.checks:
            if closure(row, context) is False:
                raise self.violation(name, row, context)

    def check_columns(self, row: Row, context: EvalContext) -> None:
        """Raise 23502, or what a value raises that its column cannot hold."""
        for at in self.not_null:
            if row[at] is None:
                raise self._null(row, at, context)
        for at, check in self.storable:
            if row[at] is not None:
                check(row[at])

    def violation(self, name: str, row: Row, context: EvalContext) -> CheckViolationError:
        """23514, in PostgreSQL's words."""
        return CheckViolationError(
            f'new row for relation "{self.table.name}" violates check constraint "{name}"',
            detail=f"Failing row contains ({self.shown(row, context)}).",
            schema=self.table.namespace,
            table=self.table.name,
            constraint=name,
        )

    def shown(self, row: Row, context: EvalContext) -> str:
        """The row as PostgreSQL's details print it: 64 characters a column, hidden ones left out."""
        parts: list[str] = []
        for column, value in zip(self.table.columns, row, strict=True):
            if column.name == "_rowid" and self.table.hidden_key:
                continue
            text = "null" if value is None else column.type.output(value, context.types)
            parts.append(text if len(text) <= 64 else text[:61] + "...")
        return ", ".join(parts)

    def shown_key(self, row: Row, context: EvalContext) -> str:
        """`(a, b)=(1, 2)`, as a unique violation's detail names the key."""
        columns = [self.table.columns[at] for at in self.key]
        values = [
            "null"
            if row[at] is None
            else self.table.columns[at].type.output(row[at], context.types)
            for at in self.key
        ]
        return f"({', '.join(c.name for c in columns)})=({', '.join(values)})"

    def _null(self, row: Row, at: int, context: EvalContext) -> NotNullViolationError:
        column = self.table.columns[at]
        return NotNullViolationError(
            f'null value in column "{column.name}" of relation "{self.table.name}" '
            "violates not-null constraint",
            detail=f"Failing row contains ({self.shown(row, context)}).",
            schema=self.table.namespace,
            table=self.table.name,
            column=column.name,
        )


@dataclass(frozen=True, slots=True)
class DomainRules:
    """What a domain asks of the column at `at`. checks: closures over a row that is the value alone."""

    at: int
    definition: DomainDefinition
    checks: tuple[tuple[str, Closure], ...]

    def check(self, value: Value, context: EvalContext) -> None:
        """Raise 23502 or 23514 unless the value is one of the domain's."""
        self.check_null(value)
        for name, closure in self.checks:
            if closure((value,), context) is False:
                raise self.violation(name)

    def check_null(self, value: Value) -> None:
        """Raise 23502 for a NULL that is not allowed."""
        if value is None and self.definition.required:
            raise refuse_null(self.definition.namespace, self.definition.name)

    def violation(self, name: str) -> CheckViolationError:
        """23514, in PostgreSQL's words."""
        return refuse_value(self.definition.namespace, self.definition.name, name)


def compile_domain(at: int, definition: DomainDefinition, scope: BindScope) -> DomainRules:
    """Compile what a domain asks of a column."""
    checks = [
        (check.name, compile_expr(bind_domain_check(scope, definition, check.check), slot_of))
        for check in definition.rules
    ]
    return DomainRules(at, definition, tuple(checks))


def compile_rules(
    table: Table, scope: BindScope, snapshot: Snapshot, compile_: Compile
) -> RowRules:
    """Compile a table's defaults and constraints. `scope` binds the expressions' names.

    compile_: makes what runs a statement that a FOREIGN KEY needs.
    """
    defaults: list[Closure | None] = []
    domains: list[DomainRules] = []
    for column in table.columns:
        default = column.default
        if column.domain:
            domain = scope.snapshot.domain(column.domain)
            default = default or domain.default
            domains.append(compile_domain(len(defaults), domain, scope))
        if not default:
            defaults.append(None)
            continue
        bound = bind_expression(default, scope, None, column.type, column.typmod)
        defaults.append(compile_expr(bound, slot_of))
    checks = [
        (
            constraint.name,
            compile_expr(bind_expression(constraint.check, scope, table, BOOL), slot_of),
        )
        for constraint in table.constraints
        if constraint.kind == "c"
    ]
    layout = table.layout
    return RowRules(
        table,
        layout.key,
        tuple(layout.columns[at].kind for at in layout.key),
        tuple(defaults),
        tuple(at for at, column in enumerate(table.columns) if column.not_null),
        tuple(checks),
        tuple(_storable(table)),
        compile_unique(table, scope),
        tuple(domains),
        tuple(_references(table, snapshot, compile_)),
        tuple(
            reference(other, constraint, table, compile_)
            for other, constraint in snapshot.referring_to(table.id)
        ),
        tuple(_generated(table, scope)),
        definitions(table, scope),
    )


def _generated(table: Table, scope: BindScope) -> Iterator[tuple[int, Closure]]:
    what = "column generation expressions"
    for at, column in enumerate(table.columns):
        if column.generated:
            bound = bind_expression(
                column.generated, scope, table, column.type, column.typmod, what=what
            )
            yield at, compile_expr(bound, slot_of)


def _references(table: Table, snapshot: Snapshot, compile_: Compile) -> Iterator[Reference]:
    for constraint in table.constraints:
        if constraint.reference is not None:
            parent = snapshot.tables[constraint.reference.table]
            yield reference(table, constraint, parent, compile_)


def _storable(table: Table) -> Iterator[tuple[int, Storable]]:
    for at, column in enumerate(table.columns):
        check = column.type.storable(column.typmod)
        if check is not None:
            yield at, check


__all__ = ["Closure", "RowRules", "compile_rules", "slot_of"]
