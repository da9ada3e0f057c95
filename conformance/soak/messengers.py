"""The actors that tell and are told: NOTIFY in transactions that end in every way."""

from conformance.soak.client import Client, LostError, RefusedError
from conformance.soak.contenders import Contender
from conformance.soak.ledger import Outcome, Violation
from conformance.soak.waiting import until
from conformance.soak.world import World

TOLD_S = 10.0
"""How soon a listener must have heard of what was committed."""


class Messenger(Contender):
    """Tells a channel of its own, and hears all that was committed in another session: once, in order."""

    def __init__(self, world: World, name: str, user: str) -> None:
        super().__init__(world, name, user)
        self.channel = name.replace(" ", "_")
        self.listener: Client | None = None
        self.sent = 0
        self.expected: list[tuple[int, Outcome]] = []
        """Numbers that were sent since the listener heard all, with what became of their transactions."""
        self.doubtful: set[int] = set()
        """Of earlier listeners: they may still be told."""

    def step(self) -> None:
        if self.listener is None:
            self.listen()
        for _ in range(self.random.randint(1, 4)):
            self.sent += 1
            self.expected.append((self.sent, self.tell(self.sent)))
            if self.client is None:
                self.client = self.world.connect(self.user, self.diary)
        self.hear()

    def tell(self, number: int) -> Outcome:
        """One transaction with one message."""
        text = f"NOTIFY {self.channel}, '{number}'"
        if self.random.random() < 0.3:
            return self.alone(text, ())
        row = ("INSERT INTO soak.told (by) VALUES ($1)", (self.name,), "INSERT 0 1")
        return self.transact(row, (text, (), "NOTIFY"))

    def listen(self) -> None:
        """A session that is told, and has nothing to hear from before."""
        self.listener = self.world.connect(self.user, self.diary)
        self.listener.ask(f"LISTEN {self.channel}")
        self.expected.clear()

    def hear(self) -> None:
        """Everything since the last time. Raises Violation."""
        if self.listener is None:
            return  # The round is over.
        certain = [n for n, outcome in self.expected if outcome is Outcome.COMMITTED]
        heard: list[int] = []
        listener = self.listener

        def unheard() -> str:
            told = listener.ask("SELECT 1").notifications
            heard.extend(int(n) for _, n in told if int(n) not in self.doubtful)
            all_ = set(certain) <= set(heard)
            return "" if all_ else f"{self.channel}: committed {certain}, heard only {heard}"

        try:
            until(unheard, TOLD_S)
        except LostError:
            self.world.count("listeners lost")
            self.stop_listening()
            return
        except RefusedError as exc:
            self.refused(exc)
            self.stop_listening()
            return
        possible = [n for n, outcome in self.expected if outcome is not Outcome.ABANDONED]
        if heard != [n for n in possible if n in heard]:
            raise Violation(f"{self.channel}: sent {self.expected}, heard {heard}")
        # One in doubt may still come; from then on it would be too late.
        if len(possible) == len(certain):
            self.expected.clear()
        else:
            self.stop_listening()
        self.world.count("messages heard")

    def stop_listening(self) -> None:
        """The next listener hears what is sent from then on."""
        self.doubtful |= {n for n, outcome in self.expected if outcome is Outcome.UNKNOWN}
        if self.listener is not None:
            self.world.keys.pop(self.listener.pid, None)
            self.listener.close()
            self.listener = None

    def leave(self) -> None:
        super().leave()
        if self.world.round_over.is_set():
            self.stop_listening()
