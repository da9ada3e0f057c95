"""nextval() and its kin: the session answers them (`sessions.sequences`)."""

from catalog.types.registry import BOOL, INT8, REGCLASS
from kalam_pg.functions.define import function
from kalam_pg.functions.services import asked
from kalam_pg.functions.table import Overload, Volatility

NEXTVAL = "nextval"


_HOW = {"needs_context": True, "server_only": True}
_VOLATILE = {**_HOW, "volatility": Volatility.VOLATILE}

OVERLOADS: tuple[Overload, ...] = (
    function(NEXTVAL, (REGCLASS,), INT8, asked(NEXTVAL), **_VOLATILE),
    function("currval", (REGCLASS,), INT8, asked("currval"), **_VOLATILE),
    function("lastval", (), INT8, asked("lastval"), **_VOLATILE),
    function("setval", (REGCLASS, INT8), INT8, asked("setval"), **_VOLATILE),
    function("setval", (REGCLASS, INT8, BOOL), INT8, asked("setval"), **_VOLATILE),
    function(
        "pg_sequence_last_value", (REGCLASS,), INT8, asked("pg_sequence_last_value"), **_VOLATILE
    ),
)
"""What asks a sequence for numbers, or after one."""
