"""pandas: to_sql in its modes, read_sql back."""

import pandas as pd
from sqlalchemy import create_engine


def main():
    engine = create_engine("postgresql+psycopg://")
    frame = pd.DataFrame(
        {
            "id": range(1, 6),
            "name": ["a", "b", None, "d", "é"],
            "at": pd.date_range("2024-01-01", periods=5, tz="UTC"),
            "x": [1.5, None, 3.0, 4.25, 5.0],
            "good": [True, False, True, True, False],
        }
    ).set_index("id")
    print(frame.to_sql("frames", engine))
    print(frame.to_sql("frames", engine, if_exists="append", method="multi"))
    print(frame.to_sql("frames", engine, if_exists="replace", chunksize=2))
    back = pd.read_sql_table("frames", engine, index_col="id")
    print(back.dtypes.to_string())
    print(back.to_string())
    print(
        pd.read_sql(
            "SELECT good, count(*) AS n, avg(x) AS mean FROM frames GROUP BY good ORDER BY good",
            engine,
        ).to_string()
    )
    for part in pd.read_sql("SELECT * FROM frames ORDER BY id", engine, chunksize=2):
        print(len(part))
    try:
        frame.to_sql("frames", engine)
    except ValueError as error:
        print(error)


main()
