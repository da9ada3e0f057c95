"""Virtual relations, composed: what pg_catalog, information_schema and system hold for one role.

A `Catalogue` belongs to the server; it gives each role its rows (`Perspective`), and runs the statements that
read nothing else.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import trio

from catalog.errors import FeatureNotSupportedError, QueryCanceledError
from catalog.model import Table, User
from catalog.pg_catalog import fixed
from catalog.pg_catalog.relations import relation
from catalog.pg_catalog.rows import fixed_rows, is_fixed
from catalog.pg_catalog.visible import Visible
from catalog.snapshot import Snapshot
from catalog.system import SYSTEM_RELATIONS, LiveRows
from kalam_pg.engines.catalog_image import CatalogImage, make_image
from kalam_pg.engines.catalog_sqlite import TIMEOUT_S, CatalogQuery, Provider, run_catalog
from kalam_pg.functions.cost import BUDGET_US
from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter.program import CompiledQuery, compiled
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import TooLargeError
from kalam_pg.query.perspective import NO_VALUES, XMIN, Perspective, Room, virtual_columns
from kalam_pg.query.portion import RowPortion
from kalam_pg.query.program_plan import ProgramPlan, all_of
from kalam_pg.query.row_source import RowSource, Stored, Whole
from kalam_pg.query.row_store import RowStore
from kalam_pg.query.user_threads import UserThreads
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.sql.bind_target import updatable
from kalam_pg.sql.definition_text import check_columns, check_text
from kalam_pg.sql.scope import SEQUENCE, BindScope
from kalam_pg.sql.tree import Query, VirtualScan
from kalam_pg.sql.view_text import Form, current_text
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
        rows = ((*row, shape.oid, XMIN) for row in fixed_rows(name))
        relations[f"pg_catalog.{name}"] = ([c.type for c in columns], rows)
    return make_image(relations)


def _reads_fixed(query: Query) -> bool:
    return any(
        isinstance(node, VirtualScan) and is_fixed(node.schema, node.name) for node in walk(query)
    )


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
    _room: "Room" = field(default_factory=Room)
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
            self._room = Room()
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
            view_text=lambda view, pretty, wrap: current_text(
                view, snapshot, search_path, virtual_columns, Form(pretty, wrap)
            ),
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
        room = self._room if transaction is None else Room(0)
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
        yield from self._made_ready(seen, query, x)
        provider = _provider(query, seen, x.context.services)
        context = seen.bind(x.context)
        image = _image() if _reads_fixed(query) else None
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

    def _made_ready(self, seen: Perspective, query: Query, x: "Execution") -> Steps[None]:
        """Have made, in a thread, what takes too long here. Raises 57014."""
        if lacking := seen.lacking(query):
            making = partial(self._threads.run, x.payer, partial(seen.make, lacking))
            yield from run_async(making, timeout_s=x.statement_timeout_s)
        if _reads_fixed(query) and not _image.cache_info().currsize:
            # Who gives up does not wait for it: others will want it, too.
            first = partial(trio.to_thread.run_sync, fixed_image, abandon_on_cancel=True)
            yield from run_async(first, timeout_s=x.statement_timeout_s)

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

    def provide(schema: str, name: str, equal: Mapping[int, Value] = NO_VALUES) -> Iterable[Row]:
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
