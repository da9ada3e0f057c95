"""SEARCH and CYCLE of a recursive WITH query: both terms are written with the columns that the clauses add.

    SEARCH DEPTH FIRST BY a SET o     o: the rows of a on the way to a row, as record[]
    SEARCH BREADTH FIRST BY a SET o   o: how far it is, with a, as a record
    CYCLE a SET m TO x DEFAULT y USING p   m: x where a row of a is among those of p, the way to it

Source: PostgreSQL's rewriteSearchCycle.c, which adds the same columns, and parse_cte.c for what may be.
"""

from collections.abc import Sequence

from sqlglot import exp

from catalog.errors import DuplicateColumnError, FeatureNotSupportedError, SqlSyntaxError
from catalog.pg_catalog.text import quote_identifier
from kalam_pg.sql.bind_from import alias_of
from kalam_pg.sql.parse import parse
from kalam_pg.sql.positions import position
from kalam_pg.sql.recursion import is_reference
from kalam_pg.sql.statements import QueryStatement

_TERM = "r"
"""What a term is called in the query around it."""

_NEEDS = "with a SEARCH or CYCLE clause, "


def rewritten(item: exp.Expr, union: exp.Union, name: str, columns: Sequence[str]) -> exp.Union:
    """The query of a recursive WITH item as its clauses want it; columns: its own.

    Raises:
        SqlSyntaxError, DuplicateColumnError: What a clause names is not there, or there twice.
        FeatureNotSupportedError: A term is no plain SELECT, or refers to the item below its FROM clause.
    """
    _check(item, columns)
    base, step = union.args["this"], union.args["expression"]
    if isinstance(base, exp.SetOperation):
        raise FeatureNotSupportedError(f"{_NEEDS}the left side of the UNION must be a SELECT")
    if isinstance(step, exp.SetOperation):
        raise SqlSyntaxError(f"{_NEEDS}the right side of the UNION must be a SELECT")
    made = union.copy()
    made.set("this", _around(base, columns, (), _first(item)))
    carried, later = _later(item)
    made.set("expression", _around(_carrying(item, step, name, carried), columns, carried, later))
    return made


def added(item: exp.Expr) -> list[str]:
    """The columns that the clauses of a WITH item add."""
    search, cycle = item.args.get("search"), item.args.get("cycle")
    order = [] if search is None else [search.args["order"].name]
    return order if cycle is None else [*order, cycle.args["mark"].name, cycle.args["path"].name]


def _check(item: exp.Expr, columns: Sequence[str]) -> None:
    for kind in ("search", "cycle"):
        clause = item.args.get(kind)
        seen: set[str] = set()
        for column in () if clause is None else clause.expressions:
            if column.name not in columns:
                raise SqlSyntaxError(
                    f'{kind} column "{column.name}" not in WITH query column list',
                    position=position(clause),
                )
            if column.name in seen:
                raise DuplicateColumnError(
                    f'{kind} column "{column.name}" specified more than once',
                    position=position(clause),
                )
            seen.add(column.name)
    called: dict[str, tuple[str, exp.Expr]] = {}
    for kind, what, key in (
        ("search", "search sequence", "order"),
        ("cycle", "cycle mark", "mark"),
        ("cycle", "cycle path", "path"),
    ):
        clause = item.args.get(kind)
        if clause is None:
            continue
        new = clause.args[key].name
        if new in columns:
            raise SqlSyntaxError(
                f'{what} column name "{new}" already used in WITH query column list',
                position=position(clause),
            )
        if new in called:
            other, before = called[new]
            raise SqlSyntaxError(
                f"{other} column name and {what} column name are the same",
                position=position(before),
            )
        called[new] = what, clause


def _row(clause: exp.Expr) -> str:
    return ", ".join(f"{_TERM}.{quote_identifier(c.name)}" for c in clause.expressions)


def _first(item: exp.Expr) -> list[exp.Expr]:
    """What the first term has of the added columns."""
    found: list[exp.Expr] = []
    search, cycle = item.args.get("search"), item.args.get("cycle")
    if search is not None:
        depth = search.args["kind"] == "depth"
        row = _row(search)
        found.append(_value(f"ARRAY[ROW({row})]" if depth else f"ROW(0, {row})"))
    if cycle is not None:
        found += [_mark(cycle, "default"), _value(f"ARRAY[ROW({_row(cycle)})]")]
    return found


def _later(item: exp.Expr) -> tuple[list[str], list[exp.Expr]]:
    """What the other term needs of the rows that it goes on from, and what it has of the added columns."""
    carried: list[str] = []
    found: list[exp.Expr] = []
    search, cycle = item.args.get("search"), item.args.get("cycle")
    if search is not None:
        order = search.args["order"].name
        carried.append(order)
        before, row = f"{_TERM}.{quote_identifier(order)}", _row(search)
        way, far = f"{before} || ARRAY[ROW({row})]", f"ROW(({before}).f1 + 1, {row})"
        found.append(_value(way if search.args["kind"] == "depth" else far))
    if cycle is not None:
        path = cycle.args["path"].name
        carried.append(path)
        before, row = f"{_TERM}.{quote_identifier(path)}", f"ROW({_row(cycle)})"
        case = _value(f"CASE WHEN {row} = ANY ({before}) THEN 1 ELSE 0 END")
        assert isinstance(case, exp.Case)
        case.args["ifs"][0].set("true", _mark(cycle, "value"))
        case.set("default", _mark(cycle, "default"))
        found += [case, _value(f"{before} || ARRAY[{row}]")]
    return carried, found


def _mark(cycle: exp.Expr, key: str) -> exp.Expr:
    written = cycle.args.get(key)
    return exp.Boolean(this=key == "value") if written is None else written.copy()


def _carrying(item: exp.Expr, step: exp.Expr, name: str, carried: Sequence[str]) -> exp.Expr:
    """The other term with what it needs of the item; from rows whose mark is set it does not go on."""
    tables = [step.args["from_"].args["this"]] if step.args.get("from_") is not None else []
    tables += [join.args["this"] for join in step.args.get("joins") or ()]
    with_ = step.args.get("with_")
    hidden = with_ is not None and any(alias_of(one)[0] == name for one in with_.expressions)
    own = next((table for table in tables if is_reference(table, name) and not hidden), None)
    if own is None:
        raise FeatureNotSupportedError(
            f'{_NEEDS}the recursive reference to WITH query "{name}" must be at the top level of its '
            "right-hand SELECT"
        )
    called = quote_identifier(alias_of(own)[0] or name)
    made = step.copy()
    for column in carried:
        made.append("expressions", _value(f"{called}.{quote_identifier(column)}"))
    cycle = item.args.get("cycle")
    if cycle is not None:
        mark = quote_identifier(cycle.args["mark"].name)
        test = _parsed(f"SELECT 1 WHERE {called}.{mark} <> true").args["where"]
        test.args["this"].set("expression", _mark(cycle, "value"))
        where = made.args.get("where")
        if where is not None:
            both = exp.And(this=where.args["this"].copy(), expression=test.args["this"])
            test = exp.Where(this=both)
        made.set("where", test)
    return made


def _around(
    term: exp.Expr, columns: Sequence[str], carried: Sequence[str], more: Sequence[exp.Expr]
) -> exp.Select:
    """A term as a derived table, its columns and the added ones selected from it."""
    names = [quote_identifier(name) for name in columns]
    own = ", ".join(f"{_TERM}.{name}" for name in names)
    called = ", ".join([*names, *[quote_identifier(name) for name in carried]])
    made = _parsed(f"SELECT {own} FROM (SELECT 1) AS {_TERM} ({called})")  # noqa: S608 -- quoted
    for column in more:
        made.append("expressions", column)
    made.args["from_"].args["this"].set("this", term.copy())
    return made


def _value(text: str) -> exp.Expr:
    (found,) = _parsed(f"SELECT {text}").expressions
    assert isinstance(found, exp.Expr)
    return found


def _parsed(text: str) -> exp.Select:
    (statement,) = parse(text)
    assert isinstance(statement, QueryStatement)
    assert isinstance(statement.tree, exp.Select)
    for node in statement.tree.walk():
        node.meta.pop("start", None)  # It is a place in no text of the client's.
    return statement.tree
