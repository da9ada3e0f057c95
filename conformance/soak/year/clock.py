"""`kalam serve` in a time that goes faster, run as a command before its own.

    python -m conformance.soak.year.clock BEGAN SPEED python -m kalam_pg serve …

One second of the machine is SPEED seconds of the server's wall clock, which was right at BEGAN (seconds
since 1970): so it goes on where it was when the server is started again. What the server does by that clock
(it looks for what may be trimmed every minute, for what may be compacted every hour) is done as much more
often, but not more than once in some seconds: it takes its own time.
"""

import os
import sys
import time

import storage.wall_clock

_LOOK_S = 2.0
"""The least time between two rounds of what the server does by the clock."""


def main(arguments: list[str]) -> None:
    """Serve; the arguments are those of the module's docstring."""
    began_s, speed = float(arguments[0]), float(arguments[1])

    def now_us() -> int:
        return int((began_s + (time.time() - began_s) * speed) * 1e6)

    # Before anything else is imported: others take the function from there.
    storage.wall_clock.now_us = now_us
    from kalam_pg.cli import main as cli  # noqa: PLC0415
    from kalam_pg.jobs import compacting, retention  # noqa: PLC0415
    from storage.log import clock  # noqa: PLC0415

    for module, name in ((retention, "CLEANUP_S"), (compacting, "LOOK_S")):
        setattr(module, name, max(_LOOK_S, getattr(module, name) / speed))
    interval_s = max(_LOOK_S, retention.INTERVAL_S / speed)
    os.environ["KALAM_RETENTION_INTERVAL_S"] = str(interval_s)
    clock.RESERVE_MS = int(clock.RESERVE_MS * speed)
    clock._EXTEND_MS = int(clock._EXTEND_MS * speed)  # noqa: SLF001
    cli(arguments[arguments.index("serve") :], prog_name="kalam")


if __name__ == "__main__":
    main(sys.argv[1:])
