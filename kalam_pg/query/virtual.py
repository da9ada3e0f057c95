"""Virtual relations, composed: what pg_catalog, information_schema and system hold for one role.

`virtual_columns` is what the binder asks. A `Catalogue` belongs to the server; it gives each role its
rows (`Perspective`), and runs the statements that read nothing else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import trio

from catalog.errors import FeatureNotSupportedError, QueryCanceledError
from catalog.model import Table, User
from catalog.pg_catalog import fixed
from catalog.pg_catalog.objects import CatalogObjects
from catalog.pg_catalog.relations import CatalogRelation, relation
from catalog.pg_catalog.rows import added_rows, fixed_rows, is_fixed
from catalog.pg_catalog.rows import rows as catalogue_rows
from catalog.pg_catalog.visible import Visible
from catalog.snapshot import Snapshot
from catalog.system import SYSTEM_RELATIONS, LiveRows, SystemRows, system_relation
from catalog.types.registry import OID, XID
from kalam_pg.engines.catalog_image import CatalogImage, make_image
from kalam_pg.engines.catalog_sqlite import TIMEOUT_S, CatalogQuery, Provider, run_catalog
from kalam_pg.functions.cost import BUDGET_US
from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter.program import CompiledQuery, compiled
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import TooLargeError
from kalam_pg.query.portion import RowPortion
from kalam_pg.query.program_plan import ProgramPlan, all_of
from kalam_pg.query.row_source import RowSource, Stored, Whole
from kalam_pg.query.row_store import RowStore
from kalam_pg.query.sizes import text_bytes
from kalam_pg.query.user_threads import UserThreads
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.sql.bind_target import updatable
from kalam_pg.sql.definition_text import check_columns, check_text
from kalam_pg.sql.scope import SEQUENCE, BindScope
from kalam_pg.sql.tree import OutputColumn, Query, VirtualScan
from kalam_pg.sql.view_text import current_text
from kalam_pg.sql.walk import walk
from storage.layout import Row, Value

if TYPE_CHECKING:
    from kalam_pg.query.execution import Execution
    from kalam_pg.query.transaction import Transaction

HERE_S = 5.0
"""For so long a program over the catalogue may run in a thread."""

AT_ONCE_ROWS = 2000
"""Longer answers are made in a thread, and sent from a store."""

AT_ONCE_S = 0.01
"""What a catalogue query may keep the other sessions waiting; psql's \\d takes half of it."""

THREAD_US = 5_000_000.0
"""What the calls of one in a thread may take in all; one alone no more than on the loop, which they hold."""

SLOW_QUERIES_MAX = 3
"""Catalogue queries in threads at a time, two of a user: there may be many, and the committer needs a thread
too."""

PERSPECTIVES_MAX = 256
"""Roles whose view of the catalogue is kept between statements, for one catalog version."""


_XMIN = 3
"""What each row of the catalogue says has written it: the first transaction of all. Tools that read on from a
transaction take every row for a new one (`age`), and show what is there.
"""

_NO_VALUES: Mapping[int, Value] = {}


@cache
def virtual_columns(schema: str, name: str) -> tuple[OutputColumn, ...] | None:
    """Columns of a virtual relation, None when there is none of that name."""
    found = _shape(schema, name)
    if found is None:
        return None
    columns = [
        OutputColumn(c.name, c.type, c.typmod, found.oid, number)
        for number, c in enumerate(found.columns, 1)
    ]
    if found.kind == "r":
        columns.append(OutputColumn("tableoid", OID, hidden=True))
        columns.append(OutputColumn("xmin", XID, hidden=True))
    return tuple(columns)


def _shape(schema: str, name: str) -> CatalogRelation | None:
    return system_relation(name) if schema == "system" else relation(schema, name)


def fixed_image() -> CatalogImage:
    """The relations that are the same for everybody. The first time it takes some 200 ms, in one thread."""
    with _making:
        return _image()


_making = Lock()


@cache
def _image() -> CatalogImage:
    relations = {}
    for name in fixed.NAMES:
        columns, shape = virtual_columns("pg_catalog", name), relation("pg_catalog", name)
        assert columns is not None
        assert shape is not None
        rows = ((*row, shape.oid, _XMIN) for row in fixed_rows(name))
        relations[f"pg_catalog.{name}"] = ([c.type for c in columns], rows)
    return make_image(relations)


def _reads_fixed(query: Query) -> bool:
    return any(
        isinstance(node, VirtualScan) and is_fixed(node.schema, node.name) for node in walk(query)
    )


_DEFINED = frozenset(
    ("pg_attrdef", "pg_attribute", "pg_constraint", "pg_depend", "pg_index", "pg_sequence",
     "columns", "key_column_usage", "table_constraints")
)  # fmt: skip
"""Relations that follow from a catalog version and a role alone: not from who is called what, or what runs.

Their rows are kept as long as the perspective is: tools ask the same joins of them for table after table.
"""

KEPT_ROWS_MAX = 100_000
"""Of all perspectives together: some 40 MB. What would be more is made for each query."""

KEPT_ROW_BYTES = 400
"""Of a row; so many bytes of texts count as one more."""


@dataclass(slots=True)
class _Room:
    """For kept rows; each catalog version begins with all of it."""

    left: int = KEPT_ROWS_MAX


@dataclass(slots=True)
class Catalogue:
    """The server's virtual relations.

    users, find_user, find_role: users, all, by id or by OID. sources: rows of `system.*` relations, and of
    pg_catalog relations about what runs (pg_settings, …), by relation name. is_populated: whether a user can
    read a materialized view, as a transaction sees it. database_comment: COMMENT ON DATABASE.
    """

    users: Callable[[], Iterable[User]]
    find_user: Callable[[int], User | None]
    find_role: Callable[[int], User | None]
    sources: dict[str, LiveRows] = field(default_factory=dict)
    is_populated: "Callable[[Transaction | None, Table, User], bool]" = lambda *_: True
    database_comment: Callable[[], str] = str
    _kept: "dict[tuple[int, tuple[str, ...]], Perspective]" = field(default_factory=dict)
    _of: Snapshot | None = None
    _room: "_Room" = field(default_factory=_Room)
    _threads: UserThreads = field(default_factory=lambda: UserThreads(SLOW_QUERIES_MAX))

    def perspective(
        self,
        snapshot: Snapshot,
        user: User,
        search_path: tuple[str, ...] = ("public",),
        transaction: "Transaction | None" = None,
    ) -> "Perspective":
        """The catalogue as `user` sees it in `snapshot`; transaction: what it has refreshed counts, too."""
        if transaction is not None and transaction.notes:
            return self._made(snapshot, user, search_path, transaction)
        if self._of is not snapshot or len(self._kept) >= PERSPECTIVES_MAX:
            for one in self._kept.values():
                one.let_go()
            self._kept.clear()
            self._of = snapshot
            self._room = _Room()
        found = self._kept.get((user.id, search_path))
        if found is None or found.visible.user is not user:
            if found is not None:
                found.let_go()
            found = self._made(snapshot, user, search_path, None)
            self._kept[user.id, search_path] = found
        return found

    def _made(
        self,
        snapshot: Snapshot,
        user: User,
        search_path: tuple[str, ...],
        transaction: "Transaction | None",
    ) -> "Perspective":
        visible = Visible(
            user,
            tuple(_values(snapshot.namespaces)),
            tuple(_values(snapshot.tables)),
            tuple(_values(snapshot.views)),
            self.users,
            self.find_user,
            self.find_role,
            search_path,
            sequences=snapshot.sequences,
            functions=snapshot.functions,
            version=snapshot.version,
            system_relations=SYSTEM_RELATIONS,
            types=tuple(_values(snapshot.types)),
            is_populated=lambda view: self.is_populated(transaction, view, user),
            view_text=lambda view: current_text(view, snapshot, search_path, virtual_columns),
            check_text=lambda table, text, pretty: check_text(
                table, text, BindScope(snapshot, (table.namespace, "public")), pretty=pretty
            ),
            check_columns=lambda table, text: check_columns(
                table, text, BindScope(snapshot, (table.namespace, "public"))
            ),
            updatable=lambda v: updatable(v, BindScope(snapshot, search_path, virtual_columns)),
            database_comment=self.database_comment,
        )
        # That of a transaction which has defined something is for one statement.
        room = self._room if transaction is None else _Room(0)
        return Perspective(visible, self.sources, room)

    def run(
        self,
        query: Query,
        snapshot: Snapshot,
        user: User,
        context: EvalContext,
        *,
        timeout_s: float = 0.0,
    ) -> list[Row]:
        """Answer a query that reads virtual relations only, as `user`."""
        seen = self.perspective(snapshot, user, context.search_path)
        return run_catalog(query, seen.rows, seen.bind(context), timeout_s=timeout_s)

    def answer(self, query: Query, x: "Execution") -> Steps[RowSource]:
        """Answer a statement as its session's user, with its own transaction's definitions.

        What takes longer than a moment goes on in a thread, and the other sessions with it.
        """
        snapshot = x.transaction.snapshot_over(x.database.catalog)
        seen = self.perspective(snapshot, x.user, x.context.search_path, x.transaction)
        provider = _provider(query, seen, x.context.services)
        context = seen.bind(x.context)
        image = None
        if _reads_fixed(query):
            if not _image.cache_info().currsize:
                # Who gives up does not wait for it: others will want it, too.
                making = partial(trio.to_thread.run_sync, fixed_image, abandon_on_cancel=True)
                yield from run_async(making, timeout_s=x.statement_timeout_s)
            image = _image()
        added = seen.added()
        try:
            running = CatalogQuery(query, provider, context, image, added)
        except FeatureNotSupportedError:
            away = self._program(query, x)
            if away is not None:
                return (yield from away.source(x))
            program = compiled(query)
            if program is None:
                raise
            store = x.own(x.database.spills.store())
            bound = seen.bind(x.context)
            here = partial(self._run_here, program, provider, bound, store, x.payer)
            yield from run_async(here, timeout_s=x.statement_timeout_s)
            return Stored(store)
        try:
            rows = running.run(AT_ONCE_S, rows_max=AT_ONCE_ROWS)
        except FeatureNotSupportedError:
            # Perhaps only here, where a call in it would take long.
            running.close()
            away = self._program(query, x)
            if away is not None:
                return (yield from away.source(x))
            context = seen.bind(x.context)
            running, rows = CatalogQuery(query, provider, context, image, added), None
        except BaseException:
            running.close()
            raise
        if rows is not None:
            running.close()
            return Whole(rows)
        context.left_us, context.most_us = THREAD_US, BUDGET_US
        timeout_s = x.statement_timeout_s
        store = x.own(x.database.spills.store())
        slowly = partial(self._run_slowly, running, store, timeout_s, x.payer)
        try:
            yield from run_async(slowly, timeout_s=timeout_s)
        except FeatureNotSupportedError:
            # A call in it takes long, too, and its turn had not come while it ran here.
            away = self._program(query, x)
            if away is None:
                raise
            return (yield from away.source(x))
        return Stored(store)

    def _program(self, query: Query, x: "Execution") -> ProgramPlan | None:
        """The query in a worker, which is brought the rows; None: it asks what only the server knows."""
        program = compiled(query)
        if program is None:
            return None
        plan = ProgramPlan(query.columns, query, program, self.answer)
        return plan if plan.crosses(x) else None

    async def _run_here(
        self,
        program: CompiledQuery,
        provider: Callable[..., Iterable[Row]],
        context: EvalContext,
        store: RowStore,
        user: int,
    ) -> None:
        """Run a program over catalogue relations in a thread here, where all that it asks is known."""
        context.left_us, context.most_us = THREAD_US, BUDGET_US

        def run() -> None:
            tables: dict[int, Relation] = {}
            for scan in program.virtual:
                with CatalogQuery(all_of(scan), provider, context) as asked:
                    rows = asked.run(HERE_S)
                if rows is None:
                    raise TimeoutError
                tables[scan.relation] = Relation(rows)
            store.add_here(RowPortion(list(program.run(tables, context, seconds=HERE_S))))

        try:
            await self._threads.run(user, run)
        except (TimeoutError, TooLargeError):
            raise FeatureNotSupportedError(
                "a query of this form cannot read so much of the system catalogs"
            ) from None

    async def _run_slowly(
        self, running: CatalogQuery, store: RowStore, timeout_s: float, user: int
    ) -> None:
        """Run it from the beginning in a thread, which closes it. Raises as `run_catalog`, and 53100."""
        started = given_up = False

        def run() -> None:
            nonlocal started
            started = True
            with running:
                for rows in running.parts(timeout_s or TIMEOUT_S, lambda: given_up):
                    store.add_here(RowPortion(rows))

        try:
            await self._threads.run(user, run)
        except TimeoutError:
            raise QueryCanceledError("canceling statement due to statement timeout") from None
        finally:
            given_up = True
            if not started:
                running.close()


def _provider(
    query: Query, seen: "Perspective", services: Mapping[str, Callable[..., Any]]
) -> Provider:
    """The rows of a query's relations, which a thread may ask for.

    What is about what runs now is read here and now: threads must not look at what the loop changes.
    """
    now: dict[tuple[str, str], Sequence[Row]] = {}
    for node in walk(query):
        if isinstance(node, VirtualScan) and (node.schema, node.name) not in now:
            rows = _live_rows(seen, services, node.schema, node.name)
            if rows is not None:
                now[node.schema, node.name] = tuple(rows)

    def provide(schema: str, name: str, equal: Mapping[int, Value] = _NO_VALUES) -> Iterable[Row]:
        rows = now.get((schema, name))
        return seen.rows(schema, name, equal) if rows is None else rows

    return provide


def _live_rows(
    seen: "Perspective", services: Mapping[str, Callable[..., Any]], schema: str, name: str
) -> Iterable[Row] | None:
    """The rows of a relation about what runs; some belong to the session, which has a service of its name."""
    if schema.startswith(SEQUENCE):
        return (services["sequence_state"](int(schema.removeprefix(SEQUENCE))),)
    own = services.get(f"{schema}.{name}")
    if own is not None:
        return own()  # type: ignore[no-any-return]
    return seen.rows(schema, name) if seen.is_live(schema, name) else None


def _values(items: Any) -> Iterable[Any]:  # noqa: ANN401 - by name, or in a sequence
    return items.values() if isinstance(items, Mapping) else items


class Perspective:
    """The catalogue as one role sees it: rows of relations, names of objects, their functions."""

    def __init__(self, visible: Visible, sources: Mapping[str, LiveRows], room: _Room) -> None:
        self.visible = visible
        self._room = room
        self._taken = 0
        self._defined: dict[str, Sequence[Row]] = {}
        self.objects = CatalogObjects(visible)
        self._sources = sources
        self._system = SystemRows(sources)

    def is_live(self, schema: str, name: str) -> bool:
        """Whether a relation is about what runs, and not about what is defined."""
        return schema == "system" or (schema == "pg_catalog" and name in self._sources)

    def rows(
        self, schema: str, name: str, equal: Mapping[int, Value] = _NO_VALUES
    ) -> Iterator[Row]:
        """The rows of a virtual relation; `equal` as for `engines.catalog_sqlite.Provider`.

        Raises:
            KeyError: There is no such relation.
            InsufficientPrivilegeError: It is not for this role.
        """
        if schema == "system":
            return self._system.rows(self.visible, name)
        shape = _shape(schema, name)
        if shape is None:
            raise KeyError((schema, name))
        source = self._sources.get(name) if schema == "pg_catalog" else None
        rows: Iterator[Row]
        if source is not None:
            rows = (shape.row(values) for values in source(self.visible))
        elif name not in _DEFINED or (name == "pg_attribute" and 0 in equal):
            rows = catalogue_rows(self.visible, schema, name, equal)
        else:
            wanted = {at: value for at, value in equal.items() if at < len(shape.columns)}
            rows = self._kept(schema, name)
            if wanted:
                rows = (row for row in rows if all(row[at] == v for at, v in wanted.items()))
        return ((*row, shape.oid, _XMIN) for row in rows) if shape.kind == "r" else rows

    def _kept(self, schema: str, name: str) -> Iterator[Row]:
        """The rows of one of `_DEFINED`, made as they are asked for; kept if all were and there is room."""
        known = self._defined.get(name)
        if known is not None:
            yield from known
            return
        made: list[Row] = []
        for row in catalogue_rows(self.visible, schema, name):
            made.append(row)
            yield row
        size = len(made) + text_bytes(made) // KEPT_ROW_BYTES
        if size <= self._room.left and self._defined.setdefault(name, made) is made:
            self._room.left -= size
            self._taken += size

    def let_go(self) -> None:
        """Another has its place: who still reads gets its rows, and it keeps no more and takes no room."""
        self._room.left += self._taken
        self._room, self._taken = _Room(0), 0
        self._defined = {}

    def added(self) -> dict[str, list[Row]]:
        """What there is beside the rows that never change, by table names of the image."""
        if not self.visible.functions:
            return {}
        return {
            f"pg_catalog.{name}": [(*row, oid, _XMIN) for row in rows]
            for name, oid, rows in added_rows(self.visible)
        }

    def bind(self, context: EvalContext) -> EvalContext:
        """`context` with this role's names of objects and catalogue functions."""
        return replace(
            context,
            types=replace(context.types, objects=self.objects),
            services={**self.objects.functions, **context.services},
        )
