"""The documentation says what the code says: generated pages, statements, links, decisions, SQL."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from catalog import codec
from catalog.codec import user_name_key
from catalog.options import _READERS as OPTIONS
from conformance.reference_pages import PAGES
from kalam_pg.sql import statements
from kalam_pg.sql.parse import parse, parse_message
from kalam_pg.sql.statements import ExecutePrepared, QueryStatement, Unsupported
from kalam_pg.sql.statements_copy import CopyTo
from storage.cold.manifest import decode as decode_manifest
from storage.keys import (
    encode_key,
    index_key,
    log_key,
    meta_key,
    split_log_key,
    unpack_position,
)
from storage.log.log_entry import Entry, Op, decode_entry
from storage.log.manifest_note import unpack_note
from tests.wire.server import KalamServer

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES_WRITTEN = sorted(DOCS.rglob("*.md"))
SQL = (DOCS / "reference" / "sql.md").read_text()
EXAMPLES = re.findall(r"^```sql example\n(.*?)^```", SQL, re.MULTILINE | re.DOTALL)
DECISIONS = sorted((DOCS / "explanation" / "decisions").glob("*.md"))

WITHOUT_EXAMPLES = ("Names and limits", "Refused by name")

# Classes of sql/statements.py that are parts of a statement.
PARTS = {"TableName", "TypeName", "ColumnDefinition", "TableConstraint"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_current(page):
    written = (DOCS / "reference" / page).read_text(encoding="utf-8")
    assert written == PAGES[page](), "run: python -m conformance.reference_pages"


def test_every_statement_is_in_the_reference():
    classes = {
        name
        for name, cls in inspect.getmembers(statements, dataclasses.is_dataclass)
        if cls.__module__ == statements.__name__
    }
    assert {name for name in classes - PARTS if not mentioned(name)} == set()


def mentioned(statement: str) -> bool:
    """By its class, or by its words: CreateTable as CREATE TABLE."""
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", statement).upper()
    return f"`{statement}`" in SQL or re.search(rf"\b{words}\b", SQL) is not None


def test_every_table_option_is_in_the_reference():
    assert {name for name in ("TYPE", *OPTIONS) if f"`{name}`" not in SQL} == set()


def test_every_word_of_a_refused_statement_is_in_the_reference():
    refused = SQL.partition("## Refused by name")[2]
    named = re.findall(r"`([A-Z ]+)`", refused)
    assert len(named) > 10
    for name in named:
        (statement,) = parse(WHOLE.get(name, f"{name} x"))
        assert not isinstance(statement, QueryStatement | ExecutePrepared), name
        assert statement == Unsupported(name), name


WHOLE = {
    "COPY FROM": "COPY t FROM STDIN",
    "BACKUP DATABASE": "BACKUP DATABASE d TO 'x'",
    "RESTORE DATABASE": "RESTORE DATABASE d FROM 'x'",
    "EXPORT USER DATA": "EXPORT USER DATA TO 'x'",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0][:40])
def test_an_example_of_the_reference_is_read_and_not_refused(example):
    parsed = parse(example)
    assert parsed
    assert not [statement for statement in parsed if isinstance(statement, Unsupported)]


@pytest.mark.slow
def test_the_examples_of_the_reference_run_in_their_order(tmp_path):
    server = KalamServer(tmp_path / "data").start()
    try:
        with server.root() as root:
            for example in EXAMPLES:
                for parsed in parse_message(example):
                    # Raises what the server refuses.
                    if isinstance(parsed.statement, CopyTo):
                        with root.cursor().copy(parsed.text) as copy:
                            list(copy)
                    else:
                        root.execute(parsed.text)
    finally:
        server.stop()


def test_the_reference_has_an_example_for_each_part():
    assert len(EXAMPLES) >= 15
    for section in SQL.split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        assert "```sql example" in text or title in WITHOUT_EXAMPLES, title


def test_the_bytes_of_the_file_formats_are_what_the_code_reads():
    page = (DOCS / "reference" / "file-formats.md").read_text()
    lines = re.findall(
        r"^    (key|value) +((?:[0-9a-f]{2} {1,2})*[0-9a-f]{2})\b", page, re.MULTILINE
    )
    pairs = list(zip(lines[::2], lines[1::2], strict=True))
    assert [(key[0], value[0]) for key, value in pairs] == [("key", "value")] * 5
    insert, update, index, meta, system = [
        (bytes.fromhex(key), bytes.fromhex(value)) for (_, key), (_, value) in pairs
    ]
    tablet, seq, n = split_log_key(insert[0])
    assert log_key(tablet, seq, n) == insert[0]
    assert decode_entry(insert[1]) == Entry(Op.INSERT, 1, (7, "Tea"), None)
    assert decode_entry(update[1]) == Entry(Op.UPDATE, 1, (7, "Mint tea"), (7, "Tea"))
    assert index[0] == index_key(tablet, encode_key((7,), ("int",)))
    newest = split_log_key(update[0])
    assert unpack_position(index[1]) == (*newest[1:], Op.UPDATE)
    assert meta[0] == meta_key(tablet)
    assert system == (user_name_key("root"), codec.encode(tablet.user))
    manifest = re.search(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert manifest
    read = decode_manifest(manifest[1].rstrip().encode(), Path("/cold"))
    assert (read.tablet, read.flushed_through, read.rows) == (tablet, newest[1], 1)
    assert unpack_note(meta[1]) == read.note


def test_decisions_are_numbered_once_and_say_what_a_decision_says():
    numbers = [path.name[:4] for path in DECISIONS]
    assert numbers == sorted(set(numbers)), "a number is used twice"
    for path in DECISIONS:
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name), path.name
        text = path.read_text()
        assert text.startswith(f"# {path.name[:4]}: "), path.name
        assert re.search(r"^Date: \d{4}-\d\d-\d\d$", text, re.MULTILINE), path.name
        assert re.search(r"^Status: (accepted|replaced by \d{4})$", text, re.MULTILINE), path.name
        for part in ("Context", "Decision", "Consequences", "Rejected"):
            assert f"\n## {part}\n" in text, (path.name, part)


def test_tests_that_the_guarantees_name_exist():
    page = (DOCS / "reference" / "guarantees.md").read_text()
    named = set(re.findall(r"`(?:[\w/.]+\.py: )?(test_\w+)`", page))
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    defined = set(re.findall(r"def (test_\w+)\(", sources))
    assert len(named) > 10
    assert named <= defined, named - defined


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES_WRITTEN], ids=name_of
)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            there = page.parent / path if path else page
            assert there.exists(), target
            if anchor:
                assert anchor in anchors(there), target


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings have."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_modules_that_the_documentation_names_exist():
    missing = {
        (name_of(page), path)
        for page in PAGES_WRITTEN
        for path in re.findall(
            r"`((?:kalam_pg|catalog|storage|tests|conformance)/[\w/.]+)`", page.read_text()
        )
        if not (ROOT / path).exists()
    }
    assert not missing
