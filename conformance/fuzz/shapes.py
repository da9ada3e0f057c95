"""Shapes of queries that DataFusion does not answer: what the server runs as programs over rows.

Frames of every kind, subqueries and LATERAL items that depend on the rows around them, aggregates of a
query around, ties, recursion. Each shows what no order of equals can change.
"""

from collections.abc import Callable, Sequence
from random import Random

from conformance.fuzz.pieces import Piece, optional, piece
from conformance.fuzz.tables import Column, Table
from conformance.fuzz.vocabulary import SORTED

_NUMBERS = ("int2", "int4", "int8", "numeric", "num2", "float4", "float8")
_OFFSETS = {
    **dict.fromkeys(_NUMBERS, ("0", "1", "2", "30")),
    **dict.fromkeys(("date", "timestamp", "timestamptz", "time", "interval"),
                    ("'0'", "'1 day'", "'1 month'", "'90 minutes'")),
}  # fmt: skip
_EXCLUDES = ("", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES")


class Shapes:
    """Makes queries of these shapes over some tables."""

    def __init__(self, random: Random, tables: Sequence[Table]) -> None:
        self._random = random
        self._tables = tables
        self._shapes: tuple[Callable[[], Piece], ...] = (
            self._window, self._window, self._scalar, self._exists, self._membership, self._array,
            self._lateral, self._lateral, self._outer_aggregate, self._ties, self._recursion,
            self._sets, self._in_aggregate, self._join, self._rows, self._rows,
        )  # fmt: skip

    def query(self) -> Piece:
        """A query whose order is not told."""
        return self._random.choice(self._shapes)()

    # -------------------------------------------------------------- pieces

    def _one(self, *options: str) -> str:
        return self._random.choice(options)

    def _table(self) -> Table:
        return self._random.choice(self._tables)

    def _column(self, table: Table, kinds: Sequence[str] = SORTED) -> Column | None:
        found = [column for column in table.columns if column.kind in kinds]
        return self._random.choice(found) if found else None

    def _alike(self, first: Table, second: Table) -> str:
        """A condition that ties rows of `b` to those of `a`, by columns of one kind where there are any."""
        pairs = [
            (mine.name, other.name)
            for mine in first.columns
            for other in second.columns
            if mine.kind == other.kind and mine.kind in SORTED
        ]
        if not pairs:
            return self._one("true", "a.c0 IS NOT NULL")
        mine, other = self._random.choice(pairs)
        return f"b.{other} {self._one('=', '=', '=', '<', '<>', 'IS NOT DISTINCT FROM')} a.{mine}"

    def _key(self, table: Table, alias: str) -> str:
        return ", ".join([f"{alias}.{c.name}" for c in table.columns[: table.keys]])

    # -------------------------------------------------------------- windows

    def _window(self) -> Piece:
        table = self._table()
        key = self._key(table, "a")
        total = self._random.random() < 0.5
        by = self._column(table, tuple(_OFFSETS)) if not total else None
        value = table.columns[0]
        way = self._one("", " DESC", " NULLS FIRST", " DESC NULLS LAST")
        if by is None:
            call = self._one(
                f"array_agg(a.{value.name})", f"string_agg(a.{value.name}::text, ',')",
                f"json_agg(a.{value.name})", "count(*)", f"last_value(a.{value.name})",
                f"nth_value(a.{value.name}, 2)",
            )  # fmt: skip
            order, mode, offsets = key, self._one("ROWS", "GROUPS"), ("0", "1", "2")
        else:
            call = self._one("count(*)", f"min(a.{value.name})", f"count(a.{by.name})")
            order, mode, offsets = (
                f"a.{by.name}{way}",
                self._one("RANGE", "GROUPS"),
                _OFFSETS[by.kind],
            )
            if mode == "GROUPS":
                offsets = ("0", "1", "2")
        start, end = self._one(*offsets), self._one(*offsets)
        frame = self._one(
            f"BETWEEN {start} PRECEDING AND {end} FOLLOWING",
            f"BETWEEN UNBOUNDED PRECEDING AND {end} PRECEDING",
            f"BETWEEN {start} FOLLOWING AND UNBOUNDED FOLLOWING",
            f"BETWEEN CURRENT ROW AND {end} FOLLOWING",
            f"BETWEEN {start} PRECEDING AND CURRENT ROW",
        )
        # What only some kinds have an order for is no argument of min.
        if call.startswith("min(") and value.kind not in (*_NUMBERS, "text", "date"):
            call = "count(*)"
        partition = self._column(table)
        parted = f"PARTITION BY a.{partition.name} " if partition is not None else ""
        return piece(
            f"SELECT {key}, {call} OVER (", optional(parted), f"ORDER BY {order} {mode} {frame}",
            optional(self._one(*_EXCLUDES)), f") FROM {table.name} a",
        )  # fmt: skip

    # -------------------------------------------------------------- correlation

    def _pair(self) -> tuple[Table, Table, str, str]:
        first, second = self._table(), self._table()
        return first, second, self._alike(first, second), self._key(second, "b")

    def _scalar(self) -> Piece:
        first, second, condition, key = self._pair()
        bounds = self._one("LIMIT 1", "OFFSET 1 LIMIT 1", "FETCH FIRST 1 ROW ONLY")
        return piece(
            f"SELECT {self._key(first, 'a')}, (SELECT b.c0::text FROM {second.name} b WHERE {condition}"
            f" ORDER BY {key} {bounds}) FROM {first.name} a"
        )

    def _exists(self) -> Piece:
        first, second, condition, _ = self._pair()
        word = self._one("EXISTS", "NOT EXISTS")
        inner = self._one(
            f"SELECT 1 FROM {second.name} b WHERE {condition} GROUP BY b.c1 HAVING count(*) > 1",
            f"SELECT 1 FROM {second.name} b WHERE {condition} UNION ALL SELECT 2 WHERE a.c0 IS NULL",
            f"SELECT 1 FROM {second.name} b WHERE {condition} OFFSET 1",
            f"SELECT 1 FROM {second.name} b WHERE {condition} AND EXISTS (SELECT 1 FROM {first.name} c"
            " WHERE c.c0 = a.c0 AND b.c0 IS NOT NULL)",
            f"SELECT count(*) FROM {second.name} b WHERE {condition} HAVING count(*) > 1",
        )
        return piece(f"SELECT {self._key(first, 'a')} FROM {first.name} a WHERE {word} ({inner})")

    def _membership(self) -> Piece:
        first, second, condition, key = self._pair()
        word = self._one("IN", "NOT IN", "= ANY", "<> ALL")
        inner = self._one(
            f"SELECT b.c0::text FROM {second.name} b WHERE {condition} ORDER BY {key} LIMIT 2",
            f"SELECT b.c1::text FROM {second.name} b WHERE {condition} UNION SELECT a.c0::text",
            f"SELECT max(b.c0::text) FROM {second.name} b WHERE {condition} GROUP BY b.c1",
        )
        return piece(
            f"SELECT {self._key(first, 'a')} FROM {first.name} a WHERE a.c1::text {word} ({inner})"
        )

    def _array(self) -> Piece:
        first, second, condition, key = self._pair()
        inner = self._one(
            f"SELECT b.c0::text FROM {second.name} b WHERE {condition} ORDER BY {key} LIMIT 3",
            f"SELECT DISTINCT b.c1::text FROM {second.name} b WHERE {condition} ORDER BY 1",
            f"SELECT x.v FROM (SELECT b.c0::text AS v FROM {second.name} b WHERE {condition}"
            " UNION ALL SELECT a.c0::text) x ORDER BY 1",
        )
        return piece(f"SELECT {self._key(first, 'a')}, ARRAY({inner}) FROM {first.name} a")

    def _lateral(self) -> Piece:
        first, second, condition, key = self._pair()
        inner = self._one(
            f"SELECT b.c0::text AS v FROM {second.name} b WHERE {condition} ORDER BY {key} LIMIT 2",
            f"SELECT b.c1::text AS v FROM {second.name} b WHERE {condition} UNION SELECT a.c0::text",
            f"SELECT count(*)::text AS v FROM {second.name} b WHERE {condition} HAVING count(*) > 1",
            "SELECT y.v FROM (VALUES (a.c0::text), (a.c1::text)) y(v)",
            f"SELECT max(b.c0::text) AS v FROM {second.name} b WHERE {condition} GROUP BY b.c1",
            f"WITH w AS (SELECT b.c0::text AS v FROM {second.name} b WHERE {condition})"
            " SELECT p.v FROM w p, w q",
        )
        join = self._one(", LATERAL ({}) x", " LEFT JOIN LATERAL ({}) x ON true",
                         " LEFT JOIN LATERAL ({}) x ON x.v > 'a'")  # fmt: skip
        return piece(f"SELECT {self._key(first, 'a')}, x.v FROM {first.name} a{join.format(inner)}")

    def _outer_aggregate(self) -> Piece:
        first, second, _, _ = self._pair()
        group = self._column(first) or first.columns[0]
        inner = self._one(
            f"SELECT count(*) FROM {second.name} b WHERE b.c0::text > min(a.c0::text)",
            f"SELECT max(a.c0::text) FROM {second.name} b WHERE b.c0 IS NULL",
            f"SELECT count(b.c0) + count(a.c0) FROM {second.name} b",
        )
        return piece(
            f"SELECT a.{group.name}, ({inner}) FROM {first.name} a GROUP BY a.{group.name}",
            optional(f" HAVING EXISTS (SELECT 1 FROM {second.name} b WHERE count(a.c0) > 0)"),
        )

    def _in_aggregate(self) -> Piece:
        first, second, condition, _ = self._pair()
        opening = self._one("sum(", "max(", "count(", "array_agg(DISTINCT ")
        inner = f"(SELECT count(*) FROM {second.name} b WHERE {condition})"
        return piece(f"SELECT {opening}{inner}) FROM {first.name} a")

    def _join(self) -> Piece:
        first, second, condition, _ = self._pair()
        word = self._one("JOIN", "LEFT JOIN", "RIGHT JOIN")
        test = self._one(
            f"b.c0 IN (SELECT z.c0 FROM {second.name} z WHERE z.c1 IS NOT NULL)",
            f"EXISTS (SELECT 1 FROM {first.name} z WHERE z.c0 = a.c0 AND b.c1 IS NOT NULL)",
        )
        return piece(
            f"SELECT {self._key(first, 'a')}, {self._key(second, 'b')} FROM {first.name} a"
            f" {word} {second.name} b ON {condition} AND {test}"
        )

    # -------------------------------------------------------------- rows as values

    def _rows(self) -> Piece:
        first, second, condition, _ = self._pair()
        parts = [column.name for column in first.columns if column.kind in SORTED]
        some = ", ".join([f"a.{n}" for n in self._random.sample(parts, min(2, len(parts)))])
        key = self._key(first, "a")
        pair = f"(SELECT x.{first.columns[0].name} AS p, x.{parts[-1]} AS q FROM {first.name} x)"
        return piece(
            self._one(
                f"SELECT ROW({some}), {key} FROM {first.name} a",
                f"SELECT DISTINCT ({some}, 1) FROM {first.name} a",
                f"SELECT r, count(*) FROM (SELECT ROW({some}) AS r FROM {first.name} a) s GROUP BY r",
                f"SELECT {key}, rank() OVER (ORDER BY ({some}, NULL::int) DESC) FROM {first.name} a",
                f"SELECT s, s IS NULL, s IS NOT NULL FROM {pair} s",
                f"SELECT s = t, s < t, s >= t, s IS DISTINCT FROM t FROM {pair} s, {pair} t",
                f"SELECT s FROM {pair} s UNION SELECT t FROM {pair} t",
                f"SELECT (max_of.r).p FROM (SELECT s AS r FROM {pair} s) max_of",
                f"SELECT {key}, row_to_json(s) FROM {first.name} a LEFT JOIN {pair} s ON s.q = a.{parts[-1]}",
                f"SELECT {key}, count(b), count(b.*), bool_and(b IS NULL) FROM {first.name} a"
                f" LEFT JOIN {second.name} b ON {condition} GROUP BY {key}",
                f"SELECT s FROM {pair} s WHERE s IN (SELECT t FROM {pair} t WHERE t.q IS NOT NULL)",
                f"SELECT COALESCE(CASE WHEN s.q IS NULL THEN NULL ELSE s END, ROW(s.p, s.q)) FROM {pair} s",
                f"SELECT {key} FROM {first.name} a ORDER BY ({some}), {key} LIMIT 2",
            )
        )

    # -------------------------------------------------------------- ties, recursion, sets

    def _ties(self) -> Piece:
        table = self._table()
        by = self._column(table) or table.columns[0]
        way = self._one("", " DESC", " NULLS FIRST")
        return piece(
            f"SELECT a.{by.name} FROM {table.name} a ORDER BY 1{way}",
            optional(" OFFSET 1"), f" FETCH FIRST {self._one('1', '2', '3')} ROWS WITH TIES",
        )  # fmt: skip

    def _recursion(self) -> Piece:
        table = self._table()
        step = self._one(
            f"SELECT n + 1, (SELECT count(*) FROM {table.name} a WHERE a.c0::text > r.n::text)"
            " FROM r WHERE n < 4",
            f"SELECT n + 1, c + count(*) OVER () FROM r, {table.name} a WHERE n < 3",
            "(WITH w AS (SELECT n, c FROM r WHERE n < 4) SELECT n + 1, c FROM w)",
        )
        word = self._one("UNION", "UNION ALL")
        return piece(
            f"WITH RECURSIVE r(n, c) AS (SELECT 1, 0::bigint {word} {step}) SELECT * FROM r"
        )

    def _sets(self) -> Piece:
        table = self._table()
        lists = [c.name for c in table.columns if c.kind in ("ints", "texts")]
        one = f"a.{self._random.choice(lists)}" if lists else "ARRAY[1, NULL, 2]"
        key = self._key(table, "a")
        return piece(
            self._one(
                f"SELECT {key}, x.* FROM {table.name} a, unnest({one}, ARRAY['p', 'q']) x(v, w)",
                f"SELECT {key}, x.* FROM {table.name} a LEFT JOIN ROWS FROM (unnest({one}),"
                " generate_series(1, 2)) WITH ORDINALITY x(v, w, o) ON true",
                f"SELECT {key}, unnest({one}), generate_series(1, 2) FROM {table.name} a",
                f"SELECT unnest({one}), count(*) FROM {table.name} a GROUP BY 1",
            )
        )
