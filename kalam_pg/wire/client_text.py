"""The encoding that a connection's client has, and what it is told in it."""

from kalam_pg.functions.encodings import UTF8
from kalam_pg.pgwire.codec import FrontendDecoder
from kalam_pg.pgwire.notices import error_bytes
from kalam_pg.rows.transcoding import Transcoder
from kalam_pg.sessions.settings import Settings
from storage.errors import KalamError


class ClientText:
    """Follows a session's `client_encoding`.

    is_foreign: whether it was another one than UTF8 when that was looked at last.
    """

    __slots__ = ("_coder", "_decoder", "_encoding", "_settings", "is_foreign")

    def __init__(self, decoder: FrontendDecoder) -> None:
        self._decoder = decoder
        self._settings: Settings | None = None
        self._encoding = UTF8
        self._coder: Transcoder | None = None
        self.is_foreign = False

    def begin(self, settings: Settings) -> None:
        """The client is authenticated, and has these settings."""
        self._settings = settings
        self.follow()

    def follow(self) -> Transcoder | None:
        """What translates for the client now; None: it has UTF8. The decoder knows of it from here on."""
        settings = self._settings
        if settings is not None and settings.encoding is not self._encoding:
            self._encoding = encoding = settings.encoding
            self._coder = None if encoding is UTF8 else Transcoder(encoding)
            self._decoder.translate = None if self._coder is None else self._coder.body
            self.is_foreign = self._coder is not None
        return self._coder

    def told(self, message: bytes, head: int = 5) -> bytes:
        """A message of strings behind `head` bytes; a character that the encoding lacks is a "?"."""
        coder = self.follow()
        return message if coder is None else coder.told(message, head)

    def description(self, message: bytes) -> bytes:
        """A RowDescription. Raises 22P05, 0A000."""
        coder = self.follow()
        return message if coder is None else coder.description(message)

    def error(self, error: KalamError, severity: str) -> bytes:
        """An ErrorResponse; what cannot be translated is told instead, as in PostgreSQL."""
        message = error_bytes(error, severity)
        coder = self.follow()
        if coder is None:
            return message
        try:
            return coder.fields(message)
        except KalamError as untranslatable:
            return coder.told(error_bytes(untranslatable, severity))
