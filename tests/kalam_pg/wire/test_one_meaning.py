"""The quick ways mean what the general way means: statement for statement, byte for byte.

Two databases hear the same statements. In one they come whole, so that texts are taken apart into shapes
and what can be done in one step is; in the other no session has a quick way or knows a shape. The
conformance scripts, PostgreSQL's own statements and the inputs of every type are asked in the simple
protocol, and with their literals as parameters in the extended one.
"""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from conformance.sql import oracle
from conformance.sql.cases import scripts
from kalam_pg.pgwire.messages import (
    Describe,
    ErrorResponse,
    Parse,
    Query,
    RowDescription,
    Sync,
)
from kalam_pg.sql.literals import literal_shape
from tests.catalog.types.inputs import INPUTS
from tests.kalam_pg.wire.clients import Client, pipeline, serving

SCRIPTS = {script.name: [case.sql for case in script.cases] for script in scripts()}
SCRIPTS["edges"] = """
CREATE USER TABLE chat (id bigint PRIMARY KEY, room int, at bigint NOT NULL, body varchar(5), r regclass)
INSERT INTO chat VALUES (1, 1, 10, 'a', 'chat')
INSERT INTO chat VALUES (2, 1, 20, 'b', 'pg_class')
INSERT INTO chat VALUES (3, 2, 20, NULL, NULL)
INSERT INTO chat VALUES (3, 2, 20, 'twice', NULL)
INSERT INTO chat VALUES (4, 2, NULL, 'null', NULL)
INSERT INTO chat VALUES (4, 2, 20, 'too long', NULL)
INSERT INTO chat VALUES (99999999999, 2147483648, 1, 'room', NULL)
INSERT INTO chat VALUES (1.5, 2, 2, 'half', NULL)
INSERT INTO chat VALUES ('x', 2, 2, 'x', NULL)
INSERT INTO chat VALUES (5, 2, 2, 'name', 'nosuch')
INSERT INTO chat VALUES (5, 2, 2)
INSERT INTO chat VALUES (6, 2)
INSERT INTO chat (id, at, nosuch) VALUES (7, 1, 1)
SELECT body, r FROM chat WHERE id = 1
SELECT r, id FROM chat WHERE id = '2'
SELECT FROM chat WHERE id = 2
SELECT * FROM chat WHERE id = 2 AND room = 1
SELECT * FROM chat WHERE id = 2 AND body = 5
SELECT * FROM chat WHERE id = 2.0
SELECT * FROM chat WHERE id = 99999999999999999999
SELECT * FROM chat WHERE id = 'two'
SELECT id / 0 FROM chat WHERE id = 2
SELECT at / room, at % 0 FROM chat WHERE id = 1
SELECT nosuch FROM chat WHERE id = 2
SELECT id, body FROM chat WHERE room = 1 ORDER BY at DESC LIMIT 1
SELECT id, body FROM chat WHERE room = 1 ORDER BY at DESC LIMIT 0
SELECT id, body FROM chat WHERE room = 1 ORDER BY at DESC LIMIT -1
SELECT id, body FROM chat WHERE room = 1 ORDER BY at DESC LIMIT 1 OFFSET -1
SELECT id, body FROM chat WHERE room = NULL ORDER BY at DESC LIMIT -1
SELECT id, body FROM chat WHERE room = 9 ORDER BY at DESC LIMIT -1
SELECT id, body FROM chat WHERE room = 1 ORDER BY at DESC LIMIT 9999999999999
SELECT id, body FROM chat WHERE room = 1 ORDER BY at DESC LIMIT 'x'
SELECT id, body FROM chat WHERE room = 1 AND at < 20 ORDER BY at DESC LIMIT 3
SELECT id, body FROM chat WHERE room = 1 AND at < NULL ORDER BY at DESC LIMIT -3
SELECT id, r FROM chat WHERE room = 1 ORDER BY at DESC LIMIT 3
SELECT id, body FROM chat WHERE room = 9999999999 ORDER BY at DESC LIMIT 3
SET search_path TO public
SELECT r, id FROM here.chat WHERE id = 1
SELECT id, r FROM here.chat WHERE room = 1 ORDER BY at DESC LIMIT 3
SELECT r, id FROM here.chat WHERE id = 1
SET search_path TO here
SELECT r, id FROM chat WHERE id = 1
SET default_transaction_read_only TO on
SELECT id, body FROM chat WHERE id = 1
INSERT INTO chat VALUES (10, 2, 20, 'read', NULL)
SET default_transaction_read_only TO off
SET default_transaction_isolation TO 'repeatable read'
SELECT id, body FROM chat WHERE id = 1
INSERT INTO chat VALUES (10, 2, 20, 'snap', NULL)
RESET default_transaction_isolation
CREATE USER alice WITH PASSWORD 'a password' ROLE 'user'
CREATE SHARED TABLE board (id int PRIMARY KEY, said text)
INSERT INTO board VALUES (1, 'root')
SET ROLE alice
SELECT id, body FROM chat WHERE id = 1
INSERT INTO chat VALUES (1, 1, 1, 'hers', 'chat')
SELECT id, body, r FROM chat WHERE id = 1
SELECT said FROM board WHERE id = 1
INSERT INTO board VALUES (2, 'alice')
RESET ROLE
SELECT id, body FROM chat WHERE id = 1
EXECUTE AS USER 'alice' (SELECT id, body FROM chat WHERE id = 1)
CREATE STREAM TABLE typing (id int PRIMARY KEY, who text) WITH (TTL_SECONDS = 3600)
INSERT INTO typing VALUES (1, 'me')
SELECT who FROM typing WHERE id = 1
BEGIN
INSERT INTO chat VALUES (20, 1, 30, 'mine', NULL)
SELECT id, body FROM chat WHERE id = 20
SELECT id, body FROM chat WHERE room = 1 ORDER BY at DESC LIMIT 1
ROLLBACK
SELECT id, body FROM chat WHERE room = 1 ORDER BY at DESC LIMIT 1
SELECT id, body FROM chat WHERE id = 20
UPDATE chat SET body = 'new' WHERE id = 1
SELECT id, body FROM chat WHERE id = 1
DELETE FROM chat WHERE id = 1
SELECT id, body FROM chat WHERE id = 1
INSERT INTO chat VALUES (1, 1, 40, 'again', NULL)
SELECT id, body FROM chat WHERE id = 1
TRUNCATE chat
SELECT * FROM chat WHERE id = 1
DROP TABLE chat
SELECT * FROM chat WHERE id = 1
INSERT INTO chat VALUES (1, 1, 40, 'gone', NULL)
""".strip().splitlines()
SCRIPTS["what indexes and references have"] = """
CREATE SHARED TABLE people (id int PRIMARY KEY, code int UNIQUE, note text)
CREATE SHARED TABLE named (id int PRIMARY KEY, name text, note text)
CREATE UNIQUE INDEX named_lower ON named (lower(name))
CREATE SHARED TABLE part (id int PRIMARY KEY, a int, b text, note text)
CREATE UNIQUE INDEX part_a ON part (a) WHERE b = 'x'
CREATE SHARED TABLE child (id int PRIMARY KEY, person int, note text)
ALTER TABLE child ADD FOREIGN KEY (person) REFERENCES people (code) ON UPDATE CASCADE
INSERT INTO people VALUES (1, 10, 'a'), (2, 20, 'b'), (3, NULL, 'c')
INSERT INTO named VALUES (1, 'Ann', 'a'), (2, 'Bob', 'b')
INSERT INTO part VALUES (1, 5, 'x', 'a'), (2, 5, 'y', 'b')
INSERT INTO child VALUES (1, 10, 'of ten'), (2, NULL, 'of none')
UPDATE people SET note = 'edited' WHERE id = 1
UPDATE people SET note = note || '!' WHERE id = 3 AND code IS NULL
UPDATE people SET note = 'twenty', code = 10 WHERE id = 2
UPDATE people SET code = 20 WHERE id = 2
UPDATE people SET code = 30 WHERE id = 3
SELECT * FROM people ORDER BY id
UPDATE named SET note = 'edited' WHERE id = 1
UPDATE named SET name = 'ANN' WHERE id = 2
UPDATE named SET name = 'ANNE' WHERE id = 1
SELECT * FROM named ORDER BY id
UPDATE part SET note = 'edited' WHERE id = 2
UPDATE part SET b = 'x' WHERE id = 2
UPDATE part SET a = 6 WHERE id = 2
UPDATE part SET b = 'x' WHERE id = 2
SELECT * FROM part ORDER BY id
UPDATE child SET note = 'edited' WHERE id = 1
UPDATE child SET person = 99 WHERE id = 1
UPDATE child SET person = 20 WHERE id = 2
UPDATE people SET code = 11 WHERE id = 1
SELECT * FROM child ORDER BY id
DELETE FROM people WHERE id = 1
DELETE FROM child WHERE id = 1
DELETE FROM people WHERE id = 1
BEGIN
UPDATE people SET note = 'in a block' WHERE id = 2
UPDATE child SET note = 'in a block' WHERE id = 2
UPDATE people SET code = 21 WHERE id = 2
UPDATE people SET note = 'again' WHERE id = 2
SELECT * FROM people, child ORDER BY people.id, child.id
COMMIT
SELECT * FROM people, child ORDER BY people.id, child.id
INSERT INTO people VALUES (4, 21, 'taken')
INSERT INTO people VALUES (4, 20, 'free')
SELECT id FROM people WHERE code = 20
""".strip().splitlines()
SCRIPTS["oracle"] = [oracle.SETUP, *(case.sql for case in oracle.cases())]
READS = ("select", "values", "table", "with", "(")
TIMES = 3
"""A text's shape is remembered at its second coming, and its way taken at the third."""


class _NoShapes:
    def again(self, sql, text):
        return None

    def find(self, sql, text):
        return None


class General(Client):
    """A client that has everything done the long way."""

    def __init__(self, server):
        super().__init__(server)
        self.session.shapes = _NoShapes()
        self.session.may_be_quick = lambda _sql: False


class Pair:
    """Two clients, each of a database of its own, that are told the same."""

    def __init__(self, quick, general):
        self.quick = quick
        self.general = general
        self.steps = 0

    async def ask(self, *messages):
        """Both answers, if they are the same."""
        quick = [_told(m) for m in await self.quick.ask(*messages)]
        general = [_told(m) for m in await self.general.ask(*messages)]
        assert quick == general, messages
        return quick

    async def simple(self, text):
        for _ in range(TIMES if _reads(text) else 1):
            await self.ask(Query(text))

    async def extended(self, text):
        """Its literals as parameters, declared as PostgreSQL types them."""
        shape = literal_shape(text)
        values, classes = (shape.values, shape.classes) if shape is not None else ((), "")
        if shape is not None:
            text = shape.text
        types = tuple({"i": 23, "I": 20, "n": 1700, "s": 0}[letter] for letter in classes)
        found = await self.ask(Parse("it", text, types), Describe("S", "it"), Sync())
        if not any(isinstance(message, ErrorResponse) for message in found):
            for number in range(TIMES if _reads(text) else 1):
                await self.ask(*pipeline("it", *values, result_format=number % 2))
        self.quick.session.sql.prepared.pop("it", None)
        self.general.session.sql.prepared.pop("it", None)


def _reads(text):
    return text.lstrip().lower().startswith(READS)


def _told(message):
    """The message without what differs between databases: the tables' numbers."""
    if isinstance(message, RowDescription):
        return RowDescription(tuple(replace(f, table_oid=0) for f in message.fields))
    return message


@asynccontextmanager
async def pair(path, workers=0):
    (path / "quick").mkdir()
    (path / "general").mkdir()
    async with (
        serving(path / "quick", workers) as quick,
        serving(path / "general", workers) as general,
    ):
        yield Pair(Client(quick), General(general))


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["simple", "extended"])
@pytest.mark.parametrize("name", SCRIPTS)
async def test_the_cases_are_answered_alike(tmp_path, name, protocol):
    async with pair(tmp_path, workers=1) as both:
        await both.ask(Query("CREATE NAMESPACE here"))
        await both.ask(Query("SET search_path TO here"))
        await both.ask(Query("SET TimeZone TO 'Europe/Berlin'"))
        for text in SCRIPTS[name]:
            many = protocol == "extended" and ";" not in text
            await (both.extended(text) if many else both.simple(text))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({given.sql for given in INPUTS}))
async def test_every_input_of_a_type_is_read_and_written_alike(tmp_path, name):
    async with pair(tmp_path) as both:
        await both.ask(Query("SET synchronous_commit TO off"))  # A thousand commits.
        await both.ask(Query("CREATE NAMESPACE here"))
        await both.ask(Query("SET search_path TO here"))
        await both.ask(Query(f"CREATE USER TABLE v (id bigint PRIMARY KEY, v {name})"))
        await both.ask(Query(f"CREATE USER TABLE k (k {name} PRIMARY KEY, v int DEFAULT 7)"))
        number = 0
        for given in (given for given in INPUTS if given.sql == name):
            for setting, value in given.settings.items():
                await both.ask(Query(f"SET {setting} TO '{value}'"))
            for text in given.texts:
                number += 1
                literal = text.replace("'", "''")
                await both.simple(f"INSERT INTO v (id, v) VALUES ({number}, '{literal}')")
                await both.simple(f"SELECT v, id FROM v WHERE id = {number}")
                await both.extended(f"SELECT id, v FROM v WHERE id = {number}")
                await both.simple(f"INSERT INTO k (k) VALUES ('{literal}')")
                await both.simple(f"SELECT v, k FROM k WHERE k = '{literal}'")
                await both.extended(f"INSERT INTO v (id, v) VALUES ({-number}, '{literal}')")
                await both.extended(f"SELECT v FROM v WHERE id = {-number}")
                await both.extended(f"SELECT k FROM k WHERE k = '{literal}'")
            for setting in given.settings:
                await both.ask(Query(f"RESET {setting}"))


async def test_the_quick_database_is_quick_and_the_other_is_not(tmp_path):
    async with pair(tmp_path) as both:
        await both.ask(Query("CREATE NAMESPACE here"))
        await both.ask(Query("CREATE USER TABLE here.v (id bigint PRIMARY KEY)"))
        await both.simple("INSERT INTO here.v VALUES (1)")
        await both.simple("SELECT id FROM here.v WHERE id = 1")
        await both.extended("SELECT id FROM here.v WHERE id = 1")
        assert both.quick.session.shapes.again(
            both.quick.session.sql, "SELECT id FROM here.v WHERE id = 2"
        )
        assert both.quick.session.quick_binds
        assert not both.general.session.quick_binds
