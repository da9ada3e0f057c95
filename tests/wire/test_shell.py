"""`kalam` without a command: typed at on a pseudo terminal, and through a pipe."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.wire.pseudo_terminal import SEEN_S, PseudoTerminal
from tests.wire.server import PASSWORD

PROMPT = "kalam=>"
HISTORY = ".kalam_history"


def command(server, *more):
    return [sys.executable, "-m", "kalam_pg", "--port", str(server.port), *more]


def piped(server, text, *more, user="alice"):
    """What the shell prints for a script, and its exit status."""
    done = subprocess.run(
        command(server, "--host", "127.0.0.1", "-U", user, *more),
        input=text, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PGPASSWORD": PASSWORD},
    )  # fmt: skip
    return done.stdout, done.stderr, done.returncode


def until(look):
    """Wait until there is something to see."""
    deadline = time.monotonic() + SEEN_S
    while not look():
        assert time.monotonic() < deadline


@pytest.fixture
def terminal(server, tmp_path):
    opened = PseudoTerminal(
        command(server, "--host", "127.0.0.1", "-U", "alice"),
        PGPASSWORD=PASSWORD,
        HOME=str(tmp_path),
    )
    opened.see(PROMPT)
    yield opened
    opened.close()


@pytest.mark.slow
def test_a_user_types_statements_follows_a_table_and_leaves(server, chat, terminal, tmp_path):
    # A statement goes on until its semicolon.
    terminal.type("SELECT 'a;b' AS x,\n")
    terminal.type("7 AS y;\n")
    terminal.see("  x  | y\n-----+---\n a;b | 7\n(1 row)")
    terminal.see(PROMPT)
    # Tab completes what there is.
    terminal.type(f"INSERT INTO {chat}.conv\t(id, ti\t) VALUES (1, 'first');\n")
    terminal.see("INSERT 0 1")
    terminal.see(PROMPT)
    # Changes are shown as they come.
    terminal.type(f"\\subscribe SELECT id, title FROM {chat}.conversations OPTIONS (last_rows=5)\n")
    assert "  1 | first" in terminal.see("Ctrl-C ends.\n")
    with server.connect("alice") as writer:
        writer.execute(f"INSERT INTO {chat}.conversations (id, title) VALUES (2, 'two\nlines')")
        terminal.see("[2]  id = 2 | title = two\\nlines\n")
        writer.execute(f"UPDATE {chat}.conversations SET title = NULL OR 'x' = title WHERE id = 9")
        writer.execute(f"UPDATE {chat}.conversations SET title = 'second' WHERE id = 2")
        terminal.see("[2]  title = two\\nlines -> second\n")
        writer.execute(f"DELETE FROM {chat}.conversations WHERE id = 1")
        terminal.see("delete [1]\n")
    terminal.type("\x03")
    terminal.see(PROMPT)
    # A statement that takes too long is given up.
    with server.connect("alice") as holder, server.root() as root:
        holder.execute(f"BEGIN; UPDATE {chat}.conversations SET title = 'mine' WHERE id = 2")
        terminal.type(f"DELETE FROM {chat}.conversations WHERE id = 2;\n")
        until(lambda: root.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall())
        terminal.type("\x03")
        terminal.see("canceled\n")
    terminal.see(PROMPT)
    terminal.type("\x04")
    assert terminal.wait() == 0
    assert "a;b" in (tmp_path / HISTORY).read_text()
    assert (tmp_path / HISTORY).stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_a_script_is_answered_as_psql_does(server, chat):
    out, err, status = piped(
        server,
        f"""
        BEGIN; INSERT INTO {chat}.conversations (id, title) VALUES (1, 'it''s; so') RETURNING title; COMMIT;
        LISTEN c; NOTIFY c, 'hello';
        COPY {chat}.conversations (id, title) TO STDOUT;
        \\x
        SELECT 1 AS one, NULL AS nothing
        """,
    )
    assert (err, status) == ("", 0)
    assert out.splitlines() == [
        "BEGIN",
        *("  title", "----------", " it's; so", "(1 row)", "", "INSERT 0 1"),
        "COMMIT",
        "LISTEN",
        "NOTIFY",
        out.splitlines()[10],
        "1\tit's; so",
        "Expanded display is on.",
        *("-[ RECORD 1 ]+--------------------", "one     | 1", "nothing |", ""),
    ]
    assert out.splitlines()[10].startswith('Asynchronous notification "c" with payload "hello"')


@pytest.mark.slow
def test_errors_say_where_and_the_script_goes_on(server):
    out, err, status = piped(
        server,
        "SELECT 1,\n  nope;\n\\nope\n\\d nope\nCOPY x FROM STDIN;\nSELECT 2;\n",
        "--data",
        ".",
    )
    assert status == 1
    assert " 2\n" in out
    assert err.splitlines() == [
        *('ERROR:  column "nope" does not exist', "LINE 2:   nope;", "          ^"),
        "there is no command \\nope: \\? tells which there are",
        'ERROR:  relation "nope" does not exist',
        "COPY FROM STDIN is not understood here: use psql",
    ]


@pytest.mark.slow
def test_what_cannot_be_a_statement_is_told_and_the_script_goes_on(server, tmp_path):
    script = tmp_path / "script.sql"
    script.write_bytes(b"SELECT '\xff';\nSELECT \x00 1;\n")
    text = f"\\i {script}\n\\i\n\\i /no/such\n\\subscribe\n\\subscribe nope\n;;\nSELECT 7"
    out, err, status = piped(server, text)
    assert (" 7\n" in out, status) == (True, 1)
    assert err.splitlines() == [
        'ERROR:  invalid byte sequence for encoding "UTF8": 0xff',
        "a statement cannot have a NUL character in it",
        "\\i needs the name of a file",
        "/no/such: No such file or directory",
        "\\subscribe needs a table or a query: \\subscribe chat.messages",
        *('ERROR:  relation "nope" does not exist', "LINE 1: SUBSCRIBE TO nope", " " * 21 + "^"),
    ]


@pytest.mark.slow
def test_listings_show_what_there_is(server, chat):
    text = f"CREATE VIEW {chat}.titles AS SELECT id, title FROM {chat}.conversations;\n"
    listings = (
        f"\\d\n\\d {chat}.conversations\n\\d {chat}.titles\n\\dt\n\\dv\n\\dn\n\\du\n\\conninfo\n"
    )
    out, err, _ = piped(server, text + listings, "--host", str(server.directory), user="root")
    assert err == ""
    told = [" ".join(line.split()) for line in out.splitlines()]
    for line in (
        f" {chat}     | conversations | user   | root",
        f" {chat}     | titles        | view   | root",
        f'Table "{chat}.conversations"',
        "id | bigint | not null | SNOWFLAKE_ID()",
        '    "conversations_pkey" PRIMARY KEY (id)',
        "    type USER, flush policy rows:1000, access -",
        f'View "{chat}.titles"',
        " alice |            | t",
        f" {chat}     | typing_events | stream | root",
    ):
        assert " ".join(line.split()) in told, (line, out)
    assert 'Connected to database "kalam" as user "root" by socket in' in out


@pytest.mark.slow
def test_a_server_that_is_not_there_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "kalam_pg", "--data", str(tmp_path), "--port", "1", "-c", "SELECT 1"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("kalam: connection failed")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_server_of_the_data_directory_is_found_by_its_socket(server):
    done = subprocess.run(
        command(server, "--data", str(Path(server.directory)), "-c", "SELECT current_user"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert " root" in done.stdout
