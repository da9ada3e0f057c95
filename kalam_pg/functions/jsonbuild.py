"""Functions and aggregates that make json and jsonb out of other values."""

from collections.abc import Callable, Sequence

from catalog.errors import (
    ArraySubscriptError,
    InvalidParameterValueError,
    NullValueNotAllowedError,
)
from catalog.types.composite import composite_of, record_from
from catalog.types.records import record_of
from catalog.types.registry import (
    ANY,
    ANYARRAY,
    ANYELEMENT,
    BOOL,
    DATE,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    JSON,
    JSONB,
    NUMERIC,
    RECORD,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    VECTOR,
    array_of,
)
from catalog.types.table import PgType, TypeContext
from kalam_pg.functions.define import Datum, aggregate, function
from kalam_pg.functions.dimensions import array_shape, items_of
from kalam_pg.functions.jsonvalues import dump, parse, quote
from kalam_pg.functions.table import EvalContext, Overload, Volatility

Types = tuple[PgType, ...]
_NUMBERS = frozenset(t.oid for t in (INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC))
_TIMES = frozenset(t.oid for t in (TIMESTAMP, TIMESTAMPTZ, DATE))
_TEXTS = array_of(TEXT) or TEXT


def to_json(
    value: Datum,
    pg_type: PgType,
    context: TypeContext,
    separator: str = ",",
    between: str = ",",
) -> str:
    """A value as json text; `separator` stands between the elements of an array, `between` between the
    fields of a row.
    """
    if value is None:
        return "null"
    if pg_type is BOOL:
        return "true" if value else "false"
    if pg_type in {JSON, JSONB}:
        return str(value)
    if is_row(pg_type):
        row = record_of(value) if pg_type is RECORD else record_from(pg_type, value)
        fields = [
            f"{quote(name)}:{to_json(field, kind, context)}"
            for name, kind, field in zip(row.shape.names, row.shape.types, row, strict=True)
        ]
        return "{" + between.join(fields) + "}"
    if pg_type.element is not None:
        items = items_of(value)
        nested = pg_type.element is not VECTOR and items and isinstance(items[0], tuple)
        element = pg_type if nested else pg_type.element
        inner = [to_json(v, element, context) for v in items]
        return "[" + separator.join(inner) + "]"
    text = pg_type.output(value, context)
    if pg_type.oid in _NUMBERS:
        return text if text.lstrip("-")[:1].isdigit() else quote(text)  # NaN and Infinity
    if pg_type.oid in _TIMES:
        return quote(_iso(value, pg_type, context))
    return quote(text)


def is_row(pg_type: PgType) -> bool:
    """Whether values of a type are rows."""
    return pg_type is RECORD or composite_of(pg_type) is not None


def _iso(value: int, pg_type: PgType, context: TypeContext) -> str:
    """Dates and times in ISO 8601 with a T, whatever DateStyle says."""
    from dataclasses import replace  # noqa: PLC0415

    text = pg_type.output(value, replace(context, date_style="ISO"))
    if pg_type is DATE or " " not in text:
        return text
    moment, before_christ, _ = text.replace(" ", "T", 1).partition(" BC")
    if pg_type is TIMESTAMPTZ and len(moment) > 3 and moment[-3] in "+-":
        moment += ":00"
    return moment + before_christ


def to_jsonb(value: Datum, pg_type: PgType, context: TypeContext) -> str:
    """A value as jsonb text."""
    return dump(parse(to_json(value, pg_type, context)))


def _row(context: EvalContext, types: Types, *pairs: Datum) -> str:
    """A row as a json object, from alternating field names and values."""
    fields = [
        f"{quote(pairs[i])}:{to_json(pairs[i + 1], types[i + 1], context.types)}"
        for i in range(0, len(pairs), 2)
    ]
    return "{" + ",".join(fields) + "}"


def _to_json(context: EvalContext, types: Types, value: Datum) -> str:
    return to_json(value, types[0], context.types)


def _array_lines(context: EvalContext, types: Types, value: Datum, lines: Datum) -> str:
    return to_json(value, types[0], context.types, ",\n " if lines else ",")


def _row_lines(context: EvalContext, types: Types, row: Datum, lines: Datum) -> str:
    """A row as json text, its fields on lines of their own: nothing within them is."""
    return to_json(row, types[0], context.types, between=",\n " if lines else ",")


def _to_jsonb(context: EvalContext, types: Types, value: Datum) -> str:
    return to_jsonb(value, types[0], context.types)


def _key(value: Datum, pg_type: PgType, context: TypeContext) -> str:
    if pg_type.element is not None or pg_type in {JSON, JSONB} or is_row(pg_type):
        raise InvalidParameterValueError("key value must be scalar, not array, composite, or json")
    if pg_type is BOOL:
        return "true" if value else "false"
    return (
        _iso(value, pg_type, context) if pg_type.oid in _TIMES else pg_type.output(value, context)
    )


def _pairs(
    context: EvalContext,
    types: Types,
    values: Sequence[Datum],
    no_key: str,
    hint: str = "",
) -> list[tuple[str, str]]:
    """Keys and values as text; no_key: what is said of argument %d that is a NULL key."""
    if len(values) % 2:
        raise InvalidParameterValueError(
            "argument list must have even number of elements",
            hint="The arguments of json_build_object() must consist of alternating keys and values.",
        )
    found = []
    for at in range(0, len(values), 2):
        if values[at] is None:
            raise InvalidParameterValueError(no_key % (at + 1), hint=hint)
        key = _key(values[at], types[at], context.types)
        found.append((key, to_json(values[at + 1], types[at + 1], context.types)))
    return found


def _build_object(context: EvalContext, types: Types, *values: Datum) -> str:
    hint = "Object keys should be text."
    pairs = _pairs(context, types, values, "argument %d cannot be null", hint)
    return "{" + ", ".join([f"{quote(k)} : {v}" for k, v in pairs]) + "}"


def _build_object_b(context: EvalContext, types: Types, *values: Datum) -> str:
    pairs = _pairs(context, types, values, "argument %d: key must not be null")
    return dump({k: parse(v) for k, v in pairs})


def _build_array(context: EvalContext, types: Types, *values: Datum) -> str:
    items = [to_json(v, t, context.types) for v, t in zip(values, types, strict=True)]
    return "[" + ", ".join(items) + "]"


def _build_array_b(context: EvalContext, types: Types, *values: Datum) -> str:
    return dump(parse(_build_array(context, types, *values)))


def _object_of(texts: tuple[Datum, ...]) -> list[tuple[str, str | None]]:
    """Pairs of an array, one behind the other or each a row of two."""
    shape, texts = array_shape(texts), items_of(texts)
    if len(shape) > 2:
        raise ArraySubscriptError("wrong number of array subscripts")
    if len(shape) == 2:
        if shape[1] != 2:
            raise ArraySubscriptError("array must have two columns")
        return [(key, value) for key, value in texts]
    if len(texts) % 2:
        raise ArraySubscriptError("array must have even number of elements")
    return list(zip(texts[::2], texts[1::2], strict=True))


def _object_text(pairs: Sequence[tuple[str | None, str | None]]) -> str:
    items = []
    for key, value in pairs:
        if key is None:
            raise NullValueNotAllowedError("null value not allowed for object key")
        items.append(f"{quote(key)} : {'null' if value is None else quote(value)}")
    return "{" + ", ".join(items) + "}"


def _object_pairs(keys: tuple[Datum, ...], values: tuple[Datum, ...]) -> str:
    if max(len(array_shape(keys)), len(array_shape(values))) > 1:
        raise ArraySubscriptError("wrong number of array subscripts")
    if len(keys) != len(values):
        raise ArraySubscriptError("mismatched array dimensions")
    return _object_text(list(zip(keys, values, strict=True)))


# ------------------------------------------------------------------ aggregates


def _agg(context: EvalContext, types: Types, rows: list[tuple[Datum, ...]]) -> str | None:
    if not rows:
        return None
    items = [None if v is None else to_json(v, types[0], context.types) for (v,) in rows]
    return _listed(items, in_lines=types[0].element is not None or is_row(types[0]))


def _listed(items: Sequence[str | None], *, in_lines: bool) -> str:
    """A json array; with `in_lines`, arrays and rows begin on lines of their own, unlike null."""
    line = ", \n " if in_lines else ", "
    parts = [("null", ", ") if item is None else (item, line) for item in items]
    text = "".join([before + item for item, before in parts])
    return "[" + text.removeprefix(parts[0][1]) + "]"


def _agg_rows(rows: list[tuple[Datum, ...]]) -> str | None:
    """json_agg of rows, which have become json objects."""
    if not rows:
        return None
    return _listed([v for (v,) in rows], in_lines=True)


def _agg_b(context: EvalContext, types: Types, rows: list[tuple[Datum, ...]]) -> str | None:
    text = _agg(context, types, rows)
    return None if text is None else dump(parse(text))


def _members(
    context: EvalContext, types: Types, rows: list[tuple[Datum, ...]]
) -> list[tuple[str, str]]:
    found = []
    for key, value in rows:
        if key is None:
            raise InvalidParameterValueError("field name must not be null")
        name = _key(key, types[0], context.types)
        found.append((name, to_json(value, types[1], context.types)))
    return found


def _object_agg(context: EvalContext, types: Types, rows: list[tuple[Datum, ...]]) -> str | None:
    if not rows:
        return None
    members = _members(context, types, rows)
    return "{ " + ", ".join([f"{quote(k)} : {v}" for k, v in members]) + " }"


def _object_agg_b(context: EvalContext, types: Types, rows: list[tuple[Datum, ...]]) -> str | None:
    if not rows:
        return None
    return dump({k: parse(v) for k, v in _members(context, types, rows)})


def _variadic(name: str, result: PgType, row: Callable[..., str]) -> list[Overload]:
    more = {"strict": False, "needs_context": True, "needs_types": True}
    return [
        function(name, (), result, row, volatility=Volatility.STABLE, **more),
        function(name, (ANY,), result, row, variadic=True, volatility=Volatility.STABLE, **more),
    ]


_TYPED = {"needs_context": True, "needs_types": True, "volatility": Volatility.STABLE}

ROW_OBJECT = function("record to json", (ANY,), JSON, _row, variadic=True, strict=False, **_TYPED)
"""What `sql.json_rows` puts in place of a row value."""

ROWS_ARRAY = aggregate("json_agg of records", (JSON,), JSON, _agg_rows)

OVERLOADS: tuple[Overload, ...] = (
    ROW_OBJECT,
    ROWS_ARRAY,
    function("row_to_json", (RECORD,), JSON, _to_json, **_TYPED),
    function("row_to_json", (RECORD, BOOL), JSON, _row_lines, **_TYPED),
    function("to_json", (ANYELEMENT,), JSON, _to_json, **_TYPED),
    function("to_jsonb", (ANYELEMENT,), JSONB, _to_jsonb, **_TYPED),
    function("array_to_json", (ANYARRAY,), JSON, _to_json, **_TYPED),
    function("array_to_json", (ANYARRAY, BOOL), JSON, _array_lines, **_TYPED),
    *_variadic("json_build_object", JSON, _build_object),
    *_variadic("jsonb_build_object", JSONB, _build_object_b),
    *_variadic("json_build_array", JSON, _build_array),
    *_variadic("jsonb_build_array", JSONB, _build_array_b),
    function("json_object", (_TEXTS,), JSON, lambda a: _object_text(_object_of(a))),
    function("jsonb_object", (_TEXTS,), JSONB, lambda a: dump(parse(_object_text(_object_of(a))))),
    function("json_object", (_TEXTS, _TEXTS), JSON, _object_pairs),
    function(
        "jsonb_object", (_TEXTS, _TEXTS), JSONB, lambda k, v: dump(parse(_object_pairs(k, v)))
    ),
    aggregate("json_agg", (ANYELEMENT,), JSON, _agg, **_TYPED),
    aggregate("jsonb_agg", (ANYELEMENT,), JSONB, _agg_b, **_TYPED),
    aggregate("json_object_agg", (ANY, ANY), JSON, _object_agg, **_TYPED),
    aggregate("jsonb_object_agg", (ANY, ANY), JSONB, _object_agg_b, **_TYPED),
)
