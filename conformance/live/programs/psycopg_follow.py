"""A table in a dict, by psycopg 3."""

import json
import os
import sys
import time

import psycopg


def follow(table, show):
    """Keep the rows of `table` in a dict by key, as long as the program runs; `show` it after a commit."""
    rows, token = {}, None
    while True:
        try:
            with psycopg.connect(autocommit=True) as connection:
                if token is None:
                    snapshot = connection.execute(f"SUBSCRIBE TO {table}")
                    names = [column.name for column in snapshot.description[:-1]]  # without _seq
                    rows.clear()
                    for row in snapshot:
                        rows[str(row[0])] = dict(zip(names, row))
                else:
                    connection.execute(f"SUBSCRIBE TO {table} OPTIONS (from_seq = '{token}')")
                show(rows)
                for notification in connection.notifies():
                    change = json.loads(notification.payload)
                    if change["op"] == "error":
                        if change["code"] == "72000":
                            token = None  # too long away; begin anew, with a snapshot
                        break
                    if change["op"] == "truncate":
                        rows.clear()
                    elif change["op"] == "delete":
                        rows.pop(change["key"][0], None)
                    else:
                        rows[change["key"][0]] = change["row"]
                    token = change["token"]
                    if change["last"]:
                        show(rows)
        except psycopg.OperationalError:
            time.sleep(0.05)  # the link or the server was lost: go on from the token


def show(rows):
    """For the runner: the end is a row 0."""
    if "0" in rows:
        print(json.dumps(rows), flush=True)
        os._exit(0)


if __name__ == "__main__":
    follow(sys.argv[1], show)
