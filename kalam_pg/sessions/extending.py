"""CREATE, ALTER and DROP EXTENSION: what is here is here from the start, and stays."""

from typing import Final

from catalog.errors import (
    DependentObjectsStillExistError,
    DuplicateObjectError,
    FeatureNotSupportedError,
    InvalidSchemaNameError,
    UndefinedObjectError,
)
from catalog.extensions import BY_NAME
from catalog.pg_catalog.extension import NAME as OWN
from catalog.pg_catalog.extension import VERSION
from kalam_pg.query.execution import Result
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.statements_extensions import (
    CommentOnExtension,
    CreateExtension,
    DropExtension,
    ExtensionStatement,
    UpdateExtension,
)

STATEMENTS: Final = (CreateExtension, UpdateExtension, DropExtension, CommentOnExtension)


def run(sql: SqlSession, statement: ExtensionStatement) -> Result:
    """Run one of `STATEMENTS`: all that can be said is whether the extension is one that there is."""
    sql.begin_implicit()
    match statement:
        case CreateExtension():
            _create(sql, statement)
            return Result("CREATE EXTENSION")
        case UpdateExtension(name, version):
            _require(name)
            _update(sql, name, version)
            return Result("ALTER EXTENSION")
        case DropExtension():
            _drop(sql, statement)
            return Result("DROP EXTENSION")
        case CommentOnExtension(name, comment):
            _require(name)
            # What pg_dump writes: the comment that the extension has already.
            if name not in BY_NAME or comment != BY_NAME[name].comment:
                raise FeatureNotSupportedError("COMMENT ON EXTENSION is not supported")
            return Result("COMMENT")


def _create(sql: SqlSession, statement: CreateExtension) -> None:
    name = statement.name
    if name == OWN or name in BY_NAME:
        if statement.if_not_exists:
            sql.notice(f'extension "{name}" already exists, skipping', sqlstate="42710")
        elif name in (OWN, "plpgsql"):
            raise DuplicateObjectError(f'extension "{name}" already exists')
        else:
            # A migration that makes it in a new database goes on, as it does in PostgreSQL.
            sql.notice(f'extension "{name}" is here from the start')
        return
    if statement.schema and sql.snapshot.namespace(statement.schema) is None:
        raise InvalidSchemaNameError(f'schema "{statement.schema}" does not exist')
    raise FeatureNotSupportedError(
        f'extension "{name}" is not available',
        hint="pg_available_extensions lists those that are here from the start.",
    )


def _drop(sql: SqlSession, statement: DropExtension) -> None:
    for name in statement.names:
        if name == OWN or name in BY_NAME:
            raise DependentObjectsStillExistError(
                f"cannot drop extension {name} because it is required by the database system"
            )
        if not statement.if_exists:
            raise UndefinedObjectError(f'extension "{name}" does not exist')
        sql.notice(f'extension "{name}" does not exist, skipping')


def _require(name: str) -> None:
    if name != OWN and name not in BY_NAME:
        raise UndefinedObjectError(f'extension "{name}" does not exist')


def _update(sql: SqlSession, name: str, version: str) -> None:
    there = BY_NAME[name].version if name in BY_NAME else VERSION
    if version and version != there:
        raise FeatureNotSupportedError(
            f'extension "{name}" has no update path from version "{there}" to version "{version}"'
        )
    sql.notice(f'version "{there}" of extension "{name}" is already installed')
