"""Users, roles and privileges: KalamDB's spellings and PostgreSQL's."""

from dataclasses import dataclass

from catalog.errors import SqlSyntaxError
from kalam_pg.sql import parse_session
from kalam_pg.sql.parse_functions import KINDS, function_name
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import GrantRevoke, Statement, TableName, Unsupported
from kalam_pg.sql.statements_functions import GrantExecute
from kalam_pg.sql.statements_users import (
    AlterDefaultPrivileges,
    AlterSettings,
    AlterUser,
    CreateUser,
    DropUser,
)

_PRIVILEGES = ("select", "insert", "update", "delete", "create", "usage", "execute")
_TABLE_ONLY = ("truncate", "references", "trigger", "connect", "temporary", "temp")
# PostgreSQL's role attributes that are true of every role here.
_ALWAYS = ("inherit", "nocreatedb", "nocreaterole", "noreplication", "nobypassrls")
_NEVER = ("noinherit", "createdb", "createrole", "replication", "bypassrls")


@dataclass(slots=True)
class _Attributes:
    """What a user is given; None where nothing was said."""

    password: str | None = None
    clear_password: bool = False
    role: str | None = None
    email: str | None = None
    oauth_provider: str = ""
    oauth_subject: str = ""
    login: bool | None = None
    given: frozenset[str] = frozenset()

    def note(self, reader: StatementReader, what: str) -> None:
        """Each attribute may be given once."""
        if what in self.given:
            token = reader.tokens[reader.index - 1]
            raise SqlSyntaxError(
                "conflicting or redundant options", position=reader.position(token)
            )
        self.given |= {what}


def create_user(reader: StatementReader) -> CreateUser:
    """CREATE USER | ROLE | GROUP [IF NOT EXISTS] name [WITH] attributes."""
    word = reader.advance().key
    if_not_exists = reader.if_not_exists()
    name = reader.role_name()
    attributes = _attributes(reader)
    login = attributes.login if attributes.login is not None else word == "user"
    return CreateUser(
        name,
        attributes.password,
        attributes.role or "",
        attributes.email or "",
        attributes.oauth_provider,
        attributes.oauth_subject,
        login,
        if_not_exists,
    )


def alter_user(reader: StatementReader) -> Statement:
    """ALTER USER | ROLE name [SET | WITH] attributes, or RESTORE."""
    reader.advance()
    if reader.at("all") and reader.token.kind == "word":
        reader.advance()
        return _settings(reader, "")
    if reader.at("current_user", "current_role", "session_user"):
        return _settings(reader, "", reader.advance().key)
    name = reader.role_name()
    if reader.accept("restore"):
        return AlterUser(name, restore=True)
    if reader.accept("rename", "to"):
        reader.role_name()
        return Unsupported("ALTER ROLE … RENAME TO")
    own = reader.at("set") and reader.peek().key in ("password", "role", "email")
    if own and reader.peek(2).key not in ("to", "="):
        reader.advance()
    elif reader.at("in", "set", "reset"):
        return _settings(reader, name)
    attributes = _attributes(reader)
    if attributes.oauth_provider:
        reader.unsupported("changing the OAuth identity of a user")
    return AlterUser(
        name,
        attributes.password,
        attributes.clear_password,
        attributes.role,
        attributes.email,
        attributes.login,
    )


def _settings(reader: StatementReader, role: str, current: str = "") -> AlterSettings:
    """[IN DATABASE name] SET … | RESET …, of a role."""
    database = reader.column_name() if reader.accept("in", "database") else ""
    name, value = parse_session.kept_setting(reader)
    return AlterSettings(role, name, value, database, current)


def alter_database(reader: StatementReader) -> AlterSettings:
    """ALTER DATABASE name SET … | RESET …."""
    database = reader.column_name()
    name, value = parse_session.kept_setting(reader)
    return AlterSettings("", name, value, database, of_database=True)


def _attributes(reader: StatementReader) -> _Attributes:
    attributes = _Attributes()
    reader.accept("with")
    while not reader.at_end():
        _attribute(reader, attributes)
    return attributes


def _attribute(reader: StatementReader, attributes: _Attributes) -> None:
    reader.accept("encrypted")
    if reader.accept("password"):
        attributes.note(reader, "password")
        if reader.accept("null"):
            attributes.clear_password = True
        else:
            attributes.password = reader.string()
    elif reader.accept("role"):
        attributes.note(reader, "role")
        attributes.role = reader.role_name()
    elif reader.accept("email"):
        attributes.note(reader, "email")
        attributes.email = reader.string()
    elif reader.accept("oauth"):
        _oauth(reader, attributes)
    elif reader.at("superuser", "nosuperuser"):
        role = "dba" if reader.advance().key == "superuser" else "user"
        attributes.note(reader, "role")
        attributes.role = role
    elif reader.at("login", "nologin"):
        login = reader.advance().key == "login"
        attributes.note(reader, "login")
        attributes.login = login
    elif reader.at(*_ALWAYS):
        reader.advance()
    elif reader.at(*_NEVER, "connection", "valid", "in", "admin", "user", "sysid"):
        reader.unsupported(f"role attribute {reader.token.key.upper()}")
    else:
        reader.fail()


def _oauth(reader: StatementReader, attributes: _Attributes) -> None:
    """OAUTH PROVIDER 'p' SUBJECT 's'."""
    attributes.note(reader, "oauth")
    reader.expect("provider")
    attributes.oauth_provider = reader.string()
    reader.expect("subject")
    attributes.oauth_subject = reader.string()


def drop_user(reader: StatementReader) -> DropUser:
    """DROP USER | ROLE [IF EXISTS] names [PURGE]."""
    reader.advance()
    if_exists = reader.if_exists()
    names = reader.many(reader.role_name)
    return DropUser(tuple(names), if_exists, reader.accept("purge"))


# ------------------------------------------------------------------ GRANT, REVOKE


def grant(reader: StatementReader) -> Statement:
    """GRANT privileges ON … TO …."""
    reader.advance()
    return _grant(reader, grant=True)


def revoke(reader: StatementReader) -> Statement:
    """REVOKE privileges ON … FROM …."""
    reader.advance()
    if reader.at_words("grant", "option", "for"):
        reader.unsupported("GRANT OPTION")
    return _grant(reader, grant=False)


def _grant(reader: StatementReader, *, grant: bool) -> Statement:
    if not reader.at("all", *_PRIVILEGES, *_TABLE_ONLY):
        # GRANT role TO role: roles are a fixed ladder here.
        reader.many(reader.role_name)
        reader.expect("to" if grant else "from")
        reader.skip_rest()
        return Unsupported("GRANT of a role" if grant else "REVOKE of a role")
    privileges = _privileges(reader)
    reader.expect("on")
    schemas: tuple[TableName, ...] = ()
    if reader.accept("all"):
        on, names, schemas = _all_in_schemas(reader)
    elif reader.at(*KINDS):
        return _grant_execute(reader, privileges, grant=grant)
    else:
        on, names = _objects(reader)
    grantees = _grantees(reader, grant=grant)
    return GrantRevoke(grant, privileges, on, names, grantees, schemas)


_NEW = {
    "tables": "table",
    "sequences": "sequence",
    "types": "type",
    "schemas": "namespace",
    **dict.fromkeys(("functions", "routines"), "function"),
}
"""What default privileges are of."""


def alter_default_privileges(reader: StatementReader) -> AlterDefaultPrivileges:
    """ALTER DEFAULT PRIVILEGES [FOR ROLE …] [IN SCHEMA …] {GRANT | REVOKE} … ON TABLES … (behind ALTER)."""
    reader.expect("default")
    reader.expect("privileges")
    roles: tuple[str, ...] = ()
    schemas: tuple[TableName, ...] = ()
    while reader.at("for", "in"):
        token = reader.advance()
        if roles if token.key == "for" else schemas:
            raise SqlSyntaxError(
                "conflicting or redundant options", position=reader.position(token)
            )
        if token.key == "in":
            reader.expect("schema")
            schemas = tuple(reader.many(lambda: _namespace(reader)))
        elif not (reader.accept("role") or reader.accept("user")):
            reader.fail()
        else:
            roles = tuple(reader.many(reader.role_or_self))
    given = _default_grant(reader)
    return AlterDefaultPrivileges(roles, schemas, given)


def _default_grant(reader: StatementReader) -> GrantRevoke:
    grant = not reader.at("revoke")
    if not (reader.accept("grant") or reader.accept("revoke")):
        reader.fail()
    if reader.at_words("grant", "option", "for"):
        reader.unsupported("GRANT OPTION")
    privileges = _privileges(reader)
    reader.expect("on")
    if not reader.at(*_NEW):
        reader.fail()
    on = _NEW[reader.advance().key]
    grantees = _grantees(reader, grant=grant)
    return GrantRevoke(grant, privileges, on, (), grantees)


def _grantees(reader: StatementReader, *, grant: bool) -> tuple[str, ...]:
    """TO or FROM whom, and what may stand behind."""
    reader.expect("to" if grant else "from")
    grantees = reader.many(lambda: _grantee(reader))
    if reader.at_words("with", "grant", "option"):
        reader.unsupported("WITH GRANT OPTION")
    if not grant:
        reader.cascade()
    return tuple(grantees)


def _grant_execute(
    reader: StatementReader, privileges: tuple[str, ...], *, grant: bool
) -> GrantExecute:
    """GRANT … ON FUNCTION name[(types)], … TO …."""
    kind = reader.advance().key
    targets = reader.many(lambda: function_name(reader, kind))
    grantees = _grantees(reader, grant=grant)
    return GrantExecute(grant, privileges, tuple(targets), grantees)


def _privileges(reader: StatementReader) -> tuple[str, ...]:
    if reader.accept("all"):
        reader.accept("privileges")
        found = ["ALL"]
    else:
        found = reader.many(lambda: _privilege(reader))
    if reader.at("("):
        reader.unsupported("privileges on columns")
    return tuple(found)


def _privilege(reader: StatementReader) -> str:
    if reader.at(*_TABLE_ONLY):
        reader.unsupported(f"privilege {reader.token.key.upper()}")
    if not reader.at(*_PRIVILEGES):
        reader.fail()
    privilege = reader.advance().key.upper()
    if reader.at("("):
        reader.unsupported("privileges on columns")
    return privilege


def _objects(reader: StatementReader) -> tuple[str, tuple[TableName, ...]]:
    if reader.at("schema", "namespace") and reader.peek().key not in (",", "to", "from", "."):
        reader.advance()
        return "namespace", tuple(reader.many(lambda: _namespace(reader)))
    if reader.at("type", "domain") and reader.peek().key not in (",", "to", "from", "."):
        reader.advance()
        return "type", tuple(reader.many(reader.table_name))
    if reader.accept("sequence"):
        return "sequence", tuple(reader.many(reader.table_name))
    if reader.at("database", "language", "large", "tablespace"):
        reader.unsupported(f"GRANT ON {reader.token.key.upper()}")
    reader.accept("table")
    return "table", tuple(reader.many(reader.table_name))


def _all_in_schemas(
    reader: StatementReader,
) -> tuple[str, tuple[TableName, ...], tuple[TableName, ...]]:
    """ALL TABLES | SEQUENCES | FUNCTIONS | PROCEDURES | ROUTINES IN SCHEMA name, …."""
    if not reader.at(*_ALL):
        reader.fail()
    on = _ALL[reader.advance().key]
    reader.expect("in")
    reader.expect("schema")
    return on, (), tuple(reader.many(lambda: _namespace(reader)))


_ALL = {
    "tables": "table",
    "sequences": "sequence",
    **dict.fromkeys(("functions", "procedures", "routines"), "function"),
}


def _namespace(reader: StatementReader) -> TableName:
    position = reader.token.start + 1
    return TableName("", reader.column_name(), position)


def _grantee(reader: StatementReader) -> str:
    reader.accept("group")
    quoted = reader.token.kind == "name"
    name = reader.role_name()
    return "PUBLIC" if name == "public" and not quoted else name
