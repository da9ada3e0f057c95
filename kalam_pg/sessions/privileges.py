"""has_table_privilege() and its kin: what the session's role, or another one, may do.

An ordinary user knows no role but their own: other names are answered as if there were none.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from catalog.errors import (
    InvalidCatalogNameError,
    InvalidParameterValueError,
    InvalidSchemaNameError,
    UndefinedColumnError,
    UndefinedFunctionError,
    UndefinedObjectError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.model import NumberSequence, Role, Table, User, View
from catalog.pg_catalog import oids
from catalog.pg_catalog.objects import split_name
from catalog.pg_catalog.relations import relation
from catalog.privileges import Action, allowed, may_use, sequence_allows, table_allows
from catalog.system import SYSTEM_RELATIONS
from catalog.types.registry import REGCLASS
from catalog.types.table import ObjectNames
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

Answer = Callable[[User, str], bool]
"""Whether a role has one privilege, by its name in capitals."""

_ACTIONS: Final = {
    "SELECT": Action.SELECT,
    "INSERT": Action.INSERT,
    "UPDATE": Action.UPDATE,
    "DELETE": Action.DELETE,
    "TRUNCATE": Action.TRUNCATE,
}
_ON_TABLES: Final = (*_ACTIONS, "REFERENCES", "TRIGGER", "RULE")
_ON_COLUMNS: Final = ("SELECT", "INSERT", "UPDATE", "REFERENCES")
_KNOWN: Final = {
    "any_column": _ON_COLUMNS,
    "column": _ON_COLUMNS,
    "database": ("CREATE", "CONNECT", "TEMPORARY", "TEMP"),
    "function": ("EXECUTE",),
    "language": ("USAGE",),
    "schema": ("CREATE", "USAGE"),
    "sequence": ("USAGE", "SELECT", "UPDATE"),
    "table": _ON_TABLES,
    "tablespace": ("CREATE",),
    "type": ("USAGE",),
}
_OPTION: Final = " WITH GRANT OPTION"
_ADMIN: Final = " WITH ADMIN OPTION"
_LANGUAGES: Final = {"internal": 12, "c": 13, "sql": 14}
_TABLESPACES: Final = {"pg_default": oids.DEFAULT_TABLESPACE, "pg_global": oids.GLOBAL_TABLESPACE}


class Privileges:
    """What `functions.sysinfo` asks, by function name, of one session's catalogue."""

    def __init__(self, sql: "SqlSession") -> None:
        self._sql = sql

    @property
    def _objects(self) -> ObjectNames:
        found = self._sql.types_for((REGCLASS,)).objects
        assert found is not None
        return found

    @property
    def functions(self) -> dict[str, Callable[..., Value]]:
        """has_…_privilege and pg_has_role. Arguments: perhaps a role, the object, privileges."""
        finders: Mapping[str, Callable[[Value], Answer | None]] = {
            "any_column": self._table,
            "database": self._database,
            "function": self._function,
            "language": lambda of: self._fixed("language", _LANGUAGES, of, always=True),
            "schema": self._schema,
            "sequence": self._sequence,
            "table": self._table,
            "tablespace": lambda of: self._fixed("tablespace", _TABLESPACES, of, always=False),
            "type": self._type,
        }
        asked: dict[str, Callable[..., Value]] = {
            f"has_{kind}_privilege": self._asker(kind, find) for kind, find in finders.items()
        }
        return {**asked, "has_column_privilege": self._of_column, "pg_has_role": self._has_role}

    def _asker(
        self, kind: str, find: Callable[[Value], Answer | None]
    ) -> Callable[..., bool | None]:
        def ask(*arguments: Value) -> bool | None:
            *roles, of, privileges = arguments
            user = self._role(*roles)
            return _any(kind, user, str(privileges), find(of))

        return ask

    def _of_column(self, *arguments: Value) -> bool | None:
        *roles, of, column, privileges = arguments
        user, found = self._role(*roles), self.relation(of)
        if found is None or (isinstance(found, Table | View) and not _has(found, column)):
            return None
        return _any("column", user, str(privileges), self._on(found))

    def _has_role(self, *arguments: Value) -> bool:
        """pg_has_role: nobody is a member of others, and dbas may act as anybody."""
        *roles, of, privileges = arguments
        user, other = self._role(*roles), self._role(of)
        for word in str(privileges).split(","):
            asked = word.strip().upper().removesuffix(_OPTION).removesuffix(_ADMIN)
            if asked not in {"USAGE", "MEMBER"}:
                raise _unknown(word.strip())
        return user.id == other.id or user.role.rank >= max(Role.DBA.rank, other.role.rank)

    # ------------------------------------------------------------------ roles

    def _role(self, asked: Value = None) -> User:
        """The role of a name or an OID; the session's without one. Raises 42704."""
        sql = self._sql
        if asked is None:
            return sql.user
        store = sql.database.store
        if isinstance(asked, int):
            found = sql.user if asked == sql.user.oid else store.user_by_oid(asked)
            unknown = f"role with OID {asked} does not exist"
        else:
            found = sql.user if asked == sql.user.name else store.user_by_name(str(asked))
            unknown = f'role "{asked!s}" does not exist'
        seen = found is not None and (
            found.id == sql.user.id or allowed(sql.user, Action.SEE_USERS)
        )
        if found is None or not seen:
            raise UndefinedObjectError(unknown)
        return found

    # ------------------------------------------------------------------ objects

    def _table(self, of: Value) -> Answer | None:
        found = self.relation(of)
        return None if found is None else self._on(found)

    def _on(self, found: "Table | View | NumberSequence | str") -> Answer:
        """What may be done with a relation; a str is one of a catalogue, which shows what may be seen."""

        def answer(user: User, privilege: str) -> bool:
            if isinstance(found, NumberSequence):
                return self._counts(user, privilege, found)
            if isinstance(found, str):
                return privilege == "SELECT"
            if not isinstance(found, Table):
                return True  # A view runs with its caller's rights.
            action = _ACTIONS.get(privilege)
            if action is None:
                return found.owner == user.id or user.role.rank >= Role.DBA.rank
            return table_allows(user, action, found)

        return answer

    def relation(self, of: Value) -> "Table | View | NumberSequence | str | None":
        """Raises 42P01; None where no relation has the OID."""
        snapshot = self._sql.snapshot
        if isinstance(of, int):
            found = snapshot.tables.get(of) or snapshot.views.get(of) or snapshot.sequences.get(of)
            return found or self._objects.object_name("regclass", of)
        *schema, name = split_name(str(of)) or ("",)
        parts = ("".join(schema[-1:]), name, self._sql.search_path)
        named = snapshot.find(*parts) or snapshot.find_sequence(*parts)
        if named is None and _is_virtual(parts[0], name):
            return name
        if named is None:
            raise UndefinedTableError(f'relation "{of!s}" does not exist')
        return named

    def _sequence(self, of: Value) -> Answer | None:
        found = self.relation(of)
        if found is None:
            return None
        if not isinstance(found, NumberSequence):
            name = found if isinstance(found, str) else found.name
            raise WrongObjectTypeError(f'"{name}" is not a sequence')
        return lambda user, privilege: self._counts(user, privilege, found)

    def _counts(self, user: User, privilege: str, sequence: NumberSequence) -> bool:
        at = sequence.owned_by
        owner = None if at is None else self._sql.snapshot.tables.get(at[0])
        return sequence_allows(user, (privilege,), sequence, owner)

    def _schema(self, of: Value) -> Answer | None:
        known = self._sql.snapshot.namespaces
        if isinstance(of, int):
            found = next(
                (n for n in known.values() if oids.namespace_oid(n.name, n.id) == of), None
            )
            fixed = of in {oids.PG_CATALOG, oids.INFORMATION_SCHEMA, oids.SYSTEM}
        else:
            found = known.get(str(of))
            fixed = of in {"pg_catalog", "information_schema", "system"}
        if found is None and not fixed:
            if isinstance(of, int):
                return None
            raise InvalidSchemaNameError(f'schema "{of!s}" does not exist')
        return lambda user, privilege: (
            privilege == "USAGE"
            or (found is not None and allowed(user, Action.CREATE_USER_TABLE, found))
        )

    def _database(self, of: Value) -> Answer | None:
        if isinstance(of, int) and of != oids.DATABASE:
            return None
        if not isinstance(of, int) and of != oids.DATABASE_NAME:
            raise InvalidCatalogNameError(f'database "{of!s}" does not exist')
        return lambda user, privilege: (
            privilege != "CREATE" or allowed(user, Action.CREATE_NAMESPACE)
        )

    def _function(self, of: Value) -> Answer | None:
        if isinstance(of, int):
            known = self._objects.object_name("regprocedure", of) is not None
            return _everybody if known else None
        if self._objects.object_oid("regprocedure", str(of)) is None:
            raise UndefinedFunctionError(f'function "{of!s}" does not exist')
        return _everybody

    def _type(self, of: Value) -> Answer | None:
        objects = self._objects
        oid = of if isinstance(of, int) else objects.object_oid("regtype", str(of))
        if oid is None:
            raise UndefinedObjectError(f'type "{of!s}" does not exist')
        if objects.object_name("regtype", oid) is None:
            return None
        made = self._sql.snapshot.types.get(oid)
        return _everybody if made is None else lambda user, _privilege: may_use(user, made)

    def _fixed(
        self, kind: str, known: Mapping[str, int], of: Value, *, always: bool
    ) -> Answer | None:
        if isinstance(of, int):
            if of not in known.values():
                return None
        elif of not in known:
            raise UndefinedObjectError(f'{kind} "{of!s}" does not exist')
        return lambda user, _privilege: always or user.role.rank >= Role.DBA.rank


def _everybody(_user: User, _privilege: str) -> bool:
    return True


def _any(kind: str, user: User, written: str, answer: Answer | None) -> bool | None:
    """Whether a role has one of the privileges; None: there is no such object. Raises 22023."""
    found = False
    for word in written.split(","):
        asked = word.strip().upper()
        privilege = asked.removesuffix(_OPTION)
        if privilege not in _KNOWN[kind]:
            raise _unknown(word.strip())
        if answer is not None and not found:
            may = answer(user, privilege)
            found = may and (privilege == asked or user.role.rank >= Role.DBA.rank)
    return None if answer is None else found


def _unknown(word: str) -> InvalidParameterValueError:
    return InvalidParameterValueError(f'unrecognized privilege type: "{word}"')


def _has(found: "Table | View", column: Value) -> bool:
    """Whether a relation has a column, by number; by name it must. Raises 42703."""
    if isinstance(column, int):
        return any(c.id == column for c in found.columns)
    if any(c.name == column for c in found.columns):
        return True
    raise UndefinedColumnError(f'column "{column!s}" of relation "{found.name}" does not exist')


def _is_virtual(schema: str, name: str) -> bool:
    """Whether a catalogue has a relation of that name."""
    if schema == "system":
        return any(found.name == name for found in SYSTEM_RELATIONS)
    return relation(schema or "pg_catalog", name) is not None
