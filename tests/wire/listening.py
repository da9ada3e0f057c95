"""What the tests of LISTEN on tables do and hear."""

import json
from urllib.parse import quote

HEARD_S = 20.0


def channel_of(table, **options):
    asked = "&".join(f"{name}={quote(str(value))}" for name, value in options.items())
    return f"{table}?{asked}" if asked else table


def listen(connection, channel, since=""):
    connection.execute(f'LISTEN "{channel}"' + (f" SINCE '{since}'" if since else ""))


def hear(connection, count):
    """The next `count` objects, with their channels."""
    told = connection.notifies(timeout=HEARD_S, stop_after=count)
    found = [(one.channel, json.loads(one.payload)) for one in told]
    assert len(found) >= count, found
    return found


def ops(told):
    return [
        (one["op"], *one.get("key", ()), *([one["why"]] if "why" in one else [])) for _, one in told
    ]


def hears_nothing_more(connection):
    """What it hears from now on begins with what it tells itself."""
    connection.execute("LISTEN the_end; NOTIFY the_end, '0'")
    assert [channel for channel, _ in hear(connection, 1)] == ["the_end"]


def rows_of(told):
    """What a client has that applies the objects by key."""
    rows = {}
    for _, one in told:
        match one["op"]:
            case "reset" | "truncate":
                rows.clear()
            case "insert" | "update":
                rows[one["key"][0]] = one["row"]
            case "delete":
                rows.pop(one["key"][0], None)
    return rows
