"""A table in a dict, by asyncpg."""

import asyncio
import json
import os
import sys

import asyncpg


async def follow(table, show):
    """Keep the rows of `table` in a dict by key, as long as the program runs; `show` it after a commit."""
    rows, token = {}, None
    while True:
        connection, heard = None, asyncio.Queue()

        def hear(*told, heard=heard):
            heard.put_nowait(told[-1])

        try:
            connection = await asyncpg.connect(timeout=10)
            connection.add_termination_listener(hear)  # it is told the connection
            # First the listener, then SUBSCRIBE: the driver drops what nobody listens to.
            await connection.add_listener("rows", hear)
            options = f", from_seq = '{token}'" if token else ""
            snapshot = await connection.fetch(
                f"SUBSCRIBE TO {table} OPTIONS (channel = 'rows'{options})"
            )
            if token is None:
                rows.clear()
                for row in snapshot:
                    rows[str(row[0])] = {n: value for n, value in row.items() if n != "_seq"}
            show(rows)
            while (payload := await heard.get()) is not connection:
                change = json.loads(payload)
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
        except (
            OSError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ):
            await asyncio.sleep(0.05)  # the link or the server was lost: go on from the token
        finally:
            if connection is not None:
                connection.terminate()


def show(rows):
    """For the runner: the end is a row 0."""
    if "0" in rows:
        print(json.dumps(rows), flush=True)
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1], show))
