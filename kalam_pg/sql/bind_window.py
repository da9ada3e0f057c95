"""Binding of window frames."""

from sqlglot import exp

from catalog.errors import (
    DatatypeMismatchError,
    FeatureNotSupportedError,
    InvalidColumnReferenceError,
    WindowingError,
)
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.sql.bind_expr import bind_expr
from kalam_pg.sql.coerce import coerce
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import Expr, Frame, SortKey
from kalam_pg.sql.walk import column_refs, location

# What a RANGE offset is for each type that may be ordered by.
RANGE_OFFSETS: dict[PgType, PgType] = {
    types.INT2: types.INT8, types.INT4: types.INT8, types.INT8: types.INT8,
    types.FLOAT4: types.FLOAT8, types.FLOAT8: types.FLOAT8, types.NUMERIC: types.NUMERIC,
    types.DATE: types.INTERVAL, types.TIMESTAMP: types.INTERVAL, types.TIME: types.INTERVAL,
    types.TIMESTAMPTZ: types.INTERVAL, types.INTERVAL: types.INTERVAL,
}  # fmt: skip


def bind_frame(level: Level, spec: exp.WindowSpec, keys: tuple[SortKey, ...]) -> Frame:
    """A frame clause; 42P20 for one that PostgreSQL does not accept."""
    args = spec.args
    mode: str = str(args["kind"]).lower()
    window_at = spec.meta["window"] + 1
    start, start_offset = _bound(level, args, "start", mode, keys, window_at)
    end, end_offset = _bound(level, args, "end", mode, keys, window_at)
    at = position(spec)
    if start == "unbounded following":
        raise WindowingError("frame start cannot be UNBOUNDED FOLLOWING", position=at)
    if end == "unbounded preceding":
        raise WindowingError("frame end cannot be UNBOUNDED PRECEDING", position=at)
    if start == "current row" and end == "preceding":
        raise WindowingError(
            "frame starting from current row cannot have preceding rows", position=at
        )
    if start == "following" and end in ("preceding", "current row"):
        raise WindowingError(
            "frame starting from following row cannot have preceding rows", position=at
        )
    if mode == "groups" and not keys:
        raise WindowingError("GROUPS mode requires an ORDER BY clause", position=window_at)
    exclude = args.get("exclude")
    words = "" if exclude is None else str(exclude.name).lower()
    return Frame(mode, start, start_offset, end, end_offset, "" if words == "no others" else words)


def _bound(
    level: Level,
    args: dict[str, object],
    which: str,
    mode: str,
    keys: tuple[SortKey, ...],
    window_at: int,
) -> tuple[str, Expr | None]:
    bound = args.get(which)
    side = str(args.get(f"{which}_side") or "").lower()
    if bound is None or bound == "CURRENT ROW":
        return "current row", None
    if bound == "UNBOUNDED":
        return f"unbounded {side}", None
    assert isinstance(bound, exp.Expr)
    offset = bind_expr(level, bound)
    target = types.INT8
    if mode == "range":
        if len(keys) != 1:
            raise WindowingError(
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column",
                position=window_at,
            )
        kind = keys[0].expr.type
        if kind not in RANGE_OFFSETS:
            raise FeatureNotSupportedError(
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type "
                f"{kind.sql_name}",
                position=position(bound),
            )
        target = RANGE_OFFSETS[kind]
    cast = coerce(level.state, offset, target, "i" if mode == "range" else "a")
    if cast is None and mode == "range":
        raise FeatureNotSupportedError(
            "RANGE with offset PRECEDING/FOLLOWING is not supported for column type "
            f"{keys[0].expr.type.sql_name} and offset type {offset.type.sql_name}",
            hint="Cast the offset value to an appropriate type.",
            position=location(offset),
        )
    if cast is None:
        raise DatatypeMismatchError(
            f"argument of {mode.upper()} must be type {target.sql_name}, not type "
            f"{offset.type.sql_name}",
            position=location(offset),
        )
    for up, ref in column_refs(cast):
        if up == 0:
            raise InvalidColumnReferenceError(
                f"argument of {mode.upper()} must not contain variables", position=ref.position
            )
    return side, cast
