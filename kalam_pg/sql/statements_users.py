"""Users and roles: CREATE, ALTER and DROP USER. As `statements`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from kalam_pg.sql.statements import GrantRevoke, TableName


@dataclass(frozen=True, slots=True)
class CreateUser:
    """role "" means the default. login is false for CREATE ROLE without LOGIN."""

    name: str
    password: str | None = None
    role: str = ""
    email: str = ""
    oauth_provider: str = ""
    oauth_subject: str = ""
    login: bool = True
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class AlterUser:
    """None fields are left alone. restore: ALTER USER … RESTORE. password None with
    clear_password: PASSWORD NULL.
    """

    name: str
    password: str | None = None
    clear_password: bool = False
    role: str | None = None
    email: str | None = None
    login: bool | None = None
    restore: bool = False


@dataclass(frozen=True, slots=True)
class AlterSettings:
    """ALTER ROLE or ALTER DATABASE … SET or RESET.

    role: a name; "" is everybody, as of ALTER ROLE ALL and of ALTER DATABASE; `current` instead of a name:
    current_user, current_role or session_user. database: its name, "" for all. of_database: ALTER DATABASE.
    name: of the setting, "all" to RESET ALL. value: None for DEFAULT and RESET.
    """

    role: str
    name: str
    value: str | None
    database: str = ""
    current: str = ""
    of_database: bool = False


@dataclass(frozen=True, slots=True)
class AlterDefaultPrivileges:
    """Of what these roles (none: who says it) make from now on, in these schemas or (none) all.

    given: the GRANT or REVOKE, which names no objects.
    """

    roles: tuple[str, ...]
    schemas: tuple["TableName", ...]
    given: "GrantRevoke"


@dataclass(frozen=True, slots=True)
class DropUser:
    names: tuple[str, ...]
    if_exists: bool = False
    purge: bool = False


UserStatement: TypeAlias = (
    CreateUser | AlterUser | AlterSettings | AlterDefaultPrivileges | DropUser
)
