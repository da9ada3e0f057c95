"""Running a jsonpath over a JSON value, lax or strict, as PostgreSQL's jsonpath_exec.c does it.

Items are `jsonvalues`' Python values. A predicate is True, False or None, which is unknown.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from catalog.errors import (
    FeatureNotSupportedError,
    SingletonSqlJsonItemError,
    SqlJsonArrayNotFoundError,
    SqlJsonMemberNotFoundError,
    SqlJsonNumberNotFoundError,
    SqlJsonObjectNotFoundError,
    SqlJsonSubscriptError,
    UndefinedObjectError,
)
from catalog.types.jsonpath_nodes import (
    LAST_LEVEL,
    Accessor,
    AnyElement,
    AnyMember,
    Binary,
    Descend,
    Elements,
    Filter,
    LikeRegex,
    Literal,
    Member,
    Method,
    Node,
    Path,
    Start,
    Steps,
    Unary,
    Variable,
    is_predicate,
)
from kalam_pg.functions import decimals
from kalam_pg.functions.define import Datum
from kalam_pg.functions.jsonpath_methods import double, is_number, matcher, rounded
from kalam_pg.functions.jsonpath_moments import Moment, compare_moments, is_misfit, moment_of
from kalam_pg.functions.jsonvalues import key_order, number
from kalam_pg.functions.table import EvalContext
from storage.errors import KalamError

Truth = bool | None


@dataclass(frozen=True, slots=True)
class _Frame:
    """What `$`, `@` and `last` mean. size: of the array whose subscript is read, -1 outside."""

    root: Datum
    current: Datum
    variables: dict[str, Datum]
    strict: bool
    size: int = -1
    zoned: EvalContext | None = None
    """What is asked of time zones; None: they may not be."""
    quiet: bool = False
    """In strict mode: whether missing members and wrong kinds give nothing, as below `.**`."""


SOFT = frozenset(
    (
        "22003", "22012", "22031", "22033", "22036", "22038", "22039", "2203A", "2203B", "2203C", "2203F",
    )
)  # fmt: skip
"""Errors of the data, which predicates and `silent` keep quiet; those of the path are told."""


def is_soft(error: KalamError) -> bool:
    """Whether an error is one of the data: those of `SOFT`, and a text that does not fit a template."""
    return error.sqlstate in SOFT or is_misfit(error)


def run_path(
    path: Path,
    document: Datum,
    variables: dict[str, Datum],
    zoned: EvalContext | None = None,
) -> Iterator[Datum]:
    """All that a path finds. Raises the errors of strict mode, of arithmetic and of methods.

    zoned: where dates and times may be compared with such that have a time zone.
    """
    return _items(path.root, _Frame(document, document, variables, path.strict, zoned=zoned))


def path_exists(
    path: Path,
    document: Datum,
    variables: dict[str, Datum],
    zoned: EvalContext | None = None,
) -> bool:
    """Whether a path finds anything; in strict mode all is looked at. As `run_path`."""
    frame = _Frame(document, document, variables, path.strict, zoned=zoned)
    if path.strict:
        return bool(list(_items(path.root, frame)))
    return _finds_any(path.root, frame)


def _finds_any(node: Node, frame: _Frame) -> bool:
    """In lax mode: the first item is enough, and a sign passes over what is no number."""
    if isinstance(node, Unary) and node.operator in "+-":
        found = _items(node.operand, frame)
        return any(is_number(one) for item in found for one in _unwrapped(item, frame))
    return next(_items(node, frame), _NOTHING) is not _NOTHING


def _items(node: Node, frame: _Frame) -> Iterator[Datum]:
    """The items of an expression; a predicate gives true, false or null."""
    if is_predicate(node):
        yield _truth(node, frame)
        return
    match node:
        case Literal(kind, value):
            yield Decimal(str(value)) if kind == "numeric" else value
        case Start("$"):
            yield frame.root
        case Start("@"):
            yield frame.current
        case Start():
            yield frame.size - 1
        case Variable(name):
            if name not in frame.variables:
                raise UndefinedObjectError(f'could not find jsonpath variable "{name}"')
            yield frame.variables[name]
        case Steps(start, accessors):
            yield from _accessed(_items(start, frame), accessors, frame)
        case Binary(operator, left, right):
            yield _arithmetic(operator, left, right, frame)
        case Unary(sign, operand):
            yield from _signed(sign, operand, frame)
        case _:
            raise AssertionError(node)


def _accessed(
    items: Iterator[Datum], accessors: Sequence[Accessor], frame: _Frame
) -> Iterator[Datum]:
    if not accessors:
        yield from items
        return
    first, rest = accessors[0], accessors[1:]
    below = replace(frame, quiet=True) if isinstance(first, Descend) else frame
    for item in items:
        yield from _accessed(_step(first, item, frame), rest, below)


def _step(accessor: Accessor, item: Datum, frame: _Frame) -> Iterator[Datum]:
    match accessor:
        case Member(key):
            return _member(key, item, frame)
        case AnyMember():
            return _any_member(item, frame)
        case AnyElement():
            return _any_element(item, frame)
        case Elements(ranges):
            return _elements(ranges, item, frame)
        case Descend(first, last):
            return _descend_from(item, first, last)
        case Filter(predicate):
            return _filtered(predicate, item, frame)
        case Method("datetime", template):
            return _moments(template, item, frame)
        case Method(name):
            return _method(name, item, frame)


def _unwrapped(item: Datum, frame: _Frame) -> Sequence[Datum]:
    """In lax mode an array stands for its elements."""
    return item if isinstance(item, list) and not frame.strict else (item,)


def _member(key: str, item: Datum, frame: _Frame) -> Iterator[Datum]:
    for one in _unwrapped(item, frame):
        if not isinstance(one, dict):
            if frame.strict and not frame.quiet:
                raise SqlJsonMemberNotFoundError(
                    "jsonpath member accessor can only be applied to an object"
                )
        elif key in one:
            yield one[key]
        elif frame.strict and not frame.quiet:
            raise SqlJsonMemberNotFoundError(f'JSON object does not contain key "{key}"')


def _any_member(item: Datum, frame: _Frame) -> Iterator[Datum]:
    for one in _unwrapped(item, frame):
        if isinstance(one, dict):
            yield from [one[key] for key in sorted(one, key=key_order)]
        elif frame.strict and not frame.quiet:
            raise SqlJsonObjectNotFoundError(
                "jsonpath wildcard member accessor can only be applied to an object"
            )


def _any_element(item: Datum, frame: _Frame) -> Iterator[Datum]:
    if isinstance(item, list):
        yield from item
    elif not frame.strict:
        yield item
    elif not frame.quiet:
        raise SqlJsonArrayNotFoundError(
            "jsonpath wildcard array accessor can only be applied to an array"
        )


def _elements(
    ranges: tuple[tuple[Node, Node | None], ...], item: Datum, frame: _Frame
) -> Iterator[Datum]:
    if not isinstance(item, list):
        if frame.strict:
            if frame.quiet:
                return
            raise SqlJsonArrayNotFoundError(
                "jsonpath array accessor can only be applied to an array"
            )
        item = [item]
    inner = replace(frame, size=len(item))
    for low, high in ranges:
        first = _index(low, inner)
        last = first if high is None else _index(high, inner)
        outside = first < 0 or first > last or last >= len(item)
        if outside and frame.strict and not frame.quiet:
            raise SqlJsonSubscriptError("jsonpath array subscript is out of bounds")
        yield from item[max(first, 0) : max(last + 1, 0)]


def _index(node: Node, frame: _Frame) -> int:
    found = list(_items(node, frame))
    if len(found) != 1 or not is_number(found[0]):
        raise SqlJsonSubscriptError("jsonpath array subscript is not a single numeric value")
    value = int(Decimal(found[0]))
    if not -(2**31) <= value < 2**31:
        raise SqlJsonSubscriptError("jsonpath array subscript is out of integer range")
    return value


def _descend_from(item: Datum, first: int, last: int) -> Iterator[Datum]:
    """What lies `first` to `last` levels below; `last` twice means all that is no container."""
    if first == 0:
        yield item
    leaves = first == last == LAST_LEVEL
    low = math.inf if first == LAST_LEVEL else first
    high = math.inf if last == LAST_LEVEL else last
    yield from _descend(item, low, high, 1, leaves=leaves)


def _descend(
    item: Datum, first: float, last: float, level: int, *, leaves: bool
) -> Iterator[Datum]:
    if level > last or not isinstance(item, list | dict):
        return
    inner = item if isinstance(item, list) else [item[key] for key in sorted(item, key=key_order)]
    for one in inner:
        if level >= first or (leaves and not isinstance(one, list | dict)):
            yield one
        yield from _descend(one, first, last, level + 1, leaves=leaves)


def _filtered(predicate: Node, item: Datum, frame: _Frame) -> Iterator[Datum]:
    for one in _unwrapped(item, frame):
        if _truth(predicate, replace(frame, current=one)) is True:
            yield one


# ------------------------------------------------------------------ predicates


def _truth(node: Node, frame: _Frame) -> Truth:
    match node:
        case Binary("&&", left, right):
            first = _truth(left, frame)
            if first is False:
                return False
            second = _truth(right, frame)
            return second if first is True or second is False else None
        case Binary("||", left, right):
            first = _truth(left, frame)
            if first is True:
                return True
            second = _truth(right, frame)
            return second if first is False or second is True else None
        case Unary("!", operand):
            inner = _truth(operand, frame)
            return None if inner is None else not inner
        case Unary("is unknown", operand):
            return _truth(operand, frame) is None
        case Unary("exists", operand):
            return _exists(operand, frame)
        case Binary("starts with", left, right):
            return _any_pair(left, right, _starts_with, frame)
        case Binary(operator, left, right):
            return _any_pair(left, right, lambda a, b: _compared(operator, a, b, frame), frame)
        case LikeRegex(operand, pattern, flags):
            test = matcher(pattern, flags)
            return _any_pair(
                operand, Literal("null", None),
                lambda a, _b: test(a) if isinstance(a, str) else None, frame,
            )  # fmt: skip
        case _:
            raise AssertionError(node)


def _exists(operand: Node, frame: _Frame) -> Truth:
    try:
        if frame.strict:
            return bool(list(_items(operand, frame)))  # An error anywhere makes it unknown.
        return _finds_any(operand, frame)
    except KalamError as error:
        if not is_soft(error):
            raise
        return None


_NOTHING = object()


def _any_pair(
    left: Node, right: Node, test: Callable[[Datum, Datum], Truth], frame: _Frame
) -> Truth:
    """Whether any pair of items passes; errors and strict mode's unknowns make it unknown."""
    try:
        lefts = [x for item in _items(left, frame) for x in _unwrapped(item, frame)]
        rights = [x for item in _items(right, frame) for x in _unwrapped(item, frame)]
    except KalamError as error:
        if not is_soft(error):
            raise
        return None
    unknown = found = False
    for a in lefts:
        for b in rights:
            result = test(a, b)
            if result is None:
                if frame.strict:
                    return None
                unknown = True
            elif result:
                if not frame.strict:
                    return True
                found = True
    return True if found else None if unknown else False


def _starts_with(whole: Datum, initial: Datum) -> Truth:
    if not isinstance(whole, str) or not isinstance(initial, str):
        return None
    return whole.startswith(initial)


_TESTS: dict[str, Callable[[int], bool]] = {
    "==": lambda c: c == 0, "<>": lambda c: c != 0, "<": lambda c: c < 0, "<=": lambda c: c <= 0,
    ">": lambda c: c > 0, ">=": lambda c: c >= 0,
}  # fmt: skip


def _compared(operator: str, a: Datum, b: Datum, frame: _Frame) -> Truth:
    if isinstance(a, Moment) and isinstance(b, Moment):
        order = compare_moments(a, b, frame.zoned)
        return None if order is None else _TESTS[operator](order)
    if is_number(a) and is_number(b):
        return _TESTS[operator]((a > b) - (a < b))
    if isinstance(a, bool) and isinstance(b, bool):
        return _TESTS[operator](a - b)
    if isinstance(a, str) and isinstance(b, str):
        return _TESTS[operator]((a > b) - (a < b))
    if a is None and b is None:
        return _TESTS[operator](0)
    if a is None or b is None:
        # null and anything else are merely different, and have no order.
        return operator == "<>"
    return None


# ------------------------------------------------------------------ arithmetic and methods

_ARITHMETIC: dict[str, Callable[[str, str], str]] = {
    "+": decimals.add,
    "-": decimals.subtract,
    "*": decimals.multiply,
    "/": decimals.divide,
    "%": decimals.modulo,
}


def _single(node: Node, side: str, operator: str, frame: _Frame) -> str:
    found = [x for item in _items(node, frame) for x in _unwrapped(item, frame)]
    if len(found) != 1 or not is_number(found[0]):
        raise SingletonSqlJsonItemError(
            f"{side} operand of jsonpath operator {operator} is not a single numeric value"
        )
    return number(found[0])


def _arithmetic(operator: str, left: Node, right: Node, frame: _Frame) -> Decimal:
    a = _single(left, "left", operator, frame)
    b = _single(right, "right", operator, frame)
    return Decimal(_ARITHMETIC[operator](a, b))


def _signed(sign: str, operand: Node, frame: _Frame) -> Iterator[Datum]:
    for item in _items(operand, frame):
        for one in _unwrapped(item, frame):
            if not is_number(one):
                raise SqlJsonNumberNotFoundError(
                    f"operand of unary jsonpath operator {sign} is not a numeric value"
                )
            yield Decimal(decimals.negate(number(one))) if sign == "-" else one


_TYPES = {str: "string", bool: "boolean", list: "array", dict: "object", type(None): "null"}


def _moments(template: str | None, item: Datum, frame: _Frame) -> Iterator[Datum]:
    for one in _unwrapped(item, frame):
        yield moment_of(one, template)


def _method(name: str, item: Datum, frame: _Frame) -> Iterator[Datum]:
    if name == "type":
        kind = item.kind.sql_name if isinstance(item, Moment) else ""
        yield kind or _TYPES.get(type(item), "number")
    elif name == "size":
        if isinstance(item, list):
            yield len(item)
        elif not frame.strict:
            yield 1
        elif not frame.quiet:
            raise SqlJsonArrayNotFoundError(
                "jsonpath item method .size() can only be applied to an array"
            )
    elif name == "keyvalue":
        yield from _key_values(item, frame)
    else:
        for one in _unwrapped(item, frame):
            yield double(one) if name == "double" else rounded(name, one)


def _key_values(item: Datum, frame: _Frame) -> Iterator[Datum]:
    for one in _unwrapped(item, frame):
        if not isinstance(one, dict):
            raise SqlJsonObjectNotFoundError(
                "jsonpath item method .keyvalue() can only be applied to an object"
            )
        if one:
            # Its ids are places within PostgreSQL's binary form of the document.
            raise FeatureNotSupportedError("jsonpath item method .keyvalue() is not supported")
    yield from ()
