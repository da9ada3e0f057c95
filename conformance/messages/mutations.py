"""How a stream of messages is spoilt: by seed, a few changes of some kind, anywhere."""

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

_EDGES: Final = (0, 1, 2, 3, 4, 5, 8, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 1 << 24)
_KINDS: Final = b"QPBDECSHXFdcfpRZTN\0\xff"
_PIECES: Final = (
    b"\0",
    b"\xff" * 4,
    b"'",
    b'"',
    b";",
    b"$1",
    b"\\",
    b"\xc3",
    b"--",
    b"/*",
    b"9" * 40,
    b"(",
)

Stream = list[bytes]


def _flip(random: Random, stream: Stream, _others: Sequence[Stream]) -> None:
    at = random.randrange(len(stream))
    data = bytearray(stream[at])
    for _ in range(random.choice((1, 1, 2, 5))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    stream[at] = bytes(data)


def _byte(random: Random, stream: Stream, _others: Sequence[Stream]) -> None:
    at = random.randrange(len(stream))
    data = bytearray(stream[at])
    data[random.randrange(len(data))] = random.choice(
        (0, 1, 39, 127, 128, 255, random.randrange(256))
    )
    stream[at] = bytes(data)


def _insert(random: Random, stream: Stream, _others: Sequence[Stream]) -> None:
    at = random.randrange(len(stream))
    where = random.randrange(len(stream[at]) + 1)
    piece = random.choice((*_PIECES, random.randbytes(random.choice((1, 3, 40)))))
    stream[at] = _measured(random, stream[at][:where] + piece + stream[at][where:])


def _cut(random: Random, stream: Stream, _others: Sequence[Stream]) -> None:
    at = random.randrange(len(stream))
    data = stream[at]
    start = random.randrange(len(data))
    stream[at] = (
        _measured(random, data[:start] + data[start + random.choice((1, 2, 4, 20)) :]) or b"\0"
    )


def _edge(random: Random, stream: Stream, _others: Sequence[Stream]) -> None:
    """A number somewhere is another one: most of them are lengths and counts."""
    at = random.randrange(len(stream))
    data, edge = stream[at], random.choice(_EDGES)
    new = (
        struct.pack("!I", edge & 0xFFFFFFFF)
        if random.random() < 0.6
        else struct.pack("!H", edge & 0xFFFF)
    )
    start = 1 if random.random() < 0.3 else random.randrange(max(len(data) - len(new), 1))
    stream[at] = data[:start] + new + data[start + len(new) :]


def _kind(random: Random, stream: Stream, _others: Sequence[Stream]) -> None:
    at = random.randrange(len(stream))
    stream[at] = bytes([random.choice(_KINDS)]) + stream[at][1:]


def _repeat(random: Random, stream: Stream, _others: Sequence[Stream]) -> None:
    at = random.randrange(len(stream))
    stream[at:at] = [stream[at]] * random.choice((1, 2, 10))


def _swap(random: Random, stream: Stream, _others: Sequence[Stream]) -> None:
    a, b = random.randrange(len(stream)), random.randrange(len(stream))
    stream[a], stream[b] = stream[b], stream[a]


def _drop(random: Random, stream: Stream, _others: Sequence[Stream]) -> None:
    if len(stream) > 1:
        del stream[random.randrange(len(stream))]


def _splice(random: Random, stream: Stream, others: Sequence[Stream]) -> None:
    other = random.choice(others)
    start = random.randrange(len(other))
    at = random.randrange(len(stream) + 1)
    stream[at:at] = other[start : start + random.choice((1, 2, 5))]


_WAYS: Final[tuple[Callable[[Random, Stream, Sequence[Stream]], None], ...]] = (
    _flip, _byte, _insert, _cut, _edge, _kind, _repeat, _swap, _drop, _splice,
)  # fmt: skip


def _measured(random: Random, data: bytes) -> bytes:
    """With the length that a message so long has, mostly: what is wrong lies further in then."""
    if random.random() < 0.2 or len(data) < 5:
        return data
    return data[:1] + struct.pack("!I", len(data) - 1) + data[5:]


def mutated(random: Random, seeds: Sequence[Stream]) -> Stream:
    """One of the streams, spoilt."""
    stream = list(random.choice(seeds))
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        random.choice(_WAYS)(random, stream, seeds)
    return [part for part in stream if part]


def pieces(random: Random, data: bytes) -> list[bytes]:
    """The bytes as a network may bring them."""
    if random.random() < 0.7:
        return [data]
    found, start = [], 0
    while start < len(data):
        size = random.choice((1, 2, 5, 30, 500))
        found.append(data[start : start + size])
        start += size
    return found
