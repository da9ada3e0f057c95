"""Bound queries as bytes, for a worker that runs them as programs.

A tree names what every process has one of, types and overloads, by what they are called everywhere.
"""

import copyreg
import io
import pickle
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import Any, Final
from typing import cast as cast_to

from catalog.errors import FeatureNotSupportedError
from catalog.types.definitions import user_types_of
from catalog.types.registry import (
    REGCLASS,
    REGNAMESPACE,
    REGPROC,
    REGROLE,
    REGTYPE,
)
from kalam_pg.functions.lookup import by_key, cast, key_of
from kalam_pg.functions.table import EvalContext, Overload, OverloadKind
from kalam_pg.sql.constancy import is_constant
from kalam_pg.sql.parts import GIVEN_BACK, given_back
from kalam_pg.sql.to_python import evaluate
from kalam_pg.sql.tree import (
    Call,
    Const,
    Expr,
    Query,
)
from kalam_pg.sql.walk import Node, map_children, walk
from storage.errors import KalamError

_NAMES = frozenset({REGCLASS, REGTYPE, REGPROC, REGNAMESPACE, REGROLE})


def crosses(query: Query, context: EvalContext) -> bool:
    """Whether a worker can answer it: `packed` does not refuse it."""
    try:
        _settled(query, context)
    except FeatureNotSupportedError:
        return False
    return True


def packed(query: Query, context: EvalContext) -> bytes:
    """The query as bytes, with the values of what only the server can answer and no row changes.

    Raises FeatureNotSupportedError: it asks more of the server than that.
    """
    return _pickled(_settled(query, context))


def _settled(query: Query, context: EvalContext) -> Query:
    if not any(isinstance(part, Call) and at_home(part) for part in walk(query)):
        return query
    found = cast_to("Query", settled(query, context))
    _refuse_at_home(found)
    return found


def packed_expressions(expressions: Sequence[Expr]) -> bytes:
    """Expressions over rows of a table as bytes. Raises as `packed`."""
    for one in expressions:
        _refuse_at_home(one)
    return _pickled(tuple(expressions))


def unpacked_expressions(data: bytes) -> tuple[Expr, ...]:
    """What `packed_expressions` was given, as `unpacked`."""
    found: tuple[Expr, ...] = pickle.loads(data)  # noqa: S301 -- the parent is trusted
    return found


def _refuse_at_home(node: Node) -> None:
    for part in walk(node):
        if isinstance(part, Call) and at_home(part):
            raise FeatureNotSupportedError(
                f"{part.overload.name} over rows of tables is not supported"
            )


def _pickled(what: object) -> bytes:
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(what)
    return buffer.getvalue()


def _named(overload: Overload) -> tuple[Callable[..., object], tuple[object, ...]]:
    """Where every process finds an overload; casts of types that people made by their types."""
    if overload.kind is OverloadKind.CAST and user_types_of(overload.args[0], overload.result):
        return cast, (overload.args[0], overload.result)
    if overload.name == GIVEN_BACK:  # It is made for its query.
        return given_back, (overload.out_names, overload.out_types)
    return by_key, (key_of(overload),)


class _Reducers(dict[type[Any], Callable[[Any], Any]]):
    """How what is in trees is packed: nodes as their fields, three times as fast as dataclasses do it."""

    def __missing__(self, kind: type[Any]) -> Callable[[Any], Any]:
        own = any(_OWN_WAYS & vars(one).keys() for one in kind.__mro__[:-1])
        if own or not is_dataclass(kind):
            raise KeyError(kind)
        names = _FIELDS[kind]
        if len(names) < 2:  # Of one, attrgetter gives no tuple.
            raise KeyError(kind)
        fields_of = attrgetter(*names)
        found = self[kind] = lambda node: (_restored, (kind, *fields_of(node)))
        return found


_OWN_WAYS: Final = {"__reduce__", "__reduce_ex__"}


class _Fields(dict[type[Any], tuple[str, ...]]):
    """The names of a node's fields."""

    def __missing__(self, kind: type[Any]) -> tuple[str, ...]:
        found = self[kind] = tuple([one.name for one in fields(kind)])
        return found


_FIELDS: Final = _Fields()


def _restored(kind: type[Any], *values: object) -> object:
    made = object.__new__(kind)
    for name, value in zip(_FIELDS[kind], values, strict=True):
        object.__setattr__(made, name, value)
    return made


_REDUCERS: Final = _Reducers({**copyreg.dispatch_table, Overload: _named})


def unpacked(data: bytes) -> Query:
    """What `packed` was given; only ever called in a worker, on its parent's bytes."""
    query: Query = pickle.loads(data)  # noqa: S301 -- the parent is trusted
    return query


def settled(node: Node, context: EvalContext) -> Node:
    """The same with the values of what only the server can answer and no row changes."""
    if isinstance(node, Call) and at_home(node) and is_constant(node):
        try:
            return Const(evaluate(node, context), node.type, node.typmod, node.position)
        except KalamError:
            return node  # To be raised, or refused, by whoever comes to it.
    return map_children(node, lambda child: settled(child, context))


def at_home(call: Call) -> bool:
    """Whether only the server can answer it: it asks the session or the catalogue."""
    overload = call.overload
    if overload.server_only:
        return True
    if overload.kind is not OverloadKind.CAST:
        return False
    return bool(_NAMES & {call.type, *[arg.type for arg in call.args]})
