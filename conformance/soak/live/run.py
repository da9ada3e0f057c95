"""A live soak from beginning to end: rounds of kills, and after each everything that was told is compared."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from conformance.live.link import Link
from conformance.soak import invariants, report
from conformance.soak.client import BUSY, LATE_S, STATEMENT_TIMEOUT_S
from conformance.soak.ledger import Outcome, Violation
from conformance.soak.live.authors import Author, Wiper
from conformance.soak.live.chronicle import Chronicle
from conformance.soak.live.follower import Subject
from conformance.soak.live.kills import RETENTION_S, Flushes, Followed, Kills
from conformance.soak.live.reading import FILTER, WRONG, Reading
from conformance.soak.live.talk import Talk, Talker, TalkReading
from conformance.soak.waiting import until
from conformance.soak.world import World
from tests.wire.server import PASSWORD

ROUND_KILLS: Final = 50
ROUND_FLUSHES: Final = 50
CAUGHT_UP_S: Final = 60.0
"""How soon after the last kill every follower must have been told everything."""

SLATE_TABLE: Final = "soak.slate"
"""Who writes it empties it now and then."""

AUTHORS: Final = {
    1: ("ann", "soak.story"),
    2: ("ann", "soak.story"),
    3: ("ben", "soak.board"),
    4: ("ann", "soak.board"),
    5: ("ben", SLATE_TABLE),
}

TALKERS: Final = {1: "ann", 2: "ben"}

# Of the story all changes are retained, of the board none longer than a flush leaves them.
STORY: Final = Subject("ann", "soak.story")
SOME: Final = Subject("ann", "soak.story", FILTER)
ANEW: Final = Subject("ann", "soak.story", anew=True)
BOARD: Final = Subject("ben", "soak.board", may_forget=True)
SOME_BOARD: Final = Subject("ann", "soak.board", FILTER, may_forget=True)
SLATE: Final = Subject("ann", SLATE_TABLE)
SOME_SLATE: Final = Subject("ben", SLATE_TABLE, FILTER)

TALK: Final = Subject("ben", "soak.talk", may_forget=True)

FOLLOWERS: Final = (
    *(("SUBSCRIBE", subject) for subject in (STORY, SOME, ANEW, BOARD)),
    *(("LISTEN", subject) for subject in (SOME, SOME_BOARD)),
    *(("COPY", subject) for subject in (STORY, BOARD)),
    *(("FETCH", subject) for subject in (SOME, ANEW)),
    *(("stream", subject) for subject in (STORY, SOME_BOARD)),
    *((form, SLATE) for form in ("SUBSCRIBE", "stream")),
    *((form, SOME_SLATE) for form in ("LISTEN", "COPY", "FETCH")),
    *((form, TALK) for form in ("stream", "LISTEN", "SUBSCRIBE", "COPY", "FETCH")),
)
"""By which form, and what."""

SUBSCRIBERS: Final = tuple(("again", subject) for subject in (STORY, SOME, BOARD, SOME_BOARD))
"""Those who only want snapshots."""

TABLES: Final = (
    "CREATE TABLE soak.story (id bigint PRIMARY KEY, n int NOT NULL, body text)"
    " WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:1500')",
    "CREATE TABLE soak.board (id bigint PRIMARY KEY, n int NOT NULL, body text)"
    " WITH (TYPE = 'SHARED', FLUSH_POLICY = 'rows:1500', CHANGE_RETENTION_HOURS = 0)",
    "CREATE TABLE soak.slate (id bigint PRIMARY KEY, n int NOT NULL, body text)"
    " WITH (TYPE = 'SHARED', FLUSH_POLICY = 'rows:1500')",
    "CREATE TABLE soak.talk (id bigint PRIMARY KEY, n int NOT NULL, body text)"
    " WITH (TYPE = 'STREAM', SCOPE = 'SHARED', TTL_SECONDS = 60)",
    "CREATE TABLE soak.fences (who text PRIMARY KEY, n int) WITH (TYPE = 'SHARED')",
    "GRANT ALL ON soak.board, soak.slate, soak.talk, soak.fences TO PUBLIC",
)


class LiveSoak:
    """One soak of live changes."""

    def __init__(
        self, directory: Path, seed: int, followers: Sequence[tuple[str, Subject]] = FOLLOWERS
    ) -> None:
        self.world = World(directory, seed, KALAM_RETENTION_INTERVAL_S=str(RETENTION_S))
        self.truncates = Event()
        self.chronicles = {number: Chronicle(f"author {number}") for number in AUTHORS}
        self.talks = {number: Talk(number) for number in TALKERS}
        self.followed: list[Followed] = []
        self.readings: list[Reading | TalkReading] = []
        self._read: list[int] = []
        self._log_read = 0
        for form, subject in followers:
            self._follow(subject, form)

    def _follow(self, subject: Subject, form: str) -> None:
        server = self.world.server
        journal = self.world.directory / f"journal {len(self.followed)}"
        self.followed.append(Followed(subject, form, journal, Link(lambda: server.port)))
        self._read.append(0)
        if subject is TALK:
            self.readings.append(TalkReading(self.talks))
            return
        written = {n: self.chronicles[n] for n, of in AUTHORS.items() if of[1] == subject.table}
        self.readings.append(Reading(written, filtered=bool(subject.where)))

    def run(self, kills: int, minutes: float = inf) -> bool:
        """Whether nothing was lost, told twice or out of order, and no other promise broken.

        minutes: after so many no round is begun.
        """
        counts = self.world.counts
        ends = time.monotonic() + 60 * minutes
        return self._run(
            lambda: counts["kills"] >= kills or time.monotonic() > ends,
            lambda: Kills(
                self.world,
                self.followed,
                min(ROUND_KILLS, kills - counts["kills"]),
                self.truncates,
            ),
        )

    def subscribe(self, subscribes: int) -> bool:
        """The same, of so many SUBSCRIBEs while flushes run."""

        def are_enough() -> bool:
            return sum(reading.counts["snapshots"] for reading in self.readings) >= subscribes

        return self._run(are_enough, lambda: Flushes(self.world, ROUND_FLUSHES))

    def _run(
        self, is_done: Callable[[], bool], what_befalls: Callable[[], Kills | Flushes]
    ) -> bool:
        world = self.world
        try:
            world.start()
            self._set_up()
            for one in self.followed:
                one.start()
            while not world.failed.is_set() and not is_done():
                world.counts["rounds"] += 1
                self._round(what_befalls())
                if not world.failed.is_set():
                    self._rest()
        except Violation as exc:
            world.fail("rest", str(exc))
        finally:
            for one in self.followed:
                one.kill()
                one.link.close()
            report.line(world, "what was done:\n" + report.summary(world))
            report.line(world, self.ledger())
            if world.failed.is_set():
                world.last_words()
                report.line(world, "FAILED\n" + report.failure(world))
            world.close()
        return not world.failed.is_set()

    def ledger(self) -> str:
        """Everything that all followers were told, and how much was wrong."""
        total = sum((reading.counts for reading in self.readings), Counter[str]())
        committed = sum(len(one.transactions) for one in self.chronicles.values())
        lines = [f"{committed:10}  transactions committed"]
        lines += [f"{total[what]:10}  {what}" for what in sorted(total.keys() - {*WRONG})]
        lines += [f"{total[what]:10}  {what}" for what in WRONG]
        return "the ledger:\n" + "\n".join(lines)

    def _set_up(self) -> None:
        client = self.world.connect("root", self.world.diary("root"))
        for user in ("ann", "ben"):
            client.ask(f"CREATE USER {user} WITH PASSWORD '{PASSWORD}' ROLE 'user'")
        client.ask("CREATE NAMESPACE soak")
        for text in TABLES:
            client.ask(text)
        client.close()

    def _round(self, befalls: Kills | Flushes) -> None:
        world = self.world
        world.round_over.clear()
        authors = [self._author(number) for number in AUTHORS]
        talkers = [Talker(world, user, self.talks[number]) for number, user in TALKERS.items()]
        threads = [
            Thread(target=one.run, name=one.name, daemon=True)
            for one in (*authors, *talkers, befalls)
        ]
        for thread in threads:
            thread.start()
        world.round_over.wait()
        for thread in threads:
            thread.join(30 + STATEMENT_TIMEOUT_S + LATE_S * BUSY)
            if thread.is_alive():
                world.fail(thread.name, "does not come to its end")
        for author in authors:
            author.ledger.observe(world.asked(author.user, author.diary, author.read, author.name))

    def _author(self, number: int) -> Author:
        user, table = AUTHORS[number]
        chronicle = self.chronicles[number]
        if table == SLATE_TABLE:
            return Wiper(self.world, number, user, table, chronicle, self.truncates)
        return Author(self.world, number, user, table, chronicle)

    def _rest(self) -> None:
        """Nothing is written or killed: every follower is told everything, and it is right."""
        world = self.world
        world.check_alive()
        for one in self.followed:
            one.link.mend()
        self._last_words()
        until(self._unread, CAUGHT_UP_S)
        if wrong := [text for reading in self.readings for text in reading.wrong]:
            raise Violation("\n".join(wrong[:20]))
        self._log_read = invariants.check_log(world, self._log_read)
        told = sum(reading.counts["transactions told"] for reading in self.readings)
        report.line(
            world,
            f"round {world.counts['rounds']}, life {world.life}:"
            f" {world.counts['kills']} kills, {told} transactions told, nothing wrong",
        )

    def _last_words(self) -> None:
        """Of every talk one more row: who has that has everything that is to be had."""
        world = self.world
        for number, user in TALKERS.items():
            talk = self.talks[number]
            text = talk.insert(talk.next(1)) + " ON CONFLICT DO NOTHING"
            world.asked(user, world.diary(user), lambda client, text=text: client.ask(text), text)
            talk.say(talk.next(1), Outcome.COMMITTED)

    def _unread(self) -> str:
        """Read on in the journals; who is behind."""
        behind = []
        for at, (one, reading) in enumerate(zip(self.followed, self.readings, strict=True)):
            for record in self._records(at, one.journal):
                reading.take(record)
            if missing := reading.behind():
                behind.append(f"{one.subject} by {one.form}: {missing}; {reading.wrong[:3]}")
        return "; ".join(behind)

    def _records(self, at: int, path: Path) -> list[dict[str, Any]]:
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._read[at])
            whole, end, _ = file.read().rpartition(b"\n")
        self._read[at] += len(whole) + len(end)
        return [json.loads(line) for line in whole.splitlines()]
