"""The first rows in an order, and counts, are those of all rows sorted: hot, cold and a transaction's own."""

import pytest

from storage.cold.segment import encode_segments
from tests.storage.cold.lives import Life


@pytest.mark.slow
def test_the_first_rows_are_those_of_all_rows_sorted(tmp_path, monkeypatch):
    monkeypatch.setitem(encode_segments.__kwdefaults__, "group_rows", 3)
    monkeypatch.setattr("storage.cold.segment.TINY_BYTES", 0)  # They have no counts of values.
    monkeypatch.setattr("storage.cold.occurrences.ROWS_MIN", 0)
    monkeypatch.setattr("storage.cold.segment_builder._REPEATED_MIN", 1)
    monkeypatch.setattr("storage.cold.new_run.INLINE_BYTES", 0)
    left = 0
    for seed in range(16):
        # What hides rows is asked of all rows at once, or of those that are looked at.
        monkeypatch.setattr("storage.cold.sight.KNOWN_ROWS_MAX", seed % 2 * 1000)
        monkeypatch.setattr("storage.cold.counting.FEW", seed % 4 // 2 * 64)
        life = Life(seed, tmp_path / str(seed))
        life.live()
        for _ in range(50):
            life.check()
        left += life.left_to_files
    assert left == 0, "what was read just now is in memory, and what hides rows of it"
