"""docs/reference/functions.md, from the function table itself."""

from collections.abc import Iterable

from catalog.types.table import PgType
from kalam_pg.functions.lookup import everything
from kalam_pg.functions.table import Overload, OverloadKind

_INTRODUCTION = """\
# Functions and operators

Every overload that there is, as PostgreSQL resolves them: `anyelement`, `anyarray` and
`anycompatible` stand for types that the arguments decide; `…` repeats the last argument; arguments in
brackets may be left out. A function that PostgreSQL has and this server does not is refused with
`0A000`; one that nobody has with `42883`. This page is generated from `kalam_pg/functions`.

Some constructs are syntax and are not listed: `CASE`, `COALESCE`, `NULLIF`, `GREATEST`, `LEAST`,
`AND`, `OR`, `NOT`, `IS …`, `IN`, `BETWEEN`, `EXISTS`, `ANY`, `ALL`, `ARRAY[…]`, `CAST`, `GROUPING`.
"""

_CONTEXTS = {"i": "implicit", "a": "assignment", "e": "explicit"}


def reference() -> str:
    """The page."""
    by_kind: dict[OverloadKind, list[Overload]] = {kind: [] for kind in OverloadKind}
    for overload in everything():
        if overload.kind is not OverloadKind.CAST or overload.args[0] is not overload.result:
            by_kind[overload.kind].append(overload)
    lines = [_INTRODUCTION]
    for title, kind in (
        ("Functions", OverloadKind.FUNCTION),
        ("Functions that return sets", OverloadKind.SET),
        ("Aggregates", OverloadKind.AGGREGATE),
        ("Window functions", OverloadKind.WINDOW),
    ):
        lines += [f"## {title}", "", "| name | arguments | result |", "|---|---|---|"]
        lines += _unique(_function(o) for o in sorted(by_kind[kind], key=_order))
        lines.append("")
    lines += [
        "Any aggregate may be used as a window function too, unless it is refused by name.",
        "",
    ]
    lines += ["## Operators", "", "| operator | left | right | result |", "|---|---|---|---|"]
    lines += _unique(_operator(o) for o in sorted(by_kind[OverloadKind.OPERATOR], key=_order))
    lines += ["", "## Casts", ""]
    lines += ["Any type may also be cast to and from text, explicitly.", ""]
    lines += ["| from | to | allowed |", "|---|---|---|"]
    lines += _unique(_cast(o) for o in sorted(by_kind[OverloadKind.CAST], key=_order))
    return "\n".join(lines) + "\n"


def _unique(rows: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(rows))


def _order(overload: Overload) -> tuple[str, list[str]]:
    return overload.name, [_name(a) for a in overload.args]


def _function(overload: Overload) -> str:
    names = [f"`{_name(a)}`" for a in overload.args]
    if overload.variadic:
        names[-1] += " …"
    first_default = len(names) - overload.defaults
    names = [f"[{n}]" if at >= first_default else n for at, n in enumerate(names)]
    if overload.out_types:
        columns = zip(overload.out_names, overload.out_types, strict=True)
        result = ", ".join(f"{name} `{_name(type_)}`" for name, type_ in columns)
    else:
        result = f"`{_name(overload.result)}`"
    return f"| `{overload.name}` | {', '.join(names)} | {result} |"


def _operator(overload: Overload) -> str:
    symbol = overload.name.replace("|", "\\|")
    left = f"`{_name(overload.args[0])}`" if len(overload.args) == 2 else ""
    right = f"`{_name(overload.args[-1])}`"
    return f"| `{symbol}` | {left} | {right} | `{_name(overload.result)}` |"


def _cast(overload: Overload) -> str:
    source, target = _name(overload.args[0]), _name(overload.result)
    return f"| `{source}` | `{target}` | {_CONTEXTS[overload.cast_context]} |"


def _name(type_: PgType) -> str:
    return type_.sql_name
