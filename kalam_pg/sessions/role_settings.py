"""ALTER ROLE and ALTER DATABASE … SET: what is checked, and what a session begins with."""

from dataclasses import replace

from catalog import role_settings
from catalog.errors import InvalidCatalogNameError
from catalog.model import User
from catalog.store import Store
from kalam_pg.sessions.settings import Settings
from kalam_pg.sessions.settings_table import SETTINGS
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.statements_users import AlterSettings
from storage.errors import KalamError

_DATABASE = "kalam"


def checked(sql: SqlSession, statement: AlterSettings) -> AlterSettings:
    """The statement with the names of who and what it is about.

    Raises 3D000, and what SET of the setting would raise: 42704, 22023, 55P02, 42501, 0A000.
    """
    if statement.database and statement.database != _DATABASE:
        raise InvalidCatalogNameError(f'database "{statement.database}" does not exist')
    if statement.current:
        user = sql.session_user if statement.current == "session_user" else sql.user
        statement = replace(statement, role=user.name)
    if statement.name == "all":
        return statement
    sql.settings.checked(statement.name, statement.value)
    key = statement.name.lower()
    return replace(statement, name=SETTINGS[key].name if key in SETTINGS else key)


def begin_with(settings: Settings, store: Store, user: User) -> list[str]:
    """Give a session that begins what was set for its user; what is to be told of it.

    What cannot be set any more keeps nobody out.
    """
    warnings: list[str] = []
    for name, value in role_settings.at_login(store.reader(), user.id):
        try:
            settings.start_with(name, value, trusted=True)
        except KalamError as exc:
            warnings.append(exc.message)
    return warnings
