"""KalamDB in process: the same SQL without a socket, for one authenticated role.

`open` takes a data directory, on a thread of its own; `Database.connect(role)` gives Buena Vista's
`Connection` for that role, whose sessions run SQL text and answer with rows of Python values:

    with embed.open("data") as database, database.connect("alice").create_session() as session:
        result = session.execute_sql("SELECT id, content FROM chat.messages WHERE id > $1", [7])
        print(list(result.rows()), result.status())

Whoever can open the directory may be any role; no password is asked for. Values are Python's own for
boolean, integers and floating point, and PostgreSQL's text for every other type.

Sessions may be used from any thread; the statements of one session run one after the other. Every call
waits for its answer: from a trio or asyncio task, call in a thread.
"""

from kalam_pg.embed.database import Database, open  # noqa: A004 -- as in dbm.open
from kalam_pg.embed.result import QueryResult, parameter_text
from kalam_pg.embed.session import Connection, Session

__all__ = ["Connection", "Database", "QueryResult", "Session", "open", "parameter_text"]
