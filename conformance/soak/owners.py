"""The actors that own a domain: writers of rows, and definers of tables, views, users and grants."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.soak.actors import Owner, Step
from conformance.soak.client import Client
from conformance.soak.ledger import Ledger, State, Violation
from conformance.soak.world import World

KEYS: Final = 120
"""Keys of a writer; few, so that deleted ones come back."""

Row = tuple[str | None, ...]


class Writer(Owner):
    """Owns the rows of one range of keys, in the user's own notes and on the board of all.

    Its state: (table, key) to (body, n).
    """

    TABLES: ClassVar = ("soak.notes", "soak.board")

    def __init__(self, world: World, name: str, user: str, ledger: Ledger, number: int) -> None:
        super().__init__(world, name, user, ledger)
        self.low = number * 1000
        self.high = self.low + KEYS - 1

    def propose(self, state: State, *, block: bool) -> list[Step]:
        table = self.random.choice(self.TABLES)
        mine = {key: value for (of, key), value in sorted(state.items()) if of == table}
        free = [key for key in range(self.low, self.high + 1) if key not in mine]
        reads = [self._all, self._sums, self._groups, self._newest, self._point]
        if block:
            reads.append(self._cursor)
        changes: list[Callable[..., list[Step]]] = []
        if len(free) > KEYS // 5:
            changes += [self._insert, self._insert, self._upsert]
        if mine:
            changes += [self._update, self._update_some, self._delete, self._upsert]
        if len(mine) > KEYS // 2:
            changes += [self._delete_some]
        make = self.random.choice(reads if self.random.random() < 0.35 else changes)
        return make(table, state, mine, free)

    def read(self, client: Client) -> State:
        return {
            (table, int(row[0])): (row[1], row[2])
            for table in self.TABLES
            for row in client.ask(
                f"SELECT id, body, n FROM {table} WHERE id BETWEEN {self.low} AND {self.high}"
            ).rows
        }

    def _bounds(self) -> tuple[str, str]:
        return str(self.low), str(self.high)

    def _insert(self, table, state, mine, free) -> list[Step]:
        keys = self.random.sample(free, self.random.choice((1, 1, 1, 2, 5, 20)))
        rows = {(table, key): (self._body(key), str(self.random.randrange(100))) for key in keys}
        values = ", ".join(f"(${3 * i + 1}, ${3 * i + 2}, ${3 * i + 3})" for i in range(len(keys)))
        given = tuple(v for (_, key), (body, n) in rows.items() for v in (str(key), body, n))
        text = f"INSERT INTO {table} (id, body, n) VALUES {values}"
        wanted = None
        if self.random.random() < 0.2:
            text += " RETURNING id"
            wanted = [(str(key),) for key in keys]
        return [Step(text, given, {**state, **rows}, f"INSERT 0 {len(keys)}", wanted)]

    def _upsert(self, table, state, mine, free) -> list[Step]:
        key = self.random.choice([*mine, *free])
        n = str(self.random.randrange(100))
        body = mine[key][0] if key in mine else self._body(key)
        text = (
            f"INSERT INTO {table} (id, body, n) VALUES ($1, $2, $3)"
            " ON CONFLICT (id) DO UPDATE SET n = excluded.n"
        )
        after = {**state, (table, key): (body, n)}
        return [Step(text, (str(key), body, n), after, "INSERT 0 1")]

    def _update(self, table, state, mine, free) -> list[Step]:
        key = self.random.choice(list(mine))
        body = self._body(key)
        after = {**state, (table, key): (body, mine[key][1])}
        text = f"UPDATE {table} SET body = $2 WHERE id = $1"
        return [Step(text, (str(key), body), after, "UPDATE 1")]

    def _update_some(self, table, state, mine, free) -> list[Step]:
        third = self.random.randrange(3)
        hit = {k: v for k, v in mine.items() if v[1] is not None and int(v[1]) % 3 == third}
        after = {**state, **{(table, k): (v[0], str(int(v[1]) + 1)) for k, v in hit.items()}}
        text = f"UPDATE {table} SET n = n + 1 WHERE id BETWEEN $1 AND $2 AND n % 3 = $3"
        return [Step(text, (*self._bounds(), str(third)), after, f"UPDATE {len(hit)}")]

    def _delete(self, table, state, mine, free) -> list[Step]:
        key = self.random.choice(list(mine))
        after = {k: v for k, v in state.items() if k != (table, key)}
        return [Step(f"DELETE FROM {table} WHERE id = $1", (str(key),), after, "DELETE 1")]

    def _delete_some(self, table, state, mine, free) -> list[Step]:
        below = self.random.choice(list(mine))
        hit = {(table, key) for key in mine if key < below}
        after = {k: v for k, v in state.items() if k not in hit}
        text = f"DELETE FROM {table} WHERE id >= $1 AND id < $2"
        return [Step(text, (str(self.low), str(below)), after, f"DELETE {len(hit)}")]

    def _point(self, table, state, mine, free) -> list[Step]:
        key = self.random.choice([*mine, *free])
        wanted = [(str(key), *mine[key])] if key in mine else []
        return [Step(f"SELECT id, body, n FROM {table} WHERE id = $1", (str(key),), rows=wanted)]

    def _all(self, table, state, mine, free) -> list[Step]:
        text = f"SELECT id, body, n FROM {table} WHERE id BETWEEN $1 AND $2 ORDER BY id"
        return [Step(text, self._bounds(), rows=[(str(k), *v) for k, v in mine.items()])]

    def _newest(self, table, state, mine, free) -> list[Step]:
        text = f"SELECT id, n FROM {table} WHERE id BETWEEN $1 AND $2 ORDER BY id DESC LIMIT 5"
        wanted = [(str(k), v[1]) for k, v in reversed(mine.items())][:5]
        return [Step(text, self._bounds(), rows=wanted)]

    def _sums(self, table, state, mine, free) -> list[Step]:
        text = f"SELECT count(*), sum(n), max(id) FROM {table} WHERE id BETWEEN $1 AND $2"
        numbers = [int(v[1]) for v in mine.values() if v[1] is not None]
        wanted = (
            str(len(mine)),
            str(sum(numbers)) if numbers else None,
            str(max(mine)) if mine else None,
        )
        return [Step(text, self._bounds(), rows=[wanted])]

    def _groups(self, table, state, mine, free) -> list[Step]:
        text = (
            f"SELECT n % 5, count(*) FROM {table} WHERE id BETWEEN $1 AND $2 GROUP BY 1 ORDER BY 1"
        )
        found: dict[int, int] = {}
        for _, n in mine.values():
            found[int(n) % 5] = found.get(int(n) % 5, 0) + 1
        return [
            Step(text, self._bounds(), rows=[(str(k), str(v)) for k, v in sorted(found.items())])
        ]

    def _cursor(self, table, state, mine, free) -> list[Step]:
        rows = [(str(key),) for key in mine]
        part = self.random.randint(0, 8)
        low, high = self._bounds()
        return [
            Step(
                f"DECLARE c CURSOR FOR SELECT id FROM {table} WHERE id BETWEEN {low} AND {high} ORDER BY id"
            ),
            Step(f"FETCH {part} FROM c", rows=rows[:part]),
            Step("FETCH ALL FROM c", rows=rows[part:]),
            Step("CLOSE c"),
        ]

    def _body(self, key: int) -> str:
        long = self.random.random() < 0.03
        return f"{self.name}: {key}, {self.random.randrange(10**6)}{' and so on' * (long * 400)}"


@dataclass(frozen=True, slots=True)
class Variant:
    """Columns that a table may have; the same name has others later. Rows are ordered by `id`."""

    names: tuple[str, ...]
    definition: str
    row: Callable[[int], Row]


VARIANTS: Final = {
    "texts": Variant(
        ("a", "id", "b"),
        "a text, id text primary key, b text",
        lambda n: (f"a{n}", f"k{n:02}", f"b{n}"),
    ),
    "numbers": Variant(
        ("id", "v", "w"),
        "id bigint primary key, v int, w numeric(10,2)",
        lambda n: (str(n), str(-n), f"{n}.50"),
    ),
    "times": Variant(
        ("at", "d", "id"),
        "at timestamp, d date, id int primary key",
        lambda n: (f"2024-01-{n % 28 + 1:02} 12:00:00", f"2024-02-{n % 28 + 1:02}", str(n)),
    ),
    "arrays": Variant(
        ("id", "part", "tags", "ok"),
        "id int, part text, tags text[], ok boolean, primary key (part, id)",
        lambda n: (str(n), f"p{n % 3}", f"{{t{n},u}}", "t" if n % 2 else "f"),
    ),
}
NAMES: Final = 3
NUMBERS: Final = 12
RANKS: Final = ("user", "service")


class Definer(Owner):
    """Owns one namespace, and users of its own.

    Its state: ("table", name) to (kind, variant, rows by number), ("view", name) to the table it reads,
    ("grant", table) to True (SELECT for guest), ("user", name) to (rank, may log in, is there).
    """

    hows = ("simple", "extended")

    def __init__(self, world: World, name: str, user: str, ledger: Ledger, number: int) -> None:
        super().__init__(world, name, user, ledger)
        self.namespace = f"d{number}"

    def propose(self, state: State, *, block: bool) -> list[Step]:
        tables = [name for kind, name in state if kind == "table"]
        views = [name for kind, name in state if kind == "view"]
        free = [f"t{n}" for n in range(NAMES) if f"t{n}" not in tables]
        makes: list[Callable[[State, list, list, list], Step]] = [self._user]
        if free:
            makes += [self._create] * 2
        if tables:
            makes += [
                self._drop,
                self._insert,
                self._insert,
                self._delete,
                self._select,
                self._truncate,
            ]
            makes += [self._view, self._grant]
        if views:
            makes += [self._drop_view]
        return [self.random.choice(makes)(state, tables, views, free)]

    def read(self, client: Client) -> State:
        state: dict[Hashable, Hashable] = {}
        of = f"WHERE namespace = '{self.namespace}'"
        for name, kind in client.ask(f"SELECT table_name, table_type FROM system.tables {of}").rows:
            columns = client.ask(
                f"SELECT column_name FROM system.columns {of} AND table_name = '{name}'"
            ).rows
            variant = next(
                (v for v, made in VARIANTS.items() if {c for (c,) in columns} == set(made.names)),
                None,
            )
            if variant is None:
                raise Violation(f"{self.namespace}.{name} has columns {columns}")
            numbers = {VARIANTS[variant].row(n): n for n in range(NUMBERS)}
            rows = client.ask(self._query(str(name), variant)).rows
            seen = frozenset(numbers.get(row, row) for row in rows)
            if len(seen) < len(rows):
                raise Violation(f"{self.namespace}.{name} has rows twice: {rows}")
            state["table", name] = (kind, variant, seen)
            if kind == "SHARED":
                granted = f"SELECT has_table_privilege('{self.namespace}.{name}', 'SELECT')"
                if client.ask(f"EXECUTE AS USER 'guest' ({granted})").rows == [("t",)]:
                    state["grant", name] = True
        views = "SELECT viewname, definition FROM pg_views WHERE schemaname = "
        for name, text in client.ask(f"{views}'{self.namespace}'").rows:
            read = next((n for n in range(NAMES) if f"{self.namespace}.t{n}" in str(text)), text)
            state["view", name] = f"t{read}"
        users = "SELECT username, role, can_login, deleted_at IS NULL FROM system.users WHERE username LIKE"
        for name, rank, login, there in client.ask(f"{users} '{self.namespace}u%'").rows:
            state["user", name] = (rank, login == "t", there == "t")
        return state

    def _query(self, name: str, variant: str) -> str:
        names = ", ".join(VARIANTS[variant].names)
        return f"SELECT {names} FROM {self.namespace}.{name} ORDER BY id"

    def _create(self, state, tables, views, free) -> Step:
        name, variant = self.random.choice(free), self.random.choice(list(VARIANTS))
        kind = self.random.choice(("USER", "SHARED"))
        access = ", ACCESS_LEVEL = 'RESTRICTED'" if kind == "SHARED" else ""
        text = (
            f"CREATE TABLE {self.namespace}.{name} ({VARIANTS[variant].definition})"
            f" WITH (TYPE = '{kind}'{access})"
        )
        after = {**state, ("table", name): (kind, variant, frozenset())}
        return Step(text, after=after, tag="CREATE TABLE")

    def _drop(self, state, tables, views, free) -> Step:
        name = self.random.choice(tables)
        gone = {("table", name), ("grant", name)}
        gone |= {key for key, of in state.items() if key[0] == "view" and of == name}
        after = {key: value for key, value in state.items() if key not in gone}
        return Step(f"DROP TABLE {self.namespace}.{name} CASCADE", after=after, tag="DROP TABLE")

    def _insert(self, state, tables, views, free) -> Step:
        name = self.random.choice(tables)
        kind, variant, rows = state["table", name]
        left = [n for n in range(NUMBERS) if n not in rows]
        if not left:
            return self._truncate(state, [name], views, free)
        numbers = self.random.sample(left, min(len(left), self.random.randint(1, 4)))
        made = [VARIANTS[variant].row(n) for n in numbers]
        values = ", ".join("(" + ", ".join(f"'{v}'" for v in row) + ")" for row in made)
        names = ", ".join(VARIANTS[variant].names)
        text = f"INSERT INTO {self.namespace}.{name} ({names}) VALUES {values}"
        after = {**state, ("table", name): (kind, variant, rows | set(numbers))}
        return Step(text, after=after, tag=f"INSERT 0 {len(numbers)}")

    def _delete(self, state, tables, views, free) -> Step:
        name = self.random.choice(tables)
        kind, variant, rows = state["table", name]
        if not rows:
            return self._insert(state, [name], views, free)
        n = self.random.choice(sorted(rows))
        made = VARIANTS[variant]
        key = made.row(n)[made.names.index("id")]
        text = f"DELETE FROM {self.namespace}.{name} WHERE id = '{key}'"
        after = {**state, ("table", name): (kind, variant, rows - {n})}
        return Step(text, after=after, tag="DELETE 1")

    def _select(self, state, tables, views, free) -> Step:
        name = self.random.choice(tables)
        _, variant, rows = state["table", name]
        made = [VARIANTS[variant].row(n) for n in sorted(rows)]
        return Step(self._query(name, variant), rows=made)

    def _truncate(self, state, tables, views, free) -> Step:
        name = self.random.choice(tables)
        kind, variant, _ = state["table", name]
        after = {**state, ("table", name): (kind, variant, frozenset())}
        return Step(f"TRUNCATE {self.namespace}.{name}", after=after, tag="TRUNCATE TABLE")

    def _view(self, state, tables, views, free) -> Step:
        of = self.random.choice(tables)
        name = f"v{self.random.randrange(NAMES)}"
        if name in views:
            return self._drop_view(state, tables, [name], free)
        text = f"CREATE VIEW {self.namespace}.{name} AS SELECT id FROM {self.namespace}.{of}"
        return Step(text, after={**state, ("view", name): of}, tag="CREATE VIEW")

    def _drop_view(self, state, tables, views, free) -> Step:
        name = self.random.choice(views)
        after = {key: value for key, value in state.items() if key != ("view", name)}
        return Step(f"DROP VIEW {self.namespace}.{name}", after=after, tag="DROP VIEW")

    def _grant(self, state, tables, views, free) -> Step:
        shared = [name for name in tables if state["table", name][0] == "SHARED"]
        if not shared:
            return self._insert(state, tables, views, free)
        name = self.random.choice(shared)
        table = f"{self.namespace}.{name}"
        if ("grant", name) in state:
            after = {key: value for key, value in state.items() if key != ("grant", name)}
            return Step(f"REVOKE SELECT ON {table} FROM guest", after=after, tag="REVOKE")
        after = {**state, ("grant", name): True}
        return Step(f"GRANT SELECT ON {table} TO guest", after=after, tag="GRANT")

    def _user(self, state, tables, views, free) -> Step:
        name = f"{self.namespace}u{self.random.randrange(NAMES)}"
        if ("user", name) not in state:
            rank = self.random.choice(RANKS)
            after = {**state, ("user", name): (rank, True, True)}
            return Step(f"CREATE USER {name} ROLE '{rank}'", after=after, tag="CREATE ROLE")
        rank, login, there = state["user", name]
        if not there:
            after = {**state, ("user", name): (rank, login, True)}
            return Step(f"ALTER USER {name} RESTORE", after=after, tag="ALTER ROLE")
        match self.random.randrange(3):
            case 0:
                after = {**state, ("user", name): (rank, login, False)}
                return Step(f"DROP USER {name}", after=after, tag="DROP ROLE")
            case 1:
                after = {**state, ("user", name): (rank, not login, True)}
                text = f"ALTER USER {name} {'NOLOGIN' if login else 'LOGIN'}"
                return Step(text, after=after, tag="ALTER ROLE")
        rank = RANKS[1 - RANKS.index(rank)]
        after = {**state, ("user", name): (rank, login, True)}
        return Step(f"ALTER USER {name} SET ROLE '{rank}'", after=after, tag="ALTER ROLE")
