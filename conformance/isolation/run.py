"""Ask every probe as every role: before others change what they have, again, and after."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from conformance.isolation.probes import SAID, SETUP, WAYS, probes
from tests.wire.isolation import ROLES, SCHEMA, House, canaries, fill, furnished
from tests.wire.raw import RawClient
from tests.wire.server import PASSWORD, KalamServer

USERS = {"alice": "user", "bob": "user", "carol": "service", "dora": "dba"}
SEES_TEXTS = ("dora", "root")
"""A dba, and the system: they are told what sessions run (`pg_stat_activity`)."""

ORDINARY = ("alice", "bob")
"""Whose answers must not change at all with what others do."""


@dataclass
class Tally:
    """asked: probes. leaks: answers with a canary of somebody else's. moved: ordinary users' answers that
    changed with others' rows. own: those that change by themselves, and are not compared.
    """

    asked: int = 0
    own: int = 0
    leaks: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


def prepare(server: KalamServer) -> None:
    """The users, in a server that has just begun."""
    with server.root() as root:
        for user, role in USERS.items():
            root.execute(f"CREATE USER {user} PASSWORD '{PASSWORD}' ROLE '{role}'")


def run(
    server: KalamServer, seed: int, count: int, tell: Callable[[str], None], part: int = 0
) -> Tally:
    """`count` probes of each role, whose users there are. part: only so many of them, by chance."""
    tally = Tally()
    with furnished(server) as house:
        house.clients["root"].simple(SETUP)
        for role, client in house.clients.items():
            _more(role, client)
        asked = list(probes(seed, count, _relations(house)))
        if part:
            asked = Random(seed).sample(asked, part)
        first = {role: _transcript(house, role, asked) for role in ROLES}
        for role, answers in first.items():
            _look(tally, role, asked, answers)
        for role in ORDINARY:
            # What a dba flushes is everybody's: that their own rows lie elsewhere then is told beforehand.
            flushed = house.clients["root"].simple(f"STORAGE FLUSH TABLE {SCHEMA}.notes")
            assert flushed.sqlstate is None, flushed.errors
            before, again = [_transcript(house, role, asked) for _ in range(2)]
            for other in ROLES:
                if other != role:
                    _change(house.clients[other])
            after = _transcript(house, role, asked)
            _look(tally, role, asked, after)
            for probe, one, two, three in zip(asked, before, again, after, strict=True):
                if one != two:
                    tally.own += 1
                elif two != three:
                    tally.moved.append(f"{role} {probe}: {two[-200:]!r} became {three[-200:]!r}")
            for other in ROLES:
                if other != role:
                    _change_back(house.clients[other])
            tell(
                f"{role}: {len(tally.leaks)} leaks, {len(tally.moved)} moved, {tally.own} do so anyway"
            )
    return tally


def _more(role: str, client: RawClient) -> None:
    for number in range(1, 1 + ROLES.index(role)):
        client.simple(
            f"INSERT INTO {SCHEMA}.numbered VALUES ({number}, 'code-{number}', 'canary-of-{role}-n')"
        )
    client.simple(
        f"INSERT INTO {SCHEMA}.child VALUES ({1 + ROLES.index(role)}, NULL, 'canary-of-{role}-c')"
    )


def _relations(house: House) -> list[str]:
    answer = house.clients["alice"].simple(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname IN ('pg_catalog', 'information_schema', 'system') AND c.relkind IN ('r', 'v') "
        "AND c.relname NOT IN ('pg_proc', 'pg_operator', 'pg_amop', 'pg_amproc') ORDER BY 1, 2"
    )
    return [f'{schema}."{name}"' for schema, name in answer.rows]


def _transcript(house: House, role: str, asked: list[tuple[str, str]]) -> list[bytes]:
    """The bytes that each probe was answered, over one new connection."""
    answers = []
    with house.fresh(role) as client:
        client.simple("SET statement_timeout = 20000")
        for way, text in asked:
            since = len(client.received)
            WAYS[way](client, text)
            answers.append(bytes(client.received[since:]))
    return answers


def _look(tally: Tally, role: str, asked: list[tuple[str, str]], answers: list[bytes]) -> None:
    foreign = [(other, canary) for other in ROLES if other != role for canary in canaries(other)]
    for probe, answer in zip(asked, answers, strict=True):
        tally.asked += 1
        tally.outcomes["refused" if b"SERROR" in answer else "answered"] += 1
        if role not in ORDINARY and probe[1].startswith("EXECUTE AS"):
            continue  # They may, and it is logged.
        if role in SEES_TEXTS and "pg_stat_activity" in probe[1]:
            continue  # The texts of statements are theirs to see.
        told = answer
        for literal in SAID:
            told = told.replace(literal.encode(), b"")
        for other, canary in foreign:
            if canary in told:
                tally.leaks.append(f"{role} {probe} was told {canary!r} of {other}")
                break


def _change(client: RawClient) -> None:
    """Other rows, more and fewer of them, other numbers, and some flushed."""
    name = client.user
    for text in (
        f"DELETE FROM {SCHEMA}.notes WHERE id = 1",
        f"UPDATE {SCHEMA}.pairs SET v = 'canary-of-{name}-changed'",
        f"INSERT INTO {SCHEMA}.notes SELECT g, 'canary-of-{name}-' || g, g FROM generate_series(50, 90) g",
        f"INSERT INTO {SCHEMA}.numbered "
        f"SELECT g, 'more-' || g, 'canary-of-{name}' FROM generate_series(101, 120) g",
        f"SELECT nextval('{SCHEMA}.numbered_id_seq')",
        "SELECT pg_advisory_lock(7)",
        f"INSERT INTO {SCHEMA}.events VALUES (99, 'canary-of-{name}-99')",
    ):
        answer = client.simple(text)
        assert answer.sqlstate is None, answer.errors
    if name in ("dora", "root"):
        client.simple(f"STORAGE FLUSH TABLE {SCHEMA}.notes")


def _change_back(client: RawClient) -> None:
    for table in ("notes", "pairs", "numbered", "child", "events"):
        client.simple(f"DELETE FROM {SCHEMA}.{table}")
    client.simple("SELECT pg_advisory_unlock_all()")
    fill(client)
    _more(client.user, client)
