"""What was seen, as lines of a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.neighbours.victim import Sample, percentile


@dataclass(frozen=True, slots=True)
class Seen:
    """One attack beside its victim. late_s: how long after a cancel, or its timeout, it ended; None: it had
    ended before. memory_mb: of the server, before, at most, and some time after.
    """

    name: str
    outcome: str
    seconds: float
    samples: Sequence[Sample]
    canceled_s: float | None
    timed_out_s: float | None
    memory_mb: tuple[float, float, float]

    @property
    def held_s(self) -> float:
        """The longest that the victim was held by the server."""
        return max((sample.held_s for sample in self.samples), default=0.0)

    @property
    def loop_s(self) -> float:
        """The longest that the loop computed between a question and its answer."""
        return max((sample.loop_s for sample in self.samples), default=0.0)

    def line(self) -> str:
        """For people."""
        waits = [sample.waited_s for sample in self.samples]
        held = [sample.held_s for sample in self.samples]
        before, most, after = self.memory_mb
        return (
            f"{self.name[:34]:34} {self.seconds:6.2f} s  "
            f"{_ms(percentile(waits, 0.5))} {_ms(percentile(waits, 0.99))} {_ms(max(waits, default=0))}  "
            f"{_ms(percentile(held, 0.99))} {_ms(self.held_s)} {_ms(self.loop_s)}  "
            f"{_ms(self.canceled_s)} {_ms(self.timed_out_s)}  "
            f"{before:5.0f} {most:6.0f} {after:5.0f}  {self.outcome}"
        )


HEAD = (
    f"{'attack':34} {'took':>8}  {'p50':>7} {'p99':>7} {'max':>7}  {'held99':>7} {'held':>7} {'loop':>7}  "
    f"{'cancel':>7} {'timeout':>7}  {'MB':>5} {'most':>6} {'after':>5}  answer (waits in ms)"
)


def _ms(seconds: float | None) -> str:
    return f"{'-':>7}" if seconds is None else f"{seconds * 1000:7.1f}"
