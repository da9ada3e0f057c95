"""A table in a dict, by psql in a pipe."""

import json
import os
import re
import subprocess
import sys
import time

ESCAPES = {
    "\\t": "\t",
    "\\n": "\n",
    "\\r": "\r",
    "\\b": "\b",
    "\\f": "\f",
    "\\v": "\v",
    "\\\\": "\\",
}


def follow(table, show):
    """Keep the rows of `table` in a dict by key, as long as the program runs; `show` it as it changes."""
    rows, token = {}, None
    while True:
        options = f"OPTIONS (from_seq = '{token}')" if token else ""
        copy = f"COPY (SUBSCRIBE TO {table} {options}) TO STDOUT"
        command = ["stdbuf", "-oL", "psql", "-X", "-q", "-v", "VERBOSITY=verbose", "-c", copy]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as psql:
            if token is None:
                rows.clear()
            for line in psql.stdout:
                if not line.endswith("\n"):
                    break  # the link was cut within it
                _seq, op, position, *values = map(value, line[:-1].split("\t"))
                if op == "truncate":
                    rows.clear()
                elif op == "delete":
                    rows.pop(values[0], None)
                else:
                    rows[values[0]] = values
                token = position or token  # of a snapshot only the last row has one
                if token:
                    show(rows)
            if "72000" in psql.stderr.read():
                token = None  # too long away; begin anew, with a snapshot
        time.sleep(0.05)  # the link or the server was lost: go on from the token


def value(text):
    """What COPY's text format means."""
    return None if text == "\\N" else re.sub(r"\\.", lambda m: ESCAPES.get(m[0], m[0][1]), text)


def show(rows):
    """For the runner: the end is a row 0."""
    if "0" in rows:
        found = {
            k: {"id": i, "room": room and int(room), "body": b} for k, (i, room, b) in rows.items()
        }
        print(json.dumps(found), flush=True)
        os._exit(0)


if __name__ == "__main__":
    follow(sys.argv[1], show)
