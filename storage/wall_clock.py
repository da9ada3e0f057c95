"""What time it is: the one place that asks the operating system.

An engine has a clock (`storage.log.clock.Clock`, by default this one), and what belongs to a database asks
the database's (`Database.now_us`), which a test can give another time. Functions of SQL, which also run in
workers, ask here. How long something takes is measured with `time.monotonic` instead.
"""

import time


def now_us() -> int:
    """Microseconds since 1970-01-01Z. May step back."""
    return time.time_ns() // 1000
