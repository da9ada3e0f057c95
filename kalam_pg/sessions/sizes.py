"""pg_relation_size() and its kin: what the role's own part of a table takes of the disk.

A USER table is for everybody as large as their own: what others have is told to nobody. Rows that have not
left LevelDB's memory are counted as they are, up to `COUNTED_MAX` of them.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from catalog.errors import InvalidCatalogNameError, UndefinedObjectError
from catalog.model import Table, TableKind
from catalog.pg_catalog import oids
from kalam_pg.query.database import tablet_id
from kalam_pg.sessions.privileges import Privileges
from storage.errors import DataCorruptedError
from storage.ids import NO_USER, TabletId
from storage.layout import Value
from storage.log.view import View
from storage.looks import look, tablets_of

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

COUNTED_MAX: Final = 1000


class Sizes:
    """What `functions.sysinfo` asks, by function name, of one session's tables. Bytes."""

    def __init__(self, sql: "SqlSession") -> None:
        self._sql = sql
        self._privileges = Privileges(sql)

    @property
    def functions(self) -> dict[str, Callable[..., Value]]:
        """The functions. A relation that is not there has no size (NULL)."""
        return {
            "pg_relation_size": self._fork,
            "pg_table_size": self._relation,
            "pg_total_relation_size": self._relation,
            "pg_indexes_size": lambda relation: 0 if self._is_there(relation) else None,
            "pg_database_size": self._database,
            "pg_tablespace_size": self._tablespace,
        }

    def _fork(self, relation: int, fork: str = "main") -> int | None:
        """PostgreSQL's other forks are not there."""
        return self._relation(relation) if fork == "main" else 0

    def _is_there(self, relation: int) -> bool:
        return self._privileges.relation(relation) is not None

    def _relation(self, relation: int) -> int | None:
        found = self._privileges.relation(relation)
        if not isinstance(found, Table):
            return None if found is None else 0
        if found.kind is TableKind.STREAM or found.temporary:
            return 0  # It is in memory alone.
        return self._of((tablet_id(found, self._sql.user),))

    def _database(self, database: str | int) -> int:
        if database not in {oids.DATABASE_NAME, oids.DATABASE}:
            raise InvalidCatalogNameError(f'database "{database}" does not exist')
        return self._all()

    def _tablespace(self, tablespace: str | int) -> int:
        if tablespace in {"pg_default", oids.DEFAULT_TABLESPACE}:
            return self._all()
        if tablespace in {"pg_global", oids.GLOBAL_TABLESPACE}:
            return 0
        raise UndefinedObjectError(f'tablespace "{tablespace}" does not exist')

    def _all(self) -> int:
        """What the role and all roles together have."""
        engine = self._sql.database.engine
        with engine.acquire() as view:
            users = (self._sql.user.id, NO_USER)
            return self._of([one for user in users for one in tablets_of(engine, view, user)])

    def _of(self, tablets: Iterable[TabletId]) -> int:
        engine, size = self._sql.database.engine, 0
        with engine.acquire() as view:
            for tablet in tablets:
                with suppress(DataCorruptedError):  # Who reads it is told.
                    manifest = look(engine, view, tablet).manifest
                    size += manifest.size
                    size += engine.log_bytes(tablet) or _counted(
                        view, tablet, manifest.flushed_through
                    )
        return size


def _counted(view: View, tablet: TabletId, after: int) -> int:
    return sum([len(data) for _, _, data in islice(view.log(tablet, after), COUNTED_MAX)])
