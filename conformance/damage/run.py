"""Rounds of damage: what was damaged, what was told, and what was wrong."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg

from catalog import codec
from conformance.damage.asking import TOLD, Answers, ask, wrong
from conformance.damage.damages import Aimed, NothingToDamageError, aimed, at_random
from conformance.damage.template import USERS, Place, prepare
from storage.check import check
from tests.wire.server import KalamServer


@dataclass
class Tally:
    """told: tablets of which something was XX001; the other damaged ones were answered right throughout."""

    at_random: int = 0
    aimed: int = 0
    told: int = 0
    asked: int = 0
    wrong: list[str] = field(default_factory=list)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.at_random + other.at_random,
            self.aimed + other.aimed,
            self.told + other.told,
            self.asked + other.asked,
            self.wrong + other.wrong,
        )

    def __str__(self) -> str:
        damages = f"{self.at_random} random and {self.aimed} aimed damages"
        return f"{damages}, {self.told} told, {self.asked} questions, {len(self.wrong)} wrong"


@dataclass
class Template:
    """A prepared directory, where its tablets are, and what they answer when they are whole."""

    directory: Path
    older: Path
    places: dict[Place, Path]
    right: dict[Place, Answers]

    @classmethod
    def make(cls, directory: Path, tables: int, *, trimmed: bool) -> "Template":
        older, places = prepare(directory, tables, trimmed=trimmed)
        copied = directory.with_name("whole")
        shutil.copytree(directory, copied)
        right: dict[Place, Answers] = {}
        with _serving(copied) as server:
            for user in USERS:
                with server.connect(user) as connection:
                    for place in [place for place in places if place[0] == user]:
                        right[place] = ask(connection, place[1])
        shutil.rmtree(copied)
        return cls(directory, older, places, right)


@contextmanager
def _serving(directory: Path) -> Iterator[KalamServer]:
    server = KalamServer(directory, KALAM_WORKERS="1").start()
    try:
        yield server
    finally:
        server.stop()


def rounds(scratch: Path, tables: int, count: int, seed: int) -> Iterator[Tally]:
    """So many rounds, every other one on a directory whose log is trimmed."""
    random = Random(seed)
    templates = [
        Template.make(scratch / f"made-{trimmed}", tables, trimmed=trimmed)
        for trimmed in (True, False)[: max(1, min(2, count))]
    ]
    left: list[list[Aimed]] = []
    for template in templates:
        others = [template.directory / "cold" / place for place in template.places.values()]
        found = list(aimed(template.older, random.sample(others, 3)))
        random.shuffle(found)
        left.append(found)
    for number in range(count):
        which = number % len(templates)
        yield _round(scratch / "running", templates[which], left[which], random)


def _round(directory: Path, template: Template, left: list[Aimed], random: Random) -> Tally:
    """Damage some tablets, aimed ones first while there are such; look, and ask all of them."""
    shutil.copytree(template.directory, directory)
    tally = Tally()
    damaged: dict[Place, str] = {}
    for place in random.sample(sorted(template.places), len(template.places) * 2 // 3):
        path = directory / "cold" / template.places[place]
        if left and random.random() < 0.5:
            damage = left.pop()
            try:
                damage.do(path)
                tally.aimed += 1
            except NothingToDamageError:
                left.insert(0, damage)
                continue
        else:
            damage = at_random(random)
            damage.do(path)
            tally.at_random += 1
        damaged[place] = damage.what
    _check(directory, template, damaged, tally)
    _ask_all(directory, template, damaged, tally)
    shutil.rmtree(directory)
    return tally


def _check(directory: Path, template: Template, damaged: dict[Place, str], tally: Tally) -> None:
    """`kalam check` names every damaged tablet and no other."""
    problems = check(directory, exists=lambda log, t: log.get(codec.table_key(t)) is not None)
    found = {problem.where for problem in problems}
    for place, path in template.places.items():
        named = f"tablet {path.parent.name}/{path.name}" in found
        if named != (place in damaged):
            what = damaged.get(place, "nothing was wrong")
            tally.wrong.append(f"check {'found' if named else 'missed'} {place}: {what}")


def _ask_all(directory: Path, template: Template, damaged: dict[Place, str], tally: Tally) -> None:
    with _serving(directory) as server:
        for user in USERS:
            with server.connect(user) as connection:
                for place in [place for place in template.places if place[0] == user]:
                    try:
                        answers = ask(connection, place[1])
                    except psycopg.Error as exc:
                        tally.wrong.append(
                            f"{place} ({damaged.get(place)}) ended the session: {exc}"
                        )
                        break
                    tally.asked += len(answers)
                    tally.told += TOLD in answers.values()
                    found = wrong(answers, template.right[place], damaged=place in damaged)
                    tally.wrong += [f"{place} ({damaged.get(place)}): {line}" for line in found]
    raised = [line for line in server.errors if '"exception"' in line or "XX000" in line]
    tally.wrong += [f"the log says {line.strip()[:600]}" for line in raised]
