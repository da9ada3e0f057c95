"""What a function in SQL is made of: its statements, and what it gives back."""

from functools import lru_cache

from sqlglot import exp

from catalog.errors import InvalidFunctionDefinitionError
from catalog.functions import Function
from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.table import PgType
from kalam_pg.sql.parse import parse
from kalam_pg.sql.relation_source import RelationSource
from kalam_pg.sql.statements import QueryStatement, Statement
from kalam_pg.sql.tree import OutputColumn

_KEPT_MAX = 512
_KEPT_CHARACTERS_MAX = 16_384


def statements(function: Function) -> tuple[Statement, ...]:
    """The statements of a function's body. Raises 42601."""
    text = sql_of(function.body, standard=function.standard)
    return _read(text) if len(text) <= _KEPT_CHARACTERS_MAX else tuple(parse(text))


@lru_cache(_KEPT_MAX)
def _read(text: str) -> tuple[Statement, ...]:
    return tuple(parse(text))


def sql_of(body: str, *, standard: bool) -> str:
    """A body as statements, with the same characters in the same places where it is a standard one.

    RETURN is a SELECT of one letter less.
    """
    if not standard:
        return body
    if body[:6].lower() == "return":
        return f"SELECT{body[6:]}"
    at = body.lower().index("atomic") + len("atomic")
    return " " * at + body[at : -len("end")]


def whole_statements(function: Function) -> tuple[Statement, ...]:
    """As `statements`, of a function that is not there yet: nothing is kept."""
    return tuple(parse(sql_of(function.body, standard=function.standard)))


def single_query(function: Function) -> exp.Expr | None:
    """The query of a body that is one; None where it has other statements, or several."""
    found = statements(function)
    if len(found) != 1:
        return None
    (one,) = found
    if not isinstance(one, QueryStatement) or one.kind != "select" or _changes(one.tree):
        return None
    tree: exp.Expr = one.tree
    return tree


def _changes(tree: exp.Expr) -> bool:
    """Whether a query changes data in its WITH, or locks rows."""
    with_ = tree.args.get("with_")
    if tree.args.get("locks"):
        return True
    kinds = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
    return with_ is not None and any(
        isinstance(item.args["this"], kinds) for item in with_.expressions
    )


def type_of(snapshot: RelationSource, oid: int) -> PgType:
    """A type that a function is declared with. Raises 42P13 where it is no more."""
    found = snapshot.type_by_oid(oid)
    if found is None:
        raise InvalidFunctionDefinitionError(f"type with OID {oid} does not exist")
    return found


def result_columns(
    function: Function, result: PgType, outputs: tuple[PgType, ...]
) -> tuple[OutputColumn, ...] | None:
    """The columns of what a function gives back; None for records of any kind.

    result, outputs: the types of its result and of `Function.outputs` in this call.
    """
    if function.outputs:
        pairs = zip(function.outputs, outputs, strict=True)
        return tuple(
            [OutputColumn(p.name or f"column{at}", kind) for at, (p, kind) in enumerate(pairs, 1)]
        )
    definition = composite_of(result)
    if definition is not None:
        return tuple([OutputColumn(a.name, a.type, a.typmod) for a in definition.attributes])
    if result is types.RECORD:
        return None
    return (OutputColumn(function.name, result),)


def is_scalar(function: Function, result: PgType) -> bool:
    """Whether what a function gives back is one value, and no row."""
    if len(function.outputs) == 1 and not any(p.mode == "t" for p in function.outputs):
        return True
    return len(function.outputs) < 2 and result is not types.RECORD and composite_of(result) is None
