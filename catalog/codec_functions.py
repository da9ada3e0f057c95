"""Functions that people made as bytes: entries of the catalog, as `codec` writes all of them."""

from catalog.codec import decode, encode, grant_fields, read_grants
from catalog.functions import Function, Parameter
from storage.keys import system_key


def function_key(oid: int) -> bytes:
    """Where a function lies."""
    return system_key("function", oid)


def encode_function(made: Function) -> bytes:
    """A function as bytes."""
    f = made
    parameters = [[p.name, p.type, p.mode, p.default] for p in f.parameters]
    return encode(
        [
            *(f.id, f.namespace, f.name, parameters, f.result, f.body, f.owner, f.kind),
            *(f.returns_set, f.standard, f.volatility, f.strict, f.leakproof, f.parallel),
            *(f.cost, f.rows, f.settings, f.search_path, f.reads, f.created_at_us, f.comment),
            *(f.public, grant_fields(f.grants)),
        ]
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
    )
