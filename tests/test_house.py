"""The house rules that a machine can check: errors, sizes, banned calls, what lies where."""

import ast
import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import kalam_pg
from conformance.reference_pages.errors import condition, error_classes
from kalam_pg.functions import lookup

ROOT = Path(__file__).parents[1]
PACKAGES = ("storage", "catalog", "kalam_pg")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

LINES_MAX = 480
"""The aim is 100 to 350; beyond this a module has a second subject, or a reason here."""

LONG_MODULES = {
    "catalog/errors.py": "one class for each SQLSTATE, and nothing else",
    "catalog/pg_catalog/relation_data.py": "a table of columns as PostgreSQL has them",
    "kalam_pg/sql/tree.py": "one class for each node of the tree, and nothing else",
}

TOP_LEVEL = {
    # What the project consists of …
    *("pyproject.toml", "kalam_pg", "catalog", "storage", "tests", "conformance", "docs"),
    # … and the usual files.
    *(
        "README.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "requirements.lock",
        ".gitignore",
        ".ci",
    ),
}

PROGRAMS = {"kalam_pg.cli", "kalam_pg.__main__", "kalam_pg.embed"}
"""What is started or imported from outside; everything else must be needed by these."""

SLEEPS = {
    "storage/log/hot.py": "closing waits, at most seconds, for other threads' running calls",
}


FOR_OTHERS = {
    "kalam_pg/engines/fork_server.py: find_spec": "the import system calls it",
    "kalam_pg/embed/result.py: column_count": "Buena Vista calls it",
    "kalam_pg/embed/result.py: has_results": "Buena Vista calls it",
    "kalam_pg/embed/result.py: stored_rows": "the in-process API",
    "kalam_pg/embed/result.py: text_rows": "the in-process API",
    "kalam_pg/embed/session.py: in_transaction": "Buena Vista calls it",
    "kalam_pg/embed/session.py: load_df_function": "Buena Vista calls it",
    "kalam_pg/query/database.py: differences": "the invariant of tests: memory is as the disk",
    "storage/cold/checked.py: seekable": "pyarrow asks it of a file",
    "storage/log/view.py: log_length": "tests count what trim has left",
}
"""Names that only others use: embedders, Buena Vista, tests that look into what they check."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def conditions() -> dict[str, str]:
    """PostgreSQL's condition names by SQLSTATE."""
    lines = (ROOT / "tests" / "errcodes.txt").read_text().splitlines()
    return dict(line.split() for line in lines if not line.startswith("#"))


def calls(path: Path) -> set[str]:
    """The dotted names that a module calls."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_every_error_has_a_sqlstate_of_its_own():
    by_state: dict[str, list[str]] = {}
    for cls in error_classes():
        by_state.setdefault(cls.sqlstate, []).append(cls.__name__)
    shared = {state: names for state, names in by_state.items() if len(names) > 1}
    assert not shared
    assert len(by_state) > 100  # The walk over the packages found them.


def test_every_error_begins_with_the_condition_that_postgresql_calls_it():
    known = conditions()
    wrong = {
        cls.__name__: (cls.sqlstate, condition(cls), known.get(cls.sqlstate))
        for cls in error_classes()
        if known.get(cls.sqlstate) != condition(cls)
    }
    assert not wrong


def test_a_module_has_one_subject_and_is_no_longer_than_that_takes():
    long = {
        name_of(path)
        for path in MODULES
        if len(path.read_text(encoding="utf-8").splitlines()) > LINES_MAX
    }
    assert not long - set(LONG_MODULES), "split it, or give the reason in LONG_MODULES"
    assert not set(LONG_MODULES) - long, "no longer long: take it off the list"


def test_every_module_says_what_it_is_for():
    silent = [
        name_of(path)
        for path in MODULES
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent


def test_one_place_says_which_tablet_a_user_means():
    """`Database.tablet`, by the user and the table. Jobs go over everybody's, by their ids."""
    ways = re.compile(r"TabletId$|\btablet_of_anyone$|\b_?engine\.(tablet|stream)$")
    asking = {name_of(p) for p in MODULES if any(ways.search(call) for call in calls(p))}
    asking = {p for p in asking if p.startswith("kalam_pg/") and "/jobs/" not in p}
    assert asking == {"kalam_pg/query/database.py"}


def test_one_place_says_which_of_its_own_changes_a_statement_sees():
    """`Execution.own_changes`; `query.rows` asks for the newest, which another part may have made."""
    found = {name_of(p) for p in MODULES if "x.transaction.change" in p.read_text(encoding="utf-8")}
    assert found == {"kalam_pg/query/rows.py"}


def test_every_module_is_needed_by_the_product():
    modules = {dotted(path): path for path in MODULES}
    # The function table names its modules; every other import is one, or a module's whole name.
    tables = {f"kalam_pg.functions.{name}" for name in lookup._MODULES}
    needed, waiting = set[str](), PROGRAMS | tables
    while waiting:
        name = waiting.pop()
        needed.add(name)
        waiting |= (named_modules(modules[name]) & modules.keys()) - needed
    assert modules.keys() - needed == set(), "nothing imports them: they go, or belong to the tests"


def dotted(path: Path) -> str:
    """A module's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def named_modules(path: Path) -> set[str]:
    """What a module imports, or starts: dotted names, with the packages that they are in."""
    names = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module)):
                names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
            case ast.Constant(value=str(text)):
                names.add(text)
    return names | {name.rpartition(".")[0] for name in names}


def test_one_place_asks_what_time_it_is():
    """`storage.wall_clock`, by the engine's clock where there is a database: a test can give it."""
    ways = {"time.time", "time.time_ns", "time_ns", "datetime.now", "dt.datetime.now", "date.today"}
    ways |= {"datetime.utcnow", "datetime.datetime.now", "dt.date.today"}
    assert [name_of(p) for p in MODULES if calls(p) & ways] == ["storage/wall_clock.py"]


def test_every_function_and_class_of_the_product_is_named_by_the_product():
    """Once more than where it is defined. A common name hides what nobody uses; others do not."""
    words = Counter(
        word
        for path in MODULES
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith("#")
        for word in re.findall(r"\w+", line)
    )
    unnamed = {
        f"{name_of(path)}: {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("__")
        and words[node.name] == 1
        and all("property" in ast.unparse(d) for d in node.decorator_list)
    }
    assert unnamed == set(FOR_OTHERS)


def test_packages_do_not_print():
    assert not [name_of(path) for path in MODULES if "print" in calls(path)]


def test_packages_do_not_sleep_in_a_thread():
    asleep = {name_of(path) for path in MODULES if calls(path) & {"time.sleep", "sleep"}}
    assert asleep == set(SLEEPS)


def test_the_top_level_holds_what_was_agreed():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert {line.partition("/")[0] for line in listed.stdout.splitlines()} == TOP_LEVEL


def test_the_lock_names_no_host_and_hashes_everything():
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    # Every option of pip's begins with a hyphen; the lock needs one of them alone.
    options = re.findall(r"^\s*(-\S*?)(?:[\s=]|$)", lock, re.MULTILINE)
    assert set(options) == {"--hash"}
    requirements = re.findall(
        r"^([A-Za-z0-9._-]+)==[^\n]*\\\n\s+--hash=sha256:", lock, re.MULTILINE
    )
    pinned = re.findall(r"^[A-Za-z0-9._-]+", lock, re.MULTILINE)
    assert requirements == pinned
    assert len(requirements) > 20


def test_the_lock_has_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        re.match(r"[A-Za-z0-9._-]+", line)[0].lower()
        for line in (*project["dependencies"], *project["optional-dependencies"]["dev"])
    }
    locked = set(
        re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    assert not wanted - locked


def test_the_version_is_said_once_and_the_changelog_knows_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == kalam_pg.__version__
    headings = re.findall(r"^## (.*)$", (ROOT / "docs" / "changelog.md").read_text(), re.MULTILINE)
    # What is not released yet comes first; releases are "## 1.2.3 (2026-11-21)", newest first.
    assert headings[0] == "Unreleased"
    releases = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) \(\d{4}-\d\d-\d\d\)", h) for h in headings[1:]]
    assert all(releases)
    numbers = [tuple(int(part) for part in match.groups()) for match in releases]
    assert numbers == sorted(numbers, reverse=True)
    if numbers:
        assert numbers[0] <= tuple(int(part) for part in kalam_pg.__version__.split("."))


STARTS_TASKS = {
    "kalam_pg/supervision.py": "the supervisor itself",
    "kalam_pg/server/instance.py": "a server's own end",
    "kalam_pg/server/loop.py": "the loop's parts, and the Work of one connection",
    "kalam_pg/jobs/flushing.py": "parts of one job, which waits for them",
    "kalam_pg/query/waits.py": "the waits of one statement, which waits for them",
    "kalam_pg/embed/database.py": "the waits of statements, and answers that they leave open",
}
"""Who else would start a task starts what may end its siblings: see `kalam_pg.supervision`."""


def test_nobody_but_the_supervisor_starts_background_tasks():
    starting = {
        name_of(path)
        for path in MODULES
        if "nursery.start_soon" in path.read_text(encoding="utf-8")
    }
    assert starting == set(STARTS_TASKS)


def test_exceptions_are_logged_without_their_text():
    """`failures.report` writes class and place; a text may quote what a user wrote."""
    logging = {
        name_of(path)
        for path in MODULES
        if re.search(r"\b_?log\.exception\(|exc_info=", path.read_text(encoding="utf-8"))
    }
    assert not logging
