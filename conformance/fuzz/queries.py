"""Random queries over random tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from conformance.fuzz.expressions import Expressions, Leaf, literal
from conformance.fuzz.pieces import Part, Piece, listed, optional, piece
from conformance.fuzz.tables import Table
from conformance.fuzz.vocabulary import AGGREGATES, KINDS, SORTED, UNSOUND

_FRAMES = (
    "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING",
    "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", "ROWS 2 PRECEDING",
    "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
    "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", "GROUPS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING", "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    "ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
)  # fmt: skip
_EXCLUDED = ("",) * 8 + (
    " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES", " EXCLUDE NO OTHERS",
)  # fmt: skip
_MEASURED = ("int2", "int4", "int8", "numeric", "num2", "float8")
_RANGES = (
    " RANGE BETWEEN 1 PRECEDING AND 2 FOLLOWING", " RANGE 2 PRECEDING",
    " RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING", " RANGE BETWEEN 3 PRECEDING AND 1 PRECEDING",
)  # fmt: skip
_OF_ORDER = (
    ("row_number()", "int8"), ("lag({it})", ""), ("lead({it}, 2)", ""), ("first_value({it})", ""),
    ("last_value({it})", ""), ("nth_value({it}, 2)", ""), ("ntile(2)", "int4"),
)  # fmt: skip
_OF_PEERS = (
    ("rank()", "int8"), ("dense_rank()", "int8"), ("cume_dist()", "float8"), ("count(*)", "int8"),
    ("sum({int4})", "int8"), ("min({int4})", "int4"), ("max({text})", "text"), ("max({float8})", "float8"),
    ("avg({num2})", "numeric"), ("count({text})", "int8"), ("bool_or({bool})", "bool"),
)  # fmt: skip
_JOINS = ("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN")


@dataclass(frozen=True, slots=True)
class Made:
    """A query: its text, the kinds of its columns, and whether its order is told."""

    text: Piece
    kinds: tuple[str, ...]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class _From:
    text: Piece
    leaves: tuple[Leaf, ...]


class Queries:
    """Makes queries. Which rows of equals a LIMIT or a window takes is always told by an order."""

    def __init__(self, random: Random, tables: Sequence[Table]) -> None:
        self._random = random
        self._tables = tables
        self._aliases = 0
        self._ctes: list[tuple[str, tuple[str, ...]]] = []

    def query(self) -> Made:
        """A statement, with WITH and ORDER BY or without."""
        random = self._random
        self._aliases, self._ctes = 0, []
        if random.random() < 0.02:
            return Made(
                piece(f"SELECT {random.choice(UNSOUND)} FROM (VALUES (1)) v"),
                ("int4",),
                True,
            )
        with_ = self._with() if random.random() < 0.2 else piece()
        body = self._body(2)
        text, ordered = body.text, False
        if random.random() < 0.6 and all(KINDS[kind].sorts for kind in body.kinds):
            text, ordered = self._sorted(body), True
        return Made(piece(with_, text), body.kinds, ordered)

    def _body(self, depth: int) -> Made:
        if self._random.random() < 0.15:
            return self._set_operation(depth)
        return self._select(depth)

    def _sorted(self, made: Made, *, limited: float = 0.4) -> Piece:
        """By every column, so that only rows that are alike are in no order."""
        random = self._random
        places = list(range(1, len(made.kinds) + 1))
        random.shuffle(places)
        keys = [
            str(n) + random.choice(("", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"))
            for n in places
        ]
        text = piece(made.text, " ORDER BY ", ", ".join(keys))
        if random.random() < limited:
            text = piece(
                text,
                optional(f" LIMIT {random.randint(0, 6)}"),
                optional(f" OFFSET {random.randint(0, 2)}"),
            )
        return text

    def _with(self) -> Piece:
        items: list[Part] = []
        for _ in range(self._random.choice((1, 1, 2))):
            name = self._alias("w")
            word = self._random.choice(("", "", "MATERIALIZED ", "NOT MATERIALIZED "))
            made = self._body(1)
            columns = ", ".join([f"c{at}" for at in range(len(made.kinds))])
            items.append(piece(f"{name}({columns}) AS {word}(", made.text, ")"))
            self._ctes.append((name, made.kinds))
        return piece("WITH ", listed(items), " ")

    def _alias(self, letter: str) -> str:
        self._aliases += 1
        return f"{letter}{self._aliases}"

    # -------------------------------------------------------------- FROM

    def _from(self, depth: int) -> _From:
        random = self._random
        first = self._item(depth, ())
        for _ in range(random.choice((0, 0, 1, 1, 2))):
            first = self._joined(first, depth)
        return first

    def _item(self, depth: int, before: Sequence[Leaf]) -> _From:
        random = self._random
        alias = self._alias("a")
        chance = random.random()
        if self._ctes and chance < 0.4:
            name, kinds = random.choice(self._ctes)
            return _From(piece(f"{name} {alias}"), _columns(alias, kinds))
        if depth > 0 and chance < 0.6:
            lateral = bool(before) and random.random() < 0.5
            made = self._select(depth - 1, outer=before if lateral else ())
            if random.random() < 0.5 and all(KINDS[kind].sorts for kind in made.kinds):
                made = Made(self._sorted(made), made.kinds)
            names = ", ".join([f"c{at}" for at in range(len(made.kinds))])
            return _From(
                piece("LATERAL " if lateral else "", "(", made.text, f") {alias}({names})"),
                _columns(alias, made.kinds),
            )
        if chance < 0.66:
            return self._function(alias, before)
        table = random.choice(self._tables)
        return _From(piece(f"{table.name} {alias}"), tuple(table.leaves(alias)))

    def _function(self, alias: str, before: Sequence[Leaf]) -> _From:
        random = self._random
        expressions = Expressions(random, before)
        if random.random() < 0.4:
            rows = [
                piece("(", literal(random, "int4"), ", ", literal(random, "text"), ")")
                for _ in range(random.randint(1, 3))
            ]
            return _From(
                piece("(VALUES ", listed([*rows]), f") {alias}(c0, c1)"),
                (Leaf(f"{alias}.c0", "int4"), Leaf(f"{alias}.c1", "text")),
            )
        template, kind = random.choice(
            (("generate_series(1, 3)", "int4"), ("unnest({ints})", "int4"),
             ("jsonb_array_elements(CASE jsonb_typeof({jsonb}) WHEN 'array' THEN {0} END)", "jsonb"),
             ("unnest({texts})", "text"))
        )  # fmt: skip
        call = Piece(expressions.filled(template, kind, 0).parts[1:-1])
        return _From(piece(call, f" {alias}(c0)"), (Leaf(f"{alias}.c0", kind),))

    def _joined(self, left: _From, depth: int) -> _From:
        random = self._random
        word = random.choice(_JOINS)
        right = self._item(
            depth, left.leaves if word in ("JOIN", "LEFT JOIN", "CROSS JOIN") else ()
        )
        leaves = (*left.leaves, *right.leaves)
        if word == "CROSS JOIN":
            if random.random() < 0.5:
                return _From(piece(left.text, ", ", right.text), leaves)
            return _From(piece(left.text, " CROSS JOIN ", right.text), leaves)
        condition = self._join_condition(left, right, leaves, word)
        simple = (left.text,) if not right.leaves else ()
        return _From(
            piece(left.text, f" {word} ", right.text, " ON ", condition, simpler=simple), leaves
        )

    def _join_condition(
        self, left: _From, right: _From, leaves: Sequence[Leaf], word: str
    ) -> Piece:
        random = self._random
        pairs = [
            (a, b)
            for a in left.leaves
            for b in right.leaves
            if a.kind == b.kind and KINDS[a.kind].sorts
        ]
        if not pairs:
            return piece("false" if word == "FULL JOIN" else "true")
        a, b = random.choice(pairs)
        equal = piece(a.text, " = ", b.text)
        if word == "FULL JOIN" or random.random() < 0.5:
            return equal  # PostgreSQL merges or hashes a full join, or refuses it
        more = Expressions(random, leaves).of("bool", 1)
        return piece(equal, optional(" AND ", more))

    # -------------------------------------------------------------- SELECT

    def _select(self, depth: int, outer: Sequence[Leaf] = (), kinds: Sequence[str] = ()) -> Made:
        random = self._random
        source = self._from(depth)
        subquery = self._subquery_maker(depth - 1)
        rows = Expressions(random, source.leaves, subquery, outer)
        where = optional(" WHERE ", rows.of("bool", 2)) if random.random() < 0.55 else piece()
        if random.random() < 0.3:
            return self._grouped(source, rows, where, kinds, depth)
        wanted = kinds or self._some_kinds(source.leaves)
        targets: list[Part] = []
        shown: list[str] = []
        counted = False
        for kind in wanted:
            window = random.random() < 0.12 and not kinds
            if window:
                made, has = self._window(rows, source.leaves, apart=not counted)
                counted = True
            else:
                made, has = rows.of(kind, 2), kind
            simple = literal(random, has, nulls=0)
            targets.append(piece(made, simpler=(simple,)) if window else made)
            shown.append(has)
        return self._finished(targets, shown, source, where, piece(), kinds)

    def _some_kinds(self, leaves: Sequence[Leaf]) -> list[str]:
        random = self._random
        known = [leaf.kind for leaf in leaves]
        return [
            random.choice(known) if known and random.random() < 0.7 else random.choice(tuple(KINDS))
            for _ in range(random.randint(1, 3))
        ]

    def _finished(
        self, targets: list[Part], wanted: Sequence[str], source: _From, where: Piece, late: Piece,
        kinds: Sequence[str],
    ) -> Made:  # fmt: skip
        random = self._random
        distinct = ""
        if random.random() < 0.12 and all(KINDS[kind].sorts for kind in wanted):
            distinct = "DISTINCT "
        head = piece("SELECT ", optional(distinct), listed(targets))
        text = piece(head, " FROM ", source.text, where, late)
        if (
            not distinct
            and not kinds
            and random.random() < 0.05
            and all(KINDS[k].sorts for k in wanted)
        ):
            places = ", ".join([str(n) for n in range(1, len(wanted) + 1)])
            text = piece(
                "SELECT DISTINCT ON (",
                targets[0],
                ") ",
                listed(targets),
                " FROM ",
                source.text,
                where,
                late,
                f" ORDER BY {places}",
            )
            text = piece("(", text, ")")
        return Made(text, tuple(wanted))

    def _grouped(
        self, source: _From, rows: Expressions, where: Piece, kinds: Sequence[str], depth: int
    ) -> Made:
        random = self._random
        columns = [leaf for leaf in source.leaves if KINDS[leaf.kind].sorts]
        keys = random.sample(columns, min(len(columns), random.choice((0, 1, 1, 2))))
        aggregates = [
            Leaf(rows.aggregate(kind), kind)
            for kind in random.choices(tuple(AGGREGATES), k=random.randint(1, 2))
        ]
        clause = piece()
        if keys:
            names = ", ".join([str(key.text) for key in keys])
            form = random.choice(
                ("{}", "{}", "{}", "ROLLUP ({})", "CUBE ({})", "GROUPING SETS (({}), ())")
            )
            clause = piece(" GROUP BY ", form.format(names))
        late = Expressions(
            random, [*keys, *aggregates, *aggregates], self._subquery_maker(depth - 1, keys)
        )
        having = optional(" HAVING ", late.of("bool", 1)) if random.random() < 0.3 else piece()
        if kinds:
            wanted = list(kinds)
            targets: list[Part] = [late.of(kind, 1) for kind in kinds]
        else:
            shown = [*keys, *aggregates]
            wanted = [leaf.kind for leaf in shown]
            targets = [leaf.text for leaf in shown]
            extra = random.choice(tuple(KINDS))
            targets.append(late.of(extra, 1))
            wanted.append(extra)
        return self._finished(targets, wanted, source, where, piece(clause, having), kinds)

    def _window(
        self, rows: Expressions, leaves: Sequence[Leaf], *, apart: bool
    ) -> tuple[Piece, str]:
        """A window function and its kind. apart: no other window of this query looks at single rows; of rows
        that are alike in every column two windows could take another one for the first.
        """
        random = self._random
        every = [str(leaf.text) for leaf in leaves if KINDS[leaf.kind].sorts]
        random.shuffle(every)
        partition = (
            piece(f"PARTITION BY {every[0]} ") if every and random.random() < 0.5 else piece()
        )
        if not every or len(every) < len(leaves):
            # Rows that differ only where there is no order are told apart by no window.
            return piece("count(*) OVER (", partition, ")"), "int8"
        total = "ORDER BY " + ", ".join(every)
        key = rows.of(random.choice(SORTED), 2) if random.random() < 0.4 else random.choice(every)
        one = piece("ORDER BY ", key, random.choice(("", " DESC", " DESC NULLS LAST")))
        if apart and random.random() < 0.5:
            # Which of equals comes first must not matter.
            template, result = random.choice(_OF_ORDER)
            kind = random.choice(leaves).kind
            made = Piece(rows.filled(template.replace("{it}", f"{{{kind}}}"), kind, 1).parts[1:-1])
            call = piece(made, " OVER (", optional(partition), total, ")")
            return call, result or kind
        template, result = random.choice(_OF_PEERS)
        made = Piece(rows.filled(template, "bool", 1).parts[1:-1])
        if "{" in template and random.random() < 0.5:
            measured = [str(leaf.text) for leaf in leaves if leaf.kind in _MEASURED]
            if measured and random.random() < 0.4:
                one = piece("ORDER BY ", random.choice(measured), random.choice(("", " DESC")))
                frame = optional(random.choice(_RANGES) + random.choice(_EXCLUDED))
                return piece(made, " OVER (", optional(partition), one, frame, ")"), result
            frame = optional(" " + random.choice(_FRAMES) + random.choice(_EXCLUDED))
            if not apart:
                return piece(made, " OVER (", optional(partition), one, ")"), result
            return piece(made, " OVER (", optional(partition), total, frame, ")"), result
        return piece(made, " OVER (", optional(partition), one, ")"), result

    # -------------------------------------------------------------- subqueries, set operations

    def _subquery_maker(self, depth: int, outer: Sequence[Leaf] | None = None):
        if depth < 0:
            return None

        def make(kind: str, leaves: Sequence[Leaf]) -> Piece | None:
            seen = leaves if outer is None else outer
            if any(not isinstance(leaf.text, str) for leaf in seen):
                seen = ()
            correlated = seen if self._random.random() < 0.6 else ()
            return self._subquery(kind, correlated, seen, depth)

        return make

    def _subquery(
        self, kind: str, outer: Sequence[Leaf], level: Sequence[Leaf], depth: int
    ) -> Piece | None:
        random = self._random
        if kind == "bool":
            form = random.choice(("exists", "in", "in", "any", "row"))
            if form == "exists":
                made = self._select(depth, outer)
                word = random.choice(("EXISTS", "NOT EXISTS"))
                return piece(f"({word} (", made.text, "))")
            if form == "row":
                return self._row_membership(outer, level, depth)
            same = random.choice(SORTED)
            arg = Expressions(random, level).of(same, 1)
            made = self._select(depth, outer, (same,))
            if form == "in":
                word = random.choice(("IN", "NOT IN"))
                return piece("(", arg, f" {word} (", made.text, "))")
            word = random.choice(("= ANY", "<> ALL", "> ALL", "< ANY", ">= ALL", "<> ANY", "= ALL"))
            return piece("(", arg, f" {word} (", made.text, "))")
        if kind == "ints" and random.random() < 0.5:
            made = self._select(depth, outer, ("int4",))
            return piece("ARRAY(", made.text, " ORDER BY 1)")
        if kind in AGGREGATES and random.random() < 0.6:
            source = self._from(depth)
            rows = Expressions(random, source.leaves, None, outer)
            where = optional(" WHERE ", rows.of("bool", 1)) if random.random() < 0.8 else piece()
            made = rows.aggregate(kind)
            # An aggregate of nothing but outer columns is the outer query's: any row shows it.
            own = any(str(leaf.text) in str(made) for leaf in source.leaves)
            end = ")" if own or "(*)" in str(made) else " LIMIT 1)"
            return piece("(SELECT ", made, " FROM ", source.text, where, end)
        if not KINDS[kind].sorts:
            return None
        made = self._select(depth, outer, (kind,))
        return piece("(", made.text, " ORDER BY 1 LIMIT 1)")

    def _row_membership(self, outer: Sequence[Leaf], level: Sequence[Leaf], depth: int) -> Piece:
        random = self._random
        kinds = tuple(random.choices(SORTED, k=2))
        args = Expressions(random, level)
        pair = piece("(", args.of(kinds[0], 1), ", ", args.of(kinds[1], 1), ")")
        made = self._select(depth, outer, kinds)
        word = random.choice(("IN", "NOT IN", "= ANY", "<> ALL", "=", "<>"))
        end = " ORDER BY 1, 2 LIMIT 1))" if word in ("=", "<>") else "))"
        return piece("(", pair, f" {word} (", made.text, end)

    def _set_operation(self, depth: int) -> Made:
        random = self._random
        kinds = tuple(random.choices(SORTED, k=random.randint(1, 2)))
        parts: list[Part] = ["(", self._select(depth - 1, (), kinds).text, ")"]
        many = random.random() < 0.04
        for _ in range(random.randint(13, 18) if many else random.choice((1, 1, 2, 3))):
            word = random.choice(
                (
                    "UNION",
                    "UNION ALL",
                    "UNION ALL",
                    "INTERSECT",
                    "EXCEPT",
                    "INTERSECT ALL",
                    "EXCEPT ALL",
                )
            )
            made = self._select(0 if many else depth - 1, (), kinds).text
            parts += [optional(f" {word} (", made, ")")]
        # A chain: INTERSECT binds tighter, which both sides know.
        return Made(Piece(tuple(parts)), kinds)


def _columns(alias: str, kinds: Sequence[str]) -> tuple[Leaf, ...]:
    return tuple([Leaf(f"{alias}.c{at}", kind) for at, kind in enumerate(kinds)])
