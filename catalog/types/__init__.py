"""PostgreSQL's types: one row per type, with its input and output functions as pg_type has them."""
