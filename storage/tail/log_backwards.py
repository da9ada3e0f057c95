"""A tablet's newest rows straight from its log: for who wants a few and has no tail."""

from collections.abc import Iterator

from storage.ids import TabletId
from storage.log.log_entry import Op, decode_entry
from storage.log.view import Version, View
from storage.schema import Schema
from storage.tail.backwards import Equals


def newest_of_log(
    view: View, schema: Schema, tablet: TabletId, after: int, equals: Equals
) -> Iterator[Version]:
    """The live versions of the view behind commit `after`, newest first, lazily; see `Tablet.newest`."""
    seen: set[bytes] = set()
    for seq, n, data in view.log(tablet, after, reverse=True):
        entry = decode_entry(data)
        if entry.op == Op.TRUNCATE:
            return
        row = schema.newest(entry.row, entry.version)
        key = schema.key_of(row)
        if key not in seen:
            seen.add(key)
            wanted = all(row[position] == value for position, value in equals)
            if wanted and entry.op != Op.DELETE:
                yield Version(seq, n, entry.op, row, schema.layout.version, None)
