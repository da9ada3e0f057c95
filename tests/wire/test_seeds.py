"""Every SQL example of the documents that the project grew from runs over the wire, in their order, or is
refused for the subject that it waits for.
"""

import re
from itertools import groupby

import psycopg
import pytest

from tests.kalam_pg.sql.seed_statements import SEED_STATEMENTS, Example
from tests.wire.server import KalamServer

DOCUMENTS = {number: list(of) for number, of in groupby(SEED_STATEMENTS, lambda e: e.document)}


NAMESPACES = ("app", "chat", "ai", "docs", "iot", "saas", "user_alice")
"""The documents' examples use namespaces that their own text does not always make."""

TABLE = re.compile(r"CREATE (?:\w+ )?TABLE (?:IF NOT EXISTS )?([\w.]+)")

BEFORE = {
    1: "CREATE TABLE app.messages (id INT PRIMARY KEY, content TEXT)",
    2: "CREATE TABLE user_alice.messages (id INT PRIMARY KEY, conversation_id TEXT)",
}
"""What an example reads and its document shows in no statement."""


def make_namespaces(connection: psycopg.Connection) -> None:
    for name in NAMESPACES:
        connection.execute(f"CREATE NAMESPACE IF NOT EXISTS {name}")  # type: ignore[call-overload]


def outcome(connection: psycopg.Connection, example: Example) -> str:
    """ "" when it ran, else SQLSTATE and text of its refusal."""
    try:
        connection.execute(example.text)  # type: ignore[call-overload]
    except psycopg.Error as exc:
        return f"{exc.sqlstate} {exc.diag.message_primary}"
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_examples_of_a_document_run_in_their_order(tmp_path, document: int):
    server = KalamServer(tmp_path / "data").start()
    try:
        with server.root() as root:
            if document != 0:  # that one begins by making its own
                make_namespaces(root)
            root.execute(BEFORE.get(document, ""))
            for example in DOCUMENTS[document]:
                again = TABLE.search(example.text)
                # A document defines some tables more than once.
                if again is not None and not example.waits_for:
                    root.execute(f"DROP TABLE IF EXISTS {again[1]}")
                said = outcome(root, example)
                if example.waits_for:
                    assert said[:5] in ("0A000", "42601", "42P01", "42704", "22023"), (
                        example,
                        said,
                    )
                else:
                    assert said == "", example
                if example.read_as == "DropNamespace":
                    make_namespaces(root)
    finally:
        server.stop()
