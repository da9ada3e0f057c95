"""The two ends of a COPY, whichever way it goes: the client, and a relation that is there."""

from dataclasses import replace
from typing import Final

from catalog.errors import (
    FeatureNotSupportedError,
    InsufficientPrivilegeError,
    InvalidSchemaNameError,
    UndefinedTableError,
)
from catalog.model import Role
from catalog.snapshot import SYSTEM_SCHEMAS
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.copy_options import CopyFormat
from kalam_pg.sql.statements import TableName
from storage.errors import KalamError


def with_encoding(sql: SqlSession, form: CopyFormat) -> CopyFormat:
    """The format with the client's encoding where it names none, and always of a binary one's texts."""
    if form.encoding is not None and form.format != "binary":
        return form
    return replace(form, encoding=sql.settings.encoding)


_CLIENTS: Final = ("stdin", "stdout")


def check_client(sql: SqlSession, end: str, *, reading: bool) -> None:
    """Raise 42501 or 0A000 unless the other end is the client. end: it, or "file" or "program"."""
    if end in _CLIENTS:
        return
    way = "from" if reading else "to"
    if sql.user.role is not Role.SYSTEM:
        right = f"pg_{'read' if reading else 'write'}_server_files role to COPY {way} a file"
        if end == "program":
            right = "pg_execute_server_program role to COPY to or from an external program"
        raise InsufficientPrivilegeError(
            f"must be superuser or have privileges of the {right}",
            hint="Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone.",
        )
    raise FeatureNotSupportedError(
        f"COPY {way} a {end} of the server is not supported",
        hint=f"Use COPY ... {'FROM STDIN' if reading else 'TO STDOUT'}, or psql's \\copy.",
    )


def not_there(sql: SqlSession, name: TableName) -> KalamError:
    """3F000 or 42P01 for a relation that nobody has."""
    schema = name.schema
    if schema and schema not in SYSTEM_SCHEMAS and sql.snapshot.namespace(schema) is None:
        return InvalidSchemaNameError(f'schema "{schema}" does not exist')
    return UndefinedTableError(f'relation "{name}" does not exist')
