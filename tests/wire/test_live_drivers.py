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
    drivers = [driver for driver in DRIVERS.values() if not driver.missing]
    assert len(drivers) >= 2
    run = Run(tmp_path, SEED, drivers)
    assert run.run(FAULTS), "what it saw is printed above"
    assert run.counts["links cut"] > FAULTS // 4


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_how_to_page_shows_the_program_that_is_tried(driver):
    page = (HOW_TO / f"follow-a-table-with-{driver}.md").read_text()
    (program,) = PROGRAMS.glob(f"{driver.replace('-', '_')}_follow.*")
    code = page.partition("```")[2].partition("\n")[2].partition("\n```")[0]
    assert re.search(r"SUBSCRIBE|listen", code)
    assert code.strip() in program.read_text()
