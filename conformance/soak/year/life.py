"""What one user does in a week, as transactions: drawn from a seed, so that it can be done again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, NamedTuple

TABLES: Final = {
    "messages": "id bigint PRIMARY KEY, conversation_id bigint NOT NULL, author text NOT NULL,"
    " body text NOT NULL, created_at timestamptz NOT NULL, edited_at timestamptz",
    "marks": "conversation_id bigint PRIMARY KEY, last_read bigint NOT NULL,"
    " read_at timestamptz NOT NULL",
    "pulse": "id bigint PRIMARY KEY, body text NOT NULL",
}
"""The columns of the three tables, as both servers have them."""

INDEXES: Final = ("CREATE INDEX ON messages (conversation_id, created_at)",)
"""What PostgreSQL needs to be quick."""

STEP: Final = 0
"""The read mark that is a user's progress: each transaction ends by writing its number there, so that after
a crash the server can be asked which was the last."""

NEW_YEAR: Final = datetime(2025, 1, 6, tzinfo=UTC)

_INSERT = "INSERT INTO messages VALUES (%s, %s, %s, %s, %s, NULL)"
_WORDS: Final = (
    *(
        "and",
        "the",
        "a",
        "I",
        "you",
        "we",
        "to",
        "of",
        "in",
        "it",
        "is",
        "that",
        "on",
        "for",
        "not",
    ),
    *(
        "was",
        "with",
        "have",
        "be",
        "are",
        "this",
        "but",
        "what",
        "so",
        "there",
        "just",
        "at",
        "all",
    ),
    *("like", "know", "if", "about", "get", "one", "time", "good", "well", "think", "see", "now"),
    *("coffee", "tomorrow", "meeting", "train", "evening", "photo", "music", "river", "dinner"),
)


class Statement(NamedTuple):
    """A text with psycopg's placeholders, and its values."""

    text: str
    values: tuple[object, ...]


Transaction = list[Statement]


class Life:
    """One user's life: what they have written so far, and what they do next.

    busy: how many transactions they make in a week, about.
    """

    def __init__(self, seed: str, busy: float) -> None:
        self._random = Random(seed)
        self._busy = busy
        self._next_id = 1
        self._step = 0
        self.conversations = 1 + self._random.randrange(8)
        self.ids: list[int] = []
        """Messages that are not deleted, in no order."""
        self.gone: list[int] = []
        """Some that were."""

    @property
    def step(self) -> int:
        """How many transactions were made."""
        return self._step

    def begin(self) -> Transaction:
        """A read mark for each conversation, and the one for progress."""
        return [
            Statement("INSERT INTO marks VALUES (%s, 0, %s)", (number, NEW_YEAR))
            for number in range(self.conversations + 1)
        ]

    def week(self, number: int) -> Iterator[Transaction]:
        """The transactions of a week, of which each must be made before the next is drawn."""
        random = self._random
        count = max(1, round(self._busy * random.uniform(0.4, 1.6)))
        now = NEW_YEAR + timedelta(weeks=number)
        for _ in range(count):
            now += timedelta(weeks=1) / (count + 1)
            statements = self._something(now)
            self._step += 1
            progress = Statement(
                "UPDATE marks SET last_read = %s, read_at = %s WHERE conversation_id = %s",
                (self._step, now, STEP),
            )
            yield [*statements, progress]

    def some_id(self) -> int:
        """A message that is there, mostly a late one; 0 when there is none."""
        if not self.ids:
            return 0
        random = self._random
        late = self.ids[-50:] if random.random() < 0.85 else self.ids
        return random.choice(late)

    def _something(self, now: datetime) -> Transaction:
        draw = self._random.random()
        if draw < 0.68 or len(self.ids) < 10:
            return self._send(now)
        if draw < 0.82:
            return self._edit(now)
        if draw < 0.90:
            return self._delete()
        if draw < 0.905:
            return self._forget(now)
        return self._read(now)

    def _send(self, now: datetime) -> Transaction:
        random = self._random
        conversation = 1 + random.randrange(self.conversations)
        statements = []
        for number in range(random.choice((1, 1, 2, 3, 6, 12))):
            at = now + timedelta(microseconds=number)
            values = (self._next_id, conversation, f"friend {random.randrange(20)}", self._text())
            statements.append(Statement(_INSERT, (*values, at)))
            self.ids.append(self._next_id)
            self._next_id += 1
        return statements

    def _edit(self, now: datetime) -> Transaction:
        text = "UPDATE messages SET body = %s, edited_at = %s WHERE id = %s"
        return [Statement(text, (self._text(), now, self.some_id()))]

    def _delete(self) -> Transaction:
        message = self.some_id()
        self._gone({message})
        return [Statement("DELETE FROM messages WHERE id = %s", (message,))]

    def _forget(self, now: datetime) -> Transaction:
        """A stretch of old messages, all at once."""
        ids = sorted(self.ids)
        first = ids[self._random.randrange(len(ids))]
        last = first + 40
        self._gone({number for number in ids if first <= number < last})
        text = "DELETE FROM messages WHERE id >= %s AND id < %s AND created_at < %s"
        return [Statement(text, (first, last, now))]

    def _read(self, now: datetime) -> Transaction:
        text = "UPDATE marks SET last_read = %s, read_at = %s WHERE conversation_id = %s"
        values = (self.some_id(), now, 1 + self._random.randrange(self.conversations))
        return [Statement(text, values)]

    def _gone(self, ids: set[int]) -> None:
        self.ids = [number for number in self.ids if number not in ids]
        self.gone = [*self.gone, *ids][-20:]

    def _text(self) -> str:
        count = self._random.choice((3, 6, 9, 14, 40))
        return " ".join(self._random.choices(_WORDS, k=count))
