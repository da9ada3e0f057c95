"""SASLprep (RFC 4013): passwords that look the same become the same bytes."""

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,  # Unassigned: a password is a stored string.
)


def prepare(password: str) -> bytes:
    """The bytes of a password that SCRAM hashes.

    As in PostgreSQL, a password that SASLprep refuses is used as it is, in UTF-8: both ends do
    so, and the exchange still works.
    """
    if password.isascii() and password.isprintable():
        return password.encode()
    prepared = _prepare(password)
    if prepared is None:
        return password.encode(errors="surrogateescape")
    return prepared.encode()


def _prepare(text: str) -> str | None:
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in text
        if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not normal or any(refuse(char) for char in normal for refuse in _PROHIBITED):
        return None
    if any(map(stringprep.in_table_d1, normal)):  # Right to left: all of it or none of it.
        ends = stringprep.in_table_d1(normal[0]) and stringprep.in_table_d1(normal[-1])
        if not ends or any(map(stringprep.in_table_d2, normal)):
            return None
    return normal
