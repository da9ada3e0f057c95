"""Which large messages are kept as they come, and which are skipped and refused."""

from typing import Final

from kalam_pg.memory import Account
from kalam_pg.sql.limits import check_size

_QUERY: Final = ord("Q")
_AROUND_TEXT: Final = 6
"""Bytes of a Query beside its text: type, length, and the zero at its end."""


def admit(account: Account, kind: int, size: int) -> None:
    """A message of a type has so many bytes, of which much is to come. Raises 53200, 54000."""
    account.check(2 * size)  # Once as it came, and once as it is read.
    if kind == _QUERY:
        check_size(size - _AROUND_TEXT)  # What will be refused need not be gathered and decoded.
