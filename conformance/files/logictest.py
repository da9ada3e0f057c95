"""An sqllogictest file (`.slt`, `.test`) as the statements of its records.

Only what is asked is taken from it: the answers come from PostgreSQL, since the files are of many
systems. Records that PostgreSQL is to skip are left out.
"""

import re
from collections.abc import Iterator

from conformance.files.psql_script import Statement

_RECORD = re.compile(r"(statement|query)\b")
_CONDITION = re.compile(r"(skipif|onlyif)\s+(\S+)")


def statements(text: str) -> Iterator[Statement]:
    """The statements in order."""
    line = 1
    for paragraph in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        lines = paragraph.split("\n")
        at = line
        line += len(lines) + 1
        skipped = False
        while lines and not _RECORD.match(lines[0]):
            condition = _CONDITION.match(lines[0])
            if condition:
                skipped |= (condition[2] in {"postgresql", "postgres"}) == (
                    condition[1] == "skipif"
                )
            if lines[0].strip() == "halt" and not skipped:
                return
            lines.pop(0)
            at += 1
        if not lines or skipped:
            continue
        body: list[str] = []
        for each in lines[1:]:
            if each.strip() == "----":
                break
            if not each.startswith("#"):
                body.append(each)
        asked = "\n".join(body).strip().rstrip(";")
        if asked:
            yield Statement(asked, at)
