"""What exists: types, namespaces, tables, users, storages and the rows of `pg_catalog`.

The catalog knows no session. Its model is immutable: a change makes a new snapshot.
"""
