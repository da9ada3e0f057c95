"""Queries as programs over rows in Python: exact for whatever it compiles, where an engine may not be."""
