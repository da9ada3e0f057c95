"""What has to be known of segments that are to be loaded: whether they have a key that older ones have, since
no row may have it twice, and what their rows refer to.

Tombstones count: a load hides nothing of older segments, so whoever writes a key again that was there
goes through the log.
"""

from bisect import bisect_right
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from storage.arrow import column_name
from storage.cold.keysets import Keys, KeySet
from storage.cold.manifest import Segment
from storage.cold.point_read import SegmentReader
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.layout import Column, Layout

_GROUPS = 16
"""Row groups whose keys are read at a time."""


def is_taken(
    fs: FileSystem,
    tablet: TabletId,
    layout: Layout,
    new: Sequence[Segment],
    old: Sequence[Segment],
) -> bool:
    """Whether a key of the new segments is in an old one, or in another of them.

    Reads files; raises DataCorruptedError.
    """
    for number, segment in enumerate(new):
        near = [one for one in (*old, *new[:number]) if _overlap(one, segment)]
        if not near:
            continue
        keys = KeySet.of(_keys(SegmentReader(fs, segment, tablet), layout, None))
        for one in near:
            if _is_among(SegmentReader(fs, one, tablet), layout, segment, keys):
                return True
    return False


def distinct_values(
    fs: FileSystem,
    tablet: TabletId,
    segment: Segment,
    columns: Sequence[Column],
    found: pa.Table | None = None,
) -> pa.Table:
    """What rows of a segment have in these columns, and what `found` has, each once.

    Reads files; raises DataCorruptedError.
    """
    names = [column_name(column) for column in columns]
    if found is None:
        found = pa.schema([(column_name(column), column.arrow) for column in columns]).empty_table()
    reader = SegmentReader(fs, segment, tablet)
    groups = range(len(reader.load_head().first_keys))
    waiting: list[pa.Table] = []
    for at in range(0, len(groups), _GROUPS):
        waiting.append(reader.read_groups(groups[at : at + _GROUPS], columns=names).select(names))
        # When they are as many as are known: each value is grouped some times, however many there are.
        if sum([one.num_rows for one in waiting]) >= found.num_rows or at + _GROUPS >= len(groups):
            both = pa.concat_tables([found, *waiting])
            found = both.group_by(names, use_threads=False).aggregate([]).select(names)
            waiting = []
    return found


def _overlap(one: Segment, other: Segment) -> bool:
    return one.min_key <= other.max_key and other.min_key <= one.max_key


def _is_among(reader: SegmentReader, layout: Layout, new: Segment, keys: KeySet) -> bool:
    first_keys = reader.load_head().first_keys
    start = max(0, bisect_right(first_keys, new.min_key) - 1)
    stop = bisect_right(first_keys, new.max_key)
    for at in range(start, stop, _GROUPS):
        found = keys.has(_keys(reader, layout, range(at, min(stop, at + _GROUPS))))
        if found is not None and pc.any(found).as_py():
            return True
    return False


def _keys(reader: SegmentReader, layout: Layout, groups: Sequence[int] | None) -> Keys:
    """Of some row groups; None: of all."""
    columns = [layout.columns[position] for position in layout.key]
    names = [column_name(column) for column in columns]
    if groups is None:
        groups = range(len(reader.load_head().first_keys))
    table = reader.read_groups(groups, columns=names)
    return Keys.of([table.column(name) for name in names], [column.kind for column in columns])
