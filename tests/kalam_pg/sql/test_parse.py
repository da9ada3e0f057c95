"""Messages become typed statements; what is not understood to the last word is an error."""

import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidParameterValueError,
    SqlSyntaxError,
    UndefinedObjectError,
)
from kalam_pg.sql import statements as s
from kalam_pg.sql import statements_alter as a
from kalam_pg.sql import statements_types as made
from kalam_pg.sql.parse import column_names, parse, parse_message
from kalam_pg.sql.statements_users import AlterUser, CreateUser, DropUser
from storage.errors import KalamError


def one(text: str) -> s.Statement:
    (statement,) = parse(text)
    return statement


# ------------------------------------------------------------------ messages


@pytest.mark.parametrize("text", ["", " \n", ";", ";;", " ; ; ", "-- nothing", "/* a */ ; -- b"])
def test_a_message_without_a_statement_is_empty(text):
    assert parse(text) == []


def test_each_statement_of_a_message_has_its_own_text_and_place():
    message = " BEGIN ;;\n INSERT INTO t VALUES ('a;b'); /* ; */ COMMIT -- end"
    parsed = parse_message(message)
    assert [type(p.statement).__name__ for p in parsed] == ["Begin", "QueryStatement", "Commit"]
    assert [p.text for p in parsed] == ["BEGIN", "INSERT INTO t VALUES ('a;b')", "COMMIT"]
    assert [message[p.offset : p.offset + len(p.text)] for p in parsed] == [p.text for p in parsed]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT 1", "select"),
        ("(SELECT 1)", "select"),
        ("VALUES (1)", "select"),
        ("TABLE t", "select"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "select"),
        ("INSERT INTO t VALUES (1)", "insert"),
        ("WITH x AS (SELECT 1) UPDATE t SET a = 1", "update"),
        ("DELETE FROM t", "delete"),
    ],
)
def test_queries_and_data_changes_are_told_apart(text, kind):
    statement = one(text)
    assert isinstance(statement, s.QueryStatement)
    assert (statement.kind, statement.text) == (kind, text)


@pytest.mark.parametrize(
    ("text", "near", "at"),
    [
        ("FOO BAR", "FOO", 1),
        ("SELECT 1; foo", "foo", 11),
        ("LISTEN", None, 7),
        ("CREATE foo", "foo", 8),
        ("DROP foo", "foo", 6),
        ("CREATE TABLE t (a int,)", ")", 23),
        ("CREATE TABLE t (a int) foo", "foo", 24),
        ("BEGIN foo", "foo", 7),
        ("COMMIT; ROLLBACK foo", "foo", 18),
        ("SET a", None, 6),
        ("SHOW a b", "b", 8),
        ("GRANT SELECT ON t", None, 18),
        ("CREATE USER", None, 12),
        ("DISCARD foo", "foo", 9),
        ("'a'", "'a'", 1),
        ("123", "123", 1),
        ("DROP TABLE t foo", "foo", 14),
        ("EXPLAIN", None, 8),
        ("EXPLAIN CREATE TABLE t (a int)", "CREATE", 9),
        ("PREPARE p AS COMMIT", "COMMIT", 14),
        ("CREATE TABLE t (a int) FLUSH", None, 29),
        ("CREATE TABLE select (a int)", "select", 14),
    ],
)
def test_what_is_not_understood_is_a_syntax_error_where_postgresql_points(text, near, at):
    with pytest.raises(SqlSyntaxError) as raised:
        parse(text)
    message = f'syntax error at or near "{near}"' if near else "syntax error at end of input"
    assert (raised.value.message, raised.value.position) == (message, at)


UNSUPPORTED = [
    ("ALTER EXTENSION x SET SCHEMA y", "ALTER EXTENSION"),
    ("CREATE TRIGGER x", "CREATE TRIGGER"),
    ("GRANT dba TO alice", "GRANT of a role"),
    ("PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION"),
    ("COMMENT ON TRIGGER f ON t IS 'x'", "COMMENT ON TRIGGER"),
]


@pytest.mark.parametrize(("text", "what"), UNSUPPORTED)
def test_statements_of_later_subjects_are_known_by_name(text, what):
    statement = one(text)
    assert isinstance(statement, s.Unsupported)
    assert statement.what == what


# ------------------------------------------------------------------ tables


def test_columns_and_constraints_are_read_as_text_and_names():
    table = one(
        'CREATE TABLE IF NOT EXISTS App."T" (id bigint PRIMARY KEY DEFAULT f(1) + 2, '
        "a varchar(5) CONSTRAINT nn NOT NULL UNIQUE CHECK (a <> ''), "
        "b int GENERATED ALWAYS AS IDENTITY, c int GENERATED ALWAYS AS (b * 2) STORED, d serial, "
        'CONSTRAINT u UNIQUE (a, b), CHECK (b < c), n text DEFAULT NULL COLLATE "C")'
    )
    assert isinstance(table, s.CreateTable)
    assert (table.name.schema, table.name.name, table.if_not_exists) == ("app", "T", True)
    identifier, a, b, c, d, n = table.columns
    assert (identifier.primary_key, identifier.default) == (True, "f(1) + 2")
    assert (a.not_null, a.checks) == (True, (("", "a <> ''"),))
    assert (a.type.name, a.type.modifiers) == ("varchar", (5,))
    assert (b.identity, c.generated, d.identity, d.type.name) == ("a", "b * 2", "s", "int4")
    assert n.default == "NULL"
    assert table.constraints == (
        s.TableConstraint("u", "", ("a",)),
        s.TableConstraint("u", "u", ("a", "b")),
        s.TableConstraint("c", "", check="b < c"),
    )


def test_options_keep_their_text_and_older_suffixes_join_them():
    def options(suffix: str) -> tuple[tuple[str, str], ...]:
        table = one(f"CREATE TABLE t (a int) {suffix}")
        assert isinstance(table, s.CreateTable)
        return table.options

    assert options("WITH (Type = 'USER', ttl_seconds = 1.5, x = on, y)") == (
        ("TYPE", "USER"), ("TTL_SECONDS", "1.5"), ("X", "on"), ("Y", "true"),
    )  # fmt: skip
    policy = "FLUSH_POLICY"
    assert options("FLUSH INTERVAL 300s ROW_THRESHOLD 5000") == (
        (policy, "interval:300,rows:5000"),
    )
    assert options("FLUSH INTERVAL 5m") == ((policy, "interval:300"),)
    assert options("FLUSH POLICY TIME_INTERVAL 60") == ((policy, "interval:60"),)
    assert options("TTL 10 STORAGE s3_prod") == (("TTL_SECONDS", "10"), ("STORAGE", "s3_prod"))
    assert options("RETENTION 10 EPHEMERAL MAX_BUFFER 5000") == (
        ("TTL_SECONDS", "10"), ("TYPE", "STREAM"), ("MAX_BUFFER", "5000"),
    )  # fmt: skip
    assert options("USING kalamdb") == ()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("CREATE TABLE t (a int) USING brin", UndefinedObjectError, 'access method "brin"'),
        ("CREATE TABLE t (a int, EXCLUDE (a WITH =))", FeatureNotSupportedError, "EXCLUDE"),
        ("CREATE TABLE t (a int REFERENCES u MATCH PARTIAL)", FeatureNotSupportedError, "MATCH"),
        ("CREATE INDEX ON t USING gin (a)", FeatureNotSupportedError, "access method gin"),
        ("CREATE INDEX ON t USING nothing (a)", UndefinedObjectError, 'access method "nothing"'),
        ("CREATE TABLE t (a int) TABLESPACE x", FeatureNotSupportedError, "TABLESPACE"),
        ("CREATE TABLE t (a text COLLATE \"de_DE\")", UndefinedObjectError, "de_DE"),
        ("CREATE TABLE t (a int NULL NOT NULL)", SqlSyntaxError,
         'conflicting NULL/NOT NULL declarations for column "a" of table "t"'),
        ("CREATE TABLE t (a int DEFAULT 1 DEFAULT 2)", SqlSyntaxError,
         'multiple default values specified for column "a" of table "t"'),
        ("CREATE TABLE t (a serial DEFAULT 1)", SqlSyntaxError, "multiple default values"),
        ("CREATE TABLE t (a int DEFAULT 1 GENERATED ALWAYS AS IDENTITY)", SqlSyntaxError,
         'both default and identity specified for column "a" of table "t"'),
        ("CREATE TABLE t (a float(0))", InvalidParameterValueError, "at least 1 bit"),
    ],
)  # fmt: skip
def test_tables_that_are_not_meant_seriously_are_refused(text, error, message):
    with pytest.raises(error) as raised:
        parse(text)
    assert message in raised.value.message


def test_alter_table_is_a_list_of_actions():
    alter = one(
        "ALTER TABLE IF EXISTS a.t ADD COLUMN IF NOT EXISTS x text DEFAULT 'y', DROP COLUMN z, "
        "ALTER b TYPE bigint, ALTER COLUMN b SET DEFAULT 1 + 1, ALTER b DROP NOT NULL, SET (TTL = 1)"
    )
    assert isinstance(alter, s.AlterTable)
    added, *others = alter.actions
    assert isinstance(added, a.AddColumn)
    assert (added.definition.name, added.definition.default, added.if_not_exists) == (
        *("x", "'y'", True),
    )
    assert others == [
        a.DropColumn("z"),
        a.SetType("b", s.TypeName("int8", position=100)),
        a.SetDefault("b", "1 + 1"),
        a.SetNotNull("b", not_null=False),
        a.SetOptions((("TTL", "1"),)),
    ]


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("RENAME a TO b", a.RenameColumn("a", "b")),
        ("RENAME COLUMN a TO b", a.RenameColumn("a", "b")),
        ("RENAME TO b", a.RenameTo("b")),
        ("RENAME CONSTRAINT a TO b", a.RenameConstraint("a", "b")),
        ("SET SCHEMA x", a.SetSchema("x")),
        ("OWNER TO alice", a.OwnerTo("alice")),
        ("DROP IF EXISTS a CASCADE", a.DropColumn("a", if_exists=True, cascade=True)),
        ("DROP CONSTRAINT IF EXISTS c", a.DropConstraint("c", if_exists=True)),
        ("VALIDATE CONSTRAINT c", a.ValidateConstraint("c")),
        ("ALTER a SET NOT NULL", a.SetNotNull("a", not_null=True)),
        ("ALTER a DROP DEFAULT", a.SetDefault("a")),
        ("ALTER a SET DATA TYPE text USING b || 'x'",
         a.SetType("a", s.TypeName("text", position=42), "b || 'x'")),
        ("ADD CHECK (a > 1) NOT VALID",
         a.AddConstraint(s.TableConstraint("c", check="a > 1", not_valid=True))),
        ("ADD CONSTRAINT c UNIQUE (a)", a.AddConstraint(s.TableConstraint("u", "c", ("a",)))),
        ("RESET (ttl_seconds)", a.SetOptions((("TTL_SECONDS", ""),), reset=True)),
    ],
)  # fmt: skip
def test_what_alter_table_does(text, action):
    altered = one(f"ALTER TABLE ONLY t {text}")
    assert isinstance(altered, s.AlterTable)
    assert altered.actions == (action,)


def test_a_view_is_renamed_as_a_table_is():
    assert one("ALTER VIEW IF EXISTS v RENAME TO w") == s.AlterTable(
        s.TableName("", "v", 22), (a.RenameTo("w"),), if_exists=True, kind="view"
    )


def test_views_keep_their_query_as_it_stands():
    view = one("CREATE OR REPLACE VIEW v (a) AS  SELECT 1 AS x  ;")
    assert isinstance(view, s.CreateView)
    assert (view.query.text, view.columns, view.or_replace) == ("SELECT 1 AS x", ("a",), True)


SIMPLE = [
    ("CREATE SCHEMA a AUTHORIZATION b", s.CreateNamespace("a", authorization="b")),
    ("DROP SCHEMA IF EXISTS a, b CASCADE", s.DropNamespace(("a", "b"), if_exists=True, cascade=True)),
    ("DROP STREAM TABLE a", s.DropTable((s.TableName("", "a", 19),))),
    ("TRUNCATE a, ONLY b", s.Truncate((s.TableName("", "a", 10), s.TableName("", "b", 18)))),
    ("COMMENT ON COLUMN s.t.c IS NULL", s.CommentOn("column", s.TableName("s", "t", 19), "c", None)),
    ("COMMENT ON NAMESPACE a IS 'x'", s.CommentOn("schema", s.TableName("", "a", 22), "", "x")),
    # Types
    ("CREATE TYPE a.t AS ENUM ()", made.CreateType(s.TableName("a", "t", 13), ())),
    ("CREATE TYPE t AS ENUM ('x', 'Y')", made.CreateType(s.TableName("", "t", 13), ("x", "Y"))),
    ("ALTER TYPE t ADD VALUE IF NOT EXISTS 'x' AFTER 'y'",
     made.AlterType(s.TableName("", "t", 12), made.AddLabel("x", "y", after=True, if_not_exists=True))),
    ("ALTER TYPE t RENAME VALUE 'x' TO 'y'",
     made.AlterType(s.TableName("", "t", 12), made.RenameLabel("x", "y"))),
    ("ALTER TYPE t SET SCHEMA s",
     made.AlterType(s.TableName("", "t", 12), made.MoveType(schema="s"))),
    ("DROP TYPE IF EXISTS t, s.u CASCADE",
     made.DropType((s.TableName("", "t", 21), s.TableName("s", "u", 24)), if_exists=True, cascade=True)),
    # Users
    ("CREATE ROLE a", CreateUser("a", login=False)),
    ("CREATE USER a", CreateUser("a")),
    ("CREATE ROLE a LOGIN SUPERUSER INHERIT", CreateUser("a", role="dba")),
    ("CREATE USER IF NOT EXISTS 'A b' WITH ENCRYPTED PASSWORD 'x' EMAIL 'e' NOLOGIN",
     CreateUser("A b", "x", email="e", login=False, if_not_exists=True)),
    ("CREATE USER g WITH OAUTH PROVIDER 'p' SUBJECT 's' ROLE service",
     CreateUser("g", role="service", oauth_provider="p", oauth_subject="s")),
    ("ALTER USER a SET ROLE 'dba'", AlterUser("a", role="dba")),
    ("ALTER ROLE a PASSWORD NULL", AlterUser("a", clear_password=True)),
    ("ALTER USER a RESTORE", AlterUser("a", restore=True)),
    ("DROP USER IF EXISTS 'a', b PURGE", DropUser(("a", "b"), if_exists=True, purge=True)),
    ("GRANT ALL PRIVILEGES ON t TO PUBLIC, \"public\"",
     s.GrantRevoke(True, ("ALL",), "table", (s.TableName("", "t", 25),), ("PUBLIC", "public"))),
    ("REVOKE CREATE ON SCHEMA a FROM GROUP b RESTRICT",
     s.GrantRevoke(False, ("CREATE",), "namespace", (s.TableName("", "a", 25),), ("b",))),
    # Transactions
    ("BEGIN WORK ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE",
     s.Begin("repeatable read", read_only=True, deferrable=False)),
    ("START TRANSACTION READ WRITE", s.Begin(read_only=False, tag="START TRANSACTION")),
    ("END", s.Commit()), ("COMMIT AND NO CHAIN", s.Commit()), ("ABORT", s.Rollback()),
    ("ROLLBACK WORK AND CHAIN", s.Rollback(chain=True)), ("SAVEPOINT a", s.Savepoint("a")),
    ("ROLLBACK TRANSACTION TO a", s.RollbackToSavepoint("a")),
    ("RELEASE SAVEPOINT a", s.ReleaseSavepoint("a")),
    ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", s.SetTransaction("serializable")),
    ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
     s.SetTransaction(read_only=True, session=True)),
    # Settings
    ("SET search_path TO \"$user\", Public, 'A b', \"user\"",
     s.SetSetting("search_path", "\"$user\", public, \"A b\", \"user\"")),
    ("SET a.B = on", s.SetSetting("a.b", "on")),
    ("SET SESSION x TO -1.5", s.SetSetting("x", "-1.5")),
    ("SET LOCAL x = DEFAULT", s.SetSetting("x", None, local=True)),
    ("SET datestyle TO iso, mdy", s.SetSetting("datestyle", "iso, mdy")),
    ("SET session = 1", s.SetSetting("session", "1")),
    ("SET TIME ZONE Europe", s.SetSetting("timezone", "Europe")),
    ("SET TIME ZONE -5", s.SetSetting("timezone", "-5")),
    ("SET TIME ZONE LOCAL", s.SetSetting("timezone", None)),
    ("SET NAMES 'UTF8'", s.SetSetting("client_encoding", "UTF8")),
    ("SET SCHEMA 'x'", s.SetSetting("search_path", "x")),
    ("SET ROLE NONE", s.SetRole(None)), ("SET LOCAL ROLE a", s.SetRole("a", local=True)),
    ("SET role TO 'a'", s.SetRole("a")),
    ("SET SESSION AUTHORIZATION 'a'", s.SetRole("a", authorization=True)),
    ("RESET SESSION AUTHORIZATION", s.SetRole(None, authorization=True, reset=True)),
    ("RESET TIME ZONE", s.ResetSetting("timezone")), ("RESET ALL", s.ResetSetting("all")),
    ("SHOW ALL", s.ShowSetting("all")), ("SHOW a.b", s.ShowSetting("a.b")),
    ("SHOW TRANSACTION ISOLATION LEVEL", s.ShowSetting("transaction_isolation")),
    ("DISCARD TEMPORARY", s.Discard("temp")), ("DEALLOCATE PREPARE a", s.Deallocate("a")),
    ("DEALLOCATE ALL", s.Deallocate(None)), ("EXECUTE a", s.ExecutePrepared("a", ())),
    ("EXECUTE a (1 + 1, 'x')", s.ExecutePrepared("a", ("1 + 1", "'x'"))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "statement"), SIMPLE)
def test_a_statement_says_what_was_written(text, statement):
    assert one(text) == statement


def test_statements_inside_statements_know_their_place():
    prepared = one("PREPARE p (int, text[]) AS SELECT $1")
    assert isinstance(prepared, s.Prepare)
    assert [t.name for t in prepared.types] == ["int4", "text"]
    assert isinstance(prepared.statement, s.QueryStatement)
    assert (prepared.statement.text, prepared.statement.offset) == ("SELECT $1", 27)
    explained = one("EXPLAIN (ANALYZE, COSTS off, FORMAT json) SELECT 1")
    assert isinstance(explained, s.Explain)
    assert (explained.analyze, explained.options) == (True, (("costs", "off"), ("format", "json")))
    with pytest.raises(SqlSyntaxError) as raised:
        parse("BEGIN; EXPLAIN SELECT FROM FROM")
    assert raised.value.position == 28


def test_an_unknown_explain_option_is_named():
    with pytest.raises(SqlSyntaxError, match='unrecognized EXPLAIN option "speed"'):
        parse("EXPLAIN (SPEED) SELECT 1")


def test_the_columns_of_an_expression_are_listed_once():
    assert column_names("a + t.b > a AND length(c) = 1") == ("a", "b", "c")


# ------------------------------------------------------------------ garbage

_WORDS = """
    select from where t a ( ) , 1 'x' $1 = + :: int case when end insert into values update set create
    table user drop alter begin commit ; . * order by limit with as not null grant to on explain show in
    execute union
    """


@given(st.lists(st.sampled_from(_WORDS.split()), max_size=14))
@settings(max_examples=400)
def test_any_words_are_statements_or_a_client_error(words):
    text = " ".join(words)
    position = 0
    try:
        parse(text)
    except KalamError as error:
        position = error.position
    assert 0 <= position <= len(text) + 1


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a, sum(b) OVER (ORDER BY c) FROM t JOIN u USING (id) WHERE a = 1 OR b IN (SELECT 1)",
        "WITH w AS (SELECT 1 AS a) SELECT CASE WHEN a = 0 THEN 'b' END FROM w UNION SELECT 'c'",
        "INSERT INTO t (a) VALUES (1, now()) ON CONFLICT (a) DO UPDATE SET a = 2 RETURNING *",
        "UPDATE t SET a = b + 1 FROM u WHERE t.id = u.id",
        "DELETE FROM t USING u WHERE EXISTS (SELECT FROM v)",
    ],
)
def test_what_was_read_is_freed_without_a_collection(text):
    parse(text)  # What is made once is made now.
    gc.collect()
    gc.disable()
    try:
        parse(text)
        assert gc.collect() == 0
    finally:
        gc.enable()
