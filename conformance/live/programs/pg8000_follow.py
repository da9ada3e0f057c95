"""A table in a dict, by pg8000."""

import functools
import json
import os
import sys
import time
from contextlib import closing, suppress

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError


def follow(table, show, **server):
    """Keep the rows of `table` in a dict by key, as long as the program runs; `show` it as it changes."""
    rows, token = {}, None
    connect = functools.partial(pg8000.native.Connection, **server, timeout=30)
    while True:
        # What is suppressed: the link or the server was lost.
        with suppress(InterfaceError, OSError), closing(connect()) as connection:
            options = f"OPTIONS (from_seq = '{token}')" if token else ""
            connection.run(f"DECLARE changes CURSOR FOR SUBSCRIBE TO {table} {options}")
            if token is None:
                rows.clear()
            while True:
                try:  # it answers as soon as there is a row, and after ten seconds without any
                    changes = connection.run("FETCH 100 FROM changes WITH (timeout = '10s')")
                except DatabaseError as error:
                    if error.args[0]["C"] == "72000":
                        token = None  # too long away; begin anew, with a snapshot
                    break
                names = [column["name"] for column in connection.columns[3:]]
                for _seq, op, position, *values in changes:
                    key = str(values[0])  # the primary key comes first in this table
                    if op == "truncate":
                        rows.clear()
                    elif op == "delete":
                        rows.pop(key, None)
                    else:
                        rows[key] = dict(zip(names, values))
                    token = position or token  # of a snapshot only the last row has one
                if token:
                    show(rows)
        time.sleep(0.05)  # go on from the token


def show(rows):
    """For the runner: the end is a row 0."""
    if "0" in rows:
        print(json.dumps(rows), flush=True)
        os._exit(0)


if __name__ == "__main__":
    names = ("host", "port", "user", "password", "database")
    follow(sys.argv[1], show, **{name: os.environ[f"PG{name.upper()}"] for name in names})
