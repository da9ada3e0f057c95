"""A slice of `conformance.live`: real drivers agree with the table, whatever became of their links."""

import re
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from conformance.live.drivers import DRIVERS, PROGRAMS
from conformance.live.run import AGREED_S, TABLE, Program, Run
from tests.wire.server import PASSWORD, KalamServer

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
SEED = 13
FAULTS = 15

# A Java program takes longer to compile than all of this.
HERE = [d for d in DRIVERS.values() if not d.missing and d.name != "pgjdbc"]


@pytest.mark.slow
def test_every_driver_ends_with_exactly_the_tables_contents(tmp_path):
    assert len(HERE) >= 4
    run = Run(tmp_path, SEED, HERE)
    assert run.run(FAULTS), "what it saw is printed above"
    assert run.counts["links cut"] > FAULTS // 4


@pytest.mark.slow
@pytest.mark.parametrize("answered", [300, 450])
def test_a_server_that_ends_while_a_driver_waits_for_its_answer(tmp_path, answered):
    # postgres.js took the 57P01 of the old server for the answer of its next LISTEN, and was silent for ever.
    with ExitStack() as stack:
        server = KalamServer(tmp_path / "data")
        server.start()
        stack.callback(server.stop)
        with server.root() as root:
            root.execute(f"CREATE USER alice WITH PASSWORD '{PASSWORD}' ROLE 'user'")
            root.execute("CREATE NAMESPACE live")
            root.execute(
                f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, room int, body text)"
                " WITH (TYPE = 'USER')"
            )
        programs = []
        for driver in HERE:
            program = Program(driver, server)
            stack.enter_context(closing(program.link))
            stack.callback(program.end)
            program.link.hold(answered)
            programs.append(program)
        for program in programs:
            assert program.link.wait_held(AGREED_S), program.driver.name
        server.stop()
        for program in programs:
            program.link.flow()
        server.start()
        with server.connect("alice") as alice:
            alice.execute(f"INSERT INTO {TABLE} VALUES (0, 0, 'the end')")
        for program in programs:
            assert program.rows(AGREED_S) == {"0": ("0", 0, "the end")}


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
