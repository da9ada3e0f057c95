"""A program on a terminal of its own, typed at and read as a user does."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence

SEEN_S = 20.0
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>78]|\([A-Z0-9])")


class PseudoTerminal:
    """screen: everything that the program has written, without escapes that move the cursor or colour."""

    def __init__(self, command: Sequence[str], **environment: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            # Ctrl-C reaches who has it as controlling terminal, also when the tests run in the background.
            ["setsid", "--ctty", "env", "--default-signal=INT", *command],
            stdin=slave, stdout=slave, stderr=slave,
            env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **environment},
        )  # fmt: skip
        os.close(slave)
        self._bytes = b""
        self._seen = 0

    @property
    def screen(self) -> str:
        return _ESCAPES.sub("", self._bytes.decode(errors="replace")).replace("\r", "")

    def type(self, text: str) -> None:
        """Keys; Enter is a carriage return."""
        os.write(self._master, text.replace("\n", "\r").encode())

    def see(self, text: str) -> str:
        """Wait until the program has written this, behind what was seen last; everything up to it."""
        deadline = time.monotonic() + SEEN_S
        while (at := self.screen.find(text, self._seen)) < 0:
            left = deadline - time.monotonic()
            assert left > 0, f"no {text!r} in {self.screen[self._seen :]!r}"
            assert self._read(left), f"it ended without {text!r}: {self.screen[self._seen :]!r}"
        before, self._seen = self.screen[self._seen : at], at + len(text)
        return before

    def _read(self, within_s: float) -> bool:
        """Whether there was, or may be, more."""
        if not select.select([self._master], [], [], within_s)[0]:
            return True
        try:
            piece = os.read(self._master, 1 << 16)
        except OSError:  # Linux says so when the other side is closed.
            return False
        self._bytes += piece
        return bool(piece)

    def wait(self) -> int:
        """The program's exit status, once it has ended."""
        while self._read(SEEN_S):
            pass
        return self.process.wait(SEEN_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
