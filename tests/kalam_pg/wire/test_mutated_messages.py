"""Whatever bytes a client sends, nothing escapes and no error is an internal one.

The long form is `python -m conformance.messages --messages 1000000 --sockets 50000`.
"""

from pathlib import Path
from random import Random

import pytest

from conformance.messages import process
from conformance.messages.mutations import mutated, pieces
from conformance.messages.seeds import joined, openings, streams


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
async def test_mutated_messages_are_answered_or_refused(tmp_path: Path, seed: int):
    told: list[str] = []
    counts, bad = await process.run(tmp_path, seed, 1500, told.append)
    assert bad == 0, told
    assert counts["08P01"] > 10
    assert counts["42601"] > 0


def test_a_seed_gives_the_same_mutations_again():
    seeds = [*streams(), *openings()]
    one, two = ([mutated(random, seeds) for _ in range(50)] for random in (Random(7), Random(7)))
    assert one == two
    assert any(joined(stream) not in map(joined, seeds) for stream in one)


def test_pieces_are_the_whole():
    random = Random(3)
    data = random.randbytes(5000)
    assert all(b"".join(pieces(random, data)) == data for _ in range(20))
