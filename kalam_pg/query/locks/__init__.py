"""Locks: rows, tables and definitions in one table of locks, with one graph of who waits for whom."""
