"""What clients do: the base of all actors, and what an owner of a domain does in a transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from conformance.soak.client import (
    HOWS,
    Client,
    LostError,
    Parameters,
    RefusedError,
    written_out,
)
from conformance.soak.ledger import Ledger, Outcome, State, Violation
from conformance.soak.waiting import pause, until
from conformance.soak.world import World
from tests.wire.raw import Answer

UNKNOWN_STATES = frozenset(("08007", "40003"))
GONE_S = 15.0
"""How long a lost session may go on with what it began."""


class Actor:
    """One client, that does `step` again and again until the round is over; `run` in a thread."""

    accident: ClassVar[float] = 0.02
    """How likely the connection is lost at each statement."""

    def __init__(self, world: World, name: str, user: str) -> None:
        self.world = world
        self.name = name
        self.user = user
        self.random = world.random(f"{name}/{world.life}/{world.counts['rounds']}")
        self.diary = world.diary(name)
        self.client: Client | None = None
        self.lost_pids: list[tuple[int, int]] = []
        """(life, pid) of sessions whose connections are lost; each life counts its own pids."""

    def run(self) -> None:
        """The round of this actor."""
        try:
            while not self.world.round_over.is_set():
                self.turn()
        except Violation as exc:
            self.world.fail(self.name, str(exc))
        except Exception as exc:  # noqa: BLE001 - a fault of the soak's own is told too
            self.world.fail(self.name, f"{type(exc).__name__}: {exc}")
        finally:
            self.leave()

    def turn(self) -> None:
        """One step, and whatever becomes of it."""
        try:
            if self.client is None:
                self.client = self.world.connect(self.user, self.diary)
            self.step()
            self.world.count(f"{type(self).__name__} steps")
        except LostError:
            self.lost()
        except RefusedError as exc:
            self.refused(exc)
            self.leave()

    def step(self) -> None:
        """Something that this actor does."""
        raise NotImplementedError

    def say(self, text: str, parameters: Parameters = (), how: str = "") -> Answer:
        """Run a statement, or have an accident on the way to it."""
        assert self.client is not None
        if self.random.random() < self.accident:
            self.client.go(self.random, text, parameters)
            raise LostError
        return self.client.ask(text, parameters, how or self.random.choice(HOWS))

    def refused(self, exc: RefusedError, *expected: str) -> None:
        """Raises Violation if nothing explains this error."""
        if exc.sqlstate not in expected and not self.world.excused(exc.sqlstate):
            raise Violation(str(exc))
        self.world.count(f"refused {exc.sqlstate}")

    def finish(self, *, commit: bool = True) -> Outcome:
        """End the transaction block, perhaps by an accident."""
        assert self.client is not None
        text = "COMMIT" if commit else "ROLLBACK"
        if self.random.random() < 2 * self.accident:
            sent = self.client.go(self.random, text)
            self.lost()
            return Outcome.UNKNOWN if sent and commit else Outcome.ABANDONED
        try:
            answer = self.client.ask(text, how=self.random.choice(("simple", "extended")))
        except LostError:
            self.lost()
            return Outcome.UNKNOWN if commit else Outcome.ABANDONED
        except RefusedError as exc:
            self.refused(exc)
            self.leave()
            return Outcome.UNKNOWN if exc.sqlstate in UNKNOWN_STATES else Outcome.ABANDONED
        if commit and answer.tags != ["COMMIT"]:
            raise Violation(f"COMMIT was answered by {answer.tags}")
        return Outcome.COMMITTED if commit else Outcome.ABANDONED

    def lost(self) -> None:
        """The connection is lost."""
        self.world.count("connections lost")
        if self.client is not None:
            self.lost_pids.append((self.client.life, self.client.pid))
            self.leave()
        else:
            pause()  # It was refused: the server is starting, or ending.
            self.world.check_alive()

    def leave(self) -> None:
        """End the session, if there is one."""
        if self.client is not None:
            self.world.keys.pop(self.client.pid, None)
            self.client.close()
            self.client = None

    def rollback(self) -> None:
        """Out of a failed block; a lost connection does as well."""
        try:
            if self.client is not None:
                self.client.ask("ROLLBACK")
        except LostError:
            self.lost()


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of an owner: what it makes of the domain, and what it must answer.

    after: the domain's state when it is done, None when it only reads. tag, rows: None: not compared.
    """

    text: str
    parameters: Parameters = ()
    after: State | None = None
    tag: str | None = None
    rows: list[tuple[str | None, ...]] | None = None


class Owner(Actor):
    """An actor that alone writes its domain, and so always knows what must be there."""

    hows: ClassVar[tuple[str, ...]] = HOWS
    blocks_only: ClassVar[bool] = False

    def __init__(self, world: World, name: str, user: str, ledger: Ledger) -> None:
        super().__init__(world, name, user)
        self.ledger = ledger

    def propose(self, state: State, *, block: bool) -> list[Step]:
        """Something to do in that state: statements that belong together; block: inside of one."""
        raise NotImplementedError

    def read(self, client: Client) -> State:
        """The domain as the server has it."""
        raise NotImplementedError

    def step(self) -> None:
        """One transaction, or (after one whose outcome nobody knows) a look."""
        state = self.ledger.known
        if state is None or self.lost_pids:
            self.resolve()
            return
        shape = self.random.choice(
            ("autocommit", "block", "block", "undone", "savepoints", "message")
        )
        match shape:
            case "autocommit":
                outcome, after = self.autocommit(state)
            case "message":
                outcome, after = self.message(state)
            case _:
                outcome, after = self.block(state, shape)
        self.ledger.settle(outcome, after)
        self.world.count(f"transactions {outcome.value}")

    def autocommit(self, state: State) -> tuple[Outcome, State]:
        """One statement that is a transaction of its own."""
        assert self.client is not None
        step = self.propose(state, block=False)[0]
        after = state if step.after is None else step.after
        if self.random.random() < self.accident:
            sent = self.client.go(self.random, step.text, step.parameters)
            self.lost()
            return (Outcome.UNKNOWN if sent else Outcome.ABANDONED), after
        return self._whole(lambda: self.perform(step), after)

    def message(self, state: State) -> tuple[Outcome, State]:
        """Several statements in one Query message: a transaction too."""
        client, draft, texts = self.client, state, []
        assert client is not None
        for _ in range(self.random.randint(1, 3)):
            step = self.propose(draft, block=False)[0]
            draft = draft if step.after is None else step.after
            texts.append(written_out(step.text, step.parameters))
        text = "; ".join(texts)
        return self._whole(lambda: client.ask(text), draft)

    def _whole(self, call: Callable[[], object], after: State) -> tuple[Outcome, State]:
        """What one message that commits by itself comes to."""
        try:
            call()
        except LostError:
            self.lost()
            return Outcome.UNKNOWN, after
        except RefusedError as exc:
            self.refused(exc)
            unknown = exc.sqlstate in UNKNOWN_STATES
            return (Outcome.UNKNOWN if unknown else Outcome.ABANDONED), after
        return Outcome.COMMITTED, after

    def block(self, state: State, shape: str) -> tuple[Outcome, State]:
        """BEGIN … COMMIT or ROLLBACK, with savepoints that are rolled back to."""
        level = self.random.choice(
            ("", " ISOLATION LEVEL READ COMMITTED", " ISOLATION LEVEL REPEATABLE READ")
        )
        draft = state
        try:
            self.say(f"BEGIN{level}")
            for number in range(self.random.randint(1, 3)):
                draft = self.work(draft)
                if shape == "savepoints":
                    self.say(f"SAVEPOINT s{number}")
                    kept = self.work(draft)
                    if self.random.random() < 0.6:
                        self.say(f"ROLLBACK TO SAVEPOINT s{number}")
                    else:
                        draft = kept
                        self.say(f"RELEASE SAVEPOINT s{number}")
        except LostError:
            self.lost()
            return Outcome.ABANDONED, state
        except RefusedError as exc:
            self.refused(exc)
            self.rollback()
            return Outcome.ABANDONED, state
        return self.finish(commit=shape != "undone"), draft

    def work(self, state: State) -> State:
        """The steps of one proposal, each with its answer compared."""
        for step in self.propose(state, block=True):
            if self.random.random() < self.accident:
                assert self.client is not None
                self.client.go(self.random, step.text, step.parameters)
                raise LostError
            self.perform(step)
            state = state if step.after is None else step.after
        return state

    def perform(self, step: Step) -> None:
        """Run one step. Raises Violation if its answer is wrong."""
        assert self.client is not None
        answer = self.client.ask(step.text, step.parameters, self.random.choice(self.hows))
        if step.tag is not None and answer.tags[-1:] != [step.tag]:
            raise Violation(f"{step.text} {step.parameters}: {answer.tags}, not {step.tag}")
        if step.rows is not None and answer.rows != step.rows:
            raise Violation(
                f"{step.text} {step.parameters}: {short(answer.rows)}, not {short(step.rows)}"
            )

    def resolve(self) -> None:
        """Wait until what was lost has ended for certain, and look what became of it."""
        assert self.client is not None

        def still_there() -> str:
            life = self.world.life
            there = {pid for (pid,) in self.world.rows("SELECT pid FROM pg_stat_activity") if pid}
            lost = {str(pid) for of, pid in self.lost_pids if of == life == self.world.life}
            return f"sessions {lost & there} of lost connections are there" if lost & there else ""

        until(still_there, GONE_S)
        # Commits are made in the order in which they are asked for: behind this one, it is decided.
        fence = "INSERT INTO soak.fences VALUES ($1, 1) ON CONFLICT (who) DO UPDATE SET n = fences.n + 1"
        self.client.ask(fence, (self.name,), "extended")
        self.ledger.observe(self.read(self.client))
        self.lost_pids.clear()
        self.world.count("outcomes looked up")


def short(rows: list[tuple[str | None, ...]]) -> str:
    """Rows for a message."""
    return f"{rows[:6]}{' …' if len(rows) > 6 else ''} ({len(rows)} rows)"
