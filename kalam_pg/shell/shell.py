"""The loop: what is typed, or comes through a pipe, is a command or statements; each is answered."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import click
import psycopg

from kalam_pg import __version__
from kalam_pg.shell import listings, live
from kalam_pg.shell.completion import Names
from kalam_pg.shell.history import History
from kalam_pg.shell.output import Output, error_text
from kalam_pg.shell.scanner import scan
from kalam_pg.shell.session import Connection, Session
from kalam_pg.shell.terminal import Terminal

HELP: Final = """\
A statement ends with a semicolon, and may have many lines. Tab completes, Ctrl-C gives up, Ctrl-D ends.
  \\subscribe QUERY [OPTIONS (…)]  its rows, then every change as it is committed, until Ctrl-C
                                  (a table, or SELECT columns FROM table WHERE condition)
  \\d [NAME]    tables and views, or the columns of one
  \\dt \\dv      tables; views
  \\dn \\du      namespaces; users
  \\x           rows one column a line, or as a table again
  \\timing      tell how long statements take, or no more
  \\i FILE      run the statements of a file
  \\conninfo    as whom and where this is
  \\q           end
"""


class Shell:
    """One session of a user's. The commands' names are their methods' behind `_do_`."""

    def __init__(self, session: Session, output: Output) -> None:
        self.session = session
        self.output = output
        self.is_over = False
        self._names = Names()
        self._pending = ""
        self._commands: dict[str, Callable[[str], None]] = {
            "?": lambda _: self.output.write(HELP),
            "conninfo": self._conninfo,
            "d": self._describe,
            "i": self._include,
            "q": self._quit,
            "subscribe": self._subscribe,
            "timing": self._timing,
            "x": self._expand,
            **{name: self._list(name) for name in listings.LISTINGS if name != "d"},
        }

    def interact(self, terminal: Terminal) -> None:
        """Until the user ends it."""
        self.output.line(f"kalam {__version__}. \\? tells what there is.")
        while not self.is_over:
            try:
                self.entry(terminal.read(self.session.prompt))
            except KeyboardInterrupt:
                continue
            except EOFError:
                return

    def lines(self, text: Iterator[str]) -> None:
        """What comes through a pipe, or out of a file; the last statement needs no semicolon."""
        for line in text:
            if self.is_over:
                return
            if not self._pending.strip() and line.lstrip().startswith("\\"):
                self.command(line.strip())
                continue
            found = scan(self._pending + line)
            self._pending = found.rest + "\n" if found.rest else ""
            self._run(found.statements)
        rest, self._pending = self._pending.strip(), ""
        if rest and not self.is_over:
            self.session.run(rest)

    def entry(self, text: str) -> None:
        """What was typed."""
        if text.lstrip().startswith("\\"):
            self.command(text.strip())
        else:
            found = scan(text)
            self._run([*found.statements, *filter(None, [found.rest])])

    def _run(self, statements: list[str]) -> None:
        for one in statements:
            if one != ";":
                self.session.run(one)

    def command(self, text: str) -> None:
        """A backslash, a name, and what it is about."""
        name, _, rest = text[1:].partition(" ")
        do = self._commands.get(name.rstrip(";"))
        if do is None:
            self._wrong(f"there is no command \\{name}: \\? tells which there are")
            return
        try:
            do(rest.strip().rstrip(";").strip())
        except psycopg.Error as exc:
            self._wrong(error_text(exc, rest))
        except OSError as exc:
            self._wrong(f"{exc.filename}: {exc.strerror}")

    def _wrong(self, text: str) -> None:
        self.session.failed = True
        self.output.error(text)

    def names(self) -> Names:
        """What completion knows: asked of the server when definitions may be others."""
        if self.session.defined and self.session.connection.info.transaction_status == 0:
            columns: dict[str, list[str]] = {}
            try:
                for table, column in self.session.ask(listings.NAMES):
                    columns.setdefault(table, []).append(column)
            except psycopg.Error:
                return self._names  # Completion is a help and never an error.
            self._names = Names({table: tuple(found) for table, found in columns.items()})
            self.session.defined = False
        return self._names

    def _quit(self, _: str) -> None:
        self.is_over = True

    def _expand(self, _: str) -> None:
        self.session.is_expanded = not self.session.is_expanded
        self.output.line(f"Expanded display is {'on' if self.session.is_expanded else 'off'}.")

    def _timing(self, _: str) -> None:
        self.session.is_timed = not self.session.is_timed
        self.output.line(f"Timing is {'on' if self.session.is_timed else 'off'}.")

    def _include(self, name: str) -> None:
        if not name:
            self._wrong("\\i needs the name of a file")
            return
        path = Path(name).expanduser()
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            self.lines(file)

    def _conninfo(self, _: str) -> None:
        info = self.session.connection.info
        by = f'socket in "{info.host}"' if info.host.startswith("/") else f'host "{info.host}"'
        tls = " with TLS" if info.pgconn.ssl_in_use else ""
        self.output.line(
            f'Connected to database "{info.dbname}" as user "{info.user}" by {by}, port {info.port}{tls}.'
        )

    def _subscribe(self, query: str) -> None:
        if not query:
            self._wrong("\\subscribe needs a table or a query: \\subscribe chat.messages")
            return
        # A connection of its own: nothing that is told is mixed with what is asked here.
        with closing(self.session.another()) as connection:
            try:
                live.follow(connection, query, self.output)
            except psycopg.Error as exc:
                self._wrong(error_text(exc, live.statement(query)))

    def _list(self, name: str) -> Callable[[str], None]:
        what, query = listings.LISTINGS[name]

        def show(_: str) -> None:
            if not self.session.show(query):
                self.output.line(f"There are no {what}.")

        return show

    def _describe(self, name: str) -> None:
        if not name:
            self._list("d")("")
            return
        ((oid, whole, kind),) = self.session.ask(listings.FIND, [name])
        namespace, _, table = whole.partition(".")
        self.output.line(f'{"View" if kind == "v" else "Table"} "{whole}"')
        self.session.show(listings.COLUMNS, [oid])
        for constraint, definition in self.session.ask(listings.CONSTRAINTS, [oid]):
            self.output.line(f'    "{constraint}" {definition}')
        for type_, policy, level in self.session.ask(listings.OPTIONS, [namespace, table]):
            self.output.line(
                f"    type {type_}, flush policy {policy or '-'}, access {level or '-'}"
            )


def connector(parameters: dict[str, Any]) -> Callable[[], Connection]:
    """Connects with these parameters of libpq; asks for a password when one is needed, once."""

    def connect() -> Connection:
        try:
            return psycopg.connect(**parameters, autocommit=True)
        except psycopg.OperationalError as exc:
            if "password" not in parameters and "no password supplied" in str(exc):
                parameters["password"] = click.prompt("Password", hide_input=True, err=True)
                return connect()
            raise

    return connect


def run(parameters: dict[str, Any], command: str | None) -> int:
    """The shell on this process's terminal, or pipe; or one command's text. Its exit status."""
    output = Output()
    try:
        session = Session(connector(parameters), output)
    except psycopg.OperationalError as exc:
        output.error("kalam: " + " ".join(str(exc).split()))
        return 1
    shell = Shell(session, output)
    try:
        if command is not None:
            shell.lines(iter([command]))
        elif sys.stdin.isatty():
            terminal = Terminal(History(Path("~/.kalam_history").expanduser()), shell.names)
            try:
                shell.interact(terminal)
            finally:
                terminal.close()
            return 0
        else:
            if isinstance(
                sys.stdin, io.TextIOWrapper
            ):  # Bytes that are no UTF-8 are refused by the server.
                sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
            shell.lines(sys.stdin)
    finally:
        session.close()
    return 1 if session.failed else 0
