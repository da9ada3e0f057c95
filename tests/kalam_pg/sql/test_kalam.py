"""KalamDB's own statements."""

import pytest

from catalog.errors import SqlSyntaxError
from kalam_pg.sql import statements as s
from kalam_pg.sql.parse import parse


def one(text: str) -> s.Statement:
    (statement,) = parse(text)
    return statement


OWN = [
    ("CREATE NAMESPACE IF NOT EXISTS app", s.CreateNamespace("app", if_not_exists=True)),
    ("DROP NAMESPACE app RESTRICT", s.DropNamespace(("app",))),
    ("ALTER NAMESPACE a RENAME TO b", s.RenameNamespace("a", "b")),
    ("USE app", s.UseNamespace("app")),
    ("USE NAMESPACE app", s.UseNamespace("app")),
    ("SHOW NAMESPACES", s.ShowCatalog("namespaces")),
    ("SHOW TABLES", s.ShowCatalog("tables")),
    ("SHOW TABLES IN app", s.ShowCatalog("tables", "app")),
    ("SHOW USERS", s.ShowCatalog("users")),
    ("SHOW JOBS", s.ShowCatalog("jobs")),
    ("SHOW STORAGES", s.ShowCatalog("storages")),
    ("SHOW STATS FOR TABLE a.t", s.ShowStats(s.TableName("a", "t", 22))),
    ("SHOW MANIFEST", s.ShowManifest(None)),
    ("SHOW MANIFEST FOR t", s.ShowManifest(s.TableName("", "t", 19))),
    ("DESCRIBE t", s.DescribeTable(s.TableName("", "t", 10))),
    ("DESC TABLE t HISTORY", s.DescribeTable(s.TableName("", "t", 12), history=True)),
    ("STORAGE FLUSH TABLE a.t", s.FlushTable(s.TableName("a", "t", 21))),
    ("FLUSH TABLE t", s.FlushTable(s.TableName("", "t", 13))),
    ("STORAGE FLUSH ALL", s.FlushAll()),
    ("STORAGE FLUSH ALL IN app", s.FlushAll("app")),
    ("STORAGE COMPACT TABLE t", s.CompactTable(s.TableName("", "t", 23))),
    ("KILL JOB 'j1'", s.KillJob("j1")),
]


@pytest.mark.parametrize(("text", "statement"), OWN)
def test_a_statement_of_kalamdb_says_what_was_written(text, statement):
    assert one(text) == statement


LATER = [
    ("BACKUP DATABASE app TO 'x'", "BACKUP DATABASE"),
    ("RESTORE DATABASE app FROM 'x'", "RESTORE DATABASE"),
    ("EXPORT USER DATA FOR 'alice' TO 'x'", "EXPORT USER DATA"),
    ("CREATE STORAGE s TYPE s3 PATH 'x'", "CREATE STORAGE"),
    ("STORAGE CHECK local", "STORAGE CHECK"),
]


@pytest.mark.parametrize(("text", "what"), LATER)
def test_statements_that_come_later_are_known_by_name(text, what):
    statement = one(text)
    assert isinstance(statement, s.Unsupported)
    assert statement.what == what


def test_acting_for_a_user_holds_one_statement_and_its_place():
    text = "EXECUTE AS USER 'alice' ( SELECT  nope )"
    acting = one(text)
    assert isinstance(acting, s.ExecuteAsUser)
    assert acting.user == "alice"
    assert isinstance(acting.statement, s.QueryStatement)
    inner = acting.statement
    assert text[inner.offset : inner.offset + len(inner.text)].strip() == "SELECT  nope"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("EXECUTE AS USER 'alice' (SELECT FROM FROM)", 38),
        ("EXECUTE AS USER 'alice' ()", 26),
        ("EXECUTE AS USER 'alice' (SELECT 1", 34),
        ("EXECUTE AS USER 'alice' (SELECT 1; SELECT 2)", 34),
        ("EXECUTE AS USER 'alice' SELECT 1", 25),
        ("STORAGE foo", 9),
        ("KILL foo", 6),
        ("SUBSCRIBE", 10),
        ("SUBSCRIBE TO", 13),
        ("BACKUP DATABASE app", 20),
        ("SHOW STATS t", 12),
        ("USE", 4),
        ("FLUSH t", 7),
    ],
)
def test_half_a_statement_is_a_syntax_error(text, at):
    with pytest.raises(SqlSyntaxError) as raised:
        parse(text)
    assert raised.value.position == at
