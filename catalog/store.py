"""The catalog in the engine: loading it at start, and reading users one by one."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from catalog import codec, codec_functions, codec_types, default_privileges, role_settings
from catalog.changes import CatalogChange, stored
from catalog.changes_user import ROOT_ID, ROOT_NAME, user_puts
from catalog.functions import Function
from catalog.ids import FIRST_OID
from catalog.model import Namespace, NumberSequence, Role, Table, User, View
from catalog.snapshot import Snapshot
from catalog.typed import found_in
from storage.keys import system_key

PUBLIC_ID = 2200
"""PostgreSQL's OID of the namespace `public`."""

_CACHED_USERS = 10_000
"""About 4 MB; the users of that many sessions are found without reading."""


class SystemKeys(Protocol):
    """What the catalog needs of `storage.engine.Engine`."""

    def system_get(self, key: bytes, /) -> bytes | None: ...

    def system_scan(self, prefix: bytes, /) -> Iterator[tuple[bytes, bytes]]: ...


class Store:
    """Reads catalog entries. Writing them is the committer's: `CatalogChange.puts` are system entries."""

    def __init__(self, engine: SystemKeys) -> None:
        self._engine = engine
        self._users: OrderedDict[int, User] = OrderedDict()
        self._ids: dict[str, int] = {}

    def load(self) -> Snapshot:
        """The committed catalog; before `first_start` an empty one. Raises XX001 for bad bytes."""
        scan = self._engine.system_scan
        namespaces: dict[str, Namespace] = {}
        for _, data in scan(system_key("namespace")):
            namespace = codec.decode_namespace(data)
            namespaces[namespace.name] = namespace
        types = codec_types.decode_types(data for _, data in scan(system_key("type")))
        find = found_in(types)
        tables: dict[int, Table] = {}
        for _, data in scan(system_key("table")):
            table = codec.decode_table(data, find)
            earlier = [
                codec.decode_version(version, find)
                for _, version in scan(system_key("table_version", table.id))
            ]
            tables[table.id] = replace(table, history=tuple(earlier)) if earlier else table
        views: dict[int, View] = {}
        for _, data in scan(system_key("view")):
            view = codec.decode_view(data, find)
            views[view.id] = view
        sequences: dict[int, NumberSequence] = {}
        for _, data in scan(system_key("sequence")):
            sequence = codec.decode_sequence(data)
            sequences[sequence.id] = sequence
        functions: dict[int, Function] = {}
        for _, data in scan(system_key("function")):
            function = codec_functions.decode_function(data)
            functions[function.id] = function
        data_or_none = self._engine.system_get(codec.CATALOG_KEY)
        (version,) = (0,) if data_or_none is None else codec.decode(data_or_none)
        return Snapshot(version, namespaces, tables, views, types, sequences, functions)

    def first_oid(self) -> int:
        """The first OID that was never given; the engine was just opened. Raises XX001 for bad bytes."""
        data = self._engine.system_get(codec.IDS_KEY)
        if data is None:
            return FIRST_OID
        (end,) = codec.decode(data)
        return int(end)

    # ------------------------------------------------------------------ users

    def user_by_id(self, user_id: int) -> User | None:
        """The user with that id, deleted ones too."""
        user = self._users.get(user_id)
        if user is not None:
            self._users.move_to_end(user_id)
            return user
        user = self.read_user(user_id)
        if user is not None:
            self._remember(user)
        return user

    def read_user(self, user_id: int) -> User | None:
        """The user with that id as the engine has it, past the cache."""
        data = self._engine.system_get(codec.user_key(user_id))
        return None if data is None else codec.decode_user(data)

    def user_by_name(self, name: str) -> User | None:
        """The user of that name, deleted ones too."""
        user_id = self._ids.get(name)
        if user_id is None:
            data = self._engine.system_get(codec.user_name_key(name))
            if data is None:
                return None
            user_id = int(codec.decode(data))
        return self.user_by_id(user_id)

    def user_by_oid(self, oid: int) -> User | None:
        """The user whose role has that OID, deleted ones too."""
        data = self._engine.system_get(codec.role_key(oid))
        return None if data is None else self.user_by_id(int(codec.decode(data)))

    def role_settings(self) -> Iterator[tuple[bytes, bytes]]:
        """What `catalog.role_settings` has stored."""
        return self._engine.system_scan(role_settings.PREFIX)

    def database_comment(self) -> str:
        """COMMENT ON DATABASE, "" for none."""
        data = self._engine.system_get(codec.DATABASE_COMMENT_KEY)
        return "" if data is None else str(codec.decode(data))

    def default_acls(self) -> Iterator[tuple[bytes, bytes]]:
        """What `catalog.default_privileges` has stored."""
        return self._engine.system_scan(default_privileges.PREFIX)

    def users(self) -> Iterator[User]:
        """Every user, in order of ids, deleted ones too. For listings: there may be millions."""
        for _, data in self._engine.system_scan(system_key("user")):
            yield codec.decode_user(data)

    def forget(self, users: Sequence[User]) -> None:
        """Call when changes of these users were committed: they are read again."""
        for user in users:
            self._users.pop(user.id, None)
            self._ids.pop(user.name, None)

    def forget_all(self) -> None:
        """Read every user again."""
        self._users.clear()
        self._ids.clear()

    def stale_users(self) -> list[str]:
        """What the cache has of users that the engine has not, for checks; nothing is right."""
        return [
            f"user {user!r} is cached, the engine has {found!r}"
            for user in self._users.values()
            if (found := self.read_user(user.id)) != user
        ]

    def _remember(self, user: User) -> None:
        self._users[user.id] = user
        self._ids[user.name] = user.id
        if len(self._users) > _CACHED_USERS:
            _, old = self._users.popitem(last=False)
            self._ids.pop(old.name, None)

    def reader(
        self, puts: Sequence[tuple[bytes, bytes | None]] = ()
    ) -> Callable[[bytes], bytes | None]:
        """Reads system keys as committed, with a transaction's own `puts` over them."""
        own = dict(puts)

        def get(key: bytes) -> bytes | None:
            return own[key] if key in own else self._engine.system_get(key)

        return get


def first_start(now_us: int) -> CatalogChange:
    """What a new data directory begins with: the namespace `public` and the user `root`.

    Whether the directory is new is told by `Store.load().namespaces` being empty.
    """
    public = Namespace(PUBLIC_ID, "public", ROOT_ID, now_us, "standard public schema")
    root = User(ROOT_ID, ROOT_NAME, Role.SYSTEM, created_at_us=now_us, oid=ROOT_ID)
    change = stored(
        Snapshot(1, {public.name: public}, {}, {}),
        [(codec.namespace_key(public.id), codec.encode_namespace(public)), *user_puts(root)],
    )
    return replace(change, users=(root,))
