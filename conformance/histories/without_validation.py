"""A server that lets every SERIALIZABLE transaction commit, to see that the checker finds what that leads to.

    python -m conformance.histories.without_validation PYTHON -m kalam_pg serve …

The command behind it is the server's own, as `KalamServer.within` puts it; it runs in this process.
"""

import sys

from kalam_pg.cli import main
from kalam_pg.query import read_set

if __name__ == "__main__":
    read_set.TabletReads.has_read = lambda *_: False  # type: ignore[method-assign]
    sys.argv = ["kalam_pg", *sys.argv[4:]]
    main()
