"""Every function, operator, cast and aggregate of PostgreSQL with values at the edges of their types.

Usage: python -m conformance.fuzz.calls [--seed N] [--draws N] [--only NAME] [--words]
                                        [--postgresql DSN --kalam DSN]

What there is to call is read from PostgreSQL's catalogue. Each is called with constants, in text and binary,
and over the rows of one table that has columns of every type: rows in the log and then in a segment, each
time answered by this process and by a worker. Prints the first difference of each kind of each callable, then
counts, and names what PostgreSQL has and we have not; ends with 1 if there was a difference that is not known
to be one (_KNOWN says which are, and why). --words: errors of one SQLSTATE that say something else are
differences, too.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from conformance.fuzz import edges
from conformance.fuzz.__main__ import servers
from conformance.fuzz.pieces import Rendered
from conformance.fuzz.sides import Answer, Side, ask_both
from conformance.fuzz.verdicts import NO_FAILURES, REFUSED, RIGHT, verdict

ROWS: Final = 24
TABLE: Final = "edges"
_SCHEMA: Final = "edged"
_ABSENT: Final = frozenset({"error 42883", "error 42704", "error 42725"})
"""There is no such function or type here, or no one that fits best: refused, by another name."""

_LEFT_OUT: Final = (
    "pg_(?!typeof|size|lsn|column_(?!is_)|input)|current|session|inet_(client|server)|has_|txid_|to_reg|lo|acl|make_acl"
    "|(database|schema|table|query|cursor)_to|xml|binary_upgrade|brin|gin|gist|spg|bt|hash|ri_|amvalidate|mxid"
    "|row_security|shobj|obj_|col_desc|version|now$|statement_|transaction_|getpgusername|get(?!_bit|_byte)|_pg"
    "|ts_|tsvector|tsquery|tsmatch|tsq_|numnode|query|setweight|strip|plainto|phraseto|websearch|unique_key"
    "|like_|ilike|jsonb?_to_tsvector|to_ts"
)
"""What tells of the session, the server or the catalogue, or is of an index, of XML or of text search."""

_FUNCTIONS: Final = f"""
SELECT proname, prokind, proretset, aggkind, aggnumdirectargs, array_to_string(
       ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) WITH ORDINALITY u(t, n) ORDER BY n), ';')
FROM pg_proc LEFT JOIN pg_aggregate ON aggfnoid = pg_proc.oid
WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind IN ('f', 'a') AND provolatile <> 'v'
  AND prorettype <> ALL ('{{internal,cstring,trigger,event_trigger,void}}'::regtype[])
  AND proname !~ '^({_LEFT_OUT})'
ORDER BY 1, pg_proc.oid
"""
_OPERATORS: Final = """
SELECT oprname, format_type(nullif(oprleft, 0), NULL), format_type(oprright, NULL)
FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace ORDER BY 1, oid
"""
_CASTS: Final = """
SELECT format_type(castsource, NULL), format_type(casttarget, NULL) FROM pg_cast ORDER BY 1, 2
"""

_ELEMENTS: Final = ("integer", "text", "numeric", "timestamptz", "jsonb", "double precision")
_RANGES: Final = {"integer": "int4range", "numeric": "numrange", "timestamptz": "tstzrange"}
_SPELLED: Final = {
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
}
"""Names that `format_type` has and `edges` has not."""


_KNOWN: Final = (
    (
        "sqlstate",
        r"(float8_(regr_)?(accum|combine)|int[24]_avg_accum|int8_avg)\(.*",
        "an array that is no state of the aggregate is XX000 there and 22023 here",
    ),
    (
        "sqlstate",
        r"money / (smallint|integer|bigint)|cash_div_int[248]\(.*",
        "the least money by -1: the processor's exception there (22P01), out of range here",
    ),
    (
        "sqlstate",
        r".*::regtype|regtype\(.*",
        "the text is read by the grammar there: what is no type's name may be a syntax error",
    ),
    (
        "error 22008",
        r"make_interval\(.*",
        "a field that overflows wraps around there, as it did until PostgreSQL 17; refused here",
    ),
    (
        "error 22023",
        r"(timezone|date_trunc)\(.*text.*|make_timestamptz\(.*text\)",
        "a zone in POSIX's form is there of any signs, and of 24 hours and more; refused here",
    ),
    (
        "sqlstate",
        r"text::time( with(out)? time zone)?",
        "the same of a zone in a time's text",
    ),
    (
        "sqlstate",
        r"text::macaddr",
        "both refuse it: there digits may have signs, so that some of it is read and is out of range",
    ),
    (
        "error 22P02",
        r"text::(oid|int2)vector",
        "reads numbers there as far as they go, '2024-02-29' as three; refused here",
    ),
    (
        "wrong",
        r"inetmi_int8\(.*|inet - bigint",
        "the opposite of the least bigint is itself there",
    ),
    (
        "no error",
        r"(avg|sum)\((double precision|real)\)",
        "avg() adds up squares there, and fails where they overflow; and either where a sum overflows "
        "before a NaN comes, which here no order promises",
    ),
    (
        "wrong",
        r'bpchar\("char"\)|"char"::character',
        "makes a character there that is none of the encoding, of a byte above 127 or of 0",
    ),
    ("wrong", r"age\(xid\)", "how many transactions there have been"),
    ("wrong", r".*::reg(proc|procedure|role|namespace)", "OIDs that each server gives itself"),
    (
        "error 5(3200|4000|7014)",
        r"generate_series\(timestamp.*",
        "a series of more rows than a set may have here, of which LIMIT wants few",
    ),
)
"""What differs knowingly: (verdict, callables, why). Both are patterns of the whole."""
_IS_KNOWN: Final = "known"
_FINE: Final = NO_FAILURES | {_IS_KNOWN}


def _known(found: str, name: str) -> bool:
    return any(re.fullmatch(v, found) and re.fullmatch(n, name) for v, n, _ in _KNOWN)


@dataclass(frozen=True, slots=True)
class Call:
    """text: with {} for each argument. ordered: an aggregate whose arguments are followed by {order}."""

    name: str
    text: str
    types: tuple[str, ...]
    kind: str = "value"

    def of(self, arguments: list[str], order: str = "") -> str:
        """It with these arguments."""
        return self.text.replace("{order}", order).format(*arguments)


@dataclass
class Totals:
    """verdicts of all that was asked, and the names of what is not here."""

    verdicts: Counter[str] = field(default_factory=Counter)
    absent: Counter[str] = field(default_factory=Counter)
    calls: int = 0

    @property
    def failures(self) -> int:
        return sum(n for name, n in self.verdicts.items() if name not in _FINE)

    def __str__(self) -> str:
        names = ", ".join(sorted(self.absent))
        counts = ", ".join(f"{name} {n}" for name, n in self.verdicts.most_common())
        return f"{self.calls} callables; {counts}\nnot here: {names}"


def calls(theirs: Side, random: Random) -> Iterator[Call]:
    """All that have arguments of types whose edges are known; what is polymorphic gets a type by chance."""
    for name, kind, is_set, aggregate, direct, types in _texts(theirs, _FUNCTIONS):
        args = tuple(filter(None, types.split(";")))
        holes = ["{}"] * len(args)
        call = f'pg_catalog."{name}"({", ".join(holes)})'
        if kind == "a":
            if aggregate == "h":
                continue
            sorted_by = ", ".join(holes[int(direct) :])
            call = (
                f'"{name}"({", ".join(holes[: int(direct)])}) WITHIN GROUP (ORDER BY {sorted_by})'
                if aggregate == "o"
                else f'"{name}"({", ".join(holes) or "*"}{{order}})'
            )
        yield from _fitting(
            f"{name}({types})",
            call,
            args,
            "aggregate" if kind == "a" else "set" if is_set == "t" else "value",
            random,
        )
    for name, left, right in _texts(theirs, _OPERATORS):
        text, args = (
            (f"({{}}) {name} ({{}})", (left, right)) if left else (f"{name} ({{}})", (right,))
        )
        yield from _fitting(f"{left} {name} {right}", text, args, "value", random)
    casts = {*_texts(theirs, _CASTS)}
    for of in edges.VALUES:
        casts |= {(of, "text"), ("text", of)}
    for source, target in sorted(casts):
        yield from _fitting(f"{source}::{target}", f"({{}})::{target}", (source,), "value", random)


def _fitting(
    name: str, text: str, types: tuple[str, ...], kind: str, random: Random
) -> Iterator[Call]:
    element = random.choice(list(_RANGES) if any("range" in of for of in types) else _ELEMENTS)
    found = tuple([_concrete(of, element) for of in types])
    if all(of.removesuffix("[]") in edges.VALUES for of in found):
        yield Call(name, text, found, kind)


def _concrete(of: str, element: str) -> str:
    of = _SPELLED.get(of.removesuffix("[]"), of.removesuffix("[]")) + "[]" * of.endswith("[]")
    match of.replace("compatible", ""):
        case "anyelement" | "anynonarray" | "any" | '"any"':
            return element
        case "anyarray":
            return f"{element}[]"
        case "anyrange":
            return _RANGES.get(element, of)
        case "anymultirange":
            return _RANGES.get(element, of).replace("range", "multirange")
        case _:
            return of


def _texts(side: Side, query: str) -> list[tuple[str, ...]]:
    answer = side.run(query)
    assert answer.rows is not None, str(answer)
    return [tuple([(value or b"").decode() for value in row]) for row in answer.rows]


class Comparison:
    """Asks both of each call, and tells what differs. columns: of the table, by type, two of each."""

    def __init__(
        self, theirs: Side, ours: Side, random: Random, show: Callable[[str], None], *, words: bool
    ) -> None:
        self.theirs, self.ours, self.totals = theirs, ours, Totals()
        self._random, self._show, self._words = random, show, words
        self._told: set[tuple[str, str]] = set()
        self._columns: dict[str, tuple[str, str]] = {}

    def fill(self) -> None:
        """Make the table of all types that both can store, and put the same rows into both."""
        for side in (self.theirs, self.ours):
            side.run(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
            side.run(f"CREATE SCHEMA {_SCHEMA}")
            side.run(f"SET search_path = {_SCHEMA}")
        for at, of in enumerate([*edges.VALUES, *[f"{element}[]" for element in edges.ARRAYS]]):
            if all(_storable(side, of) for side in (self.theirs, self.ours)):
                self._columns[of] = f"a{at}", f"b{at}"
        definition = ", ".join(
            f"{name} {of}" for of, names in self._columns.items() for name in names
        )
        rows = [
            ", ".join(edges.literal(self._random, of) for of in self._columns for _ in range(2))
            for _ in range(ROWS)
        ]
        for side in (self.theirs, self.ours):
            _made(side, f"CREATE TABLE {TABLE} (n integer PRIMARY KEY, {definition})")
            for n, row in enumerate(rows):
                _made(side, f"INSERT INTO {TABLE} VALUES ({n}, {row})")

    def constants(self, call: Call, draws: int) -> None:
        """So many calls with constants."""
        if call.kind == "aggregate":
            return
        form = "SELECT * FROM {} LIMIT 200" if call.kind == "set" else "SELECT {} AS x"
        for _ in range(draws):
            made = call.of([edges.literal(self._random, of) for of in call.types])
            self._compare(
                call, form.format(made), self._random.choice(("simple", "simple", "binary"))
            )

    def of_rows(self, call: Call, place: str) -> None:
        """Calls over the rows of the table that have an answer at PostgreSQL's."""
        if call.kind == "set" or any(of not in self._columns for of in call.types):
            return
        taken: Counter[str] = Counter()
        arguments = []
        for of in call.types:
            arguments.append(self._columns[of][taken[of] % 2])
            taken[of] += 1
        if call.kind == "aggregate":
            statements = self._aggregated(call, arguments)
        else:
            made = call.of(arguments)
            sound = [
                n for n in range(ROWS) if self._sound(f"SELECT {made} FROM {TABLE} WHERE n = {n}")
            ]
            if not sound:
                return
            listed = ", ".join(map(str, sound))
            statements = [f"SELECT n, {made} AS x FROM {TABLE} WHERE n IN ({listed}) ORDER BY n"]
        for statement in statements:
            for here in ("on", "off"):
                self.ours.run(f"SET kalam.in_process_queries = {here}")
                road = f"{place}, {'here' if here == 'on' else 'a worker'}"
                self._compare(call, statement, "simple", road)
        self.ours.run("RESET kalam.in_process_queries")

    def _aggregated(self, call: Call, arguments: list[str]) -> list[str]:
        if "WITHIN GROUP" in call.text:
            if len(call.types) > 1:
                arguments[0] = "0.5" if call.types[0] == "double precision" else "ARRAY[0.1, 0.9]"
            made = call.of(arguments)
            return [
                f"SELECT {made} AS x FROM {TABLE}",
                f"SELECT n % 3, {made} AS x FROM {TABLE} GROUP BY 1",
            ]
        ordered = call.of(arguments, " ORDER BY n" if arguments else "")
        plain = call.of(arguments)
        return [
            f"SELECT {ordered} AS x FROM {TABLE}",
            f"SELECT n % 3, {ordered} AS x FROM {TABLE} GROUP BY 1",
            f"SELECT n, {plain} OVER (ORDER BY n) AS x FROM {TABLE}",
            f"SELECT n, {plain} OVER (ORDER BY n ROWS 2 PRECEDING) AS x FROM {TABLE}",
        ]

    def _sound(self, statement: str) -> bool:
        return self.theirs.run(statement).error is None

    def _compare(self, call: Call, statement: str, form: str, road: str = "constants") -> None:
        theirs, ours = ask_both(self.theirs, self.ours, Rendered(statement), form)
        found = verdict(theirs, ours, ordered="ORDER BY n" in statement, statement=statement)
        if found in _ABSENT:
            self.totals.absent[call.name] += 1
            found = REFUSED
        if self._words and found == RIGHT and theirs.error != ours.error:
            found = "words"
        if found not in NO_FAILURES and _known(found, call.name):
            found = _IS_KNOWN
        self.totals.verdicts[found] += 1
        if found not in _FINE and (call.name, found) not in self._told:
            self._told.add((call.name, found))
            self._show(
                f"-- {found}: {call.name}, {road}, {form}\n{statement}\n  {_shown(theirs, ours)}"
            )


def _shown(theirs: Answer, ours: Answer) -> str:
    """Both answers, or the rows in which they differ."""
    if theirs.rows is None or ours.rows is None or len(theirs.rows) != len(ours.rows):
        return f"PostgreSQL: {theirs}\n  kalam_pg:   {ours}"
    rows = [pair for pair in zip(theirs.rows, ours.rows, strict=True) if pair[0] != pair[1]][:4]
    if not rows:
        return f"PostgreSQL: {theirs.columns}\n  kalam_pg:   {ours.columns}"
    return "\n  ".join(f"PostgreSQL: {a}\n  kalam_pg:   {b}" for a, b in rows)


def _storable(side: Side, of: str) -> bool:
    made = side.run(f"CREATE TABLE probe (n integer PRIMARY KEY, x {of})").error is None
    side.run("DROP TABLE IF EXISTS probe")
    return made


def _made(side: Side, statement: str) -> None:
    answer = side.run(statement)
    assert answer.error is None, f"{answer}: {statement[:2000]}"


def compare(
    theirs: Side, ours: Side, show: Callable[[str], None], *, seed: int = 0, draws: int = 8, only: str = "",
    words: bool = False, part: slice = slice(None),
) -> Totals:  # fmt: skip
    """Compare all callables, or those whose names have `only`, or a part of them."""
    random = Random(f"calls/{seed}")
    comparison = Comparison(theirs, ours, random, show, words=words)
    comparison.fill()
    chosen = [call for call in calls(theirs, random) if only in call.name][part]
    comparison.totals.calls = len(chosen)
    for call in chosen:
        comparison.constants(call, draws)
        comparison.of_rows(call, "the log")
    _made(ours, f"STORAGE FLUSH TABLE {_SCHEMA}.{TABLE}")
    for call in chosen:
        comparison.of_rows(call, "a segment")
    return comparison.totals


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.fuzz.calls")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=8, help="calls of each with constants")
    parser.add_argument("--only", default="", help="those whose name has this")
    parser.add_argument("--words", action="store_true", help="compare the messages of errors")
    parser.add_argument("--postgresql", default="")
    parser.add_argument("--kalam", default="")
    asked = parser.parse_args()
    with servers(asked.postgresql, asked.kalam) as (theirs, ours):
        totals = compare(
            theirs, ours, lambda told: print(told, flush=True),
            seed=asked.seed, draws=asked.draws, only=asked.only, words=asked.words,
        )  # fmt: skip
    print(totals)
    return 1 if totals.failures else 0


if __name__ == "__main__":
    sys.exit(main())
