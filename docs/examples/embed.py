"""A conversation kept in process: no server, no socket, the same SQL.

Usage: python docs/examples/embed.py DIRECTORY
"""

import sys
from pathlib import Path

from kalam_pg import embed
from storage.errors import KalamError

SCHEMA = """
CREATE NAMESPACE IF NOT EXISTS chat;
CREATE TABLE IF NOT EXISTS chat.messages (
  id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),
  author TEXT NOT NULL,
  content TEXT NOT NULL,
  tokens INT CHECK (tokens >= 0)
) WITH (TYPE = 'USER');
"""


def main(directory: Path) -> None:
    with embed.open(directory, workers=1) as database:
        # Who can open the directory may be anyone; root makes the objects and the users.
        with database.connect("root").create_session() as root:
            root.execute_sql(SCHEMA)
            for name in ("alice", "bob"):
                root.execute_sql(f"CREATE USER {name} WITH PASSWORD 'choose a better one'")

        # Alice's messages are her own: the same text shows everyone their own rows.
        alice = database.connect("alice").create_session()
        insert = "INSERT INTO chat.messages (author, content, tokens) VALUES ($1, $2, $3)"
        alice.execute_sql("BEGIN")
        alice.execute_sql(insert, ["user", "What is a tablet?", 5])
        alice.execute_sql(insert, ["assistant", "One user's slice of one table.", 8])
        alice.execute_sql("COMMIT")

        bob = database.connect("bob").create_session()
        for name, session in (("alice", alice), ("bob", bob)):
            result = session.execute_sql("SELECT author, content FROM chat.messages ORDER BY id")
            print(name, result.status(), list(result.rows()))

        try:
            alice.execute_sql(insert, ["user", "?", -1])
        except KalamError as error:
            print(error.sqlstate, error.message)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
