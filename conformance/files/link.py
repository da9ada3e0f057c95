"""A session as a statement file sees it: any number of statements in a text, and COPY's data."""

from typing import Any

from psycopg import pq

from conformance.fuzz.sides import Answer, Side

_COPIES = (pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT)


class Link(Side):
    """One of the two servers."""

    def send(self, text: str, data: str | None = None) -> Answer:
        """The answer of a text's last statement, as psql shows it."""
        self._data = data
        try:
            return self.run(text)
        finally:
            self._data = None

    def reopen(self) -> None:
        """Begin a new session."""
        self._open()

    _data: str | None = None

    def _answer(self, result: Any) -> Answer:
        if result.status not in _COPIES:
            return super()._answer(result)
        pgconn = self.connection.pgconn
        rows: list[tuple[bytes | None, ...]] = []
        if result.status == pq.ExecStatus.COPY_IN:
            if self._data is None:
                pgconn.put_copy_end(b"there is no data")
            else:
                pgconn.put_copy_data(self._data.encode())
                pgconn.put_copy_end()
        else:
            while (line := pgconn.get_copy_data(0))[0] > 0:
                rows.append((bytes(line[1]),))
        last = result
        while (more := pgconn.get_result()) is not None:
            last = more
        if last.status in _COPIES:  # a second COPY in one text
            self.connection.close()
            self._open()
            return Answer(error=("LOST", "two COPYs in one text"))
        answer = super()._answer(last)
        return Answer(answer.tag, (), tuple(rows), answer.error) if rows else answer

    def create(self, table: str, other: "Link") -> None:
        """Make a table with the columns that it has on the other side."""
        found = other.run(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            f"WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum"
        )
        columns = [b" ".join([field or b"" for field in row]) for row in found.rows or ()]
        self.run(f"CREATE TABLE {table} ({b', '.join(columns).decode()})")

    def fill(self, table: str, other: "Link") -> bool:
        """Give a table the rows that it has on the other side; whether that could be done."""
        found = other.run(f"SELECT * FROM {table}")
        if not found.rows or self.run(f"DELETE FROM {table}").error:
            return False
        names = ", ".join([f'"{column[0]}"' for column in found.columns])
        for at in range(0, len(found.rows), 500):
            rows = ", ".join([_values(row) for row in found.rows[at : at + 500]])
            if self.run(f"INSERT INTO {table} ({names}) VALUES {rows}").error:
                return False
        return True


def _values(row: tuple[bytes | None, ...]) -> str:
    """A row as literals of unknown type, which are read as their columns' types."""
    fields = [
        "NULL" if field is None else "'" + field.decode().replace("'", "''") + "'" for field in row
    ]
    return f"({', '.join(fields)})"
