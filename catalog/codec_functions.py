"""Functions that people made as bytes: entries of the catalog, as `codec` writes all of them."""

from typing import Any

from catalog.codec import decode, encode, grant_fields, read_grants
from catalog.functions import Accumulation, Aggregation, Function, Parameter
from storage.keys import system_key


def function_key(oid: int) -> bytes:
    """Where a function lies."""
    return system_key("function", oid)


def encode_function(made: Function) -> bytes:
    """A function as bytes; one more field of an aggregate."""
    f = made
    parameters = [[p.name, p.type, p.mode, p.default] for p in f.parameters]
    return encode(
        [
            *(f.id, f.namespace, f.name, parameters, f.result, f.body, f.owner, f.kind),
            *(f.returns_set, f.standard, f.volatility, f.strict, f.leakproof, f.parallel),
            *(f.cost, f.rows, f.settings, f.search_path, f.reads, f.created_at_us, f.comment),
            *(f.public, grant_fields(f.grants)),
            *([] if f.aggregation is None else [_aggregation_fields(f.aggregation)]),
        ]
    )


def _aggregation_fields(made: Aggregation) -> list[object]:
    moving = None if made.moving is None else _accumulation_fields(made.moving)
    return [_accumulation_fields(made.plain), moving, made.combine, made.sort_operator]


def _accumulation_fields(a: Accumulation) -> list[object]:
    return [a.transition, a.state, a.final, a.initial, a.extra, a.modify, a.space, a.inverse]


def _aggregation(fields: list[Any]) -> Aggregation:
    plain, moving, combine, sort_operator = fields
    return Aggregation(
        Accumulation(*plain), Accumulation(*moving) if moving else None, combine, sort_operator
    )


def decode_function(data: bytes) -> Function:
    """The inverse of `encode_function`."""
    i = decode(data)
    parameters = tuple([Parameter(*parameter) for parameter in i[3]])
    return Function(
        *(i[0], i[1], i[2], parameters, i[4], i[5], i[6], i[7], i[8], i[9], i[10], i[11]),
        *(i[12], i[13], i[14], i[15]),
        settings=tuple([(name, value) for name, value in i[16]]),
        search_path=tuple(i[17]),
        reads=tuple(i[18]),
        created_at_us=i[19],
        comment=i[20],
        public=i[21],
        grants=read_grants(i[22]),
        aggregation=_aggregation(i[23]) if len(i) > 23 else None,
    )
