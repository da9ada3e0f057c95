"""KalamDB, spoken over the PostgreSQL protocol."""

__version__ = "0.1.0"
