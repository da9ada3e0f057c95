"""What could be meant by the beginning of a word: by what stands before it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_WORDS: Final = """
ALTER ANALYZE AND AS ASC BEGIN BETWEEN BY CASE COMMIT COPY CREATE CURSOR DECLARE DEFAULT DELETE DESC
DISTINCT DROP ELSE END EXECUTE EXPLAIN FETCH FROM GRANT GROUP HAVING ILIKE IN INSERT INTERVAL INTO IS JOIN
KEY KILL LEFT LIKE LIMIT LISTEN NAMESPACE NOT NOTIFY NOW() NULL OFFSET ON OPTIONS OR ORDER PASSWORD PRIMARY
RETURNING REVOKE ROLE ROLLBACK SELECT SET SHOW STORAGE STREAM SUBSCRIBE TABLE THEN TO TRUNCATE UNION
UNLISTEN UNSUBSCRIBE UPDATE USE USER VALUES VIEW WHEN WHERE WITH
"""
KEYWORDS: Final = tuple(_WORDS.split())
COMMANDS: Final = (
    *("\\?", "\\conninfo", "\\d", "\\dn", "\\dt", "\\du", "\\dv", "\\i", "\\q"),
    *("\\subscribe", "\\timing", "\\x"),
)

WORD: Final = re.compile(r"\\?[\w.]*\Z|\\\?\Z")
_BEFORE_TABLE: Final = re.compile(
    r"(?:\b(?:FROM|JOIN|INTO|UPDATE|TABLE|TO|VIEW|SUBSCRIBE|COPY|DESCRIBE)|\\d[tv]?|\\subscribe)\s+\Z",
    re.IGNORECASE,
)


@dataclass
class Names:
    """What there is: columns by "namespace.table". A table in the search path may be named alone."""

    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def columns(self, text: str) -> set[str]:
        """Columns of the tables that a text names; of all tables when it names none."""
        words = set(re.findall(r"[\w.]+", text.lower()))
        named = [
            columns
            for name, columns in self.tables.items()
            if words & {name.lower(), name.lower().rpartition(".")[2]}
        ]
        return {column for columns in named or self.tables.values() for column in columns}


def candidates(before: str, names: Names) -> list[str]:
    """Whole words for the beginning of one at the end of `before`, the likeliest first."""
    found = WORD.search(before)
    word = found[0] if found else ""
    head = before[: len(before) - len(word)]
    if word.startswith("\\"):
        return _beginning(COMMANDS, word) if not head.strip() else []
    tables = _beginning(sorted(names.tables), word)
    if _BEFORE_TABLE.search(head):
        namespaces = {name.partition(".")[0] + "." for name in names.tables}
        return (_beginning(sorted(namespaces), word) if "." not in word else []) + tables
    if not word:
        return []
    columns = _beginning(sorted(names.columns(head)), word)
    return columns + _beginning(KEYWORDS, word) + tables


def _beginning(words: Iterable[str], beginning: str) -> list[str]:
    return [word for word in words if word.lower().startswith(beginning.lower())]
