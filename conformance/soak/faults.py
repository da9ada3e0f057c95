"""What befalls the server: processes die or hang, the disk fills up, the server itself is killed."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from conformance.soak import processes
from conformance.soak.ledger import Violation
from conformance.soak.world import World

HUNG_S = 1.5
FULL_S = 2.5
LEFT_BYTES = (0, 4 << 10, 8 << 20, 40 << 20)
"""What a full disk leaves: nothing, next to nothing, less than the server's low-water mark, a little more."""


class Faults:
    """Strikes every few seconds until the round is over; watches that the server never ends by itself."""

    def __init__(self, world: World, without: frozenset[str]) -> None:
        self.world = world
        self.name = "faults"
        self.random = world.random(f"faults/{world.life}/{world.counts['rounds']}")
        weights: dict[Callable[[], None], int] = {
            self.kill_worker: 5,
            self.hang_worker: 2,
            self.kill_flush_process: 4,
            self.kill_server: 1,
            self.stop_server: 1,
        }
        if world.disk.small:
            weights[self.fill_disk] = 3
        self.weights = {call: n for call, n in weights.items() if call.__name__ not in without}

    def run(self) -> None:
        """The round."""
        try:
            while not self.world.round_over.is_set():
                self.world.check_alive()
                if self.world.round_over.wait(self.random.uniform(0.3, 2.0)):
                    break
                if self.weights:
                    (strike,) = self.random.choices([*self.weights], [*self.weights.values()])
                    self.world.count(f"fault {strike.__name__}")
                    strike()
        except Violation as exc:
            self.world.fail(self.name, str(exc))
        except Exception as exc:  # noqa: BLE001 - a fault of the soak's own is told too
            self.world.fail(self.name, f"{type(exc).__name__}: {exc}")

    def kill_worker(self) -> None:
        """SIGKILL to an engine worker, busy or idle."""
        self._signal("worker", processes.WORKER, signal.SIGKILL)

    def hang_worker(self) -> None:
        """A worker that does nothing for a while."""
        pid = self._signal("worker", processes.WORKER, signal.SIGSTOP)
        self.world.round_over.wait(HUNG_S)
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def kill_flush_process(self) -> None:
        """SIGKILL to the process that encodes segments."""
        self._signal("flush process", processes.FLUSH_PROCESS, signal.SIGKILL)

    def fill_disk(self) -> None:
        """No room for a while."""
        leave = self.random.choice(LEFT_BYTES)
        self.world.note(f"disk is full but for {leave} bytes")
        self.world.trouble("disk")
        try:
            self.world.disk.fill(leave)
            self.world.round_over.wait(FULL_S)
        finally:
            self.world.disk.empty()
            self.world.trouble("disk")
            self.world.note("disk has room")

    def kill_server(self) -> None:
        """kill -9 and a new start."""
        self.world.check_alive()
        self.world.end(kill=True)
        self.world.start()

    def stop_server(self) -> None:
        """A fast shutdown and a new start."""
        self.world.check_alive()
        self.world.end(kill=False)
        self.world.start()

    def _signal(self, what: str, module: str, number: signal.Signals) -> int:
        process = self.world.server.process
        pids = processes.children(process.pid, module) if process else []
        if not pids:
            return 0
        pid = self.random.choice(pids)
        self.world.note(f"{number.name} to {what} {pid}")
        self.world.trouble(what)
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid
