"""Which operands need no parentheses in the pretty form of a definition (ruleutils.c's isSimpleNode)."""

from kalam_pg.sql import analysed as a

_ALWAYS = (
    *(a.Var, a.Constant, a.Words, a.Element, a.ArrayOf, a.RowOf, a.Listed, a.AggregateOf, a.Func),
    a.CaseOf,
)
_SEPARATE = (*(a.Func, a.Logic, a.Element, a.ArrayOf, a.RowOf, a.Listed, a.AggregateOf, a.CaseOf),)
"""What has parentheses or separators of its own around its operands."""

_SUMS, _PRODUCTS = "+-", "*/%"


def is_simple(node: a.Node, parent: a.Node) -> bool:
    """Whether a node is one term where its parent has put it."""
    if isinstance(node, _ALWAYS):
        return True
    if isinstance(node, a.Field):
        return not isinstance(parent, a.Field)
    if isinstance(node, a.Cast):
        return node.by_function or is_simple(node.arg, node)
    if isinstance(node, a.Op) and isinstance(parent, a.Op):
        return _binds_tighter(node, parent)
    if isinstance(node, a.Op | a.Sublink | a.Test | a.Distinct):
        return _is_apart(parent)
    if isinstance(node, a.Logic):
        if isinstance(parent, a.Logic):
            if node.word == "OR":
                return parent.word == "OR"
            return parent.word in ("AND", "OR")
        return _is_apart(parent)
    return False


def _is_apart(parent: a.Node) -> bool:
    """Whether a parent's operands stand in parentheses or between commas of its own."""
    return isinstance(parent, _SEPARATE) and not (isinstance(parent, a.Func) and parent.syntax)


def _binds_tighter(node: a.Op, parent: a.Op) -> bool:
    """Of + - * / % alone: whether the parent's operand can be read in one way only."""
    if node.left is None or parent.left is None:
        return False
    known = _SUMS + _PRODUCTS
    if node.symbol not in known or parent.symbol not in known:
        return False
    product, product_around = node.symbol in _PRODUCTS, parent.symbol in _PRODUCTS
    if product != product_around:
        return product
    return node is parent.left
