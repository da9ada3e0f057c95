"""Everything that a tablet can be asked, by every way there is."""

from collections.abc import Iterator
from typing import Any

import psycopg

Answers = dict[str, object]

TOLD = "XX001"

_QUESTIONS = {
    "count": "SELECT count(*) FROM {t}",
    "bounds": "SELECT min(id), max(id), min(k), max(k), count(body) FROM {t}",
    "sum": "SELECT sum(k), sum(id) FROM {t} WHERE k < 50",
    "groups": "SELECT k, count(*) FROM {t} GROUP BY k ORDER BY k",
    "first rows": "SELECT * FROM {t} ORDER BY id LIMIT 3",
    "last rows": "SELECT * FROM {t} ORDER BY id DESC LIMIT 9",
    "first of a few": "SELECT id, body FROM {t} WHERE k = 3 ORDER BY id DESC LIMIT 4",
    "filtered count": "SELECT count(*) FROM {t} WHERE k = 3",
    "everything": "SELECT * FROM {t} ORDER BY id",
    "joined": "SELECT count(*) FROM {t} a JOIN {t} b ON a.id = b.k",
    "point": "SELECT * FROM {t} WHERE id = 17",
    "old point": "SELECT body FROM {t} WHERE id = 1",
    "point of nothing": "SELECT * FROM {t} WHERE id = 123456",
}

_CHANGES = {
    "insert of a key that is there": "INSERT INTO {t} VALUES (17, 1, 'again')",
    "upsert": "INSERT INTO {t} VALUES (18, 1, 'x') ON CONFLICT (id) DO UPDATE SET k = -1 RETURNING *",
    "update": "UPDATE {t} SET k = k + 1 WHERE id = 19 RETURNING *",
    "delete": "DELETE FROM {t} WHERE id < 9",
}


def ask(connection: psycopg.Connection[Any], table: str) -> Answers:
    """What a session is told: rows, or the SQLSTATE of an error."""
    found: Answers = {}
    for name, text in _QUESTIONS.items():
        found[name] = _answer(connection, text.format(t=table))
    for number in (1, 17, 20, 31, 123456):
        text = f"SELECT id, k, body FROM {table} WHERE id = %s"
        found[f"prepared point {number}"] = _answer(connection, text, (number,))
    connection.execute("BEGIN")
    for name, text in _CHANGES.items():
        connection.execute("SAVEPOINT s")
        found[name] = _answer(connection, text.format(t=table))
        connection.execute("ROLLBACK TO s")
    connection.execute("ROLLBACK")
    return found


def _answer(connection: psycopg.Connection[Any], text: str, values: tuple[Any, ...] = ()) -> object:
    try:
        cursor = connection.execute(text, values or None, prepare=bool(values))
        rows = cursor.fetchall() if cursor.description else None
    except psycopg.OperationalError as exc:
        if connection.closed:
            raise
        return exc.sqlstate
    except psycopg.Error as exc:
        return exc.sqlstate
    return (cursor.statusmessage, rows)


def wrong(answers: Answers, right: Answers, *, damaged: bool) -> Iterator[str]:
    """What is neither right nor, of a damaged tablet, told."""
    for name, answer in answers.items():
        if answer != right[name] and not (damaged and answer == TOLD):
            yield f"{name}: {str(answer)[:200]} and not {str(right[name])[:200]}"
