"""Clients that have another encoding than UTF8: every byte that they are told is PostgreSQL's."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import pq

from tests.wire import postgresql
from tests.wire.server import PASSWORD, KalamServer

pytestmark = pytest.mark.slow

Script = Callable[["Client"], Iterator[Any]]

_DIAGNOSTICS = (
    pq.DiagnosticField.SQLSTATE,
    pq.DiagnosticField.MESSAGE_PRIMARY,
    pq.DiagnosticField.MESSAGE_DETAIL,
    pq.DiagnosticField.STATEMENT_POSITION,
)


class Client:
    """libpq, which hands on bytes as they come. Each call returns what was told."""

    def __init__(self, dsn: str) -> None:
        self.link = pq.PGconn.connect(dsn.encode())
        assert self.link.status == pq.ConnStatus.OK, self.link.get_error_message()
        self.notices: list[bytes | None] = []
        self.link.notice_handler = lambda result: self.notices.append(
            result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY)
        )

    def ask(self, text: bytes) -> Any:
        return self._told(self.link.exec_(text))

    def send(
        self, text: bytes, *values: bytes | None, coded: bool = False, binary: bool = False
    ) -> Any:
        """By the extended protocol. coded: the parameters are in binary; binary: the answer is."""
        formats = [pq.Format.BINARY if coded else pq.Format.TEXT] * len(values)
        result = self.link.exec_params(text, values, None, formats, pq.Format(int(binary)))
        return self._told(result)

    def describe(self, name: bytes) -> Any:
        return self._told(self.link.describe_prepared(name))

    def copy_out(self, text: bytes) -> Any:
        result = self.link.exec_(text)
        if result.status != pq.ExecStatus.COPY_OUT:
            return self._told(result)
        pieces = []
        while True:
            size, data = self.link.get_copy_data(0)
            if size <= 0:
                return pieces, self._told(self.link.get_result()), self.link.get_result()
            pieces.append(bytes(data))

    def copy_in(self, text: bytes, *pieces: bytes) -> Any:
        result = self.link.exec_(text)
        if result.status != pq.ExecStatus.COPY_IN:
            return self._told(result)
        for piece in pieces:
            self.link.put_copy_data(piece)
        self.link.put_copy_end()
        return self._told(self.link.get_result()), self.link.get_result()

    def _told(self, result: Any) -> Any:
        notices, self.notices = self.notices, []
        encoding = self.link.parameter_status(b"client_encoding")
        if result.status == pq.ExecStatus.FATAL_ERROR:
            return [result.error_field(field) for field in _DIAGNOSTICS], notices, encoding
        rows = range(result.ntuples)
        columns = range(result.nfields)
        return (
            result.command_status,
            [result.fname(at) for at in columns],
            [[result.get_value(row, at) for at in columns] for row in rows],
            notices,
            encoding,
        )


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """How libpq reaches PostgreSQL, and ours."""
    if not postgresql.installed():
        pytest.skip("PostgreSQL 15 is not installed")
    directory: Path = tmp_path_factory.mktemp("encodings")
    server = KalamServer(directory / "kalam").start()
    try:
        with server.root() as root:
            root.execute(f"CREATE USER app WITH PASSWORD '{PASSWORD}' ROLE dba")
        with postgresql.running(directory) as theirs:
            ours = f"host=127.0.0.1 port={server.port} user=app password='{PASSWORD}' dbname=kalam"
            yield theirs, ours
    finally:
        server.stop()


def names(client: Client) -> Iterator[Any]:
    for name in (
        b"latin1", b"'LATIN-9'", b"'ISO-8859-15'", b"iso_8859_1", b"'windows-1252'", b"win", b"koi8", b"alt",
        b"'euc-jp'", b"shiftjis", b"win932", b"win949", b"uhc", b"gbk", b"big5", b"gb18030", b"johab",
        b"tcvn",
        b"euc_tw", b"euc_jis_2004", b"unicode", b"'UTF-8'", b"sql_ascii", b"foo", b"''", b"mule_internal",
        b"'latin11'", b"latin10", b"iso_8859_5", b"'iso8859-9'", b"iso88591", b"vscii", b"win874", b"DEFAULT",
    ):  # fmt: skip
        yield (
            name,
            client.ask(b"SET client_encoding TO " + name),
            client.ask(b"SHOW client_encoding"),
        )
    yield client.ask(b"SET NAMES 'latin2'"), client.ask(b"SELECT pg_client_encoding()")
    yield client.ask(b"RESET client_encoding")


def one_byte(client: Client) -> Iterator[Any]:
    yield client.ask(b"SET client_encoding TO latin1")
    yield client.ask(b"SELECT 'caf\xe9' AS \"d\xe9j\xe0\", length('\xe9\xe9')")
    yield client.ask(b"SELECT U&'\\20AC'")
    yield client.ask(b"SELECT U&'\\20AC'::int")
    yield client.ask(b"SELECT '\xe9'::int")
    yield client.ask(b"SELECT '\xe9\xe9', x FROM pg_class")
    yield client.ask(
        b'CREATE TABLE "t\xe9" (id int PRIMARY KEY, "n\xe9" text, doc jsonb, list text[])'
    )
    yield client.ask(
        b"INSERT INTO \"t\xe9\" VALUES (1, '\xe0\xff', '{\"\xe9\": [\"\xe8\"]}', '{a,\xe9}')"
    )
    yield client.ask(b'INSERT INTO "t\xe9" VALUES (1)')
    yield client.ask(b'SELECT * FROM "t\xe9"')
    yield client.send(b'SELECT * FROM "t\xe9" WHERE "n\xe9" = $1', b"\xe0\xff", binary=True)
    yield client.send(b'SELECT * FROM "t\xe9" WHERE "n\xe9" = $1', b"\xe0\xff", coded=True)
    yield client.send(b"SELECT $1::jsonb", b'\x01"\xe9"', coded=True, binary=True)
    yield client.send(b"SELECT $1::bytea, $2::text[]", b"\\xe9", b"{\xe9}", binary=True)
    yield client.send(b"SELECT row($1::text, 1, NULL::text)", b"\xe9", binary=True)
    yield client.send(b"SELECT U&'\\20AC', 1", binary=True)
    yield client.ask(b'DROP TABLE "nothing\xe9"')
    yield client.ask(b'DROP TABLE IF EXISTS "nothing\xe9"')
    yield client.ask(b"SET application_name TO 'a\xe9'")
    yield client.ask(b"SHOW application_name")
    yield client.ask(b'PREPARE "p\xe9" AS SELECT \'\xe9\'::text || $1 AS "c\xe9"')
    yield client.describe(b"p\xe9")
    yield client.ask(b"EXECUTE \"p\xe9\"('\xe8')")
    yield client.ask(b"EXECUTE \"p\xe8\"('\xe8')")
    yield client.ask(b"SELECT 1; SET client_encoding TO utf8; SELECT U&'\\00e9'")
    yield client.ask(b'SELECT "n\xc3\xa9" FROM "t\xc3\xa9"')
    yield client.ask(b'DROP TABLE "t\xc3\xa9"')


def transactions(client: Client) -> Iterator[Any]:
    yield client.ask(b"SET client_encoding TO latin1")
    yield client.ask(b"BEGIN")
    yield client.ask(b"SET client_encoding TO 'win1251'")
    yield client.ask(b"SELECT '\xe6'")
    yield client.ask(b"SAVEPOINT s")
    yield client.ask(b"SET LOCAL client_encoding TO utf8")
    yield client.ask(b"SELECT '\xc3\xa9'")
    yield client.ask(b"ROLLBACK TO s")
    yield client.ask(b"SELECT U&'\\0436'")
    yield client.ask(b"SELECT U&'\\20AC', U&'\\00E9'")
    yield client.ask(b"ROLLBACK")
    yield client.ask(b"SELECT '\xe9', U&'\\00E9'")


def more_bytes(client: Client) -> Iterator[Any]:
    yield client.ask(b"SET client_encoding TO 'EUC_JP'")
    yield client.ask(
        b"SELECT '\xa4\xa2', length('\xa4\xa2\xa4\xa4'), '\xad\xa1', '\x8e\xb1', '\x8f\xb0\xa1'"
    )
    for bad in (b"\xff", b"\xa4", b"\xa4\x41", b"\x8f\xa2", b"\xa4\xa2\xff\xff", b"\xa9\xa1"):
        yield client.ask(b"SELECT '" + bad + b"'")
        yield client.ask(b"SELECT '" + bad)
        yield client.send(b"SELECT $1::text", bad)
        yield client.send(b"SELECT $1::text", bad, coded=True)
    yield client.ask(b"SELECT '\xa4\xa2'::int")
    yield client.ask(b"SET client_encoding TO 'SJIS'")
    yield client.ask(b"SELECT '\x83\x5c', '\xb1', U&'\\00A5', '\xfb\xfc'")
    yield client.ask(b"SELECT '\x81'")
    yield client.ask(b"SELECT '\x81\xad'")
    yield client.ask(b"SET client_encoding TO 'GB18030'")
    yield client.ask(b"SELECT '\xc4\xe3\xba\xc3', '\x81\x30\x81\x30', U&'\\+01F600'")
    yield client.ask(b"SELECT '\xc4'")
    yield client.ask(b"SET client_encoding TO 'win1252'")
    yield client.ask(b"SELECT '\x81'")
    yield client.ask(b"SELECT U&'\\0081'")
    yield client.ask(b"SET client_encoding TO sql_ascii")
    yield client.ask(b"SELECT '\xe9'")
    yield client.ask(b"SELECT '\xe9 and so on'")
    yield client.ask(b"SELECT '\xc3\xa9', U&'\\20AC'")


def copies(client: Client) -> Iterator[Any]:
    yield client.ask(b"SET client_encoding TO latin1")
    yield client.ask(b"CREATE TABLE copied (id int PRIMARY KEY, words text, doc jsonb)")
    yield client.copy_in(b"COPY copied FROM STDIN", b'1\t\xe9\t["', b'\xe8"]\n2\t\xc3\xa9\t1\n')
    yield client.copy_in(b"COPY copied FROM STDIN (ENCODING 'utf8')", b"3\t\xc3", b"\xa9\t2\n")
    yield client.copy_in(b"COPY copied FROM STDIN (ENCODING 'euc_jp')", b"4\t\xa4", b"\xa2\t2\n")
    yield client.copy_in(b"COPY copied FROM STDIN (ENCODING 'euc_jp')", b"5\t\xa4", b"\x41\t2\n")
    yield client.copy_in(b"COPY copied FROM STDIN (ENCODING 'euc_jp')", b"5\t\xa4")
    yield client.ask(b"SELECT id, length(words) FROM copied ORDER BY id")
    yield client.copy_out(b"COPY (SELECT * FROM copied WHERE id < 4 ORDER BY id) TO STDOUT")
    yield client.copy_out(
        b"COPY (SELECT * FROM copied WHERE id < 4 ORDER BY id) TO STDOUT (FORMAT csv)"
    )
    yield client.copy_out(b"COPY (SELECT * FROM copied ORDER BY id) TO STDOUT (ENCODING 'euc_jp')")
    yield client.copy_out(b"COPY (SELECT * FROM copied WHERE id = 4) TO STDOUT (ENCODING 'euc_jp')")
    yield client.copy_out(b"COPY (SELECT * FROM copied WHERE id = 4) TO STDOUT")
    binary = client.copy_out(b"COPY (SELECT * FROM copied WHERE id < 4) TO STDOUT (FORMAT binary)")
    yield binary
    yield client.ask(b"TRUNCATE copied")
    yield client.copy_in(b"COPY copied FROM STDIN (FORMAT binary)", *binary[0])
    yield client.ask(
        b"SET client_encoding TO utf8; SELECT * FROM copied ORDER BY id; DROP TABLE copied"
    )


def many_rows(client: Client) -> Iterator[Any]:
    yield client.ask(b"SET client_encoding TO latin2")
    rows = b"SELECT g, repeat(U&'\\0159', g % 5), NULL::text FROM generate_series(1, 3000) g"
    yield client.ask(rows)
    yield client.send(rows, binary=True)
    yield client.ask(b"SELECT string_agg(U&'\\0159', '') FROM generate_series(1, 100000)")
    yield client.ask(b"SELECT chr(g) FROM generate_series(340, 360) g")
    yield client.ask(b"BEGIN; DECLARE c CURSOR FOR " + rows)
    yield client.ask(b"FETCH 3 FROM c")
    yield client.ask(b"FETCH ALL FROM c; COMMIT")


def made_types(client: Client) -> Iterator[Any]:
    yield client.ask(b"SET client_encoding TO latin1")
    yield client.ask(b"CREATE TYPE mood AS ENUM ('gl\xfccklich', 'm\xfcde')")
    yield client.ask(b"CREATE TYPE pair AS (word text, mood mood, list text[])")
    yield client.send(b"SELECT $1::mood, ARRAY[$1]::mood[]", b"m\xfcde", binary=False)
    yield client.send(b"SELECT 'm\xfcde'::mood, $1::mood", b"m\xfcde", coded=True, binary=True)[2:]
    yield client.ask(b"SELECT ROW('\xe9', 'm\xfcde', '{\xe8}')::pair")
    row = client.send(b"SELECT ROW('\xe9', 'm\xfcde', '{\xe8}')::pair", binary=True)[2][0][0]
    yield row.replace(b"\xfc", b"?").count(b"?"), row.count(b"\xe9"), row.count(b"\xe8")
    yield client.ask(b"DROP TYPE pair; DROP TYPE mood")


@pytest.mark.parametrize(
    "script", [names, one_byte, transactions, more_bytes, copies, many_rows, made_types]
)
def test_every_byte_is_postgresqls(links: tuple[str, str], script: Script) -> None:
    theirs, ours = (list(script(Client(link))) for link in links)
    assert [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]] == []


@pytest.mark.parametrize("name", ["latin1", "euc-jp", "sql_ascii"])
def test_the_startup_packet_may_name_an_encoding(links: tuple[str, str], name: str) -> None:
    told = [Client(f"{link} client_encoding={name}").ask(b"SELECT '\xa4\xa2 '") for link in links]
    assert told[0] == told[1]


def test_an_unknown_one_of_the_startup_packet_is_told_so(links: tuple[str, str]) -> None:
    told = [pq.PGconn.connect(f"{link} client_encoding=foo".encode()) for link in links]
    assert [b'"client_encoding": "foo"' in each.get_error_message().encode() for each in told] == [
        True,
        True,
    ]


def test_notifications_are_in_the_encoding_of_who_listens(links: tuple[str, str]) -> None:
    heard = []
    for link in links:
        client, other = Client(link), Client(link)
        client.ask(b"SET client_encoding TO latin1")
        client.ask(b'LISTEN "caf\xe9"')
        other.ask(b"NOTIFY \"caf\xc3\xa9\", 'd\xc3\xa9j\xc3\xa0'")
        client.ask(b"NOTIFY \"caf\xe9\", 'own \xe9'")
        client.link.consume_input()
        told = []
        while (note := client.link.notifies()) is not None:
            told.append((note.relname, note.extra))
        heard.append(sorted(told))
    assert heard[0] == heard[1] == [(b"caf\xe9", b"d\xe9j\xe0"), (b"caf\xe9", b"own \xe9")]


def test_long_texts_and_large_parameters(links: tuple[str, str]) -> None:
    told = []
    for link in links:
        client = Client(link)
        client.ask(b"SET client_encoding TO latin1")
        large = b"\xe9" * 300_000
        told.append(
            [
                client.send(b"SELECT length($1::text), md5($1::text)", large),
                client.send(b"SELECT length($1::text)", large, coded=True),
                client.send(b"SELECT $1::text", large, binary=True)[2:],
                client.ask(b"SELECT length('" + large + b"')"),
            ]
        )
    assert told[0] == told[1]


def test_large_answers(links: tuple[str, str]) -> None:
    told = []
    for link in links:
        client = Client(link)
        client.ask(b"SET client_encoding TO latin1")
        client.ask(b"CREATE TABLE wide (id int PRIMARY KEY, v text, w text)")
        client.ask(
            b"INSERT INTO wide SELECT n, repeat('\xe9', 1500000), '\xfc' FROM generate_series(1, 3) n"
        )
        client.ask(b"INSERT INTO wide VALUES (4, repeat(chr(233), 1500000) || chr(8364), '')")
        told.append(
            [
                client.ask(b"SELECT v, w FROM wide WHERE id = 2"),
                client.ask(b"SELECT v, count(*) FROM wide WHERE id < 4 GROUP BY v"),
                client.ask(b"SELECT v FROM wide WHERE id < 4"),
                client.ask(b"SELECT v FROM wide WHERE id = 4")[0][:2],
                client.ask(b"DROP TABLE wide"),
            ]
        )
    assert told[0] == told[1]


def test_a_text_longer_than_any_statement_is_not_converted(links: tuple[str, str]) -> None:
    client = Client(links[1])
    client.ask(b"SET client_encoding TO latin1")
    assert client.ask(b"SELECT '" + b"\xe9" * (3 << 20) + b"'")[0][0] == b"54000"
    assert client.ask(b"SELECT '\xe9'")[2] == [[b"\xe9"]]


@pytest.mark.parametrize(
    "raw", [b"", b"\xe9", b"\0\0\0\1" + b"\xff" * 20, b"\xff" * 40, bytes(11), b"\0\0\0\1" * 6]
)
def test_what_is_no_array_or_row_is_told_so(links: tuple[str, str], raw: bytes) -> None:
    client = Client(links[1])
    client.ask(b"SET client_encoding TO latin1")
    client.ask(b"CREATE TYPE told AS (word text)")
    for of in (b"text[]", b"told", b"told[]"):
        answer = client.send(b"SELECT $1::" + of, raw, coded=True)
        assert answer[0] == "SELECT 1" or answer[0][0][:2] in (b"22", b"08", b"42"), answer
    client.ask(b"DROP TYPE told")
    assert client.ask(b"SELECT '\xe9'")[2] == [[b"\xe9"]]
