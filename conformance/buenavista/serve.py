"""kalam_pg.embed behind Buena Vista's own PostgreSQL front end, to tell wire faults from engine faults.

Usage: python -m conformance.buenavista.serve DIRECTORY ROLE PORT

A trusted socket for tests: no password, one role, 127.0.0.1 only. Never a way to run KalamDB.
"""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from buenavista.postgres import BuenaVistaServer

from kalam_pg import embed


class Server(BuenaVistaServer):
    """Its handlers are threads, ended with the process."""

    daemon_threads = True


@contextmanager
def serve(database: embed.Database, role: str, port: int = 0) -> Iterator[int]:
    """Serve a role's connection for as long as the context lasts; the port."""
    logging.getLogger("buenavista").setLevel(logging.CRITICAL)
    with Server(("127.0.0.1", port), database.connect(role)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def main(directory: Path, role: str, port: int) -> None:
    with embed.open(directory) as database, serve(database, role, port) as listening:
        print(f"ready 127.0.0.1:{listening}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
