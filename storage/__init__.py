"""Bytes, Arrow and sequence numbers: the log, its index, segments, manifests and tablets.

Storage knows no SQL and no PostgreSQL. `storage.engine` is the door; `storage.errors` holds the one
root of every error in the project.
"""

import os

# Before Arrow is loaded: it would take huge pages, and to clear these made the first read of a segment
# ten times as slow as the next one (15 ms for 16 000 rows).
os.environ.setdefault("MIMALLOC_ALLOW_THP", "0")
