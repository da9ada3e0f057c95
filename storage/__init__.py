"""Bytes, Arrow and sequence numbers: the log, its index, segments, manifests and tablets.

Storage knows no SQL and no PostgreSQL. `storage.engine` is the door; `storage.errors` holds the one
root of every error in the project.
"""
