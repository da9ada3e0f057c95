"""Random arrays of any dimensions and bounds, and what is asked of them, beside PostgreSQL.

python -m conformance.fuzz.arrays SEED COUNT POSTGRESQL_DSN KALAM_DSN
"""

import sys
from random import Random

from conformance.fuzz.sides import Side

ELEMENTS = {
    "integer": ("1", "2", "3", "NULL"),
    "text": ("a", "b", '"x,y"', "NULL"),
    "numeric": ("1", "1.0", "2.50", "NULL"),
}
_ONE_OF = {"integer": ("1", "2", "NULL"), "text": ("'a'", "NULL"), "numeric": ("1.00", "NULL")}


class Arrays:
    """What is asked: an expression over arrays, or an assignment to a part of one."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._kind = "integer"
        self._elements = ELEMENTS

    def statement(self) -> str:
        """A query of one row, or a change of the table `shaped` that gives it."""
        self._kind = self._random.choice(list(ELEMENTS))
        if self._random.random() < 0.3:
            return self._assignment()
        return f"SELECT {self._expression()}"

    def _pick(self, *choices: str) -> str:
        return self._random.choice(choices)

    def _bound(self) -> str:
        """A subscript."""
        return str(self._random.choice((-2, -1, 0, 1, 1, 1, 2, 3, 5)))

    def _array(self) -> str:
        return f"'{self._literal()}'::{self._kind}[]"

    def _literal(self) -> str:
        if self._random.random() < 0.06:
            return "{}"
        sizes = [self._random.randint(1, 3) for _ in range(self._random.choice((1, 1, 1, 2, 2, 3)))]
        text = self._braces(sizes)
        if self._random.random() < 0.3:
            return text
        bounds = []
        for size in sizes:
            first = int(self._bound())
            bounds.append(f"[{first}:{first + size - 1}]")
        return f"{''.join(bounds)}={text}"

    def _braces(self, sizes: list[int]) -> str:
        if not sizes:
            return self._pick(*self._elements[self._kind])
        return "{" + ",".join([self._braces(sizes[1:]) for _ in range(sizes[0])]) + "}"

    def _edge(self) -> str:
        return "" if self._random.random() < 0.3 else self._bound()

    def _places(self, *, slices: bool) -> str:
        def one() -> str:
            if slices and self._random.random() < 0.7:
                return f"[{self._edge()}:{self._edge()}]"
            return f"[{self._bound()}]"

        return "".join([one() for _ in range(self._random.choice((1, 1, 2)))])

    def _expression(self) -> str:
        a, b, n = self._array(), self._array(), self._bound()
        item = f"{self._pick(*_ONE_OF[self._kind])}::{self._kind}"
        return self._pick(
            f"{a}, array_dims({a}), array_ndims({a}), cardinality({b})",
            f"array_lower({a}, {n}), array_upper({a}, {n}), array_length({b}, {n})",
            f"({a}){self._places(slices=False)}, ({b}){self._places(slices=True)}",
            f"({a}){self._places(slices=True)}",
            f"{a} || {b}",
            f"{a} || {item}, {item} || {b}",
            f"array_append({a}, {item}), array_prepend({item}, {b})",
            f"array_cat({a}, {b})",
            f"array_remove({a}, {item}), array_replace({a}, {item}, {item})",
            f"array_position({a}, {item}), array_positions({a}, {item})",
            f"array_position({a}, {item}, {n})",
            f"trim_array({a}, {n})",
            f"array_fill({item}, '{{2}}'::int[], '{{{n}}}'::int[])",
            f"array_fill({item}, '{{1,2}}'::int[], '{{{n},{self._bound()}}}'::int[])",
            f"{a} = {b}, {a} < {b}, {a} >= {b}, {a} IS DISTINCT FROM {b}",
            f"{a} @> {b}, {a} <@ {b}, {a} && {b}",
            f"greatest({a}, {b}), least({a}, {b}), nullif({a}, {b})",
            f"{item} = ANY ({a}), {item} < ALL ({b})",
            f"to_json({a}), to_jsonb({a}), array_to_string({a}, ',', '*')",
            f"ARRAY[{a}, {b}]",
            f"{a}::text[], {a}::text, row({a}), row({a}) = row({b})",
            f"array_agg(v ORDER BY n) FROM (VALUES (1, {a}), (2, {b})) x (n, v)",
            f"v, count(*) FROM (VALUES ({a}), ({b}), ({self._array()})) x (v) GROUP BY v ORDER BY v",
            f"DISTINCT v FROM (VALUES ({a}), ({b}), ({a})) x (v) ORDER BY v DESC",
            f"u, o FROM unnest({a}) WITH ORDINALITY x (u, o)",
            f"generate_subscripts({a}, {self._pick('1', '2')}, {self._pick('true', 'false')})",
        )

    def _assignment(self) -> str:
        column = f"c.{self._kind}s"
        old = self._pick("NULL", "'{}'", f"'{self._literal()}'", f"'{self._literal()}'")
        places, value = self._places(slices=False), self._pick(*_ONE_OF[self._kind])
        if self._random.random() < 0.5:
            places, value = self._places(slices=True), f"'{self._literal()}'"
            if ":" not in places:
                places += "[1:1]"
        return (
            f"UPDATE shaped SET {column} = {old} WHERE id = 1; "
            f"UPDATE shaped SET {column}{places} = {value} WHERE id = 1; "
            f"SELECT ({column.replace('.', ').')}, array_dims(({column.replace('.', ').')}) FROM shaped"
        )


TABLE = (
    "DROP TABLE IF EXISTS shaped",
    "DROP TYPE IF EXISTS shapes",
    "CREATE TYPE shapes AS (integers integer[], texts text[], numerics numeric[])",
    "CREATE TABLE shaped (id integer PRIMARY KEY, c shapes)",
    "INSERT INTO shaped VALUES (1, NULL)",
)
"""Arrays with bounds of their own are kept within a composite value."""


def compare(theirs: Side, ours: Side, random: Random, count: int) -> list[str]:
    """The differences of so many statements."""
    for statement in TABLE:
        theirs.run(statement)
        ours.run(statement)
    arrays = Arrays(random)
    found = []
    for _ in range(count):
        statement = arrays.statement()
        *changes, asked = statement.split("; ")
        answers = []
        for side in (theirs, ours):
            told = [side.run(change) for change in changes]
            told.append(side.run(asked))
            answers.append([(one.error and one.error[0], one.rows, one.columns) for one in told])
        if answers[0] != answers[1]:
            found.append(f"{statement}\n  theirs {answers[0]}\n  ours   {answers[1]}")
    return found


def main() -> int:
    seed, count, theirs, ours = sys.argv[1:]
    found = compare(Side(theirs), Side(ours), Random(int(seed)), int(count))
    print("\n".join(found))
    print(f"{count} statements, {len(found)} differences")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
