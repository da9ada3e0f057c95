"""A transaction's own changes as columns: however many they are, and however large."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from kalam_pg.query import overlay
from kalam_pg.query.net_change import NetChange
from storage.arrow import to_batch, to_rows
from storage.keys import key_maker
from storage.layout import Column, Layout
from storage.tablet import Scan

LAYOUT = Layout(1, (Column(1, "id", "int", pa.int64()), Column(2, "v", "text", pa.string())), (0,))
KEY = key_maker(LAYOUT.key, ["int"])
ROWS = st.dictionaries(st.integers(0, 40), st.text("ab", max_size=30), max_size=30)


def scan_of(rows: dict[int, str]) -> Scan:
    batch = to_batch(list(rows.items()), LAYOUT, [1] * len(rows), [False] * len(rows))
    return Scan(((1, batch),), (), None, False, None)


@given(before=ROWS, written=ROWS, deleted=st.sets(st.integers(0, 40)))
def test_rows_of_few_at_a_time_are_those_of_all_together(before, written, deleted):
    changes = {}
    for key in written.keys() | deleted:
        row = (key, written[key]) if key in written and key not in deleted else None
        base = (key, before[key]) if key in before else None
        changes[KEY((key,))] = NetChange(base, 1 if base else 0, row, 1, False)
    expected = before | written
    expected = {key: v for key, v in expected.items() if key not in deleted}
    whole = overlay.AT_ONCE, overlay.AT_ONCE_BYTES, overlay.BATCH_BYTES
    try:
        for bounds in (whole, (3, 40, 1 << 20), (5, 1 << 20, 200)):
            overlay.AT_ONCE, overlay.AT_ONCE_BYTES, overlay.BATCH_BYTES = bounds  # type: ignore[misc]
            found = overlay.overlay(scan_of(before), LAYOUT, changes)
            rows = [row for _, batch in found.batches for row in to_rows(batch, LAYOUT)]
            assert sorted(rows) == sorted(expected.items())
            assert len({number for number, _ in found.batches}) == len(found.batches)
    finally:
        overlay.AT_ONCE, overlay.AT_ONCE_BYTES, overlay.BATCH_BYTES = whole  # type: ignore[misc]
