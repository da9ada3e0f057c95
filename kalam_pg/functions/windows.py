"""Window functions proper. They have no row implementation: engines compute them over a frame."""

from catalog.types.registry import ANYCOMPATIBLE, ANYELEMENT, FLOAT8, INT4, INT8
from catalog.types.table import PgType
from kalam_pg.functions.table import Overload, OverloadKind


def _window(name: str, args: tuple[PgType, ...], result: PgType, native: str) -> Overload:
    return Overload(name, OverloadKind.WINDOW, args, result, native=native, strict=False)


OVERLOADS: tuple[Overload, ...] = (
    _window("row_number", (), INT8, "row_number()"),
    _window("rank", (), INT8, "rank()"),
    _window("dense_rank", (), INT8, "dense_rank()"),
    _window("percent_rank", (), FLOAT8, "percent_rank()"),
    _window("cume_dist", (), FLOAT8, "cume_dist()"),
    _window("ntile", (INT4,), INT4, "ntile({0})"),
    *(
        overload
        for name in ("lag", "lead")
        for overload in (
            _window(name, (ANYELEMENT,), ANYELEMENT, name + "({0})"),
            _window(name, (ANYELEMENT, INT4), ANYELEMENT, name + "({0}, {1})"),
            _window(
                name, (ANYCOMPATIBLE, INT4, ANYCOMPATIBLE), ANYCOMPATIBLE, name + "({0}, {1}, {2})"
            ),
        )
    ),
    _window("first_value", (ANYELEMENT,), ANYELEMENT, "first_value({0})"),
    _window("last_value", (ANYELEMENT,), ANYELEMENT, "last_value({0})"),
    _window("nth_value", (ANYELEMENT, INT4), ANYELEMENT, "nth_value({0}, {1})"),
)
