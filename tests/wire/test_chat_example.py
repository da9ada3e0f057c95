"""docs/examples/chat on two terminals: messages, typing, old history, and a server that is killed."""

import sys
from pathlib import Path

import pytest

from tests.wire.pseudo_terminal import PseudoTerminal
from tests.wire.server import PASSWORD, KalamServer

CHAT = Path(__file__).parents[2] / "docs" / "examples" / "chat"


def chat(server, user):
    command = [
        sys.executable,
        str(CHAT / "chat.py"),
        "-U",
        user,
        "--port",
        str(server.port),
        "lobby",
    ]
    terminal = PseudoTerminal(command, PGPASSWORD=PASSWORD)
    terminal.see(f"{user}> ")
    return terminal


@pytest.mark.slow
def test_two_terminals_chat(tmp_path):
    server = KalamServer(tmp_path / "data").start()
    alice = bob = None
    try:
        assert "ERROR" not in server.psql((CHAT / "schema.sql").read_text())
        with server.root() as root:
            for number in range(45):
                root.execute(
                    "INSERT INTO talk.messages (room, author, body) VALUES ('lobby', 'root', %s)",
                    [f"message {number}."],
                )
            root.execute("STORAGE FLUSH TABLE talk.messages")
        alice, bob = chat(server, "alice"), chat(server, "bob")
        assert "message 24." not in bob.see("root: message 25.")
        bob.see("root: message 44.")
        alice.see("root: message 44.")
        bob.type("/older\n")
        bob.see("root: message 5.")
        bob.type("/older\n")
        bob.see("root: message 0.")
        alice.type("H")
        bob.see("alice is typing …")
        alice.type("ello, Bob!\n")
        bob.see("alice: Hello, Bob!")
        port = server.port
        server.kill()
        server.start(port=port)
        # Whether the first Enter finds the lost connection depends on when he last told that he types.
        bob.type("Hello, Alice!\n\n")
        alice.see("bob: Hello, Alice!")
        bob.type("\x04")
        assert bob.wait() == 0
        assert bob.screen.count("alice: Hello, Bob!") == 1
    finally:
        for terminal in (alice, bob):
            if terminal is not None:
                terminal.close()
        server.stop()


def test_the_example_is_short():
    assert len((CHAT / "chat.py").read_text().splitlines()) < 200
