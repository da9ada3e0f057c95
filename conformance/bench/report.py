"""The measurements as a Markdown table, and the place in the reference that holds it."""

import os
import platform
import re
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.bench.scenarios import Scenario
from conformance.bench.servers import POSTGRES_BIN, REPOSITORY

REFERENCE = REPOSITORY / "docs" / "reference" / "benchmarks.md"
BEGIN, END = "<!-- generated: conformance.bench -->", "<!-- end of generated -->"


@dataclass(frozen=True, slots=True)
class Measured:
    """One scenario's rates of each round, the two servers interleaved."""

    scenario: Scenario
    postgres: tuple[float, ...]
    kalam: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median rate of this server over PostgreSQL's."""
        return statistics.median(self.kalam) / statistics.median(self.postgres)

    @property
    def spread(self) -> tuple[float, float]:
        """Least and greatest ratio of one round: what the machine's noise makes of it."""
        ratios = [k / p for k, p in zip(self.kalam, self.postgres, strict=True)]
        return min(ratios), max(ratios)


def line(measured: Measured) -> str:
    """One line of the table."""
    scenario = measured.scenario
    low, high = measured.spread
    target = f"{scenario.target:g}" if scenario.target else "-"
    return (
        f"| {scenario.name} | {_number(statistics.median(measured.postgres))} "
        f"| {_number(statistics.median(measured.kalam))} | {scenario.unit} "
        f"| **{measured.ratio:.2f}** | {low:.2f} … {high:.2f} | {target} | {scenario.goal:g} |"
    )


HEAD = (
    "| scenario | PostgreSQL 15 | kalam_pg | unit | ratio | rounds | target now | goal |\n"
    "|---|---:|---:|---|---:|---|---:|---:|"
)


def facts(rounds: int, seconds: float) -> str:
    """What the numbers depend on, and no date."""
    version = subprocess.run(
        [POSTGRES_BIN / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    found = re.search(r"\d+\.\d+", version)
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), shared by both servers and the client; "
        f"CPython {platform.python_version()}; PostgreSQL {found[0] if found else version}; "
        f"medians of {rounds} rounds of {seconds:g} s, the two servers taking turns."
    )


def write(measured: Sequence[Measured], rounds: int, seconds: float) -> Path:
    """Put the table into the reference, between its marks; returns the file."""
    table = "\n".join([HEAD, *map(line, measured)])
    return put(BEGIN, END, f"{facts(rounds, seconds)}\n\n{table}")


def put(begin: str, end: str, generated: str) -> Path:
    """Put a text between two marks of the reference; returns the file."""
    text = REFERENCE.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    REFERENCE.write_text(f"{before}{begin}\n{generated}\n{end}{after}", encoding="utf-8")
    return REFERENCE


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.1f}"
