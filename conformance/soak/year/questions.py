"""What is asked at a checkpoint: of both servers, and of ours once more against the clock."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import psycopg

from conformance.soak.year.life import NEW_YEAR, Statement
from conformance.soak.year.people import Person

_NEWEST: Final = (
    "SELECT id, author, body, created_at, edited_at FROM messages WHERE conversation_id = %s"
)
_TIMED: Final = {
    "newest 50": f"{_NEWEST} ORDER BY created_at DESC LIMIT 50",
    "count": "SELECT count(*) FROM messages WHERE conversation_id = %s",
    "point": "SELECT * FROM messages WHERE id = %s",
}
TIMES: Final = 4
"""How often each is asked."""


def compare(
    people: Sequence[Person], week: int, random: Random, postgres: psycopg.Connection[Any]
) -> list[str]:
    """What differs from PostgreSQL."""
    wrong: list[str] = []
    for person in people:
        for statement in _questions(person, week, random):
            found = person.ask(statement, postgres)
            if found:
                wrong.append(found)
    return wrong


def _questions(person: Person, week: int, random: Random) -> Iterator[Statement]:
    life = person.life
    conversation = 1 + random.randrange(life.conversations)
    before = NEW_YEAR + (week + 1) * random.random() * _WEEK
    yield Statement(_TIMED["newest 50"], (conversation,))
    page = f"{_NEWEST} AND created_at < %s ORDER BY created_at DESC LIMIT 50"
    yield Statement(page, (conversation, before))
    yield Statement("SELECT count(*) FROM messages", ())
    yield Statement(_TIMED["count"], (conversation,))
    for number in (life.some_id(), *life.gone[-2:], 10**9):
        yield Statement(_TIMED["point"], (number,))
    yield Statement("SELECT count(*), max(edited_at) FROM messages WHERE edited_at IS NOT NULL", ())
    yield Statement(
        "SELECT conversation_id, count(*), min(id), max(created_at) FROM messages"
        " GROUP BY conversation_id ORDER BY conversation_id",
        (),
    )
    yield Statement(
        "SELECT k.conversation_id, count(*) FROM marks k JOIN messages m"
        " ON m.conversation_id = k.conversation_id AND m.id > k.last_read"
        " GROUP BY k.conversation_id ORDER BY k.conversation_id",
        (),
    )
    yield Statement("SELECT id, author FROM messages ORDER BY id DESC LIMIT 20", ())
    yield Statement("SELECT * FROM marks ORDER BY conversation_id", ())
    if random.random() < _WHOLE:
        yield Statement("SELECT * FROM messages ORDER BY id", ())


_WEEK = NEW_YEAR.replace(day=NEW_YEAR.day + 7) - NEW_YEAR
_WHOLE = 0.25


@dataclass(slots=True)
class Times:
    """Milliseconds by what was asked: ours for the first time, when files may have to be opened, and after
    that; and PostgreSQL's, a moment later on the same machine.
    """

    first: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    again: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    theirs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def measure(people: Sequence[Person], random: Random, postgres: psycopg.Connection[Any]) -> Times:
    """How long each question takes for everybody."""
    times = Times()
    for person in people:
        postgres.execute(f"SET search_path = {person.name}")
        values = {
            "newest 50": 1 + random.randrange(person.life.conversations),
            "count": 1 + random.randrange(person.life.conversations),
            "point": person.life.some_id(),
        }
        for name, text in _TIMED.items():
            for number in range(TIMES):
                asked = Statement(text, (values[name],))
                ours = times.again if number else times.first
                ours[name].append(_ask(person.connection, asked))
                times.theirs[name].append(_ask(postgres, asked))
    return times


def _ask(connection: psycopg.Connection[Any], statement: Statement) -> float:
    began = time.perf_counter()
    connection.execute(*statement, prepare=True).fetchall()
    return (time.perf_counter() - began) * 1000
