"""Looking ahead in what a frontend sent, for what can be answered in one step when it is all there.

Nothing is taken by looking: `FrontendDecoder.skip` does that. Whatever is not exactly one of these forms
is None here and left to `FrontendDecoder.next`, errors included.
"""

import struct
from typing import Final, NamedTuple

from kalam_pg.pgwire.codec import FrontendDecoder

_HEADER = struct.Struct(">Bi").unpack_from
_INT32 = struct.Struct(">i").unpack_from

_BIND_KIND: Final = ord("B")
_QUERY_KIND: Final = ord("Q")
_EXECUTE_SYNC: Final = b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04"
_DESCRIBE_EXECUTE_SYNC: Final = b"D\0\0\0\x06P\0" + _EXECUTE_SYNC


class Pipeline(NamedTuple):
    """One statement's messages from Bind to Sync.

    bind: the body of the Bind, its portal unnamed. described: whether a Describe is among them.
    """

    bind: bytes
    described: bool

    @property
    def statement(self) -> str:
        """The name of the prepared statement; "" also for one that is not UTF-8."""
        return self.bind[1 : self.bind.find(0, 1)].decode(errors="ignore")


class PeekedQuery(NamedTuple):
    """A Query that was looked at. size: of the whole message, in bytes."""

    text: str
    size: int


class Again:
    """A pipeline that comes again with other parameters: the bytes around them.

    head: of the Bind's body, before the first parameter. tail: from behind the last one, of which the
    first `own` bytes are the Bind's, to the end of the Sync.
    """

    __slots__ = ("_described", "_formats", "head", "own", "tail")

    def __init__(self, head: bytes, formats: bytes, *, described: bool) -> None:
        """formats: the end of the Bind, its result formats."""
        self.head = head
        self.own = len(formats)
        self.tail = formats + (_DESCRIBE_EXECUTE_SYNC if described else _EXECUTE_SYNC)
        self._formats = formats
        self._described = described

    def fits(self, pipeline: Pipeline) -> bool:
        """Whether a pipeline is of this form."""
        body = pipeline.bind
        return (
            body.startswith(self.head)
            and body.endswith(self._formats)
            and pipeline.described is self._described
        )


def peek_pipeline(decoder: FrontendDecoder) -> Pipeline | None:
    """What comes next, when it is one statement's whole pipeline: Bind of the unnamed portal,
    Describe of it or not, Execute of all of it, Sync, with nothing of it missing.

    Nothing is taken: `skip` does that. None also for a Bind that `next` would refuse by its size.
    """
    buffer, pos = decoder.buffer, decoder.position
    if len(buffer) - pos < 26 or buffer[pos] != _BIND_KIND or buffer[pos + 5]:
        return None
    length = _INT32(buffer, pos + 1)[0]
    end = pos + 1 + length
    if not 8 <= length <= decoder.caps[_BIND_KIND]:
        return None
    if buffer.startswith(_EXECUTE_SYNC, end):
        return Pipeline(buffer[pos + 5 : end], described=False)
    if buffer.startswith(_DESCRIBE_EXECUTE_SYNC, end):
        return Pipeline(buffer[pos + 5 : end], described=True)
    return None


def peek_again(decoder: FrontendDecoder, again: Again) -> tuple[int, int, int] | None:
    """Where the parameters are, if what comes next is such a pipeline, with nothing missing.

    (start, stop, size): they are `buffer[start:stop]`, and the pipeline has `size` bytes.
    """
    buffer, pos = decoder.buffer, decoder.position
    head = pos + 5
    if not buffer.startswith(again.head, head):
        return None
    kind, length = _HEADER(buffer, pos)
    start = head + len(again.head)
    stop = pos + 1 + length - again.own
    if kind != _BIND_KIND or stop < start or not buffer.startswith(again.tail, stop):
        return None
    if length > decoder.caps[_BIND_KIND]:
        return None
    return start, stop, stop + len(again.tail) - pos


def peek_query(decoder: FrontendDecoder) -> PeekedQuery | None:
    """The Query that comes next, if it does, whole. Nothing is taken."""
    buffer, pos = decoder.buffer, decoder.position
    if len(buffer) - pos < 6 or buffer[pos] != _QUERY_KIND:
        return None
    length = _INT32(buffer, pos + 1)[0]
    end = pos + 1 + length
    if end > len(buffer) or not 5 <= length <= decoder.caps[_QUERY_KIND] or buffer[end - 1]:
        return None
    try:
        return PeekedQuery(buffer[pos + 5 : end - 1].decode(), 1 + length)
    except UnicodeDecodeError:
        return None
