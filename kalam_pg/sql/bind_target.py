"""What a data change is for: a table, or a view that it is written through."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from catalog.errors import (
    FeatureNotSupportedError,
    GeneratedAlwaysError,
    ObjectNotInPrerequisiteStateError,
    SqlSyntaxError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.model import Column, Table, View
from catalog.row_types import row_type
from catalog.snapshot import Snapshot
from catalog.types.registry import BOOL
from kalam_pg.sql.bind_expr import consumed
from kalam_pg.sql.bind_from import BIND_VIEW, alias_of, scan_table
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import (
    Binding,
    BindScope,
    Item,
    Level,
    find_relation,
    names_of,
    table_columns,
)
from kalam_pg.sql.tree import (
    Assignment,
    BoolKind,
    BoolOp,
    ColumnRef,
    Const,
    Expr,
    OutputColumn,
    Query,
    Select,
    SubqueryScan,
    Target,
    ViewCheck,
)
from kalam_pg.sql.updatable import NO_COLUMNS, Refused, base_of, places_of
from kalam_pg.sql.walk import substituted
from storage.errors import KalamError

Place = int | Refused
"""Where a column is in the table whose rows change, or why it cannot be assigned."""

_VERBS = {"INSERT": "insert into", "UPDATE": "update", "DELETE": "delete from"}
_DOING = {"INSERT": "inserting into", "UPDATE": "updating", "DELETE": "deleting from"}


@dataclass(frozen=True, slots=True)
class ChangeTarget:
    """What a statement changes.

    table, relation, columns: the stored table, its number and output. named: it as the statement names it:
    the table, or one with the columns of the view, which `places` finds in the table. item: what its columns
    mean. where: what makes a row one of the view. checks: WITH CHECK OPTION.
    """

    command: str
    table: Table
    relation: int
    columns: tuple[OutputColumn, ...]
    named: Table
    item: Item
    places: tuple[Place, ...] | None = None
    where: Expr | None = None
    checks: tuple[ViewCheck, ...] = ()

    def placed(self, columns: Sequence[int]) -> tuple[int, ...]:
        """Where columns of `named` are in the table. Raises 0A000 for what is no column there, 42601."""
        if self.places is None:
            return tuple(columns)
        found: list[int] = []
        for at in columns:
            place = self.places[at]
            if isinstance(place, Refused):
                insert = self.command == "INSERT"
                verb = "insert into" if insert else "update"
                raise FeatureNotSupportedError(
                    f'cannot {verb} column "{place.column}" of view "{place.view}"',
                    detail=place.reason,
                )
            if place in found:
                name = self.table.columns[place].name
                raise SqlSyntaxError(f'multiple assignments to same column "{name}"')
            found.append(place)
        return tuple(found)

    def assigned(self, assignments: Sequence[Assignment]) -> tuple[Assignment, ...]:
        """SET as the table has it. In a view DEFAULT is the view's own, which is NULL, as in PostgreSQL."""
        places = self.placed([a.column for a in assignments])
        if self.places is None:
            return tuple(assignments)
        found = []
        for at, assignment in zip(places, assignments, strict=True):
            slot = self.table.columns[at]
            check_generated(slot.name, slot.generated, slot.identity, "", insert=False)
            found.append(Assignment(at, assignment.expr or Const(None, slot.type, slot.typmod)))
        return tuple(found)

    def restricted(self, where: Expr | None) -> Expr | None:
        """A WHERE that leaves out what the view does not show."""
        if self.where is None or where is None:
            return where if self.where is None else self.where
        return BoolOp(BoolKind.AND, (self.where, where), BOOL)

    def excluded(self, relation: int) -> Item:
        """The row proposed for insertion, which ON CONFLICT calls `excluded`, as the statement sees it."""
        if self.places is None:
            columns, names = table_columns(self.table)
            return Item("excluded", relation, columns, names)
        slots = [
            ColumnRef(relation, at, c.name, c.type, c.typmod) for at, c in enumerate(self.columns)
        ]
        exprs = [substituted(expr, self.relation, slots) for expr in self.item.exprs or ()]
        return Item("excluded", relation, self.item.columns, self.item.names, exprs=tuple(exprs))

    def shown(
        self, targets: Sequence[Target], columns: tuple[OutputColumn, ...]
    ) -> tuple[OutputColumn, ...]:
        """The columns of RETURNING: those of a view say so."""
        if self.places is None:
            return columns
        own = {
            (expr.relation, expr.column): column
            for expr, column in zip(self.item.exprs or (), self.item.columns, strict=True)
            if isinstance(expr, ColumnRef)
        }
        found = []
        for target, shown in zip(targets, columns, strict=True):
            expr = target.expr
            of = own.get((expr.relation, expr.column)) if isinstance(expr, ColumnRef) else None
            table_id, column_id = (of.table_id, of.column_id) if of is not None else (0, 0)
            found.append(replace(shown, table_id=table_id, column_id=column_id))
        return tuple(found)


def check_generated(
    name: str, generated: str, identity: str, overriding: str, *, insert: bool
) -> None:
    """428C9 for a value given to a generated column, or to one that is identity ALWAYS."""
    word = "insert a non-DEFAULT value into column" if insert else "update column"
    if generated:
        message = (
            f'cannot {word} "{name}"'
            if insert
            else f'column "{name}" can only be updated to DEFAULT'
        )
        raise GeneratedAlwaysError(message, detail=f'Column "{name}" is a generated column.')
    if identity == "a" and (not insert or not overriding):
        message = (
            f'cannot {word} "{name}"'
            if insert
            else f'column "{name}" can only be updated to DEFAULT'
        )
        raise GeneratedAlwaysError(
            message,
            detail=f'Column "{name}" is an identity column defined as GENERATED ALWAYS.',
            hint="Use OVERRIDING SYSTEM VALUE to override." if insert else "",
        )


def bind_target(level: Level, node: exp.Expr, command: str) -> ChangeTarget:
    """What a data change is for, visible at `level`. command: INSERT, UPDATE, DELETE or MERGE.

    Raises 42P01, 42809, 0A000, and 55000 for a view that is not simply one of a table's rows.
    """
    found, alias = _named(level.state, node, command)
    if isinstance(found, Table):
        scan = scan_table(level, found, alias)
        return ChangeTarget(command, found, scan.relation, scan.columns, found, level.items[-1])
    target = _through(level.state, found, BIND_VIEW[0](level.state, found), command, "")
    item = target.item
    item.alias, item.schema = alias or found.name, "" if alias else found.namespace
    level.add(item)
    return target


def _named(state: Binding, node: exp.Expr, command: str) -> tuple[Table | View, str]:
    consumed(node, "this", "db", "alias", "only")
    at = position(node)
    name = node.args["this"].args["this"]
    schema = node.args["db"].args["this"] if node.args.get("db") is not None else ""
    alias, names, _ = alias_of(node)
    if names:
        raise SqlSyntaxError("column aliases are not allowed here", position=at)
    found = find_relation(state, schema, name)
    if found is None:
        written = f"{schema}.{name}" if schema else name
        raise UndefinedTableError(f'relation "{written}" does not exist', position=at)
    if not isinstance(found, Table | View):
        raise WrongObjectTypeError(f'cannot change catalog relation "{name}"', position=at)
    stored = isinstance(found, Table)
    materialized = isinstance(found, Table) and found.materialized is not None
    if command == "MERGE" and (materialized or not stored):
        raise FeatureNotSupportedError(
            f'cannot execute MERGE on relation "{name}"',
            detail=f"This operation is not supported for {'materialized ' * materialized}views.",
        )
    if materialized:
        raise WrongObjectTypeError(f'cannot change materialized view "{found.name}"')
    return found, alias


def updatable(view: View, scope: BindScope) -> frozenset[int] | None:
    """The ids of a view's columns that can be assigned; None: not even its rows can be deleted."""
    state = Binding(scope)
    try:
        found = _through(state, view, BIND_VIEW[0](state, view), "DELETE", "")
    except KalamError:
        return None
    assert found.places is not None
    pairs = zip(view.columns, found.places, strict=True)
    return frozenset([column.id for column, place in pairs if isinstance(place, int)])


# ------------------------------------------------------------------ views


def _through(state: Binding, view: View, query: Query, command: str, parent: str) -> ChangeTarget:
    """The table that a view shows rows of. parent: the check option of the view that is over it."""
    base = base_of(query)
    if isinstance(base, str):
        raise _not_updatable(view, command, base)
    assert isinstance(query, Select)
    exprs = tuple([target.expr for target in query.targets])
    places: tuple[Place, ...] = places_of(view, exprs, base)
    if command != "DELETE" and all(isinstance(place, Refused) for place in places):
        raise _not_updatable(view, command, NO_COLUMNS)
    where = query.where
    option = parent if parent == "cascaded" else view.check_option
    checks: tuple[ViewCheck, ...] = ()
    shown_by: Expr | None = None
    if isinstance(base, SubqueryScan):
        assert base.view is not None
        inner = _through(state, _view_now(state, base.view), base.query, command, option)
        below = inner.item.exprs or ()
        exprs = tuple([substituted(expr, base.relation, below) for expr in exprs])
        where = None if where is None else substituted(where, base.relation, below)
        assert inner.places is not None
        places = tuple([p if isinstance(p, Refused) else inner.places[p] for p in places])
        table, relation, slots = inner.table, inner.relation, inner.columns
        checks, shown_by = inner.checks, inner.where
    else:
        table, relation, slots = _table_now(state, base.table), base.relation, base.columns
        state.tables[table.id] = table
    if option and where is not None:
        checks = (*checks, ViewCheck(view.name, where))
    columns = tuple(
        [
            OutputColumn(c.name, e.type, e.typmod, view.id, c.id)
            for c, e in zip(view.columns, exprs, strict=True)
        ]
    )
    item = Item(view.name, relation, columns, names_of(columns), exprs=exprs, row=row_type(view))
    named = _facade(view, table, places, columns)
    target = ChangeTarget(command, table, relation, slots, named, item, places, shown_by, checks)
    return replace(target, where=target.restricted(where))


def _table_now(state: Binding, seen: Table) -> Table:
    """A table as it is called now; a view may know it under older names."""
    snapshot = state.scope.snapshot
    return snapshot.tables.get(seen.id, seen) if isinstance(snapshot, Snapshot) else seen


def _view_now(state: Binding, seen: View) -> View:
    snapshot = state.scope.snapshot
    return snapshot.views.get(seen.id, seen) if isinstance(snapshot, Snapshot) else seen


def _facade(
    view: View, table: Table, places: Sequence[Place], shown: Sequence[OutputColumn]
) -> Table:
    """The table as the view shows it, for what is asked of a table's columns by name."""
    columns = []
    for at, (place, column) in enumerate(zip(places, shown, strict=True)):
        if isinstance(place, Refused):
            columns.append(Column(-1 - at, column.name, column.type, column.typmod))
        else:
            # What is generated is told of the table's column, by its name there.
            own = replace(table.columns[place], name=column.name, generated="", identity="")
            columns.append(own)
    constraints = tuple([replace(c, name="") for c in table.constraints])
    return replace(
        table, namespace=view.namespace, name=view.name, columns=tuple(columns),
        hidden_key=False, constraints=constraints, _by_name={},
    )  # fmt: skip


def _not_updatable(view: View, command: str, why: str) -> ObjectNotInPrerequisiteStateError:
    return ObjectNotInPrerequisiteStateError(
        f'cannot {_VERBS[command]} view "{view.name}"',
        detail=why,
        hint=f"To enable {_DOING[command]} the view, provide an INSTEAD OF {command} trigger or an "
        f"unconditional ON {command} DO INSTEAD rule.",
    )
