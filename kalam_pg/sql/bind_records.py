"""Functions in FROM that give rows: json_to_record(set), jsonb's, and those that give a composite type's.

`jsonb_to_recordset(x) AS t(a int)` is bound as the query it means: a row for each object of the
document, and for each column the member of its name, as the column's type reads it. A function that gives
rows of a composite type is bound as a query of their fields.
"""

from sqlglot import exp

from catalog.errors import SqlSyntaxError
from catalog.types import registry as types
from catalog.types.composite import composite_of
from kalam_pg.functions.jsonpopulate import MEMBER
from kalam_pg.functions.jsonrecords import FIELD, RECORDS
from kalam_pg.functions.records import DEFINED
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.dialect import type_name, type_node
from kalam_pg.sql.positions import mark, position
from kalam_pg.sql.scope import BindScope, Level
from kalam_pg.sql.statements import TypeName

RECORDS_DEFINED = frozenset(
    f"{of}_to_{what}" for of in ("json", "jsonb") for what in ("record", "recordset")
)
_POPULATE = frozenset(name.replace("_to_", "_populate_") for name in RECORDS_DEFINED)


def record_query(
    level: Level, call: exp.Expr, definitions: list[exp.ColumnDef]
) -> exp.Select | None:
    """The query that a call in FROM means; None when it is a call of another function."""
    if type(call) is not exp.Anonymous or type(call.args["this"]) is not str:
        return None
    name, arguments = call.args["this"], call.expressions
    if name in _POPULATE and definitions and len(arguments) == 2 and _is_no_record(arguments[0]):
        name, arguments = name.replace("_populate_", "_to_"), arguments[1:]
    if name in RECORDS_DEFINED and len(arguments) == 1 and definitions:
        columns = [(d.args["this"].name, type_name(d.args["kind"])) for d in definitions]
        return _query(level.state.scope, name, arguments[0], columns, call)
    if name in RECORDS_DEFINED and not definitions:
        raise SqlSyntaxError(
            'a column definition list is required for functions returning "record"',
            position=position(call),
        )
    return None


def _is_no_record(node: exp.Expr) -> bool:
    """Whether it is `null::record`: a row of which nothing is known but by the column definitions."""
    return (
        type(node) is exp.Cast
        and type(node.args["this"]) is exp.Null
        and type_name(node.args["to"]).name == "record"
    )


_LENGTHS = (types.VARCHAR, types.BPCHAR)


def _query(
    scope: BindScope,
    name: str,
    document: exp.Expr,
    columns: list[tuple[str, TypeName]],
    call: exp.Expr,
) -> exp.Select:
    at = call.meta.get("start", -1)
    rows = _call(RECORDS[name.partition("_")[0]], [document, _text(name, at)], at)
    alias = exp.TableAlias(this=_name("record"), columns=[_name("value")])
    source = mark(exp.Table(this=rows, alias=alias), at)
    shown = []
    for column, kind in columns:
        value = mark(exp.Column(this=_name("value"), table=_name("record")), at)
        cast = _member(value, column, kind, scope, at)
        shown.append(mark(exp.Alias(this=cast, alias=_name(column)), at))
    select = exp.Select(expressions=shown)
    select.set("from_", exp.From(this=source))
    return mark(select, at)


def _member(value: exp.Expr, column: str, written: TypeName, scope: BindScope, at: int) -> exp.Expr:
    """A member of a document as its column's type."""
    kind, _ = resolve_type(written, scope.snapshot, scope.search_path)
    if composite_of(kind.element or kind) is not None:
        none = mark(exp.Cast(this=exp.Null(), to=type_node(written)), at)
        return _call(MEMBER, [value, _text(column, at), none], at)
    member = _call(FIELD, [value, _text(column, at), _text(_kind(written, scope), at)], at)
    return mark(exp.Cast(this=member, to=type_node(written)), at)


def _kind(written: TypeName, scope: BindScope) -> str:
    kind, _ = resolve_type(written, scope.snapshot, scope.search_path)
    if kind in (types.JSON, types.JSONB):
        return "json"
    if kind in _LENGTHS and written.modifiers:
        # Read as an input function reads it: what is too long is an error, and not cut.
        return f"{kind.sql_name} {written.modifiers[0]}"
    return "array" if kind.element is not None and not kind.is_vector else "text"


def rows_spread(call: exp.Expr, *, ordinality: bool) -> exp.Select:
    """The query of a function in FROM that gives rows of a composite type: a column for each attribute."""
    at = call.meta.get("start", -1)
    names = [_name("value"), *([_name("ordinality")] if ordinality else [])]
    alias = exp.TableAlias(this=_name("record"), columns=names)
    source = mark(exp.Table(this=call.copy(), alias=alias), at)
    source.set("ordinality", ordinality)
    source.set("as_values", True)
    value = mark(exp.Column(this=_name("value"), table=_name("record")), at)
    shown: list[exp.Expr] = [mark(exp.Dot(this=value, expression=exp.Star()), at)]
    if ordinality:
        shown.append(mark(exp.Column(this=_name("ordinality"), table=_name("record")), at))
    select = exp.Select(expressions=shown)
    select.set("from_", exp.From(this=source))
    return mark(select, at)


def records_as(call: exp.Expr, columns: list[tuple[str, exp.Expr]]) -> exp.Select:
    """The query of a function in FROM that returns records, which a column definition list describes."""
    at = call.meta.get("start", -1)
    alias = exp.TableAlias(this=_name("record"), columns=[_name("value")])
    source = mark(exp.Table(this=call.copy(), alias=alias), at)
    source.set("as_values", True)
    value = mark(exp.Column(this=_name("value"), table=_name("record")), at)
    shown: list[exp.Expr] = []
    for place, (name, kind) in enumerate(columns):
        none = mark(exp.Cast(this=exp.Null(), to=kind.copy()), at)
        arguments: list[exp.Expr] = [*(value, _number(place, at), _number(len(columns), at), none)]
        shown.append(
            mark(exp.Alias(this=_call(DEFINED.name, arguments, at), alias=_name(name)), at)
        )
    select = exp.Select(expressions=shown)
    select.set("from_", exp.From(this=source))
    return mark(select, at)


def _number(number: int, at: int) -> exp.Literal:
    return mark(exp.Literal(this=str(number), is_string=False), at)


def _call(name: str, arguments: list[exp.Expr], at: int) -> exp.Anonymous:
    return mark(exp.Anonymous(this=name, expressions=arguments), at)


def _text(text: str, at: int) -> exp.Literal:
    return mark(exp.Literal(this=text, is_string=True), at)


def _name(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)
