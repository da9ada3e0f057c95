"""Values as a client in binary is sent them: int4send, textsend, uuid_send and their kin."""

from catalog.types.registry import (
    BIT,
    BOOL,
    BPCHAR,
    BYTEA,
    CHAR,
    CIDR,
    DATE,
    FLOAT4,
    FLOAT8,
    INET,
    INT2,
    INT4,
    INT8,
    INTERVAL,
    JSON,
    JSONB,
    MACADDR,
    MACADDR8,
    MONEY,
    NAME,
    NUMERIC,
    OID,
    PG_LSN,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    TIMETZ,
    UUID,
    VARBIT,
    VARCHAR,
)
from kalam_pg.functions.define import function
from kalam_pg.functions.table import Overload, Volatility

_IMMUTABLE = {
    "bit_send": BIT, "boolsend": BOOL, "byteasend": BYTEA, "cash_send": MONEY, "charsend": CHAR,
    "cidr_send": CIDR, "date_send": DATE, "float4send": FLOAT4, "float8send": FLOAT8, "inet_send": INET,
    "int2send": INT2, "int4send": INT4, "int8send": INT8, "interval_send": INTERVAL, "json_send": JSON,
    "jsonb_send": JSONB, "macaddr_send": MACADDR, "macaddr8_send": MACADDR8, "numeric_send": NUMERIC,
    "oidsend": OID, "pg_lsn_send": PG_LSN, "time_send": TIME, "timestamp_send": TIMESTAMP,
    "timestamptz_send": TIMESTAMPTZ, "timetz_send": TIMETZ, "uuid_send": UUID, "varbit_send": VARBIT,
}  # fmt: skip
_STABLE = {"bpcharsend": BPCHAR, "namesend": NAME, "textsend": TEXT, "varcharsend": VARCHAR}
"""What is in a client's encoding, as PostgreSQL sees it; here it is UTF-8."""


OVERLOADS: tuple[Overload, ...] = (
    *(function(name, (kind,), BYTEA, kind.send) for name, kind in _IMMUTABLE.items()),
    *(
        function(name, (kind,), BYTEA, kind.send, volatility=Volatility.STABLE)
        for name, kind in _STABLE.items()
    ),
)
