"""A dict that stands for the engine's system keys."""

from collections.abc import Iterator, Sequence


class FakeKeys:
    def __init__(self, puts: Sequence[tuple[bytes, bytes | None]] = ()) -> None:
        self.data: dict[bytes, bytes] = {}
        self.reads = 0
        self.write(puts)

    def write(self, puts: Sequence[tuple[bytes, bytes | None]]) -> None:
        for key, value in puts:
            if value is None:
                self.data.pop(key, None)
            else:
                self.data[key] = value

    def system_get(self, key: bytes) -> bytes | None:
        self.reads += 1
        return self.data.get(key)

    def system_scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key in sorted(self.data):
            if key.startswith(prefix):
                yield key, self.data[key]
