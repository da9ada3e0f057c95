"""Binding of FOR UPDATE and its kin: which relations each clause means, and what cannot be locked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlglot import exp

from catalog.errors import FeatureNotSupportedError, UndefinedTableError, WrongObjectTypeError
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.bind_expr import consumed
from kalam_pg.sql.locked_queries import taken_in
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import (
    Call,
    CteScan,
    FromItem,
    FunctionScan,
    Join,
    LockClause,
    RowsFrom,
    Select,
    SubqueryScan,
    TableScan,
    Target,
    ValuesScan,
    VirtualScan,
)
from kalam_pg.sql.walk import walk

_WAITS = {True: "NOWAIT", False: "SKIP LOCKED", None: ""}


def bind_locking(level: Level, node: exp.Expr, query: Select, *, distinct: bool) -> Select:
    """A bound SELECT with its locking clauses; views in it that these mean are a part of it.

    Raises:
        FeatureNotSupportedError: The query, or what a clause names, has no rows to lock.
        UndefinedTableError: A clause names what is not in FROM.
        WrongObjectTypeError: It names a materialized view.
    """
    locks = node.args.get("locks")
    if not locks:
        return query
    leaves = {leaf.relation: (leaf, nullable) for leaf, nullable in _leaves(query.from_)}
    found: list[LockClause] = []
    within: dict[int, tuple[int, ...]] = {}
    targets = query.targets
    for lock in locks:
        consumed(lock, "expressions", "wait", "update")
        strength = strength_of(lock)
        _check_query(level, node, targets, strength, position(lock), distinct=distinct)
        names = lock.args.get("expressions") or ()
        if names:
            relations = [_named(level, leaves, name, strength) for name in names]
        else:
            relations = list(_everything(leaves, strength))
        tables: list[int] = []
        for relation in relations:
            leaf, _ = leaves[relation]
            if isinstance(leaf, TableScan):
                tables.append(relation)
            elif isinstance(leaf, SubqueryScan) and _holds_tables(leaf):
                if relation not in within:
                    query, inner = _taken_in(query, leaf, strength, position(lock))
                    within[relation] = inner
                tables += within[relation]
        if tables:
            wait = _WAITS[lock.args.get("wait")]
            found.append(LockClause(strength, tuple(tables), wait))
    return replace(query, locking=tuple(found))


def _taken_in(
    query: Select, leaf: SubqueryScan, strength: str, at: int
) -> tuple[Select, tuple[int, ...]]:
    """The query with a view or derived table taken in, and the tables that this has put into FROM."""
    made = taken_in(query, leaf.relation)
    if made is None:
        raise FeatureNotSupportedError(
            f"{strength} of a view or subquery that is more than tables and conditions is not supported",
            hint="Name the tables to lock with OF.",
            position=at,
        )
    query, tables = made
    for scan in tables:
        _check_table(scan)
    return query, tuple([scan.relation for scan in tables])


def strength_of(lock: exp.Expr) -> str:
    """The words of a locking clause."""
    strength = str(lock.meta.get("strength") or "UPDATE").upper()
    return strength if strength.startswith("FOR ") else f"FOR {strength}"


def _check_query(
    level: Level,
    node: exp.Expr,
    targets: Sequence[Target],
    strength: str,
    at: int,
    *,
    distinct: bool,
) -> None:
    """As `CheckSelectLocking` in PostgreSQL's analyze.c: its order, its words."""
    sets = any(
        isinstance(part, Call) and part.overload.kind is OverloadKind.SET
        for target in targets
        for part in walk(target.expr)
    )
    for refused, what in (
        (distinct, "DISTINCT clause"),
        (node.args.get("group"), "GROUP BY clause"),
        (node.args.get("having"), "HAVING clause"),
        (level.has_aggregates, "aggregate functions"),
        (level.has_windows, "window functions"),
        (sets, "set-returning functions in the target list"),
    ):
        if refused:
            raise FeatureNotSupportedError(f"{strength} is not allowed with {what}", position=at)


Leaf = TableScan | VirtualScan | SubqueryScan | CteScan | FunctionScan | RowsFrom | ValuesScan
Leaves = dict[int, tuple[Leaf, bool]]


def _leaves(items: Sequence[FromItem]) -> Iterator[tuple[Leaf, bool]]:
    """The relations of FROM, and whether an outer join may put NULLs in a row's place."""
    for item in items:
        yield from _leaves_of(item, nullable=False)


def _leaves_of(item: FromItem, *, nullable: bool) -> Iterator[tuple[Leaf, bool]]:
    if not isinstance(item, Join):
        yield item, nullable
        return
    yield from _leaves_of(item.left, nullable=nullable or item.kind in ("right", "full"))
    yield from _leaves_of(item.right, nullable=nullable or item.kind in ("left", "full"))


def _everything(leaves: Leaves, strength: str) -> Iterator[int]:
    """Without OF: every table; what only passes rows on is left alone."""
    for relation, (leaf, nullable) in leaves.items():
        if isinstance(leaf, TableScan) or _holds_tables(leaf):
            _check_lockable(leaf, strength, nullable=nullable, at=0)
            yield relation


def _named(level: Level, leaves: Leaves, name: exp.Expr, strength: str) -> int:
    at = position(name)
    item = next((i for i in level.items if i.alias == name.name and i.rel_visible), None)
    if item is None:
        raise UndefinedTableError(
            f'relation "{name.name}" in {strength} clause not found in FROM clause', position=at
        )
    if item.relation not in leaves:
        raise FeatureNotSupportedError(f"{strength} cannot be applied to a join", position=at)
    leaf, nullable = leaves[item.relation]
    _check_lockable(leaf, strength, nullable=nullable, at=at)
    return item.relation


def _check_lockable(leaf: Leaf, strength: str, *, nullable: bool, at: int) -> None:
    what = {FunctionScan: "a function", RowsFrom: "a function", CteScan: "a WITH query"}.get(
        type(leaf)
    )
    if what is None and nullable:
        what = "the nullable side of an outer join"
    if what is not None:
        raise FeatureNotSupportedError(f"{strength} cannot be applied to {what}", position=at)
    if isinstance(leaf, TableScan):
        _check_table(leaf)


def _check_table(leaf: TableScan) -> None:
    if leaf.table.materialized is not None:
        raise WrongObjectTypeError(f'cannot lock rows in materialized view "{leaf.table.name}"')


def _holds_tables(leaf: Leaf) -> bool:
    """Whether it is a query with rows of tables in it, which PostgreSQL would lock."""
    return isinstance(leaf, SubqueryScan) and any(isinstance(n, TableScan) for n in walk(leaf))
