"""What clients send when all is well: streams of messages, of which mutations are made."""

import struct
from collections.abc import Sequence
from typing import Final

from tests.wire.raw import DESCRIBE, SYNC, TERMINATE, bind, execute, message, parse, query, startup

FLUSH: Final = message(b"H")

SETUP: Final = (
    "CREATE NAMESPACE m",
    "CREATE TABLE m.t (id INT PRIMARY KEY, v TEXT, n NUMERIC, j JSONB, a INT[], at TIMESTAMPTZ)",
    "INSERT INTO m.t VALUES (1, 'one', 1.5, '{\"a\": 1}', '{1,2}', now()), (2, NULL, NULL, NULL, NULL, NULL)",
)
"""What a server is given first, by somebody who may."""

_TEXTS: Final = (
    "SELECT 1", "SELECT id, v, n, j, a, at FROM m.t WHERE id = 1", "SELECT * FROM m.t ORDER BY id LIMIT 1",
    "INSERT INTO m.t (id, v) VALUES (3, 'x') ON CONFLICT DO NOTHING", "UPDATE m.t SET v = 'y' WHERE id = 2",
    "DELETE FROM m.t WHERE id = 3", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s", "",
    "SET application_name = 'fuzz'", "SHOW search_path", "SELECT 'a' || 'b', 1 + 1, ARRAY[1, 2]", "LISTEN c",
    "NOTIFY c, 'p'", "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM m.t", "FETCH 1 FROM c", "CLOSE c",
    "PREPARE p (int) AS SELECT $1", "EXECUTE p (1)", "DEALLOCATE ALL", "SELECT typname FROM pg_type LIMIT 2",
    "COPY m.t (id, v) TO STDOUT", "EXPLAIN SELECT 1", "SELECT 1; SELECT 2", "DISCARD ALL", "SELECT $1::int",
    "SELECT version(), current_user, now() IS NULL", "VALUES (1, 'a'), (2, NULL)", "UNLISTEN *",
)  # fmt: skip

_BOUND: Final[tuple[tuple[str, tuple[bytes | None, ...], tuple[int, ...]], ...]] = (
    ("SELECT v FROM m.t WHERE id = $1", (b"1",), ()),
    ("SELECT id, v, n FROM m.t WHERE id = $1", (struct.pack("!i", 1),), (1,)),
    ("INSERT INTO m.t (id, v) VALUES ($1, $2) ON CONFLICT DO NOTHING", (b"7", b"text"), ()),
    ("SELECT $1::numeric, $2::jsonb, $3::int[]", (b"1.5", b"[1]", b"{1,2}"), ()),
    ("SELECT $1::timestamptz, $2::interval, $3::bytea", (b"2024-01-01", b"1 day", b"\\x00"), ()),
    ("SELECT $1::float8, $2::uuid, $3::bool", (b"1e3", b"0" * 32, b"t"), ()),
    ("SELECT $1::int8, $2::text", (struct.pack("!q", 7), b"x"), (1, 0)),
    ("UPDATE m.t SET v = $2 WHERE id = $1", (b"2", None), ()),
    ("SELECT * FROM m.t WHERE v = $1 ORDER BY id DESC LIMIT $2", (b"one", b"5"), ()),
)  # fmt: skip


def streams() -> list[list[bytes]]:
    """Each a list of messages, of a client that is known already."""
    found = [[query(text)] for text in _TEXTS]
    for number, (text, parameters, formats) in enumerate(_BOUND):
        name = f"s{number}"
        found.append([parse(text), bind(parameters, formats=formats), DESCRIBE, execute(), SYNC])
        found.append(
            [
                parse(text, name),
                message(b"D", b"S" + name.encode() + b"\0"),
                FLUSH,
                bind(parameters, statement=name, portal="p", formats=formats, results=(1,)),
                execute(1, "p"),
                execute(0, "p"),
                message(b"C", b"Pp\0"),
                message(b"C", b"S" + name.encode() + b"\0"),
                SYNC,
            ]
        )
    copied = [message(b"d", b"8\tline\n"), message(b"d", b"9\t\\N\n\\.\n")]
    found.append([query("COPY m.t (id, v) FROM STDIN"), *copied, message(b"c")])
    found.append([query("COPY m.t (id, v) FROM STDIN"), copied[0], message(b"f", b"no\0")])
    found.append([parse("SELECT 1"), bind(), execute(), parse("SELEC"), bind(), execute(), SYNC])
    found.append([message(b"F", struct.pack("!ihhh", 1, 0, 0, 0)), SYNC, TERMINATE])
    return found


def openings() -> list[list[bytes]]:
    """What is sent before anybody is known."""
    sasl = b"n,,n=,r=abcdefghijklmnop"
    initial = message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(sasl)) + sasl)
    final = message(b"p", b"c=biws,r=abcdefghijklmnop,p=" + b"A" * 43 + b"=")
    options = {"options": "-c search_path=m --lock_timeout=5s", "application_name": "x"}
    return [
        [startup("root")],
        [startup("root", 2, **options)],
        [startup("nobody"), initial, final],
        [struct.pack("!ii", 8, 80877103), startup("root")],
        [struct.pack("!ii", 8, 80877104), startup("root")],
        [struct.pack("!iiii", 16, 80877102, 1, 2)],
    ]


def joined(stream: Sequence[bytes]) -> bytes:
    """All of its bytes."""
    return b"".join(stream)
