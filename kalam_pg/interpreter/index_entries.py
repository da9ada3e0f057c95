"""What rows have in an index, computed in the process that writes its files."""

import pickle
from collections.abc import Sequence

from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter.shipping import packed_expressions, unpacked_expressions
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import ColumnRef, Expr
from storage.cold.index_keys import KeyPart, key_of
from storage.cold.indexing import EntryOf
from storage.layout import Row


def pack_entries(parts: Sequence[KeyPart], keys: Sequence[Expr], where: Expr | None) -> bytes:
    """An index's keys and condition, over columns of relation 0, as bytes.

    Raises:
        FeatureNotSupportedError: They ask what only the server can answer.
    """
    conditions = () if where is None else (where,)
    return pickle.dumps(
        (tuple(parts), packed_expressions(keys), packed_expressions(conditions)),
        protocol=pickle.HIGHEST_PROTOCOL,
    )


def entry_maker(data: bytes) -> EntryOf:
    """What gives the bytes by which a row sorts, None for a row that the index does not have.

    Only ever called in a process of the server's, on the server's own bytes. A value that cannot be
    computed raises its error.
    """
    parts, keys, conditions = pickle.loads(data)  # noqa: S301 -- see above
    closures = [compile_expr(key, _slot) for key in unpacked_expressions(keys)]
    wheres = [compile_expr(one, _slot) for one in unpacked_expressions(conditions)]
    context = EvalContext()

    def entry(row: Row) -> bytes | None:
        if any(where(row, context) is not True for where in wheres):
            return None
        return key_of(parts, [closure(row, context) for closure in closures])

    return entry


def _slot(reference: ColumnRef) -> int:
    return reference.column
