"""How rows of a table are made elsewhere of what is sent for them, as its rules and this statement say."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pyarrow as pa

from kalam_pg.functions.cost import TakesLongError
from kalam_pg.interpreter.loaded_rows import (
    SAME_NULL,
    Given,
    RowsRecipe,
    Same,
    Sent,
    Source,
    packed,
)
from kalam_pg.interpreter.shipping import settled
from kalam_pg.query import elsewhere
from kalam_pg.query.engine_context import engine_context
from kalam_pg.query.execution import Execution
from kalam_pg.query.rules import Closure, DomainRules, RowRules
from kalam_pg.query.waits import Steps, breathe
from kalam_pg.rows.copy_columns import RefusedError, fields_of
from kalam_pg.sql.closures import Constant, Slot, origin
from kalam_pg.sql.constancy import is_volatile
from kalam_pg.sql.tree import ColumnRef, Expr
from kalam_pg.sql.walk import walk
from storage.errors import FeatureNotSupportedError, KalamError
from storage.layout import Row

_AT_ONCE: Final = 1000
"""Values that are made before others have a turn: some milliseconds."""

_NO_ROW: Row = ()


def recipe_of(
    x: Execution, rules: RowRules, sent: Sequence[int | None], where: Closure | None
) -> Steps[RowsRecipe | None]:
    """For each column of the table its place among what is sent, or None; None: only the general way can.

    Raises what computing a default raises.
    """
    sources: list[Source] = []
    given = 0
    for at, default in zip(sent, rules.defaults, strict=True):
        if at is not None:
            sources.append(Sent(at))
        elif default is None:
            sources.append(SAME_NULL)
        elif _is_same(default):
            sources.append(Same((yield from elsewhere.evaluated(x, default, _NO_ROW))))
        else:
            sources.append(Given(given))
            given += 1
    table = rules.table
    not_null = {*rules.not_null, *[one.at for one in rules.domains if one.definition.required]}
    try:
        return RowsRecipe(
            layout=table.layout,
            fields=fields_of(table.columns),
            sources=tuple(sources),
            not_null=tuple(sorted(not_null)),
            where=_packed(x, [] if where is None else [where]),
            generated=tuple([(at, _packed(x, [one])) for at, one in rules.generated]),
            checks=_packed(x, [check for _, check in rules.checks]),
            domains=tuple(_domains(x, rules.domains)),
            context=engine_context(
                replace(x.context, types=replace(x.context.types, objects=None))
            ),
        )
    except FeatureNotSupportedError:
        return None


def given(
    x: Execution, rules: RowRules, sent: Sequence[int | None], count: int
) -> Steps[bytes | None]:
    """What the server gives so many rows, as `LoadJob.given`; None: only the general way can."""
    made = [
        (field, default)
        for at, default, field in zip(
            sent, rules.defaults, fields_of(rules.table.columns), strict=True
        )
        if at is None and default is not None and not _is_same(default)
    ]
    if not made:
        return b""
    schema = pa.schema([(f"g{at}", field.arrow) for at, (field, _) in enumerate(made)])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        for start in range(0, count, _AT_ONCE):
            elsewhere.renew(x)
            rows = range(min(_AT_ONCE, count - start))
            try:
                columns = [
                    field.stored([default(_NO_ROW, x.context) for _ in rows])
                    for field, default in made
                ]
            except (KalamError, RefusedError, TakesLongError):
                return None  # Perhaps of a row that there is not.
            stream.write_batch(pa.record_batch(columns, schema=schema))
            yield from breathe()
    elsewhere.renew(x)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _is_same(default: Closure) -> bool:
    """Whether all rows of a statement have one value of it."""
    if isinstance(default, Constant):
        return True
    source = origin(default)
    return source is not None and not is_volatile(source.tree)


def _domains(x: Execution, domains: Sequence[DomainRules]) -> list[tuple[int, bytes]]:
    return [
        (domain.at, _packed(x, [check for _, check in domain.checks]))
        for domain in domains
        if domain.checks
    ]


def _packed(x: Execution, closures: Sequence[Closure]) -> bytes:
    """Raises 0A000: there is one that is only for here."""
    return packed([_tree(x, closure) for closure in closures])


def _tree(x: Execution, closure: Closure) -> Expr:
    source = origin(closure)
    if source is None or isinstance(closure, Slot):
        raise FeatureNotSupportedError("it computes nothing")
    tree = source.tree
    for node in walk(tree):
        # Columns in the order of the row, and those of the system are not among them.
        if isinstance(node, ColumnRef) and source.slots(node) != node.column:
            raise FeatureNotSupportedError("it is of another row")
    found = settled(tree, x.context)
    assert isinstance(found, Expr)
    return found
