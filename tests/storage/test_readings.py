"""What all readings of a tablet know together, of a commit of very many changes."""

import pytest

from storage.log.view import LARGE_ENTRY_BYTES
from storage.log.writes import Part
from storage.readings import Readings
from tests.storage.engine_fixtures import insert, key_of, truncate


class Kept:
    def __init__(self):
        self.truncations = []

    def learn_truncations(self, seqs):
        self.truncations += seqs


class Tablet:
    dropped = 0

    def drop_tails(self):
        self.dropped += 1


@pytest.mark.parametrize("truncates", [False, True])
def test_a_commit_that_tails_do_not_take_in_is_known_as_far_as_readers_ask(truncates):
    kept, tablet = Kept(), Tablet()
    readings = Readings({}, kept)
    readings.large |= {key_of(1), key_of(7)}
    writes = [truncate()] * truncates + [insert(number) for number in range(3)]
    part = Part(writes, size=LARGE_ENTRY_BYTES + 3, large=[key_of(2)], truncates=truncates)
    readings.pass_over(tablet, 5, part)
    assert readings.large == {key_of(2), key_of(7)}
    assert tablet.dropped == 1
    assert kept.truncations == [5] * truncates
