"""What a subscription shows of a change: its WHERE and its columns, compiled once, asked of each change.

The closures are those of CHECK and of the fast path (`sql.to_python`), so that they agree with a SELECT of
the same text; what they cannot do is refused when the subscription begins, never left out later. A row
*enters* when a change makes it match and *leaves* when one makes it match no more: who applies the changes
by key always has what the query would return.

`NOW()` is the time of the change, so that a change means the same when it is read again from the log. A
filter whose answer depends on more than the row may have shown a row that it would not show now: every
change of one that does not match then tells that it left.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from catalog.errors import DuplicateColumnError, FeatureNotSupportedError
from catalog.model import Table
from catalog.types.registry import INT8
from kalam_pg.functions.cost import BUDGET_US
from kalam_pg.functions.table import EvalContext, Volatility
from kalam_pg.sql.closures import Slot
from kalam_pg.sql.to_python import Closure, compile_expr
from kalam_pg.sql.tree import (
    Call,
    ColumnRef,
    Const,
    Dml,
    Expr,
    OutputColumn,
    Query,
    Select,
    SortKey,
    TableScan,
    Target,
)
from kalam_pg.sql.walk import location, walk
from storage.layout import Row, Value
from storage.log.clock import us_of
from storage.log.log_entry import Op

WHY_FILTER: Final = "filter"
SEQ: Final = "_seq"

Project = Callable[[Row, EvalContext], Row]


class Seen(NamedTuple):
    """A change as a subscription shows it. key: the primary key's values.

    op: insert | update | delete. why: "filter" for a row that was there before or is there still.
    row, old: projected, where the change shows one.
    """

    op: str
    why: str
    key: Row
    row: Row | None
    old: Row | None


class Tree:
    """A bound query that is compared with others often: it is walked once for its hash."""

    __slots__ = ("_hash", "_query")

    def __init__(self, query: Select) -> None:
        self._query = query
        self._hash = hash(query)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tree) or self._hash != other._hash:
            return False
        return self is other or self._query == other._query


@dataclass(frozen=True, slots=True)
class LiveQuery:
    """A subscription's query, compiled. Rows are the table's, in the order of its columns.

    where: None shows every row. moves: whether its answer depends on more than the row. key: positions
    of the primary key's columns, in key order. tree: the bound query, None if what it shows of a row may
    depend on more than that (who asks, the time): two with one tree show the same. uses: ids of the columns
    that it shows, asks for or is told apart by.
    """

    table: Table
    columns: tuple[OutputColumn, ...]
    where: Closure | None
    moves: bool
    key: tuple[int, ...]
    _project: Project
    tree: Tree | None = None
    uses: frozenset[int] = frozenset()

    def see(self, op: Op, row: Row, old: Row | None, seq: int, context: EvalContext) -> Seen | None:
        """What a change of one row is to the subscription; None: nothing.

        Args:
            op: INSERT, UPDATE or DELETE.
            row: As it is now, or as it was deleted.
            old: As it was before, if there was one.
            seq: The change's commit, whose time is NOW().
            context: The subscription's own; its times are set.

        Raises:
            KalamError: The filter or the projection raised, as a SELECT would.
        """
        # The commit's number has its time in milliseconds: no row is later that it brought.
        context.now_us = context.statement_us = us_of(seq) + 999
        context.left_us = BUDGET_US / 4
        deleted = op is Op.DELETE
        after = not deleted and self.matches(row, context)
        before = row if deleted else old
        was = before is not None and self.matches(before, context)
        key = tuple([row[at] for at in self.key])
        if after:
            new = self._project(row, context)
            if was:
                assert before is not None
                return Seen("update", "", key, new, self._project(before, context))
            return Seen("insert", "" if before is None else WHY_FILTER, key, new, None)
        if was:
            assert before is not None
            why = "" if deleted else WHY_FILTER
            return Seen("delete", why, key, None, self._project(before, context))
        if self.moves and before is not None:
            return Seen("delete", WHY_FILTER, key, None, None)
        return None

    def matches(self, row: Row, context: EvalContext) -> bool:
        """Whether the query shows a row; unknown is no, as in WHERE."""
        return self.where is None or self.where(row, context) is True

    def project(self, row: Row, context: EvalContext) -> Row:
        """The columns that the query shows of a row."""
        return self._project(row, context)


def compile_query(query: Query | Dml) -> LiveQuery:
    """Compile what a subscription may be: columns and a condition of one stored table.

    Raises:
        FeatureNotSupportedError: It is more than that, or no answer of it can be told by one row.
        DuplicateColumnError: Two columns have one name, which an object cannot have.
    """
    scan = _only_table(query)
    assert isinstance(query, Select)
    table = scan.table
    for node in walk(query):
        if isinstance(node, Call):
            _check_call(node)
        elif isinstance(node, ColumnRef) and node.column >= len(table.columns):
            raise _refused(f'column "{node.name}" in its query', node)
    names: set[str] = set()
    for column in query.columns:
        if column.name in names:
            raise DuplicateColumnError(f'column "{column.name}" specified more than once')
        names.add(column.name)
    where = None if query.where is None else compile_expr(query.where, _slot)
    moves = query.where is not None and any(
        isinstance(node, Call) and node.overload.volatility is not Volatility.IMMUTABLE
        for node in walk(query.where)
    )
    targets = [compile_expr(target.expr, _slot) for target in query.targets]
    tree = None if any(map(_is_its_own, walk(query))) else Tree(query)
    projection = _projection(targets)
    uses = {table.columns[n.column].id for n in walk(query) if isinstance(n, ColumnRef)}
    return LiveQuery(
        *(table, query.columns, where, moves, table.layout.key, projection, tree),
        uses=frozenset((*uses, *table.primary_key)),
    )


def snapshot_query(query: Query | Dml, last_rows: int | None, *, keyed: bool = False) -> Select:
    """The rows that a subscription (see `compile_query`) begins with, `_seq` as their last column.

    last_rows: only so many of the newest, newest first; None: all of them, oldest first. keyed: the
    primary key's columns come before `_seq`.
    """
    scan = _only_table(query)
    assert isinstance(query, Select)
    table = scan.table
    seq = ColumnRef(scan.relation, len(table.columns), SEQ, INT8)
    newest = last_rows is not None
    key = [
        ColumnRef(scan.relation, at, table.columns[at].name, table.columns[at].type)
        for at in (table.layout.key if keyed else ())
    ]
    return replace(
        query,
        targets=(*query.targets, *[Target(each, each.name) for each in key], Target(seq, SEQ)),
        columns=(
            *query.columns,
            *[OutputColumn(each.name, each.type) for each in key],
            OutputColumn(SEQ, INT8),
        ),
        order_by=(SortKey(seq, newest, newest),),
        limit=Const(last_rows, INT8) if newest else None,
    )


def _only_table(query: Query | Dml) -> TableScan:
    if not isinstance(query, Select) or len(query.from_) != 1:
        raise _refused("anything but a query of one table")
    scan = query.from_[0]
    if not isinstance(scan, TableScan):
        raise _refused("anything but a stored table")
    for present, what in (
        (query.with_, "WITH"),
        (query.grouped or query.group_by or query.having is not None, "grouping"),
        (query.distinct or query.distinct_on, "DISTINCT"),
        (query.order_by, "ORDER BY"),
        (query.limit is not None or query.offset is not None, "LIMIT"),
        (query.locking, "row locking"),
    ):
        if present:
            raise _refused(what)
    return scan


def _refused(what: str, at: Expr | None = None) -> FeatureNotSupportedError:
    return FeatureNotSupportedError(
        f"SUBSCRIBE does not support {what}", position=0 if at is None else location(at)
    )


def _check_call(call: Call) -> None:
    overload = call.overload
    if overload.volatility is Volatility.VOLATILE or overload.server_only:
        # Asked twice of one row it would answer twice.
        raise _refused(f"function {overload.name} in its query", call)


def _is_its_own(node: object) -> bool:
    """Whether queries that compare equal with this in them may show something else."""
    if isinstance(node, Call):
        return node.overload.volatility is not Volatility.IMMUTABLE
    return isinstance(node, Const) and not is_exact(node.value)


def is_exact(value: Value) -> bool:
    """Whether a value that compares equal is the same: 0.0 and -0.0 do."""
    if isinstance(value, tuple):
        return all(map(is_exact, value))
    return not isinstance(value, float)


def _slot(reference: ColumnRef) -> int:
    if reference.outer:
        raise _refused("a subquery", reference)
    return reference.column


def _projection(targets: list[Closure]) -> Project:
    """All columns at once; plain ones are taken as they are."""
    if all(isinstance(target, Slot) for target in targets):
        places = [target.index for target in targets if isinstance(target, Slot)]
        return lambda row, _context: tuple([row[at] for at in places])
    return lambda row, context: tuple([target(row, context) for target in targets])
