"""Scenarios of one client that sends one statement, or some, and waits."""

from typing import Final

from conformance.bench.kalamdb.client import NAMESPACE, Client, Scenario, Work

NOTES = "id bigint PRIMARY KEY, user_id bigint NOT NULL, body text NOT NULL, score double precision"
_INSERT = "INSERT INTO {} VALUES ($1, $2, $3, $4)"


def note(number: int) -> str:
    """The values of a row of NOTES."""
    return f"{number}, {number % 20}, 'Message number {number}: how are you today?', {number / 8}"


def create_table(client: Client) -> Work:
    """An empty table."""
    return Work(
        lambda n: client.run(f"CREATE TABLE {NAMESPACE}.made{n} ({NOTES}){client.kind}"),
    )


def drop_table(client: Client) -> Work:
    """A table of twenty rows."""

    def before(number: int) -> None:
        client.fill(client.make(f"dropped{number}", NOTES), 20, note)

    return Work(lambda n: client.run(f"DROP TABLE {NAMESPACE}.dropped{n}"), before)


def alter_table(client: Client) -> Work:
    """A column more, of a table of twenty rows."""

    def before(number: int) -> None:
        client.fill(client.make(f"altered{number}", NOTES), 20, note)

    return Work(
        lambda n: client.run(f"ALTER TABLE {NAMESPACE}.altered{n} ADD COLUMN more text"), before
    )


def single_insert(client: Client) -> Work:
    """One row, prepared."""
    text = _INSERT.format(client.make("single_insert", NOTES))
    return Work(lambda n: client.ask(text, n, n % 20, "How are you today?", 1.5))


def bulk_insert(client: Client) -> Work:
    """Fifty rows in one statement, whose text is new each time."""
    table = client.make("bulk_insert", NOTES)

    def once(number: int) -> None:
        rows = ", ".join(f"({note(n)})" for n in range(number * 50, number * 50 + 50))
        client.run(f"INSERT INTO {table} VALUES {rows}")

    return Work(once)


def transaction_multi_insert(client: Client) -> Work:
    """Fifty INSERTs in a block, each waited for."""
    text = _INSERT.format(client.make("transaction", NOTES))

    def once(number: int) -> None:
        client.run("BEGIN")
        for at in range(number * 50, number * 50 + 50):
            client.ask(text, at, at % 20, "How are you today?", 1.5)
        client.run("COMMIT")

    return Work(once)


def large_payload_insert(client: Client) -> Work:
    """One row with a text of 4 kB."""
    text = _INSERT.format(client.make("large", NOTES))
    payload = "payload " * 512
    return Work(lambda n: client.ask(text, n, n % 20, payload, 1.5))


def wide_column_insert(client: Client) -> Work:
    """One row of twenty columns."""
    columns = ", ".join(f"c{n} text" for n in range(19))
    table = client.make("wide", f"id bigint PRIMARY KEY, {columns}")
    text = f"INSERT INTO {table} VALUES ({', '.join(f'${n + 1}' for n in range(20))})"
    return Work(lambda n: client.ask(text, n, *(f"value {at}" for at in range(19))))


def _filled(client: Client, name: str, count: int) -> str:
    table = client.make(name, NOTES)
    client.fill(table, count, note)
    return table


def select_all(client: Client) -> Work:
    """All of 200 rows."""
    text = f"SELECT * FROM {_filled(client, 'select_all', 200)}"
    return Work(lambda _: client.ask(text))


def select_by_filter(client: Client) -> Work:
    """Ten of 200 rows, by a column without an index."""
    text = f"SELECT * FROM {_filled(client, 'by_filter', 200)} WHERE user_id = $1"
    return Work(lambda n: client.ask(text, n % 20))


def select_count(client: Client) -> Work:
    """count(*) of 200 rows."""
    text = f"SELECT count(*) FROM {_filled(client, 'counted', 200)}"
    return Work(lambda _: client.ask(text))


def select_order_by_limit(client: Client) -> Work:
    """The first 10 of 200 rows by a column without an index."""
    text = f"SELECT * FROM {_filled(client, 'ordered', 200)} ORDER BY score DESC LIMIT 10"
    return Work(lambda _: client.ask(text))


def point_lookup(client: Client) -> Work:
    """One of 10 000 rows by its key."""
    text = f"SELECT * FROM {_filled(client, 'lookup', 10_000)} WHERE id = $1"
    return Work(lambda n: client.ask(text, n * 7919 % 10_000))


def aggregate_query(client: Client) -> Work:
    """Count, sum, mean, least and greatest of 10 000 rows in twenty groups."""
    table = _filled(client, "aggregated", 10_000)
    text = (
        "SELECT user_id, count(*), sum(score), avg(score), min(id), max(id)"
        f" FROM {table} GROUP BY user_id ORDER BY user_id"
    )
    return Work(lambda _: client.ask(text))


def multi_table_join(client: Client) -> Work:
    """200 users with their 1000 orders: the ten who bought most."""
    users = client.make("users", "id bigint PRIMARY KEY, name text NOT NULL")
    orders = client.make(
        "orders", "id bigint PRIMARY KEY, user_id bigint NOT NULL, amount double precision NOT NULL"
    )
    client.fill(users, 200, lambda n: f"{n}, 'user {n}'")
    client.fill(orders, 1000, lambda n: f"{n}, {n * 31 % 200}, {n / 4}")
    text = (
        f"SELECT u.name, count(*), sum(o.amount) FROM {users} u JOIN {orders} o ON o.user_id = u.id"
        " GROUP BY u.name ORDER BY 3 DESC, 1 LIMIT 10"
    )
    return Work(lambda _: client.ask(text))


def single_update(client: Client) -> Work:
    """One of 1000 rows by its key."""
    text = f"UPDATE {_filled(client, 'updated', 1000)} SET body = $1 WHERE id = $2"
    return Work(lambda n: client.ask(text, f"edited {n}", n * 7 % 1000))


def single_delete(client: Client) -> Work:
    """One row by its key."""
    table = _filled(client, "deleted", 1000)
    insert, delete = _INSERT.format(table), f"DELETE FROM {table} WHERE id = $1"
    return Work(
        lambda n: client.ask(delete, n + 1000),
        lambda n: client.ask(insert, n + 1000, 3, "Not for long", 1.5),
    )


def bulk_delete(client: Client) -> Work:
    """A hundred rows by a range of keys."""
    table = _filled(client, "bulk_deleted", 1000)

    def before(number: int) -> None:
        first = (number + 100) * 100
        rows = ", ".join(f"({note(n)})" for n in range(first, first + 100))
        client.run(f"INSERT INTO {table} VALUES {rows}")

    def once(number: int) -> None:
        first = (number + 100) * 100
        client.ask(f"DELETE FROM {table} WHERE id >= $1 AND id < $2", first, first + 100)

    return Work(once, before)


def sequential_crud(client: Client) -> Work:
    """INSERT, SELECT, UPDATE and DELETE of a row, one after the other."""
    table = client.make("crud", NOTES)

    def once(number: int) -> None:
        client.ask(_INSERT.format(table), number, 1, "new", 0.5)
        client.ask(f"SELECT * FROM {table} WHERE id = $1", number)
        client.ask(f"UPDATE {table} SET body = $1 WHERE id = $2", "edited", number)
        client.ask(f"DELETE FROM {table} WHERE id = $1", number)

    return Work(once)


def mixed_read_write(client: Client) -> Work:
    """Two INSERTs, two reads by key and a read by a filter."""
    table = _filled(client, "mixed", 200)

    def once(number: int) -> None:
        for at in (1000 + number * 2, 1001 + number * 2):
            client.ask(_INSERT.format(table), at, at, "new", 0.5)
            client.ask(f"SELECT * FROM {table} WHERE id = $1", at)
        client.ask(f"SELECT * FROM {table} WHERE user_id = $1", 1000 + number * 2)

    return Work(once)


def namespace_isolation(client: Client) -> Work:
    """A table of one name in two namespaces: a row into each, and each read."""
    tables = []
    for number in (1, 2):
        client.root.run(f"CREATE SCHEMA IF NOT EXISTS isolated{number}")
        client.root.run(f"DROP TABLE IF EXISTS isolated{number}.notes")
        client.root.run(f"CREATE TABLE isolated{number}.notes ({NOTES}){client.kind}")
        tables.append(f"isolated{number}.notes")

    def once(number: int) -> None:
        for table in tables:
            client.ask(_INSERT.format(table), number, 1, table, 0.5)
        for table in tables:
            client.ask(f"SELECT body FROM {table} WHERE id = $1", number)

    return Work(once)


def wide_fanout_query(client: Client) -> Work:
    """One statement over twenty tables of fifty rows."""
    tables = [_filled(client, f"fan{number}", 50) for number in range(20)]
    text = " UNION ALL ".join(f"SELECT count(*), max(score) FROM {table}" for table in tables)
    return Work(lambda _: client.ask(text))


def flushed_parquet_query(client: Client) -> Work:
    """200 000 rows, flushed in twenty parts: count and mean of twenty groups."""
    table = client.make("flushed", NOTES)
    for begin in range(0, 200_000, 10_000):
        for at in range(begin, begin + 10_000, 1000):
            rows = ", ".join(f"({note(n)})" for n in range(at, at + 1000))
            client.run(f"INSERT INTO {table} VALUES {rows}")
        if client.server.is_kalam:
            client.root.run(f"STORAGE FLUSH TABLE {table}")
    if not client.server.is_kalam:
        client.run(f"ANALYZE {table}")
    text = f"SELECT user_id, count(*), avg(score) FROM {table} GROUP BY user_id ORDER BY user_id"
    return Work(lambda _: client.ask(text))


def create_user(client: Client) -> Work:
    """A user who may not log in yet."""
    admin = client.admin()
    pgconn = admin.pgconn
    how = " ROLE 'user'" if client.server.is_kalam else ""

    def once(number: int) -> object:
        assert not admin.closed
        return pgconn.exec_(f"CREATE USER made{number}{how}".encode())

    return Work(once)


def drop_user(client: Client) -> Work:
    """A user with nothing."""
    admin = client.admin()
    pgconn = admin.pgconn
    how = " ROLE 'user'" if client.server.is_kalam else ""

    def once(number: int) -> object:
        assert not admin.closed
        return pgconn.exec_(f"DROP USER gone{number}".encode())

    return Work(once, lambda n: pgconn.exec_(f"CREATE USER gone{n}{how}".encode()))


SCENARIOS: Final[tuple[Scenario, ...]] = (
    *(create_table, drop_table, alter_table, single_insert, bulk_insert, transaction_multi_insert),
    *(large_payload_insert, wide_column_insert, select_all, select_by_filter, select_count),
    *(select_order_by_limit, point_lookup, aggregate_query, multi_table_join, single_update),
    *(single_delete, bulk_delete, sequential_crud, namespace_isolation, mixed_read_write),
    *(wide_fanout_query, create_user, drop_user, flushed_parquet_query),
)
