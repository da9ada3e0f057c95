"""Random arrays of any shape in the columns of tables, hot, in segments and mixed, beside PostgreSQL.

python -m conformance.fuzz.stored_arrays SEED ROUNDS POSTGRESQL_DSN KALAM_DSN
"""

import sys
from collections.abc import Iterator
from random import Random

from conformance.fuzz.arrays import ELEMENTS, Arrays
from conformance.fuzz.sides import Side

_COLUMNS = {"integer": "i", "text": "t", "numeric": "n"}
_TABLES = ("held", "kept")
_STORED = {**ELEMENTS, "numeric": ("1.0", "2.50", "-3", "NULL")}
"""Which of 1 and 1.0 is the first, or the one that DISTINCT gives, nothing says: tables have one of them."""

STATEMENTS = 24
"""Questions and changes of a round, beside the rows that it begins with."""


class StoredArrays(Arrays):
    """Tables with arrays, and what is asked of them and done to them."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self._elements = _STORED
        self._shaped = 0.5
        self._id = 0

    def begin(self) -> Iterator[str]:
        """New tables with some rows; of how many arrays are of another shape differs."""
        self._shaped = self._random.choice((0.0, 0.1, 0.5, 1.0))
        self._id = 0
        temporary = "TEMP " if self._random.random() < 0.15 else ""
        for table in _TABLES:
            yield f"DROP TABLE IF EXISTS {table}"
            yield (
                f"CREATE {temporary}TABLE {table} (id integer PRIMARY KEY, k integer, i integer[], "
                f"t text[] DEFAULT {self._pick('NULL', self._any('text'))}, n numeric[])"
            )
            yield self._insert(table, self._random.choice((0, 1, 6, 30)))

    def _any(self, kind: str) -> str:
        """A literal of an array column."""
        self._kind = kind
        if self._random.random() < 0.12:
            return "NULL"
        if self._random.random() < self._shaped:
            return f"'{self._literal()}'"
        items = [self._braces([]) for _ in range(self._random.randint(0, 3))]
        return f"'{{{','.join(items)}}}'"

    def _insert(self, table: str, count: int) -> str:
        rows = []
        for _ in range(count):
            self._id += 1
            values = [self._any(kind) for kind in _COLUMNS]
            rows.append(f"({self._id}, {self._random.randint(1, 4)}, {', '.join(values)})")
        if not rows:
            return f"DELETE FROM {table} WHERE false"
        return f"INSERT INTO {table} VALUES {', '.join(rows)}"

    def step(self) -> str:
        """A question, a change, or what only our side knows (`STORAGE …`)."""
        dice = self._random.random()
        self._kind = self._random.choice(list(_COLUMNS))
        if dice < 0.15:
            return f"STORAGE {self._pick('FLUSH', 'FLUSH', 'COMPACT')} TABLE {self._pick(*_TABLES)}"
        if dice < 0.2:
            return f"SET kalam.in_process_queries = {self._pick('on', 'off')}"
        return self._change() if dice < 0.5 else self._question()

    def _item(self) -> str:
        return f"'{self._braces([])}'::{self._kind}".replace("'NULL'", "NULL")

    def _test(self) -> str:
        """A condition over a row's array."""
        self._elements = ELEMENTS
        try:
            return self._condition()
        finally:
            self._elements = _STORED

    def _condition(self) -> str:
        c, array = _COLUMNS[self._kind], f"{self._any(self._kind)}::{self._kind}[]"
        return self._pick(
            f"{c} = {array}", f"{c} IS DISTINCT FROM {array}", f"{c} < {array}", f"{c} @> {array}",
            f"{c} <@ {array}", f"{c} && {array}", f"{c} IN ({array}, {array})", f"{c} IS NULL",
            f"{self._item()} = ANY ({c})", f"{c}[{self._bound()}] = {self._item()}",
            f"array_ndims({c}) = {self._pick('1', '2')}", f"cardinality({c}) > 2",
            f"k = {self._pick('1', '2', '3')}", f"id < {self._random.randint(1, 30)}",
            f"array_lower({c}, 1) <> 1",
        )  # fmt: skip

    def _question(self) -> str:
        table, other = self._pick(*_TABLES), self._pick(*_TABLES)
        c, test = _COLUMNS[self._kind], self._test()
        array, n = f"{self._any(self._kind)}::{self._kind}[]", self._bound()
        return self._pick(
            f"SELECT * FROM {table} WHERE {test} ORDER BY id",
            f"SELECT id, {c} FROM {table} ORDER BY id DESC LIMIT 5",
            f"SELECT id, {c} FROM {table} WHERE {test} ORDER BY {c}, id",
            f"SELECT {c} FROM {table} WHERE id = {self._random.randint(1, 12)}",
            f"SELECT {c}, count(*), min(id) FROM {table} GROUP BY {c} ORDER BY {c}",
            f"SELECT DISTINCT {c} FROM {table} ORDER BY {c} DESC",
            f"SELECT count(*), count({c}), count(DISTINCT {c}) FROM {table} WHERE {test}",
            f"SELECT min({c}), max({c}) FROM {table} WHERE {test}",
            f"SELECT id, array_dims({c}), array_ndims({c}), array_lower({c}, 1), array_upper({c}, {n}), "
            f"array_length({c}, 2), cardinality({c}) FROM {table} ORDER BY id",
            f"SELECT id, ({c}){self._places(slices=False)}, ({c}){self._places(slices=True)} "
            f"FROM {table} ORDER BY id",
            f"SELECT id, u, o FROM {table}, unnest({c}) WITH ORDINALITY x (u, o) ORDER BY id, o",
            f"SELECT id, unnest({c}) FROM {table} WHERE {test} ORDER BY 1, 2",
            f"SELECT array_agg({c} ORDER BY id) FROM {table} WHERE {test}",
            f"SELECT k, array_agg({c} ORDER BY id) FROM {table} WHERE array_dims({c}) = "
            f"(SELECT array_dims({c}) FROM {table} WHERE {c} <> '{{}}' ORDER BY id LIMIT 1) "
            "GROUP BY k ORDER BY k",
            f"SELECT a.id, b.id FROM {table} a JOIN {other} b ON a.{c} = b.{c} ORDER BY 1, 2",
            f"SELECT a.id, b.id, b.{c} FROM {table} a LEFT JOIN {other} b ON a.{c} @> b.{c} AND b.id < 4 "
            "ORDER BY 1, 2",
            f"SELECT id, {c} FROM {table} WHERE {c} IN (SELECT {c} FROM {other}) ORDER BY id",
            f"SELECT id FROM {table} a WHERE EXISTS (SELECT 1 FROM {other} b WHERE b.{c} < a.{c}) "
            "ORDER BY id",
            f"SELECT x.{c}, y.{c} AS d, x.id FROM (SELECT id, {c} FROM {table} WHERE {test}) x LEFT JOIN "
            f"(SELECT id, {c} FROM {other} WHERE k < 3) y ON x.id = y.id + 1 ORDER BY x.id",
            f"SELECT {c} FROM {table} UNION SELECT {c} FROM {other} ORDER BY 1",
            f"SELECT {c} FROM {table} EXCEPT SELECT {array} ORDER BY 1",
            f"SELECT id, to_jsonb({c}), {c}::text, array_to_string({c}, ',', '*') FROM {table} ORDER BY id",
            f"SELECT id, {c} || {array}, array_append({c}, {self._item()}) FROM {table} "
            f"WHERE coalesce(array_ndims({c}), 1) = 1 AND {test} ORDER BY id",
            f"SELECT id, coalesce({c}, {array}), nullif({c}, {array}), greatest({c}, {array}), "
            f"CASE WHEN {test} THEN {c} END FROM {table} ORDER BY id",
            f"SELECT x, x.{c} FROM {table} x WHERE {test} ORDER BY id",
            f"SELECT row_to_json(x) FROM {table} x ORDER BY id",
            f"SELECT id, rank() OVER (ORDER BY {c}), lag({c}) OVER (ORDER BY id) FROM {table} ORDER BY id",
            f"SELECT id, first_value({c}) OVER (PARTITION BY {c} ORDER BY id) FROM {table} ORDER BY id",
            f"SELECT v FROM (SELECT {c} AS v, k FROM {table} WHERE {test}) s ORDER BY v, k",
            f"WITH s AS (SELECT id, {c} FROM {table}) SELECT * FROM s WHERE {test.replace('k =', 'id =')} "
            "ORDER BY id",
            f"SELECT (SELECT b.{c} FROM {other} b WHERE b.id = a.id) FROM {table} a ORDER BY a.id",
            f"SELECT ARRAY(SELECT {c} FROM {table} WHERE {test} ORDER BY id)",
            f"SELECT DISTINCT ON ({c}) {c}, id FROM {table} ORDER BY {c}, id",
        )  # fmt: skip

    def _change(self) -> str:
        table, other = self._pick(*_TABLES), self._pick(*_TABLES)
        c, test = _COLUMNS[self._kind], self._test()
        places, value = self._places(slices=False), self._item()
        if self._random.random() < 0.5:
            places, value = self._places(slices=True), f"'{self._literal()}'"
            if ":" not in places:
                places += "[1:1]"
        any_ = self._any(self._kind)
        one = self._random.randint(1, 12)
        self._id += 1
        back = f"RETURNING id, {c}, array_dims({c})"
        return self._pick(
            self._insert(table, self._random.randint(1, 4)),
            f"UPDATE {table} SET {c}{places} = {value} WHERE id = {one} {back}",
            f"UPDATE {table} SET {c}{places} = {value} WHERE id = {one} {back}",
            f"UPDATE {table} SET {c} = {any_} WHERE id = {one} {back}",
            f"UPDATE {table} SET {c} = {any_} WHERE {test}",
            f"UPDATE {table} a SET {c} = b.{c} FROM {other} b WHERE b.id = a.id + 1 AND a.id < 6",
            f"DELETE FROM {table} WHERE id = {one} {back}",
            f"DELETE FROM {table} WHERE {test} AND id % 3 = 0",
            f"INSERT INTO {table} (id, k, {c}) VALUES ({one}, 2, {any_}) "
            f"ON CONFLICT (id) DO UPDATE SET {c} = excluded.{c}, k = {table}.k + 1 {back}",
            f"INSERT INTO {table} (id, {c}) SELECT {self._id + 1000} + id, {c} FROM {other} WHERE {test}",
            f"MERGE INTO {table} a USING {other} b ON a.id = b.id AND b.id < 5 WHEN MATCHED THEN UPDATE SET "
            f"{c} = b.{c} WHEN NOT MATCHED THEN DO NOTHING",
            f"INSERT INTO {table} (id, k) VALUES ({self._id}, 9) RETURNING *",
        )  # fmt: skip


def compare(theirs: Side, ours: Side, random: Random, rounds: int) -> tuple[int, list[str]]:
    """How many statements were asked in so many rounds, and the differences."""
    asked, found = 0, []
    for _ in range(rounds):
        arrays = StoredArrays(random)
        script = list(arrays.begin())
        for statement in (*script, *[""] * STATEMENTS):
            text = statement or arrays.step()
            if not statement:
                script.append(text)
            if text.startswith(("STORAGE", "SET")):
                told = ours.run(text)
                if told.error and "STREAM" not in told.error[1]:  # As temporary tables are.
                    found.append(f"{text}\n  ours {told}")
                continue
            asked += 1
            both = [side.run(text) for side in (theirs, ours)]
            seen = [(one.error and one.error[0], one.rows, one.columns) for one in both]
            if seen[0] != seen[1]:
                found.append("\n".join([*script, f"  theirs {both[0]}", f"  ours   {both[1]}"]))
                break  # What follows would differ, too.
    ours.run("SET kalam.in_process_queries = on")
    return asked, found


def main() -> int:
    seed, rounds, theirs, ours = sys.argv[1:]
    asked, found = compare(Side(theirs), Side(ours), Random(int(seed)), int(rounds))
    print("\n\n".join(found))
    print(f"{asked} statements, {len(found)} differences")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
