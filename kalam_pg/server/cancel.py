"""Which connection a CancelRequest means, and whether its sender may.

A key is 32 bytes from `secrets`; a client of protocol 3.0 or 3.1 is told the first four, which is all that
version's BackendKeyData can hold, and may send those. Whatever wrong keys came before, the right one works:
else anybody could switch cancelling off. Four bytes could be guessed by who knows the number (days of ten
thousand connections a second), so numbers are drawn at random too. A request is never answered: a guesser
learns nothing from silence.
"""

import hmac
import secrets
from collections.abc import Callable
from typing import Final

KEY_BYTES: Final = 32
SHORT_KEY_BYTES: Final = 4


class CancelRegistry:
    """From a backend's number to its key, as its client was told it, and what cancels it."""

    def __init__(self) -> None:
        self._backends: dict[int, tuple[bytes, Callable[[], None]]] = {}

    def register(self, cancel: Callable[[], None]) -> int:
        """Give a new connection its number; `cancel` stops what it runs."""
        number = 0
        while not number or number in self._backends:
            number = secrets.randbits(31)
        self._backends[number] = (secrets.token_bytes(KEY_BYTES), cancel)
        return number

    def unregister(self, process_id: int) -> None:
        """The connection is gone."""
        self._backends.pop(process_id, None)

    def key(self, process_id: int, minor: int) -> bytes:
        """What the client of that connection is told: 32 bytes from protocol 3.2 on, else 4."""
        key, cancel = self._backends[process_id]
        if minor < 2:
            key = key[:SHORT_KEY_BYTES]
            self._backends[process_id] = (key, cancel)
        return key

    def request(self, process_id: int, secret_key: bytes) -> bool:
        """Cancel if the key is right, at its full length. False: wrong, or unknown."""
        key, cancel = self._backends.get(process_id, (bytes(KEY_BYTES), None))
        # Compared also for an unknown number, so that time does not tell which numbers exist.
        if not hmac.compare_digest(key, secret_key) or cancel is None:
            return False
        cancel()
        return True
