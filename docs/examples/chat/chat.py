"""A chat for terminals: messages as they are sent, who is typing, and the history however old it is.

    PGPASSWORD='a password' python docs/examples/chat/chat.py -U alice lobby

and the same as bob in a second terminal. `/older` shows the page before, Ctrl-D ends. Only ordinary psycopg.
"""

import argparse
import json
import sys
import termios
import threading
import time
import tty

import psycopg

PAGE = 20
TYPING_S = 3.0
"""So often it is told that somebody goes on typing."""

MESSAGES = "SELECT id, author, body FROM talk.messages WHERE room = %s"
TYPING = "SELECT id, author FROM talk.typing WHERE room = %s"


class Screen:
    """Lines above, and the one that is being typed below them."""

    def __init__(self, me):
        self.me = me
        self.typed = ""
        self._lock = threading.Lock()

    def show(self, text):
        with self._lock:
            self._write(f"{text}\n{self.me}> {self.typed}")

    def type(self, key):
        """A key that belongs to the text."""
        with self._lock:
            self.typed = self.typed[:-1] if key in "\x7f\b" else self.typed + key
            self._write(f"{self.me}> {self.typed}")

    def enter(self):
        """The line, and a new one."""
        with self._lock:
            line, self.typed = self.typed, ""
            self._write(f"{self.me}> ")
            return line.strip()

    def _write(self, text):
        sys.stdout.write(f"\r\x1b[K{text}")
        sys.stdout.flush()


class Listener(threading.Thread):
    """Shows what is sent and who types, from its own connection, whatever becomes of that."""

    def __init__(self, connect, room, screen):
        super().__init__(daemon=True)
        self.connect = connect
        self.room = room
        self.screen = screen
        self.oldest = None
        self.token = None
        self.seen = set()

    def run(self):
        while True:
            try:
                with self.connect() as connection:
                    self.subscribe(connection)
                    for notification in connection.notifies():
                        self.hear(notification.channel, json.loads(notification.payload))
            except psycopg.OperationalError:
                time.sleep(0.3)  # The token says where to go on.

    def subscribe(self, connection):
        options = f"last_rows = {PAGE}" if self.token is None else f"from_seq = '{self.token}'"
        text = f"SUBSCRIBE TO {MESSAGES} OPTIONS (channel = 'messages', {options})"
        for id_, author, body, _ in connection.execute(text, [self.room]):
            self.oldest = self.oldest or id_
            self.message(str(id_), author, body)
        typing = f"SUBSCRIBE TO {TYPING} OPTIONS (channel = 'typing', snapshot = false)"
        connection.execute(typing, [self.room])

    def hear(self, channel, change):
        match channel, change["op"]:
            case "messages", "error":  # 72000: away for too long
                self.token = None
                raise psycopg.OperationalError(change["message"])
            case "messages", "insert":
                self.message(change["key"][0], change["row"]["author"], change["row"]["body"])
                self.token = change["token"]
            case "typing", "insert" if change["row"]["author"] != self.screen.me:
                self.screen.show(f"  {change['row']['author']} is typing …")

    def message(self, id_, author, body):
        if id_ not in self.seen:  # A snapshot after 72000 has some of them again.
            self.seen.add(id_)
            self.screen.show(f"{author}: {body}")


class Writer:
    """Sends, from a connection that is made anew when it is lost."""

    def __init__(self, connect, room, screen):
        self.connect = connect
        self.room = room
        self.screen = screen
        self.connection = None
        self.typed_at = 0.0

    def run(self, text, parameters):
        """The rows of a statement, if it has any; None when the server is not there."""
        try:
            if self.connection is None or self.connection.closed:
                self.connection = self.connect()
            cursor = self.connection.execute(text, parameters)
            return cursor.fetchall() if cursor.description else []
        except psycopg.OperationalError:
            return None

    def typing(self):
        if time.monotonic() - self.typed_at > TYPING_S:
            self.typed_at = time.monotonic()
            self.run("INSERT INTO talk.typing (room, author) VALUES (%s, current_user)", [self.room])

    def send(self, body):
        self.typed_at = 0.0
        text = "INSERT INTO talk.messages (room, author, body) VALUES (%s, current_user, %s)"
        return self.run(text, [self.room, body]) is not None

    def older(self, listener):
        """The page before the oldest message that was shown: from segments on disk, if they are there by now."""
        text = f"{MESSAGES} AND id < %s ORDER BY id DESC LIMIT {PAGE}"
        page = self.run(text, [self.room, listener.oldest or 0]) or []
        for id_, author, body in reversed(page):
            self.screen.show(f"  {author}: {body}")
            listener.oldest = min(listener.oldest, id_)
        if not page:
            self.screen.show("  there is nothing older")


def chat(connect, me, room):
    screen = Screen(me)
    writer = Writer(connect, room, screen)
    listener = Listener(connect, room, screen)
    listener.start()
    screen.show(f"  {room}: /older shows what was before, Ctrl-D ends")
    while (key := sys.stdin.read(1)) not in ("", "\x04"):
        if key not in "\r\n":
            screen.type(key)
            writer.typing()
        elif (line := screen.enter()) == "/older":
            writer.older(listener)
        elif line and not writer.send(line):
            screen.show("  not sent, the server is not there: Enter tries again")
            screen.type(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("room")
    parser.add_argument("-U", "--user", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", default=5433)
    given = parser.parse_args()

    def connect():
        return psycopg.connect(
            host=given.host, port=given.port, user=given.user, dbname="kalam", autocommit=True
        )

    connect().close()  # A wrong password is told before the screen is changed.
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        chat(connect, given.user, given.room)
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        print()


if __name__ == "__main__":
    main()
