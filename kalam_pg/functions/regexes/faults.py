"""What is wrong with a pattern, in PostgreSQL's words."""

from enum import StrEnum

from catalog.errors import InvalidRegularExpressionError


class Fault(StrEnum):
    """What 2201B says after "invalid regular expression: "."""

    PATTERN = "invalid regexp (reg version 0.8)"
    COLLATING = "invalid collating element"
    CLASS = "invalid character class"
    ESCAPE = r"invalid escape \ sequence"
    REFERENCE = "invalid backreference number"
    BRACKETS = "brackets [] not balanced"
    PARENTHESES = "parentheses () not balanced"
    BRACES = "braces {} not balanced"
    COUNTS = "invalid repetition count(s)"
    RANGE = "invalid character range"
    OPERAND = "quantifier operand invalid"
    OPTION = "invalid embedded option"
    ARGUMENT = "invalid argument to regex function"
    COMPLEX = "regular expression is too complex"


def invalid(fault: Fault) -> InvalidRegularExpressionError:
    """The error to raise."""
    return InvalidRegularExpressionError(f"invalid regular expression: {fault}")
