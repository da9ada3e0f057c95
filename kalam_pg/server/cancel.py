"""Which connection a CancelRequest means, and whether its sender may.

A key is 32 bytes from `secrets`; a client of protocol 3.0 or 3.1 is told the first four, which is
all that version's BackendKeyData can hold. Those four bytes could be guessed, so wrong guesses are
limited; a request is never answered, so a guesser learns nothing from silence.
"""

import hmac
import secrets
from collections.abc import Callable
from typing import Final

KEY_BYTES: Final = 32
SHORT_KEY_BYTES: Final = 4

WRONG_KEYS_MAX: Final = 100
"""Wrong requests that are looked at in one window; 2**32 keys would take 81 years of windows."""

WINDOW_S: Final = 60.0


class CancelRegistry:
    """From a backend's number to its key and what cancels it.

    clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._backends: dict[int, tuple[bytes, Callable[[], None]]] = {}
        self._last = 0
        self._window_began = clock()
        self._wrong = 0

    def register(self, cancel: Callable[[], None]) -> int:
        """Give a new connection its number; `cancel` stops what it runs."""
        self._last = self._last % 0x7FFFFFFF + 1
        while self._last in self._backends:
            self._last = self._last % 0x7FFFFFFF + 1
        self._backends[self._last] = (secrets.token_bytes(KEY_BYTES), cancel)
        return self._last

    def unregister(self, process_id: int) -> None:
        """The connection is gone."""
        self._backends.pop(process_id, None)

    def key(self, process_id: int, minor: int) -> bytes:
        """What the client of that connection is told: 32 bytes from protocol 3.2 on, else 4."""
        key, _ = self._backends[process_id]
        return key if minor >= 2 else key[:SHORT_KEY_BYTES]

    def request(self, process_id: int, secret_key: bytes) -> bool:
        """Cancel if the key is right. False: wrong, unknown, or too many wrong ones lately."""
        now = self._clock()
        if now - self._window_began > WINDOW_S:
            self._window_began = now
            self._wrong = 0
        if self._wrong >= WRONG_KEYS_MAX:
            return False
        key, cancel = self._backends.get(process_id, (bytes(KEY_BYTES), None))
        wanted = key[:SHORT_KEY_BYTES] if len(secret_key) == SHORT_KEY_BYTES else key
        # Compared also for an unknown number, so that time does not tell which numbers exist.
        if not hmac.compare_digest(wanted, secret_key) or cancel is None:
            self._wrong += 1
            return False
        cancel()
        return True
