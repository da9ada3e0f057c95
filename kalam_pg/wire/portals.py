"""Values in and out of the extended protocol: what Parse and Bind say of parameters and results."""

from codecs import getincrementaldecoder
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from catalog.errors import (
    CharacterNotInRepertoireError,
    FeatureNotSupportedError,
    InvalidParameterValueError,
)
from catalog.snapshot import Snapshot
from catalog.types.domain import DomainDefinition
from catalog.types.registry import INT2, INT4, INT8, TEXT, VARCHAR
from catalog.types.table import PgType, TypeContext
from kalam_pg.pgwire.byte_reader import bad_bytes
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import Bind, Parameter
from storage.layout import Value


def parameter_types(oids: Sequence[int], snapshot: Snapshot) -> tuple[PgType | None, ...]:
    """The types that Parse named, None where it left them open. Raises 0A000 for one not here."""
    found: list[PgType | None] = []
    for oid in oids:
        if oid in (0, 705):  # unspecified, or unknown: the binder infers it
            found.append(None)
            continue
        of = snapshot.type_by_oid(oid)
        if of is None or isinstance(of.definition, DomainDefinition):
            raise FeatureNotSupportedError(f"type with OID {oid} is not supported")
        found.append(of)
    return tuple(found)


def bind_parameters(
    message: Bind, types: tuple[PgType, ...], context: TypeContext, started_us: int
) -> tuple[Value, ...]:
    """Parameter values in stored form. Raises 08P01, 22P02, 22P03, 22021.

    started_us: what 'now' means.
    """
    values = message.parameters
    if len(values) != len(types):
        raise ProtocolViolationError(
            f"bind message supplies {len(values)} parameters, but prepared statement "
            f'"{message.statement}" requires {len(types)}',
            fatal=False,
        )
    if any(t.category == "D" and moving(raw) for t, raw in zip(types, values, strict=True)):
        context = replace(context, now_us=started_us)
        readers = _new_readers(types, message.parameter_formats, context)
    else:
        readers = parameter_readers(types, message.parameter_formats, context)
    return tuple(
        [None if raw is None else read(raw) for raw, read in zip(values, readers, strict=True)]
    )


_MOVING_FIRST = frozenset((b"n", b"N", b"t", b"T", b"y", b"Y", b" ", b"\t", b"\n"))


def moving(raw: Parameter | None) -> bool:
    """Whether a date's text may be one such as 'now': what it means depends on when it is read."""
    return isinstance(raw, bytes) and raw[:1] in _MOVING_FIRST


Reader = Callable[[Parameter], Value]
"""From a parameter's bytes to its stored value."""

# The greatest value, and its decimal digits: no more of them need a further look.
_GREATEST = {INT2: 32_767, INT4: 2_147_483_647, INT8: 9_223_372_036_854_775_807}


LARGE_PARAMETERS = 65_536
"""Parameters of more bytes are read in a thread: a megabyte of JSON, or of an array, takes a second."""

_PIECE_BYTES = 150
"""What reading a piece of an array or of JSON takes, measured up to here: an object, its places in lists."""

_BINARY_PIECE_BYTES = 6
"""The smallest piece of an array in binary: a length, and two bytes."""


def reading_bytes(message: Bind, types: Sequence[PgType]) -> int:
    """About the memory that reading the parameters takes, beside the message. Looks at every byte of them."""
    formats = message.parameter_formats
    codes = formats if len(formats) > 1 else (formats or (0,)) * len(types)
    total = 0
    for raw, type_, code in zip(message.parameters, types, codes, strict=False):
        if raw is None:
            continue
        total += len(raw)
        if type_.element is None and type_.name not in _STRUCTURED:
            continue
        if code == 1 and type_.element is not None:
            total += _PIECE_BYTES * (len(raw) // _BINARY_PIECE_BYTES)
        else:
            total += _PIECE_BYTES * _pieces(raw)
    return total


def _pieces(raw: Parameter) -> int:
    """Into how many pieces a text may fall: no more than it has of what tells them apart."""
    count = 0
    for start in range(0, len(raw), _LOOKED_AT_BYTES):
        part = bytes(raw[start : start + _LOOKED_AT_BYTES])
        count += sum([part.count(mark) for mark in (b",", b":", b"{", b"[")])
    return count


_STRUCTURED = frozenset({"json", "jsonb"})
_LOOKED_AT_BYTES = 1 << 20

KEPT_WIDTH_MAX = 100
"""Readers of more parameters are not kept: they are as many as there are statements."""


def parameter_readers(
    types: tuple[PgType, ...], formats: tuple[int, ...], context: TypeContext
) -> tuple[Reader, ...]:
    """One reader for each parameter. formats, as Bind has them: none (text), one for all, or each's."""
    if context.objects is not None or len(types) > KEPT_WIDTH_MAX:
        # Contexts are equal that know other names.
        return _new_readers(types, formats, context)
    return _kept_readers(types, formats, context)


def _new_readers(
    types: tuple[PgType, ...], formats: tuple[int, ...], context: TypeContext
) -> tuple[Reader, ...]:
    codes = formats if len(formats) > 1 else (formats or (0,)) * len(types)
    made: dict[tuple[PgType, int], Reader] = {}
    found: list[Reader] = []
    for key in zip(types, codes, strict=True):
        reader = made.get(key)
        if reader is None:
            reader = made[key] = _reader(*key, context)
        found.append(reader)
    return tuple(found)


_kept_readers = lru_cache(maxsize=2048)(_new_readers)


def _reader(type_: PgType, code: int, context: TypeContext) -> Reader:
    if code == 1:
        receive = type_.receive
        return lambda raw: receive(raw if isinstance(raw, bytes) else bytes(raw), -1)
    if code != 0:
        return _unsupported(code)
    if type_ in (TEXT, VARCHAR):
        return _text
    read = type_.input
    greatest = _GREATEST.get(type_)
    if greatest is None:
        return lambda raw: read(_text(raw), -1, context)
    digits = len(str(greatest))

    def integer(raw: Parameter) -> Value:
        if len(raw) <= digits and raw.isdigit():  # type: ignore[union-attr]  # a view is longer
            value = int(raw)
            if value <= greatest:
                return value
        return read(_text(raw), -1, context)

    return integer


def _unsupported(code: int) -> Reader:
    def read(_raw: Parameter) -> Value:
        raise InvalidParameterValueError(f"unsupported format code: {code}")

    return read


def _text(raw: Parameter) -> str:
    if isinstance(raw, memoryview):
        return _long_text(raw)
    try:
        value = raw.decode()
    except UnicodeDecodeError as exc:
        bad = " ".join(f"0x{byte:02x}" for byte in bad_bytes(raw, exc.start))
        raise CharacterNotInRepertoireError(
            f'invalid byte sequence for encoding "UTF8": {bad}'
        ) from None
    if "\0" in value:
        raise CharacterNotInRepertoireError('invalid byte sequence for encoding "UTF8": 0x00')
    return value


PIECE_BYTES = 1 << 18
"""Of a long text so much is decoded at a time: the interpreter's lock changes hands between two."""


def _long_text(raw: memoryview) -> str:
    decode = getincrementaldecoder("utf-8")().decode
    value = ""
    for at in range(0, len(raw), PIECE_BYTES):
        piece = raw[at : at + PIECE_BYTES]
        try:
            text = decode(piece, final=at + PIECE_BYTES >= len(raw))
        except UnicodeDecodeError:
            return _text(bytes(raw))  # It knows which byte is to blame.
        if "\0" in text:
            raise CharacterNotInRepertoireError('invalid byte sequence for encoding "UTF8": 0x00')
        # In place: nobody else has it, and a large block of memory grows where it is.
        value += text
    return value


def result_formats(codes: tuple[int, ...], width: int) -> tuple[int, ...]:
    """One format code for each of `width` columns, from what Bind has. Raises 08P01, 22023."""
    if not codes:
        return (0,) * width
    for code in codes:
        if code not in (0, 1):
            raise InvalidParameterValueError(f"unsupported format code: {code}")
    if len(codes) == 1:
        return codes * width
    if len(codes) != width:
        raise ProtocolViolationError(
            f"bind message has {len(codes)} result formats but query has {width} columns",
            fatal=False,
        )
    return codes
