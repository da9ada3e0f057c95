"""polars: frames written by ADBC, which sends COPY in binary, and read by ADBC and connectorx."""

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import quote

import polars as pl

URI = (
    f"postgresql://{quote(os.environ['PGUSER'])}:{quote(os.environ.get('PGPASSWORD', ''))}"
    f"@{os.environ['PGHOST']}:{os.environ['PGPORT']}/{os.environ['PGDATABASE']}"
)
QUERIES = (
    "SELECT * FROM frames ORDER BY id",
    "SELECT good, count(*) AS n, avg(x) AS mean, max(at) AS last FROM frames GROUP BY good ORDER BY good",
    "SELECT id, name FROM frames WHERE name IS NULL OR name > 'c' ORDER BY id",
)


def frame(first):
    return pl.DataFrame(
        {
            "id": range(first, first + 5),
            "name": ["a", "b", None, "d", "é"],
            "at": [datetime(2024, 1, day, 12, 30, tzinfo=UTC) for day in range(1, 6)],
            "day": [date(2024, 2, day) for day in range(1, 6)],
            "x": [1.5, None, 3.0, 4.25, 5.0],
            "good": [True, False, True, True, False],
        }
    )


def main():
    for first, how in ((1, "replace"), (6, "append"), (11, "append"), (1, "replace")):
        written = frame(first).write_database("frames", URI, engine="adbc", if_table_exists=how)
        print(how, written)
    try:
        frame(1).write_database("frames", URI, engine="adbc", if_table_exists="fail")
    except Exception as error:  # noqa: BLE001 -- each version of the driver has its own
        print("exists already" in str(error) or "already exists" in str(error))
    for engine in ("adbc", "connectorx"):
        for query in QUERIES:
            back = pl.read_database_uri(query, URI, engine=engine)
            print(engine, back.schema)
            print(back.rows())
    print(
        pl.read_database_uri("SELECT 12.50::numeric(8,2) AS price", URI, engine="connectorx").rows()
    )
    many = pl.DataFrame({"id": range(50_000), "text": [f"row {n}" for n in range(50_000)]})
    print(many.write_database("many", URI, engine="adbc", if_table_exists="replace"))
    total = pl.read_database_uri("SELECT count(*), sum(id)::bigint FROM many", URI, engine="adbc")
    print(total.rows(), [Decimal(value) for value in total.row(0)])
    parts = pl.read_database_uri(
        "SELECT * FROM many", URI, engine="connectorx", partition_on="id", partition_num=4
    )
    print(parts.height, parts["id"].sum())


main()
