"""Segments are Parquet as other tools know it: DuckDB and pandas read them where they lie."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import duckdb
import pandas as pd
import pytest

pytestmark = pytest.mark.slow

ROWS = 20_000
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


@pytest.fixture(scope="module")
def segments(server):
    """A pattern for the segment files of a flushed table, and ids of its columns by their names."""
    with server.root() as root:
        root.execute("CREATE NAMESPACE lake")
        root.execute(
            "CREATE TABLE lake.t (id BIGINT PRIMARY KEY, author TEXT, score DOUBLE PRECISION,"
            " price NUMERIC(12, 2), at TIMESTAMPTZ, local TIMESTAMP, day DATE, clock TIME, flag BOOLEAN,"
            " data BYTEA, tags TEXT[], own UUID)"
            " WITH (TYPE = 'USER')"
        )
        root.execute(
            "INSERT INTO lake.t SELECT n, 'author ' || n % 7, n / 8.0, n / 4.0,"
            " timestamptz '2026-01-02 03:04:05.678901+00' + n * interval '1 s', '2026-01-02 03:04:05',"
            " '2026-01-02', '03:04:05', n % 2 = 0, '\\x0102', ARRAY['a', 'b'],"
            " 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"
            f" FROM generate_series(1, {ROWS}) n"
        )
        root.execute("STORAGE FLUSH TABLE lake.t")
        root.execute("INSERT INTO lake.t (id, score) VALUES (0, 'NaN')")
        root.execute("DELETE FROM lake.t WHERE id = 1")
        root.execute("STORAGE FLUSH TABLE lake.t")
        table = root.execute("SELECT 'lake.t'::regclass::oid").fetchone()[0]
        names = [
            name
            for (name,) in root.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'lake.t'::regclass AND attnum > 0"
                " ORDER BY attnum"
            )
        ]
    (directory,) = (server.data / "cold").glob(f"*/{table}")
    return directory / "segment-*.parquet", {name: f"c{at}" for at, name in enumerate(names, 1)}


def test_duckdb_answers_over_segments_as_they_lie(segments):
    pattern, c = segments
    newest = (
        f"(SELECT * FROM read_parquet('{pattern}') QUALIFY"
        f" row_number() OVER (PARTITION BY {c['id']} ORDER BY _seq DESC) = 1)"
    )
    # Newest version of each key, tombstones left out: what a table is, told in one line.
    with duckdb.connect() as db:
        live = f"{newest} WHERE NOT _deleted"
        assert db.sql(f"SELECT count(*) FROM {live}").fetchall() == [(ROWS,)]
        grouped = (
            f"SELECT {c['author']}, count(*), sum({c['price']}) FROM {live}"
            f" AND {c['author']} IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT 1"
        )
        zeros = [n for n in range(2, ROWS + 1) if n % 7 == 0]
        total = sum((Decimal(n) / 4).quantize(Decimal("0.01")) for n in zeros)
        ((author, count, price),) = db.sql(grouped).fetchall()
        assert (author, count, price) == ("author 0", len(zeros), total)
        names = ("at", "local", "day", "clock", "flag", "data", "tags", "score")
        columns = ", ".join(c[name] for name in names)
        ((at, *rest),) = db.sql(f"SELECT {columns} FROM {live} AND {c['id']} = 2").fetchall()
        assert at.timestamp() == MOMENT.timestamp() + 2
        assert rest == [
            datetime.fromisoformat("2026-01-02 03:04:05"),
            date(2026, 1, 2),
            time(3, 4, 5),
            True,
            b"\x01\x02",
            ["a", "b"],
            0.25,
        ]
        # Pruning by statistics and by the sort order finds what is there.
        found = db.sql(
            f"SELECT {c['id']} FROM read_parquet('{pattern}') WHERE {c['id']} > {ROWS - 2}"
        )
        assert sorted(found.fetchall()) == [(ROWS - 1,), (ROWS,)]


def test_pandas_reads_a_segment_as_it_lies(segments):
    pattern, c = segments
    frames = [pd.read_parquet(path) for path in sorted(pattern.parent.glob(pattern.name))]
    rows = pd.concat(frames).sort_values("_seq").drop_duplicates(c["id"], keep="last")
    rows = rows[~rows["_deleted"]]
    assert len(rows) == ROWS
    by_author = rows.groupby(c["author"])[c["score"]].count()
    assert by_author.to_dict() == {
        f"author {rest}": sum(n % 7 == rest for n in range(2, ROWS + 1)) for rest in range(7)
    }
    row = rows[rows[c["id"]] == 2].iloc[0]
    assert row[c["at"]].timestamp() == pytest.approx(MOMENT.timestamp() + 2)
    assert UUID(bytes=row[c["own"]]) == UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
    assert bool(row[c["flag"]])
