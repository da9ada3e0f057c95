"""The actors that write what is followed: every transaction of theirs goes into their chronicle."""

import threading
from typing import Final

from conformance.soak.actors import Owner, Step
from conformance.soak.client import Client
from conformance.soak.ledger import Outcome, State
from conformance.soak.live.chronicle import MARK, SLOTS, Chronicle, Value
from conformance.soak.world import World

KEYS: Final = 60
"""Keys of an author; few, so that deleted ones come back."""

PAUSE_S: Final = (0.0, 0.03)
"""Between two transactions: there is no point in having more of them than the followers' machine reads."""

PIECES: Final = ("x", "it's", '"', "\\", "\t", "\n", "{}", "ä", "日本", "🎈", "\\N")


class Author(Owner):
    """Owns one range of keys; every statement writes the mark's row too, or is followed by one that does."""

    accident = 0.01
    bulk = 0.0

    def __init__(
        self, world: World, number: int, user: str, table: str, chronicle: Chronicle
    ) -> None:
        super().__init__(world, f"author {number}", user, chronicle)
        self.table = table
        self.low = number * SLOTS
        self._n = max((value.n for value in chronicle.possible[-1].values()), default=0)

    def step(self) -> None:
        self.bulk = 1.0 if self.random.random() < 0.01 else 0.0
        super().step()
        self.world.round_over.wait(self.random.uniform(*PAUSE_S))

    def message(self, state: State) -> tuple[Outcome, State]:
        # Several of the large ones are more than a text may have.
        return self.autocommit(state) if self.bulk else super().message(state)

    def propose(self, state: State, *, block: bool) -> list[Step]:
        keys = [key for key in state if key != self.low]
        if block and len(keys) > KEYS // 3 and self.random.random() < 0.4:
            gone = self.random.sample(sorted(keys), self.random.choice((1, 2, 10)))
            text = f"DELETE FROM {self.table} WHERE id IN ({', '.join(map(str, gone))})"
            kept = {key: value for key, value in state.items() if key not in gone}
            return [Step(text, (), kept, f"DELETE {len(gone)}"), self._write(kept, ())]
        count = self.random.choice((1, 1, 2, 5, KEYS))
        return [self._write(state, self.random.sample(range(1, KEYS + 1), count))]

    def _write(self, state: State, slots: tuple[int, ...] | list[int]) -> Step:
        """One statement that inserts or updates rows, with the mark."""
        made = {self.low + slot: self._value() for slot in (*slots, MARK)}
        places = ", ".join(f"(${3 * i + 1}, ${3 * i + 2}, ${3 * i + 3})" for i in range(len(made)))
        given = tuple(v for key, (n, body) in made.items() for v in (str(key), str(n), body))
        text = (
            f"INSERT INTO {self.table} (id, n, body) VALUES {places}"
            " ON CONFLICT (id) DO UPDATE SET n = excluded.n, body = excluded.body"
        )
        return Step(text, given, {**state, **made}, f"INSERT 0 {len(made)}")

    def _value(self) -> Value:
        self._n += 1
        body = None
        if self.random.random() < 0.9:
            body = "".join(self.random.choices(PIECES, k=4)) * self.random.choice((1, 1, 1, 40))
            if self.random.random() < self.bulk:
                body = "bulk" * 3200  # Some of these are more than is read at a time.
        return Value(self._n, body)

    def read(self, client: Client) -> State:
        rows = client.ask(
            f"SELECT id, n, body FROM {self.table}"
            f" WHERE id BETWEEN {self.low} AND {self.low + SLOTS - 1}"
        ).rows
        return {int(id_ or 0): Value(int(n or 0), body) for id_, n, body in rows}


class Wiper(Author):
    """An author who has a table alone, and empties it now and then, in a block with what it writes then.

    truncates: set while it does that.
    """

    def __init__(
        self,
        world: World,
        number: int,
        user: str,
        table: str,
        chronicle: Chronicle,
        truncates: threading.Event,
    ) -> None:
        super().__init__(world, number, user, table, chronicle)
        self.truncates = truncates

    def propose(self, state: State, *, block: bool) -> list[Step]:
        if not block or self.random.random() < 0.6:
            return super().propose(state, block=block)
        self.truncates.set()
        wipe = Step(f"TRUNCATE {self.table}", (), {}, "TRUNCATE TABLE")
        return [wipe, self._write({}, self.random.sample(range(1, KEYS + 1), 3))]

    def step(self) -> None:
        try:
            super().step()
        finally:
            self.truncates.clear()
