"""json_to_record, json_to_recordset, json_populate_record(set) in FROM, and their jsonb forms.

`jsonb_to_recordset(x) AS t(a int)` is bound as the query it means: a row for each object of the
document, and for each column the member of its name, as the column's type reads it.
"""

from sqlglot import exp

from catalog.errors import DatatypeMismatchError, FeatureNotSupportedError, SqlSyntaxError
from catalog.model import Table
from catalog.types import registry as types
from catalog.types.numeric import precision_and_scale
from catalog.types.table import PgType
from kalam_pg.functions.jsonrecords import FIELD, RECORDS
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.dialect import type_name, type_node
from kalam_pg.sql.positions import mark, position
from kalam_pg.sql.scope import BindScope, Level, find_relation
from kalam_pg.sql.statements import TypeName

_DEFINED = frozenset(
    f"{of}_to_{what}" for of in ("json", "jsonb") for what in ("record", "recordset")
)
_POPULATED = frozenset(
    f"{of}_populate_{what}" for of in ("json", "jsonb") for what in ("record", "recordset")
)


def record_query(
    level: Level, call: exp.Expr, definitions: list[exp.ColumnDef]
) -> exp.Select | None:
    """The query that a call in FROM means; None when it is a call of another function.

    Raises:
        FeatureNotSupportedError: 0A000, json_populate_record of something but NULL::table.
    """
    if type(call) is not exp.Anonymous or type(call.args["this"]) is not str:
        return None
    name, arguments = call.args["this"], call.expressions
    if name in _DEFINED and len(arguments) == 1 and definitions:
        columns = [(d.args["this"].name, type_name(d.args["kind"])) for d in definitions]
        return _query(level.state.scope, name, arguments[0], columns, call)
    if name in _DEFINED and not definitions:
        raise SqlSyntaxError(
            'a column definition list is required for functions returning "record"',
            position=position(call),
        )
    if name in _POPULATED and len(arguments) >= 2 and not definitions:
        return _query(level.state.scope, name, arguments[1], _of_table(level, arguments[0]), call)
    return None


def _of_table(level: Level, base: exp.Expr) -> list[tuple[str, TypeName]]:
    """The columns of `NULL::table`."""
    if type(base) is not exp.Cast or type(base.args["this"]) is not exp.Null:
        raise FeatureNotSupportedError(
            "json_populate_record of anything but NULL::table is not supported",
            position=position(base),
        )
    written = type_name(base.args["to"])
    found = find_relation(level.state, written.schema, written.name)
    if not isinstance(found, Table):
        raise DatatypeMismatchError(
            "first argument of json_populate_record must be a row type", position=position(base)
        )
    return [(c.name, _written(c.type, c.typmod)) for c in found.columns if c.name != "_rowid"]


def _written(kind: PgType, typmod: int) -> TypeName:
    """A column's type as it would be written."""
    if kind.element is not None and not kind.is_vector:
        return TypeName(kind.element.name, (), 1, 0, _schema(kind.element))
    modifiers: tuple[int, ...] = ()
    if typmod >= 0 and kind is types.NUMERIC:
        modifiers = precision_and_scale(typmod) or ()
    elif typmod >= 0 and kind in _LENGTHS:
        modifiers = (typmod - 4,)
    return TypeName(kind.name, modifiers, 0, 0, _schema(kind))


def _schema(kind: PgType) -> str:
    return "pg_catalog" if kind.definition is None else kind.definition.namespace


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
        member = _call(FIELD, [value, _text(column, at), _text(_kind(kind, scope), at)], at)
        cast = mark(exp.Cast(this=member, to=type_node(kind)), at)
        shown.append(mark(exp.Alias(this=cast, alias=_name(column)), at))
    select = exp.Select(expressions=shown)
    select.set("from_", exp.From(this=source))
    return mark(select, at)


def _kind(written: TypeName, scope: BindScope) -> str:
    kind, _ = resolve_type(written, scope.snapshot, scope.search_path)
    if kind in (types.JSON, types.JSONB):
        return "json"
    if kind in _LENGTHS and written.modifiers:
        # Read as an input function reads it: what is too long is an error, and not cut.
        return f"{kind.sql_name} {written.modifiers[0]}"
    return "array" if kind.element is not None and not kind.is_vector else "text"


def _call(name: str, arguments: list[exp.Expr], at: int) -> exp.Anonymous:
    return mark(exp.Anonymous(this=name, expressions=arguments), at)


def _text(text: str, at: int) -> exp.Literal:
    return mark(exp.Literal(this=text, is_string=True), at)


def _name(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)
