"""What the log knows of a tablet's newest manifest: so that a lost one is missed, and an older one told.

It is written, synced, after a version was published and before the next one is: at a start the newest
version on disk is the one that is noted, or the one that follows it. Trim goes by it too: what is not
noted as flushed stays in the log.
"""

from struct import Struct
from typing import NamedTuple

from storage.errors import DataCorruptedError

_THROUGH = Struct(">Q")
_NOTE = Struct(">QQ32s")


class ManifestNote(NamedTuple):
    """A tablet's meta record without a name.

    flushed_through: the log is durably in segments up to this commit. version, sha256: of the newest
    manifest noted; 0 and "" when none is, or when the record was made before they were.
    """

    flushed_through: int
    version: int = 0
    sha256: str = ""

    def pack(self) -> bytes:
        """As a meta record."""
        return _NOTE.pack(self.flushed_through, self.version, bytes.fromhex(self.sha256))


NO_MANIFEST = ManifestNote(0)


def unpack_note(data: bytes | None) -> ManifestNote:
    """What a meta record says, if there is one. Raises DataCorruptedError."""
    if data is None:
        return NO_MANIFEST
    if len(data) == _NOTE.size:
        through, version, sha256 = _NOTE.unpack(data)
        return ManifestNote(through, version, sha256.hex() if version else "")
    if len(data) == _THROUGH.size:
        return ManifestNote(*_THROUGH.unpack(data))
    raise DataCorruptedError("a record of what is flushed cannot be read")
