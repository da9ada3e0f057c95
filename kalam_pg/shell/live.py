r"""`\subscribe`: the rows that a query shows, and every change of them as it comes, until Ctrl-C."""

import json
from collections.abc import Mapping
from typing import Any, Final

import psycopg

from kalam_pg.shell.output import Output
from kalam_pg.shell.session import Connection, laid_out
from kalam_pg.shell.tables import shown

_TOLD: Final = frozenset(("op", "table", "seq", "token", "last", "key", "row", "old", "why"))


def follow(connection: Connection, query: str, output: Output) -> None:
    """Returns when the user ends it, or the server does. Raises psycopg.Error."""
    with connection.cursor() as cursor:
        cursor.execute(statement(query).encode())
        output.write(laid_out(cursor))
    output.line("Changes follow as they are committed; Ctrl-C ends.")
    try:
        for notification in connection.notifies():
            change = json.loads(notification.payload)
            output.line(change_text(change, output))
            if change["op"] == "error":
                raise psycopg.OperationalError(f"{change['code']}: the subscription has ended")
    except KeyboardInterrupt:
        output.line("")


def statement(query: str) -> str:
    """The SUBSCRIBE for what stands behind the command."""
    return "SUBSCRIBE TO " + query.strip().rstrip(";")


def change_text(change: Mapping[str, Any], output: Output) -> str:
    """One change on one line: what became of which row; of an update only what is another value."""
    op = change["op"]
    if "key" not in change:
        rest = {name: value for name, value in change.items() if name not in ("op", "table")}
        return f"{op}  " + " | ".join(f"{name} = {_text(value)}" for name, value in rest.items())
    key = ", ".join(map(_text, change["key"]))
    old, row = change.get("old"), change.get("row")
    parts = []
    if op == "update" and old is not None and row is not None:
        parts = [
            f"{name} = {_text(old.get(name))} -> {_text(value)}"
            for name, value in row.items()
            if old.get(name) != value
        ]
    elif op != "delete" and row is not None:
        parts = [f"{name} = {_text(value)}" for name, value in row.items()]
    parts += [f"{name} = {_text(change[name])}" for name in change.keys() - _TOLD]
    why = f" ({change['why']})" if change.get("why") else ""
    return f"{output.coloured(op)} [{key}]{why}  {' | '.join(parts)}".rstrip()


def _text(value: object) -> str:
    """A value of JSON on one line."""
    if value is None:
        return "NULL"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown(text).replace("\n", "\\n")
