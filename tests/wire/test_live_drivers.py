"""A slice of `conformance.live`: real drivers agree with the table, whatever became of their links."""

import re
from pathlib import Path

import pytest

from conformance.live.drivers import DRIVERS, PROGRAMS
from conformance.live.run import Run

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
SEED = 13
FAULTS = 15


@pytest.mark.slow
def test_every_driver_ends_with_exactly_the_tables_contents(tmp_path):
    # A Java program takes longer to compile than all of this.
    drivers = [d for d in DRIVERS.values() if not d.missing and d.name != "pgjdbc"]
    assert len(drivers) >= 4
    run = Run(tmp_path, SEED, drivers)
    assert run.run(FAULTS), "what it saw is printed above"
    assert run.counts["links cut"] > FAULTS // 4


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_how_to_page_shows_the_program_that_is_tried(driver):
    page = (HOW_TO / f"follow-a-table-with-{driver}.md").read_text()
    (program,) = PROGRAMS.glob(f"{driver.replace('-', '_')}_follow.*")
    code = page.partition("```")[2].partition("\n")[2].partition("\n```")[0]
    assert re.search(r"SUBSCRIBE|listen", code)
    assert lines(code) in lines(program.read_text())


def lines(text):
    """A text without its indentation, which a page does not need."""
    return "\n".join(line.strip() for line in text.strip().splitlines())
