"""Statements over many rows let the others have their turn."""

import threading

from tests.wire.server import KalamServer


def test_a_large_insert_keeps_nobody_waiting_long(server: KalamServer):
    with server.root() as root, server.root() as other:
        root.execute("CREATE TABLE many (id BIGINT PRIMARY KEY, t TEXT) WITH (TYPE = 'USER')")
        done = threading.Event()

        def fill() -> None:
            root.execute(
                "INSERT INTO many SELECT g, 'row ' || g::text FROM generate_series(1, 30000) g"
            )
            done.set()

        filler = threading.Thread(target=fill)
        filler.start()
        turns = 0
        while not done.is_set():
            other.execute("SELECT 1")
            turns += 1
        filler.join()
        # Unbroken, the loop over the rows would leave room for a handful while the source is read.
        assert turns > 20
        assert root.execute("SELECT count(*) FROM many").fetchone() == (30000,)
        root.execute("DROP TABLE many")
