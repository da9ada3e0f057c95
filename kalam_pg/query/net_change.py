"""What a transaction has done to one key, or to a whole tablet."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

import msgspec

from storage.layout import Row


class NetChange(msgspec.Struct, gc=False):
    """The net change of one key: from `base` (None: no row) to `row` (None: no row).

    base_seq: `_seq` of the version it replaces, a tombstone's too; 0 when the key was never there.
    """

    base: Row | None
    base_seq: int
    row: Row | None
    version: int
    stream: bool


def net_changes(
    bases: Sequence[Row] | None, seqs: Iterable[int], rows: Sequence[Row] | None, version: int
) -> Iterator[NetChange]:
    """Those of many keys, none of a STREAM table. None: there were no rows, or there are none any more."""
    nothing, no = repeat(None), repeat(False)
    return map(NetChange, bases or nothing, seqs, rows or nothing, repeat(version), no)


def reformed(
    changes: Mapping[bytes, NetChange], move: Callable[[Row], Row], version: int
) -> dict[bytes, NetChange]:
    """Changes in the form of another version of their table."""
    return {
        key: NetChange(
            None if change.base is None else move(change.base),
            change.base_seq,
            None if change.row is None else move(change.row),
            version,
            change.stream,
        )
        for key, change in changes.items()
    }


class Emptied(NamedTuple):
    """A tablet that the transaction has truncated. version: of the table. stream: it is a STREAM table's."""

    version: int
    stream: bool
