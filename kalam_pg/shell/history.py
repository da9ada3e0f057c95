"""What was typed, from one shell to the next: a file of the user's own, without passwords."""

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

ENTRIES_MAX: Final = 1000
_SECRET: Final = re.compile(r"\bpassword\b", re.IGNORECASE)


class History:
    """Entries, oldest first; each a line of JSON in the file, which only its user may read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: list[str] = []
        with suppress(OSError, ValueError):  # A file that is none of ours is begun anew.
            lines = path.read_text(encoding="utf-8").splitlines()
            self.entries = [str(json.loads(line)) for line in lines[-ENTRIES_MAX:]]

    def add(self, entry: str) -> None:
        """Keep an entry, unless it repeats the last one or may have a password in it."""
        if not entry.strip() or entry in self.entries[-1:] or _SECRET.search(entry):
            return
        self.entries.append(entry)

    def save(self) -> None:
        """Write the file anew; a home that cannot be written to has no history."""
        text = "".join(json.dumps(entry) + "\n" for entry in self.entries[-ENTRIES_MAX:])
        with suppress(OSError):
            beside = self._path.with_name(self._path.name + f".{os.getpid()}")
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            beside.replace(self._path)
